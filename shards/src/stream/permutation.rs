//! A shuffle of 0..n that gives any element without storing the others.

/// Rounds of the network. Four are a pseudo-random permutation with ideal round functions (Luby
/// and Rackoff 1988); eight leave room for cheap ones on small domains.
const ROUNDS: usize = 8;

/// A keyed bijection of 0..n: a Feistel network over the next even number of bits, applied again
/// while its result lies outside (cycle walking; Black and Rogaway 2002).
#[derive(Debug, Clone)]
pub(crate) struct Permutation {
    size: u64,
    half: u32,
    keys: [u64; ROUNDS],
}

impl Permutation {
    /// The order for this seed, purpose and parts. `size` is at least 1.
    pub(crate) fn new(size: u64, seed: u64, purpose: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("malmoi token stream order, version 1");
        hasher.update(&seed.to_le_bytes());
        for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut bytes = [0; ROUNDS * 8];
        hasher.finalize_xof().fill(&mut bytes);
        let mut keys = [0; ROUNDS];
        for (key, chunk) in keys.iter_mut().zip(bytes.chunks_exact(8)) {
            *key = crate::header::u64_at(chunk, 0);
        }
        let bits = u64::BITS - size.saturating_sub(1).leading_zeros();
        Self { size, half: bits.div_ceil(2).max(1), keys }
    }

    /// Where `index`, which is below the size, goes. The domain is at most four times the size, so
    /// the walk takes a few steps; it ends because it follows a cycle that `index` lies on.
    pub(crate) fn at(&self, index: u64) -> u64 {
        let mut place = index;
        loop {
            place = self.encrypt(place);
            if place < self.size {
                return place;
            }
        }
    }

    fn encrypt(&self, block: u64) -> u64 {
        let mask = (1u64 << self.half) - 1;
        let (mut left, mut right) = (block >> self.half, block & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mix(right ^ key) & mask));
        }
        left << self.half | right
    }
}

/// The finalizer of splitmix64 (Steele, Lea, Flood 2014).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(size: u64, seed: u64) -> Vec<u64> {
        let permutation = Permutation::new(size, seed, "test", &[]);
        (0..size).map(|i| permutation.at(i)).collect()
    }

    #[test]
    fn every_place_is_taken_once() {
        for size in (1..70).chain([255, 256, 257, 1000, 4097]) {
            let mut seen = order(size, 7);
            seen.sort_unstable();
            assert!(seen.iter().copied().eq(0..size), "{size}");
        }
    }

    #[test]
    fn seeds_and_parts_change_the_order() {
        assert_ne!(order(1000, 1), order(1000, 2));
        let a = Permutation::new(1000, 1, "test", &[b"ab", b"c"]);
        let b = Permutation::new(1000, 1, "test", &[b"a", b"bc"]);
        assert!((0..1000).any(|i| a.at(i) != b.at(i)));
    }

    #[test]
    fn is_spread_evenly() {
        // Element 0 over many keys: each of 8 places about 1000 times (standard deviation 30).
        let mut counts = [0u32; 8];
        for seed in 0..8000 {
            counts[Permutation::new(8, seed, "test", &[]).at(0) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn reaches_across_huge_domains() {
        // 800 places in each of eight parts of the domain about 100 times (standard deviation 9).
        let size = u64::MAX >> 1;
        let permutation = Permutation::new(size, 3, "test", &[]);
        let mut places: Vec<u64> = (0..800).map(|i| permutation.at(i)).collect();
        let mut counts = [0u32; 8];
        places.iter().for_each(|place| counts[(place / (size / 8 + 1)) as usize] += 1);
        assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 800);
    }
}
