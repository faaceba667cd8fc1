use std::collections::BTreeMap;

use filters::FilterSpec;

use super::judge::{Fate, Stale, judge};
use super::question::Question;
use crate::recipe::Recipe;
use crate::table::Row;

fn recipe(filters: &str) -> Recipe {
    let text = format!(
        "output = 'out'\nfilters = [{filters}]\n[[sources]]\nname = 'a'\nbucket = 'web'\nfiles = 'a.jsonl'\nformat = 'jsonl'\n[tokenizer]\nbytes = true\n"
    );
    toml::from_str(&text).unwrap()
}

fn ask(filters: &str, setting: &str) -> Result<Question, String> {
    Question::new(&recipe(filters), &[setting.to_owned()]).map_err(|error| error.to_string())
}

/// Bytes of a text in which a share may come as close to a limit as it likes.
const LONG: u64 = 1 << 20;

fn row<'a>(rule: Option<&'a str>, value: f64, threshold: f64) -> Row<'a> {
    let outcome = if rule.is_some() { "rejected" } else { "kept" };
    Row {
        row: 0,
        id: "a",
        outcome,
        rule,
        value: rule.map(|_| value),
        threshold: rule.map(|_| threshold),
        bytes: LONG,
        chars: 9,
        metrics: &[],
    }
}

/// The fate of a row with these metrics, as text.
fn fate(question: &Question, row: &Row<'_>, metrics: &[(&str, f64)]) -> String {
    let metrics: BTreeMap<&str, f64> = metrics.iter().copied().collect();
    match judge(&question.steps["web"], &|name| metrics.get(name).copied(), row) {
        Ok(Fate::Kept { rewritten }) => format!("kept{}", if rewritten { " rewritten" } else { "" }),
        Ok(Fate::Dropped { rule, .. }) => rule.to_owned(),
        Ok(Fate::NotMeasured(filter)) => format!("not measured by {filter}"),
        Ok(Fate::TooClose(rule)) => format!("too close to {rule}"),
        Err(Stale) => "stale".to_owned(),
    }
}

const LENGTHS: &str = "{ length = { min-chars = 10, max-chars = 100 } }, { hangul-ratio = { min = 0.3 } }, { pii = {} }";

#[test]
fn a_document_that_passed_is_judged_by_its_metrics() {
    let question = ask(LENGTHS, "hangul-ratio.min=0.5").unwrap();
    assert_eq!(fate(&question, &row(None, 0.0, 0.0), &[("hangul-ratio", 0.6)]), "kept");
    assert_eq!(fate(&question, &row(None, 0.0, 0.0), &[("hangul-ratio", 0.4)]), "hangul/hangul-ratio");
    // 0.4999996 is stored as 0.5: it may be either side.
    assert_eq!(fate(&question, &row(None, 0.0, 0.0), &[("hangul-ratio", 0.5)]), "too close to hangul/hangul-ratio");
    assert_eq!(fate(&question, &row(None, 0.0, 0.0), &[("hangul-ratio", 0.500_001)]), "kept");
    // But a fraction of at most 8 × 100 characters that is 0.5 to six decimals is a half, which passes.
    let short = Row { bytes: 100, ..row(None, 0.0, 0.0) };
    assert_eq!(fate(&question, &short, &[("hangul-ratio", 0.5)]), "kept");
    // 1/3 is no such limit: 0.333333 is stored for it and for others.
    let third = ask(LENGTHS, "hangul-ratio.min=0.3333334").unwrap();
    assert_eq!(fate(&third, &short, &[("hangul-ratio", 0.333_333)]), "too close to hangul/hangul-ratio");
    // 0.123457 as a limit has a denominator of a million: 100 characters are enough for doubt.
    let odd = ask(LENGTHS, "hangul-ratio.min=0.123457").unwrap();
    assert_eq!(fate(&odd, &short, &[("hangul-ratio", 0.123_457)]), "too close to hangul/hangul-ratio");
    // A count is what it is.
    let question = ask(LENGTHS, "length.min-chars=20").unwrap();
    assert_eq!(fate(&question, &row(None, 0.0, 0.0), &[("chars", 20.0)]), "kept");
    assert_eq!(fate(&question, &row(None, 0.0, 0.0), &[("chars", 19.0)]), "length/chars");
}

