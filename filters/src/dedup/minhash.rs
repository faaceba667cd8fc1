//! MinHash: a few numbers of which two texts share as many as their sets of shingles overlap.

use super::MinHashConfig;
use super::mix::mix;
use super::shingle::hashes;

/// Makes sketches of one configuration, by Dahlgaard, Knudsen and Thorup 2017, *Fast Similarity Sketching*.
///
/// In the first round every shingle goes to one of the places by its hash, and the smallest stays. Places that
/// are left empty are filled in further rounds, each with hashes of its own; from the round on that has the number of
/// places, round by round, everything goes to the same place, so that at most twice as many rounds fill all.
/// A share of equal values has the mean of classical MinHash, the Jaccard similarity, and spreads no more. It costs
/// a hash for each shingle of a long text, where classical MinHash takes one for each shingle and place, and
/// some five hashes for each place of a text of few shingles.
#[derive(Clone, Debug)]
pub(super) struct MinHasher {
    config: MinHashConfig,
}

/// What a place holds before anything came to it.
const EMPTY: u32 = u32::MAX;
/// From one round's hashes to those of the next.
const ROUND: u64 = 0x9e37_79b9_7f4a_7c15;

impl MinHasher {
    pub(super) fn new(config: &MinHashConfig) -> Self {
        Self { config: config.clone() }
    }

    /// The signature of a normalised text, bands · rows values; none if it is shorter than a
    /// shingle: texts without a shingle have nothing in common.
    pub(super) fn sign(&self, normal: &str) -> Option<Vec<u32>> {
        let shingles = hashes(normal, self.config.shingle, self.config.ngram);
        let values = self.config.bands.saturating_mul(self.config.rows);
        (!shingles.is_empty()).then(|| sketch(&shingles, mix(self.config.seed), values))
    }
}

/// The sketch of a set, one shingle at least.
fn sketch(shingles: &[u64], seed: u64, places: usize) -> Vec<u32> {
    let mut values = vec![EMPTY; places];
    for shingle in shingles {
        let hash = mix(shingle ^ seed);
        let value = &mut values[place(hash, places)];
        *value = (*value).min(hash as u32);
    }
    let mut left = values.iter().filter(|value| **value == EMPTY).count();
    let mut rounds = vec![0; if left > 0 { places } else { 0 }];
    for round in 1..2 * places {
        if left == 0 {
            break;
        }
        let step = seed.wrapping_add(ROUND.wrapping_mul(round as u64));
        for shingle in shingles {
            let hash = mix(shingle ^ step);
            let at = round.checked_sub(places).unwrap_or_else(|| place(hash, places));
            if values[at] == EMPTY {
                left -= 1;
                rounds[at] = round;
                values[at] = hash as u32;
            } else if rounds[at] == round {
                values[at] = values[at].min(hash as u32);
            }
        }
    }
    values
}

/// Place of a hash, by its upper half.
fn place(hash: u64, places: usize) -> usize {
    (((hash >> 32) * places as u64) >> 32) as usize
}

/// Share of equal values of two signatures of the same length, as stored (four bytes a value).
pub(super) fn estimate(a: &[u8], b: &[u8]) -> f64 {
    let (a, _) = a.as_chunks::<4>();
    let (b, _) = b.as_chunks::<4>();
    let equal = a.iter().zip(b).filter(|(a, b)| a == b).count();
    equal as f64 / a.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Shingle;
    use super::*;

    /// By the definition: of all rounds the least (round, value) of each place.
    fn by_definition(shingles: &[u64], seed: u64, places: usize) -> Vec<u32> {
        let least = |at: usize| {
            let rounds = (0..2 * places).flat_map(|round| shingles.iter().map(move |shingle| (round, *shingle)));
            let hashed = rounds.filter_map(|(round, shingle)| {
                let hash = mix(shingle ^ seed.wrapping_add(ROUND.wrapping_mul(round as u64)));
                let to = if round < places { ((u128::from(hash >> 32) * places as u128) >> 32) as usize } else { round - places };
                (to == at).then_some((round, hash as u32))
            });
            hashed.min().unwrap().1
        };
        (0..places).map(least).collect()
    }

    proptest! {
        #[test]
        fn sketches_are_those_of_the_definition(
            shingles in prop::collection::vec(any::<u64>(), 1..60), seed: u64, places in 1_usize..40,
        ) {
            let sketched = sketch(&shingles, seed, places);
            prop_assert_eq!(&sketched, &by_definition(&shingles, seed, places));
            // A set: neither order nor count.
            let twice: Vec<u64> = shingles.iter().rev().chain(&shingles).copied().collect();
            prop_assert_eq!(sketched, sketch(&twice, seed, places));
        }
    }

    fn words(ngram: usize, seed: u64) -> MinHasher {
        MinHasher::new(&MinHashConfig { ngram, shingle: Shingle::Word, seed, ..MinHashConfig::default() })
    }

    #[test]
    fn too_short_has_no_signature() {
        assert!(words(5, 1).sign("one two three four").is_none());
        assert!(words(5, 1).sign("one two three four five").is_some());
        assert!(words(1, 1).sign("").is_none());
    }

    /// Sets {0..n} and {k..n+k}: Jaccard (n − k) / (n + k). Few and many shingles for 112 places.
    #[test]
    fn estimates_jaccard_without_bias() {
        let set = |from: usize, n: usize| (from..from + n).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ");
        for (n, k) in [(1000, 0), (1000, 53), (1000, 111), (1000, 250), (1000, 600), (1000, 1000), (20, 1), (20, 5), (200, 20), (3, 1)] {
            let truth = (n - k) as f64 / (n + k) as f64;
            let mean = (0..20)
                .map(|seed| {
                    let bytes =
                        |from| words(1, seed).sign(&set(from, n)).unwrap().iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
                    estimate(&bytes(0), &bytes(k))
                })
                .sum::<f64>()
                / 20.0;
            // 20 · 112 draws: a standard deviation is at most 0.0106.
            assert!((mean - truth).abs() < 0.04, "{n} shingles, {k} apart: estimated {mean}, true {truth}");
        }
    }
}
