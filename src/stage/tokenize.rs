//! `tokenize`: the kept documents of a part, less its duplicates → token shards.

mod classes;

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use corpora::{JsonlReader, Part};
use rayon::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shards::{
    ChatEncoder, Compression, Conversation, Judged, Lost, Rehydrate, ShardEntry, ShardMeta, ShardWriter, Split, TokenizedDocument,
    Tokenizer,
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(crate) use classes::{Clusters, Files};

use crate::error::{Context, Error, Result};
use crate::inspect::{ID, excerpt};
use crate::record::{Count, Duplicate, KeptText, Passages, Trimmed};
use crate::report::Progress;
use crate::{chat, layout};

/// Documents encoded at a time.
const CHUNK_RECORDS: usize = 1024;
const CHUNK_BYTES: usize = 4 << 20;

/// The splits of a bucket, in the order in which a part lists them.
pub(crate) const SPLITS: [Split; 2] = [Split::Train, Split::HeldOut];

/// What `tokenize` left of a part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PartShards {
    pub(crate) part: String,
    pub(crate) bucket: String,
    /// Kept documents that were duplicates and so were not encoded, by kind.
    pub(crate) duplicates: BTreeMap<String, Count>,
    /// Encoded documents that lost lines, and the bytes of these lines.
    #[serde(default)]
    pub(crate) trimmed: Count,
    /// Encoded documents that lost passages, and the bytes of these.
    #[serde(default)]
    pub(crate) excerpted: Count,
    /// Encoded documents and their bytes.
    pub(crate) encoded: Count,
    /// Characters of the encoded documents.
    pub(crate) chars: u64,
    /// Their words, stretches without white space; none in imports, and in runs of before they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) words: Option<u64>,
    /// Tokens that are a part of a character; none as for words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) partial_tokens: Option<u64>,
    /// What the tokenizer could not write of them; of conversations and imports unknown tokens alone. None in runs of
    /// before it was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<Lost>,
    /// What of it is conversations; none where the source has plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chat: Option<Chat>,
    /// Shards as [`Files`] lists them. The manifest will say how often they are repeated.
    pub(crate) shards: Vec<ShardEntry>,
    /// For each shard, how many documents one of its documents stands for at least; empty where that is not told apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) clusters: Vec<u64>,
}

/// Counts of conversations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Chat {
    /// Tokens that count in the loss.
    pub(crate) learned_tokens: u64,
    /// Conversations with a token cut where an answer begins or ends, see [`Conversation::whole`].
    pub(crate) cut: u64,
}

impl PartShards {
    /// Duplicates of every kind together.
    pub(crate) fn duplicate(&self) -> Count {
        total(&self.duplicates)
    }

    /// The shards, each with how many documents one of its documents stands for at least.
    pub(crate) fn classes(&self) -> impl Iterator<Item = (u64, &ShardEntry)> {
        self.shards.iter().enumerate().map(|(index, shard)| (self.clusters.get(index).copied().unwrap_or(1), shard))
    }
}

fn total(counts: &BTreeMap<String, Count>) -> Count {
    let mut all = Count::default();
    counts.values().for_each(|count| all.merge(*count));
    all
}

/// What encoding a part needs to know; the same for every part.
pub(crate) struct Encoder<'a> {
    pub(crate) tokenizer: &'a Tokenizer,
    /// Writes out conversations; none where no source has any.
    pub(crate) chat: Option<&'a ChatEncoder<'a>>,
    /// Share of documents held out, chosen by a hash of the id, so independent of parts and order.
    pub(crate) held_out: f64,
    pub(crate) seed: u64,
    /// How tokens lie in the shards.
    pub(crate) compression: Compression,
    /// Buckets whose documents are told apart by the clusters that they stand for.
    pub(crate) rehydrate: &'a BTreeMap<String, Rehydrate>,
}

