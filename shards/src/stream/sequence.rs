//! All shards of a bucket, end to end, as one token sequence.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::packing::{Packed, Packing};
use crate::error::{Error, Result};
use crate::judged::{Judged, JudgedCounts};
use crate::manifest::{Manifest, ShardEntry, Split, TokenizerEntry, open_listed};
use crate::reader::ShardReader;

/// The shards of one bucket and split in manifest order, then those again that are repeated, and so on: copies of a
/// document lie as far from each other as can be. Which document lies in which shard does not show in anything read from
/// here.
#[derive(Debug)]
pub(crate) struct Sequence {
    folder: PathBuf,
    tokenizer: TokenizerEntry,
    shards: Vec<(ShardEntry, OnceLock<ShardReader>)>,
    /// The sequence as shards, a repeated one several times.
    places: Vec<Place>,
    /// Tokens up to and including each place.
    ends: Vec<u64>,
    /// Tokens of copies.
    copies: u64,
    /// As `ends`, in documents.
    document_ends: Vec<u64>,
    /// Rows of whole documents; none where the sequence is cut into windows.
    packing: Option<Packing>,
    /// Judged answers, where these are packed.
    judged: Option<JudgedCounts>,
}

/// A shard in the sequence.
#[derive(Debug, Clone, Copy)]
struct Place {
    shard: usize,
    /// How often the sequence had it before.
    copy: u32,
}

/// Tokens of one document, or the part of it that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Where the part lies in the sequence.
    pub(crate) range: Range<u64>,
    /// Where the document starts in the sequence.
    pub(crate) start: u64,
    /// Parts of `range` that count in the loss; none when all does.
    pub(crate) spans: Option<Vec<Range<u64>>>,
}

/// The document that a token of the sequence belongs to.
#[derive(Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) reader: &'a ShardReader,
    /// Path of the shard in the manifest.
    pub(crate) shard: &'a str,
    /// Number of the document in the shard.
    pub(crate) document: u64,
    /// How often the sequence had the document before.
    pub(crate) copy: u32,
    /// How often it has it in all.
    pub(crate) repeats: u32,
}

impl Sequence {
    pub(crate) fn new(folder: &Path, manifest: &Manifest, bucket: &str, split: Split) -> Self {
        let listed = manifest.shards_of(bucket, split).filter(|entry| entry.tokens > 0);
        let shards: Vec<_> = listed.map(|entry| (entry.clone(), OnceLock::new())).collect();
        let most = shards.iter().map(|(entry, _)| entry.repeats).max().unwrap_or(0);
        let mut places = Vec::new();
        for copy in 0..most {
            let again = shards.iter().enumerate().filter(|(_, (entry, _))| entry.repeats > copy);
            places.extend(again.map(|(shard, _)| Place { shard, copy }));
        }
        let (mut ends, mut document_ends) = (Vec::new(), Vec::new());
        let (mut end, mut documents) = (0, 0);
        for place in &places {
            let (entry, _) = &shards[place.shard];
            end += entry.tokens; // the manifest's check has summed them without overflow
            ends.push(end);
            documents += entry.documents;
            document_ends.push(documents);
        }
        Self {
            folder: folder.to_path_buf(),
            tokenizer: manifest.tokenizer.clone(),
            copies: shards.iter().map(|(entry, _)| entry.copies()).sum(),
            shards,
            places,
            ends,
            document_ends,
            packing: None,
            judged: None,
        }
    }

    /// The same, with whole documents put together into rows of `seq_len`, or each in one of its own.
    /// Reads where the documents of all shards end.
    pub(crate) fn packed(mut self, seq_len: u32, alone: bool) -> Result<Self> {
        let mut lengths = Vec::with_capacity(self.document_ends.last().copied().unwrap_or(0) as usize);
        let mut counts = JudgedCounts::default();
        let (mut with, mut without) = (false, false);
        for index in 0..self.places.len() {
            let shard = self.shard(index)?;
            (with, without) = (with || shard.has_judged(), without || !shard.has_judged());
            for document in 0..shard.len() {
                let tokens = shard.token_range(document)?;
                // Longer ones are too long for any row.
                lengths.push(u32::try_from(tokens.end - tokens.start).unwrap_or(u32::MAX));
                if let Some(judged) = shard.judged(document)? {
                    counts.add(judged);
                }
            }
        }
        if with && without {
            return Err(Error::Stream("a bucket has judged answers and other conversations, which are read in different ways".to_owned()));
        }
        self.judged = with.then_some(counts);
        self.packing = Some(Packing::new(&lengths, seq_len, alone)?);
        Ok(self)
    }

    pub(crate) fn packing(&self) -> Option<&Packing> {
        self.packing.as_ref()
    }

    /// What packing gave; none where the sequence is cut into windows.
    pub(crate) fn packed_rows(&self) -> Option<Packed> {
        self.packing().map(Packing::packed)
    }

