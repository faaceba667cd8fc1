//! Lines that stand in many documents, found by a shuffle of their hashes.
//!
//! It comes after the deduplication of documents, so that a page that was copied a hundred times
//! makes none of its lines frequent. Again there are three stages of files:
//! 1. scatter: part → (hash of a line, document, place) sorted by hash, in runs that fit the memory;
//! 2. reduce: all runs of one partition, merged → the places of lines that stand in too many
//!    documents, but for those in the best one, in runs again, sorted by part;
//! 3. apply: all runs of one part, merged → one [`Trimmed`] for each document that loses something.
//!
//! A line is compared by 64 bits of its normalised text and its bucket. Among 10^11 different lines
//! a wrong meeting with one of 10^8 frequent ones is expected once.

mod pieces;
mod spill;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use corpora::JsonlWriter;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(super) use self::pieces::pieces;
use self::spill::{Entry, Spill, SpillWriter, merged};
use super::bucket_number;
use super::config::{DedupConfig, LinesConfig};
use super::error::{Error, Result};
use super::normal::normal;
use super::scatter::stop_if;
use super::set::{Address, PartSignatures, Rank, SignatureSet};
use super::summary::Summary;

/// About so many documents to a partition: each is merged by one thread, whatever its size.
const DOCUMENTS: u64 = 1 << 17;
const MOST_PARTITIONS: u64 = 4096;

/// A document that lost lines: one line of `lines/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Trimmed {
    /// Its row in the part.
    pub row: u64,
    /// Its id.
    pub id: String,
    /// Lines or paragraphs that it lost.
    pub lines: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Where they stood in its text: first byte and byte after the last one; ascending and apart.
    pub cut: Vec<(u32, u32)>,
}

impl Trimmed {
    /// The text without the lines; none if this is not about such a text.
    #[must_use]
    pub fn apply(&self, text: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for &(start, end) in &self.cut {
            out.push_str(text.get(done..start as usize)?);
            text.get(start as usize..end as usize)?;
            done = end as usize;
        }
        out.push_str(text.get(done..)?);
        (text.len() - out.len() == self.bytes as usize).then_some(out)
    }
}

/// The texts of a part that are compared, with their rows, ascending.
pub type Texts<'a> = dyn Fn(&str) -> std::result::Result<TextIter<'a>, String> + Sync + 'a;

/// See [`Texts`].
pub type TextIter<'a> = Box<dyn Iterator<Item = std::result::Result<(u64, String), String>> + 'a>;

/// Finds the lines and writes `NAME.jsonl.zst` for each part to `out_dir`; adds to `summary`.
///
/// `parts` are those of [`super::run`]; parts of other runs have no say. `texts` gives the documents
/// of a part that are no duplicates. Memory: a share of `memory` for each thread.
///
/// # Errors
/// [`Error::Cancelled`] on `cancel`; if a text cannot be read or is none of its part's signatures, or
/// if writing fails.
#[allow(clippy::too_many_arguments)] // as `run`, and the texts
pub fn run_lines(
    parts: &[PartSignatures],
    texts: &Texts<'_>,
    work_dir: &Path,
    out_dir: &Path,
    config: &DedupConfig,
    cancel: &AtomicBool,
    summary: &mut Summary,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<()> {
    let Some(lines) = &config.lines else { return Ok(()) };
    let mut parts: Vec<PartSignatures> = parts.iter().filter(|part| part.run.is_none()).cloned().collect();
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    let set = SignatureSet::open(&parts, config)?;
    fs::create_dir_all(work_dir).map_err(Error::io("create", work_dir))?;
    let partitions = (set.documents() / DOCUMENTS + 1).min(MOST_PARTITIONS) as u32;
    let (total, done) = (2 * parts.len() as u64 + u64::from(partitions), AtomicU64::new(0));
    let step = || progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
    let shuffle = Shuffle { set: &set, config, lines, partitions, work_dir, cancel };
    let threads = rayon::current_num_threads().min(super::TASKS as usize);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| Error::Input(error.to_string()))?;
    pool.install(|| {
        let scattered = (0..parts.len() as u32).into_par_iter().map(|part| {
            let files = shuffle.scatter(part, texts)?;
            step();
            Ok(files)
        });
        let scattered = opened(scattered.collect::<Result<Vec<_>>>()?)?;
        let removed = (0..partitions).into_par_iter().map(|partition| {
            let files = shuffle.reduce(partition, &scattered)?;
            step();
            Ok(files)
        });
        let removed = opened(removed.collect::<Result<Vec<_>>>()?)?;
        let trimmed = Mutex::new((0, 0, 0));
        (0..parts.len() as u32).into_par_iter().try_for_each(|part| {
            let of_part = shuffle.apply(part, &removed, out_dir)?;
            let mut all = trimmed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *all = (all.0 + of_part.0, all.1 + of_part.1, all.2 + of_part.2);
            step();
            Ok::<(), Error>(())
        })?;
        (summary.trimmed, summary.lines, summary.line_bytes) = trimmed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(())
    })
}

