//! Sorted runs on disk, merged as they are read.
//!
//! A file holds runs one after the other, each with a section for every place that its records go to. Once it is
//! opened it has no name any more: its room is free when it is dropped, and nobody finds it after a kill.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;

use super::error::{Error, Result};
use super::merge::merge;
use super::sealed::{Label, SealedFile, SealedWriter};

const MAGIC: &[u8; 8] = b"MALMOIPL";

/// What runs consist of.
pub(crate) trait Record: Copy + Ord {
    /// A stored one, as an array.
    type Bytes: AsRef<[u8]>;
    /// What it takes to read one back.
    type Source: Copy;

    /// As it is stored.
    fn bytes(&self) -> Self::Bytes;

    /// One that was stored, of as many bytes.
    fn read(bytes: &[u8], source: Self::Source) -> Result<Self>;
}

/// Collects records and writes them in runs that take no more than so much memory.
pub(super) struct SpillWriter<T, P> {
    path: PathBuf,
    places: u32,
    /// The place that a record goes to; a later record never goes to an earlier place.
    place: P,
    most: usize,
    /// What was pushed since the last run, in any order.
    pub(super) held: Vec<T>,
    /// Once there is a run.
    file: Option<SealedWriter>,
    runs: u32,
    records: u64,
}

impl<T: Record, P: Fn(&T) -> u32> SpillWriter<T, P> {
    pub(super) fn new(path: PathBuf, places: u32, memory: u64, place: P) -> Self {
        let most = (memory as usize / size_of::<T>()).max(1024);
        Self { path, places, place, most, held: Vec::new(), file: None, runs: 0, records: 0 }
    }

    pub(super) fn push(&mut self, record: T) -> Result<()> {
        if self.held.len() >= self.most {
            self.spill()?;
        }
        if self.held.len() == self.held.capacity() {
            // Doubled, as any vector is, but never to more than is allowed.
            self.held.reserve_exact(self.held.len().max(16).min(self.most - self.held.len()));
        }
        self.held.push(record);
        Ok(())
    }

    /// Whether there is a run on disk.
    pub(super) fn has_spilled(&self) -> bool {
        self.file.is_some()
    }

    fn spill(&mut self) -> Result<()> {
        self.held.sort_unstable();
        let mut held = std::mem::take(&mut self.held);
        self.run(held.iter().copied().map(Ok))?;
        held.clear();
        self.held = held;
        Ok(())
    }

    /// Writes a run of records that are sorted.
    pub(super) fn run(&mut self, sorted: impl Iterator<Item = Result<T>>) -> Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => SealedWriter::create(&self.path, MAGIC)?,
        };
        let mut place = 0;
        for record in sorted {
            let record = record?;
            while place < (self.place)(&record) {
                file.end_section();
                place += 1;
            }
            file.write(record.bytes().as_ref())?;
            self.records += 1;
        }
        (place..self.places).for_each(|_| file.end_section());
        self.runs += 1;
        self.file = Some(file);
        Ok(())
    }

    /// Writes what is left and begins anew; gives the runs, none if nothing was pushed.
    pub(super) fn finish(&mut self) -> Result<Option<Spill>> {
        if !self.held.is_empty() {
            self.spill()?;
        }
        self.held = Vec::new();
        let Some(file) = self.file.take() else { return Ok(None) };
        let (runs, records) = (std::mem::take(&mut self.runs), std::mem::take(&mut self.records));
        file.finish(Label { fingerprint: 0, inputs: 0, number: runs, of: self.places }, records)?;
        let file = SealedFile::open(&self.path, MAGIC, "file of runs")?;
        fs::remove_file(&self.path).map_err(Error::io("remove", &self.path))?;
        if file.sections() as u64 != u64::from(runs) * u64::from(self.places) {
            return Err(Error::format(&self.path, 0, format!("{} sections are no {runs} runs to {} places", file.sections(), self.places)));
        }
        Ok(Some(Spill(file)))
    }
}

/// Finished runs.
pub(super) struct Spill(SealedFile);

impl Spill {
    pub(super) fn runs(&self) -> u32 {
        self.0.label().number
    }

    /// The records of a run that go to a place.
    fn records<T: Record>(&self, run: u32, place: u32, source: T::Source) -> Result<impl Iterator<Item = Result<T>>> {
        let section = run as usize * self.0.label().of as usize + place as usize;
        let (bytes, size) = (self.0.section(section)?, size_of::<T::Bytes>());
        if !bytes.len().is_multiple_of(size) {
            return Err(Error::format(self.0.path(), self.0.span(section).0 as u64, "a section ends within a record"));
        }
        Ok(bytes.chunks_exact(size).map(move |bytes| T::read(bytes, source)))
    }

    /// The records of some runs that go to a place, sorted.
    pub(super) fn merged<T: Record>(&self, runs: Range<u32>, place: u32, source: T::Source) -> Result<impl Iterator<Item = Result<T>>> {
        merge(runs.map(|run| self.records(run, place, source)).collect::<Result<_>>()?)
    }
}

/// The records of all files that go to a place, sorted.
pub(super) fn merged<T: Record>(files: &[Spill], place: u32, source: T::Source) -> Result<impl Iterator<Item = Result<T>>> {
    let streams = files.iter().flat_map(|file| (0..file.runs()).map(move |run| file.records(run, place, source)));
    merge(streams.collect::<Result<_>>()?)
}
