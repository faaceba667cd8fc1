use super::*;
use crate::lexicon::Stream;
use crate::lexicon::tests::{HARD, UNSEEN, on_lines};
use crate::metrics::ratio;

fn words() -> &'static Lexicon {
    WORDS.as_ref().unwrap()
}

fn hits(words: &Lexicon, text: &str) -> usize {
    words.count(&Stream::new(text)).iter().sum()
}

#[test]
fn the_list_has_the_sections_of_the_metrics() {
    let names: Vec<_> = words().sections().iter().map(|name| format!("profanity-{name}")).collect();
    assert_eq!(names, NAMES.sections);
}

#[test]
fn tricks_are_seen_through() {
    let words = words();
    for text in [
        "병신이",
        "병신같은",
        "개병신",
        "병 신",
        "병-신",
        "병1신",
        "ㅂㅅ",
        "ㅂㅕㅇㅅㅣㄴ",
        "병ㅅ",
        "씨 발",
        "씨발",
        "씨발놈들",
        "ㅅㅂ",
        "ㅆㅂ",
        "시1발",
        "시.발",
        "시발놈아",
        "시@발",
        "씨  발",
        "ㅅㅣㅂㅏㄹ",
        "시ㅂ",
        "ㅅ발",
        "아 ㅅㅂ 진짜",
        "ㅋㅋ시발ㅋㅋ",
        "존나시발",
        "개 새 끼",
        "개새끼야",
        "새끼들이",
        "ㄱㅅㄲ",
        "좆같네",
        "지랄하네",
        "미친놈",
        "니애미",
        "에미가",
        "이 새끼를 한 대",
        "좀 닥쳐",
        "벌레들아",
        "등신아",
        "한남들",
        "네시발",
        "미 친 놈",
        "ｆｕｃｋ",
        "fuck you",
        "f*ck",
        "sh1t",
        "What the FUCK",
        "f u c k",
        "b!tch",
        "씨\u{200b}발",
        "씨\u{1107}\u{1161}\u{11af}",
        "씨이이발",
        "tlqkf 진짜",
        "Tlqkf",
        "염병하고 있네",
        "개색기야",
        "씨발!",
        "\"씨발\"",
    ] {
        assert!(hits(words, text) > 0, "{text}");
    }
}

