//! manifest.json: the shards of a run, and everything a loader must know before it opens one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::header::Header;
use crate::info::ShardInfo;
use crate::mixture::{MAX_REPEATS, Supply};
use crate::reader::ShardReader;
use crate::tokenizer::Tokenizer;

/// The manifest format written and read here.
pub const MANIFEST_VERSION: u32 = 1;

/// Longest manifest read, about a million shards.
const LIMIT: u64 = 1 << 30;

/// What a shard is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// Trained on.
    Train,
    /// Never trained on; bits per byte are measured on it.
    HeldOut,
}

/// The tokenizer all shards were made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TokenizerEntry {
    /// `huggingface`, `sentencepiece` or `bytes`.
    pub kind: String,
    /// See [`Tokenizer::fingerprint`].
    pub fingerprint: Digest,
    /// Ids are below this.
    pub vocab_size: u32,
    /// Id of the end token.
    pub eos: u32,
    /// Name of the end token, to load the tokenizer with the same one again.
    pub eos_token: String,
}

impl TokenizerEntry {
    /// Describes a loaded tokenizer.
    pub fn of(tokenizer: &Tokenizer) -> Self {
        Self {
            kind: tokenizer.kind().to_owned(),
            fingerprint: tokenizer.fingerprint().into(),
            vocab_size: tokenizer.vocab_size(),
            eos: tokenizer.eos(),
            eos_token: tokenizer.eos_token().to_owned(),
        }
    }
}

/// Counts of one source in one shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SourceEntry {
    /// The source's name.
    pub name: String,
    /// Documents from it.
    pub documents: u64,
    /// Tokens from it, end tokens included.
    pub tokens: u64,
    /// UTF-8 bytes of its texts.
    pub text_bytes: u64,
}

/// One shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ShardEntry {
    /// Where it is, from the folder of the manifest, with `/` between names.
    pub path: String,
    /// The bucket's name.
    pub bucket: String,
    /// Trained on or held out.
    pub split: Split,
    /// Documents in it.
    pub documents: u64,
    /// Tokens in it, end tokens included.
    pub tokens: u64,
    /// UTF-8 bytes of its texts.
    pub text_bytes: u64,
    /// Length of the file.
    pub file_bytes: u64,
    /// BLAKE3 of the shard's header page.
    pub checksum: Digest,
    /// Counts per source.
    pub sources: Vec<SourceEntry>,
    /// How often an epoch has its documents, 1 to [`MAX_REPEATS`]; those of held-out shards once. See [`crate::Rehydrate`].
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub repeats: u32,
}

fn once() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_once(repeats: &u32) -> bool {
    *repeats == 1
}

impl ShardEntry {
    /// Lists a finished shard under `path`, relative to the manifest's folder.
    pub fn new(path: impl Into<String>, split: Split, info: &ShardInfo) -> Self {
        let sources = info.sources.iter().map(|source| SourceEntry {
            name: source.name.clone(),
            documents: source.documents,
            tokens: source.tokens,
            text_bytes: source.text_bytes,
        });
        Self {
            path: path.into(),
            bucket: info.bucket.clone(),
            split,
            documents: info.documents,
            tokens: info.tokens,
            text_bytes: info.text_bytes,
            file_bytes: info.file_bytes,
            checksum: info.checksum.into(),
            sources: sources.collect(),
            repeats: 1,
        }
    }

    /// Tokens of it in an epoch that stand there again.
    pub(crate) fn copies(&self) -> u64 {
        self.tokens.saturating_mul(u64::from(self.repeats) - 1)
    }
}

/// All shards of a run in their order. The order is part of what a training run sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub version: u32,
    /// The tokenizer of every shard.
    pub tokenizer: TokenizerEntry,
    /// The shards.
    pub shards: Vec<ShardEntry>,
}

