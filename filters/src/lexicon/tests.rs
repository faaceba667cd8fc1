use proptest::prelude::*;

use super::*;

fn count(list: &str, text: &str) -> Vec<usize> {
    Lexicon::new(list).unwrap().count(&Stream::new(text))
}

#[test]
fn marks_of_a_list() {
    assert_eq!(count("[a]\n가나\n[b]\n^다라", "가나 다라 마가나바 마다라"), [2, 1]);
    assert_eq!(count("[a]\n가나$ ! 사가나 자_가나", "가나는 가나무 사가나 사 가나 자가나 자 가나"), [2]);
    assert_eq!(count("[a]\n가나 가나다라 나다", "가나다라 나다"), [2]);
    assert_eq!(count("[a]\n가나 ^다라", "가나다라"), [2]);
    assert_eq!(count("[a]\nbad", "bad badly BAD ｂａｄ bad이 b4d"), [5]);
    assert_eq!(count("[a]\nㅅㅂ", "ㅅㅂ ㅋㅅㅂㅋ ㄱㅅㅂ ㅅㅂㄷ"), [2]);
}

#[test]
fn gaps() {
    let seen = |text: &str| count("[a]\n가나", text)[0] == 1;
    for text in ["가나", "가 나", "가  나", "가1나", "가12나", "가-나", "x 가.나", "가 나 다", "다가나", "(가 나)"] {
        assert!(seen(text), "{text}");
    }
    for text in ["가\n나", "가. 나", "다가 나", "다가1나", "3가1나", "가 나다", "가가 나", "가漢나", "가----나", "가 , 나", "가 123 나"]
    {
        assert!(!seen(text), "{text}");
    }
}

#[test]
fn letters_are_put_together() {
    let seen = |text: &str| count("[a]\n병신 꽥", text)[0];
    for text in ["ㅂㅕㅇㅅㅣㄴ", "병ㅅㅣㄴ", "ㅂㅕㅇ신", "ㄲㅙㄱ", "ㅂㅕㅇ ㅅㅣㄴ", "\u{1107}\u{1167}\u{11bc}신"] {
        assert_eq!(seen(text), 1, "{text}");
    }
    assert_eq!(seen("ㅂㅕㅇㅅㅋㅣㄴ"), 0);
}

#[test]
fn lists_that_are_none() {
    assert!(matches!(Lexicon::new("가나"), Err(LexiconError::Line { line: 1, .. })));
    assert!(matches!(Lexicon::new("[a]\n# 말\n^"), Err(LexiconError::Line { line: 3, .. })));
}

proptest! {
    #[test]
    fn any_text_is_counted(text in prop_oneof!["(?s).{0,80}", "[가나다라ㅅㅂㅣㅏㄹ1-3 .\\-\u{200b}\u{1107}a-c]{0,80}"]) {
        let lexicon = Lexicon::new("[a]\n가나 ^다라 ㅅㅂ 시발 abc ! 나가나 가나_다").unwrap();
        let stream = Stream::new(&text);
        let hits = lexicon.hits(&stream);
        prop_assert!(hits.windows(2).all(|pair| pair[0].end <= pair[1].start));
        prop_assert_eq!(lexicon.count(&stream)[0], hits.len());
    }
}
