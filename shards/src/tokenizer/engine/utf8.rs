//! Characters of bytes that are known to be UTF-8.

/// The character that begins at `at`, as code point and length; (0, 1) beyond the end.
#[inline]
pub(crate) fn char_at(text: &[u8], at: usize) -> (u32, usize) {
    let next = |n: usize| u32::from(text.get(at + n).copied().unwrap_or(0) & 0x3f);
    let first = u32::from(text.get(at).copied().unwrap_or(0));
    match first {
        0..=0x7f => (first, 1),
        0x80..=0xdf => ((first & 0x1f) << 6 | next(1), 2),
        0xe0..=0xef => ((first & 0x0f) << 12 | next(1) << 6 | next(2), 3),
        _ => ((first & 0x07) << 18 | next(1) << 12 | next(2) << 6 | next(3), 4),
    }
}

/// Length of the character that a byte begins; none for a byte that begins none.
pub(crate) fn length_from(first: u8) -> Option<usize> {
    match first {
        0..=0x7f => Some(1),
        0xc2..=0xdf => Some(2),
        0xe0..=0xef => Some(3),
        0xf0..=0xf4 => Some(4),
        _ => None,
    }
}

/// Where the character that ends before `at` begins.
#[inline]
pub(crate) fn start_of_last(text: &[u8], at: usize) -> usize {
    let mut start = at.saturating_sub(1);
    while start > 0 && is_continuation(text[start]) {
        start -= 1;
    }
    start
}

/// Whether a byte continues a character.
#[inline]
pub(crate) fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// Whether a Hangul syllable begins at `at`.
#[inline]
pub(crate) fn is_syllable(text: &[u8], at: usize) -> bool {
    matches!(text.get(at..), Some(&[first, second, ..]) if begins_syllable(first, second))
}

/// Whether two bytes of UTF-8 begin a Hangul syllable, U+AC00 to U+D77F.
#[inline]
pub(crate) fn begins_syllable(first: u8, second: u8) -> bool {
    u16::from_be_bytes([first, second]).wrapping_sub(0xeab0) <= 0xed9d - 0xeab0
}
