//! Words of the texts that come in: one JSON object with `text` a line on standard input, one JSON list a
//! line on standard output. With `--korean` it is what each filter with the preset `fineweb2-korean` decides, with words
//! of `korean` and of `whitespace`; with `--english` what datatrove's English presets decide, with words of `whitespace`,
//! `unicode` and `unicode-signs`. For `benches/words`.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::BufRead as _;

use filters::{Chain, FilterSpec, Part, Verdict, split_eojeol};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let (presets, segmentations): (_, &[&str]) = match std::env::args().nth(1).as_deref() {
        Some("--korean") => (["fineweb2-korean"; 3], &["korean", "whitespace"]),
        Some("--english") => (["gopher", "gopher", "fineweb"], &["whitespace", "unicode", "unicode-signs"]),
        None => (Default::default(), &[]),
        Some(other) => return Err(format!("unknown argument {other}: --korean and --english are known").into()),
    };
    let mut chains = Vec::new();
    for words in segmentations {
        for (filter, preset) in ["gopher-repetition", "gopher-quality", "fineweb-quality"].into_iter().zip(presets) {
            let entry = format!("{filter} = {{ preset = '{preset}', words = '{words}' }}");
            chains.push((format!("{filter} {words}"), Chain::new(&[toml::from_str::<FilterSpec>(&entry)?])?));
        }
    }
    for line in std::io::stdin().lock().lines() {
        let row: Value = serde_json::from_str(&line?)?;
        let text = row["text"].as_str().ok_or("a line has no `text`")?;
        let answer = if chains.is_empty() { pieces(text) } else { decisions(&chains, text) };
        println!("{answer}");
    }
    Ok(())
}

/// First byte, byte after the last, and `p`, `e` or nothing for particles, endings and the rest.
fn pieces(text: &str) -> Value {
    let mark = |part| match part {
        Part::Particle => "p",
        Part::Ending => "e",
        Part::Stem | Part::Other => "",
    };
    split_eojeol(text).into_iter().map(|piece| json!([piece.start, piece.end, mark(piece.part)])).collect()
}

fn decisions(chains: &[(String, Chain)], text: &str) -> Value {
    let decide = |(name, chain): &(String, Chain)| {
        let mut document = corpora::Document::new("0", text, "words", "korean");
        let answer = match chain.apply(&mut document).0 {
            Verdict::Keep => "ok".to_owned(),
            Verdict::Drop(reason) => reason.rule,
        };
        (name.clone(), Value::from(answer))
    };
    Value::Object(chains.iter().map(decide).collect())
}
