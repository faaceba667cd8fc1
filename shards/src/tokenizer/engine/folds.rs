//! Characters of three bytes that may begin a merge as one token instead of three.
//!
//! The bytes of a common syllable join before anything else happens to them. That is exact if the
//! bytes alone join to one token, if every merge of that token ranks after those that make it, and
//! if, where the character stands, no token holds only a part of it. The first two are known of each
//! character beforehand, the third of its neighbours.

use super::bridges::Bridges;
use super::merge::Merger;
use super::pairs::Pairs;
use super::utf8::char_at;

const NONE: u32 = u32::MAX;
const FIRST: u32 = 0x800;
const LAST: u32 = 0xffff;

/// The tokens of characters.
pub(crate) struct Folds {
    /// By code point from [`FIRST`].
    tokens: Vec<u32>,
}

impl Folds {
    pub(crate) fn new(merges: &[(u32, u32, u32)], pairs: &Pairs) -> Self {
        let mut tokens = vec![NONE; (LAST - FIRST + 1) as usize];
        // By id: the first merge that the token takes part in.
        let mut first_use = vec![usize::MAX; merges.iter().map(|merge| merge.0.max(merge.1) as usize + 1).max().unwrap_or(0)];
        for (rank, &(left, right, _)) in merges.iter().enumerate().rev() {
            first_use[left as usize] = rank;
            first_use[right as usize] = rank;
        }
        let mut merger = Merger::default();
        for (code, token) in (FIRST..=LAST).zip(&mut tokens) {
            let Some(character) = char::from_u32(code) else {
                continue;
            };
            let mut last_rank = 0;
            let ids = merger.merge_ranked(character.encode_utf8(&mut [0; 3]).as_bytes(), pairs, &mut last_rank);
            if let [id] = *ids
                && first_use.get(id as usize).is_none_or(|&first| first > last_rank as usize)
            {
                *token = id;
            }
        }
        Self { tokens }
    }

    /// Appends the symbols that the merges of a piece begin with.
    pub(crate) fn symbols(&self, piece: &[u8], pairs: &Pairs, bridges: &Bridges, out: &mut Vec<u32>) {
        let (mut at, mut before) = (0, None);
        while at < piece.len() {
            let (code, length) = char_at(piece, at);
            let next = at + length;
            let token = code.checked_sub(FIRST).and_then(|index| self.tokens.get(index as usize)).copied().unwrap_or(NONE);
            let after = || piece.get(next).map(|_| char_at(piece, next).0);
            if token != NONE
                && before.is_none_or(|a| !bridges.part_of_right(a, code))
                && after().is_none_or(|b| !bridges.part_of_left(code, b))
            {
                out.push(token);
            } else {
                out.extend(piece[at..next].iter().map(|&byte| pairs.byte(byte)));
            }
            before = Some(code);
            at = next;
        }
    }
}
