//! Checks a decoded header: its numbers against each other, its sections against the file.

use std::path::Path;

use crate::error::{Error, Result};
use crate::header::{
    CONTENT_HASH_BYTES, ENTRY_BYTES, HEADER_BYTES, Header, JUDGED_BYTES, META_BYTES, Section, TABLE, align, kind, width_for,
};
use crate::info::Compression;

impl Header {
    /// Numbers that hold without looking at the sections.
    pub(crate) fn check_numbers(&self, file_bytes: u64, path: &Path) -> Result<()> {
        let bad = |offset, detail: String| Err(Error::corrupt(path, offset, detail));
        if self.file_bytes != file_bytes {
            let promised = self.file_bytes;
            return bad(file_bytes.min(promised), format!("the file has {file_bytes} bytes, its header says {promised}"));
        }
        if self.eos >= self.vocab_size {
            let (eos, size) = (self.eos, self.vocab_size);
            return bad(if size == 0 { 88 } else { 92 }, format!("end token {eos} in a vocabulary of {size}"));
        }
        if self.width != width_for(self.vocab_size) {
            return bad(48, format!("{} bytes per token", self.width));
        }
        if self.documents > self.tokens {
            let (documents, tokens) = (self.documents, self.tokens);
            return bad(64, format!("{documents} documents in {tokens} tokens"));
        }
        Ok(())
    }

    /// Sections follow each other without gaps or overlap and end with the file.
    pub(crate) fn check_layout(&self, path: &Path) -> Result<()> {
        let mut end = HEADER_BYTES as u64;
        for (index, section) in self.sections.iter().enumerate() {
            let row = (TABLE + index * ENTRY_BYTES) as u64;
            let bad = |field: u64, detail: String| Err(Error::corrupt(path, row + field, detail));
            let kind = section.kind;
            if self.sections[..index].iter().any(|other| other.kind == kind) {
                return bad(0, format!("section {kind} is listed twice"));
            }
            if align(end) != Some(section.offset) {
                return bad(8, format!("section {kind} starts at {}", section.offset));
            }
            match section.offset.checked_add(section.bytes) {
                Some(next) if next <= self.file_bytes => end = next,
                _ => return bad(16, format!("section {kind} reaches past the end of the file")),
            }
        }
        if end != self.file_bytes {
            return Err(Error::corrupt(path, end, "bytes after the last section"));
        }
        Ok(())
    }

    /// The sections that must be there are, with as many bytes as their elements take.
    pub(crate) fn check_sizes(&self, path: &Path) -> Result<()> {
        let token_bytes = self.tokens.checked_mul(u64::from(self.width));
        let blocks = token_bytes.map(|bytes| bytes.div_ceil(self.block_bytes()));
        let ends = self.documents.checked_add(1);
        let index = ends.and_then(|n| n.checked_mul(8));
        // How long compressed tokens are is for their blocks to say.
        let packed = self.compression == Compression::Zstd;
        let stored = if packed { Some(self.section(kind::TOKENS, path)?.bytes) } else { token_bytes };
        let exact = [
            (kind::TOKENS, Some(self.tokens), stored),
            (kind::DOC_ENDS, ends, index),
            (kind::DOC_META, Some(self.documents), self.documents.checked_mul(META_BYTES)),
            (kind::BLOCK_HASH, blocks, blocks.and_then(|n| n.checked_mul(32))),
        ];
        let block_ends = blocks.and_then(|n| n.checked_add(1));
        let more = packed.then_some((kind::BLOCK_ENDS, block_ends, block_ends.and_then(|n| n.checked_mul(8))));
        for (kind, items, bytes) in exact.into_iter().chain(more) {
            let section = self.section(kind, path)?;
            self.agree(section, Some(section.items) == items, Some(section.bytes) == bytes, path)?;
        }
        let strings = |section: &Section| section.items.checked_add(1)?.checked_mul(8).filter(|&least| least <= section.bytes);
        let (ids, sources) = (self.section(kind::IDS, path)?, self.section(kind::SOURCES, path)?);
        self.agree(ids, ids.items == self.documents, strings(ids).is_some(), path)?;
        self.agree(sources, true, strings(sources).is_some(), path)?;
        if let Some(judged) = self.find(kind::JUDGED) {
            if self.find(kind::LOSS).is_none() {
                return Err(Error::corrupt(path, self.row(kind::JUDGED), "judged answers without loss spans"));
            }
            let bytes = self.documents.checked_mul(JUDGED_BYTES);
            self.agree(judged, judged.items == self.documents, Some(judged.bytes) == bytes, path)?;
        }
        if let Some(hashes) = self.find(kind::CONTENT_HASH) {
            let bytes = self.documents.checked_mul(CONTENT_HASH_BYTES);
            self.agree(hashes, hashes.items == self.documents, Some(hashes.bytes) == bytes, path)?;
        }
        if let Some(loss) = self.find(kind::LOSS) {
            let whole = index.zip(loss.items.checked_mul(8)).and_then(|(index, spans)| index.checked_add(spans));
            self.agree(loss, true, whole == Some(loss.bytes), path)?;
        }
        Ok(())
    }

    /// An error at the field of the section's row that is wrong.
    fn agree(&self, section: &Section, items: bool, bytes: bool, path: &Path) -> Result<()> {
        let Section { kind, items: count, bytes: length, .. } = section;
        let detail = format!("section {kind} has {count} items in {length} bytes");
        match (items, bytes) {
            (false, _) => Err(Error::corrupt(path, self.row(*kind) + 24, detail)),
            (true, false) => Err(Error::corrupt(path, self.row(*kind) + 16, detail)),
            (true, true) => Ok(()),
        }
    }
}
