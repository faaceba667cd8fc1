//! Overlapping runs of words or characters of a normalised text, as hashes.

use xxhash_rust::xxh3::xxh3_64;

use super::Shingle;
use crate::bytes::places;

/// An arbitrary odd number: hashes, and with them all decisions, are equal on every machine.
const BASE: u64 = 0x9f8a_3c6b_51e7_d02d;

/// The hash of every run of `n` units of a normalised text (words divided by exactly one space), in the order
/// of the text. None if the text has fewer units.
///
/// A run is the polynomial of its units in `BASE` modulo 2⁶⁴, a character standing for its code point and a
/// word for its xxh3: from one run to the next are two products, however long it is.
pub(super) fn hashes(text: &str, unit: Shingle, n: usize) -> Vec<u64> {
    let units: Vec<u64> = match unit {
        Shingle::Char => text.chars().map(|c| u64::from(u32::from(c)) + 1).collect(),
        Shingle::Word => words(text).map(|word| xxh3_64(word.as_bytes())).collect(),
    };
    let Some((first, entering)) = units.split_at_checked(n) else { return Vec::new() };
    let append = |run: u64, unit: &u64| run.wrapping_mul(BASE).wrapping_add(*unit);
    let mut run = first.iter().fold(0, append);
    let leaves = (0..n).fold(1_u64, |power, _| power.wrapping_mul(BASE));
    let mut hashes = Vec::with_capacity(entering.len() + 1);
    hashes.push(run);
    for (left, entered) in units.iter().zip(entering) {
        run = append(run, entered).wrapping_sub(left.wrapping_mul(leaves));
        hashes.push(run);
    }
    hashes
}

/// What stands between spaces; nothing of an empty text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut start = 0;
    let ends = places(text.as_bytes(), |byte| byte == b' ').chain([text.len()]);
    ends.filter_map(move |end| text.get(std::mem::replace(&mut start, end + 1)..end)).filter(|word| !word.is_empty())
}

/// The runs themselves.
#[cfg(test)]
pub(super) fn shingles(text: &str, unit: Shingle, n: usize) -> Vec<String> {
    let units: Vec<String> = match unit {
        Shingle::Char => text.chars().map(String::from).collect(),
        Shingle::Word => text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
    };
    units.windows(n).map(|run| run.join(if unit == Shingle::Word { " " } else { "" })).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_by_hand() {
        assert_eq!(shingles("나는 오늘 학교에 갔다", Shingle::Word, 2), ["나는 오늘", "오늘 학교에", "학교에 갔다"]);
        assert_eq!(shingles("가나 b", Shingle::Char, 3), ["가나 ", "나 b"]);
        let ga = u64::from(u32::from('가')) + 1;
        let na = u64::from(u32::from('나')) + 1;
        assert_eq!(hashes("가나", Shingle::Char, 2), [ga.wrapping_mul(BASE).wrapping_add(na)]);
        for (text, unit, n) in [("a b c", Shingle::Word, 4), ("", Shingle::Word, 1), ("가나", Shingle::Char, 3), ("", Shingle::Char, 1)] {
            assert!(hashes(text, unit, n).is_empty(), "{text}");
        }
    }

    proptest! {
        /// One hash for each run, and equal ones exactly for equal runs.
        #[test]
        fn hashes_stand_for_runs(text in "([가나a-c]{1,3} ){0,40}[a나]", n in 1_usize..7) {
            for unit in [Shingle::Char, Shingle::Word] {
                let (runs, hashes) = (shingles(&text, unit, n), hashes(&text, unit, n));
                prop_assert_eq!(runs.len(), hashes.len());
                let (mut of_run, mut of_hash) = (HashMap::new(), HashMap::new());
                for (run, hash) in runs.iter().zip(hashes) {
                    prop_assert_eq!(*of_run.entry(run).or_insert(hash), hash);
                    prop_assert_eq!(*of_hash.entry(hash).or_insert(run), run);
                }
            }
        }
    }
}
