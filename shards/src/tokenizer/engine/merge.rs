//! Byte-pair merging: of all neighbours that can be joined, the pair of lowest rank, leftmost first.
//!
//! A short span looks through all its pairs for each merge. That is quadratic, so a long one (a line
//! of base64, a run of one letter) keeps its pairs in a heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::bridges::Bridges;
use super::folds::Folds;
use super::pairs::{NONE, Pairs};

/// Longest span that is looked through.
const SHORT: usize = 96;
/// Room kept between spans, in symbols.
const KEPT: usize = 1 << 16;
const END: u32 = u32::MAX;

/// Working memory, kept from span to span.
#[derive(Default)]
pub(crate) struct Merger {
    ids: Vec<u32>,
    ranks: Vec<u32>,
    previous: Vec<u32>,
    next: Vec<u32>,
    heap: BinaryHeap<Reverse<(u32, u32)>>,
}

impl Merger {
    /// The ids of bytes; valid until the next call.
    pub(crate) fn merge(&mut self, span: &[u8], pairs: &Pairs) -> &[u32] {
        self.merge_ranked(span, pairs, &mut 0)
    }

    /// The same, and the highest rank of the merges of a short span.
    pub(crate) fn merge_ranked(&mut self, span: &[u8], pairs: &Pairs, highest: &mut u32) -> &[u32] {
        self.ids.clear();
        self.ids.extend(span.iter().map(|&byte| pairs.byte(byte)));
        if span.len() <= SHORT {
            self.ranks.clear();
            self.ranks.extend(span.windows(2).map(|two| pairs.of_bytes(two[0], two[1])));
            self.short(pairs, highest);
        } else {
            self.long(pairs);
        }
        &self.ids
    }

    /// The ids of a piece of text with wide characters, valid until the next call.
    pub(crate) fn merge_wide(&mut self, piece: &[u8], pairs: &Pairs, folds: &Folds, bridges: &Bridges) -> &[u32] {
        self.ids.clear();
        folds.symbols(piece, pairs, bridges, &mut self.ids);
        self.merge_all(pairs)
    }

    /// The ids of symbols, valid until the next call.
    pub(crate) fn merge_symbols(&mut self, symbols: impl Iterator<Item = u32>, pairs: &Pairs) -> &[u32] {
        self.ids.clear();
        self.ids.extend(symbols);
        self.merge_all(pairs)
    }

    fn merge_all(&mut self, pairs: &Pairs) -> &[u32] {
        if self.ids.len() <= SHORT {
            self.ranks.clear();
            self.ranks.extend(self.ids.windows(2).map(|two| pairs.get(two[0], two[1])));
            self.short(pairs, &mut 0);
        } else {
            self.long(pairs);
        }
        &self.ids
    }

    fn short(&mut self, pairs: &Pairs, highest: &mut u32) {
        let (ids, ranks) = (&mut self.ids, &mut self.ranks);
        loop {
            let (mut best, mut at) = (NONE, 0);
            for (index, &rank) in ranks.iter().enumerate() {
                if rank < best {
                    (best, at) = (rank, index);
                }
            }
            if best == NONE {
                return;
            }
            *highest = best.max(*highest);
            ids[at] = pairs.made(ids[at], ids[at + 1], best);
            ids.remove(at + 1);
            ranks.remove(at);
            if at > 0 {
                ranks[at - 1] = pairs.get(ids[at - 1], ids[at]);
            }
            if at < ranks.len() {
                ranks[at] = pairs.get(ids[at], ids[at + 1]);
            }
        }
    }

    /// Symbols in a linked list, candidates in a heap by rank and place; a candidate counts only if
    /// its pair is still there.
    fn long(&mut self, pairs: &Pairs) {
        let length = self.ids.len();
        self.previous.clear();
        self.previous.extend((0..length as u32).map(|at| at.wrapping_sub(1)));
        self.next.clear();
        self.next.extend(1..length as u32);
        self.next.push(END);
        let (ids, heap) = (&mut self.ids, &mut self.heap);
        let first = ids.windows(2).zip(0..).map(|(two, at)| (pairs.get(two[0], two[1]), at));
        let mut room = std::mem::take(heap).into_vec();
        room.extend(first.filter(|&(rank, _)| rank != NONE).map(Reverse));
        *heap = BinaryHeap::from(room);
        while let Some(Reverse((rank, at))) = heap.pop() {
            let right = self.next[at as usize];
            if right == END || ids[at as usize] == END {
                continue;
            }
            if pairs.get(ids[at as usize], ids[right as usize]) != rank {
                continue;
            }
            let after = self.next[right as usize];
            ids[at as usize] = pairs.made(ids[at as usize], ids[right as usize], rank);
            ids[right as usize] = END;
            self.next[at as usize] = after;
            if after != END {
                self.previous[after as usize] = at;
                let rank = pairs.get(ids[at as usize], ids[after as usize]);
                if rank != NONE {
                    heap.push(Reverse((rank, at)));
                }
            }
            let before = self.previous[at as usize];
            if before != END {
                let rank = pairs.get(ids[before as usize], ids[at as usize]);
                if rank != NONE {
                    heap.push(Reverse((rank, before)));
                }
            }
        }
        ids.retain(|&id| id != END);
        if length > KEPT {
            (self.previous, self.next, self.heap) = Default::default();
        }
    }

    /// Gives back the room of a long span, once its ids are read.
    pub(crate) fn shrink(&mut self) {
        self.ids.clear();
        self.ids.shrink_to(KEPT);
    }
}
