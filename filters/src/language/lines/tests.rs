//! Lines by hand, and documents made of lines whose languages are known.

use std::collections::BTreeMap;

use super::*;
use crate::language::{LanguageConfig, LineMode};
use crate::pages::document;
use crate::spec::Options;
use crate::speed::texts;

fn languages(text: &str) -> Vec<Line> {
    judge(text, &Lines::new(text), 0.65).into_iter().map(|(line, _)| line).collect()
}

const KO: &str = "도서관은 아침 아홉 시에 문을 열고 저녁 여섯 시에 닫는다.";
const EN: &str = "The library opens at nine in the morning and is closed at six, but not on Fridays.";
const DE: &str = "Die Bibliothek öffnet um neun Uhr und wird um sechs Uhr geschlossen, aber nicht am Freitag.";

#[test]
fn lines_by_hand() {
    use Line::{Empty, In, Undecided};
    let text = format!(
        "{KO}\n\n{EN}\n{DE}\nこれは図書館です。\n图书馆九点开门。\nБиблиотека открыта\n2024-01-01\nlet x = names.get(&key)?;\n안녕 hello"
    );
    let expected = [In("ko"), Empty, In("en"), In("de"), In("ja"), In("zh"), In("und"), Empty, Undecided, In("ko")];
    assert_eq!(languages(&text), expected);
    // Short lines wait for one another, but not across a paragraph.
    assert_eq!(languages("Who are you?\nWhat is this?\nI have to go to the house of the king."), [In("en"); 3]);
    assert_eq!(
        languages("hello\n\nNumPy Keras PyTorch JAX TensorFlow Scikit Pandas Matplotlib Seaborn Jupyter Colab"),
        [Undecided, Empty, Undecided]
    );
    assert!(languages("").is_empty());
}

fn apply(text: &str, keep: &[&str], mode: LineMode, min_kept: f64) -> (Verdict, Document, Metrics) {
    let keep = keep.iter().map(|code| (*code).to_owned()).collect();
    let filter = LanguageConfig { keep, lines: mode, min_kept: Some(min_kept), ..LanguageConfig::default() }.build();
    let (mut document, mut metrics) = (document(text), Metrics::new());
    (filter.apply(&mut document, &mut metrics), document, metrics)
}

#[test]
fn foreign_lines_go_and_the_rest_stays_byte_by_byte() {
    let text = format!("{KO}\r\n\r\n{EN}\r\n\r\n{DE}\r\n\r\nlet x = 1;\r\n{KO}\n");
    let (verdict, document, metrics) = apply(&text, &["ko"], LineMode::Drop, 0.3);
    assert!(verdict.is_keep(), "{verdict:?}");
    assert_eq!(document.text, format!("{KO}\r\n\r\nlet x = 1;\r\n{KO}\n"));
    assert_eq!((metrics.get("language-dropped-lines"), metrics.get("language-mixed")), (Some(2.0), Some(1.0)));
    assert_eq!(document.lang.as_deref(), Some("ko"));
    // Measured alone, the text stays.
    let (_, document, measured) = apply(&text, &["ko"], LineMode::Measure, 0.3);
    assert_eq!((document.text.as_str(), measured.get("language-dropped-lines")), (text.as_str(), Some(0.0)));
    // The whole of it goes when too little is kept, whatever lines would stay.
    let (verdict, ..) = apply(&text, &["ko"], LineMode::Drop, 0.9);
    let Verdict::Drop(reason) = verdict else { panic!("kept") };
    assert_eq!((reason.rule.as_str(), reason.detail.as_deref()), (RULE, Some("ko")));
    let (verdict, ..) = apply(EN, &["ko"], LineMode::Drop, 0.0);
    assert!(matches!(verdict, Verdict::Drop(reason) if reason.rule == "language/not-kept"));
}

#[test]
fn two_kept_languages_are_no_reason_to_drop() {
    let (verdict, document, metrics) = apply(&format!("{KO}\n{KO}\n{EN}\n"), &["en", "ko"], LineMode::Drop, 0.9);
    assert!(verdict.is_keep() && document.lang.as_deref() == Some("ko"));
    assert_eq!((metrics.get("language-kept"), metrics.get("language-mixed")), (Some(1.0), Some(1.0)));
    // Two times 69 for Korean (23 syllables), once 64 letters of English.
    let share = |weight: f64| (weight / (2.0 * 69.0 + 64.0) * 1e4).round() / 1e4;
    assert_eq!((metrics.get("language-lines-ko"), metrics.get("language-lines-en")), (Some(share(138.0)), Some(share(64.0))));
    // Without a line that can be judged the whole text decides.
    let (verdict, document, metrics) = apply("hello hello", &["ko"], LineMode::Drop, 0.5);
    assert!(!verdict.is_keep() && document.lang.as_deref() == Some("und"));
    assert_eq!(metrics.get("language-kept"), Some(0.0));
}

/// A number that looks random and is always the same.
fn chance(state: &mut u64, below: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((*state >> 33) as usize) % below
}

