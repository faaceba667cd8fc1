//! MinHash: the smallest value of a set of shingles under each of many permutations.

use macerator::{AutoArch, Simd, WithSimd};
use xxhash_rust::xxh3::xxh3_64;

use super::MinHashConfig;
use super::shingle::Shingles;

/// The permutations of one configuration.
///
/// A shingle's 32-bit hash x (the low half of its xxh3) goes to a·x + b mod 2³², with a odd, which
/// permutes the 32-bit numbers: two documents have the same smallest value exactly if the same
/// shingle came out smallest.
#[derive(Clone, Debug)]
pub(super) struct MinHasher {
    config: MinHashConfig,
    /// Permutations in groups; what the last group has too many is the permutation 0.
    groups: Vec<Permutations>,
}

/// Permutations whose smallest values are sought together, in registers.
const GROUP: usize = 16;

#[derive(Clone, Debug, Default)]
struct Permutations {
    factors: [u32; GROUP],
    addends: [u32; GROUP],
}

impl MinHasher {
    pub(super) fn new(config: &MinHashConfig) -> Self {
        let mut state = config.seed;
        let count = config.bands.saturating_mul(config.rows);
        let mut groups = vec![Permutations::default(); count.div_ceil(GROUP)];
        for at in 0..count {
            let bits = split_mix(&mut state);
            let group = &mut groups[at / GROUP];
            group.factors[at % GROUP] = bits as u32 | 1;
            group.addends[at % GROUP] = (bits >> 32) as u32;
        }
        Self { config: config.clone(), groups }
    }

    /// The signature of a normalised text, bands · rows values; none if it is shorter than a
    /// shingle: texts without a shingle have nothing in common.
    pub(super) fn sign(&self, normal: &str) -> Option<Vec<u32>> {
        let shingles = Shingles::new(normal, self.config.shingle, self.config.ngram);
        let hashes: Vec<u32> = shingles.map(|shingle| xxh3_64(shingle.as_bytes()) as u32).collect();
        if hashes.is_empty() {
            return None;
        }
        let mut smallest = vec![[u32::MAX; GROUP]; self.groups.len()];
        AutoArch::new().dispatch(Smallest { hashes: &hashes, groups: &self.groups, values: &mut smallest });
        let mut smallest = smallest.into_flattened();
        smallest.truncate(self.config.bands.saturating_mul(self.config.rows));
        Some(smallest)
    }
}

/// The smallest value of some hashes under each permutation; whole numbers, so that the machine's
/// vectors make no difference. A type and no closure, so that all of it is surely compiled for them.
struct Smallest<'a> {
    hashes: &'a [u32],
    groups: &'a [Permutations],
    values: &'a mut [[u32; GROUP]],
}

impl WithSimd for Smallest<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        for (group, values) in self.groups.iter().zip(self.values) {
            let mut smallest = *values;
            for x in self.hashes {
                for (value, (a, b)) in smallest.iter_mut().zip(group.factors.iter().zip(&group.addends)) {
                    *value = (*value).min(a.wrapping_mul(*x).wrapping_add(*b));
                }
            }
            *values = smallest;
        }
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
            let (a, b) = (hasher.groups[0].factors[permutation], hasher.groups[0].addends[permutation]);
            ["a", "b", "c"].map(|word| a.wrapping_mul(xxh3_64(word.as_bytes()) as u32).wrapping_add(b)).into_iter().min().unwrap()
        };
        let signature = hasher.sign("a b c").unwrap();
        assert_eq!(signature, [by_hand(0), by_hand(1), by_hand(2)]);
        assert_eq!(hasher.sign("c b a b"), Some(signature)); // a set: neither order nor count
        assert_eq!(hasher.sign(""), None);
    }

    /// Another number of permutations than fills the groups: those that both have are the same.
    #[test]
    fn groups_are_no_part_of_the_signature() {
        let sign = |bands: usize, text: &str| {
            let config = MinHashConfig { ngram: 2, bands, rows: 1, ..MinHashConfig::default() };
            MinHasher::new(&config).sign(text).unwrap()
        };
        let text = "나는 오늘 아침에 학교에 갔다 돌아왔다";
        for bands in [1, GROUP - 1, GROUP, GROUP + 1, 3 * GROUP] {
            assert_eq!(sign(bands, text), sign(4 * GROUP, text)[..bands]);
        }
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
