//! The normalised text that all signatures are made of.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// NFC, then lower case character by character, then every run of Unicode white space as one space
/// and none at the ends. Digits and punctuation stay: dates and amounts are content.
pub(super) fn normal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        fold(text.chars(), &mut out);
    } else {
        fold(text.nfc(), &mut out);
    }
    out
}

fn fold(chars: impl Iterator<Item = char>, out: &mut String) {
    let mut space = false;
    for c in chars {
        if c.is_whitespace() {
            space = true;
            continue;
        }
        if space && !out.is_empty() {
            out.push(' ');
        }
        space = false;
        match c {
            // No table look-up for the bulk of the text: Hangul has no case.
            '\u{AC00}'..='\u{D7A3}' => out.push(c),
            _ if c.is_ascii() => out.push(c.to_ascii_lowercase()),
            _ => out.extend(c.to_lowercase()),
        }
    }
}

#[cfg(test)]
mod tests {
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

    proptest::proptest! {
        #[test]
        fn white_space_is_tidy(text in "\\PC{0,60}") {
            let once = normal(&text);
            proptest::prop_assert!(!once.starts_with(' ') && !once.ends_with(' ') && !once.contains("  "));
        }
    }
}