/// Lines by language: real Korean and English ones, and articles of the declaration of human rights.
fn known_lines() -> Option<BTreeMap<&'static str, Vec<String>>> {
    let mut known: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (code, file) in [("ko", "korean_docs.jsonl.zst"), ("en", "english_docs.jsonl.zst")] {
        let lines = texts(file)?.into_iter().flat_map(|(text, _)| text.lines().map(str::to_owned).collect::<Vec<_>>());
        let is_prose = |line: &String| {
            let hangul = line.chars().filter(|c| ('가'..='힣').contains(c)).count();
            let letters = line.chars().filter(|c| c.is_alphabetic()).count();
            let signs = line.chars().filter(|c| "{}[]()<>=_;\\|&*+/`#$@".contains(*c)).count();
            letters >= 40 && signs * 20 < letters && line.ends_with('.') && if code == "ko" { hangul * 2 > letters } else { hangul == 0 }
        };
        known.insert(code, lines.filter(is_prose).take(4000).collect());
    }
    let udhr =
        [("jpn", "ja"), ("cmn_hans", "zh"), ("deu", "de"), ("spa", "es"), ("fra", "fr"), ("vie", "vi"), ("rus", "und"), ("nld", "nld")];
    for (text, record) in texts("langid/udhr.jsonl.zst")? {
        if let Some((_, code)) = udhr.iter().find(|(lang, _)| record["lang"] == *lang) {
            known.entry(code).or_default().push(text.replace('\n', " "));
        }
    }
    Some(known)
}

/// Documents of three to twelve lines in one to three languages; each line's language is known.
#[test]
#[allow(clippy::print_stdout)]
fn mixed_documents_line_by_line() {
    let Some(known) = known_lines() else { return };
    let codes: Vec<&str> = known.keys().copied().collect();
    let mut table: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    let (mut state, mut wrong_language, mut documents, mut removed, mut foreign, mut lost, mut korean) = (1, 0, 0, 0, 0, 0, 0);
    for _ in 0..2000 {
        // Korean with one or two others, as crawled pages are.
        let others: Vec<&str> = (0..1 + chance(&mut state, 2)).map(|_| codes[chance(&mut state, codes.len())]).collect();
        let mut truth = Vec::new();
        let mut text = String::new();
        for _ in 0..3 + chance(&mut state, 10) {
            let code = if chance(&mut state, 2) == 0 { "ko" } else { others[chance(&mut state, others.len())] };
            let lines = &known[code];
            text.push_str(&lines[chance(&mut state, lines.len())]);
            text.push('\n');
            truth.push(code);
        }
        let lines = Lines::new(&text);
        let judged = judge(&text, &lines, 0.65);
        assert_eq!(judged.len(), truth.len());
        let mut weights: BTreeMap<&str, usize> = BTreeMap::new();
        for ((line, weight), code) in judged.iter().zip(&truth) {
            let found = match line {
                Line::In(code) => code,
                Line::Undecided => "undecided",
                Line::Empty => "empty",
            };
            *table.entry(code).or_default().entry(found).or_default() += 1;
            *weights.entry(code).or_default() += weight;
            (foreign, korean) = (foreign + usize::from(*code != "ko"), korean + usize::from(*code == "ko"));
            removed += usize::from(*code != "ko" && matches!(line, Line::In(found) if *found != "ko"));
            lost += usize::from(*code == "ko" && !matches!(line, Line::In("ko") | Line::Undecided));
        }
        let (_, document, _) = apply(&text, &codes, LineMode::Measure, 0.0);
        let main = weights.iter().max_by_key(|(_, weight)| **weight).map(|(code, _)| *code);
        documents += 1;
        let right = document.lang.as_deref() == main || main == Some("nld");
        wrong_language += usize::from(!right);
    }
    for (code, found) in &table {
        println!("{code} {found:?}");
    }
    println!(
        "language of the document wrong: {wrong_language} of {documents}; foreign lines found {removed} of {foreign}, Korean ones lost {lost} of {korean}"
    );
    assert_eq!(lost, 0);
    assert!(removed * 100 >= foreign * 88, "{removed} of {foreign}");
    assert!(wrong_language * 50 <= documents, "{wrong_language} of {documents}");
    for code in ["en", "ja", "zh", "de", "es", "fr", "vi"] {
        let (right, all) = (table[code].get(code).copied().unwrap_or(0), table[code].values().sum::<usize>());
        assert!(right * 100 >= all * 70, "{code}: {:?}", table[code]);
    }
}

proptest::proptest! {
    #[test]
    fn every_line_is_judged_and_what_stays_is_part_of_the_text(text in "([가-힣 ]{0,30}|[a-z ]{0,80}|the and of is you|[0-9\\-]{0,4}|漢字|\n|\r\n|\u{2028}){0,12}") {
        let lines = Lines::new(&text);
        proptest::prop_assert_eq!(judge(&text, &lines, 0.5).len(), lines.len());
        let (_, document, _) = apply(&text, &["ko"], LineMode::Drop, 0.0);
        let mut rest = text.as_str();
        for line in Lines::new(&document.text).of(&document.text) {
            let Some(at) = rest.find(line) else { panic!("{line:?} is not in {text:?}") };
            rest = &rest[at + line.len()..];
        }
    }
}
