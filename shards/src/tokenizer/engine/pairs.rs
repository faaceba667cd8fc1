//! Merges by the pair of ids they join: an open-addressed table, and a direct one for two bytes.
//!
//! Nearly all time that a merge takes is spent waiting for this table, so an entry is one word: two
//! ids and a rank. What a merge makes is looked up by rank, only once it happens.

use std::collections::HashMap;

/// Rank of no merge, after every other.
pub(crate) const NONE: u32 = u32::MAX;

/// In place of an id, where merges of one rank make several.
pub(crate) const TIED: u32 = u32::MAX - 1;

/// Ids that an entry has room for.
pub(crate) const MAX_ID: u32 = (1 << ID_BITS) - 2;
/// Merges that an entry has room for.
pub(crate) const MAX_MERGES: usize = 1 << RANK_BITS;

const ID_BITS: u32 = 21;
const RANK_BITS: u32 = 22;
const FREE: u64 = u64::MAX;

/// The merges of a vocabulary.
pub(crate) struct Pairs {
    /// Left and right id and rank; a power of two of slots, some of them free.
    slots: Vec<u64>,
    shift: u32,
    /// One bit per hash, set if a merge has it: small enough to be near, it answers most questions,
    /// since most neighbours have no merge.
    filter: Vec<u64>,
    /// By rank: the id that is made, or [`TIED`]; not stored where [`Pairs::offset`] tells.
    made: Vec<u32>,
    /// What is added to a rank to give the id that is made, where that is the same for all: looking it up waits for memory.
    offset: Option<u32>,
    /// What pairs make whose rank does not tell.
    tied: HashMap<u64, u32, ahash::RandomState>,
    /// By two bytes: the rank of the merge of their tokens; empty where symbols are characters.
    bytes: Vec<u32>,
    byte_ids: [u32; 256],
}

impl Pairs {
    /// Merges in the order of their ranks as (left, right, result); of equal pairs the last counts.
    pub(crate) fn new(merges: &[(u32, u32, u32)], byte_ids: [u32; 256]) -> Self {
        let ranked = merges.iter().enumerate().map(|(rank, &(left, right, _))| (left, right, rank as u32));
        let mut pairs = Self::ranked(ranked, merges.iter().map(|merge| merge.2).collect(), &[]);
        let bytes = (0..1 << 16).map(|two: usize| pairs.get(byte_ids[two >> 8], byte_ids[two & 255]));
        pairs.bytes = bytes.collect();
        pairs.byte_ids = byte_ids;
        pairs
    }

    /// Merges as (left, right, rank), of which several may share a rank, and what each rank makes: [`TIED`] where
    /// `tied` says it, by left and right. Of equal pairs the last counts.
    pub(crate) fn ranked(merges: impl ExactSizeIterator<Item = (u32, u32, u32)>, made: Vec<u32>, tied: &[(u32, u32, u32)]) -> Self {
        let size = (merges.len() * 5 / 3).next_power_of_two().max(64);
        let filter = vec![0; size.clamp(64, 1 << 18) * 4 / 64];
        let first = made.first().copied().filter(|id| *id != TIED);
        let offset = first.filter(|offset| made.iter().zip(*offset..).all(|(id, next)| *id == next));
        let mut pairs = Self {
            slots: vec![FREE; size],
            shift: 64 - size.trailing_zeros(),
            filter,
            made: if offset.is_some() { Vec::new() } else { made },
            offset,
            tied: tied.iter().map(|&(left, right, made)| (key(left, right), made)).collect(),
            bytes: Vec::new(),
            byte_ids: [0; 256],
        };
        for (left, right, rank) in merges {
            let key = key(left, right);
            let mut at = pairs.home(key);
            while pairs.slots[at] != FREE && pairs.slots[at] >> RANK_BITS != key {
                at = (at + 1) & (size - 1);
            }
            pairs.slots[at] = key << RANK_BITS | u64::from(rank);
            let bit = pairs.bit(key);
            pairs.filter[bit / 64] |= 1 << (bit % 64);
        }
        pairs
    }

    /// The rank of the merge of two ids, or [`NONE`].
    #[inline]
    pub(crate) fn get(&self, left: u32, right: u32) -> u32 {
        let key = key(left, right);
        let bit = self.bit(key);
        if self.filter[bit / 64] >> (bit % 64) & 1 == 0 {
            return NONE;
        }
        let mut at = self.home(key);
        loop {
            let slot = self.slots[at];
            if slot >> RANK_BITS == key {
                return slot as u32 & ((1 << RANK_BITS) - 1);
            }
            if slot == FREE {
                return NONE;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    /// The rank of the merge of the tokens of two bytes, or [`NONE`].
    #[inline]
    pub(crate) fn of_bytes(&self, left: u8, right: u8) -> u32 {
        self.bytes[usize::from(left) << 8 | usize::from(right)]
    }

    /// The id that the merge of two ids makes, which has the rank.
    #[inline]
    pub(crate) fn made(&self, left: u32, right: u32, rank: u32) -> u32 {
        if let Some(offset) = self.offset {
            return offset + rank;
        }
        match self.made[rank as usize] {
            TIED => self.tied.get(&key(left, right)).copied().unwrap_or(TIED),
            id => id,
        }
    }

    /// The token of a byte.
    #[inline]
    pub(crate) fn byte(&self, byte: u8) -> u32 {
        self.byte_ids[usize::from(byte)]
    }

    #[inline]
    fn home(&self, key: u64) -> usize {
        (hash(key) >> self.shift) as usize
    }

    /// The bit of the filter for a pair.
    #[inline]
    fn bit(&self, key: u64) -> usize {
        (hash(key) >> 20) as usize & (self.filter.len() * 64 - 1)
    }
}

#[inline]
fn key(left: u32, right: u32) -> u64 {
    u64::from(left) << ID_BITS | u64::from(right)
}

#[inline]
fn hash(key: u64) -> u64 {
    (key ^ key >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
