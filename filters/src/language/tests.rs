use super::*;

fn best(text: &str) -> (&'static str, f64) {
    rank(text)[0]
}

#[test]
fn script_shares_by_hand() {
    assert_eq!(best("가나다 the"), ("ko", 0.75));
    assert_eq!(best("가나다 abc"), ("ko", 1.0));
    assert_eq!(best("of the this have been with 시장"), ("en", 0.7778));
    assert_eq!(best("漢字かな"), ("ja", 1.0));
    assert_eq!(best("漢字漢字漢字漢字漢か"), ("ja", 1.0));
    assert_eq!(best("漢字漢字漢字漢字漢字か"), ("zh", 1.0));
    assert_eq!(best("Привет мир"), ("und", 1.0));
    assert_eq!(best("ﾊﾝｶｸ"), ("ja", 1.0));
    assert!(rank("123 --- \u{3164}").is_empty());
}

#[test]
fn of_two_languages_that_tie_the_kept_one_is_found() {
    // Three Hangul and three kana letters: half each.
    for (keep, lang, kept) in [("ko", "ko", true), ("ja", "ja", true), ("en", "ko", false)] {
        let filter = LanguageConfig { keep: vec![keep.to_owned()], min_confidence: 0.5, ..LanguageConfig::default() }.build();
        let mut document = crate::pages::document("가나다 かなも");
        assert_eq!(filter.apply(&mut document, &mut Metrics::new()).is_keep(), kept, "{keep}");
        assert_eq!(document.lang.as_deref(), Some(lang));
    }
}

/// The first article of the declaration of human rights (United Nations, public domain).
#[test]
fn article_one_in_every_language() {
    let articles = [
        (
            "ko",
            "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 부여받았으며 서로 형제애의 정신으로 행동하여야 한다.",
        ),
        (
            "en",
            "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience and should act towards one another in a spirit of brotherhood.",
        ),
        (
            "ja",
            "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。",
        ),
        ("zh", "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。"),
        (
            "de",
            "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
        ),
        (
            "es",
            "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón y conciencia, deben comportarse fraternalmente los unos con los otros.",
        ),
        (
            "fr",
            "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de conscience et doivent agir les uns envers les autres dans un esprit de fraternité.",
        ),
        (
            "vi",
            "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi. Mọi con người đều được tạo hoá ban cho lý trí và lương tâm và cần phải đối xử với nhau trong tình bằng hữu.",
        ),
    ];
    assert_eq!(articles.len(), detectable().len());
    for (lang, text) in articles {
        let (found, confidence) = best(text);
        assert!(found == lang && confidence >= 0.65, "{lang}: {found} {confidence}");
    }
}

#[test]
fn windows_cover_short_texts_and_sample_long_ones() {
    assert_eq!(windows("가나다", 9).collect::<String>(), "가나다");
    assert_eq!(windows("", 9).collect::<String>(), "");
    let long = "가나다라".repeat(100);
    assert!(windows(&long, 5).all(|slice| slice.chars().count() == 5));
    assert_eq!(windows(&long, 5).count(), WINDOWS);
    let short = "a few words of one line";
    assert_eq!(latin_sample(short), short);
}

/// The declaration of human rights: every Korean article is found, and no other language is
/// taken for Korean.
#[test]
#[allow(clippy::print_stderr)]
fn human_rights_in_every_language() {
    use std::collections::BTreeMap;
    use std::io::{BufRead, BufReader};

    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/langid/udhr.jsonl.zst");
    let Ok(file) = std::fs::File::open(path) else {
        eprintln!("skipped: no ../shared");
        return;
    };
    let mut found: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
    for line in BufReader::new(zstd::Decoder::new(file).unwrap()).lines() {
        let row: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let lang = row["lang"].as_str().unwrap().to_owned();
        let best = rank(row["text"].as_str().unwrap()).first().map_or("none", |best| best.0);
        *found.entry(lang).or_default().entry(best).or_default() += 1;
    }
    for (lang, counts) in &found {
        let right = |code| counts.get(code).copied().unwrap_or(0);
        match lang.as_str() {
            "kor" => assert_eq!(counts.len(), right("ko").min(1), "{counts:?}"),
            _ => assert_eq!(right("ko"), 0, "{lang} {counts:?}"),
        }
    }
    for (lang, code) in [("jpn", "ja"), ("eng", "en"), ("deu", "de"), ("fra", "fr"), ("spa", "es"), ("vie", "vi")] {
        let counts = &found[lang];
        let right = counts.get(code).copied().unwrap_or(0);
        let all: usize = counts.values().sum();
        assert!(right * 100 >= all * 95, "{lang} {counts:?}");
    }
}
