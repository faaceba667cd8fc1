//! Sorted runs of entries on disk, one section for each place that they go to.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::path::{Path, PathBuf};

use super::error::{Error, Result};
use super::sealed::{Label, SealedFile, SealedWriter, u32_at, u64_at};
use super::set::Address;

const MAGIC: &[u8; 8] = b"MALMOIPL";
const SIZE: usize = 28;

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

/// Collects entries and writes them in sorted runs that take no more than a share of the memory.
pub(super) struct SpillWriter<'a> {
    path: &'a (dyn Fn(usize) -> PathBuf + 'a),
    /// Section that an entry goes to; a later entry never goes to an earlier section.
    place: Box<dyn Fn(&Entry) -> u32 + 'a>,
    sections: u32,
    most: usize,
    entries: Vec<Entry>,
    written: Vec<PathBuf>,
}

impl<'a> SpillWriter<'a> {
    pub(super) fn new(path: &'a (dyn Fn(usize) -> PathBuf + 'a), sections: u32, memory: u64, place: impl Fn(&Entry) -> u32 + 'a) -> Self {
        let most = (memory as usize / size_of::<Entry>()).max(1024);
        Self { path, place: Box::new(place), sections, most, entries: Vec::new(), written: Vec::new() }
    }

    pub(super) fn push(&mut self, entry: Entry) -> Result<()> {
        if self.entries.len() >= self.most {
            self.spill()?;
        }
        self.entries.push(entry);
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        let place = &self.place;
        self.entries.sort_unstable();
        let path = (self.path)(self.written.len());
        let mut file = SealedWriter::create(&path, MAGIC)?;
        let mut entries = self.entries.iter().peekable();
        for section in 0..self.sections {
            while let Some(entry) = entries.next_if(|entry| place(entry) == section) {
                let mut bytes = [0; SIZE];
                bytes[..8].copy_from_slice(&entry.key.to_le_bytes());
                for (number, value) in [entry.more, entry.part, entry.index, entry.start, entry.length].into_iter().enumerate() {
                    bytes[8 + 4 * number..12 + 4 * number].copy_from_slice(&value.to_le_bytes());
                }
                file.write(&bytes)?;
            }
            file.end_section();
        }
        file.finish(Label { fingerprint: 0, inputs: 0, number: self.written.len() as u32, of: self.sections }, self.entries.len() as u64)?;
        self.entries.clear();
        self.written.push(path);
        Ok(())
    }

    /// Writes what is left; gives the files.
    pub(super) fn finish(mut self) -> Result<Vec<PathBuf>> {
        if !self.entries.is_empty() {
            self.spill()?;
        }
        Ok(self.written)
    }
}

/// A file of entries.
pub(super) struct Spill(SealedFile);

impl Spill {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = SealedFile::open(path, MAGIC, "file of places")?;
        if file.sections() as u64 != u64::from(file.label().of) {
            return Err(Error::format(path, 0, format!("{} sections, {} are claimed", file.sections(), file.label().of)));
        }
        Ok(Self(file))
    }

    fn entries(&self, section: u32) -> Result<impl Iterator<Item = Entry>> {
        let bytes = self.0.section(section as usize)?;
        if !bytes.len().is_multiple_of(SIZE) {
            let (at, _) = self.0.span(section as usize);
            return Err(Error::format(self.0.path(), at as u64, "a section ends within an entry"));
        }
        Ok(bytes.chunks_exact(SIZE).map(|bytes| Entry {
            key: u64_at(bytes, 0),
            more: u32_at(bytes, 8),
            part: u32_at(bytes, 12),
            index: u32_at(bytes, 16),
            start: u32_at(bytes, 20),
            length: u32_at(bytes, 24),
        }))
    }
}

/// The entries of one section of all files, sorted.
pub(super) fn merged(files: &[Spill], section: u32) -> Result<impl Iterator<Item = Entry>> {
    let mut streams = files.iter().map(|file| file.entries(section)).collect::<Result<Vec<_>>>()?;
    let mut heads: BinaryHeap<Reverse<(Entry, usize)>> =
        streams.iter_mut().enumerate().filter_map(|(file, stream)| Some(Reverse((stream.next()?, file)))).collect();
    Ok(std::iter::from_fn(move || {
        let mut head = heads.peek_mut()?;
        let Reverse((entry, file)) = *head;
        match streams[file].next() {
            Some(next) => *head = Reverse((next, file)),
            None => drop(PeekMut::pop(head)),
        }
        Some(entry)
    }))
}
