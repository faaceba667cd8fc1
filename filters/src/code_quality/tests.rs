//! The rules as written down once more in Python: `tests/golden/code.py` made the file and says what from.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

use serde_json::Value;

use crate::pages::document;
use crate::{Chain, FilterSpec, Verdict};

#[test]
fn decisions_equal_the_published_rules() {
    let golden = include_bytes!("../../tests/golden/code.jsonl.zst");
    let chain = |options: &str| {
        let spec: FilterSpec = toml::from_str(&format!("code-quality = {{ {options} }}")).unwrap();
        Chain::new(&[spec]).unwrap()
    };
    // RedPajama's limit on tokens needs its tokenizer.
    let presets = [("starcoder", chain("preset = 'starcoder'")), ("redpajama", chain("preset = 'redpajama', min-alpha-per-piece = 0"))];
    let mut answers = BTreeMap::new();
    let mut differences = Vec::new();
    for (number, line) in BufReader::new(zstd::Decoder::new(&golden[..]).unwrap()).lines().enumerate() {
        let row: Value = serde_json::from_str(&line.unwrap()).unwrap();
        for (preset, chain) in &presets {
            let mut code = document(row["text"].as_str().unwrap());
            code.lang = row["lang"].as_str().map(str::to_owned);
            let (verdict, metrics) = chain.apply(&mut code);
            for (name, value) in row["values"].as_object().unwrap() {
                let (ours, theirs) = (metrics.get(name).unwrap(), value.as_f64().unwrap());
                if (ours - theirs).abs() > 6e-7 {
                    differences.push(format!("{number} {name}: {theirs} / {ours}"));
                }
            }
            let theirs = row[preset].as_array().unwrap().first().map_or("ok", |rule| rule.as_str().unwrap());
            let ours = match &verdict {
                Verdict::Keep => "ok",
                Verdict::Drop(reason) => reason.rule.strip_prefix("code/").unwrap(),
            };
            if ours != theirs {
                differences.push(format!("{number} {preset}: {theirs} / {ours}"));
            }
            *answers.entry(format!("{preset} {theirs}")).or_insert(0) += 1;
        }
    }
    assert_eq!(differences, Vec::<String>::new());
    // Every rule drops something, and much is kept.
    assert_eq!(answers.len(), 12 + 4, "{answers:?}");
    assert!(answers["starcoder ok"] > 100 && answers["redpajama ok"] > 100, "{answers:?}");
}
