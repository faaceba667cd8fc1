//! Files whose lines are in several encodings, or not quite in the one that is named.

use encoding_rs::EUC_KR;

use crate::read::tests::Corpus;

const KOREAN: &str = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.";

fn lines(settings: &str, bytes: &[u8]) -> Vec<String> {
    texts(&format!(r#""format": "text", "split": "line", {settings}"#), bytes)
}

/// The text of each document with what `meta` says of its bytes, or the error.
fn texts(settings: &str, bytes: &[u8]) -> Vec<String> {
    let corpus = Corpus::new(settings).file("a.txt", bytes);
    let whole: Vec<String> = corpus
        .read()
        .into_iter()
        .map(|document| match document {
            Ok(document) => {
                let meta = |name: &str| document.meta.get(name).map(|value| format!(" {}", value.to_string().trim_matches('"')));
                format!("{}{}{}", document.text, meta("encoding").unwrap_or_default(), meta("bad-bytes").unwrap_or_default())
            }
            Err(error) => format!("! {}", error.to_string().rsplit('/').next().unwrap_or_default()),
        })
        .collect();
    // Where a file is cut decides nothing.
    assert_eq!(corpus.read_by(40).len(), whole.len());
    whole
}

#[test]
fn a_bad_byte_in_one_line_says_nothing_of_the_others() {
    let bytes = [b"it\xe2\x80\x99s caf\xc3\xa9\n".as_slice(), b"Price \xa3 5 and more\n", b"na\xc3\xafve\n", b"plain\n"].concat();
    let read = lines(r#""encoding": "auto""#, &bytes);
    assert_eq!(read, ["it’s café", "Price \u{fffd} 5 and more 1", "naïve", "plain"]);
}

#[test]
fn lines_of_two_encodings_are_read_each_in_its_own() {
    let cp949 = EUC_KR.encode(KOREAN).0;
    for first in [KOREAN.as_bytes(), &cp949, b"plain"] {
        let bytes = [first, KOREAN.as_bytes(), &cp949, b"plain", &cp949].join(&b'\n');
        let read = lines(r#""encoding": "auto""#, &bytes);
        let (utf8, legacy) = (KOREAN.to_owned(), format!("{KOREAN} EUC-KR"));
        assert_eq!(read[1..], [utf8, legacy.clone(), "plain".to_owned(), legacy], "{read:?}");
    }
}

#[test]
fn a_short_line_is_in_the_encoding_of_its_file() {
    // 짹 is C2 B1, which is ± in UTF-8.
    let bytes = [&EUC_KR.encode(KOREAN).0, b"\xc2\xb1".as_slice()].join(&b'\n');
    assert_eq!(lines(r#""encoding": "auto""#, &bytes)[1], "짹 EUC-KR");
}

/// UTF-16, which encoding_rs reads but does not write.
fn utf_16(text: &str, big: bool) -> Vec<u8> {
    text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

#[test]
fn half_a_pair_in_utf_16_is_counted_or_refused() {
    let bytes = [utf_16("한", false), vec![0x00, 0xd8], utf_16("국어\n다음 줄", false)].concat();
    let named = r#""encoding": "utf-16le""#;
    assert_eq!(lines(&format!(r#"{named}, "encoding-errors": "replace""#), &bytes), ["한\u{fffd}국어 UTF-16LE 2", "다음 줄 UTF-16LE"]);
    let strict = lines(named, &bytes);
    assert!(strict[0].starts_with("! ") && strict[0].contains("UTF-16LE"), "{strict:?}");
    assert_eq!(strict[1], "다음 줄 UTF-16LE");
}

#[test]
fn a_byte_order_mark_says_more_than_a_name() {
    let big = utf_16("\u{feff}한국어\n둘째 줄", true);
    assert_eq!(lines(r#""encoding": "utf-16""#, &big), ["한국어 UTF-16BE", "둘째 줄 UTF-16BE"]);
    let whole = texts(r#""format": "text", "split": "file", "encoding": "utf-16""#, &big);
    assert_eq!(whole, ["한국어\n둘째 줄 UTF-16BE"]);
    assert_eq!(lines(r#""encoding": "cp949""#, "\u{feff}한국어".as_bytes()), ["한국어"]);
}

/// `ESC $ ) C` stands once, at the beginning of the file.
#[test]
fn mail_in_seven_bits_is_read_line_by_line() {
    let bytes = b"\x1b$)C\x0e8p5g\x0f \x0e@N0#@:\x0f\n\x0eEB>n3/\x0f plain\nplain\n\x0e6':NEM\x0f";
    for encoding in ["auto", "iso-2022-kr"] {
        let read = lines(&format!(r#""encoding": "{encoding}""#), bytes);
        let without: Vec<&str> = read.iter().map(|line| line.trim_end_matches(" EUC-KR")).collect();
        assert_eq!(without, ["모든 인간은", "태어날 plain", "plain", "때부터"], "{encoding}");
    }
}
