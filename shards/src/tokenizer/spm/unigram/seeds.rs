//! The first pieces: every character, and the substrings of words that cover most of the text.
//!
//! The library looks for them in a suffix array of the whole text, as bytes: a string is a seed if after it
//! the text goes on in more than one way, that is with more than one byte. Here the array is that of the
//! different words, and what follows a word is known from its [`Count`]; the seeds are the same, in memory
//! that follows the number of words. Of a text beyond 500 MB the library takes parts, and may lose rare
//! strings between them; here none is.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rayon::prelude::*;

use super::super::config::SentencePieceConfig;
use super::super::lines::UNKNOWN;
use super::super::pieces::{Rules, SPACE};
use super::super::{Bytes, Count, END};
use super::{Piece, Word};

/// The seeds with their first scores.
pub(super) fn find(words: &[Word], rules: Rules, config: &SentencePieceConfig) -> Vec<Piece> {
    let mut seeds = characters(words);
    let most = match config.seed_sentencepiece_size {
        0 => (config.vocab_size as usize * 8).max(100_000),
        size => size as usize,
    };
    let mut found: Vec<(f32, &[char])> = substrings(words, rules, config.max_sentencepiece_length as usize)
        .into_iter()
        .map(|(text, count)| (count as f32 * text.len() as f32, text))
        .collect();
    let bytes = |text: &[char]| text.iter().map(|character| character.len_utf8()).sum::<usize>();
    found.par_sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| (Reverse(bytes(a.1)), a.1).cmp(&(Reverse(bytes(b.1)), b.1))));
    found.truncate(most);
    seeds.extend(found.into_iter().map(|(score, text)| (text.into(), score)));
    let all = seeds.iter().map(|(_, score)| f64::from(*score)).sum::<f64>().ln();
    let piece = |((text, score), seed): ((Box<[char]>, f32), u32)| Piece { seed, text, score: (f64::from(score).ln() - all) as f32 };
    seeds.into_iter().zip(0..).map(piece).collect()
}

/// Characters with their counts, the commonest first.
fn characters(words: &[Word]) -> Vec<(Box<[char]>, f32)> {
    let mut counts: BTreeMap<char, u64> = BTreeMap::new();
    for word in words {
        word.text.iter().filter(|&&c| c != UNKNOWN).for_each(|&c| *counts.entry(c).or_default() += word.count.all);
    }
    let mut characters: Vec<(char, u64)> = counts.into_iter().collect();
    characters.sort_unstable_by_key(|&(character, count)| (Reverse(count), character));
    characters.into_iter().map(|(character, count)| ([character].into(), count as f32)).collect()
}

/// A string that begins some suffixes, while its end is open.
struct Open {
    length: usize,
    count: u64,
    /// First bytes of what follows it.
    follow: Bytes,
    /// How often it ends a line, and the first bytes of the lines after that.
    last: u64,
    next: Bytes,
}

/// Every string of two characters or more that may be a piece and goes on in different ways, with its count.
fn substrings(words: &[Word], rules: Rules, longest: usize) -> Vec<(&[char], u64)> {
    let mut suffixes: Vec<(&[char], &Count)> = Vec::new();
    for word in words {
        suffixes.extend((0..word.text.len()).map(|at| (&word.text[at..], &word.count)));
    }
    let shortened = |text: &[char]| text.len().min(longest + 1);
    suffixes.par_sort_unstable_by(|a, b| a.0[..shortened(a.0)].cmp(&b.0[..shortened(b.0)]));
    let mut found = Vec::new();
    let mut open = vec![Open { length: 0, count: 0, follow: Bytes::default(), last: 0, next: Bytes::default() }];
    let mut before: &[char] = &[];
    for (text, count) in suffixes.into_iter().chain([(&[][..], &Count::default())]) {
        let text = &text[..shortened(text)];
        let common = before.iter().zip(text).take_while(|(a, b)| a == b).count();
        close(&mut open, common, before, |string, closed| {
            let branches = if closed.follow.several() { closed.count } else { 0 };
            // A line's end is cut off what ends with it, so that such a string counts once more.
            let ends = if closed.next.several() { closed.last } else { 0 };
            if string.len() > 1 && branches + ends > 1 && rules.allow(string) {
                found.push((string, branches + ends));
            }
        });
        let (mut follow, mut last, mut next) = (Bytes::default(), 0, Bytes::default());
        if text.len() <= longest {
            if count.all > count.last {
                follow.insert(first_byte(SPACE));
            }
            if count.last > 0 {
                follow.insert(END);
                (last, next) = (count.last, count.next);
            }
        }
        match open.last_mut() {
            Some(top) if top.length == text.len() => {
                top.count += count.all;
                top.last += last;
                top.follow.extend(&follow);
                top.next.extend(&next);
            }
            _ => open.push(Open { length: text.len(), count: count.all, follow, last, next }),
        }
        before = text;
    }
    found
}

/// Closes what is longer than the common beginning of two neighbours, adding each to the one around it.
fn close<'t>(open: &mut Vec<Open>, common: usize, text: &'t [char], mut closed: impl FnMut(&'t [char], &Open)) {
    while let Some(top) = open.pop_if(|top| top.length > common) {
        closed(&text[..top.length], &top);
        if open.last().is_none_or(|around| around.length < common) {
            open.push(Open { length: common, count: 0, follow: Bytes::default(), last: 0, next: Bytes::default() });
        }
        if let Some(around) = open.last_mut() {
            around.count += top.count;
            around.follow.insert(first_byte(text[around.length]));
        }
    }
}

fn first_byte(character: char) -> u8 {
    character.encode_utf8(&mut [0; 4]).as_bytes().first().copied().unwrap_or(0)
}
