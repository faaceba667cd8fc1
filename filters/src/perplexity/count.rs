//! Runs of symbols, counted.

use super::alphabet::{Alphabet, BITS};

/// Longest run of symbols: 60 bits of a key.
pub(super) const LONGEST: u32 = 5;

/// The bits of a run of so many symbols.
pub(super) fn mask(symbols: u32) -> u64 {
    (1 << (BITS * symbols)) - 1
}

/// Distinct runs of symbols, the first symbol in the highest bits, with their counts; ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NgramCounts(pub(super) Vec<(u64, u32)>);

impl NgramCounts {
    /// The runs of `order` symbols that end in each character of a text; before its beginning stand spaces.
    #[must_use]
    pub fn of(text: &str, alphabet: &Alphabet, order: u32) -> Self {
        let mut context = 0;
        let mut keys = Vec::with_capacity(text.len() / 2);
        for symbol in alphabet.symbols(text) {
            context = (context << BITS | u64::from(symbol)) & mask(order);
            keys.push(context);
        }
        Self::of_keys(keys)
    }

    /// Counts equal keys.
    pub(super) fn of_keys(mut keys: Vec<u64>) -> Self {
        keys.sort_unstable();
        Self(keys.chunk_by(|a, b| a == b).map(|equal| (equal[0], u32::try_from(equal.len()).unwrap_or(u32::MAX))).collect())
    }

    /// The counts of both.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        if self.0.is_empty() || other.0.is_empty() {
            return if self.0.is_empty() { other } else { self };
        }
        let mut merged = Vec::with_capacity(self.0.len().max(other.0.len()) + self.0.len().min(other.0.len()) / 2);
        let (mut left, mut right) = (self.0.into_iter().peekable(), other.0.into_iter().peekable());
        loop {
            merged.push(match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.0 == b.0 => (a.0, a.1.saturating_add(b.1)),
                (Some(a), Some(b)) => *if a.0 < b.0 { a } else { b },
                (Some(one), None) | (None, Some(one)) => *one,
                (None, None) => break,
            });
            let key = merged.last().map_or(0, |last| last.0);
            left.next_if(|next| next.0 == key);
            right.next_if(|next| next.0 == key);
        }
        Self(merged)
    }

    /// Of runs one symbol shorter: before how many different symbols each of them stands.
    pub(super) fn continuations(&self, order: u32) -> Self {
        Self::of_keys(self.0.iter().map(|(key, _)| key & mask(order - 1)).collect())
    }
}
