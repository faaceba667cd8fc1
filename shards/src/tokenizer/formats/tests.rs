//! The files of `testdata/vocabularies.py` against the ids that tiktoken, mistral-common, the
//! `tokenizers` crate and SentencePiece give.
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::Tokenizer;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/vocabularies").join(name)
}

fn cases() -> Value {
    serde_json::from_slice(&std::fs::read(fixture("cases.json")).unwrap()).unwrap()
}

fn ids(list: &Value) -> Vec<u32> {
    serde_json::from_value(list.clone()).unwrap()
}

/// Holds a tokenizer against the ids of all texts.
fn agrees(tokenizer: &Tokenizer, cases: &Value, name: &str) {
    assert_eq!(tokenizer.slow_because(), None, "{name}");
    let texts = cases["texts"]
        .as_array()
        .unwrap()
        .iter()
        .chain(if name == "gguf-gpt2" { cases["gguf-texts"].as_array() } else { None }.into_iter().flatten());
    let expected = cases[name].as_array().unwrap();
    let texts: Vec<&str> = texts.map(|text| text.as_str().unwrap()).collect();
    assert_eq!(texts.len(), expected.len());
    for (text, expected) in texts.iter().zip(expected) {
        assert_eq!(tokenizer.encode(text).unwrap(), ids(expected), "{name} {text:?}");
    }
}

const PATTERNS: [(&str, Pattern); 5] = [
    ("gpt2", Pattern::Gpt2),
    ("qwen2", Pattern::Qwen2),
    ("llama3", Pattern::Llama3),
    ("o200k", Pattern::O200k),
    ("tekken", Pattern::Tekken),
];

fn hints(pattern: Pattern) -> VocabularyHints {
    VocabularyHints { pattern: Some(pattern), special: vec![("<|endoftext|>".to_owned(), 425)] }
}

#[test]
fn ranks_give_the_ids_of_tiktoken() {
    let cases = cases();
    for (name, pattern) in PATTERNS {
        let tokenizer = Tokenizer::load_with(fixture("small.tiktoken"), None, &hints(pattern)).unwrap();
        assert_eq!((tokenizer.eos(), tokenizer.vocab_size(), tokenizer.kind()), (425, 426, "huggingface"));
        agrees(&tokenizer, &cases, &format!("tiktoken-{name}"));
    }
}

#[test]
fn a_known_file_needs_no_hints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/tokenizers/cl100k/cl100k_base.tiktoken");
    if !path.exists() {
        println!("skipped: no ../shared");
        return;
    }
    let tokenizer = Tokenizer::load(&path, None).unwrap();
    assert_eq!((tokenizer.eos(), tokenizer.eos_token(), tokenizer.vocab_size()), (100_257, "<|endoftext|>", 100_277));
    agrees(&tokenizer, &cases(), "cl100k");
    let (ranks, lacks) = tokenizer.to_tiktoken().unwrap();
    assert_eq!(ranks, std::fs::read(&path).unwrap());
    assert_eq!(lacks.len(), 2, "{lacks:?}");
}

#[test]
fn a_tekken_file_gives_the_ids_of_mistral() {
    let cases = cases();
    let tokenizer = Tokenizer::load(fixture("tekken.json"), None).unwrap();
    assert_eq!((tokenizer.eos(), tokenizer.eos_token(), tokenizer.vocab_size()), (2, "</s>", 430));
    agrees(&tokenizer, &cases, "tekken");
    let special: Vec<Option<String>> = (0..30).map(|id| tokenizer.token_text(id)).collect();
    let expected: Vec<Option<String>> = serde_json::from_value(cases["tekken-special"].clone()).unwrap();
    assert_eq!(special, expected);
}

#[test]
fn the_vocabulary_of_a_gguf_file_gives_the_ids_of_its_model() {
    let cases = cases();
    let tokenizer = Tokenizer::load(fixture("gpt2.gguf"), None).unwrap();
    let end = u32::try_from(cases["gguf-end"].as_u64().unwrap()).unwrap();
    assert_eq!((tokenizer.eos(), tokenizer.eos_token(), tokenizer.vocab_size()), (end, "<|endoftext|>", end + 3));
    agrees(&tokenizer, &cases, "gguf-gpt2");
    let tokenizer = Tokenizer::load(fixture("llama.gguf"), None).unwrap();
    assert_eq!((tokenizer.kind(), tokenizer.eos(), tokenizer.eos_token()), ("sentencepiece", 2, "</s>"));
    agrees(&tokenizer, &cases, "gguf-llama");
}

#[test]
fn what_was_converted_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let tokenizer = Tokenizer::load_with(fixture("small.tiktoken"), None, &hints(Pattern::Llama3)).unwrap();
    tokenizer.save(&path).unwrap();
    let again = Tokenizer::load(&path, None).unwrap();
    assert_eq!((again.fingerprint(), again.vocab_size()), (tokenizer.fingerprint(), 426));
    let (ranks, lacks) = again.to_tiktoken().unwrap();
    assert_eq!(ranks, std::fs::read(fixture("small.tiktoken")).unwrap());
    assert!(lacks.len() == 2 && lacks[0].contains("\\p{N}{1,3}") && lacks[1] == "1 added tokens", "{lacks:?}");
}

