//! The sections of a mapped shard: where each lies, compared with its checksum when it is first read.

use crate::error::{Error, Result};
use crate::header::Section;
use crate::reader::ShardReader;
use crate::strings::Strings;

impl ShardReader {
    /// Row of the table and bytes of a section that every shard has, other than TOKENS.
    pub(crate) fn section(&self, kind: u32) -> Result<(&Section, &[u8])> {
        let section = self.header.section(kind, &self.path)?;
        Ok((section, self.checked(section)?))
    }

    /// The same of a section that not every shard has.
    pub(crate) fn optional(&self, kind: u32) -> Result<Option<(&Section, &[u8])>> {
        self.header.find(kind).map(|section| Ok((section, self.checked(section)?))).transpose()
    }

    /// Bytes of a section, compared with its checksum unless they have been.
    pub(crate) fn checked(&self, section: &Section) -> Result<&[u8]> {
        if !self.tables.has(section.kind.into()) {
            self.compare(section)?;
            self.tables.add(section.kind.into());
        }
        Ok(self.bytes(section))
    }

    /// Compares a section with its checksum. That of TOKENS is one of the hashes of its blocks.
    pub(crate) fn compare(&self, section: &Section) -> Result<()> {
        if section.hash == *blake3::hash(self.bytes(section)).as_bytes() {
            return Ok(());
        }
        Err(Error::corrupt(&self.path, section.offset, format!("section {} differs from its checksum", section.kind)))
    }

    /// Bytes of a section as they are; the header check has put it inside the file.
    pub(crate) fn bytes(&self, section: &Section) -> &[u8] {
        let start = section.offset as usize;
        &self.map[start..start + section.bytes as usize]
    }

    pub(crate) fn strings(&self, kind: u32) -> Result<Strings<'_>> {
        let (section, bytes) = self.section(kind)?;
        Ok(Strings { path: &self.path, offset: section.offset, items: section.items, bytes })
    }
}