impl Encoder<'_> {
    /// Encodes one part into the run folder; gives what it left and the files written.
    pub(crate) fn tokenize(
        &self,
        folder: &Path,
        part: &Part,
        source: &corpora::Source,
        cancel: &AtomicBool,
        progress: &Progress,
    ) -> Result<(PartShards, Vec<String>)> {
        let bucket = source.bucket.as_str();
        let chat = self.chat.filter(|_| source.is_chat());
        let targets = Files::new(bucket, &part.name, self.rehydrate.get(bucket));
        targets.remove_others(folder, bucket, &part.name)?;
        let mut clusters = targets.tells_apart().then(|| Clusters::open(folder, &part.name)).transpose()?;
        let mut writers = Vec::new();
        for name in &targets.names {
            let judged = source.preference.is_some();
            let meta = ShardMeta { loss: chat.is_some(), judged, compression: self.compression, ..ShardMeta::new(bucket, self.tokenizer) };
            writers.push(ShardWriter::create(&layout::prepare(folder, name)?, meta)?);
        }
        let mut unique = Unique::open(folder, &part.name)?;
        let mut encoded = Count::default();
        let mut chars = 0;
        let (mut words, mut partial_tokens, mut lost) = (0, 0, Lost::default());
        let partial: Vec<bool> = (0..self.tokenizer.vocab_size()).map(|id| self.tokenizer.is_partial(id)).collect();
        let mut counts = Chat::default();
        loop {
            super::check(cancel)?;
            let chunk = unique.chunk()?;
            if chunk.is_empty() {
                break;
            }
            let all = match chat {
                Some(chat) => conversations(chat, &part.name, &chunk)?,
                None => {
                    let texts: Vec<&str> = chunk.iter().map(|document| document.text.as_str()).collect();
                    let tokens = self.tokenizer.encode_batch(&texts).context(|| format!("cannot encode a document of {}", part.name))?;
                    let plain = |tokens| (Conversation { tokens, learned: Vec::new(), whole: true }, None);
                    tokens.into_iter().map(plain).collect()
                }
            };
            for (document, (Conversation { tokens, learned, whole }, judged)) in chunk.iter().zip(&all) {
                let text_bytes = document.text.len() as u64;
                encoded.add(text_bytes);
                chars += document.text.chars().count() as u64;
                words += document.text.split_whitespace().count() as u64;
                partial_tokens += tokens.iter().filter(|&&id| partial.get(id as usize) == Some(&true)).count() as u64;
                lost.add(self.tokenizer.lost(if chat.is_some() { "" } else { &document.text }, tokens));
                progress.add(text_bytes);
                let documents = clusters.as_mut().map_or(Ok(1), |clusters| clusters.of(document.row))?;
                let shard = targets.of(self.is_held_out(&document.id), documents);
                let tokenized = TokenizedDocument {
                    id: &document.id,
                    source: &source.name,
                    text_bytes,
                    tokens,
                    content_hash: Some(document.content_hash()?),
                };
                if chat.is_some() {
                    counts.learned_tokens += learned.iter().map(|span| u64::from(span.end - span.start)).sum::<u64>();
                    counts.cut += u64::from(!whole);
                    match judged {
                        Some(judged) => writers[shard].push_judged(tokenized, learned, *judged)?,
                        None => writers[shard].push_with_loss(tokenized, learned)?,
                    }
                } else {
                    writers[shard].push(tokenized)?;
                }
            }
        }
        progress.add(total(&unique.duplicates).bytes + unique.trimmed.bytes + unique.excerpted.bytes);
        let mut shards = Vec::new();
        for ((writer, path), split) in writers.into_iter().zip(&targets.names).zip(&targets.splits) {
            shards.push(ShardEntry::new(path.as_str(), *split, &writer.finish()?));
        }
        let left = PartShards {
            part: part.name.clone(),
            bucket: bucket.to_owned(),
            duplicates: unique.duplicates,
            trimmed: unique.trimmed,
            excerpted: unique.excerpted,
            encoded,
            chars,
            words: Some(words),
            partial_tokens: Some(partial_tokens),
            lost: Some(lost),
            chat: chat.map(|_| counts),
            shards,
            clusters: targets.clusters,
        };
        let file = layout::shard_info(bucket, &part.name);
        layout::write_json(folder, &file, &left)?;
        Ok((left, targets.names.into_iter().chain([file]).collect()))
    }

    /// Whether a document is never trained on.
    pub(crate) fn is_held_out(&self, id: &str) -> bool {
        split(id, self.seed, self.held_out) == Split::HeldOut
    }
}

/// Where a document goes, of which this share is held out: by a hash of its id.
pub(crate) fn split(id: &str, seed: u64, held_out: f64) -> Split {
    // 53 bits: what a float holds exactly.
    let draw = (xxh3_64_with_seed(id.as_bytes(), seed) >> 11) as f64 / (1u64 << 53) as f64;
    if draw < held_out { Split::HeldOut } else { Split::Train }
}

/// A document's tokens, and what was said of its answers.
type Encoded = (Conversation, Option<Judged>);

/// Encodes conversations on all threads; the first that cannot be, in their order, is the error.
fn conversations(chat: &ChatEncoder<'_>, part: &str, chunk: &[KeptText]) -> Result<Vec<Encoded>> {
    let encoded: Vec<_> = chunk.par_iter().map(|document| chat::encode(chat, &document.turns, document.judged)).collect();
    let named = |(document, result): (&KeptText, Result<Encoded, shards::Error>)| {
        result.map_err(|error| {
            let id = excerpt(&document.id, ID);
            Error::new(format!("{part}: row {}, document `{id}`: {error}", document.row))
                .hint("`malmoi preview` shows what is learned; repair the row or take it out, or set another `chat.template`")
        })
    };
    chunk.iter().zip(encoded).map(named).collect()
}

/// The kinds of documents that are left out because nothing is left of them: all their lines stand in
/// many documents, or all their passages in others.
pub(crate) const EMPTIED: [&str; 2] = ["lines", "substrings"];

