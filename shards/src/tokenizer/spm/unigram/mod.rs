//! The pieces and scores that SentencePiece's Unigram trainer finds (Kudo 2018, arXiv 1804.10959).
//!
//! 1. [`seeds`] takes the substrings of words that cover most text.
//! 2. Expectation counts how often each piece occurs over all ways to write a word, weighted by their
//!    probabilities ([`lattice`]); maximization makes scores of the counts.
//! 3. [`prune`] throws out a quarter of the pieces, those the text misses least; 2 and 3 go on in turn.
//! 4. Characters that must have a piece and the best others are what is left.
//!
//! Sums are formed in the library's own order and widths (32 bits, in [`LANES`] parts), so that the same text
//! gives the same pieces, on any number of threads.

mod lattice;
mod prune;
mod seeds;
mod trie;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use super::Count;
use super::config::SentencePieceConfig;
use super::lines::UNKNOWN;
use super::pieces::Rules;
use lattice::{Lattice, Node};
use trie::Trie;

/// Parts that sums over words are formed in: the threads that `spm_train` takes by default.
const LANES: usize = 16;
/// Pieces that are expected less often are dropped.
const RAREST: f32 = 0.5;
/// How much less likely than the least likely piece an unknown character is.
const UNKNOWN_PENALTY: f32 = 10.0;

/// A word of the text, with unknown characters marked as such.
pub(super) struct Word {
    text: Box<[char]>,
    count: Count,
}

/// A piece with its score.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// Its number in the trie.
    seed: u32,
    pub(super) text: Box<[char]>,
    pub(super) score: f32,
}

/// Pieces by id, the words, and all ways to write them.
struct Trainer {
    pieces: Vec<Piece>,
    trie: Trie,
    /// By seed: the id of the piece, if it is still there.
    ids: Vec<Option<u32>>,
    counts: Vec<u64>,
    lengths: Vec<u32>,
    /// The nodes of word `w` are those from `starts[w]` to `starts[w + 1]`.
    starts: Vec<usize>,
    nodes: Vec<Node>,
}

/// The pieces of a vocabulary of `wanted` pieces, the best score first; fewer where the text gives no more.
pub(super) fn learn(
    words: Vec<(String, Count)>,
    characters: &BTreeMap<char, u64>,
    rules: Rules,
    config: &SentencePieceConfig,
    wanted: usize,
) -> Vec<(String, f32)> {
    let words = known(words, characters);
    let pieces = seeds::find(&words, rules, config);
    let mut trainer = Trainer::new(pieces, &words);
    drop(words);
    let enough = (f64::from(config.vocab_size) * 1.1) as usize;
    while !trainer.pieces.is_empty() {
        for _ in 0..config.num_sub_iterations {
            let expected = trainer.expect();
            trainer.maximize(&expected);
        }
        trainer.prune(enough, config.shrinking_factor);
        if trainer.pieces.len() <= enough {
            break;
        }
    }
    trainer.drop_unreachable();
    finish(trainer.pieces, characters, wanted)
}

/// Words in the order of the library: the commonest first, then that of their characters.
fn known(words: Vec<(String, Count)>, characters: &BTreeMap<char, u64>) -> Vec<Word> {
    let mut merged: HashMap<Box<[char]>, Count, ahash::RandomState> = HashMap::default();
    for (word, count) in words {
        let text = word.chars().map(|c| if characters.contains_key(&c) { c } else { UNKNOWN }).collect();
        merged.entry(text).or_default().add(&count);
    }
    let mut words: Vec<Word> = merged.into_iter().map(|(text, count)| Word { text, count }).collect();
    words.par_sort_unstable_by(|a, b| (b.count.all, &a.text).cmp(&(a.count.all, &b.text)));
    words
}

impl Trainer {
    fn new(pieces: Vec<Piece>, words: &[Word]) -> Self {
        let trie = Trie::new(pieces.iter().map(|piece| &piece.text[..]));
        let (mut starts, mut nodes) = (vec![0], Vec::new());
        for word in words {
            trie.nodes(&word.text, Some, &mut nodes);
            starts.push(nodes.len());
        }
        Self {
            ids: (0..pieces.len() as u32).map(Some).collect(),
            pieces,
            trie,
            counts: words.iter().map(|word| word.count.all).collect(),
            lengths: words.iter().map(|word| word.text.len() as u32).collect(),
            starts,
            nodes,
        }
    }

    /// What an unknown character scores.
    fn unknown(&self) -> f32 {
        self.lowest() - UNKNOWN_PENALTY
    }

    fn lowest(&self) -> f32 {
        self.pieces.iter().map(|piece| piece.score).fold(f32::MAX, f32::min)
    }