#[test]
fn ranks_that_would_change_ids_are_refused() {
    let change = |change: &dyn Fn(&mut Value)| {
        let tokenizer = Tokenizer::load_with(fixture("small.tiktoken"), None, &hints(Pattern::Llama3)).unwrap();
        let mut file: Value = serde_json::from_slice(&tokenizer.published()).unwrap();
        change(&mut file);
        to_tiktoken(&serde_json::to_vec(&file).unwrap()).unwrap_err().to_string()
    };
    let swapped = change(&|file| file["model"]["merges"].as_array_mut().unwrap().swap(3, 4));
    assert!(swapped.contains("token 260 is merged before token 259"), "{swapped}");
    let missing = change(&|file| drop(file["model"]["merges"].as_array_mut().unwrap().remove(5)));
    assert!(missing.contains("token 261 is not merged from"), "{missing}");
    let whole = change(&|file| file["model"]["ignore_merges"] = false.into());
    assert!(whole.contains("token 420 is not merged from any two"), "{whole}");
    let hole = change(&|file| file["model"]["vocab"]["1234567"] = 422.into());
    assert!(hole.contains("id 421 is no token that text is merged to, 422 is the next"), "{hole}");
    assert!(Tokenizer::bytes().to_tiktoken().unwrap_err().to_string().contains("kind `bytes`"));
    assert!(Tokenizer::load(fixture("llama.gguf"), None).unwrap().to_tiktoken().unwrap_err().to_string().contains("sentencepiece"));
}

/// The message for a file of these bytes.
fn refused(bytes: &[u8], hints: &VocabularyHints) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    Tokenizer::load_with(file.path(), None, hints).unwrap_err().to_string()
}

#[test]
fn errors_say_what_is_missing() {
    let none = VocabularyHints::default();
    let small = std::fs::read_to_string(fixture("small.tiktoken")).unwrap();
    assert!(refused(small.as_bytes(), &none).contains("422 ranks are of no file known here (r50k_base (50256)"));
    let pattern = VocabularyHints { pattern: Some(Pattern::Qwen2), special: Vec::new() };
    assert!(refused(small.as_bytes(), &pattern).contains("no special token"));
    let low = VocabularyHints { special: vec![("<e>".to_owned(), 421)], ..pattern.clone() };
    assert!(refused(small.as_bytes(), &low).contains("`<e>` has the id 421, which is a rank"));
    let high = VocabularyHints { special: vec![("<e>".to_owned(), u32::MAX)], ..pattern };
    assert!(refused(small.as_bytes(), &high).contains("id 4294967295 in the vocabulary"));
    let broken = small.replacen(" 7\n", " 8\n", 1);
    assert!(refused(broken.as_bytes(), &hints(Pattern::Gpt2)).contains("line 8: rank 8 where 7 comes next"));
    let twice = small.replacen("AQ== 1", "AA== 1", 1);
    assert!(refused(twice.as_bytes(), &hints(Pattern::Gpt2)).contains("ranks 0 and 1 have the same token"));
    let short: String = small.lines().skip(1).enumerate().map(|(n, line)| format!("{} {n}\n", line.split(' ').next().unwrap())).collect();
    assert!(refused(short.as_bytes(), &hints(Pattern::Gpt2)).contains("no token for byte 0"));
    let tekken = std::fs::read(fixture("tekken.json")).unwrap();
    assert!(refused(&tekken, &hints(Pattern::Gpt2)).contains("has its own pattern"));
    let text = String::from_utf8(tekken).unwrap();
    assert!(refused(text.replace("\"v3\"", "\"v13\"").as_bytes(), &none).contains("without `special_tokens`"));
    assert!(
        refused(text.replace("\"default_vocab_size\": 430", "\"default_vocab_size\": 4300").as_bytes(), &none)
            .contains("fewer than the 4270")
    );
    let gguf = std::fs::read(fixture("gpt2.gguf")).unwrap();
    assert!(refused(&gguf[..2000], &none).contains("damaged at byte"));
    let replace = |from: &[u8], to: &[u8]| {
        let mut bytes = gguf.clone();
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to);
        refused(&bytes, &none)
    };
    assert!(replace(b"tokenizer.ggml.merges", b"tokenizer.ggml.mergez").contains("has no merges"));
    let at = b"tokenizer.ggml.pre\x08\0\0\0\x05\0\0\0\0\0\0\0qwen2";
    assert!(replace(at, b"tokenizer.ggml.pre\x08\0\0\0\x05\0\0\0\0\0\0\0other").contains("`tokenizer.ggml.pre` is \"other\""));
    assert!(refused(b"GGUF\x01\0\0\0", &none).contains("GGUF version 1"));
}

proptest! {
    #[test]
    fn damaged_headers_do_not_panic(at in 0usize..9000, byte: u8, length in 0usize..12_000) {
        let mut bytes = std::fs::read(fixture("gpt2.gguf")).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(length);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        if let Ok(vocabulary) = Gguf::open(file.path()) {
            let _ = vocabulary.convert();
        }
    }

    #[test]
    fn any_lines_do_not_panic(lines in proptest::collection::vec("[A-Za-z0-9+/=]{0,9} ?[0-9]{0,3}", 0..20)) {
        let file = lines.join("\n");
        let _ = looks_like_ranks(file.as_bytes());
        let _ = from_tiktoken(file.as_bytes(), &hints(Pattern::Gpt2));
    }
}
