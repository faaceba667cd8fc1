//! What holds for every text.

use proptest::prelude::*;

use super::*;

/// Pieces of numbers and of what surrounds them.
fn pieces() -> impl Strategy<Value = String> {
    let pieces = vec![
        "010",
        "1234",
        "5678",
        "02",
        "123",
        "900101",
        "1234568",
        "4111",
        "1111",
        "124",
        "81",
        "00998",
        "+82",
        "+",
        "-",
        ".",
        " ",
        "  ",
        "(",
        ")",
        "－",
        "０１０",
        "@",
        "＠",
        "naver.com",
        "abc",
        "계좌",
        "은행",
        "전화",
        "tel",
        "여권",
        "M12345678",
        "주소",
        "서울",
        "강남구",
        "테헤란로",
        "역삼동",
        "12",
        "3",
        "층",
        "호",
        ":",
        "::",
        "2001:4860::8888",
        "211.234.56.78",
        "<PHONE>",
        ">",
        "<",
        "\n",
        ",",
        "_",
        "가",
        "원",
        "년",
        "é",
        "하나",
        "상품",
        "법인",
        "https://",
        "/",
        ".jpg",
        "제",
        "ㅡ",
        "·",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn masking_twice_is_masking_once(text in pieces()) {
        let once = masked(&text);
        prop_assert_eq!(masked(&once), once);
    }

    #[test]
    fn spans_are_apart_and_on_characters(text in prop_oneof![pieces(), "(?s).{0,60}", "\\PC{0,60}", "[0-9０-９@:.\\-() +가로동a-f]{0,60}"]) {
        let mut done = 0;
        for span in scan::find(&text, &[true; CLASSES.len()], false) {
            prop_assert!(done <= span.start && span.start < span.end && span.end <= text.len());
            prop_assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
            done = span.end;
        }
        let once = masked(&text);
        prop_assert_eq!(masked(&once), once);
    }
}

/// One of each, anywhere in a megabyte of the worst a text can hold, in linear time: a quadratic
/// scan of these takes hours.
#[test]
fn hostile_texts_end() {
    for piece in ["1", "1 ", "1-", "1.", "@", "a@", "a.", "a@a.", ":", "a:", "가로 1", "서울 ", "0101234", "로 1", "1:"] {
        let text = piece.repeat((1 << 20) / piece.len());
        scan::find(&text, &[true; CLASSES.len()], false);
    }
}
