//! The merges that ranks stand for.
//!
//! tiktoken joins, of all neighbours that are a token together, those of the lowest rank, leftmost first.
//! What happens inside of the bytes of a token before it is made happens also where these bytes are a text
//! of their own: nothing has joined anything across its borders. So a token is always made of the same two,
//! those that its bytes come to by all lower ranks; a list of these pairs in the order of the ranks gives
//! the same ids. A token whose bytes do not come to two is never made by merging.

use std::collections::HashMap;

use crate::error::Result;

/// Longest token: merging one takes time with the square of its length.
const MAX_TOKEN_BYTES: usize = 4096;

/// Tokens by rank.
pub(super) struct Ranks<'a> {
    tokens: &'a [Vec<u8>],
    by_bytes: HashMap<&'a [u8], u32, ahash::RandomState>,
}

impl<'a> Ranks<'a> {
    /// The ranks of tokens in their order; no two may be the same, and all bytes must be there.
    pub(super) fn new(tokens: &'a [Vec<u8>]) -> Result<Self> {
        let mut by_bytes = HashMap::with_capacity_and_hasher(tokens.len(), ahash::RandomState::default());
        for (rank, token) in tokens.iter().enumerate() {
            if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
                return super::refuse(format!("the token of rank {rank} has {} bytes, not 1 to {MAX_TOKEN_BYTES}", token.len()));
            }
            if let Some(other) = by_bytes.insert(&token[..], rank as u32) {
                return super::refuse(format!("ranks {other} and {rank} have the same token"));
            }
        }
        if let Some(byte) = (0..=255u8).find(|byte| !by_bytes.contains_key(&[*byte][..])) {
            return super::refuse(format!("no token for byte {byte}"));
        }
        Ok(Self { tokens, by_bytes })
    }

    /// The pairs that tokens are made of, in the order of the ranks, as ranks: left, right, made.
    pub(super) fn merges(&self) -> Vec<(u32, u32, u32)> {
        let mut parts = Vec::new();
        let all = self.tokens.iter().zip(0..).filter(|(token, _)| token.len() > 1);
        all.filter_map(|(token, rank)| {
            self.merge(token, rank, &mut parts);
            match parts[..] {
                [0, middle] => {
                    let of = |bytes: &[u8]| self.by_bytes.get(bytes).copied();
                    Some((of(&token[..middle])?, of(&token[middle..])?, rank))
                }
                _ => None,
            }
        })
        .collect()
    }

    /// Where the parts begin that the bytes of a token come to by ranks below its own.
    fn merge(&self, token: &[u8], limit: u32, parts: &mut Vec<usize>) {
        parts.clear();
        parts.extend(0..token.len());
        let rank = |parts: &[usize], at: usize| {
            let end = parts.get(at + 2).copied().unwrap_or(token.len());
            self.by_bytes.get(&token[parts[at]..end]).copied().unwrap_or(u32::MAX)
        };
        while parts.len() > 2 {
            let lowest = (0..parts.len() - 1).map(|at| (rank(parts, at), at)).min();
            match lowest {
                Some((found, at)) if found < limit => drop(parts.remove(at + 1)),
                _ => return,
            }
        }
    }
}
