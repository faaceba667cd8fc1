//! A trained vocabulary as a tokenizer.json.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::learn::Merge;
use super::tokens::Tokens;
use crate::tokenizer::byte_level;

/// A token in the byte alphabet.
pub(super) fn spell(token: &[u8]) -> String {
    token.iter().map(|&byte| byte_level::char_of(byte)).collect()
}

/// The file, as the `tokenizers` crate writes it. `special` are the tokens with the first ids.
pub(super) fn write(pattern: &str, special: &[String], tokens: &Tokens, merges: &[Merge]) -> serde_json::Result<String> {
    let added = |(token, id): (&String, u32)| {
        json!({
            "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true,
        })
    };
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false });
    let split = json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
    serde_json::to_string(&File {
        version: "1.0",
        truncation: (),
        padding: (),
        added_tokens: special.iter().zip(0..).map(added).collect(),
        normalizer: (),
        pre_tokenizer: json!({ "type": "Sequence", "pretokenizers": [split, bytes] }),
        post_processor: (),
        decoder: bytes,
        model: Model {
            kind: "BPE",
            dropout: (),
            unk_token: (),
            continuing_subword_prefix: (),
            end_of_word_suffix: (),
            fuse_unk: false,
            byte_fallback: false,
            ignore_merges: false,
            vocab: Vocab { special, tokens },
            merges: Merges { merges, tokens },
        },
    })
}

/// The file; `()` is `null`.
#[derive(Serialize)]
struct File<'a> {
    version: &'static str,
    truncation: (),
    padding: (),
    added_tokens: Vec<Value>,
    normalizer: (),
    pre_tokenizer: Value,
    post_processor: (),
    decoder: Value,
    model: Model<'a>,
}

#[derive(Serialize)]
struct Model<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    dropout: (),
    unk_token: (),
    continuing_subword_prefix: (),
    end_of_word_suffix: (),
    fuse_unk: bool,
    byte_fallback: bool,
    ignore_merges: bool,
    vocab: Vocab<'a>,
    merges: Merges<'a>,
}

/// Tokens with their ids, written one by one: as values they would take more memory than training.
struct Vocab<'a> {
    special: &'a [String],
    tokens: &'a Tokens,
}

impl Serialize for Vocab<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let spelled = self.special.iter().cloned().zip(0..);
        let first = self.special.len() as u32;
        serializer.collect_map(spelled.chain((first..self.tokens.len() as u32).map(|id| (spell(self.tokens.get(id)), id))))
    }
}

/// Merges as pairs of tokens.
struct Merges<'a> {
    merges: &'a [Merge],
    tokens: &'a Tokens,
}

impl Serialize for Merges<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.merges.iter().map(|&(left, right, _)| [left, right].map(|id| spell(self.tokens.get(id)))))
    }
}
