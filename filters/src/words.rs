//! Words and lines of a text, found once and shared by all filters as byte ranges.

use unicode_segmentation::UnicodeSegmentation;
use xxhash_rust::xxh3::xxh3_64;

use crate::bytes::{char_at, places};
use crate::chars::{SYLLABLE, is_alnum, is_letter, is_space, is_symbol, starts_with_syllable};
use crate::{Part, Segmentation};

/// One word; what that is, the [`Segmentation`] says. Between white space it is a maximal run of
/// other characters, in Korean the eojeol (어절), particles and endings included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// First byte in the text.
    pub start: u32,
    /// Byte after the last one.
    pub end: u32,
    /// Length in characters.
    pub chars: u32,
    flags: u8,
    /// Hash of the word's bytes; equal words have equal hashes.
    pub hash: u64,
}

impl Word {
    /// The word itself.
    #[must_use]
    pub fn of<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }

    /// Holds at least one letter (general category L).
    #[must_use]
    pub fn has_letter(&self) -> bool {
        self.flags & LETTER != 0
    }

    /// Consists of punctuation and control characters only.
    #[must_use]
    pub fn is_symbol(&self) -> bool {
        self.flags & CONTENT == 0
    }
}

/// The hash of a word's bytes.
pub(crate) fn hash_of(word: &[u8]) -> u64 {
    xxh3_64(word)
}

/// The words of one text in order.
#[derive(Clone, Debug, Default)]
pub struct Words {
    words: Vec<Word>,
    text_bytes: usize,
}

impl Words {
    /// Splits in this segmentation.
    #[must_use]
    pub fn segmented(text: &str, segmentation: Segmentation) -> Self {
        match segmentation {
            Segmentation::Whitespace => Self::new(text),
            Segmentation::Unicode => Self::bounded(text, |piece| piece.starts_with(is_alnum)),
            Segmentation::UnicodeSigns => Self::bounded(text, |piece| !piece.chars().all(is_space)),
            Segmentation::Korean => {
                let mut words = Self { words: Vec::with_capacity(text.len().min(1 << 26) / 5 + 1), text_bytes: text.len() };
                crate::korean::split(text, 0, addressable(text).len(), &mut |piece| match piece.part {
                    Part::Other => words.push(text, piece.start, piece.end),
                    // Syllables have three bytes each.
                    _ => words.add(text, piece.start, piece.end, ((piece.end - piece.start) / 3) as u32, LETTER | CONTENT),
                });
                words
            }
        }
    }

    /// The segments of Unicode's text segmentation that are words.
    fn bounded(text: &str, is_word: impl Fn(&str) -> bool) -> Self {
        let mut found = Self { words: Vec::with_capacity(text.len().min(1 << 26) / 6 + 1), text_bytes: text.len() };
        let pieces = addressable(text).split_word_bound_indices();
        pieces.filter(|(_, piece)| is_word(piece)).for_each(|(at, piece)| found.push(text, at, at + piece.len()));
        found
    }

    /// Adds the word between two places of the text.
    fn push(&mut self, text: &str, start: usize, end: usize) {
        let word = &text[start..end];
        let (mut chars, mut flags) = (0, 0);
        for c in word.chars() {
            chars += 1;
            flags |= class_of(c);
        }
        self.add(text, start, end, chars, flags);
    }

    fn add(&mut self, text: &str, start: usize, end: usize, chars: u32, flags: u8) {
        let hash = hash_of(&text.as_bytes()[start..end]);
        self.words.push(Word { start: start as u32, end: end as u32, chars, flags, hash });
    }

    /// Splits on white space, exactly where Python's `str.split()` does.
    ///
    /// Positions are 32-bit: of a text above 4 GiB only the beginning is segmented. (A chain
    /// refuses far smaller ones, see [`crate::MAX_TEXT_BYTES`].)
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut words = Self { words: Vec::with_capacity(text.len().min(1 << 26) / 6 + 1), text_bytes: text.len() };
        let measured = addressable(text);
        let bytes = measured.as_bytes();
        let (mut at, mut start, mut chars, mut flags) = (0, 0, 0, 0);
        while let Some(&byte) = bytes.get(at) {
            let (class, length) = match byte {
                0..0x80 => (ASCII[usize::from(byte)], 1),
                _ if starts_with_syllable(&bytes[at..]) => (LETTER | CONTENT, SYLLABLE),
                _ => char_at(measured, at).map_or((0, 1), |c| (class_of(c), c.len_utf8())),
            };
            if class & SPACE == 0 {
                chars += 1;
                flags |= class;
            } else {
                if chars > 0 {
                    words.add(text, start, at, chars, flags);
                    (chars, flags) = (0, 0);
                }
                start = at + length;
            }
            at += length;
        }
        if chars > 0 {
            words.add(text, start, at, chars, flags);
        }
        words
    }

    /// Length in bytes of the text these words belong to.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.text_bytes
    }
}

impl std::ops::Deref for Words {
    type Target = [Word];

    fn deref(&self) -> &[Word] {
        &self.words
    }
}

