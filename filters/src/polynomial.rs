//! A polynomial over the integers modulo the prime 2^61 - 1 as the hash of bytes or other units: that of any
//! run of them costs one multiplication, whatever its length. Two different runs of `L` units share one
//! with a chance of about `L / 2^61`.

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

/// Sums of the first powers: the part of the digits that does not depend on the bytes.
const ONES: [u64; 9] = {
    let mut sums = [0; 9];
    let mut at = 1;
    while at < 9 {
        sums[at] = reduce(sums[at - 1] as u128 + POWERS[at - 1] as u128);
        at += 1;
    }
    sums
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

/// The polynomial hash of some bytes, up to eight of them a step: the digit of a byte is one more than it.
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    let (head, chunks) = bytes.as_rchunks::<8>();
    let mut hash = reduce(digits(big_endian(head), head.len()));
    for chunk in chunks {
        hash = reduce(u128::from(hash) * u128::from(POWERS[8]) + digits(u64::from_be_bytes(*chunk), 8));
    }
    hash
}

/// Up to seven bytes as a number, the last byte lowest; by reads that overlap, for words are short and
/// their lengths cannot be predicted.
fn big_endian(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return u64::from(u32::from_be_bytes(*first)) << (8 * (bytes.len() - 4)) | u64::from(u32::from_be_bytes(*last));
    }
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return 0 };
    let (middle, end) = (bytes.len() / 2, bytes.len() - 1);
    u64::from(first) << (8 * end) | u64::from(bytes[middle]) << (8 * (end - middle)) | u64::from(last)
}

/// The polynomial of the lowest `length` bytes of a number, whose other bytes are zero.
fn digits(number: u64, length: usize) -> u128 {
    let term = |at: usize| u128::from(number >> (8 * at) & 0xFF) * u128::from(POWERS[at]);
    (0..8).fold(u128::from(ONES[length]), |sum, at| sum + term(at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        fn hashing_is_compositional(left: Vec<u8>, right: Vec<u8>) {
            let joined = [left.clone(), right.clone()].concat();
            let shifted = u128::from(hash_bytes(&left)) * u128::from(power(right.len()));
            prop_assert_eq!(reduce(shifted + u128::from(hash_bytes(&right))), hash_bytes(&joined));
        }

        #[test]
        fn hash_is_the_polynomial(bytes: Vec<u8>) {
            prop_assert_eq!(hash_bytes(&bytes), bytes.iter().fold(0, |hash, byte| append(hash, u64::from(*byte) + 1)));
        }
    }
}
