//! What was encoded lately: pieces of up to 15 bytes that became up to 6 ids.
//!
//! The size is fixed, and a piece is its own key, so that a hit compares no memory elsewhere. Nearly all pieces have at most 7 bytes and 3
//! ids: four of those are one cache line, two of the others.

use std::hint::select_unpredictable;

use super::hash::{hash_key, hash_word};
use super::keys::{is_short, shorten};

/// Most ids that are remembered.
const MOST: usize = 6;
/// Ids that hardly any piece has more of, and that half of the packed number holds.
const FEW: usize = 3;
/// Lines of four short entries: half a megabyte.
const LINES: usize = 1 << 13;
/// Lines of two long entries: the same.
const PAIRS: usize = 1 << 13;

/// The ids of a piece: their count in the low 4 bits, then 20 bits each. Zero is no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packed(u128);

impl Packed {
    /// No entry.
    pub(crate) const NONE: Self = Self(0);

    /// Packs ids; none if there are too many, or one is 2^20 or more.
    pub(crate) fn new(ids: &[u32]) -> Option<Self> {
        let bits = || ids.iter().rev().fold(0, |bits, &id| bits << 20 | u128::from(id));
        (ids.len() <= MOST && ids.iter().all(|id| id >> 20 == 0)).then(|| Self(bits() << 4 | ids.len() as u128))
    }

    /// Appends the ids.
    #[inline]
    pub(crate) fn push_to(self, out: &mut Vec<u32>) {
        let id = |at: usize| (self.0 >> (4 + 20 * at)) as u32 & 0xf_ffff;
        // A few are written and those beyond the count taken back: how many there are cannot be guessed.
        let count = self.0 as usize & 15;
        let length = out.len() + count;
        out.extend_from_slice(&[id(0), id(1), id(2)]);
        if count > FEW {
            out.extend_from_slice(&[id(3), id(4), id(5)]);
        }
        out.truncate(length);
    }
}

/// A set-associative cache.
pub(crate) struct Cache {
    lines: Vec<Line>,
    pairs: Vec<Pair>,
}

/// Short entries by short keys, the newest first: one cache line.
#[derive(Clone, Default)]
#[repr(align(64))]
struct Line {
    keys: [u64; 4],
    ids: [u64; 4],
}

/// Long entries, the newer one first: one cache line.
#[derive(Clone)]
#[repr(align(64))]
struct Pair([(u128, Packed); 2]);

impl Cache {
    pub(crate) fn new() -> Self {
        Self { lines: vec![Line::default(); LINES], pairs: vec![Pair([(0, Packed::NONE); 2]); PAIRS] }
    }

    /// The line that a short key belongs to.
    #[inline]
    pub(crate) fn line_of(key: u64) -> u32 {
        (hash_word(key) >> (64 - LINES.trailing_zeros())) as u32
    }

    /// Reads a line, so that the next to read it need not wait.
    #[inline]
    pub(crate) fn touch(&self, line: u32) -> u64 {
        self.lines[line as usize % LINES].keys[0]
    }

    /// The ids of a short entry, or none; without a branch, so that many can be asked for at once.
    #[inline]
    pub(crate) fn short(&self, line: u32, key: u64) -> Packed {
        let Line { keys, ids } = &self.lines[line as usize % LINES];
        let of = |at: usize| select_unpredictable(keys[at] == key, ids[at], 0);
        Packed(u128::from(of(0) | of(1) | of(2) | of(3)))
    }

    /// The ids of a long entry, or none; without a branch as well.
    #[inline]
    pub(crate) fn long(&self, key: u128) -> Packed {
        let Pair([first, second]) = &self.pairs[pair_of(key)];
        let of = |entry: &(u128, Packed)| select_unpredictable(entry.0 == key, entry.1.0, 0);
        Packed(of(first) | of(second))
    }

    /// The ids of a piece, or none.
    pub(crate) fn get(&self, key: u128) -> Packed {
        let short = if is_short(key) { self.short(Self::line_of(shorten(key)), shorten(key)) } else { Packed::NONE };
        if short == Packed::NONE { self.long(key) } else { short }
    }

    /// Remembers the ids of a piece; the oldest entry that it may take the place of goes.
    pub(crate) fn put(&mut self, key: u128, ids: Packed) {
        if is_short(key) && ids.0 >> 64 == 0 {
            let line = &mut self.lines[Self::line_of(shorten(key)) as usize % LINES];
            line.keys.copy_within(..3, 1);
            line.ids.copy_within(..3, 1);
            (line.keys[0], line.ids[0]) = (shorten(key), ids.0 as u64);
        } else {
            let Pair(pair) = &mut self.pairs[pair_of(key)];
            pair[1] = pair[0];
            pair[0] = (key, ids);
        }
    }
}

/// The line of long entries that a key belongs to.
#[inline]
fn pair_of(key: u128) -> usize {
    (hash_key(key) >> (64 - PAIRS.trailing_zeros())) as usize % PAIRS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::engine::keys::key;

    #[test]
    fn packs_what_it_gives_back() {
        for ids in [&[7][..], &[0], &[0, 0xf_ffff, 3], &[1, 2, 3, 4], &[1, 2, 3, 4, 5, 6]] {
            let mut out = vec![9];
            Packed::new(ids).unwrap().push_to(&mut out);
            assert_eq!(out[1..], *ids);
        }
        assert_eq!(Packed::new(&[1; 7]), None);
    }

    #[test]
    fn forgets_the_oldest() {
        let ids = |id| Packed::new(&[id]).unwrap();
        for (length, entries) in [(4, 4 * LINES), (12, 2 * PAIRS)] {
            let key = |id: u32| u128::from(id) | length << 120;
            let mut cache = Cache::new();
            (0..200_000).for_each(|id| cache.put(key(id), ids(id)));
            assert_eq!(cache.get(key(199_999)), ids(199_999));
            let kept = (0..200_000).filter(|&id| cache.get(key(id)) == ids(id)).count();
            assert!((entries / 2..=entries).contains(&kept), "{kept} of {entries}");
        }
    }

    #[test]
    fn short_pieces_of_many_ids_are_remembered_too() {
        let (mut cache, key) = (Cache::new(), key(b"abc", 0, 3));
        let ids = Packed::new(&[1, 2, 3, 4, 5]).unwrap();
        cache.put(key, ids);
        assert_eq!((cache.get(key), cache.long(key)), (ids, ids));
    }
}
