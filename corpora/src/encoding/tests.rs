use encoding_rs::{BIG5, EUC_JP, EUC_KR, GB18030, ISO_2022_JP, SHIFT_JIS, UTF_16BE, UTF_16LE, WINDOWS_1251, WINDOWS_1252};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const KOREAN: &str = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 부여받았으며 서로 형제애의 정신으로 행동하여야 한다.\n";
const JAPANESE: &str = "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。\n";
const CHINESE: &str = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。\n";
const FRENCH: &str =
    "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de conscience.\n";
const RUSSIAN: &str = "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью.\n";

/// UTF-16, which encoding_rs reads but does not write.
fn utf_16(text: &str, big: bool) -> Vec<u8> {
    text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

fn encode(text: &str, encoding: &'static Encoding) -> Vec<u8> {
    match encoding {
        wide if wide == UTF_16LE || wide == UTF_16BE => utf_16(text, wide == UTF_16BE),
        other => other.encode(text).0.into_owned(),
    }
}

const CASES: [(&str, &Encoding); 12] = [
    (KOREAN, UTF_8),
    (KOREAN, EUC_KR),
    (KOREAN, UTF_16LE),
    (KOREAN, UTF_16BE),
    (FRENCH, UTF_16LE),
    (JAPANESE, SHIFT_JIS),
    (JAPANESE, EUC_JP),
    (JAPANESE, ISO_2022_JP),
    (CHINESE, GB18030),
    ("人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心，並應以兄弟關係的精神相對待。", BIG5),
    (FRENCH, WINDOWS_1252),
    (RUSSIAN, WINDOWS_1251),
];

#[test]
fn what_was_encoded_is_detected_and_decoded() {
    for (text, encoding) in CASES {
        let bytes = encode(text, encoding);
        let decoded = decode_any(&bytes, None);
        let same = decoded.encoding == encoding || (encoding == GB18030 && decoded.encoding.name() == "GBK");
        assert!(same, "{} taken for {}: {}", encoding.name(), decoded.encoding.name(), decoded.text);
        assert_eq!((&*decoded.text, decoded.bad_bytes, decoded.first_bad), (text, 0, None));
    }
}

#[test]
fn a_byte_order_mark_decides_and_is_no_text() {
    assert_eq!(decode_any(b"\xef\xbb\xbfabc", Some(EUC_KR)).text, "abc");
    let marked = [b"\xff\xfe".as_slice(), &utf_16("가", false)].concat();
    assert_eq!((decode_any(&marked, None).text, decode_any(&marked, None).encoding), ("가".into(), UTF_16LE));
    let marked = [b"\xfe\xff".as_slice(), &utf_16("가", true)].concat();
    assert_eq!((decode_any(&marked, None).text, decode_any(&marked, None).encoding), ("가".into(), UTF_16BE));
}

#[test]
fn one_bad_byte_is_replaced_and_counted() {
    for (text, encoding) in CASES {
        // Elsewhere any byte is a character, or shifts all that follow, or misleads the statistics.
        if ![UTF_8, EUC_KR, SHIFT_JIS].contains(&encoding) {
            continue;
        }
        let text = text.repeat(4);
        let mut bytes = encode(&text, encoding);
        // At the end of a character, where a byte of none can be.
        let at = encode(&text[..text.char_indices().nth(text.chars().count() / 2).unwrap().0], encoding).len();
        bytes.insert(at, 0xff);
        let decoded = decode_any(&bytes, None);
        assert!(decoded.encoding == encoding || decoded.encoding.name() == "GBK", "{}: {}", encoding.name(), decoded.encoding.name());
        assert!((1..=2).contains(&decoded.bad_bytes), "{}: {}", encoding.name(), decoded.bad_bytes);
        let kept = decoded.text.chars().filter(|c| text.contains(*c)).count();
        assert!(kept + 3 >= text.chars().count(), "{}: {}", encoding.name(), decoded.text);
        if encoding == UTF_8 {
            assert_eq!((decoded.bad_bytes, decoded.first_bad), (1, Some(at as u64)));
        }
    }
}

#[test]
fn what_is_declared_counts_only_where_the_bytes_agree() {
    let korean = encode(KOREAN, EUC_KR);
    for declared in [UTF_8, WINDOWS_1252, EUC_KR] {
        assert_eq!(detect(&korean, Some(declared)), EUC_KR, "declared {}", declared.name());
    }
    assert_eq!(detect(KOREAN.as_bytes(), Some(EUC_KR)), UTF_8);
    assert_eq!(detect(&encode(RUSSIAN, WINDOWS_1251), Some(WINDOWS_1251)), WINDOWS_1251);
    // 짹 is C2 B1 in EUC-KR, which is ± in UTF-8: only here does the declaration win.
    assert_eq!(decode_any(b"\xc2\xb1", Some(EUC_KR)).text, "짹");
    assert_eq!(decode_any(b"\xc2\xb1", None).text, "±");
}

#[test]
fn characters_that_only_cp949_has_are_read() {
    let decoded = decode_any(b"\xc6\xe9\xbd\xc3\xc4\xdd\xb6\xf3\xb8\xa6 \xb8\xb6\xbd\xc3\xb4\xc2 \x8cc\xb9\xe6\xb0\xa2\xc7\xcf", None);
    assert_eq!((&*decoded.text, decoded.encoding), ("펩시콜라를 마시는 똠방각하", EUC_KR));
}

#[test]
fn labels_as_they_are_written() {
    for label in ["cp949", "CP949", "uhc", "ms949", "euc-kr", "EUC_KR", "ks_c_5601-1987", "ISO-2022-KR", " 'korean' "] {
        assert_eq!(encoding(label), Some(EUC_KR), "{label}");
    }
    assert_eq!(encoding("utf-16"), Some(UTF_16LE));
    for label in ["", "johab", "iso-2022-cn", "utf-7", "auto"] {
        assert_eq!(encoding(label), None, "{label}");
    }
    let charset = |json: &str| serde_json::from_str::<Charset>(json);
    assert_eq!(charset("\"auto\"").unwrap(), Charset::Auto);
    assert_eq!(serde_json::to_string(&charset("\"cp949\"").unwrap()).unwrap(), "\"euc-kr\"");
    assert!(charset("\"cp9949\"").unwrap_err().to_string().contains("unknown encoding `cp9949`"));
}

#[test]
fn archives_and_images_look_binary_and_writing_does_not() {
    assert!(looks_binary("PK\u{3}\u{4}\0\0\0\u{1}"));
    assert!(!looks_binary(KOREAN) && !looks_binary("") && !looks_binary("a\tb\r\n\u{c}"));
}

/// `가`, `대`, `저` and `준` end or begin in a zero byte as letters of Latin do.
#[test]
fn syllables_with_a_zero_byte_are_no_letters() {
    for text in
        ["저는 대한민국에서 가장 가까운 가게에 가서 저녁을 준비했다.\n대가가 가득한 저 가게", "┌────┐\n│ 가나 대표 │\n└────┘ 준비 저장"]
    {
        for (encoding, big) in [(UTF_16LE, false), (UTF_16BE, true)] {
            let bytes = utf_16(text, big);
            let read = decode_any(&bytes, None);
            assert_eq!((read.text.as_ref(), read.encoding), (text, encoding));
        }
    }
}

/// Files of a forum's installation that were written in CP949, and real Korean and other text
/// encoded in pieces.
#[test]
fn real_text() {
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    if !data.is_dir() {
        println!("skipped: no ../shared");
        return;
    }
    for name in ["gnuboard_HISTORY.txt.zst", "gnuboard_zip.db.zst"] {
        let bytes = zstd::decode_all(std::fs::File::open(data.join("dirty/cp949").join(name)).unwrap()).unwrap();
        assert_eq!(detect(&bytes, None), EUC_KR, "{name}");
        let mut lines = (0, 0);
        for piece in bytes.split(|byte| *byte == b'\n').collect::<Vec<_>>().chunks(8) {
            let piece = piece.join(&b'\n');
            if !piece.is_ascii() {
                lines = (lines.0 + 1, lines.1 + usize::from(detect(&piece, None) == EUC_KR));
            }
        }
        println!("{name}: {} of {} pieces of 8 lines", lines.1, lines.0);
        assert!(lines.1 * 1000 >= lines.0 * 995, "{name}: {lines:?}");
    }
    let texts = |file: &str| -> Vec<String> {
        let reader = std::io::BufReader::new(zstd::Decoder::new(std::fs::File::open(data.join(file)).unwrap()).unwrap());
        let records = std::io::BufRead::lines(reader).map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap());
        records.filter_map(|record| record["text"].as_str().map(str::to_owned)).collect()
    };
    for (file, least) in [
        ("korean_docs.jsonl.zst", 0.999),
        ("korean_law.jsonl.zst", 0.999),
        ("korean_reviews_nsmc.jsonl.zst", 0.95),
        ("english_docs.jsonl.zst", 0.0),
        ("english_proposals.jsonl.zst", 0.0),
    ] {
        let (mut all, mut found, mut damaged, mut hurt) = (0, 0, 0, 0);
        let mut wides = (0_u32, 0_u32);
        let (mut whole, mut whole_of) = (0, 0);
        for text in texts(file) {
            assert_eq!(detect(text.as_bytes(), None), UTF_8);
            if text.chars().filter(|c| c.len_utf8() > 1).nth(1).is_some() {
                let at = text.floor_char_boundary(text.len() / 2);
                let stray = [&text.as_bytes()[..at], b" \xa0 ", &text.as_bytes()[at..]].concat();
                whole_of += 1;
                whole += u32::from(detect(&stray, Some(UTF_8)) == UTF_8);
            }
            if text.contains(' ') {
                let wide: String = text.chars().take(2000).collect();
                for (encoding, big) in [(UTF_16LE, false), (UTF_16BE, true)] {
                    wides = (wides.0 + 1, wides.1 + u32::from(detect(&utf_16(&wide, big), None) == encoding));
                }
            }
            let korean: String = text.chars().filter(|c| !EUC_KR.encode(c.encode_utf8(&mut [0; 4])).2).take(2000).collect();
            if korean.chars().filter(|c| ('가'..='힣').contains(c)).count() < 10 {
                continue;
            }
            let mut bytes = encode(&korean, EUC_KR);
            all += 1;
            found += u32::from(detect(&bytes, None) == EUC_KR);
            if bytes.len() > 200 {
                hurt += 1;
                bytes[100] = 0xff;
                damaged += u32::from(detect(&bytes, None) == EUC_KR);
            }
        }
        println!("{file}: {whole} of {whole_of} texts stay UTF-8 with a stray byte");
        assert_eq!(whole, whole_of);
        println!("{file}: {found} of {all} texts, {damaged} of {hurt} with a damaged byte, {} of {} in UTF-16", wides.1, wides.0);
        assert!(f64::from(wides.1) >= 0.99 * f64::from(wides.0), "{file}: {wides:?} in UTF-16");
        assert!(f64::from(found) >= least * f64::from(all), "{file}: {found} of {all}");
        assert!(f64::from(damaged) >= least * f64::from(hurt), "{file}: {damaged} of {hurt}");
    }
}

