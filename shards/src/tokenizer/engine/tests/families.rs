//! Every family of patterns with a vocabulary trained here by the library.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::{AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, TokenizerImpl};

use super::super::pattern::{DEEPSEEK, KNOWN};
use super::super::{Engine, Unsupported};
use super::Both;
use super::texts::{NASTY, long_spans, text};
use crate::tokenizer::byte_level;

type Trained = TokenizerImpl<BPE, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// A tokenizer.json trained on the nasty texts.
fn file(pre_tokenizer: &Value, normalizer: &Value) -> Value {
    let mut tokenizer = Trained::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(serde_json::from_value::<PreTokenizerWrapper>(pre_tokenizer.clone()).unwrap()));
    let added = |content: &str, special| AddedToken::from(content.to_owned(), special).normalized(false);
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(900)
        .special_tokens(vec![added("<|endoftext|>", true)])
        .initial_alphabet((0..=255).map(byte_level::char_of).collect())
        .build();
    let texts = NASTY.iter().cycle().take(2 * NASTY.len());
    tokenizer.train(&mut trainer, texts).unwrap();
    tokenizer.add_tokens([added("<think>", false), added("</think>", false), added("<<think>", true)]).unwrap();
    tokenizer.add_tokens([AddedToken::from("가\u{11a8}나", false).normalized(true), AddedToken::from("된다", false)]).unwrap();
    let mut file: Value = serde_json::to_value(&tokenizer).unwrap();
    file["normalizer"] = normalizer.clone();
    file
}

fn bytes() -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false})
}

/// Pre-tokenizers whose later parts see the pieces of earlier ones: StarCoder's and Command R's, one that keeps runs of
/// digits, one before a pattern of its own, and DeepSeek V3's.
pub(super) const SEQUENCES: [fn() -> Vec<Value>; 4] = [
    || vec![digits(true), json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true})],
    || vec![digits(false), json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true})],
    || vec![digits(true), isolated(KNOWN[1].0), bytes()],
    || DEEPSEEK.iter().map(|pattern| isolated(pattern)).chain([bytes()]).collect(),
];

fn digits(individual: bool) -> Value {
    json!({"type": "Digits", "individual_digits": individual})
}

fn isolated(pattern: &str) -> Value {
    json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false})
}

fn pre_tokenizers() -> Vec<Value> {
    let split = |pattern: &str| json!({"type": "Sequence", "pretokenizers": [isolated(pattern), bytes()]});
    let gpt2 = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let kept = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": KNOWN[2].0}, "behavior": "Removed", "invert": true}, bytes()]});
    let sequences = SEQUENCES.iter().map(|parts| json!({"type": "Sequence", "pretokenizers": parts()}));
    KNOWN.iter().map(|(pattern, _)| split(pattern)).chain([gpt2, kept]).chain(sequences).collect()
}

/// Each family as it is, with NFC, and with merges ignored for whole pre-tokens that are tokens.
static FILES: LazyLock<Vec<Both>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for (index, pre_tokenizer) in pre_tokenizers().iter().enumerate() {
        let mut file = file(pre_tokenizer, &if index % 2 == 0 { Value::Null } else { json!({"type": "NFC"}) });
        all.push(Both::new(&file));
        file["model"]["ignore_merges"] = Value::Bool(true);
        // Tokens that no merge makes, as Llama 3 has.
        let mut next = 5000;
        for word in ["하세요", " 정말", "날씨", "오늘은", "isn", " brown", "漢", "쀍쀓꿻", "<|endoftext|>", "된다"] {
            let token: String = word.bytes().map(byte_level::char_of).collect();
            let vocab = file["model"]["vocab"].as_object_mut().unwrap();
            vocab.entry(token).or_insert_with(|| {
                next += 1;
                json!(next)
            });
        }
        file["added_tokens"] = json!([]);
        all.push(Both::new(&file));
    }
    all
});

#[test]
fn nasty_texts() {
    for both in FILES.iter() {
        NASTY.iter().for_each(|text| both.check(text));
        both.check(&NASTY.concat());
        both.check(&NASTY.join(" "));
    }
}

#[test]
fn long_texts_and_spans() {
    for both in FILES.iter().take(3) {
        long_spans().iter().for_each(|text| both.check(text));
    }
}

#[test]
fn what_is_not_covered_says_why() {
    let pre_tokenizer = &pre_tokenizers()[1];
    let reason = |change: &dyn Fn(&mut Value)| {
        let mut file = file(pre_tokenizer, &Value::Null);
        change(&mut file);
        Engine::from_json(&file).err().map_or_else(String::new, |Unsupported(reason)| reason)
    };
    assert_eq!(reason(&|_| {}), "");
    assert_eq!(reason(&|file| file["normalizer"] = json!({"type": "NFKC"})), "normalizer \"NFKC\"");
    assert_eq!(reason(&|file| file["model"]["dropout"] = json!(0.1)), "affixes or dropout");
    assert_eq!(reason(&|file| file["truncation"] = json!({})), "truncation or padding");
    assert_eq!(reason(&|file| file["pre_tokenizer"] = json!({"type": "Whitespace"})), "pre-tokenizer \"Whitespace\"");
    let pattern = |file: &mut Value| file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = json!("a+");
    assert_eq!(reason(&pattern), "splitting pattern \"a+\"");
    let kept = |file: &mut Value| file["pre_tokenizer"]["pretokenizers"][0]["behavior"] = json!("Removed");
    assert_eq!(reason(&kept), "a pre-tokenizer other than isolated splits and bytes");
    let swapped = |file: &mut Value| {
        let mut parts = SEQUENCES[3]();
        parts.swap(0, 1);
        file["pre_tokenizer"]["pretokenizers"] = json!(parts);
    };
    assert!(reason(&swapped).starts_with("splitting pattern \"["));
    let twice = |file: &mut Value| {
        let mut parts = SEQUENCES[3]();
        parts.insert(0, digits(true));
        file["pre_tokenizer"]["pretokenizers"] = json!(parts);
    };
    assert_eq!(reason(&twice), "digits split twice");
    assert!(
        reason(&|file| {
            file["model"]["vocab"].as_object_mut().unwrap().remove("a");
        })
        .contains("byte 97")
    );
    assert!(reason(&|file| file["added_tokens"][1]["lstrip"] = json!(true)).contains("<think>"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn random_texts(text in text()) {
        FILES.iter().for_each(|both| both.check(&text));
    }
}
