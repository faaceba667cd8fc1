//! The first 4096 bytes of a shard: what it holds, and where each section lies. See FORMAT.md.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::compressed;
use crate::error::{Error, Result};
use crate::info::Compression;

pub(crate) const MAGIC: [u8; 8] = *b"MALMTOK\x01";
/// Major version of files with tokens as they are.
const MAJOR: u32 = 1;
/// Major version of files with compressed tokens, which a reader of the other one cannot skip.
const MAJOR_OF_ZSTD: u32 = 2;
/// A larger minor version adds sections that this reader may skip. A file has the smallest one that knows its sections;
/// version 2.0 knows this one.
const MINOR_OF_JUDGED: u32 = 1;
/// The same of the hashes of contents, in the two major versions.
const MINOR_OF_CONTENT_HASH: u32 = 2;
const MINOR_OF_CONTENT_HASH_IN_ZSTD: u32 = 1;
pub(crate) const HEADER_BYTES: usize = 4096;
/// Sections start at multiples of this.
pub(crate) const ALIGNMENT: u64 = 64;
/// Tokens that are not compressed are hashed in blocks of this many bytes, so that damage is located.
pub(crate) const BLOCK_BYTES: u64 = 1 << 20;
/// Longest bucket name in UTF-8 bytes.
pub(crate) const BUCKET_BYTES: usize = 64;

const CHECKSUM: std::ops::Range<usize> = 16..48;
const BUCKET: usize = 132;
/// Where the section table starts.
pub(crate) const TABLE: usize = 256;
pub(crate) const ENTRY_BYTES: usize = 64;
const MAX_SECTIONS: usize = 32;

/// Numbers of the sections in the table.
pub(crate) mod kind {
    pub(crate) const TOKENS: u32 = 1;
    pub(crate) const DOC_ENDS: u32 = 2;
    pub(crate) const DOC_META: u32 = 3;
    pub(crate) const IDS: u32 = 4;
    pub(crate) const SOURCES: u32 = 5;
    pub(crate) const BLOCK_HASH: u32 = 6;
    pub(crate) const LOSS: u32 = 7;
    pub(crate) const JUDGED: u32 = 8;
    pub(crate) const BLOCK_ENDS: u32 = 9;
    pub(crate) const CONTENT_HASH: u32 = 10;
}

/// Bytes of one JUDGED record.
pub(crate) const JUDGED_BYTES: u64 = 16;

/// Bytes of one CONTENT_HASH record.
pub(crate) const CONTENT_HASH_BYTES: u64 = 16;

/// Bytes of one DOC_META record.
pub(crate) const META_BYTES: u64 = 32;

/// One row of the section table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) kind: u32,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    /// Elements: tokens, documents, strings, hashes or spans.
    pub(crate) items: u64,
    pub(crate) hash: [u8; 32],
}

/// The decoded first page of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) compression: Compression,
    /// Bytes per token: 2 or 4.
    pub(crate) width: u32,
    pub(crate) tokens: u64,
    pub(crate) documents: u64,
    pub(crate) text_bytes: u64,
    pub(crate) file_bytes: u64,
    pub(crate) vocab_size: u32,
    pub(crate) eos: u32,
    pub(crate) tokenizer: [u8; 32],
    pub(crate) bucket: String,
    pub(crate) sections: Vec<Section>,
}

/// Bytes per token for a vocabulary of this size.
pub(crate) fn width_for(vocab_size: u32) -> u32 {
    if vocab_size <= 1 << 16 { 2 } else { 4 }
}

/// The next multiple of the alignment, or `None` past the end of `u64`.
pub(crate) fn align(offset: u64) -> Option<u64> {
    offset.checked_next_multiple_of(ALIGNMENT)
}

