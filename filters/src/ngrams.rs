//! Counting word n-grams by hash: no string is built for any of them.
//!
//! A polynomial over the integers modulo the prime 2^61 - 1 is hashed once along the words. The
//! hash of any run of words joined without spaces then costs one multiplication, whatever its
//! length, and two different runs of `L` bytes share it with a chance of about `L / 2^61`.

use crate::words::Word;

const PRIME: u64 = (1 << 61) - 1;
/// An arbitrary fixed base: hashes, and with them all decisions, are equal on every machine.
const BASE: u64 = 0x0b73_5a1f_9c4e_d285;
const POWERS: [u64; 512] = {
    let mut powers = [1; 512];
    let mut at = 1;
    while at < 512 {
        powers[at] = reduce(powers[at - 1] as u128 * BASE as u128);
        at += 1;
    }
    powers
};

/// Modulo 2^61 - 1 of anything below 2^124: a product of two residues and some change.
const fn reduce(x: u128) -> u64 {
    let folded = (x as u64 & PRIME) + (x >> 61) as u64;
    let folded = (folded & PRIME) + (folded >> 61);
    if folded >= PRIME { folded - PRIME } else { folded }
}

/// `BASE` to the power of a length in bytes.
fn power(length: usize) -> u64 {
    let mut result = 1;
    let mut rest = length;
    if rest < POWERS.len() {
        return POWERS[rest];
    }
    let mut square = BASE;
    while rest > 0 {
        if rest & 1 == 1 {
            result = reduce(u128::from(result) * u128::from(square));
        }
        square = reduce(u128::from(square) * u128::from(square));
        rest >>= 1;
    }
    result
}

/// The hash of a run that is followed by one more unit, itself hashed below 2^61.
pub(crate) fn append(before: u64, unit: u64) -> u64 {
    reduce(u128::from(before) * u128::from(BASE) + u128::from(unit))
}

/// The hash of the last `length` units of a run, from the hashes of all of it and of what stands before
/// them, as [`append`] gives them.
pub(crate) fn run_hash(before: u64, all: u64, length: usize) -> u64 {
    let hash = all + PRIME - reduce(u128::from(before) * u128::from(power(length)));
    if hash >= PRIME { hash - PRIME } else { hash }
}

/// The polynomial hash of some bytes, eight of them a step.
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hash = 0;
    for chunk in bytes.chunks(8) {
        let mut sum = u128::from(hash) * u128::from(POWERS[chunk.len()]);
        for (byte, power) in chunk.iter().rev().zip(&POWERS) {
            sum += (u128::from(*byte) + 1) * u128::from(*power);
        }
        hash = reduce(sum);
    }
    hash
}

/// A hash set or counter of 64-bit keys by linear probing, emptied and used again.
#[derive(Default)]
pub(crate) struct Table {
    keys: Vec<u64>,
    values: Vec<u32>,
    mask: usize,
    twice: Twice,
    /// Keys of one pass over a text.
    pass: Vec<u64>,
}

/// Which keys may occur twice: small enough for the nearest cache, so that most n-grams, which occur
/// once, never reach the table.
#[derive(Default)]
struct Twice {
    /// Met once in the low half, met again in the high half.
    marks: Vec<u64>,
    mask: usize,
}

impl Twice {
    fn reset(&mut self, expected: usize) {
        let slots = (expected.max(16) / 2).next_power_of_two();
        if self.marks.len() < slots {
            self.marks.resize(slots, 0);
        }
        self.marks[..slots].fill(0);
        self.mask = slots - 1;
    }

    fn place(&self, key: u64) -> (usize, u64) {
        let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed >> 32) as usize & self.mask, 1 << (mixed >> 59))
    }

    fn mark(&mut self, key: u64) {
        let (slot, bit) = self.place(key);
        let marks = &mut self.marks[slot];
        *marks |= bit | (*marks & bit) << 32;
    }

    fn contains(&self, key: u64) -> bool {
        let (slot, bit) = self.place(key);
        self.marks[slot] >> 32 & bit != 0
    }
}

impl Table {
    /// Empties the table and makes room for `expected` keys.
    pub(crate) fn reset(&mut self, expected: usize) {
        let slots = (expected.max(4) * 2).next_power_of_two();
        if self.keys.len() < slots {
            self.keys.resize(slots, 0);
            self.values.resize(slots, 0);
        }
        self.keys[..slots].fill(0);
        self.mask = slots - 1;
    }