/// One stray byte of another encoding leaves a page that says it is in UTF-8, or is so for the most part, as it is.
#[test]
fn a_stray_byte_makes_no_mojibake() {
    for (bytes, declared, text) in [
        (
            b"The company\xe2\x80\x99s report says that it\xe2\x80\x99s late. Price \xa3 5".as_slice(),
            Some(UTF_8),
            "The company’s report says that it’s late. Price \u{fffd} 5",
        ),
        (b"Le caf\xc3\xa9 \xc3\xa9tait tr\xc3\xa8s anim\xc3\xa9. \xff", Some(UTF_8), "Le café était très animé. \u{fffd}"),
        (b"Le caf\xc3\xa9 \xc3\xa9tait tr\xc3\xa8s anim\xc3\xa9. \xff", None, "Le café était très animé. \u{fffd}"),
        (b"it\xe2\x80\x99s \xa0late", Some(WINDOWS_1252), "it’s \u{fffd}late"),
    ] {
        let decoded = decode_any(bytes, declared);
        assert_eq!((&*decoded.text, decoded.encoding, decoded.bad_bytes), (text, UTF_8, 1));
    }
    // A real page in another encoding is not UTF-8 for saying so.
    for (text, encoding) in CASES.into_iter().filter(|(_, encoding)| ![UTF_8, ISO_2022_JP].contains(encoding)) {
        let decoded = decode_any(&encode(text, encoding), Some(UTF_8)).text.into_owned();
        assert_eq!(decoded, text, "{}", encoding.name());
    }
}

