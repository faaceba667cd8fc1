//! The Gopher measures as DCLM defines them: the same names as elsewhere, other numbers.
//!
//! Repetition counts every occurrence of what occurs more than once, the first included, and divides
//! by the characters of the pieces rather than of the text. Quality counts all words where the
//! other definition leaves punctuation out, and every stop word rather than different ones.

use crate::chars::{is_alnum, is_space};
use crate::metrics::ratio;
use crate::ngrams::ngram_keys;
use crate::table::Table;
use crate::words::Word;

/// Pieces of a text that occur more than once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Repeated {
    /// How many pieces there are.
    pub(crate) of: usize,
    /// Share of them that have an equal.
    pub(crate) elements: f64,
    /// Share of their characters that lie in such pieces.
    pub(crate) chars: f64,
}

impl Repeated {
    /// Looks at the trimmed pieces between separators, empty ones left out; a single piece repeats
    /// nothing.
    pub(crate) fn between(text: &str, separator: &str, table: &mut Table) -> Self {
        let pieces = || text.split(separator).map(|piece| piece.trim_matches(is_space)).filter(|piece| !piece.is_empty());
        let of = pieces().count();
        table.reset(of);
        // (occurrences, characters of all of them) in the order of first appearance
        let mut met: Vec<(usize, usize)> = Vec::new();
        for piece in pieces() {
            let chars = piece.chars().count();
            match table.get_or_insert(xxhash_rust::xxh3::xxh3_64(piece.as_bytes()), met.len() as u32) {
                Some(at) => {
                    let (count, total) = &mut met[at as usize];
                    (*count, *total) = (*count + 1, *total + chars);
                }
                None => met.push((1, chars)),
            }
        }
        let total: usize = met.iter().map(|(_, chars)| chars).sum();
        let (elements, chars) = met.iter().filter(|(count, _)| *count > 1).fold((0, 0), |sum, found| (sum.0 + found.0, sum.1 + found.1));
        Self { of, elements: ratio(elements, of), chars: ratio(chars, total) }
    }
}

/// Characters of the words, and what runs of them repeat.
pub(crate) struct Grams<'a> {
    words: &'a [Word],
    total: usize,
    /// Which different n-gram stands at each position, and how often it and its like occur.
    ids: Vec<u32>,
    counts: Vec<u32>,
}

impl<'a> Grams<'a> {
    pub(crate) fn new(words: &'a [Word]) -> Self {
        Self { words, total: length(words), ids: Vec::new(), counts: Vec::new() }
    }

    fn count(&mut self, n: usize, table: &mut Table) {
        self.ids.clear();
        self.counts.clear();
        table.reset((self.words.len() + 1).saturating_sub(n));
        for key in ngram_keys(self.words, n) {
            let id = table.get_or_insert(key, self.counts.len() as u32).unwrap_or(self.counts.len() as u32);
            match self.counts.get_mut(id as usize) {
                Some(count) => *count += 1,
                None => self.counts.push(1),
            }
            self.ids.push(id);
        }
    }

    /// Share of the longest among the most frequent n-grams, times its count; 0 when none repeats.
    pub(crate) fn top(&mut self, n: usize, table: &mut Table) -> f64 {
        self.count(n, table);
        let most = self.counts.iter().copied().max().unwrap_or(0);
        if most < 2 {
            return 0.0;
        }
        let frequent = self.ids.iter().enumerate().filter(|(_, id)| self.counts[**id as usize] == most);
        let longest = frequent.map(|(at, _)| length(&self.words[at..at + n])).max().unwrap_or(0);
        ratio(longest * most as usize, self.total)
    }

    /// Share of the words that lie in any n-gram that occurs more than once.
    pub(crate) fn repeated(&mut self, n: usize, table: &mut Table) -> f64 {
        self.count(n, table);
        let (mut covered, mut chars) = (0, 0);
        for (at, id) in self.ids.iter().enumerate() {
            if self.counts[*id as usize] > 1 {
                chars += length(&self.words[covered.max(at)..at + n]);
                covered = at + n;
            }
        }
        ratio(chars, self.total)
    }
}

fn length(words: &[Word]) -> usize {
    words.iter().map(|word| word.chars as usize).sum()
}

/// Words between ASCII white space or NUL (as fastText reads them) that begin with a letter or digit.
pub(crate) fn content_words(text: &str) -> usize {
    let blank = |c: char| matches!(c, ' ' | '\t'..='\r' | '\0');
    text.split(blank).filter(|word| word.starts_with(is_alnum)).count()
}

/// `#`, `...`, `. . .` and `…`, each counted by itself.
pub(crate) fn symbols(text: &str) -> usize {
    ["#", "...", ". . .", "…"].into_iter().map(|symbol| text.matches(symbol).count()).sum()
}

/// Trimmed lines that hold something: how many, how many with a bullet, how many with an ellipsis.
pub(crate) fn lines(text: &str) -> [usize; 3] {
    let mut counts = [0; 3];
    for line in text.split('\n').map(|line| line.trim_matches(is_space)).filter(|line| !line.is_empty()) {
        counts[0] += 1;
        counts[1] += usize::from(line.starts_with(['●', '•', '*', '-']));
        counts[2] += usize::from(["...", ". . .", "…"].into_iter().any(|end| line.ends_with(end)));
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Segmentation, Words};

    /// The fractions of DCLM's own unit tests.
    #[test]
    fn fractions_of_the_reference() {
        let table = &mut Table::default();
        let lines = Repeated::between("Hello, World.\nHello, World.\n\nHello", "\n", table);
        assert_eq!((lines.of, lines.elements, lines.chars), (3, 2.0 / 3.0, 26.0 / 31.0));
        let paragraphs = Repeated::between("Hello, World.\n\nHello, World.\n\nHello, World.\nHello", "\n\n", table);
        assert_eq!((paragraphs.of, paragraphs.elements, paragraphs.chars), (3, 2.0 / 3.0, 26.0 / 45.0));
        assert_eq!(Repeated::between("Hello\nHello\n\n\n\nHello", "\n", table).elements, 1.0);
        assert_eq!(Repeated::between(" \n\n", "\n", table), Repeated::default());

        let mut grams = |text: &str, n: usize, top: bool| {
            let words = Words::segmented(text, Segmentation::Unicode);
            let mut grams = Grams::new(&words);
            if top { grams.top(n, table) } else { grams.repeated(n, table) }
        };
        let spaced = "hello      world hello apple.... world hello\n world hello";
        assert_eq!((grams(spaced, 2, true), grams(spaced, 3, true), grams(spaced, 4, true)), (30.0 / 40.0, 30.0 / 40.0, 0.0));
        assert_eq!(grams("a b a b a b ab cd ab cd ab cd abc def abc def", 2, true), 12.0 / 30.0);
        assert_eq!(grams("a b a b a b abc def abc def ab cd ab cd ab cd", 2, true), 12.0 / 30.0);
        let long = "hello world hello\n world hello. apple world hello world hello world hello world";
        assert_eq!(grams(long, 5, false), 60.0 / 65.0);
        assert_eq!((grams("hello", 2, true), grams("hello", 5, false), grams("", 5, false)), (0.0, 0.0, 0.0));
    }

    #[test]
    fn quality_by_hand() {
        assert_eq!(content_words("a -b (c d\u{a0}e ² #\0가\n\n"), 4);
        assert_eq!(symbols("# ... . . . … ....#"), 6);
        assert_eq!(lines("● a\n  * b...\n\n- \n-c . . .\n d…"), [5, 4, 3]);
    }
}
