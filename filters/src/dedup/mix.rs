//! A permutation of the 64-bit numbers after which each bit depends on all.

/// The finaliser of Steele, Lea and Flood 2014, *Fast Splittable Pseudorandom Number Generators*.
pub(super) fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generator's first numbers of the seed 1,234,567, as published.
    #[test]
    fn splitmix_is_the_published_one() {
        let number = |at: u64| mix(1_234_567_u64.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(at)));
        assert_eq!(number(1), 6_457_827_717_110_365_317);
        assert_eq!(number(2), 3_203_168_211_198_807_973);
    }
}
