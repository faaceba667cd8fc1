//! Token files of other trainers, and shards of other runs: read into documents, and written from a shard.
//!
//! | layout | files | documents |
//! |---|---|---|
//! | Megatron-LM, GPT-NeoX | `NAME.bin`, `NAME.idx` | in the index |
//! | datatrove, nanotron | `NAME.ds`, `.ds.index`, `.ds.loss`, `.ds.metadata` | in the index, or by end tokens |
//! | OLMo, dolma | `NAME.npy` without a NumPy header, `NAME.csv.gz`, `NAME.label_mask.npy` | in the table, or by end tokens |
//! | llm.c | `NAME.bin` with a header of 1024 bytes | by end tokens, which come before each document |
//! | malmoi | `NAME.shard` | in the index |
//!
//! A document of a shard has exactly one end token, and it is the last. One that a file has there is
//! taken for it; where a file has none, it is added and counted.

mod datatrove;
mod files;
mod llm_c;
mod malmoi;
mod megatron;
mod olmo;
mod tokens;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::info::Compression;
use crate::reader::ShardReader;

/// Longest document read, in tokens: a gigabyte of ids. Above it a file without end tokens, or a
/// wrong width, is more likely.
const MAX_DOCUMENT_TOKENS: u64 = 1 << 28;

/// A trainer's way to store tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Megatron-LM's `IndexedDataset`, MMIDIDX version 1.
    Megatron,
    /// datatrove's `TokenizedFile`, which nanotron's Nanoset reads.
    Datatrove,
    /// The raw arrays of dolma and OLMo-core.
    Olmo,
    /// llm.c's token files, GPT-2 (16 bits) and Llama 3 (32 bits).
    LlmC,
    /// The shards of this crate.
    Malmoi,
}

impl Layout {
    /// The layout that a file's name says, and for `.bin` whether an index stands beside it.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        match path.extension()?.to_str()? {
            "npy" if name.ends_with(olmo::MASK) => None,
            "ds" => Some(Self::Datatrove),
            "npy" => Some(Self::Olmo),
            "idx" => Some(Self::Megatron),
            "shard" => Some(Self::Malmoi),
            "bin" if path.with_extension("idx").exists() => Some(Self::Megatron),
            "bin" => Some(Self::LlmC),
            _ => None,
        }
    }

    /// Its name, as an option spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Megatron => "megatron",
            Self::Datatrove => "datatrove",
            Self::Olmo => "olmo",
            Self::LlmC => "llm-c",
            Self::Malmoi => "malmoi",
        }
    }

    /// Whether it has a place for which tokens count in the loss.
    pub fn keeps_loss(self) -> bool {
        matches!(self, Self::Datatrove | Self::Olmo | Self::Malmoi)
    }

    /// Whether the files of `path` say which tokens count in the loss.
    pub fn has_loss(self, path: &Path) -> bool {
        match self {
            Self::Datatrove => files::appended(path, "loss").exists(),
            Self::Olmo => path.with_extension(olmo::MASK).exists(),
            Self::Malmoi => ShardReader::open(path).is_ok_and(|shard| shard.has_loss()),
            Self::Megatron | Self::LlmC => false,
        }
    }

    /// All files that belong to `path`, the tokens first; those that are not there left out.
    pub fn files(self, path: &Path) -> Vec<PathBuf> {
        let beside = match self {
            Self::Megatron => vec![path.with_extension("bin"), path.with_extension("idx")],
            Self::Datatrove => {
                let more = ["index", "loss", "metadata"].map(|part| files::appended(path, part));
                std::iter::once(path.to_path_buf()).chain(more).collect()
            }
            Self::Olmo => vec![path.to_path_buf(), path.with_extension("csv.gz"), path.with_extension(olmo::MASK)],
            Self::LlmC | Self::Malmoi => vec![path.to_path_buf()],
        };
        beside.into_iter().filter(|file| file.exists()).collect()
    }
}

/// What a foreign file does not say of itself.
#[derive(Debug, Clone, Copy)]
pub struct Foreign {
    /// The layout.
    pub layout: Layout,
    /// Ids must be below this.
    pub vocab_size: u32,
    /// Id of the end token.
    pub eos: u32,
    /// Fingerprint of the tokenizer, which only shards of this crate know.
    pub tokenizer: [u8; 32],
    /// Bytes of a token, 2 or 4, where the files do not say. Default: 2 up to 65,536 ids, else 4.
    pub token_bytes: Option<u32>,
}

/// A document of a foreign file.
#[derive(Debug)]
pub struct ForeignDocument<'a> {
    /// Its id, where the files have one.
    pub id: Option<&'a str>,
    /// Its ids without the end token.
    pub tokens: &'a [u32],
    /// Tokens that count in the loss, ready for [`ShardWriter::push_with_loss`](crate::ShardWriter::push_with_loss);
    /// none where the files say nothing of it.
    pub spans: Option<&'a [Range<u32>]>,
    /// Whether the file has an end token for it. At the end of a file that cuts through a document it has none.
    pub ended: bool,
    /// Of what it was made, where the files say.
    pub content_hash: Option<[u8; 16]>,
}

impl Foreign {
    /// Calls `visit` with every document of a file in order. At most one document is in memory.
    ///
    /// # Errors
    /// [`Error::Corrupt`] with file and offset where the files contradict each other or hold an id that
    /// the vocabulary does not have; [`Error::Format`] where they are of another kind.
    pub fn documents(&self, path: &Path, visit: &mut dyn FnMut(ForeignDocument<'_>) -> Result<()>) -> Result<()> {
        if let Some(bytes) = self.token_bytes.filter(|bytes| ![2, 4].contains(bytes)) {
            return Err(Error::Setting { option: "token-bytes", detail: format!("{bytes}, not 2 or 4") });
        }
        match self.layout {
            Layout::Megatron => megatron::read(self, path, visit),
            Layout::Datatrove => datatrove::read(self, path, visit),
            Layout::Olmo => olmo::read(self, path, visit),
            Layout::LlmC => llm_c::read(self, path, visit),
            Layout::Malmoi => malmoi::read(self, path, visit),
        }
    }
}

/// How a shard is written in a foreign layout.
#[derive(Debug, Clone)]
pub struct ForeignOptions {
    /// The layout.
    pub layout: Layout,
    /// Whether documents keep their end tokens.
    pub end_tokens: bool,
    /// The tokenizer's name, for datatrove's metadata.
    pub tokenizer: String,
    /// How the tokens of malmoi's own shards lie in the file; without meaning in the other layouts.
    pub compression: Compression,
}

/// Writes all documents of a shard to `path` without extension, plus the layout's own; gives the files.
/// Each appears whole or not at all, the one that a reader opens first comes last.
///
/// # Errors
/// [`Error::Setting`] where the shard says which tokens count in the loss and the layout cannot.
pub fn export(shard: &ShardReader, path: &Path, options: &ForeignOptions) -> Result<Vec<PathBuf>> {
    if shard.has_loss() && !options.layout.keeps_loss() {
        let name = options.layout.name();
        return Err(Error::Setting {
            option: "layout",
            detail: format!("{name} cannot say which tokens count in the loss, as this shard does"),
        });
    }
    match options.layout {
        Layout::Megatron => megatron::write(shard, path, options),
        Layout::Datatrove => datatrove::write(shard, path, options),
        Layout::Olmo => olmo::write(shard, path, options),
        Layout::LlmC => llm_c::write(shard, path, options),
        Layout::Malmoi => malmoi::write(shard, path, options),
    }
}
