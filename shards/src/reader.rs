//! Opens a shard and gives its documents; every number is checked before it is used.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::compressed::reader_number;
use crate::error::{Error, Result};
use crate::header::{CONTENT_HASH_BYTES, HEADER_BYTES, Header, JUDGED_BYTES, META_BYTES, kind, u32_at, u64_at};
use crate::info::{Compression, SourceCount};
use crate::judged::Judged;
use crate::marks::Marks;

/// A shard mapped into memory. Cheap to open: the header and the document ends are checked, the
/// tokens are not read. A block of tokens or a table is compared with its checksum when it is first read, so that no
/// byte is used that is not the one that was written; [`ShardReader::verify`] checks all of them.
#[derive(Debug)]
pub struct ShardReader {
    pub(crate) path: PathBuf,
    pub(crate) map: Mmap,
    pub(crate) header: Header,
    sources: Vec<String>,
    /// For the cache of unpacked blocks.
    pub(crate) number: u64,
    /// Blocks that have been checked.
    pub(crate) blocks: Marks,
    /// Kinds of sections that have been checked.
    pub(crate) tables: Marks,
}

/// What a shard knows about one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardDocument<'a> {
    /// Its id.
    pub id: &'a str,
    /// Name of the source it came from.
    pub source: &'a str,
    /// UTF-8 bytes of its text.
    pub text_bytes: u64,
    /// Where its tokens lie in the shard; the last one is the end token.
    pub tokens: Range<u64>,
    /// First 16 bytes of the BLAKE3 of its id.
    pub id_hash: [u8; 16],
    /// First 16 bytes of the BLAKE3 of what it was made of; none in shards that do not record it.
    pub content_hash: Option<[u8; 16]>,
}