    #[cfg(test)]
    pub(crate) fn slots(&self) -> usize {
        self.keys.len()
    }

    /// Empties the table for these keys, which are kept as the pass; only those that may repeat need
    /// to be looked up afterwards, see [`Table::may_repeat`].
    fn start_pass(&mut self, keys: impl Iterator<Item = u64>) {
        self.pass.clear();
        self.pass.extend(keys);
        self.twice.reset(self.pass.len());
        for &key in &self.pass {
            self.twice.mark(key);
        }
        let repeating = self.pass.iter().filter(|&&key| self.twice.contains(key)).count();
        self.reset(repeating);
    }

    /// False for a key that occurs once in the pass.
    fn may_repeat(&self, key: u64) -> bool {
        self.twice.contains(key)
    }

    /// The value stored for the key; a key met for the first time stores `value` and gives `None`.
    pub(crate) fn get_or_insert(&mut self, key: u64, value: u32) -> Option<u32> {
        let key = key.max(1);
        let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut slot = (mixed >> 32) as usize & self.mask;
        loop {
            match self.keys[slot] {
                0 => {
                    self.keys[slot] = key;
                    self.values[slot] = value;
                    return None;
                }
                stored if stored == key => return Some(self.values[slot]),
                _ => slot = (slot + 1) & self.mask,
            }
        }
    }

    /// The value stored for the key.
    pub(crate) fn get(&self, key: u64) -> Option<u32> {
        let key = key.max(1);
        let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut slot = (mixed >> 32) as usize & self.mask;
        loop {
            match self.keys.get(slot) {
                None | Some(0) => return None,
                Some(stored) if *stored == key => return self.values.get(slot).copied(),
                _ => slot = (slot + 1) & self.mask,
            }
        }
    }

    /// True when the key was there already; it is afterwards in any case.
    pub(crate) fn seen(&mut self, key: u64) -> bool {
        self.get_or_insert(key, 0).is_some()
    }
}

/// A key for each run of `n` words; the words of equal keys are equal.
pub(crate) fn ngram_keys(words: &[Word], n: usize) -> impl Iterator<Item = u64> + '_ {
    let fold = |key: u64, word: &Word| key.rotate_left(23).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ word.hash;
    words.windows(n.max(1)).map(move |window| window.iter().fold(0, fold))
}

/// Characters covered by the most frequent n-gram: its length, words joined by single spaces,
/// times its count. Occurrences may overlap; of equally frequent ones the first counts. `None`
/// when the text has fewer than `n` words.
pub(crate) fn top_ngram_chars(words: &[Word], n: usize, table: &mut Table) -> Option<usize> {
    if n == 0 || words.len() < n {
        return None;
    }
    table.start_pass(ngram_keys(words, n));
    // (first word, count) in the order of first appearance; what occurs once is the first n-gram
    let mut counts: Vec<(u32, u32)> = vec![(0, 1)];
    for at in 0..table.pass.len() {
        let key = table.pass[at];
        if !table.may_repeat(key) {
            continue;
        }
        match table.get_or_insert(key, counts.len() as u32) {
            Some(entry) => counts[entry as usize].1 += 1,
            None => counts.push((at as u32, 1)),
        }
    }
    let mut best = (0, 0);
    for &(first, count) in &counts {
        if count > best.1 {
            best = (first, count);
        }
    }
    let first = best.0 as usize;
    let chars: usize = words[first..first + n].iter().map(|word| word.chars as usize).sum();
    Some((chars + n - 1) * best.1 as usize)
}

/// Running hashes and lengths along the words, from which every duplicate n-gram is found.
pub(crate) struct Runs {
    /// Hash of the first `i` words joined without spaces.
    hashes: Vec<u64>,
    /// Bytes and characters of the first `i` words.
    lengths: Vec<(u32, u32)>,
}

impl Runs {
    pub(crate) fn new(words: &[Word]) -> Self {
        let mut hashes = Vec::with_capacity(words.len() + 1);
        let mut lengths = Vec::with_capacity(words.len() + 1);
        let (mut hash, mut bytes, mut chars) = (0, 0, 0);
        hashes.push(hash);
        lengths.push((bytes, chars));
        for word in words {
            let length = word.end - word.start;
            let shifted = u128::from(hash) * u128::from(power(length as usize));
            hash = reduce(shifted + u128::from(word.hash));
            bytes += length;
            chars += word.chars;
            hashes.push(hash);
            lengths.push((bytes, chars));
        }
        Self { hashes, lengths }
    }

