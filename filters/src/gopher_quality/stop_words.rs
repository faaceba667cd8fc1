//! Function words of running text, as the presets list them.

use super::content_of;
use crate::chars::is_symbol;
use crate::words::{Word, Words, hash_of};

/// Whole words by hash, endings by comparison; each once, and none that is empty.
pub(super) struct StopWords {
    /// Hashes of the whole words, sorted.
    whole: Vec<u64>,
    /// One bit for the low six bits of each hash: most words are settled by it.
    bloom: u64,
    endings: Vec<String>,
}

impl StopWords {
    pub(super) fn new(listed: &[&str]) -> Self {
        let mut endings: Vec<String> = listed.iter().filter_map(|word| word.strip_prefix('-')).map(str::to_owned).collect();
        endings.retain(|ending| !ending.is_empty());
        endings.sort_unstable();
        endings.dedup();
        let whole = listed.iter().filter(|word| !word.is_empty() && !word.starts_with('-'));
        let mut whole: Vec<u64> = whole.map(|word| hash_of(word.as_bytes())).collect();
        whole.sort_unstable();
        whole.dedup();
        let bloom = whole.iter().fold(0, |bits, hash| bits | 1 << (hash & 63));
        Self { whole, bloom, endings }
    }

    /// How many different ones there are.
    pub(super) fn len(&self) -> usize {
        self.whole.len() + self.endings.len()
    }

    /// How many different stop words occur.
    pub(super) fn count_in(&self, text: &str, words: &Words) -> usize {
        let mut met = vec![false; self.whole.len()];
        let mut missing = met.len();
        let mut open: Vec<&str> = self.endings.iter().map(String::as_str).collect();
        for word in words.iter() {
            if missing == 0 && open.is_empty() {
                break;
            }
            if self.bloom >> (word.hash & 63) & 1 == 1
                && let Ok(at) = self.whole.binary_search(&word.hash)
                && !met[at]
            {
                met[at] = true;
                missing -= 1;
            }
            if !open.is_empty() && word.has_letter() {
                let stem = content_of(word, text);
                open.retain(|ending| stem.strip_suffix(ending).is_none_or(str::is_empty));
            }
        }
        met.len() - missing + self.endings.len() - open.len()
    }

    /// How many words are stop words, whatever their case, each occurrence counted.
    pub(super) fn occurrences_in(&self, text: &str, words: &Words) -> usize {
        let listed = |word: &&Word| {
            let word = word.of(text);
            let ending =
                |ending: &String| word.trim_end_matches(is_symbol).strip_suffix(ending.as_str()).is_some_and(|stem| !stem.is_empty());
            let mut small = [0; 16];
            let whole = match small.get_mut(..word.len()) {
                Some(lower) if word.is_ascii() => {
                    lower.copy_from_slice(word.as_bytes());
                    lower.make_ascii_lowercase();
                    hash_of(lower)
                }
                _ => hash_of(word.to_lowercase().as_bytes()),
            };
            self.whole.binary_search(&whole).is_ok() || self.endings.iter().any(ending)
        };
        words.iter().filter(listed).count()
    }
}
