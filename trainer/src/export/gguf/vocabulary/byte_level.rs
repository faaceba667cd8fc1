//! A byte-level BPE in a `tokenizer.json`, as llama.cpp wants it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Kind, pre};

/// The parts of a `tokenizer.json` that matter.
#[derive(Deserialize)]
pub(super) struct Tokenizer {
    #[serde(default)]
    added_tokens: Vec<Added>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    model: Model,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    vocab: Value,
    #[serde(default)]
    merges: Vec<Merge>,
    #[serde(default)]
    ignore_merges: bool,
    #[serde(default)]
    byte_fallback: bool,
}

/// Two tokens that become one; old files have them in one text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Text(String),
    Pair([String; 2]),
}

/// What goes into the keys.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) tokens: Vec<(String, Kind)>,
    pub(super) merges: Vec<String>,
    pub(super) pre: &'static str,
    /// The token that is put before every text.
    pub(super) first: Option<u32>,
    pub(super) notes: Vec<String>,
}

impl Tokenizer {
    /// Checks that llama.cpp does the same, and lists `rows` tokens.
    pub(super) fn read(self, rows: usize) -> Result<Read, String> {
        if self.model.kind.as_deref().is_some_and(|kind| kind != "BPE") || self.model.byte_fallback {
            let kind = self.model.kind.unwrap_or_default();
            return Err(format!("is of the type {kind:?}, not a byte-level BPE; use a Hugging Face format"));
        }
        let mut notes = Vec::new();
        match self.normalizer["type"].as_str() {
            None => {}
            Some("NFC") => notes.push("llama.cpp does not compose characters (NFC): give it composed text".to_owned()),
            Some(other) => return Err(format!("has the normalizer {other}, which llama.cpp does not have; use a Hugging Face format")),
        }
        let merges: Vec<String> = self.model.merges.into_iter().map(Merge::text).collect::<Result<_, _>>()?;
        let pre = pre::name(&self.pre_tokenizer, self.model.ignore_merges, merges.is_empty())?;

        let vocab: BTreeMap<String, u32> = serde_json::from_value(self.model.vocab).map_err(|error| format!("its vocabulary: {error}"))?;
        let mut tokens: Vec<Option<(String, Kind)>> = vec![None; rows];
        let mut place = |id: u32, token: String, kind: Kind| match tokens.get_mut(id as usize) {
            Some(slot) => {
                *slot = Some((token, kind));
                Ok(())
            }
            None => Err(format!("token {token:?} has id {id}, but the model has {rows} rows")),
        };
        vocab.into_iter().try_for_each(|(token, id)| place(id, token, Kind::Normal))?;
        for Added { id, content, special } in self.added_tokens {
            place(id, content, if special { Kind::Control } else { Kind::UserDefined })?;
        }
        let tokens: Vec<(String, Kind)> =
            tokens.into_iter().enumerate().map(|(id, token)| token.unwrap_or_else(|| (format!("[PAD{id}]"), Kind::Unused))).collect();
        let first = match first(&self.post_processor)? {
            None => None,
            Some(token) => match tokens.iter().position(|(known, _)| *known == token) {
                Some(id) => u32::try_from(id).ok(),
                None => return Err(format!("puts {token:?} first, which is no token of it")),
            },
        };
        Ok(Read { tokens, merges, pre, first, notes })
    }
}

impl Merge {
    fn text(self) -> Result<String, String> {
        let text = match self {
            Self::Text(text) => text,
            Self::Pair([left, right]) => format!("{left} {right}"),
        };
        if text.matches(' ').count() != 1 { Err(format!("has the merge {text:?}, which is not two tokens of bytes")) } else { Ok(text) }
    }
}

/// The special token that is put before every text; others than that one are refused.
fn first(processor: &Value) -> Result<Option<&str>, String> {
    match processor["type"].as_str() {
        None | Some("ByteLevel") => Ok(None),
        Some("Sequence") => {
            let all = processor["processors"].as_array().map_or(&[][..], Vec::as_slice);
            all.iter().try_fold(None, |found, next| Ok(first(next)?.or(found)))
        }
        Some("TemplateProcessing") => match processor["single"].as_array().map_or(&[][..], Vec::as_slice) {
            [text] if text.get("Sequence").is_some() => Ok(None),
            [token, text] if text.get("Sequence").is_some() => Ok(token["SpecialToken"]["id"].as_str()),
            _ => Err("puts special tokens around a text that llama.cpp would not".to_owned()),
        },
        Some(other) => Err(format!("has the post-processor {other}, which is not known")),
    }
}