    /// Characters inside repeated n-grams, from left to right: one that was met before counts its
    /// characters (without spaces) and is jumped over, a new one moves on by a word.
    ///
    /// As in the reference the words are joined without a space, so `ab c` equals `a bc`.
    pub(crate) fn duplicate_chars(&self, n: usize, table: &mut Table) -> usize {
        let words = self.hashes.len() - 1;
        let key = |(at, until): (&u64, &u64), (from, to): (u32, u32)| {
            let prefix = reduce(u128::from(*at) * u128::from(power((to - from) as usize)));
            let window = until + PRIME - prefix;
            if window >= PRIME { window - PRIME } else { window }
        };
        let ahead = n.min(words + 1);
        let bytes = self.lengths.iter().zip(&self.lengths[ahead..]).map(|(from, to)| (from.0, to.0));
        table.start_pass(self.hashes.iter().zip(&self.hashes[ahead..]).zip(bytes).map(|(hashes, bytes)| key(hashes, bytes)));
        let (mut at, mut repeated) = (0, 0);
        while at + n <= words {
            let window = table.pass[at];
            if table.may_repeat(window) && table.seen(window) {
                repeated += (self.lengths[at + n].1 - self.lengths[at].1) as usize;
                at += n;
            } else {
                at += 1;
            }
        }
        repeated
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;
    use crate::words::Words;

    /// The definition, on strings.
    fn slow_duplicates(words: &[&str], n: usize) -> usize {
        let (mut seen, mut at, mut repeated) = (HashSet::new(), 0, 0);
        while at + n <= words.len() {
            let gram = words[at..at + n].concat();
            if seen.contains(&gram) {
                repeated += gram.chars().count();
                at += n;
            } else {
                seen.insert(gram);
                at += 1;
            }
        }
        repeated
    }

    /// The definition, on strings.
    fn slow_top(words: &[&str], n: usize) -> Option<usize> {
        let grams: Vec<String> = words.windows(n).map(|window| window.join(" ")).collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for gram in &grams {
            *counts.entry(gram).or_default() += 1;
        }
        let most = grams.iter().map(|gram| counts[gram.as_str()]).max()?;
        let first = grams.iter().find(|gram| counts[gram.as_str()] == most)?;
        Some(first.chars().count() * most)
    }

    #[test]
    fn hand_counted() {
        let mut table = Table::default();
        let words = Words::new("a b a b a b");
        // "a b" three times, three characters each
        assert_eq!(top_ngram_chars(&words, 2, &mut table), Some(9));
        // ab, ba are new; then "ab" again (2 characters, jump), "ab" again
        assert_eq!(Runs::new(&words).duplicate_chars(2, &mut table), 4);
        assert_eq!(top_ngram_chars(&words, 7, &mut table), None);
        assert_eq!(Runs::new(&[]).duplicate_chars(5, &mut table), 0);
        // joined without a space the two halves are one string
        let words = Words::new("ab c a bc");
        assert_eq!(Runs::new(&words).duplicate_chars(2, &mut table), 3);
    }

    #[test]
    fn powers_agree_with_repeated_products() {
        let mut expected = 1;
        for length in 0..1200 {
            assert_eq!(power(length), expected, "{length}");
            expected = reduce(u128::from(expected) * u128::from(BASE));
        }
        assert_eq!(reduce(u128::from(PRIME)), 0);
        assert_eq!(reduce(u128::from(PRIME - 1) * u128::from(PRIME - 1)), 1);
    }

    proptest! {
        #[test]
        fn counts_equal_the_definition(text in "([ab]{1,2}|가|나다)( ([ab]{1,2}|가|나다)){0,40}", n in 1_usize..7) {
            let words = Words::new(&text);
            let strings: Vec<&str> = text.split(' ').collect();
            let mut table = Table::default();
            prop_assert_eq!(top_ngram_chars(&words, n, &mut table), slow_top(&strings, n));
            prop_assert_eq!(
                Runs::new(&words).duplicate_chars(n, &mut table),
                slow_duplicates(&strings, n)
            );
        }

        #[test]
        fn hashing_is_compositional(left: Vec<u8>, right: Vec<u8>) {
            let joined = [left.clone(), right.clone()].concat();
            let shifted = u128::from(hash_bytes(&left)) * u128::from(power(right.len()));
            prop_assert_eq!(reduce(shifted + u128::from(hash_bytes(&right))), hash_bytes(&joined));
        }
    }
}