    /// Judged answers; none where there are other documents, or where they are cut into windows.
    pub(crate) fn judged(&self) -> Option<JudgedCounts> {
        self.judged
    }

    /// What was said of the answers of a document, counted over all shards.
    pub(crate) fn judged_document(&self, number: u64) -> Result<Option<Judged>> {
        let index = self.document_ends.partition_point(|&end| end <= number);
        let before = if index == 0 { 0 } else { self.document_ends[index - 1] };
        if index == self.places.len() { Ok(None) } else { self.shard(index)?.judged(number - before) }
    }

    /// Where a document lies in the sequence; documents are counted over all shards.
    pub(crate) fn document(&self, number: u64) -> Result<Range<u64>> {
        let index = self.document_ends.partition_point(|&end| end <= number);
        if index == self.places.len() {
            return Err(Error::Stream(format!("document {number} of {}", self.document_ends.last().copied().unwrap_or(0))));
        }
        let before = |ends: &[u64]| if index == 0 { 0 } else { ends[index - 1] };
        let range = self.shard(index)?.token_range(number - before(&self.document_ends))?;
        let base = before(&self.ends);
        Ok(base + range.start..base + range.end)
    }

    /// Tokens in the sequence.
    pub(crate) fn tokens(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Of these, those of copies, which are the last ones.
    pub(crate) fn copies(&self) -> u64 {
        self.copies
    }

    /// Rows of `seq_len` targets: windows, the last one perhaps short, or packed ones.
    pub(crate) fn windows(&self, seq_len: u32) -> u64 {
        self.packed_rows().map_or_else(|| self.tokens().div_ceil(u64::from(seq_len)), |packed| packed.rows)
    }

    /// Those of them that come in any order: all but a short window, which is the last of an epoch.
    pub(crate) fn shuffled(&self, seq_len: u32) -> u64 {
        self.packed_rows().map_or_else(|| self.tokens() / u64::from(seq_len), |packed| packed.rows)
    }

    /// The shard at a place of the sequence.
    fn shard(&self, index: usize) -> Result<&ShardReader> {
        self.open(self.places[index].shard)
    }

    fn open(&self, shard: usize) -> Result<&ShardReader> {
        let (entry, reader) = &self.shards[shard];
        if let Some(reader) = reader.get() {
            return Ok(reader);
        }
        let opened = open_listed(&self.folder, &self.tokenizer, entry)?;
        Ok(reader.get_or_init(|| opened))
    }

    /// Opens every shard and checks every byte of it.
    pub(crate) fn verify(&self) -> Result<()> {
        (0..self.shards.len()).try_for_each(|shard| self.open(shard)?.verify())
    }

    /// Where token `at` of the sequence, which it has, comes from.
    pub(crate) fn origin(&self, at: u64) -> Result<Origin<'_>> {
        let index = self.ends.partition_point(|&end| end <= at);
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        let reader = self.shard(index)?;
        let Place { shard, copy } = self.places[index];
        let ShardEntry { path, repeats, .. } = &self.shards[shard].0;
        Ok(Origin { reader, shard: path, document: reader.document_of(at - start)?, copy, repeats: *repeats })
    }

    /// Calls `visit` with each shard's part of `range`: the shard, its start in the sequence, and
    /// the part in the shard's own counting.
    fn parts(&self, range: Range<u64>, mut visit: impl FnMut(&ShardReader, u64, Range<u64>) -> Result<()>) -> Result<()> {
        let mut at = range.start;
        let mut index = self.ends.partition_point(|&end| end <= at);
        while at < range.end && index < self.ends.len() {
            let start = if index == 0 { 0 } else { self.ends[index - 1] };
            let end = range.end.min(self.ends[index]);
            visit(self.shard(index)?, start, at - start..end - start)?;
            at = end;
            index += 1;
        }
        Ok(())
    }

    /// Appends the ids of `range`, which lies inside the sequence.
    pub(crate) fn read(&self, range: Range<u64>, out: &mut Vec<u32>) -> Result<()> {
        self.parts(range, |shard, _, part| shard.tokens(part, out))
    }

    /// The documents, or parts of documents, that make up `range`, in order.
    pub(crate) fn pieces(&self, range: Range<u64>) -> Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        self.parts(range, |shard, base, part| {
            let mut document = shard.document_of(part.start)?;
            let mut at = part.start;
            while at < part.end {
                let tokens = shard.token_range(document)?;
                let end = tokens.end.min(part.end);
                let spans = shard.loss_spans(document)?.map(|spans| {
                    let cut = |span: Range<u32>| {
                        let from = (tokens.start + u64::from(span.start)).max(at);
                        let to = (tokens.start + u64::from(span.end)).min(end);
                        base + from..base + to
                    };
                    let parts = spans.into_iter().map(cut);
                    parts.filter(|span| span.start < span.end).collect()
                });
                pieces.push(Piece { range: base + at..base + end, start: base + tokens.start, spans });
                at = end;
                document += 1;
            }
            Ok(())
        })?;
        Ok(pieces)
    }
}
