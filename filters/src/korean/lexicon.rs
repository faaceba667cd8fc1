//! Words that only look as if they ended in a particle or an ending, and verbs by their look.

use std::sync::LazyLock;

use super::suffix::key;
use super::syllable::{self, SS};
use crate::table::Table;

/// Words that stay whole. One that begins with `~` does so at the end of longer words too.
#[rustfmt::skip]
const WHOLE: &str = "
    ~정도 제도 ~속도 ~온도 ~각도 지도 태도 의도 빈도 한도 용도 ~년도 ~연도 농도 ~강도 ~밀도 고도 ~확도 ~습도 시도 유도 보도 철도 ~해상도 아마도 그래도 별도 \
    ~반도 전라도 남도 북도 제주도 강원도 경상도 충청도 몰입도 완성도 경사도 난이도 ~별자치도 적어도
    차이 고양이 어린이 높이 길이 넓이 깊이 많이 같이 ~없이 놀이 종이 굳이 일일이 깨끗이 거북이 파이 빨갱이 오랑캐 같이 똑같이
    추가 휴가 ~허가 대가 주가 여가 뭔가 무언가 누군가 평가 증가 어딘가 언젠가 무엇인가
    하나 그러나 언제나 혹시나 너무나 역시나 얼마나 누나 코로나 하나하나 그나저나 만나 그나마
    도로 서로 바로 별로 새로 스스로 그대로 제대로 때로 주로 따로 홀로 절로 회로 피로 경로 진짜로 함부로 매크로 정말로 억지로 때때로 여러모로 거꾸로 가로 \
    세로 프로 멜로 제로 대로 절대로 실제로 이대로 참으로 걸로 실로 의외로 으로 여전히
    회의 정의 동의 주의 논의 합의 협의 강의 편의 예의 명의 결의 ~심의 건의 유의 임의 고의 상의 문의 거의 모의 제의 호의 민주주의 ~주의 심의회의 국제회의 \
    재심의 교통편의 재정의 재정의
    불만 자만 백만 천만 수만 비만 하지만 다만 오만 그만 얼마만 오랜만 간만 태만 직무태만 그런데
    결과 학과 성과 효과 통과 초과 부과 경과 사과 교과
    가을 마을 노을 우와 사랑 고향사랑 함께 두께 혹은 또는 만큼 그만큼 그런대로
    처음 다음 마음 얼음 믿음 젊음 죽음 웃음 걸음 모음 도움
    까지 여지 유지 금지 방지 토지 단지 페이지 메시지 이미지 패키지 공지 복지 가지 ~기지 내지 별지
    그리고 최고 참고 광고 창고 경고 신고 사고 권고 재고 예고 오히려
    바다 모두다 보다 마다 모다 판다 하려면이
    화면 측면 표면 장면 반면 방면 라면 수면 전면 정면 국면 양면 내면 외면 단면 평면 도면 서면
    크기 읽기 보기 쓰기 듣기 잘라내기 주요 필요 사이 나이 아이 영화 매우
    또한 포함 제한 권한 무한 기한 시한 북한 남한 유한 최소한 최대한 가능한한 이상한 ~확인 개인 본인 ~법인 원인 ~승인 할인 외국인 부인 타인 주인 범인 상인 \
    노인 군인 신인 메인 ~라인 디자인 도메인 성인 ~장애인 ~연예인 일본인 일반인 문재인 치킨 다른 모든 따라서 레이어 심지어 나라 우리나라 라는 라고 이나 최적화 영업 물론 관할 이해 전사자유해 올해 지난해 피해 남해 동해 방해 기여 참여 대여 부여 급여 여려 오려 그려 고려 배려 \
    우려 역할 분할 함 됨 행운 기운 사진 추진 직진 어린 화된
";

/// Last syllables of stems that are verbs by their look, beside those with ㅆ.
const VERBAL: &str = "하 되 시 키 않 없 같 싶 많 좋 작 높 낮 짧 크 보 오 가 주 받 쓰 읽 찾 넣 놓 두 알 르 지 치 리 나 내 우 기 이 들 꾸 누 추 붙 맞 남 잡 낫 \
    으 니 살 죽 먹 열 닫 얻 걸 듣 묻 믿 웃 울 잃 잊 입 벗 팔 씻 섞 묶 깎 뛰 쉬 튀 뜨 끄 켜 서 세 재 새 깨 빼 매 배 피 비 끼 띄 쥐 늘 줄 풀 돌 날 끌 밀 찍 적 막 갖 \
    볍 깝 답 럽 롭 렵 겁 맙 덥 춥 쉽 돕 굽 눕 줍 싫 옳 끓 앓 뚫 꿇 끊 앉 얹 젊 굶 닮 삶 옮 밟 넓 얇 떫 읊 값 긋 짓 잇 붓 겠 어 아 렇 떻 떠 펴 사";

/// A set of short words by their syllables.
struct Words(Table);

impl Words {
    fn new<'a>(listed: impl Iterator<Item = &'a str>) -> Self {
        let mut table = Table::default();
        table.reset(1024);
        for word in listed {
            let syllables: Vec<u16> = word.chars().map(syllable::of).collect();
            table.seen(key(&syllables));
        }
        Self(table)
    }

    fn contains(&self, syllables: &[u16]) -> bool {
        syllables.len() <= 4 && self.0.get(key(syllables)).is_some()
    }
}

static WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(WHOLE.split_whitespace().map(|word| word.trim_start_matches('~'))));
static TAILS: LazyLock<Words> = LazyLock::new(|| Words::new(WHOLE.split_whitespace().filter_map(|word| word.strip_prefix('~'))));
static VERBS: LazyLock<Words> = LazyLock::new(|| Words::new(VERBAL.split_whitespace()));

/// Whether the word stays whole, or the end of it that is longer than the suffix does.
pub(super) fn is_whole(word: &[u16], suffix: usize) -> bool {
    WORDS.contains(word) || (suffix + 1..=4.min(word.len())).any(|length| TAILS.contains(&word[word.len() - length..]))
}

/// Whether a stem is a verb by its last syllable.
pub(super) fn is_verbal(stem: &[u16]) -> bool {
    stem.last().is_some_and(|&syllable| syllable::last(syllable) == SS || VERBS.contains(&[syllable]))
}
