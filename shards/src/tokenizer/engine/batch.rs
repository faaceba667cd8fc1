//! Pieces whose ids are looked up together.
//!
//! A cache of two megabytes answers late, but many questions at once: so pieces are gathered while the
//! text is split, then all their places in the cache are read in one short loop.

use super::cache::{Cache, Packed};

/// Pieces looked up together.
pub(crate) const SIZE: usize = 128;

/// Pieces in the order of the text, and what is known of their ids.
pub(crate) struct Batch {
    pub(super) len: usize,
    /// Zero for pieces too long to have a key.
    pub(super) keys: [u128; SIZE],
    /// Where each begins and ends.
    pub(super) spans: [(usize, usize); SIZE],
    pub(super) found: [Packed; SIZE],
    sets: [u32; SIZE],
    /// Which pieces the cache did not know, and how many.
    unknowns: [u8; SIZE],
    unknown: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        let found = [Packed::NONE; SIZE];
        Self { len: 0, keys: [0; SIZE], spans: [(0, 0); SIZE], found, sets: [0; SIZE], unknowns: [0; SIZE], unknown: 0 }
    }

    /// Adds a piece; true says that the batch is full.
    #[inline]
    pub(super) fn push(&mut self, key: u128, start: usize, end: usize) -> bool {
        self.offer(key, start, end, true)
    }

    /// The same where it is only known now whether the piece ends there; the next one takes its place if not.
    #[inline]
    pub(super) fn offer(&mut self, key: u128, start: usize, end: usize, ends: bool) -> bool {
        let at = self.len % SIZE;
        self.keys[at] = key;
        self.spans[at] = (start, end);
        self.len = at + usize::from(ends);
        self.len == SIZE
    }

    /// Asks the cache for all pieces, and takes those that it does not know down as unknown.
    #[inline]
    pub(super) fn look_up(&mut self, cache: &Cache) {
        let asked = self.keys.iter().zip(&mut self.sets).take(self.len);
        // Reads of nothing but the sets overlap best, many at a time; the comparisons then find them near.
        let near = asked.fold(0, |near, (&key, set)| {
            *set = Cache::set_of(key);
            near ^ cache.touch(*set)
        });
        std::hint::black_box(near);
        let asked = self.keys.iter().zip(&self.sets).zip(&mut self.found);
        asked.take(self.len).for_each(|((&key, &set), found)| *found = cache.in_set(set, key));
        self.unknown = 0;
        (0..self.len).for_each(|at| self.note_unknown(at));
    }

    /// Takes a piece down if it is unknown; without a branch, since that cannot be guessed.
    #[inline]
    fn note_unknown(&mut self, at: usize) {
        self.unknowns[self.unknown % SIZE] = at as u8;
        self.unknown += usize::from(self.found[at % SIZE] == Packed::NONE);
    }

    /// Keys of the pieces that are unknown.
    pub(super) fn unknown_keys(&self) -> impl Iterator<Item = u128> {
        self.unknowns.iter().take(self.unknown).map(|&at| self.keys[usize::from(at) % SIZE])
    }
}
