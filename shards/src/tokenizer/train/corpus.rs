//! Every distinct word of a corpus in one array of symbols, with a weight for each place.
//!
//! A place is a byte. A token lies at its first and at its last byte, what is between is not read; so
//! the neighbours of a token are found by lengths alone, and a merge moves nothing. Words lie in groups
//! of equal weight, the largest first, and before and after each is an [`EDGE`].

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::fail;
use super::tokens::Tokens;
use crate::error::Result;

/// What lies between words.
pub(super) const EDGE: u32 = u32::MAX;
/// What lies inside a token where a token began before.
pub(super) const INSIDE: u32 = u32::MAX - 1;
/// Places that there can be; lists of pairs count them in 32 bits.
const MOST: usize = u32::MAX as usize - 2;

/// The words of a corpus.
pub(super) struct Corpus {
    symbols: Vec<u32>,
    /// Where each group ends, and the weight of its words.
    groups: Vec<(usize, i64)>,
}

/// Hands ids of pieces, with their weights, to the function that it is given; each time the same.
pub(super) trait Pieces {
    fn for_each(&self, sink: &mut dyn FnMut(&[u32], u64) -> Result<()>) -> Result<()>;
}

impl Corpus {
    /// Lays out pieces in which something can be merged; `length` is that of an id in bytes.
    pub(super) fn new(pieces: &dyn Pieces, length: impl Fn(u32) -> usize) -> Result<Self> {
        let size = |ids: &[u32]| ids.iter().map(|&id| length(id)).sum::<usize>() + 1;
        let mut sizes: BTreeMap<Reverse<u64>, usize> = BTreeMap::new();
        pieces.for_each(&mut |ids, weight| {
            if ids.len() > 1 {
                *sizes.entry(Reverse(weight)).or_default() += size(ids);
            }
            Ok(())
        })?;
        let total = 1 + sizes.values().sum::<usize>();
        if total > MOST {
            return Err(fail(format!("{total} bytes of different words, at most {MOST}; train on less text (`sample-bytes`)")));
        }
        let mut symbols = vec![INSIDE; total];
        symbols[0] = EDGE;
        let mut groups = Vec::with_capacity(sizes.len());
        let mut at = 1;
        for (weight, size) in &mut sizes {
            let start = at;
            at += *size;
            *size = start;
            let weight = i64::try_from(weight.0).map_err(|_| fail("a word occurs more than 2^63 times"))?;
            groups.push((at, weight));
        }
        let mut free = sizes;
        pieces.for_each(&mut |ids, weight| {
            let Some(at) = free.get_mut(&Reverse(weight)).filter(|_| ids.len() > 1) else { return Ok(()) };
            for &id in ids {
                symbols[*at] = id;
                *at += length(id);
                symbols[*at - 1] = id;
            }
            symbols[*at] = EDGE;
            *at += 1;
            Ok(())
        })?;
        Ok(Self { symbols, groups })
    }

    /// Every place of a token in the words that `places`, in ascending order, are in.
    pub(super) fn in_words(&self, tokens: &Tokens, places: &[u32], token: u32) -> Vec<u32> {
        let mut found = Vec::new();
        let mut done = 0;
        for &place in places {
            if (place as usize) < done {
                continue;
            }
            let edge = self.symbols[..place as usize].iter().rposition(|&symbol| symbol == EDGE).unwrap_or(0);
            done = edge + 1;
            while self.symbols[done] != EDGE {
                if self.symbols[done] == token {
                    found.push(done as u32);
                }
                done += tokens.length(self.symbols[done]);
            }
        }
        found
    }

    /// Every place of a token.
    pub(super) fn everywhere(&self, tokens: &Tokens, token: u32) -> Vec<u32> {
        let mut found = Vec::new();
        let mut at = 1;
        while at < self.symbols.len() {
            let symbol = self.symbols[at];
            if symbol == token {
                found.push(at as u32);
            }
            at += if symbol == EDGE { 1 } else { tokens.length(symbol) };
        }
        found
    }

    /// The symbols, and the weights of places in ascending order.
    pub(super) fn parts(&mut self) -> (&mut [u32], Weights<'_>) {
        (&mut self.symbols, Weights { groups: &self.groups, end: 0, weight: 0 })
    }
}

/// Weights of places that are asked for in ascending order.
pub(super) struct Weights<'a> {
    /// Groups from the current one on.
    groups: &'a [(usize, i64)],
    end: usize,
    weight: i64,
}

impl Weights<'_> {
    #[inline]
    pub(super) fn at(&mut self, place: usize) -> i64 {
        if place >= self.end {
            let skip = self.groups.partition_point(|&(end, _)| end <= place);
            self.groups = &self.groups[skip..];
            (self.end, self.weight) = self.groups.first().copied().unwrap_or((usize::MAX, 0));
        }
        self.weight
    }
}
