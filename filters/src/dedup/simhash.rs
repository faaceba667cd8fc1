//! SimHash over character shingles: 64 bits that differ in few places between similar texts.

use siphasher::sip::SipHasher24;
use xxhash_rust::xxh3::xxh3_64;

use super::SimHashConfig;

/// The fingerprint of a normalised text; none if it is shorter than a shingle.
///
/// A bit is set where more hashes of shingles have it than lack it, the hash being that of the
/// `simhash` crate (SipHash-2-4 of a string), which the tests ask. The shingles are ours: the crate
/// splits at white space, which in Korean makes one feature of a noun and its particle and loses word
/// order. Every different shingle counts once: otherwise a rule of hyphens or the frame of a table, a
/// hundred times `------`, sets most bits alone and unrelated pages meet.
pub(super) fn sign(config: &SimHashConfig, normal: &str) -> Option<u64> {
    let starts = || normal.char_indices().map(|(at, _)| at);
    let ends = starts().skip(config.ngram).chain([normal.len()]);
    let most = (normal.chars().count() + 1).checked_sub(config.ngram).filter(|most| *most > 0)?;
    let mut met = Met::new(most);
    let mut votes = Votes::new();
    let mut terminated = Vec::new();
    for (start, end) in starts().zip(ends) {
        let shingle = &normal.as_bytes()[start..end];
        // Two shingles of one 32-bit hash count as one, which no fingerprint notices.
        if met.insert(xxh3_64(shingle) as u32) {
            terminated.clear();
            terminated.extend_from_slice(shingle);
            terminated.push(0xFF); // as the standard library ends a string that is hashed
            votes.add(SipHasher24::new().hash(&terminated));
        }
    }
    Some(votes.majority())
}

/// Numbers that were met, by linear probing.
struct Met {
    slots: Vec<u32>,
    /// The number that marks a free slot was met.
    zero: bool,
}

impl Met {
    /// Room for so many different numbers.
    fn new(most: usize) -> Self {
        Self { slots: vec![0; (most.max(4) * 2).next_power_of_two()], zero: false }
    }

    /// True for a number that was not met before.
    fn insert(&mut self, number: u32) -> bool {
        if number == 0 {
            return !std::mem::replace(&mut self.zero, true);
        }
        let mask = self.slots.len() - 1;
        let mut slot = number as usize & mask;
        while self.slots[slot] != 0 {
            if self.slots[slot] == number {
                return false;
            }
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = number;
        true
    }
}

/// How many hashes have each of their 64 bits.
struct Votes {
    /// Of the latest hashes, eight counters of a byte in each number.
    few: [u64; 8],
    latest: u8,
    /// Of those before.
    many: [u32; 64],
    hashes: u32,
}

/// The bits of a byte, each in a byte of its own.
const SPREAD: [u64; 256] = {
    let mut spread = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            spread[byte] |= (byte as u64 >> bit & 1) << (8 * bit);
            bit += 1;
        }
        byte += 1;
    }
    spread
};

impl Votes {
    fn new() -> Self {
        Self { few: [0; 8], latest: 0, many: [0; 64], hashes: 0 }
    }

    fn add(&mut self, hash: u64) {
        for (counters, byte) in self.few.iter_mut().zip(hash.to_le_bytes()) {
            *counters += SPREAD[usize::from(byte)];
        }
        self.latest += 1;
        if self.latest == u8::MAX {
            self.carry();
        }
    }

    /// Moves the small counters, before they are full, into the large ones.
    fn carry(&mut self) {
        for (count, few) in self.many.iter_mut().zip(self.few.iter().flat_map(|counters| counters.to_le_bytes())) {
            *count += u32::from(few);
        }
        self.hashes += u32::from(self.latest);
        (self.few, self.latest) = ([0; 8], 0);
    }

    /// The bits that more than half of the hashes have.
    fn majority(mut self) -> u64 {
        self.carry();
        let bit = |(at, count): (usize, &u32)| u64::from(u64::from(*count) * 2 > u64::from(self.hashes)) << at;
        self.many.iter().enumerate().map(bit).sum()
    }
}

