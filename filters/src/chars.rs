//! Character classes that the rules agree on: white space, symbol, letter, Hangul.

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::bytes::{char_at, places};

/// White space between words: what Python's `str.split` splits on, the segmentation to which the
/// published Gopher thresholds are compared here.
///
/// Unicode `White_Space` plus the four information separators U+001C to U+001F.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// A letter in the sense of general category L.
///
/// Rust's `Alphabetic` also holds marks, Roman numerals and circled letters; they are no letters here.
pub(crate) fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    c.is_alphabetic()
        && !is_combining_mark(c)
        && !matches!(c,
            '\u{16EE}'..='\u{16F0}' | '\u{2160}'..='\u{2182}' | '\u{2185}'..='\u{2188}'
            | '\u{24B6}'..='\u{24E9}' | '\u{3007}' | '\u{3021}'..='\u{3029}'
            | '\u{3038}'..='\u{303A}' | '\u{A6E6}'..='\u{A6EF}' | '\u{10140}'..='\u{10174}'
            | '\u{10341}' | '\u{1034A}' | '\u{103D1}'..='\u{103D5}' | '\u{12400}'..='\u{1246E}'
            | '\u{1F130}'..='\u{1F149}' | '\u{1F150}'..='\u{1F169}' | '\u{1F170}'..='\u{1F189}')
}

/// A character that carries no content of its own: a word made only of these does not count.
///
/// ASCII punctuation, control characters except tab and line feed, common typographic signs, and
/// the characters that end a sentence in any script (Unicode `Sentence_Terminal` and a few more).
/// The membership is datatrove's `PUNCTUATION_SET`, odd members (full-width digit one) included,
/// because the thresholds are only comparable with the same set.
pub(crate) fn is_symbol(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation() || (c.is_ascii_control() && c != '\t' && c != '\n');
    }
    if matches!(c, '\u{AC00}'..='\u{D7A3}') {
        return false;
    }
    let code = u32::from(c);
    let after = SYMBOLS.partition_point(|&(first, _)| first <= code);
    after > 0 && code <= SYMBOLS[after - 1].1
}

/// A character that ends a sentence in some script: datatrove's `TERMINAL_PUNCTUATION`, which has
/// neither quotes nor brackets nor `…`.
pub(crate) fn is_terminal(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, '.' | '!' | '?');
    }
    is_symbol(c)
        && !matches!(c,
            '\u{80}'..='\u{9F}' | '«' | '´' | '»' | '–' | '—' | '’' | '“'..='„' | '…' | '∶' | '━' | '►' | '、'
            | '〈'..='」' | '【' | '】' | '％' | '（' | '）' | '，' | '１' | '：' | '；' | '～')
}

/// What Python's `str.isalnum` accepts: a letter or anything with a numeric value.
pub(crate) fn is_alnum(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() } else { is_letter(c) || c.is_numeric() }
}

/// A decimal digit of any script (general category Nd).
pub(crate) fn is_decimal(c: char) -> bool {
    let code = u32::from(c);
    let after = DECIMAL_ZEROS.partition_point(|&zero| zero <= code);
    after > 0 && code - DECIMAL_ZEROS[after - 1] < 10
}

/// Whether a look at each character shows that the text is in the Unicode form NFC; of some texts that
/// are it does not.
pub(crate) fn is_nfc(text: &str) -> bool {
    let mut done = 0;
    places(text.as_bytes(), may_change).all(|at| {
        if at < done || char_at(text, at).is_some_and(never_changes) {
            return true;
        }
        // Nothing before a character that never changes matters behind it.
        let rest = &text[at..];
        let run = &rest[..rest.find(never_changes).unwrap_or(rest.len())];
        done = at + run.len();
        is_nfc_quick(run.chars()) == IsNormalized::Yes
    })
}

/// The text in the Unicode form NFC, of which most stays as it is: only where characters may change are they
/// composed, together with the one before them.
pub(crate) fn nfc(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for at in places(text.as_bytes(), may_change) {
        if at < done || char_at(text, at).is_none_or(never_changes) {
            continue;
        }
        let start = text[done..at].char_indices().next_back().map_or(at, |(before, _)| done + before);
        out.push_str(&text[done..start]);
        let rest = &text[at..];
        done = at + rest.find(never_changes).unwrap_or(rest.len());
        out.extend(text[start..done].nfc());
    }
    out.push_str(&text[done..]);
    out
}

/// Whether the first byte of a character leaves it possible that NFC changes it. Syllables that begin with
/// other bytes are frequent.
fn may_change(byte: u8) -> bool {
    (0xCC..=0xEA).contains(&byte) | (byte >= 0xED)
}

