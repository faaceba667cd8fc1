//! Vocabularies of other programs, read into a tokenizer.json that gives the same ids.
//!
//! | file | what it lacks | where that comes from |
//! |---|---|---|
//! | `.tiktoken` | splitting pattern, special tokens | the number of ranks, or [`VocabularyHints`] |
//! | `tekken.json` | nothing | |
//! | `.gguf`, `tokenizer.ggml.model = "gpt2"` | the pattern, but for its name | `tokenizer.ggml.pre` |
//! | `.gguf`, `tokenizer.ggml.model = "llama"` | | becomes a SentencePiece model |

mod byte_bpe;
mod gguf;
mod ranks;
mod tekken;
mod tiktoken;

#[cfg(test)]
mod tests;

pub(super) use gguf::{Converted, MAGIC as GGUF_MAGIC, Vocabulary as Gguf};
pub(super) use tiktoken::looks_like_ranks;

use serde_json::Value;

use super::config::Pattern;
use crate::error::{Error, Result};

/// What a file of ranks does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VocabularyHints {
    /// How text is split into words.
    pub pattern: Option<Pattern>,
    /// Special tokens with their ids.
    pub special: Vec<(String, u32)>,
}

impl VocabularyHints {
    fn is_empty(&self) -> bool {
        self.pattern.is_none() && self.special.is_empty()
    }
}

fn refuse<T>(detail: impl Into<String>) -> Result<T> {
    Err(Error::Tokenizer { operation: "load the tokenizer", detail: detail.into() })
}

/// A tokenizer.json of the ranks in a `.tiktoken` file.
pub(super) fn from_tiktoken(file: &[u8], hints: &VocabularyHints) -> Result<Vec<u8>> {
    tiktoken::read(file, hints)?.to_json()
}

/// A tokenizer.json of a tekken.json; none for JSON of another kind.
pub(super) fn from_tekken(file: &[u8], hints: &VocabularyHints) -> Result<Option<Vec<u8>>> {
    // The two keys stand at its beginning and end; other files are large and need not be parsed twice.
    let has = |key: &str| file.windows(key.len()).any(|window| window == key.as_bytes());
    if !has("\"default_num_special_tokens\"") || !has("\"token_bytes\"") {
        return Ok(None);
    }
    if !hints.is_empty() {
        return refuse("a tekken.json has its own pattern and special tokens");
    }
    let value: Value = match serde_json::from_slice(file) {
        Ok(value) => value,
        Err(error) => return refuse(format!("not a tekken.json: {error}")),
    };
    tekken::read(&value)?.to_json().map(Some)
}

/// The ranks of a tokenizer.json as a `.tiktoken` file, and what that file does not hold.
pub(super) fn to_tiktoken(json: &[u8]) -> Result<(Vec<u8>, Vec<String>)> {
    tiktoken::write(json)
}
