//! Runs of letters, several bytes at a time: where a word ends cannot be guessed, so a loop that goes on character
//! by character is mispredicted at the end of nearly every one.

use super::classes::{LETTER, LOWER, UPPER};
use super::utf8::begins_syllable;

const HIGH: u64 = 0x8080_8080_8080_8080;
/// Bytes read at once.
const BYTES: usize = 8;
/// Syllables looked at together, and their bytes.
const SYLLABLES: usize = 4;
const SYLLABLE: usize = 3;

const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; BYTES])
}

/// The end of a run of ASCII letters that have any of `wanted`, or a place before it, less than 8 bytes from the end of
/// the text.
#[inline]
pub(super) fn ascii_run(text: &[u8], mut at: usize, wanted: u8) -> usize {
    // Letters of two cases differ in this bit alone.
    let (set, first) = match wanted & (LETTER | UPPER | LOWER) {
        UPPER => (0, b'A'),
        LOWER => (0, b'a'),
        _ => (each(0x20), b'a'),
    };
    while let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk::<BYTES>()) {
        let word = u64::from_le_bytes(*bytes);
        let letters = letters(word, set, first);
        let run = (!letters & HIGH).trailing_zeros() as usize / BYTES;
        at += run;
        if run < BYTES {
            return at;
        }
    }
    at
}

/// The high bit of every byte that is one of 26 letters, after bits were set in it.
#[inline]
fn letters(word: u64, set: u64, first: u8) -> u64 {
    let low = (word | set) & !HIGH;
    let from = low + each(0x80) - u64::from(first) * each(1);
    let beyond = low + each(0x80) - u64::from(first + 26) * each(1);
    from & !beyond & !word & HIGH
}

/// Bytes of the Hangul syllables that text begins with at `at`, where one does: as many as are seen at once.
#[inline]
pub(super) fn syllables(text: &[u8], at: usize) -> usize {
    let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk::<{ SYLLABLES * SYLLABLE }>()) else {
        return SYLLABLE;
    };
    let is = |n: usize| u32::from(begins_syllable(bytes[n * SYLLABLE], bytes[n * SYLLABLE + 1]));
    let all = (0..SYLLABLES).fold(0, |all, n| all | is(n) << n);
    all.trailing_ones() as usize * SYLLABLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_end_where_each_byte_says() {
        let wanted =
            [(LETTER, u8::is_ascii_alphabetic as fn(&u8) -> bool), (UPPER, u8::is_ascii_uppercase), (LOWER, u8::is_ascii_lowercase)];
        for (wanted, is) in wanted {
            for byte in 0..=255u8 {
                for place in 0..24 {
                    let mut text = [if wanted == UPPER { b'Q' } else { b'q' }; 24];
                    text[place] = byte;
                    let end = text.iter().position(|byte| !is(byte)).unwrap_or(24);
                    assert_eq!(ascii_run(&text, 0, wanted), end, "{byte} at {place}");
                }
            }
        }
        assert_eq!(ascii_run(b"short", 0, LETTER), 0, "left to who goes character by character");
    }

    #[test]
    fn syllables_end_where_each_character_says() {
        for code in (0x800..=0xffff).filter_map(char::from_u32) {
            for place in 1..6 {
                let text: String = (0..8).map(|at| if at == place { code } else { '한' }).collect();
                let hangul = ('\u{ac00}'..'\u{d780}').contains(&code);
                assert_eq!(syllables(text.as_bytes(), 0), if hangul { 12 } else { 3 * place.min(4) }, "{code:?} at {place}");
            }
        }
    }
}
