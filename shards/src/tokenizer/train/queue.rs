//! Which pair is merged next: the commonest, of equally common ones the one of lowest ids.
//!
//! Counts in the queue may be out of date; who pops an entry compares, and pushes it again. Most pairs
//! are rare and never come up, so rare ones wait in unsorted lists by count, linked through the
//! records; a list is put into the heap when its count is reached.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::pairs::{END, Pairs};

/// Counts below this one have lists.
const LISTS: usize = 1 << 12;

/// Count, tokens and record.
type Entry = (u64, Reverse<(u32, u32, u32)>);

/// Records of pairs by count.
pub(super) struct Queue {
    /// All that have at least `level`.
    heap: BinaryHeap<Entry>,
    /// The first record of each list.
    lists: Vec<u32>,
    level: usize,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new(), lists: vec![END; LISTS], level: LISTS }
    }

    pub(super) fn push(&mut self, pairs: &mut Pairs, count: u64, index: u32) {
        if count >= self.level as u64 {
            let (left, right) = pairs.tokens(index);
            self.heap.push((count, Reverse((left, right, index))));
        } else {
            pairs.record(index).next = std::mem::replace(&mut self.lists[count as usize], index);
        }
    }

    /// The first record and the count that it was pushed with.
    pub(super) fn pop(&mut self, pairs: &Pairs) -> Option<(u64, u32)> {
        while self.heap.is_empty() {
            self.level = self.level.checked_sub(1)?;
            let mut index = std::mem::replace(&mut self.lists[self.level], END);
            let mut entries = std::mem::take(&mut self.heap).into_vec();
            while index != END {
                let (left, right) = pairs.tokens(index);
                entries.push((self.level as u64, Reverse((left, right, index))));
                index = pairs.next(index);
            }
            self.heap = BinaryHeap::from(entries);
        }
        let (count, Reverse((.., index))) = self.heap.pop()?;
        Some((count, index))
    }
}
