use proptest::prelude::*;

use super::*;

/// As whoever reads UTF-8 as windows-1252 sees it.
fn utf8_as_1252(text: &str) -> String {
    encoding_rs::WINDOWS_1252.decode_without_bom_handling(text.as_bytes()).0.into_owned()
}

/// As whoever reads CP949 as Latin-1 sees it.
fn cp949_as_latin1(text: &str) -> String {
    encoding_rs::EUC_KR.encode(text).0.iter().map(|byte| char::from(*byte)).collect()
}

fn repaired(text: &str) -> String {
    repair_mojibake(text).map_or_else(|| text.to_owned(), |(text, _)| text)
}

#[test]
fn korean_comes_back_from_both_accidents() {
    for text in [
        "한국어",
        "한국어 문서를 다시 읽는다.",
        "「띄어쓰기」가 있는, 글이다! 그리고 English도 섞여 있다.",
        "안녕하세요.\n오늘은 날씨가 좋습니다.",
    ] {
        assert_eq!(repaired(&cp949_as_latin1(text)), text);
        assert_eq!(repaired(&utf8_as_1252(text)), text);
        assert_eq!(repaired(&utf8_as_1252(&utf8_as_1252(text))), text);
    }
    assert_eq!(repair_mojibake("ÇÑ±¹¾î"), Some(("한국어".to_owned(), 3)));
}

/// What is no evidence follows evidence.
#[test]
fn a_text_that_surely_is_cp949_comes_back_whole() {
    for text in [
        "릴리즈 노트를 읽는다.\n### 특징\n",
        "레알 다크 판타지..덕통사고 당했다ㅠㅠ",
        "똠방각하를 다시 보고 펲시콜라를 마셨다 ㅋㅋㅋ",
        "대한민국 憲法을 읽고 또 읽었다 ☆★",
    ] {
        let broken = cp949_as_latin1(text);

        assert_eq!(repaired(&broken), text);
    }
    // A line that is none stays.
    let mixed = format!("{}\nÀ la crème brûlée, été\n", cp949_as_latin1("오늘은 날씨가 좋습니다"));
    assert_eq!(repaired(&mixed), "오늘은 날씨가 좋습니다\nÀ la crème brûlée, été\n");
}

#[test]
fn other_languages_come_back() {
    for text in ["Hôtel de Police, été", "“quoted” – it’s 5 €", "Здравствуйте", "日本語のテキスト", "🎉 fête"]
    {
        assert_eq!(repaired(&utf8_as_1252(text)), text);
    }
}

#[test]
fn what_only_looks_odd_stays() {
    for text in [
        "I'm not such a fan of Charlotte Brontë…”",
        "NESTLÉ® requiere",
        "AHÅ™, the new sofa",
        "L’épisode 8 – où ? À Nîmes…",
        "PARCE QUE SUR LEURS PLAQUES IL Y MARQUÉ…",
        "There are a lot of Ã’s in mojibake text",
        "MÄ£ÄM ÌÑÌ Q £ÄGÌ GÄLÄW ÑÍCH SÖÄ£",
        "5×£35, 20°C ±2, ¿qué?, «ça»",
        "ÄÖÜ äöü ß, ÅÄÖ",
        "한국어와 “따옴표”… ㅋㅋ",
        "¡¡¡ÀÈÌÒÙ!!!",
    ] {
        assert_eq!(repair_mojibake(text), None, "{text}");
    }
}

fn data(path: &str) -> Option<std::path::PathBuf> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(path);
    if !path.exists() {
        println!("skipped: no ../shared");
        return None;
    }
    Some(path)
}

/// Real cases, collected by ftfy: what this module takes on, it gets right, and it touches none of
/// those that are fine as they are.
#[test]
fn real_cases() {
    let Some(path) = data("dirty/mojibake/ftfy_test_cases.json") else { return };
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (mut broken, mut right, mut untouched, mut partly, mut harmed) = (0, 0, 0, Vec::new(), Vec::new());
    for case in &cases {
        let original = case["original"].as_str().unwrap();
        let fixed = case.get("fixed-encoding").unwrap_or(&case["fixed"]).as_str().unwrap();
        let found = repaired(original);
        broken += usize::from(original != fixed);
        match (original == fixed, found == original) {
            (true, true) => {}
            // Its comment says that it was meant to be what it is repaired to.
            (true, false) if original.contains("DrÃ¥ber") => {}
            (true, false) => harmed.push((original, found)),
            (false, true) => untouched += 1,
            (false, false) if found == fixed => right += 1,
            (false, false) => partly.push((original, found)),
        }
    }
    println!(
        "{} cases, {broken} broken: {right} right, {} partly, {untouched} untouched; {} harmed",
        cases.len(),
        partly.len(),
        harmed.len()
    );
    for (original, found) in &partly {
        println!("partly: {original}\n     -> {found}");
    }
    assert!(harmed.is_empty(), "{harmed:?}");
    // About half of the rest is of other encodings, or lost bytes: a floor, not a goal.
    assert!(right >= 24, "{right}");
}

#[test]
fn clean_text_stays() {
    for file in [
        "korean_docs.jsonl.zst",
        "korean_law.jsonl.zst",
        "korean_reviews_nsmc.jsonl.zst",
        "english_docs.jsonl.zst",
        "english_proposals.jsonl.zst",
        "english_speeches_drama.jsonl.zst",
        "langid/udhr.jsonl.zst",
    ] {
        let Some(path) = data(file) else { return };
        let reader = std::io::BufReader::new(zstd::Decoder::new(std::fs::File::open(path).unwrap()).unwrap());
        let (mut records, mut changed) = (0, 0);
        for line in std::io::BufRead::lines(reader) {
            let record: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            let Some(text) = record["text"].as_str() else { continue };
            records += 1;
            // One page of documentation is about mojibake, and shows some.
            if text.contains("The Mona Lisa doesnÃƒ") {
                continue;
            }
            if let Some((repaired, count)) = repair_mojibake(text) {
                changed += 1;
                let at = text.char_indices().zip(repaired.chars()).find(|((_, a), b)| a != b).map_or(0, |((at, _), _)| at);
                let start = text.floor_char_boundary(at.saturating_sub(30));
                println!("{file} {}: {count} at {:?}", record["id"], &text[start..text.floor_char_boundary(at + 60)]);
            }
        }
        println!("{file}: {changed} of {records} changed");
        assert_eq!(changed, 0, "{file}");
    }
}

proptest! {
    #[test]
    fn anything_is_survived(text in "[\\PC\u{80}-\u{ff}]{0,60}") {
        repair_mojibake(&text);
    }

    #[test]
    fn bytes_read_as_latin_1_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        repair_mojibake(&bytes.iter().map(|byte| char::from(*byte)).collect::<String>());
    }
}
