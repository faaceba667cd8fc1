//! Tokens, merges and templates as GGUF keys, from a tokenizer's files.
//!
//! llama.cpp splits and merges by itself; it has to be told which of its splitting rules the tokenizer
//! follows (`tokenizer.ggml.pre`). Here that comes from the pattern in the file. One that llama.cpp does
//! not know is refused: it would split otherwise, and the model would read other ids.

mod byte_level;
mod pre;

use std::path::Path;

use serde_json::Value;

use super::keys::Keys;
use crate::error::{Error, Result};
use crate::load::Pretrained;

/// What a token is for, in llama.cpp's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Normal = 1,
    /// Never made from text, and not shown.
    Control = 3,
    /// Made from text wherever it stands in it.
    UserDefined = 4,
    Unused = 5,
}

/// The keys of a GGUF file that tell of a tokenizer.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    keys: Keys,
    notes: Vec<String>,
}

const JSON: &str = "tokenizer.json";
const CONFIG: &str = "tokenizer_config.json";
const TEMPLATE: &str = "chat_template.jinja";

impl Vocabulary {
    /// From the files of a Hugging Face folder, by name: `tokenizer.json`, and if they are there
    /// `tokenizer_config.json` and `chat_template.jinja`. `rows` are those of the model's table, of which the
    /// last ones may be padding; `eos` are the ids that end a text, the usual one first. `source` is for
    /// messages.
    pub fn of_files(source: &Path, files: &[(String, Vec<u8>)], rows: usize, eos: &[u32]) -> Result<Self> {
        let refuse = |detail: String| Err(Error::invalid(source, detail));
        let find = |name: &str| files.iter().find(|(file, _)| file == name).map(|(_, bytes)| bytes);
        let Some(json) = find(JSON) else {
            return refuse(match find("tokenizer.model") {
                Some(_) => "has a SentencePiece tokenizer, for which GGUF files are not written; use a Hugging Face format".to_owned(),
                None => "has no tokenizer.json, without which a GGUF file is of no use".to_owned(),
            });
        };
        let named = |name: &'static str| move |error: serde_json::Error| Error::invalid(source, format!("{name}: {error}"));
        let config: Value = find(CONFIG).map_or(Ok(Value::Null), |bytes| serde_json::from_slice(bytes)).map_err(named(CONFIG))?;
        let tokenizer: byte_level::Tokenizer = serde_json::from_slice(json).map_err(named(JSON))?;
        let read = tokenizer.read(rows).map_err(|detail| Error::invalid(source, format!("{JSON}: {detail}")))?;

        let mut keys = Keys::default();
        keys.text("tokenizer.ggml.model", "gpt2");
        keys.text("tokenizer.ggml.pre", read.pre);
        keys.texts("tokenizer.ggml.tokens", read.tokens.iter().map(|(token, _)| token.as_str()));
        let kinds: Vec<i32> = read.tokens.iter().map(|(_, kind)| *kind as i32).collect();
        keys.i32s("tokenizer.ggml.token_type", &kinds);
        keys.texts("tokenizer.ggml.merges", read.merges.iter().map(String::as_str));

        let id_of = |token: &str| read.tokens.iter().position(|(known, _)| known == token).and_then(|id| u32::try_from(id).ok());
        let special = |name: &str| text_of(&config[name]).and_then(id_of);
        if let Some(&id) = eos.first() {
            keys.u32("tokenizer.ggml.eos_token_id", id);
        }
        let bos = read.first.or_else(|| special("bos_token"));
        for (key, id) in [("bos", bos), ("unknown", special("unk_token")), ("padding", special("pad_token"))] {
            if let Some(id) = id {
                keys.u32(&format!("tokenizer.ggml.{key}_token_id"), id);
            }
        }
        keys.flag("tokenizer.ggml.add_bos_token", read.first.is_some());
        keys.flag("tokenizer.ggml.add_eos_token", false);
        keys.flag("tokenizer.ggml.add_space_prefix", false);
        let template = find(TEMPLATE).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        if let Some(template) = template.or_else(|| template_of(&config["chat_template"])) {
            keys.text("tokenizer.chat_template", &template);
        }
        Ok(Self { keys, notes: read.notes })
    }

    /// The keys of the GGUF file that a model was opened from, as they stand there; none of another model.
    pub fn of_model(weights: &Pretrained) -> Result<Option<Self>> {
        let found = weights.tokenizer_keys()?;
        let mut keys = Keys::default();
        found.iter().for_each(|key| keys.raw(key));
        Ok((!found.is_empty()).then_some(Self { keys, notes: Vec::new() }))
    }

    /// What llama.cpp does otherwise with this tokenizer than Hugging Face's library does.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    pub(super) fn append_to(&self, keys: &mut Keys) {
        keys.append(&self.keys);
    }
}

/// A special token's name: a text, or a table with its content.
fn text_of(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["content"].as_str())
}

/// One template, or of several the one named `default`.
fn template_of(value: &Value) -> Option<String> {
    let default = || value.as_array()?.iter().find(|entry| entry["name"] == "default")?["template"].as_str();
    value.as_str().or_else(default).map(str::to_owned)
}
