//! Fast hashes of short byte strings. Texts that collide on purpose cost time, never ids.

const A: u64 = 0x9e37_79b9_7f4a_7c15;
const B: u64 = 0xd6e8_feb8_6659_fd93;

/// Mixes two words, by the two halves of their product.
#[inline]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ A) * u128::from(b ^ B);
    product as u64 ^ (product >> 64) as u64
}

/// The hash of a key of 16 bytes; its upper bits are the good ones.
#[inline]
pub(crate) fn hash_key(key: u128) -> u64 {
    let folded = key as u64 ^ ((key >> 64) as u64).wrapping_mul(B);
    (folded ^ folded >> 32).wrapping_mul(A)
}

/// The hash of a key of 8 bytes; its upper bits are the good ones.
#[inline]
pub(crate) fn hash_word(key: u64) -> u64 {
    (key ^ key >> 32).wrapping_mul(A)
}

/// The hash of bytes of any length.
#[inline]
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hash = bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word)).rotate_left(23);
    }
    let last = rest.iter().rev().fold(0, |last, &byte| last << 8 | u64::from(byte));
    mix(hash, last)
}
