//! Sets of shingles on disk, by which MinHash candidates are verified.
//!
//! Between scatter and reduce: the documents that met another one in a band are marked, a bit each; their texts are
//! read once more, part by part, and each leaves the sorted hashes of its shingles, eight bytes for each different one.
//! The files are mapped, so that comparing two documents takes page cache and no memory.

use std::cmp::Ordering::{Equal, Greater, Less};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rayon::prelude::*;

use super::config::{DedupConfig, MinHashConfig};
use super::error::{Error, Result};
use super::key::{Key, Meeting};
use super::normal::normal;
use super::reduce::merged;
use super::scatter_file::ScatterFile;
use super::sealed::{Label, SealedFile, SealedWriter};
use super::set::{Address, SignatureSet};
use super::shingle::hashes;
use super::shuffle::{Texts, each_text};

const MAGIC: &[u8; 8] = b"MALMOISH";

/// Hashes of the different shingles of a text, ascending, as stored.
pub(super) type ShingleSet<'a> = &'a [[u8; 8]];

/// The sets of all documents that met another one.
pub(super) struct ShingleSets(Vec<SealedFile>);

impl ShingleSets {
    /// Reads the texts of the documents that meet another one, and writes their sets to `work_dir`, a file for each part.
    #[allow(clippy::too_many_arguments)] // what a run has, and what is counted
    pub(super) fn make(
        set: &SignatureSet,
        scattered: &[ScatterFile],
        texts: &Texts<'_>,
        minhash: &MinHashConfig,
        config: &DedupConfig,
        work_dir: &Path,
        cancel: &AtomicBool,
        step: impl Fn() + Sync,
    ) -> Result<Self> {
        let path = |part: u32| work_dir.join(format!("shingles-{part:06}.bin"));
        let label = |part: u32| Label { fingerprint: config.fingerprint(), inputs: set.identity(), number: part, of: set.parts() as u32 };
        let whole = |part: u32| {
            SealedFile::open(&path(part), MAGIC, "shingle file").is_ok_and(|file| file.label() == label(part) && file.check().is_ok())
        };
        let missing: Vec<u32> = (0..set.parts() as u32).filter(|part| !whole(*part)).collect();
        let met = if missing.is_empty() { Marks::new(set) } else { Marks::of(set, scattered, cancel)? };
        missing.into_par_iter().try_for_each(|part| write(set, part, texts, &met, minhash, &path(part), label(part), cancel))?;
        let files = (0..set.parts() as u32).map(|part| {
            step();
            SealedFile::open(&path(part), MAGIC, "shingle file")
        });
        Ok(Self(files.collect::<Result<_>>()?))
    }

    /// The set of a document; none of one that met no other.
    pub(super) fn of(&self, at: Address) -> Result<Option<ShingleSet<'_>>> {
        let Some(file) = self.0.get(at.part()) else { return Ok(None) };
        // The last section lists the records, ascending, of which each has one.
        let Some(last) = file.sections().checked_sub(1) else { return Ok(None) };
        let (listed, _) = file.section(last)?.as_chunks::<4>();
        match listed.binary_search_by_key(&at.index(), |index| u64::from(u32::from_le_bytes(*index))) {
            Ok(section) => Ok(Some(file.section(section)?.as_chunks::<8>().0)),
            Err(_) => Ok(None),
        }
    }
}

/// Writes the sets of a part's documents that are marked.
#[allow(clippy::too_many_arguments)] // as above
fn write(
    set: &SignatureSet,
    part: u32,
    texts: &Texts<'_>,
    met: &Marks,
    minhash: &MinHashConfig,
    path: &Path,
    label: Label,
    cancel: &AtomicBool,
) -> Result<()> {
    let mut writer = SealedWriter::create(path, MAGIC)?;
    let mut listed: Vec<u8> = Vec::new();
    if met.count(part) > 0 {
        each_text(set, cancel, part, texts, |index, _, text| {
            if met.has(Address::new(part, index)) {
                let normal = normal(text);
                let mut hashes = hashes(&normal, minhash.shingle, minhash.ngram);
                hashes.sort_unstable();
                hashes.dedup();
                hashes.iter().try_for_each(|hash| writer.write(&hash.to_le_bytes()))?;
                writer.end_section();
                listed.extend(index.to_le_bytes());
            }
            Ok(())
        })?;
    }
    let records = (listed.len() / 4) as u64;
    if records != met.count(part) {
        return Err(Error::Input(format!(
            "the documents of {} are not those of its signatures: {records} of {}",
            set.name(part as usize),
            met.count(part)
        )));
    }
    writer.write(&listed)?;
    writer.end_section();
    writer.finish(label, records)
}

/// The Jaccard similarity of two sets: what both have, over what either has.
pub(super) fn jaccard(a: ShingleSet<'_>, b: ShingleSet<'_>) -> f64 {
    let (mut i, mut j, mut common) = (0, 0, 0_usize);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        let order = u64::from_le_bytes(*x).cmp(&u64::from_le_bytes(*y));
        common += usize::from(order == Equal);
        i += usize::from(order != Greater);
        j += usize::from(order != Less);
    }
    common as f64 / (a.len() + b.len() - common).max(1) as f64
}

/// A bit for each document.
struct Marks(Vec<Vec<AtomicU64>>);

impl Marks {
    fn new(set: &SignatureSet) -> Self {
        let of_part = |part| set.reader(part).map_or(0, |reader| reader.len()).div_ceil(64);
        Self((0..set.parts()).map(|part| (0..of_part(part)).map(|_| AtomicU64::new(0)).collect()).collect())
    }

    /// Marks the documents that share a band with another one.
    fn of(set: &SignatureSet, scattered: &[ScatterFile], cancel: &AtomicBool) -> Result<Self> {
        let marks = Self::new(set);
        let partitions = scattered.first().map_or(0, |file| file.label().of);
        (0..partitions).into_par_iter().try_for_each(|partition| {
            let mut before: Option<(Key, Address)> = None;
            for next in merged(partition, scattered, cancel)? {
                let (key, at) = next?;
                if key.meeting() == Some(Meeting::Band) {
                    if let Some((_, other)) = before.filter(|(same, _)| *same == key) {
                        marks.set(other);
                        marks.set(at);
                    }
                    before = Some((key, at));
                }
            }
            Ok::<(), Error>(())
        })?;
        Ok(marks)
    }

    // Relaxed: bits are only set, and read after all threads are done.
    fn set(&self, at: Address) {
        if let Some(word) = self.word(at) {
            word.fetch_or(1 << (at.index() % 64), Ordering::Relaxed);
        }
    }

    fn has(&self, at: Address) -> bool {
        self.word(at).is_some_and(|word| word.load(Ordering::Relaxed) >> (at.index() % 64) & 1 == 1)
    }

    fn word(&self, at: Address) -> Option<&AtomicU64> {
        self.0.get(at.part())?.get((at.index() / 64) as usize)
    }

    fn count(&self, part: u32) -> u64 {
        self.0.get(part as usize).map_or(0, |words| words.iter().map(|word| u64::from(word.load(Ordering::Relaxed).count_ones())).sum())
    }
}