/// The kept documents of a part that are no duplicates, in row order, without the lines and passages
/// that they lost.
pub(crate) struct Unique {
    documents: JsonlReader<KeptText>,
    duplicates_rows: Peekable<JsonlReader<Duplicate>>,
    trimmed_rows: Option<Peekable<JsonlReader<Trimmed>>>,
    passages_rows: Option<Peekable<JsonlReader<Passages>>>,
    /// Rows passed over so far because nothing is left of them, with their kind of [`EMPTIED`].
    pub(crate) emptied: BTreeMap<u64, &'static str>,
    /// Duplicates passed over so far, by kind.
    pub(crate) duplicates: BTreeMap<String, Count>,
    /// Documents given out so far that lost lines, and the bytes of these.
    pub(crate) trimmed: Count,
    /// Documents given out so far that lost passages, and the bytes of these.
    pub(crate) excerpted: Count,
}

impl Unique {
    pub(crate) fn open(folder: &Path, part: &str) -> Result<Self> {
        Ok(Self { passages_rows: rows(&folder.join(layout::passages(part)))?, ..Self::trimmed(folder, part)? })
    }

    /// With all their passages.
    pub(crate) fn trimmed(folder: &Path, part: &str) -> Result<Self> {
        Ok(Self { trimmed_rows: rows(&folder.join(layout::trimmed(part)))?, ..Self::untrimmed(folder, part)? })
    }

    /// With all their lines and passages.
    pub(crate) fn untrimmed(folder: &Path, part: &str) -> Result<Self> {
        Ok(Self {
            documents: JsonlReader::open(&folder.join(layout::documents(part)))?,
            duplicates_rows: JsonlReader::open(&folder.join(layout::duplicates(part)))?.peekable(),
            trimmed_rows: None,
            passages_rows: None,
            emptied: BTreeMap::new(),
            duplicates: BTreeMap::new(),
            trimmed: Count::default(),
            excerpted: Count::default(),
        })
    }

    fn step(&mut self) -> Result<Option<KeptText>> {
        for document in self.documents.by_ref() {
            let mut document = document?;
            let duplicate = row_of(Some(&mut self.duplicates_rows), document.row, |duplicate| duplicate.row)?;
            if let Some(duplicate) = duplicate {
                self.duplicates.entry(duplicate.kind.to_string()).or_default().add(document.text.len() as u64);
                continue;
            }
            let whole = document.text.len() as u64;
            let trimmed = row_of(self.trimmed_rows.as_mut(), document.row, |trimmed| trimmed.row)?;
            if let Some(trimmed) = &trimmed {
                document.text = trimmed.apply(&document.text).ok_or_else(|| stale(document.row, layout::LINES))?;
            }
            let passages = row_of(self.passages_rows.as_mut(), document.row, |passages| passages.row)?;
            if let Some(passages) = &passages {
                document.text = passages.apply(&document.text).ok_or_else(|| stale(document.row, layout::SUBSTRINGS))?;
            }
            if (trimmed.is_some() || passages.is_some()) && document.text.trim().is_empty() {
                let kind = EMPTIED[usize::from(passages.is_some())];
                self.emptied.insert(document.row, kind);
                self.duplicates.entry(kind.to_owned()).or_default().add(whole);
                continue;
            }
            trimmed.iter().for_each(|trimmed| self.trimmed.add(trimmed.bytes));
            passages.iter().for_each(|passages| self.excerpted.add(passages.bytes));
            return Ok(Some(document));
        }
        Ok(None)
    }

    fn chunk(&mut self) -> Result<Vec<KeptText>> {
        let mut chunk = Vec::new();
        let mut bytes = 0;
        while chunk.len() < CHUNK_RECORDS && bytes < CHUNK_BYTES {
            let Some(document) = self.step()? else { break };
            bytes += document.text.len();
            chunk.push(document);
        }
        Ok(chunk)
    }
}

/// The ledger at this path, where there is one.
fn rows<T: DeserializeOwned>(path: &Path) -> Result<Option<Peekable<JsonlReader<T>>>> {
    if path.exists() { Ok(Some(JsonlReader::open(path)?.peekable())) } else { Ok(None) }
}

/// A row whose text is not the one that a ledger is about.
fn stale(row: u64, ledger: &str) -> Error {
    Error::new(format!("row {row} has no such text as `{ledger}/` lists for it")).hint(format!("remove `{ledger}/` and run again"))
}

/// The line about this row, if the next one is.
fn row_of<T: DeserializeOwned>(lines: Option<&mut Peekable<JsonlReader<T>>>, row: u64, row_of: impl Fn(&T) -> u64) -> Result<Option<T>> {
    let Some(lines) = lines else { return Ok(None) };
    match lines.peek() {
        Some(Ok(line)) if row_of(line) > row => Ok(None),
        Some(Ok(line)) if row_of(line) < row => {
            Err(Error::new(format!("row {} is listed as a duplicate but is not among the kept documents", row_of(line)))
                .hint("the run folder was changed by hand; remove `duplicates/` and run again"))
        }
        _ => Ok(lines.next().transpose()?),
    }
}

impl Iterator for Unique {
    type Item = Result<KeptText>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
