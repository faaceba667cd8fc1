//! The tokenizer in a GGUF file: a byte-level BPE as a tokenizer.json.

use std::path::Path;

use serde_json::{Map, Value, json};
use shards::Pattern;

use super::header::read_keys;
use crate::error::Result;
use crate::load::file::WeightFile;

/// Token types of llama.cpp.
const CONTROL: u32 = 3;
const USER_DEFINED: u32 = 4;
/// A row without a token.
const UNUSED: u32 = 5;

/// Tokens and merges of a GGUF file.
#[derive(Clone, Debug)]
pub struct GgufVocabulary {
    /// Content of a tokenizer.json that gives the same ids.
    pub tokenizer_json: Vec<u8>,
    /// The token that ends a text.
    pub eos: Option<String>,
    /// The template of conversations, in Jinja.
    pub chat_template: Option<String>,
}

#[derive(Default)]
struct Found {
    model: String,
    pre: String,
    tokens: Vec<String>,
    types: Vec<u32>,
    merges: Vec<String>,
    eos: Option<u32>,
    chat_template: Option<String>,
}

impl GgufVocabulary {
    /// Reads the keys of a file. A tokenizer that is no byte-level BPE, or whose way to split words is not known,
    /// is an error that names it.
    pub fn open(path: &Path) -> Result<Self> {
        let file = WeightFile::open(path)?;
        let mut found = Found::default();
        read_keys(&file, &mut |input, name, kind| {
            match (name.as_str(), kind) {
                ("tokenizer.ggml.model", 8) => found.model = input.long_text()?,
                ("tokenizer.ggml.pre", 8) => found.pre = input.long_text()?,
                ("tokenizer.chat_template", 8) => found.chat_template = Some(input.long_text()?),
                ("tokenizer.ggml.tokens", 9) => found.tokens = input.texts()?,
                ("tokenizer.ggml.merges", 9) => found.merges = input.texts()?,
                ("tokenizer.ggml.token_type", 9) => found.types = input.integers()?,
                ("tokenizer.ggml.eos_token_id", 4) => found.eos = Some(input.u32()?),
                _ => drop(input.value(kind, 0)?),
            }
            Ok(())
        })?;
        if found.model != "gpt2" {
            return file.refuse(format!("its tokenizer is of the kind {:?}; known is \"gpt2\", a byte-level BPE", found.model));
        }
        if found.types.len() != found.tokens.len() && !found.types.is_empty() {
            return file.refuse(format!("it has {} tokens, but {} types of tokens", found.tokens.len(), found.types.len()));
        }
        let Some(splits) = splits(&found.pre) else {
            return file.refuse(format!("its tokenizer splits words as {:?}, which is not known", found.pre));
        };
        let eos = found.eos.and_then(|id| found.tokens.get(id as usize)).cloned();
        Ok(Self { tokenizer_json: found.tokenizer_json(splits).to_string().into_bytes(), eos, chat_template: found.chat_template })
    }
}

impl Found {
    fn tokenizer_json(&self, mut splits: Vec<Value>) -> Value {
        let kind = |id: usize| self.types.get(id).copied().unwrap_or_default();
        let used = || self.tokens.iter().enumerate().filter(|(id, _)| kind(*id) != UNUSED);
        let vocab: Map<String, Value> = used().map(|(id, token)| (token.clone(), json!(id))).collect();
        let added = used().filter(|(id, _)| matches!(kind(*id), CONTROL | USER_DEFINED)).map(|(id, token)| {
            let special = kind(id) == CONTROL;
            json!({ "id": id, "content": token, "special": special,
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false })
        });
        let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false });
        splits.push(bytes.clone());
        json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added.collect::<Vec<_>>(),
            "normalizer": null,
            "pre_tokenizer": { "type": "Sequence", "pretokenizers": splits },
            "post_processor": null,
            "decoder": bytes,
            "model": {
                "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
                "fuse_unk": false, "byte_fallback": false, "ignore_merges": self.pre.starts_with("llama"),
                "vocab": vocab, "merges": self.merges,
            },
        })
    }
}

/// How the words of a text are found, by llama.cpp's name for it.
fn splits(pre: &str) -> Option<Vec<Value>> {
    let split =
        |pattern: Pattern| json!({ "type": "Split", "pattern": { "Regex": pattern.regex() }, "behavior": "Isolated", "invert": false });
    let digits = json!({ "type": "Digits", "individual_digits": true });
    Some(match pre {
        "gpt-2" => vec![split(Pattern::Gpt2)],
        "smollm" => vec![digits, split(Pattern::Gpt2)],
        "qwen2" => vec![split(Pattern::Qwen2)],
        "llama-bpe" | "llama3" | "llama-v3" => vec![split(Pattern::Llama3)],
        "qwen35" => vec![split(Pattern::Qwen3_5)],
        "gpt-4o" => vec![split(Pattern::O200k)],
        "tekken" => vec![split(Pattern::Tekken)],
        _ => return None,
    })
}