#[test]
fn a_dropped_document_is_known_as_far_as_it_was_measured() {
    // Dropped by the last filter that drops: kept then, and `pii` would still mask it.
    let question = ask(LENGTHS, "hangul-ratio.min=0.2").unwrap();
    assert_eq!(fate(&question, &row(Some("hangul/hangul-ratio"), 0.25, 0.3), &[("hangul-ratio", 0.25)]), "kept rewritten");
    // The reason has the exact value, so nothing is too close.
    assert_eq!(fate(&question, &row(Some("hangul/hangul-ratio"), 0.2, 0.3), &[("hangul-ratio", 0.2)]), "kept rewritten");
    assert_eq!(fate(&question, &row(Some("hangul/hangul-ratio"), 0.199_999_9, 0.3), &[("hangul-ratio", 0.2)]), "hangul/hangul-ratio");
    // Dropped by an earlier one: stays so.
    assert_eq!(fate(&question, &row(Some("length/chars"), 7.0, 10.0), &[("chars", 7.0)]), "length/chars");
    // The earlier one lets it pass now: the later one never saw it.
    let question = ask(LENGTHS, "length.min-chars=5").unwrap();
    assert_eq!(fate(&question, &row(Some("length/chars"), 7.0, 10.0), &[("chars", 7.0)]), "not measured by hangul-ratio");
    assert_eq!(fate(&question, &row(Some("length/chars"), 4.0, 10.0), &[("chars", 4.0)]), "length/chars");
    assert_eq!(fate(&question, &row(Some("length/chars"), 101.0, 100.0), &[("chars", 101.0)]), "length/chars");
    // What dropped it before the chain began is no filter's.
    assert_eq!(fate(&question, &row(Some("document/bytes"), 2e7, 1.6e7), &[]), "document/bytes");
}

#[test]
fn within_a_filter_the_first_rule_in_order_decides() {
    let question = ask("{ gopher-repetition = {} }", "gopher-repetition.top-2-gram=0.25").unwrap();
    let measured = [("duplicate-paragraphs", 0.0), ("top-2-gram", 0.22)];
    // The next rule of the filter was not looked at any more.
    assert_eq!(fate(&question, &row(Some("repetition/top-2-gram"), 0.22, 0.2), &measured), "not measured by gopher-repetition");
    assert_eq!(fate(&question, &row(Some("repetition/top-2-gram"), 0.3, 0.2), &measured), "repetition/top-2-gram");
    let later = row(Some("repetition/top-3-gram"), 0.19, 0.18);
    assert_eq!(fate(&question, &later, &[("top-2-gram", 0.19), ("top-3-gram", 0.19)]), "repetition/top-3-gram");
    // Stricter: an earlier rule takes it over.
    let question = ask("{ gopher-repetition = {} }", "repetition.top-2-gram=0.1").unwrap();
    assert_eq!(fate(&question, &later, &[("top-2-gram", 0.15), ("top-3-gram", 0.19)]), "repetition/top-2-gram");
    // Quality measures everything before it decides.
    let question = ask("{ gopher-quality = {} }", "gopher-quality.min-words=5").unwrap();
    let short = row(Some("quality/content-words"), 9.0, 50.0);
    let rest = [("mean-word-length", 4.0), ("hash-ratio", 0.0), ("ellipsis-ratio", 0.0), ("bullet-lines", 0.0), ("ellipsis-lines", 0.0)];
    let with =
        |alpha: f64, stops: f64| [rest.as_slice(), &[("content-words", 9.0), ("alpha-words", alpha), ("stop-words", stops)]].concat();
    assert_eq!(fate(&question, &short, &with(1.0, 2.0)), "kept");
    assert_eq!(fate(&question, &short, &with(1.0, 1.0)), "quality/stop-words");
    assert_eq!(fate(&question, &short, &with(0.8, 2.0)), "too close to quality/alpha-words");
    // Language drops what it does not keep whatever the confidence.
    let question = ask("{ language = { keep = ['ko'] } }", "language.min-confidence=0.1").unwrap();
    assert_eq!(fate(&question, &row(Some("language/not-kept"), 0.0, 0.9), &[("language-confidence", 0.9)]), "language/not-kept");
    assert_eq!(fate(&question, &row(Some("language/language-confidence"), 0.2, 0.65), &[("language-confidence", 0.2)]), "kept");
}

