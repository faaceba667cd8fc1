//! A trained vocabulary as a tokenizer.json.

use serde_json::{Map, Value, json};

use super::learn::Merge;
use super::tokens::Tokens;
use crate::tokenizer::byte_level;

/// A token in the byte alphabet.
pub(super) fn spell(token: &[u8]) -> String {
    token.iter().map(|&byte| byte_level::char_of(byte)).collect()
}

/// Merges as pairs of tokens.
pub(super) fn merges(merges: &[Merge], tokens: &Tokens) -> Value {
    let spelled = |id: u32| Value::String(spell(tokens.get(id)));
    merges.iter().map(|&(left, right, _)| Value::Array(vec![spelled(left), spelled(right)])).collect()
}

/// The file, as the `tokenizers` crate writes it. `special` are the tokens with the first ids.
pub(super) fn write(pattern: &str, special: &[String], tokens: &Tokens, learnt: &[Merge]) -> Value {
    let mut vocab = Map::new();
    let mut added = Vec::new();
    for (token, id) in special.iter().zip(0u32..) {
        vocab.insert(token.clone(), id.into());
        added.push(json!({
            "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true,
        }));
    }
    for id in special.len() as u32..tokens.len() as u32 {
        vocab.insert(spell(tokens.get(id)), id.into());
    }
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false });
    let split = json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [split, bytes] },
        "post_processor": null,
        "decoder": bytes,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "vocab": vocab,
            "merges": merges(learnt, tokens),
        },
    })
}
