//! A hash table of 64-bit keys that is used again and again.

/// A hash set or counter of 64-bit keys by linear probing, emptied and used again.
#[derive(Default)]
pub(crate) struct Table {
    keys: Vec<u64>,
    values: Vec<u32>,
    mask: usize,
    twice: Twice,
    /// Keys of one pass over a text.
    pub(crate) pass: Vec<u64>,
}

/// Which keys may occur twice: small enough for the nearest cache, so that most n-grams, which occur
/// once, never reach the table.
#[derive(Default)]
struct Twice {
    /// Met once in the low half, met again in the high half.
    marks: Vec<u64>,
    mask: usize,
}

impl Twice {
    fn reset(&mut self, expected: usize) {
        let slots = (expected.max(16) / 2).next_power_of_two();
        if self.marks.len() < slots {
            self.marks.resize(slots, 0);
        }
        self.marks[..slots].fill(0);
        self.mask = slots - 1;
    }

    fn place(&self, key: u64) -> (usize, u64) {
        let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed >> 32) as usize & self.mask, 1 << (mixed >> 59))
    }

    fn mark(&mut self, key: u64) {
        let (slot, bit) = self.place(key);
        let marks = &mut self.marks[slot];
        *marks |= bit | (*marks & bit) << 32;
    }

    fn contains(&self, key: u64) -> bool {
        let (slot, bit) = self.place(key);
        self.marks[slot] >> 32 & bit != 0
    }
}

impl Table {
    /// Empties the table and makes room for `expected` keys.
    pub(crate) fn reset(&mut self, expected: usize) {
        let slots = (expected.max(4) * 2).next_power_of_two();
        if self.keys.len() < slots {
            self.keys.resize(slots, 0);
            self.values.resize(slots, 0);
        }
        self.keys[..slots].fill(0);
        self.mask = slots - 1;
    }

    #[cfg(test)]
    pub(crate) fn slots(&self) -> usize {
        self.keys.len()
    }

    /// Empties the table for these keys, which are kept as the pass; only those that may repeat need
    /// to be looked up afterwards, see [`Table::may_repeat`].
    pub(crate) fn start_pass(&mut self, keys: impl Iterator<Item = u64>) {
        self.pass.clear();
        self.pass.extend(keys);
        self.twice.reset(self.pass.len());
        for &key in &self.pass {
            self.twice.mark(key);
        }
        let repeating = self.pass.iter().filter(|&&key| self.twice.contains(key)).count();
        self.reset(repeating);
    }

    /// False for a key that occurs once in the pass.
    pub(crate) fn may_repeat(&self, key: u64) -> bool {
        self.twice.contains(key)
    }

    /// The value stored for the key; a key met for the first time stores `value` and gives `None`.
    pub(crate) fn get_or_insert(&mut self, key: u64, value: u32) -> Option<u32> {
        let key = key.max(1);
        let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut slot = (mixed >> 32) as usize & self.mask;
        loop {
            match self.keys[slot] {
                0 => {
                    self.keys[slot] = key;
                    self.values[slot] = value;
                    return None;
                }
                stored if stored == key => return Some(self.values[slot]),
                _ => slot = (slot + 1) & self.mask,
            }
        }
    }

    /// The value stored for the key.
    pub(crate) fn get(&self, key: u64) -> Option<u32> {
        let key = key.max(1);
        let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut slot = (mixed >> 32) as usize & self.mask;
        loop {
            match self.keys.get(slot) {
                None | Some(0) => return None,
                Some(stored) if *stored == key => return self.values.get(slot).copied(),
                _ => slot = (slot + 1) & self.mask,
            }
        }
    }

    /// Replaces the value of a key that is there.
    pub(crate) fn set(&mut self, key: u64, value: u32) {
        let key = key.max(1);
        let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut slot = (mixed >> 32) as usize & self.mask;
        while let Some(stored) = self.keys.get(slot).filter(|stored| **stored != 0) {
            if *stored == key {
                self.values[slot] = value;
                return;
            }
            slot = (slot + 1) & self.mask;
        }
    }

    /// True when the key was there already; it is afterwards in any case.
    pub(crate) fn seen(&mut self, key: u64) -> bool {
        self.get_or_insert(key, 0).is_some()
    }
}
