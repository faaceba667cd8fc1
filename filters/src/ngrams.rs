//! Counting word n-grams by hash: no string is built for any of them. Most occur once, and most passes look
//! at those alone that may occur twice.

use xxhash_rust::xxh3::xxh3_64;

use crate::table::Table;
use crate::words::Word;

/// A key for each run of `n` words; the words of equal keys are equal.
pub(crate) fn ngram_keys(words: &[Word], n: usize) -> impl Iterator<Item = u64> + '_ {
    words.windows(n.max(1)).map(ngram_key)
}

fn ngram_key(words: &[Word]) -> u64 {
    words.iter().fold(0, |key: u64, word| key.rotate_left(23).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ word.hash)
}

/// The most frequent n-grams of a text, for one n after another.
pub(crate) struct Tops<'a> {
    words: &'a [Word],
    /// Where the shortest n-grams begin that occur twice, and how often these do: longer ones begin nowhere
    /// else, and are not more frequent. None before the first call.
    repeating: Option<Vec<Counted>>,
    /// How often the most frequent n-gram of the latest n occurs.
    most: u32,
}

/// A word where an n-gram begins, and a count of this.
type Counted = (u32, u32);

/// Of a longer n-gram the most frequent one is looked for among those that begin as one does that is at least this
/// part as frequent as the most frequent of the shorter ones. If there is none, among all.
const PART: u32 = 4;

impl<'a> Tops<'a> {
    pub(crate) fn new(words: &'a [Word]) -> Self {
        Self { words, repeating: None, most: 0 }
    }

    /// Characters covered by the most frequent n-gram: its length, words joined by single spaces,
    /// times its count. Occurrences may overlap; of equally frequent ones the first counts. `None`
    /// when the text has fewer than `n` words. No call has a smaller `n` than the one before.
    pub(crate) fn chars(&mut self, n: usize, table: &mut Table) -> Option<usize> {
        if n == 0 || self.words.len() < n {
            return None;
        }
        let last = (self.words.len() - n) as u32;
        let (first, most) = if let Some(shorter) = &self.repeating {
            let as_frequent = |least: u32| shorter.iter().filter(move |(at, count)| *count >= least && *at <= last).map(|(at, _)| *at);
            let least = (self.most / PART).max(2);
            let frequent = most_frequent(&self.count(n, as_frequent(least), table).0);
            if frequent.1 >= least || least == 2 { frequent } else { most_frequent(&self.count(n, as_frequent(2), table).0) }
        } else {
            let (counts, mut met) = self.count(n, 0..last + 1, table);
            met.retain_mut(|(_, number)| {
                *number = counts[*number as usize].1;
                *number >= 2
            });
            self.repeating = Some(met);
            most_frequent(&counts)
        };
        self.most = most;
        let first = first as usize;
        let chars: usize = self.words[first..first + n].iter().map(|word| word.chars as usize).sum();
        Some((chars + n - 1) * most as usize)
    }

    /// The n-grams that begin at these words and may occur twice, as (first word, count) in the order of first
    /// appearance, behind the first of all; and where they begin, each with its number among them.
    fn count(&self, n: usize, starts: impl Iterator<Item = u32> + Clone, table: &mut Table) -> (Vec<Counted>, Vec<Counted>) {
        table.start_pass(starts.clone().map(|at| ngram_key(&self.words[at as usize..at as usize + n])));
        let (mut counts, mut met) = (vec![(0, 1)], Vec::new());
        for (number, at) in starts.enumerate() {
            let key = table.pass[number];
            if !table.may_repeat(key) {
                continue;
            }
            let entry = table.get_or_insert(key, counts.len() as u32);
            match entry {
                Some(entry) => counts[entry as usize].1 += 1,
                None => counts.push((at, 1)),
            }
            met.push((at, entry.unwrap_or(counts.len() as u32 - 1)));
        }
        (counts, met)
    }
}

/// The first among the most frequent.
fn most_frequent(counts: &[Counted]) -> Counted {
    counts.iter().fold((0, 0), |best, &counted| if counted.1 > best.1 { counted } else { best })
}

/// The words of a text joined without spaces, in which every duplicate n-gram is found.
pub(crate) struct Runs {
    /// The bytes of the words, and some more at the end.
    joined: Vec<u8>,
    /// Bytes and characters of the first `i` words.
    lengths: Vec<(u32, u32)>,
    /// Where an n-gram begins that may occur twice.
    repeating: Vec<u32>,
}

/// Bytes of an n-gram by which it is told whether it may occur twice, and copied at a time.
const PREFIX: usize = 16;

impl Runs {
    /// Prepares for n-grams of at least `least` words of this text.
    pub(crate) fn new(text: &str, words: &[Word], least: usize, table: &mut Table) -> Self {
        let mut lengths = Vec::with_capacity(words.len() + 1);
        let (mut bytes, mut chars) = (0, 0);
        lengths.push((bytes, chars));
        for word in words {
            bytes += word.end - word.start;
            chars += word.chars;
            lengths.push((bytes, chars));
        }
        let mut runs = Self { joined: joined(text, words, bytes as usize), lengths, repeating: Vec::new() };
        runs.find_repeating(least, table);
        runs
    }

