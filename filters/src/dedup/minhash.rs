//! MinHash: the smallest value of a set of shingles under each of many permutations.

use xxhash_rust::xxh3::xxh3_64;

use super::MinHashConfig;
use super::shingle::Shingles;

/// The permutations of one configuration.
///
/// A shingle's 32-bit hash x (the low half of its xxh3) goes to a·x + b mod 2³², with a odd, which
/// permutes the 32-bit numbers: two documents have the same smallest value exactly if the same
/// shingle came out smallest. Two plain arrays, so that the compiler makes the inner loop SIMD.
#[derive(Clone, Debug)]
pub(super) struct MinHasher {
    config: MinHashConfig,
    factors: Vec<u32>,
    addends: Vec<u32>,
}

impl MinHasher {
    pub(super) fn new(config: &MinHashConfig) -> Self {
        let mut state = config.seed;
        let (factors, addends) = (0..config.bands.saturating_mul(config.rows))
            .map(|_| {
                let bits = split_mix(&mut state);
                (bits as u32 | 1, (bits >> 32) as u32)
            })
            .unzip();
        Self { config: config.clone(), factors, addends }
    }

    /// The signature of a normalised text, bands · rows values; none if it is shorter than a
    /// shingle: texts without a shingle have nothing in common.
    pub(super) fn sign(&self, normal: &str) -> Option<Vec<u32>> {
        let mut shingles = Shingles::new(normal, self.config.shingle, self.config.ngram).peekable();
        shingles.peek()?;
        let mut smallest = vec![u32::MAX; self.factors.len()];
        for shingle in shingles {
            let x = xxh3_64(shingle.as_bytes()) as u32;
            for ((value, a), b) in smallest.iter_mut().zip(&self.factors).zip(&self.addends) {
                *value = (*value).min(a.wrapping_mul(x).wrapping_add(*b));
            }
        }
        Some(smallest)
    }
}

/// Share of equal values of two signatures of the same length, as stored (four bytes a value).
pub(super) fn estimate(a: &[u8], b: &[u8]) -> f64 {
    let (a, _) = a.as_chunks::<4>();
    let (b, _) = b.as_chunks::<4>();
    let equal = a.iter().zip(b).filter(|(a, b)| a == b).count();
    equal as f64 / a.len().max(1) as f64
}

/// Steele, Lea and Flood 2014, *Fast Splittable Pseudorandom Number Generators*.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_is_the_published_one() {
        let mut state = 1_234_567;
        assert_eq!(split_mix(&mut state), 6_457_827_717_110_365_317);
        assert_eq!(split_mix(&mut state), 3_203_168_211_198_807_973);
    }

    #[test]
    fn smallest_value_by_hand() {
        let hasher = MinHasher::new(&MinHashConfig { ngram: 1, bands: 1, rows: 3, ..MinHashConfig::default() });
        let by_hand = |permutation: usize| {
            ["a", "b", "c"]
                .map(|word| {
                    hasher.factors[permutation].wrapping_mul(xxh3_64(word.as_bytes()) as u32).wrapping_add(hasher.addends[permutation])
                })
                .into_iter()
                .min()
                .unwrap()
        };
        let signature = hasher.sign("a b c").unwrap();
        assert_eq!(signature, [by_hand(0), by_hand(1), by_hand(2)]);
        assert_eq!(hasher.sign("c b a b"), Some(signature)); // a set: neither order nor count
        assert_eq!(hasher.sign(""), None);
    }

    #[test]
    fn too_short_has_no_signature() {
        let hasher = MinHasher::new(&MinHashConfig::default());
        assert!(hasher.sign("one two three four").is_none());
        assert!(hasher.sign("one two three four five").is_some());
    }

    /// Sets {0..1000} and {k..1000+k}: Jaccard (1000 − k) / (1000 + k).
    #[test]
    fn estimates_jaccard_without_bias() {
        let set = |from: usize| (from..from + 1000).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ");
        for k in [0, 53, 111, 250, 600, 1000] {
            let truth = (1000 - k) as f64 / (1000 + k) as f64;
            let mean = (0..20)
                .map(|seed| {
                    let hasher = MinHasher::new(&MinHashConfig { ngram: 1, seed, ..MinHashConfig::default() });
                    let bytes = |text: &str| hasher.sign(text).unwrap().iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
                    estimate(&bytes(&set(0)), &bytes(&set(k)))
                })
                .sum::<f64>()
                / 20.0;
            // 20 · 112 draws: a standard deviation is at most 0.0106.
            assert!((mean - truth).abs() < 0.04, "k {k}: estimated {mean}, true {truth}");
        }
    }
}