#[test]
fn harmless_words_stay() {
    let words = words();
    for text in [
        "시발점이 되었다",
        "면허 등(신고를 포함한다)",
        "받으려는 자(지방자치단체를 포함한다)는",
        "종사하는 자(지방5급)",
        "마음을 고쳐먹었다",
        "옛날 소년아이들",
        "꿈을 꾸는 청년아",
        "허리띠를 졸라 맸다",
        "두루 미친 은혜",
        "개새끼줄",
        "새끼줄을 꼬았다",
        "새끼손가락",
        "새끼 고양이가",
        "고양이 새끼를 낳았다",
        "18세기의",
        "감염병의 예방",
        "합병신고",
        "영향을 미친 것",
        "으로 보지 아니한다",
        "이 새 프로젝트",
        "돌아갈 수",
        "감염병의 예방",
        "합병신고",
        "영향을 미친 것",
        "으로 보지 아니한다",
        "이 새 프로젝트",
        "돌아갈 수",
        "1818년",
        "보지 못했다",
        "보지못했다",
        "보지 않고",
        "사이시옷",
        "부산시 발전 계획",
        "시 발전",
        "동시발매",
        "다시 발견했다",
        "3시 발표",
        "2시1발",
        "시발역에서 출발",
        "씨앗이 발아",
        "아저씨 발이 크다",
        "아저씨발",
        "발병신고서",
        "존 나이",
        "무지개같은",
        "조개 같은",
        "개 같은 날의 오후가 아니라 아지랑이 같은",
        "졸라매다",
        "불을 꺼져 가는",
        "안개년",
        "3개년 계획",
        "내년들어",
        "등신청",
        "한남동에",
        "재앙이 닥쳤다",
        "미친 영향",
        "시바견",
        "자지 않고",
        "공개독서실",
        "Scunthorpe",
        "Matsushita",
        "assess the class",
        "cocktail",
        "shiitake",
        "ㄱㅅㅂㄷ",
        "ㅋㅋㅋㅎㅎ",
        "정신병원",
        "무지렁이",
        "전시발표회",
        "표시발광",
        "글씨 발표",
        "씹는 맛",
        "대가 리듬",
        "에미상 수상",
        "에미넴",
        "에미레이트 항공",
        "에미터 전압",
        "생선 대가리를",
        "명태 대가리",
        "주둥이가 넓은 병",
        "벌레들이 모였다",
        "쓰레기들을 주웠다",
        "등신불",
        "위기에 닥쳐",
        "시련이 닥치고",
        "악어 새끼",
        "제비 새끼",
        "새끼를 세 마리 낳았다",
        "새끼 3마리",
        "한남 더힐",
        "한남 오거리",
        "한남정맥",
        "시바 료타로",
        "그런 건 안 보지",
        "가만히 두고 보지",
        "먼저 자지 그래",
        "몇 시 발 기차",
        "시발표",
        "슈발리에 와인",
        "염병이 돌았다",
    ] {
        let found = words.hits_of(text);
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}

/// Precision and recall on labelled comments. The words were chosen on the half whose id hashes to an
/// even number; of the other half only these two numbers were looked at.
#[test]
#[allow(clippy::print_stdout)]
fn labelled_comments() {
    let Some(comments) = crate::speed::texts("korean_comments_profanity.jsonl.zst") else { return };
    let words = words();
    for (half, least_precision, least_recall) in [("tuned on", 0.92, 0.74), ("unseen", 0.90, 0.70)] {
        let [mut right, mut wrong, mut missed] = [0_usize; 3];
        for (text, record) in &comments {
            let even = xxhash_rust::xxh3::xxh3_64(record["id"].as_str().unwrap().as_bytes()).is_multiple_of(2);
            if even != (half == "tuned on") {
                continue;
            }
            match (hits(words, text) > 0, record["meta"]["profane"] == 1) {
                (true, true) => right += 1,
                (true, false) => wrong += 1,
                (false, true) => missed += 1,
                (false, false) => {}
            }
        }
        let (precision, recall) = (ratio(right, right + wrong), ratio(right, right + missed));
        println!("{half}: precision {precision:.3}, recall {recall:.3}, {right} right, {wrong} wrong, {missed} missed");
        assert!(precision >= least_precision && recall >= least_recall);
    }
}

/// Before rules were made for the hard lines 60 of them were found, 28 wrongly, and 12 missed; what is left is no measurement.
/// Of the unseen lines 22 were found before, 15 wrongly, and 8 missed; afterwards 23, 11 and 7.
#[test]
#[allow(clippy::print_stdout)]
fn hard_lines() {
    let [right, wrong, missed] = on_lines(HARD, words(), "profane");
    println!("hard: {right} right, {wrong} wrong, {missed} missed");
    assert!(right >= 72 && wrong <= 4, "{right} {wrong} {missed}");
    let [right, wrong, missed] = on_lines(UNSEEN, words(), "profane");
    println!("unseen: {right} right, {wrong} wrong, {missed} missed");
    assert!(right >= 23 && wrong <= 11, "{right} {wrong} {missed}");
}

/// Laws and documentation.
#[test]
fn edited_texts_hold_hardly_any() {
    let words = words();
    for name in ["korean_law", "korean_docs", "english_docs", "english_proposals"] {
        let Some(texts) = crate::speed::texts(&format!("{name}.jsonl.zst")) else { return };
        let found: Vec<_> = texts.iter().flat_map(|(text, _)| words.hits_of(text)).collect();
        assert!(found.len() <= 8, "{name}: {found:?}");
    }
}

#[test]
fn hostile_texts_end() {
    for piece in ["새끼", "시 ", "ㅅㅂ", "ㅂㅕ", "a1", "시1", "보지 못", "시.", "\u{1107}\u{1161}"] {
        hits(words(), &piece.repeat((1 << 20) / piece.len()));
    }
}
