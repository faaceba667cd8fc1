//! A byte-level BPE before it is a tokenizer.json.

use serde_json::{Map, Value, json};

use super::ranks::Ranks;
use crate::error::Result;
use crate::tokenizer::{MAX_VOCAB, byte_level};

/// Ranks and everything around them.
pub(super) struct ByteBpe {
    /// By rank.
    pub(super) tokens: Vec<Vec<u8>>,
    /// The id of rank 0.
    pub(super) first: u32,
    /// Tokens that text never becomes, with their ids.
    pub(super) special: Vec<(String, u32)>,
    /// The splitting pattern.
    pub(super) pattern: String,
    /// Whether text is brought into form C.
    pub(super) normalize: bool,
}

impl ByteBpe {
    /// The tokenizer.json, in which a pre-token that is a token becomes it whatever the merges say, as
    /// tiktoken has it.
    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        let spell = |rank: u32| Value::from(spelled(&self.tokens[rank as usize]));
        let merges = Ranks::new(&self.tokens)?.merges();
        let merges = merges.into_iter().map(|(left, right, _)| Value::from(vec![spell(left), spell(right)])).collect();
        let tokens = self.tokens.iter().zip(self.first..).map(|(token, id)| (spelled(token), id));
        let special = |(token, id): &(String, u32)| Added { token: token.clone(), id: *id, special: true };
        let added = self.special.iter().map(special).collect();
        File { tokens: tokens.collect(), merges, added, pattern: &self.pattern, normalize: self.normalize, ignore_merges: true }.to_json()
    }
}

/// A token in the byte alphabet.
fn spelled(token: &[u8]) -> String {
    token.iter().map(|&byte| byte_level::char_of(byte)).collect()
}

/// A token that is looked for in text before it is split.
pub(super) struct Added {
    pub(super) token: String,
    pub(super) id: u32,
    /// Whether text never becomes it.
    pub(super) special: bool,
}

/// What a tokenizer.json of a byte-level BPE is made of.
pub(super) struct File<'a> {
    /// Tokens in the byte alphabet, with their ids.
    pub(super) tokens: Vec<(String, u32)>,
    /// Pairs of them.
    pub(super) merges: Vec<Value>,
    pub(super) added: Vec<Added>,
    pub(super) pattern: &'a str,
    pub(super) normalize: bool,
    /// Whether a pre-token that is a token becomes it, whatever the merges say.
    pub(super) ignore_merges: bool,
}

impl File<'_> {
    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        let mut vocab: Map<String, Value> = Map::with_capacity(self.tokens.len() + self.added.len());
        // Added tokens stand in the vocabulary too: one that does not gets the next free id.
        let added = self.added.iter().map(|added| (&added.token, added.id));
        for (token, id) in self.tokens.iter().map(|(token, id)| (token, *id)).chain(added) {
            if id >= MAX_VOCAB {
                return super::refuse(format!("id {id} in the vocabulary, at most {} are supported", MAX_VOCAB - 1));
            }
            if vocab.insert(token.clone(), id.into()).is_some() {
                return super::refuse(format!("two tokens {token:?}"));
            }
        }
        let added = |Added { token, id, special }: &Added| {
            json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": special,
            })
        };
        let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false });
        let split = json!({ "type": "Split", "pattern": { "Regex": self.pattern }, "behavior": "Isolated", "invert": false });
        let file = json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": self.added.iter().map(added).collect::<Vec<_>>(),
            "normalizer": if self.normalize { json!({ "type": "NFC" }) } else { Value::Null },
            "pre_tokenizer": { "type": "Sequence", "pretokenizers": [split, bytes] },
            "post_processor": null,
            "decoder": bytes,
            "model": {
                "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
                "fuse_unk": false, "byte_fallback": false, "ignore_merges": self.ignore_merges, "vocab": vocab, "merges": self.merges,
            },
        });
        serde_json::to_vec(&file).or_else(|error| super::refuse(error.to_string()))
    }
}
