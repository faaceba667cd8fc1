//! Pieces of up to 15 bytes as numbers: the bytes, then the length in the highest byte.

use super::window::{BYTES, ROOM};

/// Longest piece that has a key.
pub(crate) const LONGEST: usize = 15;
/// Longest piece that has a short key, of 8 bytes.
const SHORT: u32 = 7;

/// Marks the key of a piece that is a whole pre-token.
pub(crate) const WHOLE: u128 = 1 << 127;

/// The key of a piece of up to [`LONGEST`] bytes.
#[inline]
pub(crate) fn key(text: &[u8], start: usize, end: usize) -> u128 {
    let length = end - start;
    let all = match text[start..].first_chunk::<16>() {
        Some(bytes) => u128::from_le_bytes(*bytes),
        None => match text.last_chunk::<16>() {
            // Near the end of the text the last 16 bytes hold the piece, further up.
            Some(bytes) => u128::from_le_bytes(*bytes) >> (8 * (start + 16 - text.len())),
            None => {
                let mut bytes = [0; 16];
                bytes[..length].copy_from_slice(&text[start..end]);
                u128::from_le_bytes(bytes)
            }
        },
    };
    (all & MASKS[length % 16]) | (length as u128) << 120
}

/// The same, and zero for a longer piece, which has none.
#[inline]
pub(crate) fn key_if_short(text: &[u8], start: usize, end: usize) -> u128 {
    if end - start <= LONGEST { key(text, start, end) } else { 0 }
}

/// The same of a piece of a window.
#[inline]
pub(crate) fn key_at(bytes: &[u8; ROOM], start: usize, length: usize) -> u128 {
    let all = bytes[start % BYTES..].first_chunk::<16>().map_or(0, |bytes| u128::from_le_bytes(*bytes));
    if length <= LONGEST { (all & MASKS[length % 16]) | (length as u128) << 120 } else { 0 }
}

/// Whether the piece of a key has a short key; one without a key has none either.
#[inline]
pub(crate) fn is_short(key: u128) -> bool {
    ((key >> 120) as u32 & 15).wrapping_sub(1) < SHORT
}

/// The short key: the same with fewer bytes that are zero.
#[inline]
pub(crate) fn shorten(key: u128) -> u64 {
    key as u64 | (key >> 64) as u64
}

/// By length, the bits of as many bytes.
const MASKS: [u128; 16] = {
    let (mut masks, mut length) = ([0; 16], 1);
    while length < 16 {
        masks[length] = masks[length - 1] << 8 | 0xff;
        length += 1;
    }
    masks
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_not_depend_on_what_is_around() {
        let long = b"....abc.................";
        for (text, start) in [(&b"abc"[..], 0), (b"abcdefghijklmnopqrstuv", 0), (b"..............abc.....", 14), (long, 4)] {
            assert_eq!(key(text, start, start + 3), u128::from_le_bytes(*b"abc\0\0\0\0\0\0\0\0\0\0\0\0\x03"));
        }
        assert_ne!(key(b"ab\0", 0, 2), key(b"ab\0", 0, 3));
        assert_eq!(key(b"0123456789abcdef", 1, 16) as u8, b'1');
    }

    #[test]
    fn keys_of_a_window_are_those_of_its_text() {
        let bytes: [u8; ROOM] = std::array::from_fn(|at| at as u8 ^ 0x5a);
        for start in 0..BYTES {
            for end in start + 1..=BYTES {
                assert_eq!(key_at(&bytes, start, end - start), key_if_short(&bytes, start, end));
            }
        }
    }

    #[test]
    fn short_keys_tell_pieces_apart() {
        let pieces = [&b"a"[..], b"a\0", b"1234567", b"123456", b"\0\0\0\0\0\0\0", b"\x07"];
        let all: std::collections::HashSet<u64> = pieces.iter().map(|piece| shorten(key(piece, 0, piece.len()))).collect();
        assert_eq!(all.len(), pieces.len());
        assert!(pieces.iter().all(|piece| is_short(key(piece, 0, piece.len()) | WHOLE)));
        assert!(!is_short(key(b"12345678", 0, 8)) && !is_short(0) && !is_short(WHOLE));
    }
}
