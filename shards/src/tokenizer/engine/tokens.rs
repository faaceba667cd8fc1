//! Tokens by their bytes.

use std::collections::HashMap;

use super::hash::hash_key;
use super::keys;

/// Longest token of the table.
const SHORT: usize = 13;
/// Bits of an id in an entry of the table.
const ID_BITS: u32 = 20;
const FREE: u128 = 0;

/// A map from bytes to an id. The entry of a short token is one number, its bytes, then its length, then its id, in an open-addressed table:
/// finding one reads one place.
pub(crate) struct Tokens {
    slots: Vec<u128>,
    shift: u32,
    long: HashMap<Box<[u8]>, u32, ahash::RandomState>,
    longest: usize,
}

impl Tokens {
    /// A map of the tokens given; no two have the same bytes, and none is empty.
    pub(crate) fn new(tokens: &[(&[u8], u32)]) -> Self {
        let size = (tokens.len() * 5 / 3).next_power_of_two().max(16);
        let mut map = Self { slots: vec![FREE; size], shift: 64 - size.trailing_zeros(), long: HashMap::default(), longest: 0 };
        for &(token, id) in tokens {
            if token.len() > SHORT || id >> ID_BITS != 0 {
                map.longest = map.longest.max(token.len());
                map.long.insert(token.into(), id);
                continue;
            }
            let key = keys::key(token, 0, token.len());
            let at = map.slot(key);
            map.slots[at] = entry(key) | u128::from(id);
        }
        map
    }

    /// The id of a token.
    pub(crate) fn get(&self, token: &[u8]) -> Option<u32> {
        if token.len() <= SHORT {
            let slot = self.slots[self.slot(keys::key(token, 0, token.len()))];
            if slot != FREE {
                return Some(slot as u32 & ((1 << ID_BITS) - 1));
            }
        }
        if token.len() > self.longest {
            return None;
        }
        self.long.get(token).copied()
    }

    /// Where a key is, or where it would be.
    fn slot(&self, key: u128) -> usize {
        let (mut at, entry) = ((hash_key(key) >> self.shift) as usize, entry(key));
        while self.slots[at] >> ID_BITS != entry >> ID_BITS && self.slots[at] != FREE {
            at = (at + 1) & (self.slots.len() - 1);
        }
        at
    }

    /// Reads the place of a key, so that the next to look there need not wait.
    #[inline]
    pub(crate) fn touch(&self, key: u128) -> u64 {
        self.slots[(hash_key(key) >> self.shift) as usize] as u64
    }
}

/// What a slot holds of the key of a short token, without its id.
fn entry(key: u128) -> u128 {
    key << (128 - 8 * SHORT) | (key >> 120) << ID_BITS
}
