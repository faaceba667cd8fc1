//! Edges: pairs of documents that were found alike, and the file of those of one partition.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::sealed::{Label, SealedFile, SealedWriter, u32_at, u64_at};
use super::set::Address;

const MAGIC: &[u8; 8] = b"MALMOIED";
const SIZE: usize = 24;
const SECTION: u64 = 1 << 15;

/// How two documents were found alike, the strictest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The same normalised text.
    Exact,
    /// Enough equal MinHash values.
    Minhash,
    /// Few enough different SimHash bits.
    Simhash,
    /// The same normalised address.
    Url,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Exact, Self::Minhash, Self::Simhash, Self::Url];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Exact => "exact",
            Self::Minhash => "minhash",
            Self::Simhash => "simhash",
            Self::Url => "url",
        })
    }
}

/// Two documents that are alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Edge {
    pub(super) a: Address,
    pub(super) b: Address,
    pub(super) kind: Kind,
    /// Estimated Jaccard similarity, share of equal SimHash bits, or 1 for the same text or address.
    pub(super) similarity: f32,
}

/// Writes the edges of a partition.
pub(super) struct EdgeWriter {
    file: SealedWriter,
    edges: u64,
}

impl EdgeWriter {
    pub(super) fn create(path: &Path) -> Result<Self> {
        Ok(Self { file: SealedWriter::create(path, MAGIC)?, edges: 0 })
    }

    pub(super) fn push(&mut self, edge: &Edge) -> Result<()> {
        let mut bytes = [0; SIZE];
        bytes[..8].copy_from_slice(&edge.a.0.to_le_bytes());
        bytes[8..16].copy_from_slice(&edge.b.0.to_le_bytes());
        bytes[16..20].copy_from_slice(&(edge.kind as u32).to_le_bytes());
        bytes[20..].copy_from_slice(&edge.similarity.to_le_bytes());
        self.file.write(&bytes)?;
        self.edges += 1;
        if self.edges.is_multiple_of(SECTION) {
            self.file.end_section();
        }
        Ok(())
    }

    pub(super) fn finish(mut self, label: Label) -> Result<()> {
        self.file.end_section();
        self.file.finish(label, self.edges)
    }
}

/// The edges of a partition.
pub(super) struct EdgeFile(SealedFile);

impl EdgeFile {
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self(SealedFile::open(path, MAGIC, "edge file")?))
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

    /// Gives every edge to `use_edge`, in the order written.
    pub(super) fn each(&self, mut use_edge: impl FnMut(Edge) -> Result<()>) -> Result<()> {
        for section in 0..self.0.sections() {
            let bytes = self.0.section(section)?;
            let (at, length) = self.0.span(section);
            if length % SIZE != 0 {
                return Err(Error::format(self.path(), at as u64, "a section ends within an edge"));
            }
            for (number, edge) in bytes.chunks_exact(SIZE).enumerate() {
                let kind = Kind::ALL.get(u32_at(edge, 16) as usize).copied();
                let kind = kind.ok_or_else(|| Error::format(self.path(), (at + number * SIZE + 16) as u64, "unknown kind of edge"))?;
                let similarity = f32::from_bits(u32_at(edge, 20));
                use_edge(Edge { a: Address(u64_at(edge, 0)), b: Address(u64_at(edge, 8)), kind, similarity })?;
            }
        }
        Ok(())
    }
}
