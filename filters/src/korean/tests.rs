//! Eojeol split by hand: particles are marked `/p`, endings `/e`.

use proptest::prelude::*;

use super::{Part, split_eojeol};
use crate::{Segmentation, Words};

fn shown(eojeol: &str) -> String {
    let pieces = split_eojeol(eojeol).into_iter().map(|piece| {
        let mark = match piece.part {
            Part::Particle => "/p",
            Part::Ending => "/e",
            Part::Stem | Part::Other => "",
        };
        format!("{}{mark}", &eojeol[piece.start..piece.end])
    });
    pieces.collect::<Vec<_>>().join(" ")
}

#[test]
fn eojeol_by_hand() {
    let cases = [
        ("학교에서는", "학교 에서/p 는/p"),
        ("친구를", "친구 를/p"),
        ("만났습니다.", "만났 났/e 습니다/e ."),
        ("했다", "했 했/e 다/e"),
        ("됩니다!", "됩 됩니다/e !"),
        ("아름다운", "아름다운 운/e"),
        ("시행한다.", "시행 한 한다/e ."),
        ("제4조제1항에", "제 4 조 제 1 항 에/p"),
        ("법\"이라", "법 \" 이/e 라/e"),
        ("사람들이", "사람 들 이/p"),
        ("사회적인", "사회 적 인/e 인/e"),
        ("호출하면", "호출 하 면/e"),
        ("작성된", "작성 된 된/e"),
        ("반환합니다.", "반환 합 합니다/e ."),
        ("것입니다.", "것 입/e 입니다/e ."),
        ("하였다.", "하 였/e 다/e ."),
        ("제출하여야", "제출 하 여야/e"),
        ("없는게", "없 는/e 게/p"),
        ("여기서", "여기 서/p"),
        ("API를", "API 를/p"),
        ("`vector`는", "` vector ` 는/p"),
        ("(이하", "( 이하"),
        ("2023년", "2023 년"),
        ("1,000원입니다", "1,000 원 입/e 입니다/e"),
        ("회의에서", "회의 에서/p"),
        ("고양이가", "고양이 가/p"),
        ("크기에", "크기 에/p"),
        ("책은", "책 은/p"),
        ("의사가", "의사 가/p"),
        ("길로", "길 로/p"),
        ("버스로", "버스 로/p"),
        ("집으로", "집 으로/p"),
        ("까지도", "까지 도/p"),
        ("해서는", "해 해서/e 는/p"),
        ("규정함을", "규정 함 함/e 을/p"),
        ("번째", "번 째"),
        ("초기화하는", "초기 화 하 는/e"),
        ("영화를", "영화 를/p"),
        ("ㅋㅋㅋ", "ㅋㅋㅋ"),
        ("https://a.kr/x에서", "https://a.kr/x 에서/p"),
        ("할게요", "할 할게요/e"),
        ("있을까", "있 을까/e"),
        ("좋아요", "좋 아요/e"),
        ("갔지만", "갔 갔/e 지만/e"),
        ("먹었어요", "먹 었/e 어요/e"),
        ("누구나", "누구 나/p"),
        ("함께", "함께"),
        ("그리고", "그리고"),
        ("정도", "정도"),
        ("도로는", "도로 는/p"),
        ("문제까지만", "문제 까지/p 만/p"),
        ("학생에게서도", "학생 에게서/p 도/p"),
        ("https://a.kr/x).", "https://a.kr/x ) ."),
    ];
    // The second time what the first one found is remembered.
    for (eojeol, expected) in cases.iter().chain(&cases) {
        assert_eq!(shown(eojeol), *expected, "{eojeol}");
    }
}

/// What the rules cannot know without a dictionary: stated here, so that a change of it is seen.
#[test]
fn known_limits() {
    for (eojeol, given) in [("행정기관의", "행정기관 의/p"), ("말이많다", "말이많 다/e"), ("사회의", "사회 의/p"), ("보고", "보 고/e")]
    {
        assert_eq!(shown(eojeol), given, "{eojeol}");
    }
}

#[test]
fn words_of_a_text() {
    let text = "위원회는 낡은\u{3000}다리를 논의했다.\n";
    let words = Words::segmented(text, Segmentation::Korean);
    let shown: Vec<_> = words.iter().map(|word| word.of(text)).collect();
    assert_eq!(shown, ["위원회", "는", "낡", "은", "다리", "를", "논의", "했", "했", "다", "."]);
    assert_eq!(words.iter().map(|word| word.chars).sum::<u32>(), 15);
    assert_eq!(words.iter().filter(|word| word.is_symbol()).count(), 1);
    assert!(Words::segmented("", Segmentation::Korean).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    /// Nothing is lost, nothing is made up, and no piece is empty.
    #[test]
    fn pieces_cover_the_text(text in "(?s)[가-힣]{1,30}|[가나다은는이를에서로하했습니함한고 ]{0,30}|.{0,40}|[가-힣a-z0-9 .,:/#@()ㅋ-]{0,40}") {
        let mut covered = vec![false; text.len()];
        let mut last = 0;
        for piece in split_eojeol(&text) {
            prop_assert!(piece.start < piece.end && piece.start >= last, "{:?}", piece);
            prop_assert!(text.get(piece.start..piece.end).is_some());
            last = piece.start;
            covered[piece.start..piece.end].fill(true);
        }
        for (at, c) in text.char_indices() {
            prop_assert_eq!(covered[at], !crate::chars::is_space(c), "{:?} at {}", c, at);
        }
        let words = Words::segmented(&text, Segmentation::Korean);
        for word in words.iter() {
            prop_assert_eq!(word.chars as usize, word.of(&text).chars().count());
            prop_assert_eq!(word.has_letter(), word.of(&text).chars().any(crate::chars::is_letter));
            prop_assert_eq!(word.is_symbol(), word.of(&text).chars().all(crate::chars::is_symbol));
        }
    }
}