/// A character that NFC leaves alone whatever stands beside it, as nearly all of a Korean, Chinese or
/// English text: the tables of Unicode know more of them, and take ten times as long.
fn never_changes(c: char) -> bool {
    matches!(c, '\0'..='\u{2FF}' | '\u{AC00}'..='\u{D7A3}'
        | '\u{2002}'..='\u{20CF}' | '\u{2190}'..='\u{2328}' | '\u{232B}'..='\u{2ADB}'
        | '\u{3000}'..='\u{3029}' | '\u{3130}'..='\u{9FFF}' | '\u{FF00}'..='\u{FFEF}')
}

/// A Hangul syllable or a compatibility jamo (`ㅋ`, `ㅠ`), the fillers excluded.
pub(crate) fn is_hangul(c: char) -> bool {
    matches!(c, '\u{AC00}'..='\u{D7A3}' | '\u{3131}'..='\u{3163}' | '\u{3165}'..='\u{318E}')
}

/// Bytes of a Hangul syllable in UTF-8.
pub(crate) const SYLLABLE: usize = 3;

/// Bytes of the Hangul syllables with which these bytes of a text begin.
pub(crate) fn syllables(bytes: &[u8]) -> usize {
    let mut length = 0;
    while bytes.get(length..).is_some_and(starts_with_syllable) {
        length += SYLLABLE;
    }
    length
}

/// Whether these bytes of a text begin with a Hangul syllable.
pub(crate) fn starts_with_syllable(bytes: &[u8]) -> bool {
    match bytes {
        [0xEB | 0xEC, ..] => true,
        [0xEA, second, ..] => *second >= 0xB0,
        [0xED, second, third, ..] => *second < 0x9E || (*second == 0x9E && *third <= 0xA3),
        _ => false,
    }
}

/// Non-ASCII symbols as inclusive ranges, sorted.
#[rustfmt::skip]
const SYMBOLS: &[(u32, u32)] = &[
    (0x80, 0x9F), (0xAB, 0xAB), (0xB4, 0xB4), (0xBB, 0xBB), (0x589, 0x589), (0x61D, 0x61F),
    (0x6D4, 0x6D4), (0x700, 0x702), (0x7F9, 0x7F9), (0x837, 0x837), (0x839, 0x839), (0x83D, 0x83E),
    (0x964, 0x965), (0x104A, 0x104B), (0x1362, 0x1362), (0x1367, 0x1368), (0x166E, 0x166E),
    (0x1735, 0x1736), (0x17D4, 0x17D6), (0x17D9, 0x17DA), (0x1803, 0x1803), (0x1809, 0x1809),
    (0x1944, 0x1945), (0x1AA8, 0x1AAB), (0x1B5A, 0x1B5B), (0x1B5E, 0x1B5F), (0x1B7D, 0x1B7E),
    (0x1C3B, 0x1C3C), (0x1C7E, 0x1C7F), (0x2013, 0x2014), (0x2019, 0x2019), (0x201C, 0x201E),
    (0x2026, 0x2026), (0x203C, 0x203D), (0x2047, 0x2049), (0x2236, 0x2236), (0x2501, 0x2501),
    (0x25BA, 0x25BA), (0x2E2E, 0x2E2E), (0x2E3C, 0x2E3C), (0x2E53, 0x2E54), (0x3001, 0x3002),
    (0x3008, 0x300D), (0x3010, 0x3011), (0xA4FF, 0xA4FF), (0xA60E, 0xA60F), (0xA6F3, 0xA6F3),
    (0xA6F7, 0xA6F7), (0xA876, 0xA877), (0xA8CE, 0xA8CF), (0xA92F, 0xA92F), (0xA9C8, 0xA9C9),
    (0xAA5D, 0xAA5F), (0xAAF0, 0xAAF1), (0xABEB, 0xABEB), (0xFE52, 0xFE52), (0xFE56, 0xFE57),
    (0xFF01, 0xFF01), (0xFF05, 0xFF05), (0xFF08, 0xFF09), (0xFF0C, 0xFF0C), (0xFF0E, 0xFF0E),
    (0xFF11, 0xFF11), (0xFF1A, 0xFF1B), (0xFF1F, 0xFF1F), (0xFF5E, 0xFF5E), (0xFF61, 0xFF61),
    (0x10A56, 0x10A57), (0x10F55, 0x10F59), (0x10F86, 0x10F89), (0x11047, 0x11048),
    (0x110BE, 0x110C1), (0x11141, 0x11143), (0x111C5, 0x111C6), (0x111CD, 0x111CD),
    (0x111DE, 0x111DF), (0x11238, 0x11239), (0x1123B, 0x1123C), (0x112A9, 0x112A9),
    (0x1144B, 0x1144C), (0x115C2, 0x115C3), (0x115C9, 0x115D7), (0x11641, 0x11642),
    (0x1173C, 0x1173E), (0x11944, 0x11944), (0x11946, 0x11946), (0x11A42, 0x11A43),
    (0x11A9B, 0x11A9C), (0x11C41, 0x11C42), (0x11EF7, 0x11EF8), (0x11F43, 0x11F44),
    (0x16A6E, 0x16A6F), (0x16AF5, 0x16AF5), (0x16B37, 0x16B38), (0x16B44, 0x16B44),
    (0x16E98, 0x16E98), (0x1BC9F, 0x1BC9F), (0x1DA88, 0x1DA88),
];