#[test]
fn a_table_of_another_recipe_is_noticed() {
    let question = ask(LENGTHS, "hangul-ratio.min=0.2").unwrap();
    assert_eq!(fate(&question, &row(Some("length/chars"), 7.0, 12.0), &[]), "stale");
    assert_eq!(fate(&question, &row(Some("repetition/top-2-gram"), 0.7, 0.2), &[]), "stale");
}

#[test]
fn what_no_metric_decides_is_refused_with_what_can_be_asked() {
    let filters =
        "{ normalize = {} }, { length = { min-chars = 10 } }, { gopher-repetition = { duplicate-lines = 0 } }, { gopher-quality = {} }";
    for (setting, message) in [
        ("normalize.form=nfkc", "only limits can be asked about"),
        ("normalize.invisible=1", "`normalize` as the run has it is not supported"),
        ("gopher-repetition.preset=1", "no stored metric decides `preset`"),
        ("gopher-repetition.duplicate-lines=0.2", "was off in the run, which measured no `duplicate-lines`"),
        ("length.min-words=3", "was off in the run, which measured no `words`"),
        ("length.min-chars=2.5", "invalid type"),
        ("length.min-chars=-1", "a limit is not negative"),
        ("gopher-repetition.top-2-gram=-0.5", "a limit is not negative"),
        ("length.max-chars=5", "above `max-chars`"),
        ("gopher-repetition.top-2-gram=1.5", "allowed is 0 to 1"),
        ("spam.max-hits=3", "the run has no filter `spam`"),
        ("filters.0.length.min-chars=3", "filter 0 of the run is no `length`"),
        ("length", "the form is filter.option=value"),
        ("a.b.c=1", "the form is filter.option=value"),
    ] {
        let error = ask(filters, setting).map(|_| ()).unwrap_err();
        assert!(error.contains(message), "{setting}: {error}");
    }
    let hint = ask(filters, "normalize.invisible=1").map(|_| ()).unwrap_err();
    assert!(hint.contains("what can be asked:\n  length: min-chars, max-chars\n  gopher-repetition: duplicate-paragraphs,"), "{hint}");
    assert!(!hint.contains("min-words,\n") && !hint.contains("duplicate-lines,"), "{hint}");
    // A typo is met with the name that is near, and with the limits of the filter alone.
    let near = ask(filters, "length.min-char=3").map(|_| ()).unwrap_err();
    assert!(near.ends_with("hint: did you mean `min-chars`? what can be asked:\n  length: min-chars, max-chars"), "{near}");
    let near = ask(filters, "lenght.min-chars=3").map(|_| ()).unwrap_err();
    assert!(near.contains("the run has no filter `lenght`\nhint: did you mean `length.min-chars`? what"), "{near}");
    let pair = ["length.min-chars=3".to_owned(), "length.min-chars=5".to_owned()];
    let twice = Question::new(&recipe(filters), &pair).map(|_| ()).unwrap_err();
    assert!(twice.message.contains("was given another value before"), "{twice}");
    let wrong = ask(filters, "length.min-chars=2.5").map(|_| ()).unwrap_err();
    assert!(!wrong["error: ".len()..].contains("error: "), "{wrong}");
    let twice = "{ length = { min-chars = 10, only-buckets = ['web'] } }, { length = { max-chars = 99 } }";
    assert!(ask(twice, "length.min-chars=3").map(|_| ()).unwrap_err().contains("filters.0.length.min-chars, filters.1.length.min-chars"));
    assert!(ask(twice, "filters.0.length.min-chars=3").map(|_| ()).unwrap_err().contains("passes `length` twice"));
    assert!(ask("{ length = { min-chars = 10 } }", "filters.0.length.min-chars=3").is_ok());
}

#[test]
fn a_rule_that_is_switched_off_passes() {
    let question = ask("{ gopher-quality = {} }", "gopher-quality.min-stop-words=0").unwrap();
    let all = [
        ("content-words", 60.0),
        ("mean-word-length", 4.0),
        ("hash-ratio", 0.0),
        ("ellipsis-ratio", 0.0),
        ("bullet-lines", 0.0),
        ("ellipsis-lines", 0.0),
        ("alpha-words", 1.0),
        ("stop-words", 0.0),
    ];
    assert_eq!(fate(&question, &row(Some("quality/stop-words"), 0.0, 2.0), &all), "kept");
    let _: FilterSpec = toml::from_str("gopher-quality = { min-stop-words = 0 }").unwrap();
}

