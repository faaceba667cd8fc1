//! Options by name: those of a guide that is often followed.

use serde::{Deserialize, Serialize};

/// A set of values for options of `[tokenizer] sentencepiece` that the recipe leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SentencePiecePreset {
    /// The Korean guide that malmoi's defaults answer to. Text is put in lower case, runs of white space become one space,
    /// and characters without a piece are lost: the model gives nothing back of code, and a text only roughly.
    Seed,
}

impl SentencePiecePreset {
    /// Keys and values, as they would stand under `[tokenizer.sentencepiece]`.
    pub fn settings(self) -> &'static str {
        match self {
            Self::Seed => include_str!("preset/seed.toml"),
        }
    }
}
