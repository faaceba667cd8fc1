//! Tokens in blocks of their own, each a zstd frame: a place in the middle costs one block, whatever the shard's size.
//!
//! What is read goes through a cache of a few blocks for each thread, so memory does not grow with the number of shards, and
//! documents that are read one after another unpack a block once.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use zstd::bulk::{Compressor, Decompressor};

use crate::error::{Error, Result};
use crate::output::Output;
use crate::spill::Spill;

/// Token bytes of a block; the last one of a shard may have fewer.
pub(crate) const BLOCK_BYTES: u64 = 1 << 16;
/// Longest frame: what zstd makes of a block at the worst (`ZSTD_compressBound`).
pub(crate) const MAX_FRAME_BYTES: u64 = 65_824;
/// Level 6 makes files a tenth smaller in three times the time; unpacking takes the same.
const LEVEL: i32 = 3;
/// Blocks that a thread keeps.
const CACHED: usize = 4;

/// Packs tokens as they come.
pub(crate) struct Packer {
    path: std::path::PathBuf,
    compressor: Compressor<'static>,
    block: Vec<u8>,
    frame: Vec<u8>,
    hashes: Vec<[u8; 32]>,
    /// Where each frame ends, counted from the first byte of the first one; a 0 comes before.
    ends: Spill,
    end: u64,
}

impl Packer {
    /// Packs into `path`, beside which tables are spilled.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let mut ends = Spill::new(crate::atomic::folder(path));
        ends.push(&0u64.to_le_bytes())?;
        Ok(Self {
            path: path.to_path_buf(),
            compressor: Compressor::new(LEVEL).map_err(Error::io("compress", path))?,
            block: Vec::with_capacity(BLOCK_BYTES as usize),
            frame: Vec::with_capacity(MAX_FRAME_BYTES as usize),
            hashes: Vec::new(),
            ends,
            end: 0,
        })
    }

    pub(crate) fn write(&mut self, mut bytes: &[u8], out: &mut Output) -> Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES as usize - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() as u64 == BLOCK_BYTES {
                self.close(out)?;
            }
        }
        Ok(())
    }

    fn close(&mut self, out: &mut Output) -> Result<()> {
        self.frame.clear();
        self.compressor.compress_to_buffer(&self.block, &mut self.frame).map_err(Error::io("compress", &self.path))?;
        self.block.clear();
        out.write(&self.frame)?;
        self.hashes.push(*blake3::hash(&self.frame).as_bytes());
        self.end += self.frame.len() as u64;
        self.ends.push(&self.end.to_le_bytes())
    }

    /// Writes the last block; gives the hashes and the ends of all frames.
    pub(crate) fn finish(mut self, out: &mut Output) -> Result<(Vec<[u8; 32]>, Spill)> {
        if !self.block.is_empty() {
            self.close(out)?;
        }
        Ok((self.hashes, self.ends))
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer").field("frames", &self.hashes.len()).finish_non_exhaustive()
    }
}

/// A number for a reader that no other one of this process has.
pub(crate) fn reader_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A stored block: whose it is, its frame, and what it must be.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// See [`reader_number`].
    pub(crate) reader: u64,
    pub(crate) index: u64,
    pub(crate) bytes: &'a [u8],
    /// BLAKE3 of `bytes`.
    pub(crate) hash: &'a [u8],
    /// Bytes of its tokens.
    pub(crate) tokens: usize,
}

impl Frame<'_> {
    /// Calls `read` with the block's bytes: this thread's copy, or else unpacked after the frame has been checked. No more is
    /// allocated than the block has, whatever the frame says of itself. The error is a sentence about the block.
    pub(crate) fn with<R>(self, read: impl FnOnce(&[u8]) -> R) -> std::result::Result<R, String> {
        thread_local!(static CACHE: RefCell<Cache> = RefCell::default());
        CACHE.with_borrow_mut(|cache| cache.get(self).map(read))
    }
}

#[derive(Default)]
struct Cache {
    decompressor: Option<Decompressor<'static>>,
    /// Reader, index and bytes; the one used last comes last.
    blocks: Vec<(u64, u64, Vec<u8>)>,
}

impl Cache {
    fn get(&mut self, frame: Frame<'_>) -> std::result::Result<&[u8], String> {
        let here = self.blocks.iter().position(|(reader, index, _)| (*reader, *index) == (frame.reader, frame.index));
        let block = match here {
            Some(at) => self.blocks.remove(at),
            None => (frame.reader, frame.index, self.unpack(frame)?),
        };
        self.blocks.push(block);
        Ok(self.blocks.last().map_or(&[][..], |(.., bytes)| &bytes[..]))
    }

    /// Into the room of the block that was used longest ago.
    fn unpack(&mut self, frame: Frame<'_>) -> std::result::Result<Vec<u8>, String> {
        let Frame { index, bytes, hash, tokens, .. } = frame;
        if blake3::hash(bytes).as_bytes() != hash {
            return Err(format!("token block {index} differs from its checksum"));
        }
        let fail = |detail: String| format!("token block {index} is no zstd frame of {tokens} bytes of tokens: {detail}");
        let decompressor = match &mut self.decompressor {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::new().map_err(|error| fail(error.to_string()))?),
        };
        let mut block = if self.blocks.len() < CACHED { Vec::new() } else { self.blocks.remove(0).2 };
        block.resize(tokens, 0);
        match decompressor.decompress_to_buffer(bytes, &mut block[..]) {
            Ok(unpacked) if unpacked == tokens => Ok(block),
            Ok(unpacked) => Err(fail(format!("it has {unpacked}"))),
            Err(error) => Err(fail(error.to_string())),
        }
    }
}
