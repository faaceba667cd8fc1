//! Byte-pair merging: of all neighbours that can be joined, the pair of lowest rank, leftmost first.
//!
//! A short span looks through all its pairs for each merge. That is quadratic, so a long one (a line
//! of base64, a run of one letter) keeps its pairs in a heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::bridges::Bridges;
use super::folds::Folds;
use super::pairs::{NONE, Pairs};
use super::window;

/// Longest span that is looked through, in symbols.
const SHORT: usize = 64;
/// Bits of a place in it.
const PLACE: u32 = SHORT.trailing_zeros();
/// Places looked through together.
const TOGETHER: usize = 8;
/// After every pair that can be joined.
const LAST: i32 = i32::MAX;
/// Room kept between spans, in symbols.
const KEPT: usize = 1 << 16;
const END: u32 = u32::MAX;

/// Working memory, kept from span to span.
#[derive(Default)]
pub(crate) struct Merger {
    ids: Vec<u32>,
    order: Order,
    previous: Vec<u32>,
    next: Vec<u32>,
    heap: BinaryHeap<Reverse<(u32, u32)>>,
}

/// In which order the pairs of a short span are to be joined: by place, the rank of the pair that begins there, then the place itself,
/// or [`LAST`].
struct Order {
    pairs: [i32; SHORT],
    /// Places in use, in whole groups.
    length: usize,
}

impl Default for Order {
    fn default() -> Self {
        Self { pairs: [LAST; SHORT], length: 0 }
    }
}

impl Order {
    /// Takes the ranks of a span's pairs in place of what there was.
    #[inline]
    fn fill(&mut self, ranks: impl Iterator<Item = u32>) {
        let mut length = 0;
        for (at, rank) in ranks.take(SHORT).enumerate() {
            self.put(at, rank);
            length = at + 1;
        }
        self.length = length.next_multiple_of(TOGETHER);
        self.pairs[length..self.length].fill(LAST);
    }

    #[inline]
    fn put(&mut self, at: usize, rank: u32) {
        self.pairs[at % SHORT] = if rank == NONE { LAST } else { (rank << PLACE) as i32 | at as i32 };
    }

    #[inline]
    fn remove(&mut self, at: usize) {
        self.pairs[at % SHORT] = LAST;
    }

    /// Rank and place of the first pair.
    #[inline]
    fn first(&self) -> Option<(u32, usize)> {
        let (groups, _) = self.pairs.as_chunks::<TOGETHER>();
        let mut least = [LAST; TOGETHER];
        for group in groups.iter().take(self.length / TOGETHER) {
            least.iter_mut().zip(group).for_each(|(least, pair)| *least = (*least).min(*pair));
        }
        let least = least.into_iter().fold(LAST, i32::min);
        (least != LAST).then_some(((least >> PLACE) as u32, least as usize % SHORT))
    }
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
            self.order.fill(span.windows(2).map(|two| pairs.of_bytes(two[0], two[1])));
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
            self.order.fill(self.ids.windows(2).map(|two| pairs.get(two[0], two[1])));
            self.short(pairs, &mut 0);
        } else {
            self.long(pairs);
        }
        &self.ids
    }

    /// A symbol stays at the place where its first byte was; a bit for each place says whether one begins there.
    fn short(&mut self, pairs: &Pairs, highest: &mut u32) {
        let (ids, order) = (&mut self.ids, &mut self.order);
        let mut begins = window::before(ids.len());
        while let Some((rank, at)) = order.first() {
            *highest = rank.max(*highest);
            let after = begins & (u64::MAX - 1) << at;
            let right = after.trailing_zeros() as usize % SHORT;
            ids[at] = pairs.made(ids[at], ids[right], rank);
            begins &= !(1 << right);
            order.remove(right);
            let after = after & after.wrapping_sub(1);
            let before = begins & window::before(at);
            let rank = |left: usize, right: usize| pairs.get(ids[left], ids[right]);
            order.put(at, if after == 0 { NONE } else { rank(at, after.trailing_zeros() as usize) });
            if let Some(left) = before.checked_ilog2() {
                order.put(left as usize, rank(left as usize, at));
            }
        }
        let mut kept = 0;
        while begins != 0 {
            ids[kept] = ids[begins.trailing_zeros() as usize];
            kept += 1;
            begins &= begins - 1;
        }
        ids.truncate(kept);
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
