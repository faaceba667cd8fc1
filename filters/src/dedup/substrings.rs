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
//!    the best are sent back, each with the document that has the best;
//! 3. each document's runs are joined, snapped and written as one [`Passages`].
//!
//! Documents of other runs are better than all of this one; they lose nothing.
//!
//! Texts are read three times and never held together; memory is a share of `memory` for each thread
//! and the words of one text.

mod cut;
mod places;
mod words;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use corpora::JsonlWriter;
use serde::{Deserialize, Serialize};

use self::cut::{cut, joined};
use self::places::{Place, Places, all_but_the_best, repeated};
use self::words::Words;
use super::bucket_number;
use super::config::{DedupConfig, SubstringsConfig};
use super::entry::Entry;
use super::error::Result;
use super::set::{Address, PartSignatures, SignatureSet};
use super::shuffle::{Shuffle, Texts, sorted, without};
use super::signature_file::SignatureRecord;
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
    /// What of it stands where; in the order of the text. Two can overlap.
    #[serde(default)]
    pub elsewhere: Vec<Elsewhere>,
}

/// A passage, and the document that has it too: the best of all that have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Elsewhere {
    /// Its first byte in the text that lost it.
    pub start: u32,
    /// The byte after its last one.
    pub end: u32,
    /// Its words.
    pub words: u64,
    /// Id of the document that has it too: the same one, where it repeats itself. Ids of a source can repeat;
    /// part and row are exact.
    pub of: String,
    /// The part of that document.
    pub of_part: String,
    /// Its row in that part.
    pub of_row: u64,
    /// The run that it is of, if another one: one of `dedup.against`.
    #[serde(with = "corpora::columns::or_empty")]
    pub of_run: Option<String>,
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
/// As [`super::run_lines`], after which it comes: `texts` are without the lines that were removed. It is
/// asked for the texts of other runs too, which are there already; those lose nothing.
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
    let set = sorted(parts.iter(), config)?;
    let runs = Runs { substrings, across_buckets: config.across_buckets };
    let shuffle = Shuffle::new(&set, config, work_dir, cancel, progress, (2, 2))?;
    [summary.excerpted, summary.words, summary.word_bytes] = shuffle.install(|| {
        let anchors = shuffle.scatter("anchors", |part, out| {
            shuffle.texts(part, texts, |index, record, text| {
                let Some((words, seed)) = runs.of(record, text) else { return Ok(()) };
                words.anchors().iter().try_for_each(|at| out.push(Entry::new(words.anchor_hash(*at, seed), part, index, *at, 0)))
            })
        })?;
        let twice = shuffle.reduce("repeated", |partition, out| repeated(&set, &mut shuffle.merged(&anchors, partition)?, out))?;
        drop(anchors);
        let runs_met = shuffle.scatter("runs", |part, out| {
            let mut places = Places::new(shuffle.merged(&twice, part)?);
            if !places.are_left() {
                return Ok(());
            }
            shuffle.texts(part, texts, |index, record, text| {
                let places = places.of(index)?;
                let Some((words, seed)) = runs.of(record, text).filter(|_| !places.is_empty()) else { return Ok(()) };
                let met = words.runs().filter(|(_, anchor)| places.binary_search_by_key(anchor, |place| place.start).is_ok());
                met.into_iter().try_for_each(|(at, _)| out.push(Entry::new(words.run_hash(at, seed), part, index, at, 0)))
            })
        })?;
        drop(twice);
        let removed = shuffle.reduce("cut", |partition, out| {
            let open = || shuffle.merged(&runs_met, partition);
            all_but_the_best(&set, &mut open()?, &mut open()?, out)
        })?;
        drop(runs_met);
        shuffle.apply(&removed, |part, entries| {
            let mut writer = JsonlWriter::create(&shuffle.ledger(part, out_dir)?)?;
            let mut places = Places::new(entries);
            let mut sums = [0; 3];
            if places.are_left() {
                shuffle.texts(part, texts, |index, record, text| {
                    let places = places.of(index)?;
                    let Some((words, _)) = runs.of(record, text).filter(|_| !places.is_empty()) else { return Ok(()) };
                    let (cut, lost) = cut(text, &words, &joined(places.iter().map(|place| place.start), words.run()), substrings.snap);
                    if cut.is_empty() {
                        return Ok(());
                    }
                    let bytes = cut.iter().map(|(start, end)| u64::from(end - start)).sum();
                    sums = [sums[0] + 1, sums[1] + lost, sums[2] + bytes];
                    let elsewhere = elsewhere(&set, &words, &places, &cut)?;
                    Ok(writer.push(&Passages { row: record.row(), id: record.id()?.to_owned(), words: lost, bytes, cut, elsewhere })?)
                })?;
            }
            writer.finish()?;
            Ok(sums)
        })
    })?;
    Ok(())
}

/// What of a document's passages stands where; nothing of what `cut` leaves alone.
fn elsewhere(set: &SignatureSet, words: &Words, places: &[Place], cut: &[(u32, u32)]) -> Result<Vec<Elsewhere>> {
    let mut passages: Vec<(usize, usize, Address)> = Vec::new();
    for place in places {
        let start = place.start as usize;
        match passages.last_mut() {
            Some((_, end, of)) if *of == place.of && *end + 1 == start + words.run() => *end += 1,
            _ => passages.push((start, start + words.run(), place.of)),
        }
    }
    let mut out = Vec::new();
    for (first, end, of) in passages {
        let (start, after) = (words.place(first).0 as u32, words.place(end - 1).1 as u32);
        if cut.iter().any(|cut| cut.0 < after && start < cut.1) {
            let record = set.record(of)?;
            out.push(Elsewhere {
                start,
                end: after,
                words: (end - first) as u64,
                of: record.id()?.to_owned(),
                of_part: set.name(of.part()).to_owned(),
                of_row: record.row(),
                of_run: set.run(of.part()).map(str::to_owned),
            });
        }
    }
    Ok(out)
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
