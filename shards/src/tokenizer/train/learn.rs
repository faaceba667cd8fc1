//! The merges of byte-pair encoding, those of Hugging Face's `BpeTrainer` in their order.
//!
//! The commonest pair of neighbours becomes a token, everywhere, until there are enough. Each pair has
//! a list of the places where it arose, so a merge touches its own places and no word as a whole, and
//! the counts of its neighbours are brought up to date once for each neighbour.
//!
//! A token can be made in several ways (`ab`+`c` and `a`+`bc`). Pairs with it then arise in several
//! merges, each with a list of its own, and the library's queue treats them one by one: a list is
//! merged in all of every word that it names, and its pair may come up again for the rest. That is done
//! here in the same way, for the sake of the same ranks.

use ahash::{AHashMap, AHashSet};

use super::corpus::{Corpus, EDGE, INSIDE};
use super::fail;
use super::pairs::Pairs;
use super::queue::Queue;
use super::sides::Side;
use super::tokens::Tokens;
use super::turns::Turns;
use crate::error::Result;

/// When to stop, and what not to make.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Tokens in all.
    pub(super) tokens: usize,
    /// A pair must occur this often.
    pub(super) min_frequency: u64,
    /// Tokens are shorter than this, in bytes; pairs of bytes are always allowed.
    pub(super) length: usize,
    /// Pairs that would make a token with a lower id are passed over.
    pub(super) first_new: u32,
}

/// Left, right, result.
pub(super) type Merge = (u32, u32, u32);

/// Learns merges, and adds their tokens to `tokens`. With several corpora each has its share of the
/// merges: it gets its turn when it is furthest behind, and then its commonest pair is merged in all of
/// them. The idea is that of parity-aware BPE (Foroutan et al. 2026, arXiv 2508.04796), where the corpus
/// that is compressed worst has its turn.
pub(super) fn learn(corpora: Vec<(Corpus, f64)>, tokens: &mut Tokens, limits: Limits) -> Result<Vec<Merge>> {
    let mut turns = Turns::new(corpora.iter().map(|(_, share)| *share));
    let mut learners: Vec<Learner> = corpora.into_iter().map(|(corpus, _)| Learner::new(corpus, tokens)).collect();
    let mut merges = Vec::new();
    while tokens.len() < limits.tokens
        && let Some(turn) = turns.next()
    {
        let Some(index) = learners[turn].next(limits.min_frequency) else {
            turns.end(turn);
            continue;
        };
        let (left, right) = learners[turn].pairs.tokens(index);
        let before = tokens.len();
        let id = tokens.push(&tokens.join(left, right));
        if id < limits.first_new {
            learners[turn].pass_over(index);
            continue;
        }
        merges.push((left, right, id));
        if let [only] = &mut learners[..] {
            only.merge(index, id, tokens, limits.length)?;
        } else {
            learners.iter_mut().try_for_each(|learner| learner.merge_all((left, right), id, tokens, limits.length))?;
        }
        if tokens.len() > before {
            turns.take(turn);
        }
    }
    Ok(by_last_rank(merges))
}

/// A pair that came up several times has its last rank, as in the library's files.
fn by_last_rank(merges: Vec<Merge>) -> Vec<Merge> {
    let last: AHashMap<(u32, u32), usize> = merges.iter().zip(0..).map(|(&(left, right, _), rank)| ((left, right), rank)).collect();
    let kept = merges.iter().zip(0..).filter(|&(&(left, right, _), rank)| last.get(&(left, right)) == Some(&rank));
    kept.map(|(merge, _)| *merge).collect()
}

/// The merges of one corpus.
struct Learner {
    corpus: Corpus,
    pairs: Pairs,
    queue: Queue,
    /// Pairs that have had several lists.
    further: AHashSet<(u32, u32)>,
    /// What stands before the places of a merge.
    before: Side,
    /// What stands after them.
    after: Side,
}

impl Learner {
    /// Finds the pairs of a corpus and their places.
    fn new(corpus: Corpus, tokens: &Tokens) -> Self {
        let mut learner = Self {
            corpus,
            pairs: Pairs::new(),
            queue: Queue::new(),
            further: AHashSet::new(),
            before: Side::default(),
            after: Side::default(),
        };
        learner.walk(tokens, |pairs, (left, right), _, weight| pairs.meet(left, right, weight));
        learner.pairs.lay_out();
        learner.walk(tokens, |pairs, (left, right), place, _| pairs.put(left, right, place));
        learner.pairs.laid_out();
        for index in 0..learner.pairs.len() as u32 {
            let count = learner.pairs.count(index) as u64;
            learner.queue.push(&mut learner.pairs, count, index);
        }
        learner
    }

    /// The record of the commonest pair, unless it is too rare.
    fn next(&mut self, min_frequency: u64) -> Option<u32> {
        loop {
            let (count, index) = self.queue.pop(&self.pairs)?;
            let now = self.pairs.count(index) as u64;
            if count == now {
                return Some(index).filter(|_| count > 0 && count >= min_frequency);
            }
            self.queue.push(&mut self.pairs, now, index);
        }
    }

