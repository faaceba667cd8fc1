//! Specs as recipes write them.

use super::*;

fn error(entry: &str) -> SpecError {
    toml::from_str::<FilterSpec>(entry).unwrap().validate(&["web", "code"]).unwrap_err()
}

#[test]
fn options_that_make_no_sense() {
    let cases = [
        ("length = {}", "min-chars"),
        ("length = { min-chars = 5, max-chars = 4 }", "min-chars"),
        ("hangul-ratio = { min = 1.5 }", "min"),
        ("hangul-ratio = { min = nan }", "min"),
        ("hangul-ratio = { min = 0.5, max = 0.2 }", "min"),
        ("language = { keep = ['ko'], min-kept = 0.5 }", "min-kept"),
        ("language = { keep = ['ko'], lines = 'drop', min-kept = 5 }", "min-kept"),
        ("korean-quality = { max-long-eojeol = 20 }", "max-long-eojeol"),
        ("encoding = { max-share = -0.1 }", "max-share"),
        ("language = {}", "keep"),
        ("language = { keep = ['kr'] }", "keep"),
        ("language = { keep = ['ko'], min-confidence = 65 }", "min-confidence"),
        ("gopher-quality = { min-alpha-words = 2 }", "min-alpha-words"),
        ("gopher-quality = { min-words = 200000 }", "min-words"),
        ("gopher-quality = { min-stop-words = 9 }", "min-stop-words"),
        ("gopher-repetition = { top-2-gram = 1.1 }", "top-2-gram"),
        ("length = { max-chars = 5, words = 'korean' }", "words"),
        ("c4-quality = { bad-word-boundaries = true }", "bad-word-boundaries"),
        ("fineweb-quality = { max-short-lines = 30 }", "max-short-lines"),
        ("fineweb-quality = { terminal-characters = '' }", "terminal-characters"),
        ("code-quality = { preset = 'starcoder', min-data-chars = 9000 }", "min-data-chars"),
        ("code-quality = { min-alnum-chars = 25 }", "min-alnum-chars"),
        ("madlad = { max-questionable = 20 }", "max-questionable"),
        ("madlad = { min-sentence-chars = 600 }", "min-sentence-chars"),
        ("madlad = { min-sentences = 0, max-questionable = 0 }", "min-sentences"),
        ("url = {}", "domains"),
        ("decontaminate = {}", "files"),
        ("decontaminate = { files = [{ path = 'a.txt', format = 'txt' }] }", "files"),
        ("decontaminate = { files = ['a.csv'], ngram = 0 }", "ngram"),
        ("decontaminate = { files = ['a.csv'], ngram = 5 }", "min-words"),
        ("decontaminate = { files = [{ path = 'a.csv', fields = [] }] }", "files"),
        ("classifier = { min-score = 0.5 }", "model"),
        ("classifier = { model = 'a', min-score = 2 }", "min-score"),
        ("perplexity = { max = 9 }", "model"),
        ("perplexity = { model = 'a', min = 9, max = 8 }", "min"),
        ("normalize = { only-buckets = ['wob'] }", "only-buckets"),
        ("normalize = { only-buckets = ['web'], except-buckets = ['web'] }", "except-buckets"),
    ];
    for (entry, key) in cases {
        let error = error(entry);
        assert_eq!(error.key(), key, "{entry}: {error}");
        assert!(entry.starts_with(error.filter()), "{entry}: {error}");
    }
}

#[test]
fn messages_name_place_and_remedy() {
    assert_eq!(
        error("normalize = { only-buckets = ['wob'] }").to_string(),
        "filter `normalize`: `only-buckets` has `wob`, expected one of `web`, `code`"
    );
    assert_eq!(
        error("gopher-repetition = { top-2-gram = 1.1 }").to_string(),
        "filter `gopher-repetition`: `top-2-gram` is 1.1, allowed is 0 to 1"
    );
}

#[test]
fn unknown_keys_and_presets_are_refused_by_the_parser() {
    for entry in ["language = { keep = ['ko'], min-confidense = 0.5 }", "gopher-repetition = { preset = 'gofer' }", "gopher = {}"] {
        assert!(toml::from_str::<FilterSpec>(entry).is_err(), "{entry}");
    }
}

#[test]
fn specs_survive_toml() {
    for name in crate::NAMES {
        let entry = match *name {
            "length" => "length = { min-chars = 5 }".to_owned(),
            "language" => "language = { keep = ['ko'], except-buckets = ['code'] }".to_owned(),
            "hangul-ratio" => "hangul-ratio = { min = 0.25 }".to_owned(),
            "url" => "url = { require = true }".to_owned(),
            "decontaminate" => "decontaminate = { files = ['a.jsonl', { path = 'b.csv', fields = ['q', 'a'] }] }".to_owned(),
            "classifier" | "perplexity" => format!("{name} = {{ model = 'a.bin' }}"),
            name => format!("{name} = {{}}"),
        };
        let spec: FilterSpec = toml::from_str(&entry).unwrap();
        assert_eq!(spec.name(), *name);
        let written = toml::to_string(&spec).unwrap();
        assert_eq!(toml::from_str::<FilterSpec>(&written).unwrap(), spec, "{written}");
    }
}
