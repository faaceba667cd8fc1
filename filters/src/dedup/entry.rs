//! What lines and runs of words are compared by: a hash, and where it stands.

use super::error::Result;
use super::sealed::{u32_at, u64_at};
use super::set::Address;
use super::spill::{Record, SpillWriter};

/// A line, or a run of words, of a document. Sorted by hash, then by document and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Hash of what stands there.
    pub(super) key: u64,
    /// More of the same hash: 96 bits together.
    pub(super) more: u32,
    pub(super) part: u32,
    /// Record of the part's signature file.
    pub(super) index: u32,
    /// First byte in the text, or first word.
    pub(super) start: u32,
    pub(super) length: u32,
}

/// Writes entries, sorted by the place that they go to.
pub(super) type EntryWriter<'a> = SpillWriter<Entry, &'a dyn Fn(&Entry) -> u32>;

impl Entry {
    /// At a place of a document, by a hash of what stands there.
    pub(super) fn new(hash: u128, part: u32, index: u32, start: u32, length: u32) -> Self {
        Self { key: (hash >> 64) as u64, more: (hash >> 32) as u32, part, index, start, length }
    }

    /// What must be equal for two places to hold the same.
    pub(super) fn content(&self) -> (u64, u32) {
        (self.key, self.more)
    }

    /// The document.
    pub(super) fn at(&self) -> Address {
        Address::new(self.part, self.index)
    }

    /// Without the hash: sorted by document alone.
    pub(super) fn place(self) -> Self {
        Self { key: 0, more: 0, ..self }
    }
}

impl Record for Entry {
    type Bytes = [u8; 28];
    type Source = ();

    fn bytes(&self) -> Self::Bytes {
        let mut bytes = [0; 28];
        bytes[..8].copy_from_slice(&self.key.to_le_bytes());
        for (number, value) in [self.more, self.part, self.index, self.start, self.length].into_iter().enumerate() {
            bytes[8 + 4 * number..12 + 4 * number].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8], (): ()) -> Result<Self> {
        Ok(Self {
            key: u64_at(bytes, 0),
            more: u32_at(bytes, 8),
            part: u32_at(bytes, 12),
            index: u32_at(bytes, 16),
            start: u32_at(bytes, 20),
            length: u32_at(bytes, 24),
        })
    }
}
