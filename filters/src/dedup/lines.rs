//! Lines that stand in many documents, found by a shuffle of their hashes.
//!
//! It comes after the deduplication of documents, so that a page that was copied a hundred times
//! makes none of its lines frequent. Again there are three stages of files:
//! 1. scatter: part → (hash of a line, document, place) sorted by hash, in runs that fit the memory;
//! 2. reduce: all runs of one partition, merged → the places of lines that stand in too many
//!    documents, but for those in the best one, in runs again, sorted by part;
//! 3. apply: all runs of one part, merged → one [`Trimmed`] for each document that loses something.
//!
//! A line is compared by 96 bits of a hash of its normalised text and its bucket: among 10^11 different
//! lines a wrong meeting is not to be expected.

mod pieces;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use corpora::JsonlWriter;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128_with_seed;

pub(super) use self::pieces::pieces;
use super::bucket_number;
use super::config::{DedupConfig, LinesConfig};
use super::entry::{Entry, EntryWriter};
use super::error::Result;
use super::normal::normal;
use super::set::{Address, PartSignatures, Rank, SignatureSet};
use super::shuffle::{Shuffle, Texts, sorted, without};
use super::summary::Summary;

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
        without(text, &self.cut, self.bytes)
    }
}

/// Finds the lines and writes `NAME.jsonl.zst` for each part to `out_dir`; adds to `summary`.
///
/// `parts` are those of [`super::run`]; parts of other runs have no say. `texts` gives the documents
/// of a part that are no duplicates. Memory: a share of `memory` for each thread.
///
/// # Errors
/// [`Cancelled`](super::Error::Cancelled) on `cancel`; if a text cannot be read or is none of its part's signatures, or
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
    let set = sorted(parts.iter().filter(|part| part.run.is_none()), config)?;
    let shuffle = Shuffle::new(&set, config, work_dir, cancel, progress, (1, 1))?;
    [summary.trimmed, summary.lines, summary.line_bytes] = shuffle.install(|| {
        let scattered = shuffle.scatter("lines", |part, out| {
            shuffle.texts(part, texts, |index, record, text| {
                if limit(lines, record.bucket()).is_none() {
                    return Ok(());
                }
                for (start, end) in pieces(text, lines.unit) {
                    let line = normal(&text[start..end]);
                    if line.chars().nth(lines.min_chars - 1).is_none() {
                        continue;
                    }
                    let hash = xxh3_128_with_seed(line.as_bytes(), u64::from(record.bucket()));
                    out.push(Entry::new(hash, part, index, start as u32, (end - start) as u32))?;
                }
                Ok(())
            })
        })?;
        let removed = shuffle.reduce("cut", |partition, out| {
            let mut group = Group::default();
            for entry in shuffle.merged(&scattered, partition)? {
                let entry = entry?;
                if group.content != Some(entry.content()) {
                    group.end_document(&set, lines, out)?;
                    group = Group { content: Some(entry.content()), ..Group::default() };
                }
                if group.document.last().is_some_and(|last| last.at() != entry.at()) {
                    group.end_document(&set, lines, out)?;
                }
                group.document.push(entry);
            }
            group.end_document(&set, lines, out)
        })?;
        shuffle.apply(&removed, |part, entries| write(&set, part, entries, &shuffle.ledger(part, out_dir)?))
    })?;
    Ok(())
}

/// How many documents of a bucket may hold a line; none where lines are left alone.
fn limit(lines: &LinesConfig, bucket: u32) -> Option<u64> {
    let named = lines.buckets.iter().find(|(name, _)| bucket_number(name) == bucket).map(|(_, limit)| *limit);
    Some(named.unwrap_or(lines.max_documents)).filter(|limit| *limit > 0)
}

/// Writes what the documents of a part lose; gives documents, lines and bytes.
fn write(set: &SignatureSet, part: u32, entries: &mut dyn Iterator<Item = Result<Entry>>, path: &Path) -> Result<[u64; 3]> {
    let mut writer = JsonlWriter::create(path)?;
    let mut sums = [0; 3];
    let mut current: Option<(u32, Trimmed)> = None;
    let mut write = |trimmed: Option<(u32, Trimmed)>| -> Result<()> {
        if let Some((_, trimmed)) = trimmed {
            sums = [sums[0] + 1, sums[1] + trimmed.lines, sums[2] + trimmed.bytes];
            writer.push(&trimmed)?;
        }
        Ok(())
    };
    for entry in entries {
        let Entry { index, start, length, .. } = entry?;
        if current.as_ref().is_none_or(|(of, _)| *of != index) {
            write(current.take())?;
            let record = set.record(Address::new(part, index))?;
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

/// The documents with one line, as they come. Memory: the lines of so many documents as may have it,
/// and of two more.
#[derive(Default)]
struct Group<'a> {
    content: Option<(u64, u32)>,
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
    fn end_document(&mut self, set: &'a SignatureSet, lines: &LinesConfig, out: &mut EntryWriter<'_>) -> Result<()> {
        let Some(first) = self.document.first() else { return Ok(()) };
        let at = first.at();
        let limit = limit(lines, set.record(at)?.bucket()).unwrap_or(u64::MAX);
        let rank = set.rank(at)?;
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
            self.held.drain(..).try_for_each(|entry| out.push(entry.place()))?;
        }
        Ok(())
    }
}
