//! `clean`: a part of the input → kept documents, rejects, signatures and statistics.
//!
//! Records stream through in chunks: read in file order, filtered and signed in parallel, written
//! in file order again. So the bytes are the same whatever the number of threads. One thread writes a
//! chunk and reads the one after the next while the others judge the next, so that memory is three
//! chunks for each part in work.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use corpora::table::{Outcome, StatsRow, StatsWriter};
use corpora::{Document, JsonlWriter, Part, Source};
use filters::dedup::{DedupConfig, Signature, SignatureWriter, Signer, bucket_number};
use filters::{Chain, Finding, Metrics, Reason, Verdict};
use rayon::prelude::*;

use crate::error::{Context, Error, Result};
use crate::layout;
use crate::record::{Contamination, FINDINGS, Kept, PartStats, Rejected};
use crate::report::Progress;

/// A chunk ends at this many records or bytes of text for each thread that its part has, whichever comes first: what was
/// read is still in a cache when it is judged and written.
const CHUNK_RECORDS: usize = 1024;
const CHUNK_BYTES: usize = 1 << 20;
/// Most threads for which a chunk grows.
const LARGEST_CHUNK: usize = 8;
/// Of long documents a chunk has this many for each thread, if they are not more than the largest chunk's bytes.
const LONG_RECORDS: usize = 2;
/// Documents that a thread judges before another may take the rest from it: few, as some are a hundred times as long
/// as others, and all threads wait for the last of a chunk.
const AT_ONCE: usize = 4;

/// What cleaning a part needs to know; the same for every part of a source.
pub(crate) struct Cleaner<'a> {
    source: &'a Source,
    bucket_number: u32,
    chain: &'a Chain,
    signer: Signer,
    dedup: &'a DedupConfig,
    /// Threads for each part in work.
    shares: usize,
}

/// What became of one record.
enum Outgoing {
    Unreadable { message: String, breaks_off: bool },
    Dropped { document: Document, bytes: u64, metrics: Metrics, reason: Reason },
    Kept { document: Document, bytes: u64, metrics: Metrics, signature: Signature },
}

impl<'a> Cleaner<'a> {
    /// A cleaner of one source, of which each part has so many threads; the filters are shared, since some hold large tables.
    pub(crate) fn new(source: &'a Source, chain: &'a Chain, dedup: &'a DedupConfig, threads: usize) -> Self {
        let shares = threads.clamp(1, LARGEST_CHUNK);
        Self { source, bucket_number: bucket_number(&source.bucket), chain, signer: Signer::new(dedup), dedup, shares }
    }

    /// Cleans one part into the run folder; gives its counts and the files written.
    pub(crate) fn clean(&self, folder: &Path, part: &Part, cancel: &AtomicBool, progress: &Progress) -> Result<(PartStats, Vec<String>)> {
        let mut writers = Writers::create(folder, part, self)?;
        let mut stats = PartStats {
            part: part.name.clone(),
            source: self.source.name.clone(),
            bucket: self.source.bucket.clone(),
            contamination: self.looked_for(),
            ..PartStats::default()
        };
        let read = Arc::new(AtomicU64::new(0));
        let mut records = corpora::read_counted(part, self.source, Arc::clone(&read));
        let mut row = 0;
        let mut reported = 0;
        let (mut chunk, mut judged) = (take_chunk(&mut records, self.shares)?, Vec::new());
        while !(chunk.is_empty() && judged.is_empty()) {
            super::check(cancel)?;
            let write_and_read = || {
                for record in std::mem::take(&mut judged) {
                    writers.write(row, record, self.bucket_number, self.source.priority, self.dedup, &mut stats)?;
                    row += 1;
                }
                take_chunk(&mut records, self.shares)
            };
            let (next, outgoing) =
                rayon::join(write_and_read, || chunk.into_par_iter().with_max_len(AT_ONCE).map(|record| self.judge(record)).collect());
            (chunk, judged) = (next?, outgoing);
            // A file is read a little beyond the part; the bar must not pass the part's size.
            let shown = read.load(Ordering::Relaxed).min(part.bytes);
            progress.add(shown - reported);
            reported = shown;
        }
        progress.add(part.bytes - reported);
        let mut files = writers.finish()?;
        let file = layout::stats(&part.name);
        layout::write_json(folder, &file, &stats)?;
        files.push(file);
        Ok((stats, files))
    }

