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

/// Learns merges, and adds their tokens to `tokens`.
pub(super) fn learn(corpus: Corpus, tokens: &mut Tokens, limits: Limits) -> Result<Vec<Merge>> {
    let mut learner =
        Learner { corpus, tokens, pairs: Pairs::new(), further: AHashSet::new(), limits, before: Side::default(), after: Side::default() };
    let mut queue = Queue::new();
    learner.count();
    for index in 0..learner.pairs.len() as u32 {
        let count = learner.pairs.count(index) as u64;
        queue.push(&mut learner.pairs, count, index);
    }
    let mut merges = Vec::new();
    while learner.tokens.len() < limits.tokens
        && let Some((count, index)) = queue.pop(&learner.pairs)
    {
        let now = learner.pairs.count(index) as u64;
        if count != now {
            queue.push(&mut learner.pairs, now, index);
            continue;
        }
        if count == 0 || count < limits.min_frequency {
            break;
        }
        let (left, right) = learner.pairs.tokens(index);
        let token = learner.tokens.join(left, right);
        let id = learner.tokens.push(&token);
        if id < limits.first_new {
            learner.pairs.done(index);
            continue;
        }
        merges.push((left, right, id));
        learner.merge(index, id, &mut queue)?;
    }
    Ok(by_last_rank(merges))
}

/// A pair that came up several times has its last rank, as in the library's files.
fn by_last_rank(merges: Vec<Merge>) -> Vec<Merge> {
    let last: AHashMap<(u32, u32), usize> = merges.iter().zip(0..).map(|(&(left, right, _), rank)| ((left, right), rank)).collect();
    let kept = merges.iter().zip(0..).filter(|&(&(left, right, _), rank)| last.get(&(left, right)) == Some(&rank));
    kept.map(|(merge, _)| *merge).collect()
}

struct Learner<'t> {
    corpus: Corpus,
    tokens: &'t mut Tokens,
    pairs: Pairs,
    /// Pairs that have had several lists.
    further: AHashSet<(u32, u32)>,
    limits: Limits,
    /// What stands before the places of a merge.
    before: Side,
    /// What stands after them.
    after: Side,
}

impl Learner<'_> {
    /// Finds the pairs of the corpus and their places.
    fn count(&mut self) {
        self.walk(|pairs, (left, right), _, weight| pairs.meet(left, right, weight));
        self.pairs.lay_out();
        self.walk(|pairs, (left, right), place, _| pairs.put(left, right, place));
        self.pairs.laid_out();
    }

    fn walk(&mut self, mut each: impl FnMut(&mut Pairs, (u32, u32), u32, i64)) {
        let (symbols, mut weights) = self.corpus.parts();
        let mut at = 0;
        while at < symbols.len() {
            let left = symbols[at];
            if left == EDGE {
                at += 1;
                continue;
            }
            let next = at + self.tokens.length(left);
            if symbols[next] != EDGE {
                each(&mut self.pairs, (left, symbols[next]), at as u32, weights.at(at));
            }
            at = next;
        }
    }

    /// Merges a pair at the places of a record.
    fn merge(&mut self, index: u32, id: u32, queue: &mut Queue) -> Result<()> {
        let (left, right) = self.pairs.tokens(index);
        let (symbols, mut weights) = self.corpus.parts();
        let spread;
        let mut places = self.pairs.places(index);
        if self.further.contains(&(left, right)) {
            spread = in_words(symbols, self.tokens, places, left);
            places = &spread;
        }
        self.before.begin(self.tokens.len());
        self.after.begin(self.tokens.len());
        let (left_length, right_length) = (self.tokens.length(left), self.tokens.length(right));
        for &place in places {
            let start = place as usize;
            let middle = start + left_length;
            if symbols[start] != left || symbols[middle] != right {
                continue; // one of them went into another token, or into the place before
            }
            let end = middle + right_length;
            let weight = weights.at(start);
            let (before, after) = (symbols[start - 1], symbols[end]);
            if before != EDGE {
                self.before.add(before, (start - self.tokens.length(before)) as u32, weight);
            }
            if after != EDGE {
                self.after.add(after, place, weight);
            }
            symbols[middle] = INSIDE;
            symbols[start] = id;
            symbols[end - 1] = id;
        }
        self.pairs.done(index);
        self.count_again((left, right), id, queue)
    }

    /// Brings counts up to date with what stood around the places of a merge.
    fn count_again(&mut self, (left, right): (u32, u32), id: u32, queue: &mut Queue) -> Result<()> {
        let first = self.pairs.len() as u32;
        self.before.join(&mut self.after, id);
        if !self.pairs.reserve(self.before.places() + self.after.places()) {
            return Err(fail("the text has too many different words; train on less (`sample-bytes`)"));
        }
        let length = self.tokens.length(id);
        for (side, is_before) in [(&mut self.before, true), (&mut self.after, false)] {
            let fits = |neighbour| self.tokens.length(neighbour) + length < self.limits.length;
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
                count => queue.push(&mut self.pairs, count as u64, index),
            }
        }
        Ok(())
    }
}

/// Every place of a token in the words that `places` are in.
fn in_words(symbols: &[u32], tokens: &Tokens, places: &[u32], token: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut done = 0;
    for &place in places {
        if (place as usize) < done {
            continue;
        }
        let edge = symbols[..place as usize].iter().rposition(|&symbol| symbol == EDGE).unwrap_or(0);
        done = edge + 1;
        while symbols[done] != EDGE {
            if symbols[done] == token {
                found.push(done as u32);
            }
            done += tokens.length(symbols[done]);
        }
    }
    found
}
