//! The file of one part's keys, sorted by partition.
//!
//! Two sections for each partition: keys sorted by key then index (key u128, index u32), and links
//! (index u32, better copy u32, kind u32) of documents whose text stands again in the part.

use std::path::Path;

use super::edge::Kind;
use super::error::{Error, Result};
use super::key::Key;
use super::sealed::{Label, SealedFile, SealedWriter, u32_at, u128_at};

const MAGIC: &[u8; 8] = b"MALMOISC";
/// Bytes of a stored key.
pub(super) const KEY: usize = 20;
const LINK: usize = 12;

/// Two documents of a part with the same text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) best: u32,
    pub(super) kind: Kind,
}

/// Writes the partitions in order: keys, then links, of each.
pub(super) struct ScatterWriter {
    file: SealedWriter,
    keys: u64,
}

impl ScatterWriter {
    pub(super) fn create(path: &Path) -> Result<Self> {
        Ok(Self { file: SealedWriter::create(path, MAGIC)?, keys: 0 })
    }

    pub(super) fn key(&mut self, key: Key, index: u32) -> Result<()> {
        let mut bytes = [0; KEY];
        bytes[..16].copy_from_slice(&key.0.to_le_bytes());
        bytes[16..].copy_from_slice(&index.to_le_bytes());
        self.keys += 1;
        self.file.write(&bytes)
    }

    pub(super) fn end_partition(&mut self, links: &[Link]) -> Result<()> {
        self.file.end_section();
        for link in links {
            let mut bytes = [0; LINK];
            bytes[..4].copy_from_slice(&link.index.to_le_bytes());
            bytes[4..8].copy_from_slice(&link.best.to_le_bytes());
            bytes[8..].copy_from_slice(&(link.kind as u32).to_le_bytes());
            self.file.write(&bytes)?;
        }
        self.file.end_section();
        Ok(())
    }

    pub(super) fn finish(self, label: Label) -> Result<()> {
        self.file.finish(label, self.keys)
    }
}

/// A finished file; the label says the part and the number of partitions.
pub(super) struct ScatterFile(SealedFile);

impl ScatterFile {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = SealedFile::open(path, MAGIC, "scatter file")?;
        if file.sections() as u64 != 2 * u64::from(file.label().of) {
            return Err(Error::format(path, 0, format!("{} partitions in {} sections are impossible", file.label().of, file.sections())));
        }
        Ok(Self(file))
    }

    pub(super) fn label(&self) -> Label {
        self.0.label()
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Reads and checks all of it.
    pub(super) fn check(&self) -> Result<()> {
        self.0.check()
    }

    /// The keys of a partition with their documents, sorted.
    pub(super) fn keys(&self, partition: u32) -> Result<impl Iterator<Item = (Key, u32)>> {
        Ok(self.whole(2 * partition as usize, KEY)?.chunks_exact(KEY).map(|key| (Key(u128_at(key, 0)), u32_at(key, 16))))
    }

    /// The links of a partition.
    pub(super) fn links(&self, partition: u32) -> Result<impl Iterator<Item = Result<Link>>> {
        let links = self.whole(2 * partition as usize + 1, LINK)?.chunks_exact(LINK);
        Ok(links.map(move |link| {
            let kind = Kind::ALL.get(u32_at(link, 8) as usize).copied();
            let kind = kind.ok_or_else(|| Error::format(self.path(), 0, format!("partition {partition} has a link of unknown kind")))?;
            Ok(Link { index: u32_at(link, 0), best: u32_at(link, 4), kind })
        }))
    }

    /// Number of links of all partitions.
    pub(super) fn linked(&self) -> u64 {
        (0..self.0.sections()).skip(1).step_by(2).map(|links| (self.0.span(links).1 / LINK) as u64).sum()
    }

    fn whole(&self, section: usize, size: usize) -> Result<&[u8]> {
        let bytes = self.0.section(section)?;
        if bytes.len() % size == 0 {
            return Ok(bytes);
        }
        let (at, _) = self.0.span(section);
        Err(Error::format(self.path(), at as u64, "a section ends within a record"))
    }
}