    /// The evaluation sets that the filters look for in this source, with nothing found yet.
    fn looked_for(&self) -> BTreeMap<String, Contamination> {
        let mut sets: BTreeMap<String, Contamination> = BTreeMap::new();
        for set in self.chain.eval_sets(&self.source.bucket) {
            let entry = sets.entry(set.name.clone()).or_default();
            entry.items = entry.items.max(set.items);
            entry.searchable = entry.searchable.max(set.searchable);
        }
        sets
    }

    fn judge(&self, record: Result<Document, corpora::Error>) -> Outgoing {
        let mut document = match record {
            Ok(document) => document,
            Err(error) => return Outgoing::Unreadable { message: error.to_string(), breaks_off: error.loses_more_than_a_record() },
        };
        let bytes = document.text.len() as u64;
        match self.chain.apply(&mut document) {
            (Verdict::Drop(reason), metrics) => Outgoing::Dropped { document, bytes, metrics, reason },
            (Verdict::Keep, metrics) => {
                let signature = self.signer.sign(&document);
                Outgoing::Kept { document, bytes, metrics, signature }
            }
        }
    }
}

type Record = Result<Document, corpora::Error>;

/// A disk that does not answer or a file that cannot be opened ends the stage: to go on would be to
/// leave out a part of the corpus for good because of a passing fault.
fn take_chunk(records: &mut (dyn Iterator<Item = Record> + Send), shares: usize) -> Result<Vec<Record>> {
    let mut chunk = Vec::new();
    let mut bytes = 0;
    let goes_on = |count: usize, bytes: usize| {
        let is_short = count < LONG_RECORDS * shares && bytes < CHUNK_BYTES * LARGEST_CHUNK;
        is_short || count < CHUNK_RECORDS * shares && bytes < CHUNK_BYTES * shares
    };
    while goes_on(chunk.len(), bytes) {
        let Some(record) = records.next() else { break };
        if let Err(error @ corpora::Error::Io { .. }) = record {
            return Err(Error::new(error).hint("make the file readable, then run the same command again"));
        }
        bytes += record.as_ref().map_or(0, |document| document.size());
        chunk.push(record);
    }
    Ok(chunk)
}

struct Writers {
    documents: JsonlWriter<Kept>,
    rejects: JsonlWriter<Rejected>,
    signatures: SignatureWriter,
    table: StatsWriter,
    files: Vec<String>,
}

impl Writers {
    fn create(folder: &Path, part: &Part, cleaner: &Cleaner<'_>) -> Result<Self> {
        let files = [layout::documents, layout::rejects, layout::signatures, layout::table].map(|name| name(&part.name));
        let [documents, rejects, signatures, table] = &files;
        Ok(Self {
            documents: JsonlWriter::create(&layout::prepare(folder, documents)?)?,
            rejects: JsonlWriter::create(&layout::prepare(folder, rejects)?)?,
            signatures: SignatureWriter::create(&layout::prepare(folder, signatures)?, cleaner.dedup)
                .context(|| format!("cannot write {signatures}"))?,
            table: StatsWriter::create(
                &layout::prepare(folder, table)?,
                &cleaner.chain.metric_names().into_iter().map(column).collect::<Vec<_>>(),
            )?,
            files: files.to_vec(),
        })
    }