#[test]
fn a_filter_that_stored_metrics_do_not_decide_says_so() {
    let quality = "{ fineweb-quality = {} }, { code-quality = {} }, { c4-quality = {} }";
    let question = ask(quality, "fineweb-quality.max-short-lines=0.5").unwrap();
    let metrics = [("line-punctuation", 0.4), ("short-lines", 0.6), ("repeated-line-chars", 0.0), ("newline-ratio", 0.1)];
    assert_eq!(fate(&question, &row(None, 0.0, 0.0), &metrics), "fineweb/short-lines");
    // Dropped by the earlier rule, which passes now; the later one is as it was.
    let question = ask(quality, "fineweb-quality.min-line-punctuation=0.1").unwrap();
    let metrics = [("line-punctuation", 0.11), ("short-lines", 0.7), ("repeated-line-chars", 0.0), ("newline-ratio", 0.1)];
    assert_eq!(fate(&question, &row(Some("fineweb/line-punctuation"), 0.11, 0.12), &metrics), "fineweb/short-lines");
    assert!(ask(quality, "code-quality.min-alnum-chars=0.3").is_ok());
    let refused = ask("{ c4-quality = { bad-words = 'list.txt' } }", "c4-quality.min-sentences=3").err().unwrap();
    assert!(refused.contains("`c4-quality` as the run has it is not supported"), "{refused}");
}

#[test]
fn what_drops_for_other_reasons_too_is_known_as_far_as_their_order_says() {
    // Placeholders come before the sentences are counted; the lines that it takes out are written by the filter itself.
    let question = ask("{ c4-quality = {} }", "c4-quality.min-sentences=3").unwrap();
    assert_eq!(fate(&question, &row(Some("c4/lorem-ipsum"), 1.0, 0.0), &[("sentences", 1.0)]), "c4/lorem-ipsum");
    assert_eq!(fate(&question, &row(Some("c4/sentences"), 4.0, 5.0), &[("sentences", 4.0)]), "kept rewritten");
    assert_eq!(fate(&question, &row(Some("c4/sentences"), 2.0, 5.0), &[("sentences", 2.0)]), "c4/sentences");
    // Generated code is looked for after the limits.
    let code = "{ code-quality = { preset = 'starcoder' } }";
    let question = ask(code, "code-quality.min-alpha-chars=0.5").unwrap();
    assert_eq!(fate(&question, &row(None, 0.0, 0.0), &[("alpha-chars", 0.4)]), "code/alpha-chars");
    assert_eq!(fate(&question, &row(Some("code/generated"), 1.0, 0.0), &[("alpha-chars", 0.4)]), "code/alpha-chars");
    assert_eq!(fate(&question, &row(Some("code/generated"), 1.0, 0.0), &[("alpha-chars", 0.6)]), "code/generated");
    let question = ask(code, "code-quality.min-alpha-chars=0.1").unwrap();
    let measured = [("alpha-chars", 0.2), ("encoded-chars", 0.0), ("encoded-run", 0.0)];
    assert_eq!(fate(&question, &row(Some("code/alpha-chars"), 0.2, 0.25), &measured), "not measured by code-quality");
    assert_eq!(fate(&question, &row(Some("code/alpha-chars"), 0.05, 0.25), &measured), "code/alpha-chars");
    // Lines come before, and which limit they have depends on the language.
    assert_eq!(fate(&question, &row(Some("code/max-line-length"), 2000.0, 1000.0), &measured), "code/max-line-length");
    assert!(ask(code, "code-quality.max-line-length=500").is_err());
    assert!(
        ask(
            "{ code-quality = { preset = 'starcoder', max-line-length = 90, max-mean-line-length = 50 } }",
            "code-quality.max-line-length=500"
        )
        .is_ok()
    );
}

#[test]
fn a_line_filter_that_dropped_a_document_would_write_it_anew() {
    let question = ask("{ language = { keep = ['ko'], lines = 'drop' } }", "language.min-kept=0.1").unwrap();
    assert_eq!(fate(&question, &row(Some("language/kept"), 0.2, 0.5), &[("language-kept", 0.2)]), "kept rewritten");
}
