//! What was encoded lately: pieces of up to 15 bytes that became up to 6 ids.
//!
//! The size is fixed. A piece is its own key, so a hit compares no memory elsewhere, and a set of two
//! entries is one cache line.

use super::hash::hash_key;

/// Longest piece that is remembered.
pub(crate) const LONGEST: usize = 15;
/// Most ids that are remembered.
const MOST: usize = 6;
/// Ids that hardly any piece has more of.
const FEW: usize = 3;
/// Sets of two entries: 2 MB.
const SETS: usize = 1 << 15;

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

/// A piece of up to 15 bytes as a number: the bytes, then the length in the highest byte.
#[inline]
pub(crate) fn key(text: &[u8], start: usize, end: usize) -> u128 {
    let length = end - start;
    let all = match text[start..].first_chunk::<16>() {
        Some(bytes) => u128::from_le_bytes(*bytes),
        None => match text.last_chunk::<16>() {
            // Near the end of the text the last 16 bytes hold the piece, further up.
            Some(bytes) => u128::from_le_bytes(*bytes) >> (8 * (start + 16 - text.len())),
            None => {
                let mut bytes = [0; 16];
                bytes[..length].copy_from_slice(&text[start..end]);
                u128::from_le_bytes(bytes)
            }
        },
    };
    (all & MASKS[length % 16]) | (length as u128) << 120
}

/// By length, the bits of as many bytes.
const MASKS: [u128; 16] = {
    let (mut masks, mut length) = ([0; 16], 1);
    while length < 16 {
        masks[length] = masks[length - 1] << 8 | 0xff;
        length += 1;
    }
    masks
};

/// A set-associative cache.
pub(crate) struct Cache {
    sets: Vec<Set>,
}

/// Two entries, the newer one first: one cache line.
#[derive(Clone)]
#[repr(align(64))]
struct Set([(u128, Packed); 2]);

impl Cache {
    pub(crate) fn new() -> Self {
        Self { sets: vec![Set([(0, Packed::NONE); 2]); SETS] }
    }

    /// The set that a key belongs to.
    #[inline]
    pub(crate) fn set_of(key: u128) -> u32 {
        (hash_key(key) >> (64 - SETS.trailing_zeros())) as u32
    }

    /// Reads a set, so that the next to read it need not wait.
    #[inline]
    pub(crate) fn touch(&self, set: u32) -> u64 {
        self.sets[set as usize % SETS].0[0].0 as u64
    }

    /// The ids of a piece, or none; without a branch, so that many can be asked for at once.
    #[inline]
    pub(crate) fn in_set(&self, set: u32, key: u128) -> Packed {
        let Set([first, second]) = &self.sets[set as usize % SETS];
        let of = |entry: &(u128, Packed)| entry.1.0 & u128::from(entry.0 == key).wrapping_neg();
        Packed(of(first) | of(second))
    }

    /// The ids of a piece, or none.
    #[inline]
    pub(crate) fn get(&self, key: u128) -> Packed {
        self.in_set(Self::set_of(key), key)
    }

    /// Remembers the ids of a piece; the older entry of its set goes.
    pub(crate) fn put(&mut self, key: u128, ids: Packed) {
        let Set(set) = &mut self.sets[Self::set_of(key) as usize % SETS];
        set[1] = set[0];
        set[0] = (key, ids);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn keys_do_not_depend_on_what_is_around() {
        let long = b"....abc.................";
        for (text, start) in [(&b"abc"[..], 0), (b"abcdefghijklmnopqrstuv", 0), (b"..............abc.....", 14), (long, 4)] {
            assert_eq!(key(text, start, start + 3), u128::from_le_bytes(*b"abc\0\0\0\0\0\0\0\0\0\0\0\0\x03"));
        }
        assert_ne!(key(b"ab\0", 0, 2), key(b"ab\0", 0, 3));
        assert_eq!(key(b"0123456789abcdef", 1, 16) as u8, b'1');
    }

    #[test]
    fn forgets_the_oldest() {
        let mut cache = Cache::new();
        let ids = |id| Packed::new(&[id]).unwrap();
        (0..200_000u32).for_each(|id| cache.put(u128::from(id) | 4 << 120, ids(id)));
        assert_eq!(cache.get(199_999 | 4 << 120), ids(199_999));
        let kept = (0..200_000u32).filter(|&id| cache.get(u128::from(id) | 4 << 120) == ids(id)).count();
        assert!((SETS..=2 * SETS).contains(&kept), "{kept}");
    }
}
