//! Pairs of neighbouring tokens: how often each is met, and where.

/// A pair, or a further list of places of one.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    left: u32,
    right: u32,
    /// Occurrences by weight. As in Hugging Face's trainer, a merge leaves its own pair's count as it
    /// is; that matters where the same token is made again in another way.
    pub(super) count: i64,
    /// Where its places begin; they end where those of the next record begin.
    start: u32,
    /// The next record in the same list of the queue, [`DONE`] once its places are used up.
    pub(super) next: u32,
}

/// Ends lists of the queue.
pub(super) const END: u32 = u32::MAX;
/// Marks a record whose places are not needed any more.
pub(super) const DONE: u32 = u32::MAX - 1;
/// In place of a left token: a further list of the pair whose record is `right`.
const FURTHER: u32 = u32::MAX;
/// Places below which lists are not moved together.
const SMALL: usize = 1 << 20;

/// All records, in the order in which they were made, and their places in one array in that order.
pub(super) struct Pairs {
    records: Vec<Pair>,
    places: Vec<u32>,
    /// Places of records that are done.
    garbage: usize,
    /// Records plus one by the hash of their tokens, 0 where free.
    slots: Vec<u32>,
}

impl Pairs {
    pub(super) fn new() -> Self {
        Self { records: Vec::new(), places: Vec::new(), garbage: 0, slots: vec![0; 1 << 12] }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn record(&mut self, index: u32) -> &mut Pair {
        &mut self.records[index as usize]
    }

    /// The record that counts for a list: another one where the list is a further one.
    pub(super) fn main(&self, index: u32) -> u32 {
        let record = &self.records[index as usize];
        if record.left == FURTHER { record.right } else { index }
    }

    /// The tokens of a record's pair.
    pub(super) fn tokens(&self, index: u32) -> (u32, u32) {
        let main = &self.records[self.main(index) as usize];
        (main.left, main.right)
    }

    pub(super) fn count(&self, index: u32) -> i64 {
        self.records[self.main(index) as usize].count
    }

    fn slot(&self, left: u32, right: u32) -> usize {
        let key = u64::from(left) << 32 | u64::from(right);
        let mask = self.slots.len() - 1;
        let mut slot = ((key ^ key >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as usize & mask;
        while let Some(index) = (self.slots[slot] as usize).checked_sub(1) {
            let record = &self.records[index];
            if record.left == left && record.right == right {
                break;
            }
            slot = (slot + 1) & mask;
        }
        slot
    }

    /// The index of a pair's record.
    pub(super) fn index(&self, left: u32, right: u32) -> Option<u32> {
        self.slots[self.slot(left, right)].checked_sub(1)
    }

    /// The record of a pair.
    pub(super) fn find(&mut self, left: u32, right: u32) -> Option<&mut Pair> {
        let index = (self.slots[self.slot(left, right)] as usize).checked_sub(1)?;
        Some(&mut self.records[index])
    }

    /// A record with `count` places that come next in the array, the start of these, and whether the
    /// pair had a record before.
    pub(super) fn add(&mut self, left: u32, right: u32, weight: i64, count: usize) -> (usize, bool) {
        let start = self.places.len();
        self.places.resize(start + count, 0);
        let slot = self.slot(left, right);
        let known = self.slots[slot].checked_sub(1);
        match known {
            Some(known) => {
                self.records[known as usize].count += weight;
                self.records.push(Pair { left: FURTHER, right: known, count: 0, start: start as u32, next: END });
            }
            None => self.insert(slot, Pair { left, right, count: weight, start: start as u32, next: END }),
        }
        (start, known.is_some())
    }

    fn insert(&mut self, slot: usize, pair: Pair) {
        self.records.push(pair);
        self.slots[slot] = self.records.len() as u32;
        if self.records.len() * 4 > self.slots.len() * 3 {
            self.grow();
        }
    }

    /// Counts a pair of the corpus, whose place [`Pairs::put`] will get.
    pub(super) fn meet(&mut self, left: u32, right: u32, weight: i64) {
        let slot = self.slot(left, right);
        match (self.slots[slot] as usize).checked_sub(1) {
            Some(index) => {
                self.records[index].count += weight;
                self.records[index].start += 1;
            }
            None => self.insert(slot, Pair { left, right, count: weight, start: 1, next: END }),
        }
    }

    /// Makes room for the places of the pairs that were met.
    pub(super) fn lay_out(&mut self) {
        let mut at = 0;
        for record in &mut self.records {
            at += std::mem::replace(&mut record.start, at);
        }
        self.places.resize(at as usize, 0);
    }

    /// Puts a place of a pair that was met.
    pub(super) fn put(&mut self, left: u32, right: u32, place: u32) {
        let slot = self.slot(left, right);
        if let Some(index) = (self.slots[slot] as usize).checked_sub(1) {
            let at = &mut self.records[index].start;
            self.places[*at as usize] = place;
            *at += 1;
        }
    }

    /// Ends putting: each record has come to where the next one begins.
    pub(super) fn laid_out(&mut self) {
        let mut start = 0;
        for record in &mut self.records {
            start = std::mem::replace(&mut record.start, start);
        }
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 2];
        for index in 0..self.records.len() {
            let Pair { left, right, .. } = self.records[index];
            if left != FURTHER {
                let slot = self.slot(left, right);
                self.slots[slot] = index as u32 + 1;
            }
        }
    }

    fn range(&self, index: u32) -> std::ops::Range<usize> {
        let end = self.records.get(index as usize + 1).map_or(self.places.len(), |next| next.start as usize);
        self.records[index as usize].start as usize..end
    }

    /// The places of a record, ascending. A pair may have left some of them since.
    pub(super) fn places(&self, index: u32) -> &[u32] {
        &self.places[self.range(index)]
    }

    /// The array of all places, to write those of a new record.
    pub(super) fn all_places(&mut self) -> &mut [u32] {
        &mut self.places
    }

    /// The record after this one in a list of the queue.
    pub(super) fn next(&self, index: u32) -> u32 {
        self.records[index as usize].next
    }

    /// Gives up the places of a record.
    pub(super) fn done(&mut self, index: u32) {
        self.garbage += self.range(index).len();
        self.records[index as usize].next = DONE;
    }

    /// Makes room for `count` places more, by moving lists together where many are done; false where
    /// places cannot be numbered any more.
    pub(super) fn reserve(&mut self, count: usize) -> bool {
        let full = self.places.len() + count > self.places.capacity();
        if full && self.places.len() > SMALL && self.garbage > self.places.len() / 4 {
            let mut to = 0;
            for index in 0..self.records.len() as u32 {
                let from = self.range(index);
                let length = if self.records[index as usize].next == DONE { 0 } else { from.len() };
                self.places.copy_within(from.start..from.start + length, to);
                self.records[index as usize].start = to as u32;
                to += length;
            }
            self.places.truncate(to);
            self.garbage = 0;
        }
        self.places.len() + count < u32::MAX as usize
    }
}