impl Manifest {
    /// A manifest of these shards.
    pub fn new(tokenizer: &Tokenizer, shards: Vec<ShardEntry>) -> Self {
        Self { version: MANIFEST_VERSION, tokenizer: TokenizerEntry::of(tokenizer), shards }
    }

    /// Reads and checks a manifest.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = atomic::read(path, LIMIT)?;
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|error| Error::invalid(path, error.to_string()))?;
        manifest.check(path)?;
        Ok(manifest)
    }

    /// Checks and writes the manifest; the file appears whole or not at all.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        self.check(path)?;
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| Error::invalid(path, error.to_string()))?;
        bytes.push(b'\n');
        atomic::write(path, &bytes)
    }

    /// Paths, versions and sums; `path` is for the message.
    pub(crate) fn check(&self, path: &Path) -> Result<()> {
        let bad = |detail: String| Err(Error::invalid(path, detail));
        if self.version != MANIFEST_VERSION {
            let version = self.version;
            return bad(format!("version {version}, this program reads {MANIFEST_VERSION}"));
        }
        let tokenizer = &self.tokenizer;
        if tokenizer.eos >= tokenizer.vocab_size {
            let (eos, size) = (tokenizer.eos, tokenizer.vocab_size);
            return bad(format!("end token {eos} in a vocabulary of {size}"));
        }
        let mut seen = BTreeSet::new();
        let mut total = (0u64, 0u64, 0u64);
        for shard in &self.shards {
            let name = &shard.path;
            let plain = |part: &str| !matches!(part, "" | "." | "..");
            if !name.split('/').all(plain) || name.contains(['\\', '\0', ':']) {
                return bad(format!("shard path `{name}` is not a relative path without `..`"));
            }
            if !seen.insert(name) {
                return bad(format!("shard `{name}` is listed twice"));
            }
            if shard.bucket.is_empty() {
                return bad(format!("shard `{name}` has no bucket"));
            }
            let mut sum = (0u64, 0u64, 0u64);
            for source in &shard.sources {
                let counts = (source.documents, source.tokens, source.text_bytes);
                match add(sum, counts) {
                    Some(next) => sum = next,
                    None => return bad(format!("counts of shard `{name}` overflow")),
                }
            }
            if sum != (shard.documents, shard.tokens, shard.text_bytes) {
                return bad(format!(
                    "shard `{name}` has {} documents, {} tokens, {} bytes; its sources sum to {} {} {}",
                    shard.documents, shard.tokens, shard.text_bytes, sum.0, sum.1, sum.2
                ));
            }
            let most = if shard.split == Split::HeldOut { 1 } else { MAX_REPEATS };
            if !(1..=most).contains(&shard.repeats) {
                return bad(format!("shard `{name}` is repeated {} times, not 1 to {most}", shard.repeats));
            }
            let epoch = |count: u64| count.checked_mul(u64::from(shard.repeats));
            let drawn = epoch(sum.0).zip(epoch(sum.1)).map(|(documents, tokens)| (documents, tokens, sum.2));
            match drawn.and_then(|drawn| add(total, drawn)) {
                Some(next) => total = next,
                None => return bad("the counts of all shards overflow".to_owned()),
            }
        }
        Ok(())
    }

    /// Train tokens per bucket, in order of first appearance: what a mixture can draw from.
    pub fn available(&self) -> Vec<Supply> {
        let mut supplies: Vec<Supply> = Vec::new();
        let mut places = BTreeMap::new();
        for shard in self.shards.iter().filter(|shard| shard.split == Split::Train) {
            let place = *places.entry(&shard.bucket).or_insert(supplies.len());
            if place == supplies.len() {
                supplies.push(Supply { bucket: shard.bucket.clone(), ..Supply::default() });
            }
            let supply = &mut supplies[place];
            supply.copies = supply.copies.saturating_add(shard.copies());
            supply.tokens = supply.tokens.saturating_add(shard.tokens).saturating_add(shard.copies());
        }
        supplies
    }

    /// Shards of one bucket and split, in manifest order.
    pub fn shards_of(&self, bucket: &str, split: Split) -> impl Iterator<Item = &ShardEntry> {
        let wanted = bucket.to_owned();
        self.shards.iter().filter(move |shard| shard.split == split && shard.bucket == wanted)
    }

    /// Where a listed shard lies when the manifest lies in `folder`.
    pub fn path_of(folder: &Path, shard: &ShardEntry) -> PathBuf {
        shard.path.split('/').fold(folder.to_path_buf(), |path, part| path.join(part))
    }

    /// Opens a listed shard and checks that it is the one that was listed.
    pub fn open_shard(&self, folder: &Path, shard: &ShardEntry) -> Result<ShardReader> {
        open_listed(folder, &self.tokenizer, shard)
    }

    /// Reads the first page of every shard and compares it with the list: a shard that is missing, cut short or another one
    /// is found before anything is done with the others. Tokens and tables are checked where they are first read.
    pub fn check_headers(&self, folder: &Path) -> Result<()> {
        self.shards.iter().try_for_each(|shard| {
            let path = Self::path_of(folder, shard);
            let (header, checksum) = Header::read(&path)?;
            listed(&path, &header, checksum, &self.tokenizer, shard)
        })
    }

    /// Opens every shard and checks every byte of it, and its counts against the manifest.
    pub fn verify(&self, folder: &Path) -> Result<()> {
        for shard in &self.shards {
            let reader = self.open_shard(folder, shard)?;
            reader.verify()?;
            let counts = reader.source_counts()?;
            let same = counts.len() == shard.sources.len()
                && counts.iter().zip(&shard.sources).all(|(found, listed)| {
                    (&found.name, found.documents, found.tokens, found.text_bytes)
                        == (&listed.name, listed.documents, listed.tokens, listed.text_bytes)
                });
            if !same {
                // The shard is the listed one to the last byte, so it is the list that is wrong.
                return Err(Error::invalid(reader.path(), "the manifest lists other counts per source"));
            }
        }
        Ok(())
    }
}

