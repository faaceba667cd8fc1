//! What goes into a shard, and what comes out of a finished one.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::tokenizer::Tokenizer;

/// How the tokens of a shard lie in its file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// As they are: a window is read where it lies.
    #[default]
    None,
    /// In blocks of 65,536 bytes, each a zstd frame: a fifth to two thirds of the size, for storing and moving. A window costs
    /// the blocks that it touches.
    Zstd,
}

impl Compression {
    /// Its name, as an option spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Zstd => "zstd",
        }
    }
}

/// What all documents of a shard share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardMeta {
    /// Name of the bucket, 1 to 64 bytes of UTF-8.
    pub bucket: String,
    /// Fingerprint of the tokenizer that made the ids.
    pub tokenizer: [u8; 32],
    /// Ids are below this; decides between 2 and 4 bytes per token.
    pub vocab_size: u32,
    /// Id written after each document.
    pub eos: u32,
    /// Whether the shard records which tokens count in the loss (instruction data).
    pub loss: bool,
    /// Whether its documents are prompts with judged answers (preference data); then it has loss spans too.
    pub judged: bool,
    /// How the tokens lie in the file.
    pub compression: Compression,
}

impl ShardMeta {
    /// A shard of plain documents of `bucket`, tokenized by `tokenizer`.
    pub fn new(bucket: impl Into<String>, tokenizer: &Tokenizer) -> Self {
        Self {
            bucket: bucket.into(),
            tokenizer: tokenizer.fingerprint(),
            vocab_size: tokenizer.vocab_size(),
            eos: tokenizer.eos(),
            loss: false,
            judged: false,
            compression: Compression::None,
        }
    }
}

/// One document on its way into a shard.
#[derive(Debug, Clone, Copy)]
pub struct TokenizedDocument<'a> {
    /// The document's id, any UTF-8.
    pub id: &'a str,
    /// The source it came from, as named in the recipe.
    pub source: &'a str,
    /// Length of its text in UTF-8 bytes; the denominator of bits per byte.
    pub text_bytes: u64,
    /// Its ids without the end token; may be empty.
    pub tokens: &'a [u32],
    /// Of what it was made, see [`content_hash`](crate::content_hash); all documents of a shard have one, or none has.
    pub content_hash: Option<[u8; 16]>,
}

/// Counts of one source in one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCount {
    /// The source's name.
    pub name: String,
    /// Documents from it.
    pub documents: u64,
    /// Tokens from it, end tokens included.
    pub tokens: u64,
    /// UTF-8 bytes of its texts.
    pub text_bytes: u64,
}

/// A finished shard, as the manifest lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardInfo {
    /// Where the file is.
    pub path: PathBuf,
    /// The bucket's name.
    pub bucket: String,
    /// Documents in it.
    pub documents: u64,
    /// Tokens in it, one end token per document included.
    pub tokens: u64,
    /// UTF-8 bytes of the texts.
    pub text_bytes: u64,
    /// Length of the file.
    pub file_bytes: u64,
    /// BLAKE3 of the header page, which holds the hashes of everything else.
    pub checksum: [u8; 32],
    /// Per source, in order of first appearance.
    pub sources: Vec<SourceCount>,
}