    /// Calls `of_word` for every word, in parts side by side, and adds the parts up.
    fn sum(&self, of_word: impl Fn(&mut Lattice, f32, &mut [f32]) + Sync) -> Vec<f32> {
        let unknown = self.unknown();
        let parts = (0..LANES).into_par_iter().map(|lane| {
            let (mut lattice, mut sums) = (Lattice::default(), vec![0f32; self.pieces.len()]);
            for word in (lane..self.counts.len()).step_by(LANES) {
                let nodes = &self.nodes[self.starts[word]..self.starts[word + 1]];
                lattice.set(self.lengths[word] as usize, nodes, |id| self.pieces[id as usize].score, unknown);
                of_word(&mut lattice, self.counts[word] as f32, &mut sums);
            }
            sums
        });
        let parts: Vec<Vec<f32>> = parts.collect();
        let mut parts = parts.into_iter();
        let mut all = parts.next().unwrap_or_default();
        parts.for_each(|part| all.iter_mut().zip(part).for_each(|(sum, more)| *sum += more));
        all
    }

    /// How often each piece is expected to occur.
    fn expect(&self) -> Vec<f32> {
        self.sum(|lattice, count, sums| lattice.add_marginals(count, sums))
    }

    /// New scores: those of a sparse prior, by the digamma function.
    fn maximize(&mut self, expected: &[f32]) {
        let kept: Vec<usize> = (0..expected.len()).filter(|&id| expected[id] >= RAREST).collect();
        let all = kept.iter().fold(0f32, |sum, &id| sum + expected[id]);
        let all = digamma(f64::from(all)) as f32;
        let score = |id: usize| (digamma(f64::from(expected[id])) - f64::from(all)) as f32;
        let kept = kept.into_iter().map(|id| Piece { score: score(id), ..self.pieces[id].clone() }).collect();
        self.replace(kept);
    }

    /// Puts other pieces in place of those there are; they are some of them, in any order.
    fn replace(&mut self, pieces: Vec<Piece>) {
        let old: Vec<u32> = self.pieces.iter().map(|piece| piece.seed).collect();
        self.ids.iter_mut().for_each(|id| *id = None);
        for (piece, id) in pieces.iter().zip(0..) {
            self.ids[piece.seed as usize] = Some(id);
        }
        self.pieces = pieces;
        let (mut read, mut write) = (0, 0);
        for word in 0..self.counts.len() {
            let end = self.starts[word + 1];
            for at in read..end {
                let node = self.nodes[at];
                if let Some(id) = self.ids[old[node.id as usize] as usize] {
                    self.nodes[write] = Node { id, ..node };
                    write += 1;
                }
            }
            read = end;
            self.starts[word + 1] = write;
        }
        self.nodes.truncate(write);
    }
}

/// The characters that must be there, and the best pieces beside them.
fn finish(mut pieces: Vec<Piece>, characters: &BTreeMap<char, u64>, wanted: usize) -> Vec<(String, f32)> {
    let lowest = pieces.iter().map(|piece| piece.score).fold(f32::MAX, f32::min);
    let scores: BTreeMap<char, f32> =
        pieces.iter().filter(|piece| piece.text.len() == 1).map(|piece| (piece.text[0], piece.score)).collect();
    let mut required: Vec<(char, u64)> = characters.iter().map(|(&character, &count)| (character, count)).collect();
    required.sort_unstable_by_key(|&(character, count)| (Reverse(count), character));
    let mut penalty = 0f32;
    let score = |character| match scores.get(&character) {
        Some(score) => *score,
        None => {
            let score = lowest + penalty;
            penalty += 0.0001;
            score
        }
    };
    let mut found: Vec<(String, f32)> = {
        let mut score = score;
        required.iter().map(|&(character, _)| (character.to_string(), score(character))).collect()
    };
    pieces.retain(|piece| piece.text.len() > 1 || !characters.contains_key(&piece.text[0]));
    pieces.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.text.cmp(&b.text)));
    let room = wanted.saturating_sub(found.len());
    found.extend(pieces.into_iter().take(room).map(|piece| (piece.text.iter().collect(), piece.score)));
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    found
}

/// The derivative of the logarithm of the gamma function: its recurrence up to 7, then its asymptotic series
/// around one half less.
fn digamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < 7.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    x -= 0.5;
    let inverse = 1.0 / x;
    let (second, fourth) = (inverse * inverse, inverse * inverse * (inverse * inverse));
    sum + (x.ln() + (1.0 / 24.0) * second - (7.0 / 960.0) * fourth + (31.0 / 8064.0) * fourth * second
        - (127.0 / 30720.0) * fourth * fourth)
}
