//! The tokens of a shard block by block: where each lies, and whether it is what was written.

use std::ops::Range;

use crate::compressed::{Frame, MAX_FRAME_BYTES};
use crate::error::{Error, Result};
use crate::header::{kind, u32_at, u64_at};
use crate::info::Compression;
use crate::reader::ShardReader;

impl ShardReader {
    /// Compressed blocks fill their section, and none is longer than any frame of zstd. The hashes and ends of blocks are
    /// those of the header, so that a block that is read later is the one that was written.
    pub(crate) fn check_blocks(&self) -> Result<()> {
        self.check_block_hashes()?;
        if self.compression() == Compression::None {
            return Ok(());
        }
        let section = self.header.section(kind::BLOCK_ENDS, &self.path)?;
        let bytes = self.bytes(section);
        let mut previous = 0;
        for (index, chunk) in bytes.chunks_exact(8).enumerate() {
            let end = u64_at(chunk, 0);
            let longest = if index == 0 { 0 } else { MAX_FRAME_BYTES };
            if end < previous || end - previous > longest || (index > 0 && end == previous) {
                let detail = format!("token block end {end} after {previous}");
                return Err(Error::corrupt(&self.path, section.offset + index as u64 * 8, detail));
            }
            previous = end;
        }
        let stored = self.header.section(kind::TOKENS, &self.path)?.bytes;
        if previous != stored {
            let detail = format!("token blocks end at byte {previous} of {stored}");
            return Err(Error::corrupt(&self.path, section.offset + section.bytes - 8, detail));
        }
        self.compare(section)
    }

    /// The hashes of blocks are those that the header has the hash of, as their own and as that of TOKENS.
    pub(crate) fn check_block_hashes(&self) -> Result<()> {
        let hashes = self.header.section(kind::BLOCK_HASH, &self.path)?;
        self.compare(hashes)?;
        if self.header.section(kind::TOKENS, &self.path)?.hash != hashes.hash {
            let detail = "token checksum and block hashes differ";
            return Err(Error::corrupt(&self.path, self.header.row(kind::TOKENS) + 32, detail));
        }
        Ok(())
    }

    /// Compares block `index` with its checksum and its ids with the vocabulary, and remembers that it did.
    pub(crate) fn check_block(&self, index: u64) -> Result<()> {
        let (width, size) = (u64::from(self.header.width), self.header.vocab_size);
        let outside = self.block(index, |block| match width {
            2 => block.chunks_exact(2).position(|id| u32::from(u16::from_le_bytes([id[0], id[1]])) >= size),
            _ => block.chunks_exact(4).position(|id| u32_at(id, 0) >= size),
        })?;
        if let Some(at) = outside {
            let offset = self.place(index * (self.header.block_bytes() / width) + at as u64)?;
            return Err(Error::corrupt(&self.path, offset, format!("a token id outside the vocabulary of {size}")));
        }
        self.blocks.add(index);
        Ok(())
    }

    /// Where a block of tokens lies in the file.
    fn block_place(&self, index: u64) -> Result<Range<u64>> {
        let tokens = self.header.section(kind::TOKENS, &self.path)?;
        let (start, end) = match self.compression() {
            Compression::None => {
                let start = index * self.header.block_bytes();
                (start, tokens.bytes.min(start + self.header.block_bytes()))
            }
            Compression::Zstd => {
                let (_, ends) = self.section(kind::BLOCK_ENDS)?;
                (u64_at(ends, index as usize * 8), u64_at(ends, index as usize * 8 + 8))
            }
        };
        Ok(tokens.offset + start..tokens.offset + end)
    }

    /// Where a token lies in the file, or the compressed block with it; for messages.
    pub(crate) fn place(&self, token: u64) -> Result<u64> {
        let at = token * u64::from(self.header.width);
        match self.compression() {
            Compression::None => Ok(self.header.section(kind::TOKENS, &self.path)?.offset + at),
            Compression::Zstd => Ok(self.block_place(at / self.header.block_bytes())?.start),
        }
    }

    /// Calls `read` with the bytes of the tokens of block `index`, one of those that BLOCK_HASH has, after comparing
    /// what is stored with its checksum.
    pub(crate) fn block<R>(&self, index: u64, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let (_, hashes) = self.section(kind::BLOCK_HASH)?;
        let hash = &hashes[index as usize * 32..index as usize * 32 + 32];
        let place = self.block_place(index)?;
        let bytes = &self.map[place.start as usize..place.end as usize];
        let read = match self.compression() {
            Compression::None if blake3::hash(bytes).as_bytes() == hash => Ok(read(bytes)),
            Compression::None => Err(format!("token block {index} differs from its checksum")),
            Compression::Zstd => {
                let all = self.header.tokens * u64::from(self.header.width);
                let tokens = (all - index * self.header.block_bytes()).min(self.header.block_bytes()) as usize;
                Frame { reader: self.number, index, bytes, hash, tokens }.with(read)
            }
        };
        read.map_err(|detail| Error::corrupt(&self.path, place.start, detail))
    }
}
