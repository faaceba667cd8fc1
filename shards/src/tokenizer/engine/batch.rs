//! Pieces whose ids are looked up together.
//!
//! A cache of a megabyte answers late, but many questions at once: so pieces are gathered while the
//! text is split, then all their places in the cache are read in short loops without a branch that depends on them.

use super::cache::{Cache, Packed};
use super::keys;
use super::window::{self, ROOM};

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
    short: Places<u64>,
    long: Places<u128>,
    /// By place among the short keys: the line of the cache.
    lines: [u32; SIZE],
    /// Which pieces the cache did not know, and how many.
    unknowns: [u8; SIZE],
    unknown: usize,
}

/// Keys of one kind, and which pieces have them.
struct Places<K> {
    keys: [K; SIZE],
    pieces: [u8; SIZE],
    len: usize,
}

impl<K: Copy + Default> Places<K> {
    fn new() -> Self {
        Self { keys: [K::default(); SIZE], pieces: [0; SIZE], len: 0 }
    }

    /// Adds a key if it is `wanted`; without a branch, since that cannot be guessed.
    #[inline]
    fn offer(&mut self, key: K, piece: usize, wanted: bool) {
        self.keys[self.len % SIZE] = key;
        self.pieces[self.len % SIZE] = piece as u8;
        self.len += usize::from(wanted);
    }
}

impl Batch {
    pub(super) fn new() -> Self {
        Self {
            len: 0,
            keys: [0; SIZE],
            spans: [(0, 0); SIZE],
            found: [Packed::NONE; SIZE],
            short: Places::new(),
            long: Places::new(),
            lines: [0; SIZE],
            unknowns: [0; SIZE],
            unknown: 0,
        }
    }

    /// Adds a piece; true says that the batch is full.
    #[inline]
    pub(super) fn push(&mut self, key: u128, start: usize, end: usize) -> bool {
        let at = self.len % SIZE;
        self.keys[at] = key;
        self.spans[at] = (start, end);
        let short = keys::is_short(key);
        self.short.offer(keys::shorten(key), at, short);
        self.long.offer(key, at, !short);
        self.len = at + 1;
        self.len == SIZE
    }

    /// Whether there may be no room for the pieces of a window.
    #[inline]
    pub(super) fn is_nearly_full(&self) -> bool {
        self.len > SIZE - window::BYTES
    }

    /// Adds the pieces of a window at `at`, which begin at `starts` and the last of which ends at `end`. One that both begins and ends
    /// where words do gets the mark.
    #[inline]
    pub(super) fn push_window(&mut self, bytes: &[u8; ROOM], at: usize, starts: u64, end: usize, words: u64, mark: u128) {
        let mut ends = starts & !1 & window::before(end);
        let mut start = 0;
        for _ in 0..=ends.count_ones() {
            let stop = (ends.trailing_zeros() as usize).min(end);
            ends &= ends.wrapping_sub(1);
            let mut key = keys::key_at(bytes, start, stop - start);
            if mark != 0 && words >> (start % window::BYTES) & 1 != 0 && (stop == end || words >> (stop % window::BYTES) & 1 != 0) {
                key |= mark;
            }
            self.push(key, at + start, at + stop);
            start = stop;
        }
    }

    /// Asks the cache for all pieces, and takes those that it does not know down as unknown.
    #[inline]
    pub(super) fn look_up(&mut self, cache: &Cache) {
        let (short, long) = (std::mem::take(&mut self.short.len), std::mem::take(&mut self.long.len));
        let asked = self.short.keys.iter().zip(&mut self.lines).take(short);
        // Reads of nothing but the lines overlap best, many at a time; the comparisons then find them near.
        let near = asked.fold(0, |near, (&key, line)| {
            *line = Cache::line_of(key);
            near ^ cache.touch(*line)
        });
        std::hint::black_box(near);
        for ((&key, &piece), &line) in self.short.keys.iter().zip(&self.short.pieces).zip(&self.lines).take(short) {
            self.found[usize::from(piece) % SIZE] = cache.short(line, key);
        }
        for (&key, &piece) in self.long.keys.iter().zip(&self.long.pieces).take(long) {
            self.found[usize::from(piece) % SIZE] = cache.long(key);
        }
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
