//! The normalised text that all signatures are made of.

use std::borrow::Cow;

use crate::bytes::{char_at, places};
use crate::chars::{is_nfc, nfc};

/// NFC, then lower case character by character, then every run of Unicode white space as one space
/// and none at the ends. Digits and punctuation stay: dates and amounts are content.
pub(super) fn normal(text: &str) -> String {
    let composed: Cow<'_, str> = if is_nfc(text) { text.into() } else { nfc(text).into() };
    let mut folded = Folded { out: String::with_capacity(composed.len()), space: false };
    let mut done = 0;
    for at in places(composed.as_bytes(), may_change) {
        let Some(c) = char_at(&composed, at).filter(|&c| !is_uncased(c)) else { continue };
        folded.plain(&composed[done..at]);
        done = at + c.len_utf8();
        if c.is_whitespace() {
            folded.space = true;
        } else {
            folded.visible();
            folded.out.extend(c.to_lowercase());
        }
    }
    folded.plain(&composed[done..]);
    folded.out.make_ascii_lowercase();
    folded.out
}

struct Folded {
    out: String,
    /// White space was read and is not yet written.
    space: bool,
}

impl Folded {
    /// Something visible follows.
    fn visible(&mut self) {
        if self.space && !self.out.is_empty() {
            self.out.push(' ');
        }
        self.space = false;
    }

    /// A piece whose white space is plain spaces and whose letters are in ASCII or have no case.
    fn plain(&mut self, text: &str) {
        let behind = text.trim_start_matches(' ');
        let visible = behind.trim_end_matches(' ');
        self.space |= behind.len() < text.len();
        if visible.is_empty() {
            return;
        }
        if visible.contains("  ") {
            for word in visible.split(' ').filter(|word| !word.is_empty()) {
                self.visible();
                self.out.push_str(word);
                self.space = true;
            }
        } else {
            self.visible();
            self.out.push_str(visible);
        }
        self.space = visible.len() < behind.len();
    }
}

/// Whether the first byte of a character leaves it possible that it is white space other than a space, or
/// has another lower case; capitals of ASCII are seen to in the end. Most syllables begin with
/// other bytes.
fn may_change(byte: u8) -> bool {
    (b'\t'..=b'\r').contains(&byte) | (0xC2..=0xEA).contains(&byte) | (byte >= 0xEE)
}

/// Letters without case that begin with one of these bytes: syllables, ideographs and kana.
fn is_uncased(c: char) -> bool {
    matches!(c, '\u{AC00}'..='\u{D7A3}' | '\u{3001}'..='\u{9FFF}')
}

#[cfg(test)]
mod tests {
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    #[test]
    fn hand_computed() {
        assert_eq!(normal("  Hello,\t\r\n\u{3000}WORLD \u{a0}"), "hello, world");
        assert_eq!(normal("\u{1112}\u{1161}\u{11ab}글"), "한글"); // conjoining jamo compose
        assert_eq!(normal("ㅋㅋ É"), "ㅋㅋ é");
        assert_eq!(normal("e\u{301}"), "é");
        assert_eq!(normal(" \n "), "");
        assert_eq!(normal("2024.1.5 10,000원"), "2024.1.5 10,000원");
    }

    #[test]
    fn what_changes_is_found_by_first_bytes() {
        for c in '\0'..=char::MAX {
            let changes = c.is_whitespace() && c != ' ' || !c.is_ascii() && !c.to_lowercase().eq([c]);
            let first = c.encode_utf8(&mut [0; 4]).as_bytes()[0];
            assert!(!changes || (may_change(first) && !is_uncased(c)), "{c:?}");
        }
    }

    /// The definition, character by character.
    fn slow(text: &str) -> String {
        let lower: String = text.nfc().flat_map(char::to_lowercase).collect();
        lower.split(char::is_whitespace).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }

    proptest::proptest! {
        #[test]
        fn white_space_is_tidy(text in "\\PC{0,60}") {
            let once = normal(&text);
            proptest::prop_assert!(!once.starts_with(' ') && !once.ends_with(' ') && !once.contains("  "));
        }

        #[test]
        fn equals_the_definition(text in "(?s).{0,60}|[ \\t\\n\u{a0}\u{3000}A-Ca-c가각İÉé“\u{301}ꙀⰀ]{0,80}") {
            proptest::prop_assert_eq!(normal(&text), slow(&text));
        }
    }
}
