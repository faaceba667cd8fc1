//! The file of a growing shard, its sections, and its tokens with their running hashes.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::compressed::Packer;
use crate::error::{Error, Result};
use crate::header::{ALIGNMENT, BLOCK_BYTES, Section, align};
use crate::info::Compression;
use crate::spill::Spill;

/// The growing file and how far it is written.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    file: BufWriter<File>,
    /// Bytes written so far.
    pub(crate) position: u64,
}

impl Output {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(Error::io("create", path))?;
        Ok(Self { path: path.to_path_buf(), file: BufWriter::with_capacity(1 << 18, file), position: 0 })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(Error::io("write", &self.path))?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Appends one section, aligned, and returns its row of the table.
    pub(crate) fn section(&mut self, kind: u32, items: u64, parts: Vec<Spill>) -> Result<Section> {
        let start = align(self.position).unwrap_or(self.position);
        let padding = [0; ALIGNMENT as usize];
        self.write(&padding[..(start - self.position) as usize])?;
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            part.drain(|bytes| {
                hasher.update(bytes);
                self.write(bytes)
            })?;
        }
        Ok(Section { kind, offset: start, bytes: self.position - start, items, hash: *hasher.finalize().as_bytes() })
    }

    pub(crate) fn finish(&mut self, page: &[u8]) -> Result<()> {
        let mut write = || {
            self.file.flush()?;
            let file = self.file.get_mut();
            file.seek(SeekFrom::Start(0))?;
            file.write_all(page)?;
            file.sync_all()
        };
        write().map_err(Error::io("finish", &self.path))
    }
}

/// How tokens go into the file.
#[derive(Debug)]
pub(crate) enum TokenBlocks {
    /// As they are.
    Raw(Box<BlockHashes>),
    Zstd(Packer),
}

impl Default for TokenBlocks {
    fn default() -> Self {
        Self::Raw(Box::default())
    }
}

impl TokenBlocks {
    /// For the file that is written at `path`.
    pub(crate) fn new(compression: Compression, path: &Path) -> Result<Self> {
        match compression {
            Compression::None => Ok(Self::default()),
            Compression::Zstd => Packer::new(path).map(Self::Zstd),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8], out: &mut Output) -> Result<()> {
        match self {
            Self::Raw(hashes) => {
                hashes.update(bytes);
                out.write(bytes)
            }
            Self::Zstd(packer) => packer.write(bytes, out),
        }
    }

    /// Writes what is left; gives the hashes of all blocks, and where they end if they are compressed.
    pub(crate) fn finish(self, out: &mut Output) -> Result<(Vec<[u8; 32]>, Option<Spill>)> {
        match self {
            Self::Raw(hashes) => Ok((hashes.finish(), None)),
            Self::Zstd(packer) => packer.finish(out).map(|(hashes, ends)| (hashes, Some(ends))),
        }
    }
}

/// Hashes of the token bytes, block by block.
#[derive(Debug, Default)]
pub(crate) struct BlockHashes {
    done: Vec<[u8; 32]>,
    hasher: blake3::Hasher,
    filled: u64,
}

impl BlockHashes {
    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = (BLOCK_BYTES - self.filled).min(bytes.len() as u64) as usize;
            self.hasher.update(&bytes[..room]);
            self.filled += room as u64;
            bytes = &bytes[room..];
            if self.filled == BLOCK_BYTES {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        self.done.push(*self.hasher.finalize().as_bytes());
        self.hasher.reset();
        self.filled = 0;
    }

    fn finish(mut self) -> Vec<[u8; 32]> {
        if self.filled > 0 {
            self.close();
        }
        self.done
    }
}