/// The lines of one text in order, as byte ranges without their line ends.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    lines: Vec<(u32, u32)>,
    text_bytes: usize,
}

impl Lines {
    /// Splits where Python's `str.splitlines()` does: at line feed, carriage return (one break
    /// when both follow each other), vertical tab, form feed, U+001C to U+001E, U+0085, U+2028
    /// and U+2029. A break at the very end opens no further line.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut lines = Vec::new();
        let mut start = 0;
        let measured = addressable(text);
        let bytes = measured.as_bytes();
        let may_break = |byte: u8| (byte < b' ') & (byte != b'\t') | (byte == 0xC2) | (byte == 0xE2);
        for at in places(bytes, may_break) {
            let Some(c) = char_at(measured, at).filter(|&c| is_line_break(c)) else { continue };
            if !(c == '\n' && bytes[..at].last() == Some(&b'\r')) {
                lines.push((start as u32, at as u32));
            }
            start = at + c.len_utf8();
        }
        if start < measured.len() {
            lines.push((start as u32, measured.len() as u32));
        }
        Self { lines, text_bytes: text.len() }
    }

    /// How many lines there are, empty ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True for an empty text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines as byte ranges.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.lines.iter().copied()
    }

    /// The lines as slices of the text they were found in.
    pub fn of<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.lines.iter().map(|&(start, end)| text.get(start as usize..end as usize).unwrap_or(""))
    }

    /// Length in bytes of the text these lines belong to.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.text_bytes
    }
}

/// A character at which a line ends.
pub(crate) fn is_line_break(c: char) -> bool {
    matches!(c, '\n'..='\r' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

const LETTER: u8 = 1;
const CONTENT: u8 = 2;
const SPACE: u8 = 4;

/// Classes of the ASCII characters, so that the common case is one table look-up.
const ASCII: [u8; 128] = {
    let mut table = [0; 128];
    let mut code = 0;
    while code < 128 {
        let byte = code as u8;
        table[code] = if byte == b' ' || (byte >= 9 && byte <= 13) || (byte >= 28 && byte <= 31) {
            SPACE
        } else if byte.is_ascii_alphabetic() {
            LETTER | CONTENT
        } else if byte.is_ascii_digit() {
            CONTENT
        } else {
            0
        };
        code += 1;
    }
    table
};

fn class_of(c: char) -> u8 {
    match c {
        '\0'..='\x7f' => ASCII[c as usize],
        '\u{AC00}'..='\u{D7A3}' => LETTER | CONTENT,
        _ if is_space(c) => SPACE,
        _ => {
            let letter = if is_letter(c) { LETTER } else { 0 };
            let content = if is_symbol(c) { 0 } else { CONTENT };
            letter | content
        }
    }
}

/// The part of the text whose positions fit 32 bits.
pub(crate) fn addressable(text: &str) -> &str {
    let mut end = text.len().min(u32::MAX as usize);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn splits_on_unicode_white_space() {
        let text = " 안녕\u{3000}ㅋㅋ\u{1c}--- 3월\u{a0}…\n";
        let words = Words::new(text);
        let shown: Vec<_> = words.iter().map(|word| word.of(text)).collect();
        assert_eq!(shown, ["안녕", "ㅋㅋ", "---", "3월", "…"]);
        assert_eq!(words.iter().map(|word| word.chars).collect::<Vec<_>>(), [2, 2, 3, 2, 1]);
        let letters: Vec<_> = words.iter().map(Word::has_letter).collect();
        assert_eq!(letters, [true, true, false, true, false]);
        let symbols: Vec<_> = words.iter().map(Word::is_symbol).collect();
        assert_eq!(symbols, [false, false, true, false, true]);
    }

    #[test]
    fn characters_are_told_by_first_bytes() {
        for c in '\0'..=char::MAX {
            let first = c.encode_utf8(&mut [0; 4]).as_bytes()[0];
            assert!(!is_line_break(c) || first < b' ' || first == 0xC2 || first == 0xE2, "{c:?}");
        }
    }

    #[test]
    fn lines_end_like_in_python() {
        let lines_of = |text: &str| {
            let lines = Lines::new(text);
            lines.of(text).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(lines_of("a\r\nb\rc\n\nd"), ["a", "b", "c", "", "d"]);
        assert_eq!(lines_of("a\u{2028}나\u{85}"), ["a", "나"]);
        assert_eq!(lines_of("\n"), [""]);
        assert_eq!(lines_of("\n\r\n"), ["", ""]);
        assert!(lines_of("").is_empty());
    }

    proptest! {
        #[test]
        fn words_cover_everything_but_space(text in ".{0,80}") {
            let words = Words::new(&text);
            let joined: String = words.iter().map(|word| word.of(&text)).collect();
            let expected: String = text.chars().filter(|&c| !is_space(c)).collect();
            prop_assert_eq!(joined, expected);
            for word in words.iter() {
                prop_assert_eq!(word.chars as usize, word.of(&text).chars().count());
                prop_assert_eq!(word.has_letter(), word.of(&text).chars().any(is_letter));
                prop_assert_eq!(word.is_symbol(), word.of(&text).chars().all(is_symbol));
            }
        }
    }
}
