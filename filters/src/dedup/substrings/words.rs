//! The words of a text, hashes of runs of them, and the anchors of these.

use std::collections::VecDeque;

use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use crate::words::addressable;

/// Bytes of a word's hash.
const HASH: usize = size_of::<u64>();

/// The words of a text. A word stands between white space, in Korean an eojeol; where Chinese or
/// Japanese is written without spaces (Han or Kana, and no Hangul) each of their characters is a word, each
/// mark, and each run of other letters and digits.
pub(super) struct Words {
    /// First byte of each in the text, and the byte after its last one.
    places: Vec<(u32, u32)>,
    /// Their hashes, one after another.
    hashes: Vec<u8>,
    run: usize,
}

impl Words {
    /// For runs of so many words.
    pub(super) fn of(text: &str, run: usize) -> Self {
        let mut words = Self { places: Vec::new(), hashes: Vec::new(), run };
        let text = addressable(text);
        let base = text.as_ptr() as usize;
        for word in text.split_whitespace() {
            let start = word.as_ptr() as usize - base;
            if word.chars().any(is_unspaced) && !word.chars().any(|c| ('\u{AC00}'..='\u{D7A3}').contains(&c)) {
                words.apart(start, word);
            } else {
                words.push(start, word);
            }
        }
        words
    }

    /// What is written without spaces.
    fn apart(&mut self, start: usize, text: &str) {
        let mut run = 0; // its first byte
        for (at, c) in text.char_indices().filter(|(_, c)| is_unspaced(*c) || !c.is_alphanumeric()) {
            let end = at + c.len_utf8();
            if run < at {
                self.push(start + run, &text[run..at]);
            }
            self.push(start + at, &text[at..end]);
            run = end;
        }
        if run < text.len() {
            self.push(start + run, &text[run..]);
        }
    }

    fn push(&mut self, start: usize, word: &str) {
        self.places.push((start as u32, (start + word.len()) as u32));
        self.hashes.extend(xxh3_64(word.as_bytes()).to_le_bytes());
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Words in a run.
    pub(super) fn run(&self) -> usize {
        self.run
    }

    /// First byte of a word, and the byte after its last one.
    pub(super) fn place(&self, word: usize) -> (usize, usize) {
        let (start, end) = self.places[word];
        (start as usize, end as usize)
    }

    /// Words in an anchor: half a run, which keeps both anchors and false meetings few.
    fn anchor(&self) -> usize {
        self.run.div_ceil(2)
    }

    fn hash(&self, at: usize, words: usize, seed: u64) -> u128 {
        xxh3_128_with_seed(&self.hashes[at * HASH..(at + words) * HASH], seed)
    }

    /// Hash of the run that begins at a word.
    pub(super) fn run_hash(&self, at: u32, seed: u64) -> u128 {
        self.hash(at as usize, self.run, seed)
    }

    /// Hash of the anchor that begins at a word.
    pub(super) fn anchor_hash(&self, at: u32, seed: u64) -> u128 {
        self.hash(at as usize, self.anchor(), seed)
    }

    /// Every run's first word with that of its anchor: of the shorter runs in it the one with the
    /// smallest hash, the first of equal ones (a minimizer).
    pub(super) fn runs(&self) -> impl Iterator<Item = (u32, u32)> {
        let (anchor, within) = (self.anchor(), self.run - self.anchor());
        // The smallest hashes yet to leave, ascending.
        let mut least: VecDeque<(u128, usize)> = VecDeque::new();
        let last = (self.len() + 1).saturating_sub(anchor);
        (0..last).filter_map(move |at| {
            let hash = self.hash(at, anchor, 0);
            while least.back().is_some_and(|(other, _)| *other > hash) {
                least.pop_back();
            }
            least.push_back((hash, at));
            let run = at.checked_sub(within)?;
            if least.front().is_some_and(|(_, place)| *place < run) {
                least.pop_front();
            }
            least.front().map(|(_, place)| (run as u32, *place as u32))
        })
    }

    /// The anchors of all runs, ascending.
    pub(super) fn anchors(&self) -> Vec<u32> {
        let mut anchors: Vec<u32> = self.runs().map(|(_, anchor)| anchor).collect();
        anchors.dedup();
        anchors
    }
}

/// Han and Kana.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        let words = Words::of(text, 1);
        words.places.iter().map(|(start, end)| &text[*start as usize..*end as usize]).collect()
    }

    #[test]
    fn words_by_hand() {
        assert_eq!(words(" 나는\u{3000}학교에\n갔다. "), ["나는", "학교에", "갔다."]);
        assert_eq!(words("日本語のテキスト。 大韓民國의 法"), ["日", "本", "語", "の", "テ", "キ", "ス", "ト", "。", "大韓民國의", "法"]);
        assert_eq!(words("(Rust言語)2024年版 v2.0"), ["(", "Rust", "言", "語", ")", "2024", "年", "版", "v2.0"]);
        assert!(words(" \n").is_empty());
    }

    #[test]
    fn a_run_has_the_anchor_that_all_of_its_parts_say() {
        let text: Vec<String> = (0..300_u32).map(|n| (n * n % 23).to_string()).collect();
        for run in [1, 2, 5, 50, 301] {
            let words = Words::of(&text.join(" "), run);
            let of_each = |at: usize| {
                let parts = at..=at + run - words.anchor();
                parts.min_by_key(|part| (words.hash(*part, words.anchor(), 0), *part)).map(|part| (at as u32, part as u32))
            };
            let slow: Vec<_> = (0..(301_usize).saturating_sub(run)).filter_map(of_each).collect();
            assert_eq!(words.runs().collect::<Vec<_>>(), slow, "{run}");
            assert_eq!(slow.len(), 301_usize.saturating_sub(run));
        }
    }
}