fn opened(paths: Vec<Vec<PathBuf>>) -> Result<Vec<Spill>> {
    paths.concat().iter().map(|path| Spill::open(path)).collect()
}

/// What every stage call needs.
struct Shuffle<'a> {
    set: &'a SignatureSet,
    config: &'a DedupConfig,
    lines: &'a LinesConfig,
    partitions: u32,
    work_dir: &'a Path,
    cancel: &'a AtomicBool,
}

impl Shuffle<'_> {
    /// How many documents of a bucket may hold a line; none where lines are left alone.
    fn limit(&self, bucket: u32) -> Option<u64> {
        let named = self.lines.buckets.iter().find(|(name, _)| bucket_number(name) == bucket).map(|(_, limit)| *limit);
        Some(named.unwrap_or(self.lines.max_documents)).filter(|limit| *limit > 0)
    }

    /// The partition of a line: hashes ascend, and so do partitions.
    fn partition(&self, hash: u64) -> u32 {
        ((u128::from(hash) * u128::from(self.partitions)) >> 64) as u32
    }

    fn scatter(&self, part: u32, texts: &Texts<'_>) -> Result<Vec<PathBuf>> {
        let name = self.set.name(part as usize);
        let failed = |detail: String| Error::Input(format!("the documents of {name}: {detail}"));
        let reader = self.set.reader(part as usize).ok_or_else(|| failed("no signatures".to_owned()))?;
        let mut records = (0_u32..).zip(reader.iter());
        let path = |run: usize| self.work_dir.join(format!("lines-{part:06}-{run:04}.bin"));
        let mut out = SpillWriter::new(&path, self.partitions, self.config.share(), |entry: &Entry| self.partition(entry.key));
        for (count, text) in (0_u32..).zip(texts(name).map_err(failed)?) {
            stop_if(self.cancel, count.wrapping_mul(64))?;
            let (row, text) = text.map_err(failed)?;
            let record = loop {
                match records.next() {
                    Some((_, Ok(record))) if record.row() < row => {}
                    Some((index, Ok(record))) if record.row() == row => break (index, record),
                    Some((_, Err(error))) => return Err(error),
                    _ => return Err(failed(format!("row {row} has no signature"))),
                }
            };
            let (index, record) = record;
            if self.limit(record.bucket()).is_none() {
                continue;
            }
            for (start, end) in pieces(&text, self.lines.unit) {
                let line = normal(&text[start..end]);
                if line.chars().nth(self.lines.min_chars - 1).is_none() {
                    continue;
                }
                let key = xxh3_64_with_seed(line.as_bytes(), u64::from(record.bucket()));
                out.push(Entry { key, part, index, start: start as u32, length: (end - start) as u32 })?;
            }
        }
        out.finish()
    }

    fn reduce(&self, partition: u32, scattered: &[Spill]) -> Result<Vec<PathBuf>> {
        let path = |run: usize| self.work_dir.join(format!("cut-{partition:06}-{run:04}.bin"));
        let mut out = SpillWriter::new(&path, self.set.parts() as u32, self.config.share(), |entry: &Entry| entry.part);
        let mut group = Group::default();
        for (count, entry) in (0_u32..).zip(merged(scattered, partition)?) {
            stop_if(self.cancel, count)?;
            if group.key != Some(entry.key) {
                group.end_document(self, &mut out)?;
                group = Group { key: Some(entry.key), ..Group::default() };
            }
            if group.document.last().is_some_and(|last| (last.part, last.index) != (entry.part, entry.index)) {
                group.end_document(self, &mut out)?;
            }
            group.document.push(entry);
        }
        group.end_document(self, &mut out)?;
        out.finish()
    }

    /// Writes what the documents of a part lose; gives documents, lines and bytes.
    fn apply(&self, part: u32, removed: &[Spill], out_dir: &Path) -> Result<(u64, u64, u64)> {
        let path = out_dir.join(format!("{}.jsonl.zst", self.set.name(part as usize)));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        let mut writer = JsonlWriter::create(&path)?;
        let mut sums = (0, 0, 0);
        let mut current: Option<(u32, Trimmed)> = None;
        let mut write = |trimmed: Option<(u32, Trimmed)>| -> Result<()> {
            if let Some((_, trimmed)) = trimmed {
                sums = (sums.0 + 1, sums.1 + trimmed.lines, sums.2 + trimmed.bytes);
                writer.push(&trimmed)?;
            }
            Ok(())
        };
        for (count, entry) in (0_u32..).zip(merged(removed, part)?) {
            stop_if(self.cancel, count)?;
            let Entry { index, start, length, .. } = entry;
            if current.as_ref().is_none_or(|(of, _)| *of != index) {
                write(current.take())?;
                let record = self.set.record(Address::new(part, index))?;
                current = Some((index, Trimmed { row: record.row(), id: record.id()?.to_owned(), lines: 0, bytes: 0, cut: Vec::new() }));
            }
            let Some((_, trimmed)) = &mut current else { continue };
            trimmed.lines += 1;
            trimmed.bytes += u64::from(length);
            match trimmed.cut.last_mut() {
                Some(last) if last.1 == start => last.1 += length,
                _ => trimmed.cut.push((start, start + length)),
            }
        }
        write(current)?;
        writer.finish()?;
        Ok(sums)
    }
}