    fn write(&mut self, row: u64, record: Outgoing, bucket: u32, priority: u32, dedup: &DedupConfig, stats: &mut PartStats) -> Result<()> {
        stats.input.documents += 1;
        match record {
            Outgoing::Unreadable { message: unreadable, breaks_off } => {
                stats.unreadable += 1;
                stats.broken += u64::from(breaks_off);
                self.table.push(&StatsRow { outcome: Outcome::Unreadable, ..empty_row(row, stats) })?;
                self.rejects.push(&Rejected::unreadable(row, unreadable, stats.source.clone(), stats.bucket.clone()))?;
            }
            Outgoing::Dropped { document, bytes, metrics, reason } => {
                stats.input.bytes += bytes;
                stats.rejected.entry(reason.rule.clone()).or_default().add(bytes);
                let findings = tell(&metrics, stats);
                let metrics = named(&metrics);
                self.table.push(&StatsRow {
                    id: &document.id,
                    outcome: Outcome::Rejected,
                    rule: Some(&reason.rule),
                    value: Some(reason.value),
                    threshold: Some(reason.threshold),
                    bytes,
                    chars: document.text.chars().count() as u64,
                    lang: document.lang.as_deref(),
                    metrics: &columns(&metrics),
                    ..empty_row(row, stats)
                })?;
                let why = reason.to_string();
                let Document { id, text, turns, judged, lang, url, meta, .. } = document;
                let (source, bucket) = (stats.source.clone(), stats.bucket.clone());
                self.rejects.push(&Rejected {
                    row,
                    reason,
                    why,
                    id,
                    text,
                    turns,
                    judged,
                    source,
                    bucket,
                    lang,
                    url,
                    meta,
                    metrics,
                    findings,
                })?;
            }
            Outgoing::Kept { document, bytes, metrics, signature } => {
                stats.input.bytes += bytes;
                stats.kept.add(bytes);
                let text_bytes = document.text.len() as u64;
                stats.text_bytes += text_bytes;
                let findings = tell(&metrics, stats);
                let metrics = named(&metrics);
                // A document that lacks the metric comes last, after those with the lowest value.
                let quality = dedup.prefer.as_ref().map_or(0.0, |name| metrics.get(name).copied().unwrap_or(f64::NAN));
                self.table.push(&StatsRow {
                    id: &document.id,
                    outcome: Outcome::Kept,
                    bytes,
                    chars: document.text.chars().count() as u64,
                    lang: document.lang.as_deref(),
                    metrics: &columns(&metrics),
                    ..empty_row(row, stats)
                })?;
                self.signatures
                    .push(row, priority, quality as f32, text_bytes, &document.id, bucket, &signature)
                    .context(|| "cannot write signatures".to_owned())?;
                let Document { id, text, turns, judged, lang, url, meta, .. } = document;
                let (source, bucket) = (stats.source.clone(), stats.bucket.clone());
                self.documents.push(&Kept { row, id, text, turns, judged, source, bucket, lang, url, meta, metrics, findings })?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<String>> {
        self.documents.finish()?;
        self.rejects.finish()?;
        self.signatures.finish().context(|| "cannot write signatures".to_owned())?;
        self.table.finish()?;
        Ok(self.files)
    }
}

/// Counts the items of evaluation sets that a document holds; gives those that its record names.
fn tell(metrics: &Metrics, stats: &mut PartStats) -> Vec<Finding> {
    let findings = metrics.findings();
    for (number, finding) in findings.iter().enumerate() {
        let set = stats.contamination.entry(finding.set.clone()).or_default();
        set.documents += u64::from(findings[..number].iter().all(|earlier| earlier.set != finding.set));
        *set.found.entry(finding.item.clone()).or_default() += 1;
    }
    findings.iter().take(FINDINGS).cloned().collect()
}

fn empty_row<'a>(row: u64, stats: &'a PartStats) -> StatsRow<'a> {
    static NO_METRICS: BTreeMap<String, f64> = BTreeMap::new();
    StatsRow {
        row,
        id: "",
        source: &stats.source,
        bucket: &stats.bucket,
        outcome: Outcome::Unreadable,
        rule: None,
        value: None,
        threshold: None,
        bytes: 0,
        chars: 0,
        lang: None,
        metrics: &NO_METRICS,
    }
}

/// A metric's column in the table, apart from the fixed ones: `length` measures `chars` too.
fn column(metric: &str) -> String {
    format!("metrics.{metric}")
}

fn columns(metrics: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    metrics.iter().map(|(name, value)| (column(name), *value)).collect()
}

fn named(metrics: &Metrics) -> BTreeMap<String, f64> {
    metrics.iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fails_ends_the_part_and_a_bad_record_does_not() {
        let failing = |record: fn() -> corpora::Error| {
            let mut records = std::iter::once_with(move || Err(record()));
            take_chunk(&mut records, 1).map(|chunk| chunk.len())
        };
        let unreadable = || corpora::Error::Io { operation: "read", path: "a.jsonl".into(), source: std::io::Error::other("gone") };
        let error = failing(unreadable).unwrap_err().to_string();
        assert!(error.starts_with("error: cannot read a.jsonl: gone\nhint: "), "{error}");
        assert_eq!(failing(|| corpora::Error::Format { path: "a".into(), detail: "not JSON".into() }).unwrap(), 1);
    }
}
