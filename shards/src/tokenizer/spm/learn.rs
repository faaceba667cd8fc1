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
    for word in 0..learner.words.len() {
        for (pair, count) in learner.counts(word) {
            let entry = learner.pairs.entry(pair).or_default();
            entry.count += count;
            entry.words.push(word as u32);
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
    /// The pairs of a word with how often each counts, in the order of their first places. Of two that
    /// overlap (`aa` in `aaa`) only the first counts.
    fn counts(&self, word: usize) -> Vec<(Pair, u64)> {
        let (symbols, count) = &self.words[word];
        let mut counts: Vec<(Pair, u64)> = Vec::new();
        let mut last = None;
        for (place, two) in symbols.windows(2).enumerate() {
            let pair = (two[0], two[1]);
            if pair.0 == UNKNOWN || pair.1 == UNKNOWN || last == Some((pair, place)) {
                continue;
            }
            last = Some((pair, place + 1)); // the same pair, beginning with this one's second symbol
            match counts.iter_mut().find(|(other, _)| *other == pair) {
                Some((_, sum)) => *sum += count,
                None => counts.push((pair, *count)),
            }
        }
        counts
    }

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
            let (count, _, Reverse(text), pair) = self.queue.pop()?;
            if self.refused.contains(&pair) {
                continue;
            }
            let now = self.pairs.get(&pair).map_or(0, |count| count.count);
            if now != count {
                // It became rarer since it was put here, or commoner, and then it is here again.
                if now < count {
                    self.enqueue(pair);
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
        let mut words = self.pairs.remove(&pair).map(|count| count.words).unwrap_or_default();
        words.sort_unstable();
        words.dedup();
        let mut grown = Vec::new();
        for word in words {
            let index = word as usize;
            let before = self.counts(index);
            if !before.iter().any(|(other, _)| *other == pair) {
                continue;
            }
            join(&mut self.words[index].0, pair, made);
            for (other, count) in &before {
                if let Some(entry) = self.pairs.get_mut(other) {
                    entry.count -= count;
                }
            }
            for (other, count) in self.counts(index) {
                let entry = self.pairs.entry(other).or_default();
                entry.count += count;
                match before.iter().find(|(known, _)| *known == other) {
                    Some((_, had)) if *had >= count => {} // what became rarer is found out when its turn comes
                    Some(_) => grown.push(other),
                    None => {
                        entry.words.push(word);
                        grown.push(other);
                    }
                }
            }
        }
        grown.sort_unstable();
        grown.dedup();
        grown.into_iter().for_each(|pair| self.enqueue(pair));
    }
}

/// Replaces a pair by the symbol it makes, leftmost first.
fn join(symbols: &mut Vec<Symbol>, pair: Pair, made: Symbol) {
    let (mut read, mut write) = (0, 0);
    while read < symbols.len() {
        let joins = read + 1 < symbols.len() && (symbols[read], symbols[read + 1]) == pair;
        symbols[write] = if joins { made } else { symbols[read] };
        read += if joins { 2 } else { 1 };
        write += 1;
    }
    symbols.truncate(write);
}