    /// N-grams are equal if their words joined are, wherever these end (`ab c`, `a bc`); so they are told
    /// apart by their first bytes and not by their first words. Shorter ones may all occur twice.
    fn find_repeating(&mut self, least: usize, table: &mut Table) {
        let prefix = |at: u32| {
            let (first, rest) = self.joined.get(at as usize..)?.split_first_chunk()?;
            let (first, second) = (u64::from_le_bytes(*first), u64::from_le_bytes(*rest.first_chunk()?));
            Some(first.wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(23) ^ second)
        };
        let starts = &self.lengths[..self.lengths.len().saturating_sub(least)];
        table.start_pass(starts.iter().map(|(at, _)| prefix(*at).unwrap_or(0)));
        for (at, (start, _)) in starts.iter().enumerate() {
            let length = (self.lengths[at + least].0 - start) as usize;
            if length < PREFIX || table.may_repeat(table.pass[at]) {
                self.repeating.push(at as u32);
            }
        }
    }

    /// Characters inside repeated n-grams, from left to right: one that was met before counts its
    /// characters (without spaces) and is jumped over, a new one moves on by a word.
    ///
    /// As in the reference the words are joined without a space, so `ab c` equals `a bc`.
    pub(crate) fn duplicate_chars(&self, n: usize, table: &mut Table) -> usize {
        let Some(last) = self.lengths.len().checked_sub(n + 1) else { return 0 };
        let repeating = &self.repeating[..self.repeating.partition_point(|at| *at as usize <= last)];
        let key = |at: usize| xxh3_64(&self.joined[self.lengths[at].0 as usize..self.lengths[at + n].0 as usize]);
        table.start_pass(repeating.iter().map(|at| key(*at as usize)));
        let (mut next, mut repeated) = (0, 0);
        for (number, &at) in repeating.iter().enumerate() {
            let (at, window) = (at as usize, table.pass[number]);
            if at >= next && table.may_repeat(window) && table.seen(window) {
                repeated += (self.lengths[at + n].1 - self.lengths[at].1) as usize;
                next = at + n;
            }
        }
        repeated
    }
}

/// The words one behind the other, `bytes` in all, and as many more as are copied at a time.
fn joined(text: &str, words: &[Word], bytes: usize) -> Vec<u8> {
    let text = text.as_bytes();
    let mut joined = vec![0; bytes + PREFIX];
    let mut at = 0;
    for word in words {
        let length = (word.end - word.start) as usize;
        let source = &text[word.start as usize..];
        // Most words are shorter: what is copied behind them, the next one covers.
        match (joined[at..].first_chunk_mut::<PREFIX>(), source.first_chunk()) {
            (Some(to), Some(source)) if length <= PREFIX => *to = *source,
            _ => joined[at..at + length].copy_from_slice(&source[..length]),
        }
        at += length;
    }
    joined
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;
    use crate::words::Words;

    /// The definition, on strings.
    fn slow_duplicates(words: &[&str], n: usize) -> usize {
        let (mut seen, mut at, mut repeated) = (HashSet::new(), 0, 0);
        while at + n <= words.len() {
            let gram = words[at..at + n].concat();
            if seen.contains(&gram) {
                repeated += gram.chars().count();
                at += n;
            } else {
                seen.insert(gram);
                at += 1;
            }
        }
        repeated
    }

    /// The definition, on strings.
    fn slow_top(words: &[&str], n: usize) -> Option<usize> {
        let grams: Vec<String> = words.windows(n).map(|window| window.join(" ")).collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for gram in &grams {
            *counts.entry(gram).or_default() += 1;
        }
        let most = grams.iter().map(|gram| counts[gram.as_str()]).max()?;
        let first = grams.iter().find(|gram| counts[gram.as_str()] == most)?;
        Some(first.chars().count() * most)
    }

    #[test]
    fn hand_counted() {
        let mut table = Table::default();
        let duplicates = |text: &str, n: usize| {
            let mut table = Table::default();
            Runs::new(text, &Words::new(text), n, &mut table).duplicate_chars(n, &mut table)
        };
        let words = Words::new("a b a b a b");
        // "a b" three times, three characters each
        let mut tops = Tops::new(&words);
        assert_eq!(tops.chars(2, &mut table), Some(9));
        // ab, ba are new; then "ab" again (2 characters, jump), "ab" again
        assert_eq!(duplicates("a b a b a b", 2), 4);
        assert_eq!(tops.chars(7, &mut table), None);
        // one pair is frequent, and of three words only others are there twice
        let text = (0..20).map(|at| format!("a b {at} ")).collect::<String>() + "x y z x y z";
        let words = Words::new(&text);
        let mut tops = Tops::new(&words);
        assert_eq!([2, 3, 4].map(|n| tops.chars(n, &mut table)), [Some(3 * 20), Some(5 * 2), Some("a b 0 a".len())]);
        assert_eq!(duplicates("", 5), 0);
        // joined without a space the two halves are one string
        assert_eq!(duplicates("ab c a bc", 2), 3);
        assert_eq!(duplicates("information retrieval informat ionretrieval", 2), 20);
    }

    proptest! {
        #[test]
        fn counts_equal_the_definition(
            text in "([ab]{1,2}|가|나다|정보검색학회)( ([ab]{1,2}|가|나다|정보|검색|정보검색학회)){0,40}|(a b )?a( (b a|b a|c|d|e)){0,60}",
            repeats in 1_usize..4,
        ) {
            let text = [text.as_str(); 3][..repeats].join(" 가 ");
            let words = Words::new(&text);
            let strings: Vec<&str> = text.split(' ').collect();
            let mut table = Table::default();
            let mut tops = Tops::new(&words);
            for n in 1..7 {
                prop_assert_eq!(tops.chars(n, &mut table), slow_top(&strings, n));
            }
            for least in [1, 3, 6] {
                let runs = Runs::new(&text, &words, least, &mut table);
                for n in least..8 {
                    prop_assert_eq!(runs.duplicate_chars(n, &mut table), slow_duplicates(&strings, n));
                }
            }
        }
    }
}
