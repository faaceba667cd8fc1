//! The first tokens of a vocabulary: special tokens, then bytes.

use super::count::Counts;
use super::tokens::Tokens;
use crate::error::Result;
use crate::tokenizer::byte_level;

/// Which bytes become tokens. A byte without a token is taken out of every word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alphabet {
    /// Bytes that are in it whether the text has them or not.
    pub(super) initial: [bool; 256],
    /// Most bytes; the initial ones stay first, then the commonest, and of equally common ones those
    /// that come first in the byte alphabet.
    pub(super) limit: Option<usize>,
}

impl Alphabet {
    /// Every byte, so that every text can be encoded.
    pub(super) const ALL: Self = Self { initial: [true; 256], limit: None };

    /// Special tokens and bytes with the ids that Hugging Face gives them: as listed, then in the order
    /// of the characters that stand for the bytes.
    pub(super) fn tokens(&self, special: &[String], counts: &[Counts]) -> Result<Tokens> {
        let mut met = self.initial.map(|initial| if initial { u64::MAX } else { 0 });
        if self.initial.contains(&false) {
            for counts in counts {
                counts.for_each(|word, count| {
                    word.iter().for_each(|&byte| met[usize::from(byte)] = met[usize::from(byte)].saturating_add(count));
                    Ok(())
                })?;
            }
        }
        let mut bytes: Vec<u8> = (0..=255).filter(|&byte| met[usize::from(byte)] > 0).collect();
        bytes.sort_by_key(|&byte| byte_level::char_of(byte));
        if let Some(limit) = self.limit.filter(|&limit| limit < bytes.len()) {
            bytes.sort_by_key(|&byte| std::cmp::Reverse(met[usize::from(byte)]));
            bytes.truncate(limit);
            bytes.sort_by_key(|&byte| byte_level::char_of(byte));
        }
        let mut tokens = Tokens::new();
        special.iter().for_each(|token| tokens.push_spelled(token));
        for byte in bytes {
            tokens.push(&[byte]);
        }
        Ok(tokens)
    }
}
