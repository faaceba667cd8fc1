//! Whole tokenizer.json files beside those of the `tokenizers` crate, on text that people wrote.

use std::io::BufRead;

use tokenizers::models::TrainerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{PreTokenizerWrapper, SplitDelimiterBehavior};

use super::*;

/// What the library trains and writes.
fn library(config: &TrainConfig, texts: &[String]) -> Value {
    let bytes = ByteLevel::new(false, false, false);
    let split = Split::new(SplitPattern::Regex(config.pattern.regex().to_owned()), SplitDelimiterBehavior::Isolated, false).unwrap();
    let mut tokenizer = tokenizers::Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![PreTokenizerWrapper::Split(split), PreTokenizerWrapper::ByteLevel(bytes)])));
    tokenizer.with_decoder(Some(bytes));
    let trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(config.vocab_size as usize)
        .min_frequency(config.min_frequency)
        .special_tokens(config.special_tokens.iter().map(|token| AddedToken::from(token.clone(), true)).collect())
        .initial_alphabet((0..=255).map(byte_level::char_of).collect())
        .build();
    tokenizer.train(&mut TrainerWrapper::BpeTrainer(trainer), texts.iter()).unwrap();
    serde_json::from_str(&tokenizer.to_string(false).unwrap()).unwrap()
}

fn check(config: &TrainConfig, texts: &[String]) {
    let ours = train(config, None, &std::env::temp_dir(), texts.iter().cloned()).unwrap();
    let (ours, theirs): (Value, Value) = (serde_json::from_str(&ours).unwrap(), library(config, texts));
    let merges = |file: &Value| file["model"]["merges"].as_array().unwrap().clone();
    let differs = merges(&ours).iter().zip(merges(&theirs)).position(|(ours, theirs)| *ours != theirs);
    assert_eq!(differs, None, "first merge that differs of {}", merges(&ours).len());
    assert!(ours == theirs);
}

#[test]
fn sources_of_this_crate() {
    let mut texts = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        let mut paths: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            match path.extension() {
                None => folders.push(path),
                Some(_) => texts.push(std::fs::read_to_string(path).unwrap()),
            }
        }
    }
    for pattern in [Pattern::Gpt2, Pattern::Qwen2, Pattern::Llama3, Pattern::Qwen3_5, Pattern::O200k, Pattern::Tekken] {
        check(&TrainConfig { pattern, vocab_size: 3000, character_coverage: 1.0, ..TrainConfig::default() }, &texts);
    }
}

#[test]
#[allow(clippy::print_stdout)]
fn real_text() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let files = ["korean_reviews_nsmc", "korean_docs", "english_docs", "korean_law"].map(|name| folder.join(format!("{name}.jsonl.zst")));
    if !files.iter().all(|file| file.exists()) {
        println!("skipped: no ../shared");
        return;
    }
    for file in files {
        let lines = std::io::BufReader::new(zstd::Decoder::new(std::fs::File::open(file).unwrap()).unwrap()).lines();
        let mut size = 0;
        let texts =
            lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()["text"].as_str().unwrap_or_default().to_owned());
        let texts: Vec<String> = texts
            .take_while(|text| {
                size += text.len();
                size < 1 << 20
            })
            .collect();
        let special_tokens = vec!["<|endoftext|>".to_owned(), "<|한국어|>".to_owned()];
        check(&TrainConfig { vocab_size: 16_000, character_coverage: 1.0, special_tokens, ..TrainConfig::default() }, &texts);
    }
}