/// The documents with one line, as they come. Memory: the lines of so many documents as may have it,
/// and of two more.
#[derive(Default)]
struct Group<'a> {
    key: Option<u64>,
    /// Documents that ended.
    documents: u64,
    /// Where the line stands in the document at hand.
    document: Vec<Entry>,
    /// The best document so far: nothing of it is removed unless a better one comes.
    best: Option<(Rank<'a>, Vec<Entry>)>,
    /// What will be removed if there are too many documents.
    held: Vec<Entry>,
    over: bool,
}

impl<'a> Group<'a> {
    fn end_document(&mut self, shuffle: &Shuffle<'a>, out: &mut SpillWriter<'_>) -> Result<()> {
        let Some(first) = self.document.first() else { return Ok(()) };
        let at = Address::new(first.part, first.index);
        let limit = shuffle.limit(shuffle.set.record(at)?.bucket()).unwrap_or(u64::MAX);
        let rank = shuffle.set.rank(at)?;
        let document = std::mem::take(&mut self.document);
        let worse = match &mut self.best {
            None => {
                self.best = Some((rank, document));
                Vec::new()
            }
            Some(best) if rank < best.0 => std::mem::replace(best, (rank, document)).1,
            Some(_) => document,
        };
        self.documents += 1;
        self.held.extend(worse);
        self.over |= self.documents > limit;
        if self.over {
            // In runs of parts the hash has no say.
            self.held.drain(..).try_for_each(|entry| out.push(Entry { key: 0, ..entry }))?;
        }
        Ok(())
    }
}
