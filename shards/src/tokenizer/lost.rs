//! What of a text its ids do not say.

use serde::{Deserialize, Serialize};

/// What a tokenizer could not write of texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lost {
    /// Ids that stand for some text without saying which, such as `<unk>`.
    pub unknown_tokens: u64,
    /// Bytes of UTF-8 that no id stands for, at least. What normalization changes is not lost, and white space counts in
    /// byte-level vocabularies only: others put it back where they join tokens.
    pub bytes: u64,
}

impl Lost {
    /// Adds what was lost of another text.
    pub fn add(&mut self, other: Self) {
        self.unknown_tokens += other.unknown_tokens;
        self.bytes += other.bytes;
    }

    /// Whether every text is in its ids.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// How much of a text each id of a vocabulary stands for.
#[derive(Debug)]
pub(crate) struct Weights {
    /// Bytes by id; none of special and unknown ones.
    pub(crate) bytes: Vec<u64>,
    pub(crate) unknown: Option<u32>,
    /// Whether white space counts.
    pub(crate) spaces: bool,
}

impl Weights {
    /// Compares ids with their text and, where they say less than that, with what normalization leaves of it.
    pub(crate) fn lost(&self, text: &str, ids: &[u32], normalized: impl FnOnce() -> Option<String>) -> Lost {
        let (mut unknown_tokens, mut written) = (0, 0);
        for &id in ids {
            if self.unknown == Some(id) {
                unknown_tokens += 1;
            } else {
                written += self.bytes.get(id as usize).copied().unwrap_or(0);
            }
        }
        let mut wanted = self.size(text);
        if written < wanted
            && let Some(normalized) = normalized()
        {
            wanted = wanted.min(self.size(&normalized));
        }
        Lost { unknown_tokens, bytes: wanted.saturating_sub(written) }
    }

    fn size(&self, text: &str) -> u64 {
        if self.spaces { text.len() as u64 } else { dense_bytes(text) }
    }
}

/// Bytes of a text without its white space, of which `▁` is a spelling.
pub(crate) fn dense_bytes(text: &str) -> u64 {
    text.chars()
        .filter(|&character| !character.is_whitespace() && character != '\u{2581}')
        .map(|character| character.len_utf8() as u64)
        .sum()
}
