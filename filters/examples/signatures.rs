//! Signatures of the texts that come in: one JSON object with `text` a line on standard input, its hash, MinHash values and
//! SimHash a line on standard output. Arguments are the tables `minhash` and `simhash` of `[dedup]`. For `benches/neardup`.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::BufRead as _;

use corpora::Document;
use filters::dedup::{DedupConfig, Signer};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let settings: Vec<String> = std::env::args().skip(1).collect();
    let config: DedupConfig = toml::from_str(&settings.join("\n"))?;
    config.validate()?;
    let signer = Signer::new(&config);
    for line in std::io::stdin().lock().lines() {
        let row: Value = serde_json::from_str(&line?)?;
        let signature = signer.sign(&Document::new("", row["text"].as_str().ok_or("a line has no `text`")?, "", ""));
        let exact = format!("{:032x}", signature.exact);
        println!("{}", json!({ "exact": exact, "minhash": signature.minhash, "simhash": signature.simhash }));
    }
    Ok(())
}
