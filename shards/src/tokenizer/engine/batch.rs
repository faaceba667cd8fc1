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
}

impl Batch {
    pub(super) fn new() -> Self {
        Self { len: 0, keys: [0; SIZE], spans: [(0, 0); SIZE], found: [Packed::NONE; SIZE], sets: [0; SIZE] }
    }

    /// Adds a piece; true says that the batch is full.
    #[inline]
    pub(super) fn push(&mut self, key: u128, start: usize, end: usize) -> bool {
        let at = self.len % SIZE;
        self.keys[at] = key;
        self.spans[at] = (start, end);
        self.sets[at] = Cache::set_of(key);
        self.len = at + 1;
        self.len == SIZE
    }

    /// Asks the cache for all pieces.
    #[inline]
    pub(super) fn look_up(&mut self, cache: &Cache) {
        // Reads of nothing but the sets overlap best, many at a time; the comparisons then find them near.
        let near = self.sets[..self.len].iter().fold(0, |near, &set| near ^ cache.touch(set));
        std::hint::black_box(near);
        let asked = self.keys.iter().zip(&self.sets).zip(&mut self.found);
        for ((&key, &set), found) in asked.take(self.len) {
            *found = cache.in_set(set, key);
        }
    }
}
