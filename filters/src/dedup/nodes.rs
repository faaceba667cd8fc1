//! The documents that have an edge, numbered in the order of parts and rows.

use super::error::{Error, Result};
use super::set::{Address, SignatureSet};

/// One bit for each document of the corpus, and how many bits are set before each word.
pub(super) struct Nodes {
    /// Documents before each part, and all of them at the end.
    bases: Vec<u64>,
    bits: Vec<u64>,
    before: Vec<u32>,
    count: u32,
}

impl Nodes {
    /// Bytes that numbering so many documents takes.
    pub(super) fn memory(documents: u64) -> u64 {
        documents / 8 + documents / 16
    }

    /// No document numbered yet.
    pub(super) fn new(set: &SignatureSet) -> Self {
        let mut bases = vec![0];
        let mut base = 0;
        for part in 0..set.parts() {
            base += set.reader(part).map_or(0, |reader| reader.len());
            bases.push(base);
        }
        Self { bases, bits: vec![0; base.div_ceil(64) as usize], before: Vec::new(), count: 0 }
    }

    fn position(&self, at: Address) -> Result<u64> {
        let base = self.bases.get(at.part()).copied();
        let end = self.bases.get(at.part() + 1).copied();
        match (base, end) {
            (Some(base), Some(end)) if at.index() < end - base => Ok(base + at.index()),
            _ => Err(Error::Input(format!("an edge leads to document {} of part {}, which is not there", at.index(), at.part()))),
        }
    }

    /// Marks a document as one that has an edge.
    pub(super) fn mark(&mut self, at: Address) -> Result<()> {
        let position = self.position(at)?;
        self.bits[(position / 64) as usize] |= 1 << (position % 64);
        Ok(())
    }

    /// Numbers the marked documents; gives how many there are.
    pub(super) fn number(&mut self) -> Result<u32> {
        let mut count = 0_u64;
        let mut before = Vec::with_capacity(self.bits.len());
        for word in &self.bits {
            before.push(u32::try_from(count).map_err(|_| Error::Input("more than 2^32 documents are linked".into()))?);
            count += u64::from(word.count_ones());
        }
        self.before = before;
        self.count = u32::try_from(count).map_err(|_| Error::Input("more than 2^32 documents are linked".into()))?;
        Ok(self.count)
    }

    /// The number of a marked document.
    pub(super) fn of(&self, at: Address) -> Result<u32> {
        let position = self.position(at)?;
        let word = (position / 64) as usize;
        let below = self.bits[word] & ((1 << (position % 64)) - 1);
        Ok(self.before[word] + below.count_ones())
    }

    /// The marked documents of a part with their numbers, ascending.
    pub(super) fn of_part(&self, part: u32) -> impl Iterator<Item = (u32, Address)> {
        let (start, end) = (self.bases[part as usize], self.bases[part as usize + 1]);
        let words = if start == end { 0..0 } else { start / 64..(end - 1) / 64 + 1 };
        words.flat_map(move |word| {
            let mut bits = self.bits[word as usize];
            let mut number = self.before[word as usize];
            std::iter::from_fn(move || {
                let bit = bits.trailing_zeros();
                (bit < 64).then(|| {
                    bits &= bits - 1;
                    number += 1;
                    (number - 1, word * 64 + u64::from(bit))
                })
            })
            .filter(move |(_, position)| (start..end).contains(position))
            .map(move |(number, position)| (number, Address::new(part, (position - start) as u32)))
        })
    }
}
