//! Normalization form C, only where a text is not in it already.
//!
//! Composed Hangul, Latin and Han are; what may not be are conjoining jamo, combining marks and a few
//! others. A stretch of such characters, with the one before it, is normalized by itself: it begins
//! with a character that nothing before it can reach.

use tokenizers::{NormalizedString, Normalizer};

use super::classes::{CLASSES, UNSTABLE};
use super::utf8::{char_at, is_syllable, start_of_last};

/// First byte of the first character that may be unstable, U+0300.
const FIRST: u8 = 0xcc;

/// The text in form C, if it is not known to be in it; `None` says that it is.
pub(crate) fn nfc(text: &str) -> Option<String> {
    let mut unstable = next_unstable(text.as_bytes(), 0)?;
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    loop {
        let start = if unstable > done { start_of_last(text.as_bytes(), unstable) } else { unstable };
        let mut end = unstable;
        while end < text.len() && is_unstable(text.as_bytes(), end) {
            end += char_at(text.as_bytes(), end).1;
        }
        out.push_str(&text[done..start]);
        let mut part = NormalizedString::from(&text[start..end]);
        // The normalizer of the library never fails; if it did, the text would stay as it is.
        match tokenizers::normalizers::NFC.normalize(&mut part) {
            Ok(()) => out.push_str(part.get()),
            Err(_) => out.push_str(&text[start..end]),
        }
        done = end;
        match next_unstable(text.as_bytes(), done) {
            Some(at) => unstable = at,
            None => break,
        }
    }
    out.push_str(&text[done..]);
    Some(out)
}

fn is_unstable(text: &[u8], at: usize) -> bool {
    text[at] >= FIRST && CLASSES.of(char_at(text, at).0) & UNSTABLE != 0
}

/// Where the next unstable character begins; `at` is a boundary.
fn next_unstable(text: &[u8], mut at: usize) -> Option<usize> {
    let classes = &*CLASSES;
    let mut slowly = at;
    while let Some(&first) = text.get(at) {
        if at >= slowly {
            if calm(&text[at..]) {
                at += CHUNK;
                continue;
            }
            slowly = at + CHUNK;
        }
        match first {
            0..FIRST => at += 1,
            _ if is_syllable(text, at) => at += 3,
            _ => {
                let (code, length) = char_at(text, at);
                if classes.of(code) & UNSTABLE != 0 {
                    return Some(at);
                }
                at += length;
            }
        }
    }
    None
}

/// Bytes that are looked at together.
const CHUNK: usize = 32;

/// Whether no unstable character begins in the next bytes, as far as their values alone tell: in plain text, Han and Hangul.
#[inline]
fn calm(text: &[u8]) -> bool {
    let Some(bytes) = text.first_chunk::<{ CHUNK + 1 }>() else {
        return false;
    };
    let stable = |at: usize| {
        let (byte, next) = (bytes[at], bytes[at + 1]);
        (byte < FIRST)
            | (byte.wrapping_sub(0xe4) < 6)
            | (byte & 0xfe == 0xec) & ((byte == 0xec) | (next < 0x9e))
            | (byte & 0xfe == 0xea) & ((byte == 0xeb) | (next >= 0xb0))
    };
    (0..CHUNK).fold(true, |all, at| all & stable(at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn library(text: &str) -> String {
        let mut all = NormalizedString::from(text);
        tokenizers::normalizers::NFC.normalize(&mut all).unwrap();
        all.get().to_owned()
    }

    #[test]
    fn composed_text_is_left_alone() {
        assert_eq!(nfc("한글과 漢字, café, 👩‍👩‍👧 ㅋㅋ"), None);
        assert_eq!(nfc("\u{1112}\u{1161}\u{11ab}글").as_deref(), Some("한글"));
        assert_eq!(nfc("가\u{11a8}\u{f900}e\u{301}").as_deref(), Some("각\u{8c48}\u{e9}"));
    }

    #[test]
    fn what_is_passed_over_is_stable() {
        assert!((0xac00..=0xd7a3).all(|code| CLASSES.of(code) & UNSTABLE == 0));
        assert!((0..0x300).all(|code| CLASSES.of(code) & UNSTABLE == 0));
        assert!((0x4000..0xa000).all(|code| CLASSES.of(code) & UNSTABLE == 0));
    }

    /// Every place of a chunk, and of the byte that ends it, for each kind of character.
    #[test]
    fn one_unstable_character_among_plain_ones() {
        for plain in ["a", "é", "가", "힝", "漢", "ㅋ", "…", "😀"] {
            for odd in ["\u{301}", "\u{1161}", "\u{11a8}", "\u{d7cb}", "\u{f900}", "\u{a66f}", "\u{3099}", "\u{1d165}", "\u{2126}"] {
                for before in 0..40 {
                    let text = plain.repeat(before) + odd + &plain.repeat(40);
                    assert_eq!(nfc(&text).unwrap_or_else(|| text.clone()), library(&text), "{text:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn equals_the_library(text in "[a가각한\u{1100}-\u{1112}\u{1161}-\u{1163}\u{11a8}-\u{11aa}\u{300}-\u{345}\u{f900}e\u{0b47}\u{0b3e}\u{1e0a}\u{323}\u{2126}\u{1d15e} ]{0,24}") {
            prop_assert_eq!(nfc(&text).unwrap_or_else(|| text.clone()), library(&text));
        }
    }
}
