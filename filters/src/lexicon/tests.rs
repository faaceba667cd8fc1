use proptest::prelude::*;

use super::*;

/// Lines by hand that look like what they are not, or hide what they are, written before any of them was counted:
/// news, laws, dictionaries, tales for children, chats of games, advertising.
pub(crate) const HARD: &str = include_str!("hard_lines.tsv");

/// More of them, of which only the numbers were looked at.
pub(crate) const UNSEEN: &str = include_str!("unseen_lines.tsv");

/// Of such lines those of this label that are found, those of others that are, and those that are missed.
pub(crate) fn on_lines(lines: &str, lexicon: &Lexicon, label: &str) -> [usize; 3] {
    let mut counts = [0; 3];
    for (wanted, text) in lines.lines().filter_map(|line| line.split_once('\t')) {
        let found = lexicon.count(&Stream::new(text)).iter().any(|count| *count > 0);
        match (found, wanted == label) {
            (true, true) => counts[0] += 1,
            (true, false) => counts[1] += 1,
            (false, true) => counts[2] += 1,
            (false, false) => {}
        }
    }
    counts
}

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
fn choices_places_for_spaces_and_hidden_words() {
    assert_eq!(count("[a]\n(가|나|)다라", "가다라 나다라 다라 라"), [3]);
    assert_eq!(count("[a]\n가나 ! (다|라)(|의)_가나", "다 가나 라의 가나 다가나 마의 가나"), [1]);
    // Apart only where the list allows it or into single syllables.
    assert_eq!(count("[a]\n가나_다라", "가나다라 가나 다라 가 나 다 라 가 나다라"), [3]);
    assert_eq!(count("[a]\n~가나", "가나 가 나 가.나"), [2]);
    assert_eq!(count("[a]\n(가나", "(가나 가나"), [0]);
}

#[test]
fn words_that_are_explained_or_talked_about() {
    let seen = |text: &str| count("[a]\n가나", text)[0] == 1;
    for text in ["가나라는 놈", "가나라 말하다", "가나 漢字", "가나 다(漢字)"] {
        assert!(seen(text), "{text}");
    }
    for text in ["가나라는 말", "가나란 말은", "가나라는 표현을", "다가나이라는 은어", "가나년(丙申年)에", "가나년 (丙申年)", "가나(病身)"]
    {
        assert!(!seen(text), "{text}");
    }
}

#[test]
fn drawn_syllables() {
    let seen = |text: &str| count("[a]\n시발 씨발", text)[0];
    for text in ["시ㅡ발", "시ㅡㅡ발", "^^ㅣ발", "^ㅣ발", "人ㅣ발", "아 ^ㅣ발"] {
        assert_eq!(seen(text), 1, "{text}");
    }
    for text in ["시ㅡ ㅡ발", "^^ 발", "^^", "시 ㅡ 발", "人 발"] {
        assert_eq!(seen(text), 0, "{text}");
    }
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
