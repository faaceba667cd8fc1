//! Distinct words and how often each was met, in memory.

use ahash::RandomState;

use crate::error::{Error, Result};

/// Words in the order in which they were first met.
pub(super) struct Words {
    /// Every word, one after another.
    text: Vec<u8>,
    entries: Vec<Entry>,
    /// Indices of entries plus one, 0 where free; a power of two of them, at most two thirds in use.
    slots: Vec<u32>,
    /// Seeded anew in each process, so that no text can be made to collide. Order never comes from it.
    hasher: RandomState,
}

struct Entry {
    count: u64,
    /// Where the word begins; it ends where the next one begins.
    start: u32,
    hash: u32,
}

impl Words {
    pub(super) fn new() -> Self {
        Self { text: Vec::new(), entries: Vec::new(), slots: Vec::new(), hasher: RandomState::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of memory in use.
    pub(super) fn memory(&self) -> u64 {
        (self.text.len() + size_of::<Entry>() * self.entries.len() + size_of::<u32>() * self.slots.len()) as u64
    }

    pub(super) fn add(&mut self, word: &[u8], count: u64) -> Result<()> {
        if self.entries.len() * 3 >= self.slots.len() * 2 {
            self.grow();
        }
        let hash = self.hasher.hash_one(word) as u32;
        let mut slot = hash as usize & (self.slots.len() - 1);
        while let Some(index) = (self.slots[slot] as usize).checked_sub(1) {
            if self.entries[index].hash == hash && self.word(index) == word {
                self.entries[index].count += count;
                return Ok(());
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        let index = u32::try_from(self.entries.len() + 1).ok().filter(|_| self.text.len() + word.len() < u32::MAX as usize);
        let Some(index) = index else {
            return Err(Error::Tokenizer { operation: "count words", detail: "one text has 4 GB of different words".to_owned() });
        };
        self.slots[slot] = index;
        self.entries.push(Entry { count, start: self.text.len() as u32, hash });
        self.text.extend_from_slice(word);
        Ok(())
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(1 << 10);
        self.slots = vec![0; slots];
        for (entry, index) in self.entries.iter().zip(1..) {
            let mut slot = entry.hash as usize & (slots - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (slots - 1);
            }
            self.slots[slot] = index;
        }
    }

    fn word(&self, index: usize) -> &[u8] {
        let end = self.entries.get(index + 1).map_or(self.text.len(), |next| next.start as usize);
        &self.text[self.entries[index].start as usize..end]
    }

    /// Every word with its count.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        (0..self.entries.len()).map(|index| (self.word(index), self.entries[index].count))
    }

    /// The same in the order of their bytes.
    pub(super) fn sorted(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let mut order: Vec<u32> = (0..self.entries.len() as u32).collect();
        order.sort_unstable_by_key(|&index| self.word(index as usize));
        order.into_iter().map(|index| (self.word(index as usize), self.entries[index as usize].count))
    }

    /// Forgets all words and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
        self.slots.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn counts_as_an_ordered_map_does(met in prop::collection::vec(("[ab가]{0,3}", 1..5u64), 0..300)) {
            let (mut words, mut map) = (Words::new(), BTreeMap::new());
            for (word, count) in &met {
                words.add(word.as_bytes(), *count).unwrap();
                *map.entry(word.as_bytes()).or_insert(0) += count;
            }
            prop_assert!(words.sorted().eq(map.iter().map(|(word, count)| (*word, *count))));
            prop_assert_eq!(words.iter().map(|(_, count)| count).sum::<u64>(), map.values().sum::<u64>());
            words.clear();
            words.add(b"x", 7).unwrap();
            prop_assert!(words.iter().eq([(&b"x"[..], 7)]));
        }
    }

    #[test]
    fn grows() {
        let mut words = Words::new();
        (0..100_000u32).chain(50_000..150_000).for_each(|n| words.add(n.to_string().as_bytes(), 1).unwrap());
        assert_eq!(words.len(), 150_000);
        assert!(words.memory() < 150_000 * 40);
        assert!(
            words.iter().zip(0..150_000u32).all(|((word, count), n)| {
                word == n.to_string().as_bytes() && count == if (50_000..100_000).contains(&n) { 2 } else { 1 }
            })
        );
    }
}
