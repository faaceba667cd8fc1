//! Checks every byte of a shard against its checksums and locates damage.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::header::{HEADER_BYTES, JUDGED_BYTES, META_BYTES, kind, u32_at, u64_at};
use crate::reader::ShardReader;
use crate::writer::id_hash;

impl ShardReader {
    /// Recomputes all hashes, those of what has been read before too, and relations between sections: tokens first, then
    /// tables, then what they say of each other. The first damage met is reported with its byte offset, the same on
    /// any number of threads.
    pub fn verify(&self) -> Result<()> {
        self.verify_tokens()?;
        self.verify_tables()?;
        self.verify_documents()
    }

    fn verify_tokens(&self) -> Result<()> {
        self.check_block_hashes()?;
        let blocks = self.header.section(kind::BLOCK_HASH, &self.path)?.items;
        (0..blocks).into_par_iter().find_map_first(|index| self.check_block(index).err()).map_or(Ok(()), Err)
    }

    fn verify_tables(&self) -> Result<()> {
        let mut end = HEADER_BYTES as u64;
        for section in &self.header.sections {
            let gap = &self.map[end as usize..section.offset as usize];
            if let Some(at) = gap.iter().position(|&byte| byte != 0) {
                let detail = "padding between sections is not zero";
                return Err(Error::corrupt(&self.path, end + at as u64, detail));
            }
            end = section.offset + section.bytes;
            if section.kind == kind::TOKENS {
                continue; // its hash stands for the block hashes, checked with the blocks
            }
            self.compare(section)?;
        }
        Ok(())
    }

    fn verify_documents(&self) -> Result<()> {
        self.strings(kind::SOURCES)?.check()?;
        self.strings(kind::IDS)?.check()?;
        let (records, meta) = self.section(kind::DOC_META)?;
        let mut last = Vec::with_capacity(1);
        for index in 0..self.len() {
            let document = self.document(index)?;
            let record = index * META_BYTES;
            if u32_at(meta, record as usize + 4) != 0 {
                let detail = format!("the record of document {index} is not zero where nothing is stored");
                return Err(Error::corrupt(&self.path, records.offset + record + 4, detail));
            }
            if document.id_hash != id_hash(document.id) {
                let offset = records.offset + record + 16;
                let detail = format!("document {index} has another id than its record");
                return Err(Error::corrupt(&self.path, offset, detail));
            }
            last.clear();
            self.tokens(document.tokens.end - 1..document.tokens.end, &mut last)?;
            if last != [self.header.eos] {
                let detail = format!("document {index} does not end with the end token");
                return Err(Error::corrupt(&self.path, self.place(document.tokens.end - 1)?, detail));
            }
        }
        let counts = self.source_counts()?;
        let text = counts.iter().try_fold(0u64, |sum, count| sum.checked_add(count.text_bytes));
        if text != Some(self.header.text_bytes) {
            let detail = "text bytes of the documents and of the header differ";
            return Err(Error::corrupt(&self.path, 72, detail));
        }
        self.verify_loss()
    }

    fn verify_loss(&self) -> Result<()> {
        let Some(section) = self.header.find(kind::LOSS) else {
            return Ok(());
        };
        let ends = self.bytes(section);
        let (first, last) = (u64_at(ends, 0), u64_at(ends, self.len() as usize * 8));
        if first != 0 || last != section.items {
            let place = if first != 0 { 0 } else { self.len() * 8 };
            let detail = format!("loss spans from {first} to {last} of {}", section.items);
            return Err(Error::corrupt(&self.path, section.offset + place, detail));
        }
        (0..self.len()).try_for_each(|index| self.loss_spans(index).map(drop))?;
        self.verify_judged()
    }

    fn verify_judged(&self) -> Result<()> {
        let Some(section) = self.header.find(kind::JUDGED) else { return Ok(()) };
        let mut tokens = Vec::new();
        for index in 0..self.len() {
            let (Some(judged), Some(spans)) = (self.judged(index)?, self.loss_spans(index)?) else { continue };
            tokens.clear();
            self.tokens(self.token_range(index)?, &mut tokens)?;
            if let Some(detail) = judged.refuse(&tokens, self.header.eos, &spans) {
                return Err(Error::corrupt(&self.path, section.offset + index * JUDGED_BYTES, format!("document {index}: {detail}")));
            }
        }
        Ok(())
    }
}