/// Opens a shard and compares it with its line in the manifest.
pub(crate) fn open_listed(folder: &Path, tokenizer: &TokenizerEntry, shard: &ShardEntry) -> Result<ShardReader> {
    let reader = ShardReader::open(Manifest::path_of(folder, shard))?;
    listed(reader.path(), &reader.header, reader.checksum(), tokenizer, shard)?;
    Ok(reader)
}

/// Whether the header at `path` is that of the shard that is listed.
fn listed(path: &Path, header: &Header, checksum: [u8; 32], tokenizer: &TokenizerEntry, shard: &ShardEntry) -> Result<()> {
    // Fields of the header with their offsets; the checksum, which covers them all, is the last.
    let fields = [
        (96, "the tokenizer", header.tokenizer == tokenizer.fingerprint.0),
        (88, "the vocabulary size", header.vocab_size == tokenizer.vocab_size),
        (92, "the end token", header.eos == tokenizer.eos),
        (128, "the bucket", header.bucket == shard.bucket),
        (56, "the number of tokens", header.tokens == shard.tokens),
        (64, "the number of documents", header.documents == shard.documents),
        (72, "the number of text bytes", header.text_bytes == shard.text_bytes),
        (80, "the length", header.file_bytes == shard.file_bytes),
        (16, "the checksum", checksum == shard.checksum.0),
    ];
    match fields.iter().find(|(.., same)| !same) {
        Some((offset, what, _)) => Err(Error::corrupt(path, *offset, format!("{what} is not that in the manifest"))),
        None => Ok(()),
    }
}

fn add(a: (u64, u64, u64), b: (u64, u64, u64)) -> Option<(u64, u64, u64)> {
    Some((a.0.checked_add(b.0)?, a.1.checked_add(b.1)?, a.2.checked_add(b.2)?))
}