    /// Leaves the pair of a record as it is.
    fn pass_over(&mut self, index: u32) {
        self.pairs.done(index);
    }

    fn walk(&mut self, tokens: &Tokens, mut each: impl FnMut(&mut Pairs, (u32, u32), u32, i64)) {
        let (symbols, mut weights) = self.corpus.parts();
        let mut at = 0;
        while at < symbols.len() {
            let left = symbols[at];
            if left == EDGE {
                at += 1;
                continue;
            }
            let next = at + tokens.length(left);
            if symbols[next] != EDGE {
                each(&mut self.pairs, (left, symbols[next]), at as u32, weights.at(at));
            }
            at = next;
        }
    }

    /// Merges a pair at the places of a record, which the queue has given up.
    fn merge(&mut self, index: u32, id: u32, tokens: &Tokens, longest: usize) -> Result<()> {
        let pair = self.pairs.tokens(index);
        let spread;
        let mut places = self.pairs.places(index);
        if self.further.contains(&pair) {
            spread = self.corpus.in_words(tokens, places, pair.0);
            places = &spread;
        }
        join(&mut self.corpus, [&mut self.before, &mut self.after], pair, id, places, tokens);
        self.pairs.done(index);
        self.count_again(pair, id, tokens, longest)
    }

    /// Merges a pair wherever it is. Its record may be in the queue, and stays there with no count.
    fn merge_all(&mut self, pair: (u32, u32), id: u32, tokens: &Tokens, longest: usize) -> Result<()> {
        let Some(index) = self.pairs.index(pair.0, pair.1) else { return Ok(()) };
        let spread;
        let mut places = self.pairs.places(index);
        if self.further.contains(&pair) {
            spread = self.corpus.everywhere(tokens, pair.0);
            places = &spread;
        }
        join(&mut self.corpus, [&mut self.before, &mut self.after], pair, id, places, tokens);
        self.count_again(pair, id, tokens, longest)?;
        self.pairs.record(index).count = 0;
        Ok(())
    }

    /// Brings counts up to date with what stood around the places of a merge.
    fn count_again(&mut self, (left, right): (u32, u32), id: u32, tokens: &Tokens, longest: usize) -> Result<()> {
        let first = self.pairs.len() as u32;
        self.before.join(&mut self.after, id);
        if !self.pairs.reserve(self.before.places() + self.after.places()) {
            return Err(fail("the text has too many different words; train on less (`sample-bytes`)"));
        }
        let length = tokens.length(id);
        for (side, is_before) in [(&mut self.before, true), (&mut self.after, false)] {
            let fits = |neighbour| tokens.length(neighbour) + length < longest;
            for group in side.groups().iter_mut().filter(|group| group.places > 0 && fits(group.neighbour)) {
                let pair = if is_before { (group.neighbour, id) } else { (id, group.neighbour) };
                let (start, further) = self.pairs.add(pair.0, pair.1, group.made, group.places);
                if further {
                    self.further.insert(pair);
                }
                group.start = Some(start);
            }
            side.write(self.pairs.all_places());
        }
        let mut less = |left, right, weight| {
            if let Some(pair) = self.pairs.find(left, right) {
                pair.count -= weight;
            }
        };
        self.before.groups().iter().for_each(|group| less(group.neighbour, left, group.gone));
        self.after.groups().iter().for_each(|group| less(right, group.neighbour, group.gone));
        for index in first..self.pairs.len() as u32 {
            match self.pairs.count(index) {
                ..=0 => self.pairs.done(index),
                count => self.queue.push(&mut self.pairs, count as u64, index),
            }
        }
        Ok(())
    }
}

/// Puts a token in the place of a pair, and notes what stands around it. Places are ascending; where the
/// pair is not any more, nothing happens.
fn join(corpus: &mut Corpus, [before, after]: [&mut Side; 2], (left, right): (u32, u32), id: u32, places: &[u32], tokens: &Tokens) {
    let (symbols, mut weights) = corpus.parts();
    before.begin(tokens.len());
    after.begin(tokens.len());
    let (left_length, right_length) = (tokens.length(left), tokens.length(right));
    for &place in places {
        let start = place as usize;
        let middle = start + left_length;
        if symbols[start] != left || symbols[middle] != right {
            continue; // one of them went into another token, or into the place before
        }
        let end = middle + right_length;
        let weight = weights.at(start);
        let (last, next) = (symbols[start - 1], symbols[end]);
        if last != EDGE {
            before.add(last, (start - tokens.length(last)) as u32, weight);
        }
        if next != EDGE {
            after.add(next, place, weight);
        }
        symbols[middle] = INSIDE;
        symbols[start] = id;
        symbols[end - 1] = id;
    }
}