impl Header {
    /// The 4096 bytes, checksum included.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut page = vec![0; HEADER_BYTES];
        let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        let (major, minor) = match self.compression {
            Compression::None if self.find(kind::CONTENT_HASH).is_some() => (MAJOR, MINOR_OF_CONTENT_HASH),
            Compression::None if self.find(kind::JUDGED).is_some() => (MAJOR, MINOR_OF_JUDGED),
            Compression::None => (MAJOR, 0),
            Compression::Zstd if self.find(kind::CONTENT_HASH).is_some() => (MAJOR_OF_ZSTD, MINOR_OF_CONTENT_HASH_IN_ZSTD),
            Compression::Zstd => (MAJOR_OF_ZSTD, 0),
        };
        put(8, &major.to_le_bytes());
        put(12, &minor.to_le_bytes());
        put(48, &self.width.to_le_bytes());
        put(52, &(self.sections.len() as u32).to_le_bytes());
        put(56, &self.tokens.to_le_bytes());
        put(64, &self.documents.to_le_bytes());
        put(72, &self.text_bytes.to_le_bytes());
        put(80, &self.file_bytes.to_le_bytes());
        put(88, &self.vocab_size.to_le_bytes());
        put(92, &self.eos.to_le_bytes());
        put(96, &self.tokenizer);
        put(128, &(self.bucket.len() as u32).to_le_bytes());
        put(BUCKET, self.bucket.as_bytes());
        for (index, section) in self.sections.iter().enumerate() {
            let at = TABLE + index * ENTRY_BYTES;
            put(at, &section.kind.to_le_bytes());
            put(at + 8, &section.offset.to_le_bytes());
            put(at + 16, &section.bytes.to_le_bytes());
            put(at + 24, &section.items.to_le_bytes());
            put(at + 32, &section.hash);
        }
        let checksum = checksum(&page);
        page[CHECKSUM].copy_from_slice(&checksum);
        page
    }

    /// Reads and checks the first page of a file and nothing else of it; gives the page's hash too.
    pub(crate) fn read(path: &Path) -> Result<(Self, [u8; 32])> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("inspect", path))?.len();
        let mut page = Vec::with_capacity(HEADER_BYTES);
        file.take(HEADER_BYTES as u64).read_to_end(&mut page).map_err(Error::io("read", path))?;
        Ok((Self::decode(&page, length, path)?, *blake3::hash(&page).as_bytes()))
    }

    /// Reads and checks the first page of a file of `file_bytes` bytes.
    pub(crate) fn decode(page: &[u8], file_bytes: u64, path: &Path) -> Result<Self> {
        let format = |detail: String| Error::Format { path: path.to_path_buf(), detail };
        if page.len() < 16 || page[..8] != MAGIC {
            return Err(format("not a malmoi shard (wrong first bytes)".to_owned()));
        }
        let (major, minor) = (u32_at(page, 8), u32_at(page, 12));
        let compression = match major {
            MAJOR => Compression::None,
            MAJOR_OF_ZSTD => Compression::Zstd,
            _ => {
                let known = format!("{MAJOR}.x and {MAJOR_OF_ZSTD}.x");
                return Err(format(format!("shard format {major}.{minor}; this version reads {known}, rebuild the shards")));
            }
        };
        let bad = |offset: usize, detail: String| Error::corrupt(path, offset as u64, detail);
        if page.len() < HEADER_BYTES {
            let detail = format!("the file ends here, inside its {HEADER_BYTES}-byte header");
            return Err(bad(page.len(), detail));
        }
        let page = &page[..HEADER_BYTES];
        if page[CHECKSUM] != checksum(page) {
            return Err(bad(CHECKSUM.start, "header checksum differs".to_owned()));
        }
        let count = u32_at(page, 52) as usize;
        if count > MAX_SECTIONS {
            return Err(bad(52, format!("{count} sections, at most {MAX_SECTIONS}")));
        }
        let name = u32_at(page, 128) as usize;
        if name == 0 || name > BUCKET_BYTES {
            let detail = format!("bucket name of {name} bytes, not 1 to {BUCKET_BYTES}");
            return Err(bad(128, detail));
        }
        let bucket = std::str::from_utf8(&page[BUCKET..BUCKET + name]).map_err(|_| bad(BUCKET, "bucket name is not UTF-8".to_owned()))?;
        let rows = TABLE + count * ENTRY_BYTES;
        let unused = (TABLE..rows).step_by(ENTRY_BYTES).map(|row| row + 4..row + 8);
        for zeros in [BUCKET + name..TABLE, rows..HEADER_BYTES].into_iter().chain(unused) {
            if let Some(at) = page[zeros.clone()].iter().position(|&byte| byte != 0) {
                return Err(bad(zeros.start + at, "a byte that is not zero where nothing is stored".to_owned()));
            }
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(&page[96..128]);
        let header = Header {
            compression,
            width: u32_at(page, 48),
            tokens: u64_at(page, 56),
            documents: u64_at(page, 64),
            text_bytes: u64_at(page, 72),
            file_bytes: u64_at(page, 80),
            vocab_size: u32_at(page, 88),
            eos: u32_at(page, 92),
            tokenizer: hash,
            bucket: bucket.to_owned(),
            sections: (0..count).map(|index| section_at(page, index)).collect(),
        };
        header.check_numbers(file_bytes, path)?;
        header.check_layout(path)?;
        header.check_sizes(path)?;
        Ok(header)
    }

    /// Bytes of tokens that are hashed, and perhaps compressed, together.
    pub(crate) fn block_bytes(&self) -> u64 {
        match self.compression {
            Compression::None => BLOCK_BYTES,
            Compression::Zstd => compressed::BLOCK_BYTES,
        }
    }

    pub(crate) fn find(&self, kind: u32) -> Option<&Section> {
        self.sections.iter().find(|section| section.kind == kind)
    }

    pub(crate) fn section(&self, kind: u32, path: &Path) -> Result<&Section> {
        self.find(kind).ok_or_else(|| Error::corrupt(path, self.row(kind), format!("section {kind} is missing")))
    }

    /// Where the row of a section stands in the file, for messages; where it is missing, the place
    /// behind the table.
    pub(crate) fn row(&self, kind: u32) -> u64 {
        let index = self.sections.iter().position(|section| section.kind == kind);
        (TABLE + index.unwrap_or(self.sections.len()) * ENTRY_BYTES) as u64
    }
}

fn section_at(page: &[u8], index: usize) -> Section {
    let at = TABLE + index * ENTRY_BYTES;
    let mut hash = [0; 32];
    hash.copy_from_slice(&page[at + 32..at + 64]);
    Section { kind: u32_at(page, at), offset: u64_at(page, at + 8), bytes: u64_at(page, at + 16), items: u64_at(page, at + 24), hash }
}

/// BLAKE3 of the page with the checksum's own bytes as zeros.
fn checksum(page: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&page[..CHECKSUM.start]);
    hasher.update(&[0; 32]);
    hasher.update(&page[CHECKSUM.end..]);
    *hasher.finalize().as_bytes()
}

/// Little-endian number at a byte offset that the caller has checked.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

/// Little-endian number at a byte offset that the caller has checked.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}
