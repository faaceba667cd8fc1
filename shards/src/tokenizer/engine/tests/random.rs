//! Vocabularies with random merges: tokens that begin and end inside characters, next to each other.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::pattern::KNOWN;
use super::Both;
use super::texts::text;
use crate::tokenizer::byte_level;

/// Makes `count` merges, each of two symbols that stand side by side somewhere in the text.
fn file(text: &str, choices: &[u32], ignore_merges: bool) -> Value {
    let spell = |bytes: &[u8]| -> String { bytes.iter().copied().map(byte_level::char_of).collect() };
    let mut vocab: Map<String, Value> = (0..=255u8).map(|byte| (spell(&[byte]), json!(byte))).collect();
    let mut symbols: Vec<Vec<u8>> = text.bytes().map(|byte| vec![byte]).collect();
    let mut merges = Vec::new();
    for &choice in choices {
        if symbols.len() < 2 {
            break;
        }
        let at = choice as usize % (symbols.len() - 1);
        let (left, right) = (symbols[at].clone(), symbols[at + 1].clone());
        let merged = [&left[..], &right].concat();
        if !vocab.contains_key(&spell(&merged)) {
            vocab.insert(spell(&merged), json!(vocab.len()));
        }
        merges.push(json!([spell(&left), spell(&right)]));
        // Half of the merges happen everywhere, as in training; the others leave other ways open.
        let mut index = 0;
        while choice % 2 == 0 && index + 1 < symbols.len() {
            if symbols[index] == left && symbols[index + 1] == right {
                symbols[index] = merged.clone();
                symbols.remove(index + 1);
            }
            index += 1;
        }
    }
    for (index, &choice) in choices.iter().enumerate().filter(|_| ignore_merges) {
        let start = text.floor_char_boundary(choice as usize % (text.len() + 1));
        let end = text.floor_char_boundary((start + 3 + index % 9).min(text.len()));
        let token = spell(&text.as_bytes()[start..end]);
        if !token.is_empty() && !vocab.contains_key(&token) {
            vocab.insert(token, json!(vocab.len()));
        }
    }
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": KNOWN[1].0}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}]},
        "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": ignore_merges,
            "vocab": vocab, "merges": merges}
    })
}

/// Few syllables and signs of three and four bytes that share their first and last bytes.
fn narrow() -> impl Strategy<Value = String> {
    let characters: Vec<char> = "가각간갂걀뀀까나다락닀한하학ㄱ一丁七가😀😁🐀é…".chars().collect();
    prop::collection::vec(prop::sample::select(characters), 0..40).prop_map(|all| all.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn cut_is_exact(
        corpus in narrow(),
        mixed in text(),
        choices in prop::collection::vec(any::<u32>(), 0..80),
        texts in prop::collection::vec(narrow(), 1..6),
        ignore_merges in any::<bool>(),
    ) {
        let both = Both::new(&file(&format!("{corpus}{mixed}"), &choices, ignore_merges));
        both.check(&corpus);
        both.check(&mixed);
        texts.iter().for_each(|text| both.check(text));
        both.check(&texts.concat());
    }
}