impl ShardReader {
    /// Maps the file and checks header, section table and document ends.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let file = File::open(&path).map_err(Error::io("open", &path))?;
        let length = file.metadata().map_err(Error::io("inspect", &path))?.len();
        if length == 0 {
            return Err(Error::Format { path, detail: "the file is empty".to_owned() });
        }
        // SAFETY: a mapped file must not be cut short or changed by anyone while it is mapped. A
        // shard gets its name by a rename after its last write and no part of malmoi writes to a
        // named shard; replacing one renames a new file over it and leaves this mapping intact.
        // Bytes that change regardless could only be read as other numbers: all accesses go
        // through bounds-checked slices of plain bytes, no reference to a typed value is made.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io("map", &path))?;
        let page = &map[..map.len().min(HEADER_BYTES)];
        let header = Header::decode(page, map.len() as u64, &path)?;
        // Their hashes are in the file, so there are no more than it can hold.
        let blocks = Marks::new(header.section(kind::BLOCK_HASH, &path)?.items);
        let mut reader = Self { path, map, header, sources: Vec::new(), number: reader_number(), blocks, tables: Marks::new(64) };
        reader.check_ends()?;
        reader.check_blocks()?;
        let sources = reader.strings(kind::SOURCES)?;
        reader.sources = (0..sources.items).map(|index| sources.get(index).map(str::to_owned)).collect::<Result<_>>()?;
        Ok(reader)
    }

    /// Every document has at least its end token, and together they have all tokens.
    fn check_ends(&self) -> Result<()> {
        let section = self.header.section(kind::DOC_ENDS, &self.path)?;
        let bytes = self.bytes(section);
        let mut previous = None;
        for (index, chunk) in bytes.chunks_exact(8).enumerate() {
            let end = u64_at(chunk, 0);
            if previous.map_or(end != 0, |previous| end <= previous) {
                let offset = section.offset + index as u64 * 8;
                let detail = format!("document end {end} after {}", previous.unwrap_or(0));
                return Err(Error::corrupt(&self.path, offset, detail));
            }
            previous = Some(end);
        }
        if previous != Some(self.header.tokens) {
            let detail = format!("documents end at token {}, the shard has {}", previous.unwrap_or(0), self.header.tokens);
            return Err(Error::corrupt(&self.path, section.offset + self.header.documents * 8, detail));
        }
        self.checked(section).map(drop)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of documents.
    pub fn len(&self) -> u64 {
        self.header.documents
    }

    /// Whether it holds no document.
    pub fn is_empty(&self) -> bool {
        self.header.documents == 0
    }

    /// Number of tokens, end tokens included.
    pub fn token_count(&self) -> u64 {
        self.header.tokens
    }

    /// UTF-8 bytes of all texts.
    pub fn text_bytes(&self) -> u64 {
        self.header.text_bytes
    }

    /// Length of the file.
    pub fn file_bytes(&self) -> u64 {
        self.header.file_bytes
    }

    /// How its tokens lie in the file.
    pub fn compression(&self) -> Compression {
        self.header.compression
    }

    /// Bytes per token, 2 or 4.
    pub fn token_width(&self) -> u32 {
        self.header.width
    }

    /// Ids are below this.
    pub fn vocab_size(&self) -> u32 {
        self.header.vocab_size
    }

    /// The id after each document.
    pub fn eos(&self) -> u32 {
        self.header.eos
    }

    /// Fingerprint of the tokenizer.
    pub fn tokenizer(&self) -> [u8; 32] {
        self.header.tokenizer
    }

    /// Name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.header.bucket
    }

    /// Names of the sources, in order of first appearance.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Whether the shard records which tokens count in the loss.
    pub fn has_loss(&self) -> bool {
        self.header.find(kind::LOSS).is_some()
    }

    /// BLAKE3 of the header page, which holds the hashes of all sections.
    pub fn checksum(&self) -> [u8; 32] {
        *blake3::hash(&self.map[..HEADER_BYTES]).as_bytes()
    }

    /// Appends the ids at `range` to `out`. Blocks that it touches for the first time are compared with their checksums.
    pub fn tokens(&self, range: Range<u64>, out: &mut Vec<u32>) -> Result<()> {
        let section = self.header.section(kind::TOKENS, &self.path)?;
        if range.start > range.end || range.end > section.items {
            return Err(Error::Stream(format!(
                "tokens {}..{} of {}, which has {}",
                range.start,
                range.end,
                self.path.display(),
                section.items
            )));
        }
        let width = self.header.width as usize;
        let (start, end) = (range.start as usize * width, range.end as usize * width);
        let size = self.header.block_bytes() as usize;
        let touched = start / size..end.div_ceil(size);
        for index in touched.clone().map(|index| index as u64).filter(|&index| !self.blocks.has(index)) {
            self.check_block(index)?;
        }
        if self.compression() == Compression::None {
            append_ids(&self.bytes(section)[start..end], width, out);
            return Ok(());
        }
        for index in touched {
            let base = index * size;
            self.block(index as u64, |block| append_ids(&block[start.saturating_sub(base)..(end - base).min(size)], width, out))?;
        }
        Ok(())
    }

    /// Where the tokens of document `index` lie.
    pub fn token_range(&self, index: u64) -> Result<Range<u64>> {
        if index >= self.header.documents {
            return Err(Error::Stream(format!("document {index} of {}, which has {}", self.path.display(), self.header.documents)));
        }
        let (_, ends) = self.section(kind::DOC_ENDS)?;
        let at = index as usize * 8;
        Ok(u64_at(ends, at)..u64_at(ends, at + 8))
    }

    /// The document that holds token `token`.
    pub fn document_of(&self, token: u64) -> Result<u64> {
        if token >= self.header.tokens {
            return Err(Error::Stream(format!("token {token} of {}, which has {}", self.path.display(), self.header.tokens)));
        }
        let (_, ends) = self.section(kind::DOC_ENDS)?;
        let (mut low, mut high) = (0, self.header.documents);
        while low < high {
            let middle = low + (high - low) / 2;
            if u64_at(ends, middle as usize * 8 + 8) <= token {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Document `index`, counted from 0.
    pub fn document(&self, index: u64) -> Result<ShardDocument<'_>> {
        let tokens = self.token_range(index)?;
        let (section, records) = self.section(kind::DOC_META)?;
        let at = (index * META_BYTES) as usize;
        let record = &records[at..at + META_BYTES as usize];
        let source = u32_at(record, 0);
        let source = self.sources.get(source as usize).ok_or_else(|| {
            let detail = format!("source {source} of {}", self.sources.len());
            Error::corrupt(&self.path, section.offset + at as u64, detail)
        })?;
        let hash_at = |bytes: &[u8], at: usize| {
            let mut hash = [0; 16];
            hash.copy_from_slice(&bytes[at..at + 16]);
            hash
        };
        let content_hash = self.optional(kind::CONTENT_HASH)?;
        Ok(ShardDocument {
            id: self.strings(kind::IDS)?.get(index)?,
            source,
            text_bytes: u64_at(record, 8),
            tokens,
            id_hash: hash_at(record, 16),
            content_hash: content_hash.map(|(_, hashes)| hash_at(hashes, (index * CONTENT_HASH_BYTES) as usize)),
        })
    }

    /// All documents in file order.
    pub fn documents(&self) -> impl Iterator<Item = Result<ShardDocument<'_>>> {
        (0..self.len()).map(|index| self.document(index))
    }

    /// The spans of document `index` that count in the loss, as token positions in the document;
    /// `None` when the shard records none and every token counts.
    pub fn loss_spans(&self, index: u64) -> Result<Option<Vec<Range<u32>>>> {
        let tokens = self.token_range(index)?;
        let Some((section, bytes)) = self.optional(kind::LOSS)? else { return Ok(None) };
        let at = index as usize * 8;
        let (first, last) = (u64_at(bytes, at), u64_at(bytes, at + 8));
        let bad = |offset: u64, detail: String| Error::corrupt(&self.path, offset, detail);
        if first > last || last > section.items {
            let offset = section.offset + at as u64 + 8;
            return Err(bad(offset, format!("loss spans {first}..{last} of {}", section.items)));
        }
        let base = (self.header.documents as usize + 1) * 8;
        let mut free = 0;
        let mut spans = Vec::new();
        for (place, span) in (first..).zip(bytes[base + first as usize * 8..base + last as usize * 8].chunks_exact(8)) {
            let (start, end) = (u32_at(span, 0), u32_at(span, 4));
            if start < free || start >= end || u64::from(end) > tokens.end - tokens.start {
                let field = if start < free { 0 } else { 4 };
                let offset = section.offset + base as u64 + place * 8 + field;
                return Err(bad(offset, format!("loss span {start}..{end} of document {index}")));
            }
            free = end;
            spans.push(start..end);
        }
        Ok(Some(spans))
    }

    /// Whether its documents are prompts with judged answers.
    pub fn has_judged(&self) -> bool {
        self.header.find(kind::JUDGED).is_some()
    }

    /// What was said of the answers of document `index`; `None` when the shard records nothing. The second sequence of a
    /// pair lies in the document; that an end token comes before it is checked by [`ShardReader::verify`].
    pub fn judged(&self, index: u64) -> Result<Option<Judged>> {
        let tokens = self.token_range(index)?;
        let Some((section, bytes)) = self.optional(kind::JUDGED)? else { return Ok(None) };
        let at = index * JUDGED_BYTES;
        let record = &bytes[at as usize..(at + JUDGED_BYTES) as usize];
        let bad = |(field, detail)| Error::corrupt(&self.path, section.offset + at + field, detail);
        let judged = Judged::decode(record).map_err(bad)?;
        match judged {
            Judged::Pair { split, .. } if u64::from(split) >= tokens.end - tokens.start => {
                Err(bad((0, format!("a second answer at token {split} of {}", tokens.end - tokens.start))))
            }
            judged => Ok(Some(judged)),
        }
    }

    /// Documents, tokens and text bytes per source, counted from the records.
    pub fn source_counts(&self) -> Result<Vec<SourceCount>> {
        let mut counts: Vec<SourceCount> =
            self.sources.iter().map(|name| SourceCount { name: name.clone(), documents: 0, tokens: 0, text_bytes: 0 }).collect();
        let (section, records) = self.section(kind::DOC_META)?;
        for (index, record) in records.chunks_exact(META_BYTES as usize).enumerate() {
            let bad = |field: u64, detail: &str| {
                let offset = section.offset + index as u64 * META_BYTES + field;
                Error::corrupt(&self.path, offset, detail)
            };
            let count = counts.get_mut(u32_at(record, 0) as usize).ok_or_else(|| bad(0, "a source that the shard does not list"))?;
            let tokens = self.token_range(index as u64)?;
            count.documents += 1;
            count.tokens += tokens.end - tokens.start;
            count.text_bytes = count.text_bytes.checked_add(u64_at(record, 8)).ok_or_else(|| bad(8, "text bytes overflow"))?;
        }
        Ok(counts)
    }
}

/// Ids of 2 or 4 bytes each.
fn append_ids(bytes: &[u8], width: usize, out: &mut Vec<u32>) {
    if width == 2 {
        let pairs = bytes.chunks_exact(2);
        out.extend(pairs.map(|pair| u32::from(u16::from_le_bytes([pair[0], pair[1]]))));
    } else {
        out.extend(bytes.chunks_exact(4).map(|four| u32_at(four, 0)));
    }
}
