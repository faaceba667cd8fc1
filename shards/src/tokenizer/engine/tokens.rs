//! Tokens by their bytes.

use std::collections::HashMap;

use super::cache::{self, LONGEST};
use super::hash::hash_key;

/// A map from bytes to an id. Short tokens are their own keys, as in the cache, in an open-addressed
/// table, so that finding one reads one place.
pub(crate) struct Tokens {
    keys: Vec<u128>,
    ids: Vec<u32>,
    shift: u32,
    long: HashMap<Box<[u8]>, u32, ahash::RandomState>,
    longest: usize,
}

impl Tokens {
    /// A map of the tokens given; no two have the same bytes, and none is empty.
    pub(crate) fn new(tokens: &[(&[u8], u32)]) -> Self {
        let size = (tokens.len() * 5 / 3).next_power_of_two().max(16);
        let mut map =
            Self { keys: vec![0; size], ids: vec![0; size], shift: 64 - size.trailing_zeros(), long: HashMap::default(), longest: 0 };
        for &(token, id) in tokens {
            map.longest = map.longest.max(token.len());
            if token.len() > LONGEST {
                map.long.insert(token.into(), id);
                continue;
            }
            let at = map.slot(cache::key(token, 0, token.len()));
            (map.keys[at], map.ids[at]) = (cache::key(token, 0, token.len()), id);
        }
        map
    }

    /// The id of a token.
    pub(crate) fn get(&self, token: &[u8]) -> Option<u32> {
        if token.len() <= LONGEST {
            let at = self.slot(cache::key(token, 0, token.len()));
            return (self.keys[at] != 0).then(|| self.ids[at]);
        }
        if token.len() > self.longest {
            return None;
        }
        self.long.get(token).copied()
    }

    /// Where a key is, or where it would be.
    fn slot(&self, key: u128) -> usize {
        let mut at = (hash_key(key) >> self.shift) as usize;
        while self.keys[at] != key && self.keys[at] != 0 {
            at = (at + 1) & (self.keys.len() - 1);
        }
        at
    }

    /// Reads the place of a key, so that the next to look there need not wait.
    #[inline]
    pub(crate) fn touch(&self, key: u128) -> u64 {
        self.keys[(hash_key(key) >> self.shift) as usize] as u64
    }
}
