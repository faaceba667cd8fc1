//! The pieces that byte-pair encoding of characters finds, as SentencePiece's trainer does: of all pairs
//! the commonest, of these the shortest, of these the first in the order of code points.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};

use super::pieces::Rules;

/// A word is a sequence of these: characters first, then merged ones.
type Symbol = u32;

/// A character without a piece; nothing is merged with it.
const UNKNOWN: Symbol = u32::MAX;

/// Pairs of symbols.
type Pair = (Symbol, Symbol);

/// How often a pair occurs, and in which words it did at some time.
#[derive(Default)]
struct Count {
    count: u64,
    words: Vec<u32>,
}

impl Count {
    /// Adds one place in a word; words come in their order.
    fn add(&mut self, count: u64, word: u32) {
        self.count += count;
        if self.words.last() != Some(&word) {
            self.words.push(word);
        }
    }
}

/// A pair in the queue: the largest is merged next.
type Entry = (u64, Reverse<usize>, Reverse<Box<str>>, Pair);

struct Learner {
    rules: Rules,
    /// The characters of every symbol.
    symbols: Vec<Box<[char]>>,
    words: Vec<(Vec<Symbol>, u64)>,
    pairs: HashMap<Pair, Count, ahash::RandomState>,
    queue: BinaryHeap<Entry>,
    found: HashSet<Box<str>>,
    /// Pairs that are not merged: no piece may be of their characters, or another pair has made it.
    refused: HashSet<Pair, ahash::RandomState>,
}

/// Up to `wanted` pieces of the words given with their numbers. Only `characters` are part of any.
pub(super) fn learn(words: Vec<(String, u64)>, characters: &BTreeMap<char, u64>, rules: Rules, wanted: usize) -> Vec<String> {
    let ids: BTreeMap<char, Symbol> = characters.keys().copied().zip(0..).collect();
    let spell = |word: &str| word.chars().map(|character| ids.get(&character).copied().unwrap_or(UNKNOWN)).collect();
    let mut learner = Learner {
        rules,
        symbols: characters.keys().map(|&character| [character].into()).collect(),
        words: words.into_iter().map(|(word, count)| (spell(&word), count)).collect(),
        pairs: HashMap::default(),
        queue: BinaryHeap::new(),
        found: HashSet::new(),
        refused: HashSet::default(),
    };
    for word in 0..learner.words.len() as u32 {
        let (symbols, count) = &learner.words[word as usize];
        for pair in known_pairs(symbols) {
            learner.pairs.entry(pair).or_default().add(*count, word);
        }
    }
    let mut all: Vec<Pair> = learner.pairs.keys().copied().collect();
    all.sort_unstable();
    all.into_iter().for_each(|pair| learner.enqueue(pair));
    let mut pieces = Vec::new();
    while pieces.len() < wanted {
        match learner.step() {
            Some(piece) => pieces.push(piece),
            None => break,
        }
    }
    pieces
}

impl Learner {
    fn joined(&self, pair: Pair) -> Vec<char> {
        [pair.0, pair.1].iter().flat_map(|&symbol| self.symbols[symbol as usize].iter().copied()).collect()
    }

    fn enqueue(&mut self, pair: Pair) {
        let count = self.pairs.get(&pair).map_or(0, |count| count.count);
        if count == 0 || self.refused.contains(&pair) {
            return;
        }
        let characters = self.joined(pair);
        if self.rules.allow(&characters) {
            let text: String = characters.iter().collect();
            self.queue.push((count, Reverse(characters.len()), Reverse(text.into()), pair));
        } else {
            self.refused.insert(pair);
        }
    }

    /// Merges the next pair; none when no pair is left.
    fn step(&mut self) -> Option<String> {
        loop {
            let (count, length, Reverse(text), pair) = self.queue.pop()?;
            if self.refused.contains(&pair) {
                continue;
            }
            let now = self.pairs.get(&pair).map_or(0, |count| count.count);
            if now != count {
                // It became rarer since it was put here, or commoner, and then it is here again.
                if (1..count).contains(&now) {
                    self.queue.push((now, length, Reverse(text), pair));
                }
                continue;
            }
            self.refused.insert(pair);
            if !self.found.insert(text.clone()) {
                continue; // made of two others already: `aa` + `a` and `a` + `aa`
            }
            self.merge(pair, text.chars().collect());
            return Some(text.into());
        }
    }

    fn merge(&mut self, pair: Pair, characters: Box<[char]>) {
        let made = self.symbols.len() as Symbol;
        self.symbols.push(characters);
        let words = self.pairs.remove(&pair).map(|count| count.words).unwrap_or_default();
        let (mut lost, mut grown) = (Vec::new(), Vec::new());
        for word in words {
            let (symbols, count) = &mut self.words[word as usize];
            join(symbols, pair, made, &mut lost);
            for other in lost.drain(..) {
                // What became rarer is found out when its turn comes.
                if let Some(entry) = self.pairs.get_mut(&other) {
                    entry.count -= *count;
                }
            }
            // Only pairs with the new symbol can have become commoner.
            for other in known_pairs(symbols).filter(|other| other.0 == made || other.1 == made) {
                self.pairs.entry(other).or_default().add(*count, word);
                grown.push(other);
            }
        }
        grown.sort_unstable();
        grown.dedup();
        grown.into_iter().for_each(|pair| self.enqueue(pair));
    }
}

/// The pairs of a word that may be merged. Of those that overlap (`aa` twice in `aaa`) each counts, as in SentencePiece 0.2.3.
fn known_pairs(symbols: &[Symbol]) -> impl Iterator<Item = Pair> {
    symbols.windows(2).map(|two| (two[0], two[1])).filter(|pair| pair.0 != UNKNOWN && pair.1 != UNKNOWN)
}

/// Replaces a pair by the symbol it makes, leftmost first. Pairs with a neighbour that are gone by this are added to `lost`.
fn join(symbols: &mut Vec<Symbol>, pair: Pair, made: Symbol, lost: &mut Vec<Pair>) {
    let (mut read, mut write, mut joined) = (0, 0, false);
    while read < symbols.len() {
        let joins = read + 1 < symbols.len() && (symbols[read], symbols[read + 1]) == pair;
        if joins {
            if read > 0 && !joined {
                lost.push((symbols[write - 1], pair.0));
            }
            if let Some(&next) = symbols.get(read + 2) {
                lost.push((pair.1, next));
            }
        }
        symbols[write] = if joins { made } else { symbols[read] };
        read += if joins { 2 } else { 1 };
        write += 1;
        joined = joins;
    }
    symbols.truncate(write);
}
