//! Passages that stand twice, found exactly: runs of `min-words` words and more.
//!
//! The definition is that of Lee et al. 2022 (their suffix array), with words for tokens and one copy
//! kept: a word is removed if a run of `min-words` words that it is in stands in a better document
//! too, or earlier in its own. Words are removed whole, so no character and no eojeol is ever cut.
//!
//! A suffix array takes eight bytes for each byte of text and sorts all of them. Here two shuffles
//! look at the runs themselves, by hash, and the first sees to it that the second is small:
//! 1. anchors: of the shorter runs inside of a long one, the one with the smallest hash stands for
//!    it ([`words`]). Equal long runs have equal anchors, and about one word in `min-words / 4` is one.
//!    Anchors that stand twice are sent back to their parts;
//! 2. runs whose anchor stands twice are compared among each other by 96 bits of their hash; all but
//!    the best are sent back;
//! 3. each document's runs are joined, snapped and written as one [`Passages`].
//!
//! Texts are read three times and never held together; memory is a share of `memory` for each thread
//! and the words of one text.

mod cut;
mod words;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use corpora::JsonlWriter;
use serde::{Deserialize, Serialize};

use self::cut::{cut, joined};
use self::words::Words;
use super::bucket_number;
use super::config::{DedupConfig, SubstringsConfig};
use super::error::Result;
use super::set::{PartSignatures, Rank, SignatureSet};
use super::shuffle::{Shuffle, Texts, own, without};
use super::signature_file::SignatureRecord;
use super::spill::{Entry, SpillWriter};
use super::summary::Summary;

/// A document that lost passages: one line of `substrings/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Passages {
    /// Its row in the part.
    pub row: u64,
    /// Its id.
    pub id: String,
    /// Words that it lost.
    pub words: u64,
    /// Bytes, with the white space that went with them.
    pub bytes: u64,
    /// Where they stood in its text (the one without its [`super::Trimmed`] lines): first byte and byte
    /// after the last one; ascending and apart.
    pub cut: Vec<(u32, u32)>,
}

impl Passages {
    /// The text without the passages; none if this is not about such a text.
    #[must_use]
    pub fn apply(&self, text: &str) -> Option<String> {
        without(text, &self.cut, self.bytes)
    }
}

/// Finds the passages and writes `NAME.jsonl.zst` for each part to `out_dir`; adds to `summary`.
///
/// As [`super::run_lines`], after which it comes: `texts` are without the lines that were removed.
///
/// # Errors
/// As [`super::run_lines`].
#[allow(clippy::too_many_arguments)] // as `run_lines`
pub fn run_substrings(
    parts: &[PartSignatures],
    texts: &Texts<'_>,
    work_dir: &Path,
    out_dir: &Path,
    config: &DedupConfig,
    cancel: &AtomicBool,
    summary: &mut Summary,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<()> {
    let Some(substrings) = &config.substrings else { return Ok(()) };
    let set = own(parts, config)?;
    let runs = Runs { substrings, across_buckets: config.across_buckets };
    let shuffle = Shuffle::new(&set, config, work_dir, cancel, progress, (3, 2))?;
    [summary.excerpted, summary.words, summary.word_bytes] = shuffle.install(|| {
        let anchors = shuffle.scatter("anchors", |part, out| {
            shuffle.texts(part, texts, |index, record, text| {
                let Some((words, seed)) = runs.of(record, text) else { return Ok(()) };
                words.anchors().iter().try_for_each(|at| out.push(Entry::new(words.anchor_hash(*at, seed), part, index, *at, 0)))
            })
        })?;
        let repeated = shuffle.reduce("repeated", &anchors, repeated)?;
        drop(anchors);
        let runs_met = shuffle.scatter("runs", |part, out| {
            let mut places = Places::new(shuffle.merged(&repeated, part)?);
            shuffle.texts(part, texts, |index, record, text| {
                let places = places.of(index)?;
                let Some((words, seed)) = runs.of(record, text).filter(|_| !places.is_empty()) else { return Ok(()) };
                let met = words.runs().filter(|(_, anchor)| places.binary_search(anchor).is_ok());
                met.into_iter().try_for_each(|(at, _)| out.push(Entry::new(words.run_hash(at, seed), part, index, at, 0)))
            })
        })?;
        drop(repeated);
        let removed = shuffle.reduce("cut", &runs_met, |entries, out| all_but_the_best(&set, entries, out))?;
        drop(runs_met);
        shuffle.apply(&removed, |part, entries| {
            let mut writer = JsonlWriter::create(&shuffle.ledger(part, out_dir)?)?;
            let mut places = Places::new(entries);
            let mut sums = [0; 3];
            if places.are_left() {
                shuffle.texts(part, texts, |index, record, text| {
                    let places = places.of(index)?;
                    let Some((words, _)) = runs.of(record, text).filter(|_| !places.is_empty()) else { return Ok(()) };
                    let (cut, words) = cut(text, &words, &joined(&places, words.run()), substrings.snap);
                    if cut.is_empty() {
                        return Ok(());
                    }
                    let bytes = cut.iter().map(|(start, end)| u64::from(end - start)).sum();
                    sums = [sums[0] + 1, sums[1] + words, sums[2] + bytes];
                    Ok(writer.push(&Passages { row: record.row(), id: record.id()?.to_owned(), words, bytes, cut })?)
                })?;
            }
            writer.finish()?;
            Ok(sums)
        })
    })?;
    Ok(())
}

/// How long a run is, and which can be equal.
struct Runs<'a> {
    substrings: &'a SubstringsConfig,
    across_buckets: bool,
}