/// Masks of two blocks out of max-distance + 2 equal ones, over all pairs.
///
/// Two fingerprints that differ in at most max-distance bits agree in at least two whole blocks, so
/// they agree under at least one mask (Manku, Jain and Das Sarma 2007, section 3).
pub(super) fn masks(max_distance: u32) -> Vec<u64> {
    let blocks = max_distance.min(62) + 2;
    let edge = |block: u32| block * 64 / blocks;
    let block = |i: u32| {
        let below = |bit: u32| if bit >= 64 { u64::MAX } else { (1_u64 << bit) - 1 };
        below(edge(i + 1)) & !below(edge(i))
    };
    (0..blocks).flat_map(|i| (i + 1..blocks).map(move |j| block(i) | block(j))).collect()
}

/// Bits in which two fingerprints differ.
pub(super) fn distance(a: u64, b: u64) -> u32 {
    simhash::hamming_distance(a, b)
}

/// Share of equal bits.
pub(super) fn similarity(a: u64, b: u64) -> f32 {
    simhash::hash_similarity(a, b) as f32
}

#[cfg(test)]
mod tests {
    use super::super::Shingle;
    use super::super::shingle::shingles;
    use super::*;

    #[test]
    fn masks_by_hand() {
        assert_eq!(masks(0), [u64::MAX]); // two blocks of 32, both must agree
        assert_eq!(masks(3).len(), 10); // 5 choose 2
        assert_eq!(
            masks(2),
            [
                0x0000_0000_ffff_ffff,
                0x0000_ffff_0000_ffff,
                0xffff_0000_0000_ffff,
                0x0000_ffff_ffff_0000,
                0xffff_0000_ffff_0000,
                0xffff_ffff_0000_0000
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn near_fingerprints_share_a_mask(value: u64, max in 0_u32..7, bits in proptest::collection::vec(0_u32..64, 0..7)) {
            let other = bits.iter().take(max as usize).fold(value, |other, bit| other ^ (1 << bit));
            proptest::prop_assert!(masks(max).iter().any(|mask| value & mask == other & mask));
        }
    }

    #[test]
    fn shingles_are_ours() {
        let config = SimHashConfig::default();
        assert_eq!(sign(&config, "다섯글자만"), None);
        assert_eq!(sign(&config, "여섯 글자다"), Some(simhash::simhash_stream(["여섯 글자다"].into_iter())));
        // Order and repetition do not count: ababab, bababa.
        let ngram = SimHashConfig { ngram: 6, max_distance: 3 };
        assert_eq!(sign(&ngram, "abababab"), Some(simhash::simhash_stream(["bababa", "ababab"].into_iter())));
        assert_eq!(sign(&ngram, "abababab"), sign(&ngram, &"ab".repeat(1000)));
        assert_eq!(similarity(0b1011, 0), 1.0 - 3.0 / 64.0);
    }

    /// A set of shingles that the standard library keeps, hashed by the `simhash` crate.
    fn slow(config: &SimHashConfig, normal: &str) -> Option<u64> {
        let shingles = shingles(normal, Shingle::Char, config.ngram);
        let different: std::collections::BTreeSet<&str> = shingles.iter().map(String::as_str).collect();
        (!different.is_empty()).then(|| simhash::simhash_stream(different.into_iter()))
    }

    proptest::proptest! {
        #[test]
        fn equals_the_crate_on_a_set(text in "[ab ]{0,40}|[가나다라 a-f]{0,2000}|\\PC{0,60}", ngram in 1_usize..9) {
            let config = SimHashConfig { ngram, max_distance: 3 };
            proptest::prop_assert_eq!(sign(&config, &text), slow(&config, &text));
        }
    }

    #[test]
    fn the_free_slot_is_a_number_too() {
        let mut met = Met::new(2);
        assert_eq!([0, 7, 0, 15, 7, 23, 15].map(|number| met.insert(number)), [true, true, false, true, false, true, false]);
    }
}
