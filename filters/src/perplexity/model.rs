//! The model in memory: probabilities and backoffs by run of symbols, and what it says of a text.

use super::alphabet::{Alphabet, BITS, UNKNOWN};
use super::count::mask;
use crate::table::Table;

/// Codes of a bit: probabilities and backoffs are stored in steps of a 1024th.
const STEPS: f64 = 1024.0;
/// The code of a backoff of 1.
const NO_BACKOFF: u16 = 48 * 1024;
/// An unknown character is one of about as many as Unicode has: so many bits more than the symbol for all of them.
const UNKNOWN_BITS: f64 = 17.0;

/// What is stored of a run of symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// `-1024 log2 p` of its last symbol after the others.
    pub(super) probability: u16,
    /// `1024 (log2 b + 48)`, by which probabilities without its first symbol are multiplied after it.
    pub(super) backoff: u16,
}

impl Entry {
    fn packed(self) -> u32 {
        u32::from(self.probability) << 16 | u32::from(self.backoff)
    }

    fn of(packed: u32) -> Self {
        Self { probability: (packed >> 16) as u16, backoff: packed as u16 }
    }
}

/// The code of a probability, given its logarithm.
pub(super) fn code(log2: f64) -> u16 {
    (-log2 * STEPS).round().clamp(0.0, f64::from(u16::MAX)) as u16
}

/// The bits of a probability.
pub(super) fn bits(code: u16) -> f64 {
    f64::from(code) / STEPS
}

/// The code of a backoff, given its logarithm.
pub(super) fn backoff_code(log2: f64) -> u16 {
    (log2 * STEPS + f64::from(NO_BACKOFF)).round().clamp(0.0, f64::from(u16::MAX)) as u16
}

/// The logarithm of a backoff.
pub(super) fn backoff_bits(code: u16) -> f64 {
    (f64::from(code) - f64::from(NO_BACKOFF)) / STEPS
}

/// Where a model comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) prune: u32,
    pub(super) texts: u64,
    pub(super) characters: u64,
}

/// A model of runs of characters.
pub struct LanguageModel {
    pub(super) order: u32,
    pub(super) alphabet: Alphabet,
    pub(super) origin: Origin,
    /// Runs of each order, ascending.
    pub(super) keys: Vec<Vec<u64>>,
    /// [`Entry`]s by [`place`].
    table: Table,
    stored: usize,
}

/// A run of an order as the table has it.
fn place(key: u64, order: u32) -> u64 {
    key | u64::from(order) << 60
}

impl LanguageModel {
    /// Without a run.
    pub(super) fn new(order: u32, alphabet: Alphabet, origin: Origin) -> Self {
        Self { order, alphabet, origin, keys: Vec::new(), table: Table::default(), stored: 0 }
    }

    /// A model that knows nothing, to ask a filter for its names with.
    pub(super) fn blank() -> Self {
        Self::new(2, Alphabet::of(Vec::new()), Origin::default())
    }

    /// Adds the runs of the next order, ascending.
    pub(super) fn add(&mut self, order: u32, entries: &[(u64, Entry)]) {
        let mut table = Table::default();
        table.reset(self.stored + entries.len());
        for (order, keys) in (1..).zip(&self.keys) {
            for key in keys {
                table.get_or_insert(place(*key, order), self.table.get(place(*key, order)).unwrap_or(0));
            }
        }
        for (key, entry) in entries {
            table.get_or_insert(place(*key, order), entry.packed());
        }
        self.table = table;
        self.stored += entries.len();
        self.keys.push(entries.iter().map(|(key, _)| *key).collect());
    }

    pub(super) fn entry(&self, key: u64, order: u32) -> Option<Entry> {
        self.table.get(place(key, order)).map(Entry::of)
    }

    pub(super) fn set_backoff(&mut self, order: u32, key: u64, backoff: u16) {
        if let Some(entry) = self.entry(key, order) {
            self.table.set(place(key, order), Entry { backoff, ..entry }.packed());
        }
    }

    /// How many runs of each number of characters are stored.
    #[must_use]
    pub fn ngrams(&self) -> Vec<usize> {
        self.keys.iter().map(Vec::len).collect()
    }

    /// Texts and characters that it was learnt from.
    #[must_use]
    pub fn learnt(&self) -> [u64; 2] {
        [self.origin.texts, self.origin.characters]
    }

    /// Bits of the last symbol of a run of `order` symbols after the others.
    pub(super) fn bits_of(&self, key: u64, order: u32) -> f64 {
        let mut backoff = 0.0;
        for length in (1..=order).rev() {
            if let Some(entry) = self.entry(key & mask(length), length) {
                return bits(entry.probability) - backoff;
            }
            let context = (key & mask(length)) >> BITS;
            backoff += self.entry(context, length - 1).map_or(0.0, |entry| backoff_bits(entry.backoff));
        }
        bits(u16::MAX) - backoff
    }

    /// Bits and number of the characters of a text, white space in a row being one.
    #[must_use]
    pub fn measure(&self, text: &str) -> (f64, u64) {
        // In steps, so that the sum is exact in any order.
        let (mut steps, mut unknown, mut count) = (0_i64, 0_u64, 0_u64);
        let mut context = 0_u64;
        // Symbols of the context that are stored as a run, and what is stored of it.
        // Before a text stand spaces.
        let mut matched = (1..self.order).rev().find(|length| self.entry(context, *length).is_some()).unwrap_or(1);
        let mut last = self.entry(context, matched);
        for symbol in self.alphabet.symbols(text) {
            let key = (context << BITS | u64::from(symbol)) & mask(self.order);
            let mut length = matched + 1;
            let found = loop {
                if let Some(entry) = self.entry(key & mask(length), length) {
                    break entry;
                }
                if length == 1 {
                    break Entry { probability: u16::MAX, backoff: NO_BACKOFF };
                }
                let before = if length == matched + 1 { last } else { self.entry(context & mask(length - 1), length - 1) };
                steps -= before.map_or(0, |entry| i64::from(entry.backoff) - i64::from(NO_BACKOFF));
                length -= 1;
            };
            steps += i64::from(found.probability);
            unknown += u64::from(symbol == UNKNOWN);
            count += 1;
            context = key;
            // The longest run is no context: its end is.
            matched = length.min(self.order - 1);
            last = if length < self.order { Some(found) } else { self.entry(key & mask(matched), matched) };
        }
        (steps as f64 / STEPS + unknown as f64 * UNKNOWN_BITS, count)
    }

    /// `2^(bits / characters)` with four decimals; none for a text without a character.
    #[must_use]
    pub fn perplexity(&self, text: &str) -> Option<f64> {
        let (bits, count) = self.measure(text);
        (count > 0).then(|| ((bits / count as f64).exp2() * 1e4).round() / 1e4)
    }
}

impl std::fmt::Debug for LanguageModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LanguageModel").field("order", &self.order).field("ngrams", &self.ngrams()).finish()
    }
}