impl Runs<'_> {
    /// The words of a document, and the seed of its hashes; none where no run fits or its bucket is
    /// left alone.
    fn of(&self, record: &SignatureRecord<'_>, text: &str) -> Option<(Words, u64)> {
        let bucket = record.bucket();
        let named = self.substrings.buckets.iter().find(|(name, _)| bucket_number(name) == bucket).map(|(_, words)| *words);
        let run = Some(named.unwrap_or(self.substrings.min_words)).filter(|words| *words > 0)?;
        let words = Words::of(text, run);
        let seed = if self.across_buckets { 0 } else { u64::from(bucket) };
        (words.len() >= run).then_some((words, seed))
    }
}

/// Of sorted places those that share their content with another.
fn repeated(entries: &mut dyn Iterator<Item = Result<Entry>>, out: &mut SpillWriter<'_>) -> Result<()> {
    let mut first: Option<(Entry, bool)> = None;
    for entry in entries {
        let entry = entry?;
        match &mut first {
            Some((first, pushed)) if first.content() == entry.content() => {
                if !std::mem::replace(pushed, true) {
                    out.push(first.place())?;
                }
                out.push(entry.place())?;
            }
            _ => first = Some((entry, false)),
        }
    }
    Ok(())
}

/// Of sorted places with the same content all but the first one of the best document.
fn all_but_the_best(set: &SignatureSet, entries: &mut dyn Iterator<Item = Result<Entry>>, out: &mut SpillWriter<'_>) -> Result<()> {
    let mut best: Option<(Entry, Option<Rank<'_>>)> = None;
    for entry in entries {
        let entry = entry?;
        let Some((best, rank)) = best.as_mut().filter(|(best, _)| best.content() == entry.content()) else {
            best = Some((entry, None)); // its rank is looked up once there is another
            continue;
        };
        if best.at() != entry.at() {
            let of_best = match *rank {
                Some(rank) => rank,
                None => set.rank(best.at())?,
            };
            let of_entry = set.rank(entry.at())?;
            *rank = Some(of_best.min(of_entry));
            if of_entry < of_best {
                out.push(std::mem::replace(best, entry).place())?;
                continue;
            }
        }
        out.push(entry.place())?;
    }
    Ok(())
}

/// The places of a part, document by document.
struct Places<I: Iterator<Item = Result<Entry>>>(std::iter::Peekable<I>);

impl<I: Iterator<Item = Result<Entry>>> Places<I> {
    fn new(entries: I) -> Self {
        Self(entries.peekable())
    }

    fn are_left(&mut self) -> bool {
        self.0.peek().is_some()
    }

    /// Those of a document, ascending; documents come in their order.
    fn of(&mut self, index: u32) -> Result<Vec<u32>> {
        let mut starts = Vec::new();
        while let Some(entry) = self.0.next_if(|entry| entry.as_ref().map_or(true, |entry| entry.index <= index)) {
            let entry = entry?;
            if entry.index == index {
                starts.push(entry.start);
            }
        }
        Ok(starts)
    }
}
