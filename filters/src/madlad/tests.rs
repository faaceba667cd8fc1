//! The rules as written down once more in Python: `tests/golden/madlad.py` made the file and says what from.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

use serde_json::Value;

use crate::pages::document;
use crate::{Chain, FilterSpec, Verdict};

fn chain(options: &str) -> Chain {
    let spec: FilterSpec = toml::from_str(&format!("madlad = {{ {options} }}")).unwrap();
    Chain::new(&[spec]).unwrap()
}

#[test]
fn decisions_equal_the_published_rules() {
    let golden = include_bytes!("../../tests/golden/madlad.jsonl.zst");
    // The reference asks a model of its own for languages.
    let chain = chain("languages = false");
    let mut answers = BTreeMap::new();
    let mut differences = Vec::new();
    for (number, line) in BufReader::new(zstd::Decoder::new(&golden[..]).unwrap()).lines().enumerate() {
        let row: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let (verdict, metrics) = chain.apply(&mut document(row["text"].as_str().unwrap()));
        for (name, value) in row["values"].as_object().unwrap() {
            let (ours, theirs) = (metrics.get(name).unwrap(), value.as_f64().unwrap());
            if (ours - theirs).abs() > 6e-7 {
                differences.push(format!("{number} {name}: {theirs} / {ours}"));
            }
            *answers.entry(name.clone()).or_insert(0) += usize::from(theirs > 0.0);
        }
        let theirs = row["answer"].as_str().unwrap();
        let ours = match &verdict {
            Verdict::Keep => "ok",
            Verdict::Drop(reason) => reason.rule.strip_prefix("madlad/").unwrap(),
        };
        if ours != theirs {
            differences.push(format!("{number}: {theirs} / {ours}"));
        }
        *answers.entry(theirs.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(differences, Vec::<String>::new());
    // Every rule finds something, and each answer is given often.
    assert_eq!(answers.len(), 6 + 3, "{answers:?}");
    assert!(answers.values().all(|count| *count >= 20), "{answers:?}");
}

#[test]
fn sentences_in_another_language() {
    let chain = chain("min-sentences = 0, min-sentence-chars = 0");
    let share = |lang: Option<&str>, text: &str| {
        let mut document = document(text);
        document.lang = lang.map(str::to_owned);
        chain.apply(&mut document).1.get("madlad-language").unwrap()
    };
    let english = "The boat comes to the island at nine and it goes back to the town in the evening.";
    let korean = "배는 아홉 시에 섬에 들어오고 저녁에는 다시 마을로 돌아간다.";
    assert_eq!(share(None, &format!("{korean} {korean} {korean} {english}")), 0.25);
    // A short sentence in Latin letters and one without letters say nothing.
    assert_eq!(share(None, &format!("{korean} {korean} OK, Rust. 12 34.")), 0.0);
    // The source knows better than the letters; what it calls by another name is asked for here.
    assert_eq!(share(Some("en"), &format!("{korean} {english}")), 0.5);
    assert_eq!(share(Some("ko"), korean), 0.0);
    assert_eq!(share(Some("markdown"), korean), 0.0);
}
