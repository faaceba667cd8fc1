//! SimHash over character shingles: 64 bits that differ in few places between similar texts.

use xxhash_rust::xxh3::xxh3_64;

use super::shingle::Shingles;
use super::{Shingle, SimHashConfig};

/// The fingerprint of a normalised text; none if it is shorter than a shingle.
///
/// The hashing is the `simhash` crate's, the shingles are ours: by itself the crate splits at white
/// space, which in Korean makes one feature of a noun and its particle and loses word order. Every
/// different shingle counts once: otherwise a rule of hyphens or the frame of a table, a hundred
/// times `------`, sets most bits alone and unrelated pages meet.
pub(super) fn sign(config: &SimHashConfig, normal: &str) -> Option<u64> {
    // Hash above, place below: eight bytes a shingle, and sorting brings equal ones together. Two
    // shingles of one 32-bit hash count as one, which no fingerprint notices. Places are 32 bits,
    // so that of a text beyond 4 GiB the start counts.
    let mut places: Vec<u64> = Shingles::new(normal, Shingle::Char, config.ngram)
        .map_while(|shingle| {
            let place = u32::try_from(shingle.as_ptr().addr() - normal.as_ptr().addr()).ok()?;
            Some(xxh3_64(shingle.as_bytes()) << 32 | u64::from(place))
        })
        .collect();
    if places.is_empty() {
        return None;
    }
    places.sort_unstable();
    places.dedup_by_key(|place| *place >> 32);
    let shingle = |place: u64| {
        let rest = normal.get(place as u32 as usize..).unwrap_or_default();
        let end = rest.char_indices().nth(config.ngram).map_or(rest.len(), |(end, _)| end);
        &rest[..end]
    };
    Some(simhash::simhash_stream(places.into_iter().map(shingle)))
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

/// Share of equal bits.
pub(super) fn similarity(a: u64, b: u64) -> f32 {
    1.0 - simhash::hamming_distance(a, b) as f32 / 64.0
}

#[cfg(test)]
mod tests {
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
}