#[test]
fn korean_is_not_chinese_for_saying_so() {
    let korean = encode(KOREAN, EUC_KR);
    for declared in [encoding("gb2312"), encoding("big5"), encoding("shift_jis")] {
        assert_eq!(detect(&korean, declared), EUC_KR);
    }
    assert_ne!(detect(&encode(CHINESE, GB18030), encoding("gb2312")), EUC_KR);
}

proptest! {
    #[test]
    fn any_bytes_are_decoded(bytes in vec(any::<u8>(), 0..300), label in prop_oneof![
        Just("utf-8"), Just("cp949"), Just("utf-16le"), Just("utf-16be"), Just("shift_jis"), Just("gb18030"), Just("big5"),
        Just("euc-jp"), Just("iso-2022-jp"), Just("windows-1252"), Just("x-user-defined")
    ]) {
        let declared = encoding(label);
        decode_any(&bytes, declared);
        let decoded = decode(&bytes, declared.unwrap());
        prop_assert_eq!(decoded.bad_bytes > 0, decoded.first_bad.is_some());
        prop_assert!(decoded.bad_bytes <= 3 * bytes.len() as u64 && decoded.text.len() <= 4 * bytes.len() + 4);
        prop_assert!(decoded.first_bad.is_none_or(|at| at < bytes.len() as u64 + 1));
        in_markup(&bytes);
    }

    #[test]
    fn valid_utf_8_is_never_taken_for_anything_else(text in "\\PC{0,80}", end in any::<prop::sample::Index>()) {
        prop_assert_eq!(detect(text.as_bytes(), None), UTF_8);
        let cut = &text.as_bytes()[..end.index(text.len() + 1)];
        if !cut.is_ascii() && std::str::from_utf8(cut).is_ok_and(|text| text.chars().count() > 1) {
            prop_assert_eq!(detect(cut, None), UTF_8);
        }
    }
}
