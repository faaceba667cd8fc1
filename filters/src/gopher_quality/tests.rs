//! The rules by hand-computed values.

use super::*;
use crate::pages::document;

fn apply(config: &GopherQualityConfig, text: &str) -> (Verdict, Metrics) {
    let mut metrics = Metrics::new();
    (config.build().apply(&mut document(text), &mut metrics), metrics)
}

#[test]
fn measures_by_hand() {
    let (_, metrics) = apply(&GopherQualityConfig::default(), "- the #cat and…\n  • 3 -- dogs...\nto be");
    // the #cat and… • 3 dogs... to be: 3 + 4 + 4 + 1 + 1 + 7 + 2 + 2 characters; the bullet
    // is no punctuation in the reference's set
    assert_eq!(metrics.get("content-words"), Some(8.0));
    assert_eq!(metrics.get("mean-word-length"), Some(3.0));
    assert_eq!(metrics.get("hash-ratio"), Some(0.1));
    assert_eq!(metrics.get("ellipsis-ratio"), Some(0.2));
    assert_eq!(metrics.get("bullet-lines"), Some(0.666_667));
    assert_eq!(metrics.get("ellipsis-lines"), Some(0.666_667));
    assert_eq!(metrics.get("alpha-words"), Some(0.6));
    // the, to, be; "and…" is another word
    assert_eq!(metrics.get("stop-words"), Some(3.0));
}

#[test]
fn symbols_as_substrings() {
    for text in ["", "....", "a......b..", "…#…...", "##.…..", "â€¦ ⓐ…", "...…...#"] {
        let ellipses = text.matches("...").count() + text.matches('…').count();
        assert_eq!(symbols(text), [text.matches('#').count(), ellipses], "{text}");
    }
}

#[test]
fn endings_belong_to_longer_words() {
    let stop = StopWords::new(&["-은", "-습니다", "이"]);
    let count = |text: &str| stop.count_in(text, &Words::new(text));
    assert_eq!(count("은 습니다"), 0);
    assert_eq!(count("책은 좋습니다."), 2);
    assert_eq!(count("이 책은 그것은 은”"), 2);
}

#[test]
fn more_stop_words_than_listed_cannot_be_asked_for() {
    let config = GopherQualityConfig { stop_words: Some(vec!["the".into()]), ..GopherQualityConfig::default() };
    assert_eq!(config.check().unwrap_err().key(), "min-stop-words");
    let repeated = ["the", "the", "", "-", "-은", "-은"].map(str::to_owned).to_vec();
    let config = GopherQualityConfig { stop_words: Some(repeated), ..GopherQualityConfig::default() };
    config.check().unwrap();
    let config = GopherQualityConfig { min_stop_words: Some(3), ..config };
    assert_eq!(config.check().unwrap_err().key(), "min-stop-words");
}