/// Zeros of the decimal digits of Unicode 14, each followed by one to nine; sorted.
#[rustfmt::skip]
const DECIMAL_ZEROS: &[u32] = &[
    0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6,
    0xE50, 0xED0, 0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50,
    0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0,
    0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730,
    0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2,
    0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syllables_are_told_by_their_bytes() {
        for c in '\0'..=char::MAX {
            assert_eq!(starts_with_syllable(c.encode_utf8(&mut [0; 4]).as_bytes()), matches!(c, '가'..='힣'), "{c:?}");
        }
        assert!(!starts_with_syllable(b""));
        assert_eq!(["", "a가", "가힣", "가힣\u{D7A4}", "ㅏ", "나a나"].map(|text| syllables(text.as_bytes())), [0, 0, 6, 6, 0, 3]);
    }

    #[test]
    fn sentences_end_with_159_characters() {
        assert_eq!(('\0'..=char::MAX).filter(|&c| is_terminal(c)).count(), 159);
        assert!(".!?。！？．።।".chars().all(is_terminal));
        assert!(!"…\"')»~：1".chars().any(is_terminal));
    }

    /// The tables of Unicode are the oracle: such a character is composed, is never composed with the one
    /// before it, and never moves before it.
    #[test]
    fn what_never_changes_is_so_for_unicode() {
        for c in ('\0'..=char::MAX).filter(|&c| never_changes(c)) {
            assert_eq!(is_nfc_quick(std::iter::once(c)), IsNormalized::Yes, "{c:?}");
            assert_eq!(unicode_normalization::char::canonical_combining_class(c), 0, "{c:?}");
        }
        for c in ('\0'..=char::MAX).filter(|c| !may_change(c.encode_utf8(&mut [0; 4]).as_bytes()[0])) {
            assert!(never_changes(c), "{c:?}");
        }
        assert!(is_nfc("“가”—é 漢字ㅋ…") && !is_nfc("e\u{301}") && !is_nfc("\u{1112}\u{1161}"));
    }

    proptest::proptest! {
        #[test]
        fn runs_are_told_as_the_whole_text_is(text in "[a가각é漢“한\u{301}\u{323}\u{1161}\u{11ab}\u{338}Ω\u{2126}क\u{93c}]{0,12}|.{0,20}") {
            proptest::prop_assert_eq!(is_nfc(&text), is_nfc_quick(text.chars()) == IsNormalized::Yes);
            proptest::prop_assert_eq!(nfc(&text), text.nfc().collect::<String>());
        }
    }

    #[test]
    fn digits_are_decimal_in_every_script() {
        assert!("09٣７𝟗".chars().all(is_decimal));
        assert!(!"²½Ⅷ一a:".chars().any(is_decimal));
        assert!("a가5²Ⅷ一".chars().all(is_alnum) && !"_-ⓐ\u{301} ".chars().any(is_alnum));
    }

    #[test]
    fn symbols_are_sorted_and_complete() {
        assert!(SYMBOLS.windows(2).all(|pair| pair[0].1 < pair[1].0));
        let count: u32 = SYMBOLS.iter().map(|(first, last)| last - first + 1).sum();
        assert_eq!(count, 218);
        for c in "!~·、。…»‥".chars() {
            assert_eq!(is_symbol(c), !"·‥".contains(c), "{c}");
        }
        assert!(!is_symbol('가') && !is_symbol('a') && !is_symbol('5') && !is_symbol('\n'));
    }

    #[test]
    fn letters_exclude_numbers_and_marks() {
        for c in "aé가ㅋ漢ぁЖ".chars() {
            assert!(is_letter(c), "{c}");
        }
        for c in "5Ⅷⓐ〇\u{301}!".chars() {
            assert!(!is_letter(c), "{c}");
        }
    }

    #[test]
    fn hangul_is_neither_han_nor_kana() {
        assert!("가힣ㅋㅠㆍ".chars().all(is_hangul));
        assert!(!"漢語ひらカﾊ\u{3164}a".chars().any(is_hangul));
    }
}
