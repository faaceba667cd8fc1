//! All signature files of a deduplication, and the order that decides which document stays.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::config::DedupConfig;
use super::error::{Error, Result};
use super::sealed::u64_at;
use super::signature_file::{SignatureReader, SignatureRecord};
use super::spill::Record;

/// A part and its signature file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartSignatures {
    /// Name of the part: its duplicates go to `NAME.jsonl.zst`.
    pub name: String,
    /// Its signature file.
    pub path: PathBuf,
    /// The run that it is of, if another one: its documents stay, and nothing is written about them.
    pub run: Option<String>,
}

/// A document: index of its part in the upper half, of its record in the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Address(pub(super) u64);

impl Address {
    pub(super) fn new(part: u32, index: u32) -> Self {
        Self(u64::from(part) << 32 | u64::from(index))
    }

    pub(super) fn part(self) -> usize {
        (self.0 >> 32) as usize
    }

    pub(super) fn index(self) -> u64 {
        self.0 & 0xffff_ffff
    }
}

/// The signature files of all parts, checked to be of one configuration; blocks of records are
/// checked when they are first needed.
///
/// Every stage call of one deduplication must see the same parts in the same order.
#[derive(Debug)]
pub struct SignatureSet {
    parts: Vec<(PartSignatures, SignatureReader)>,
    identity: u64,
}

impl SignatureSet {
    /// Opens the files.
    ///
    /// # Errors
    /// If one is missing, damaged or of other settings, or if names repeat or leave their folder.
    pub fn open(parts: &[PartSignatures], config: &DedupConfig) -> Result<Self> {
        config.validate()?;
        let mut names = BTreeSet::new();
        for part in parts {
            let inside = Path::new(&part.name).components().all(|component| matches!(component, Component::Normal(_)));
            if part.name.is_empty() || !inside {
                return Err(Error::Input(format!("`{}` is no name of a part: it must be a relative path", part.name)));
            }
            if !names.insert((&part.run, &part.name)) {
                return Err(Error::Input(format!("two parts are named `{}`", part.name)));
            }
        }
        if u32::try_from(parts.len()).is_err() {
            return Err(Error::Input(format!("{} parts are too many", parts.len())));
        }
        let parts: Vec<_> = parts.iter().map(|part| Ok((part.clone(), open_for(&part.path, config)?))).collect::<Result<_>>()?;
        let identities: Vec<u8> = parts.iter().flat_map(|(_, reader)| reader.identity().to_le_bytes()).collect();
        Ok(Self { identity: xxh3_64(&identities), parts })
    }

    /// Number of documents in parts that are of no other run.
    #[must_use]
    pub fn own_documents(&self) -> u64 {
        self.parts.iter().filter(|(part, _)| part.run.is_none()).map(|(_, reader)| reader.len()).sum()
    }

    /// Number of documents in all parts.
    #[must_use]
    pub fn documents(&self) -> u64 {
        self.parts.iter().map(|(_, reader)| reader.len()).sum()
    }

    /// Number of parts.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Number of parts that are of no other run.
    pub(super) fn own_parts(&self) -> u32 {
        self.parts.iter().filter(|(part, _)| part.run.is_none()).count() as u32
    }

    pub(super) fn part(&self, part: usize) -> Option<&(PartSignatures, SignatureReader)> {
        self.parts.get(part)
    }

    pub(super) fn reader(&self, part: usize) -> Option<&SignatureReader> {
        self.parts.get(part).map(|(_, reader)| reader)
    }

    pub(super) fn name(&self, part: usize) -> &str {
        self.parts.get(part).map_or("", |(part, _)| &part.name)
    }

    /// The other run that a part is of.
    pub(super) fn run(&self, part: usize) -> Option<&str> {
        self.parts.get(part).and_then(|(part, _)| part.run.as_deref())
    }

    /// Hash of all contents in order.
    pub(super) fn identity(&self) -> u64 {
        self.identity
    }

    pub(super) fn record(&self, at: Address) -> Result<SignatureRecord<'_>> {
        let reader = self.reader(at.part()).ok_or_else(|| Error::Input(format!("there is no part {}", at.part())))?;
        reader.record(at.index())
    }

    pub(super) fn rank(&self, at: Address) -> Result<Rank<'_>> {
        let rank = Rank::of(&self.record(at)?, at)?;
        Ok(Rank { new: self.run(at.part()).is_none(), ..rank })
    }
}

/// Opens a signature file that must be of these settings.
pub(super) fn open_for(path: &Path, config: &DedupConfig) -> Result<SignatureReader> {
    let reader = SignatureReader::open_lazily(path)?;
    if !reader.is_of(config) {
        return Err(Error::mismatch(path, "the signatures were made with other settings"));
    }
    Ok(reader)
}

/// What decides which document stays; the smallest does. Total: no two documents are equal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rank<'a> {
    /// Of this run; those of other runs stay.
    new: bool,
    priority: u32,
    quality: f32,
    bytes: u64,
    id: &'a str,
    pub(super) at: Address,
}

impl<'a> Rank<'a> {
    pub(super) fn of(record: &SignatureRecord<'a>, at: Address) -> Result<Self> {
        Ok(Self { new: true, priority: record.priority(), quality: record.quality(), bytes: record.bytes(), id: record.id()?, at })
    }

    pub(super) fn id(&self) -> &'a str {
        self.id
    }
}

impl Ord for Rank<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.new
            .cmp(&other.new)
            .then_with(|| self.priority.cmp(&other.priority))
            .then_with(|| other.quality.total_cmp(&self.quality))
            .then_with(|| other.bytes.cmp(&self.bytes))
            .then_with(|| self.id.cmp(other.id))
            .then_with(|| self.at.cmp(&other.at))
    }
}

/// Stored is the address alone: everything else is in the signatures.
impl<'a> Record for Rank<'a> {
    type Bytes = [u8; 8];
    type Source = &'a SignatureSet;

    fn bytes(&self) -> [u8; 8] {
        self.at.0.to_le_bytes()
    }

    fn read(bytes: &[u8], source: &'a SignatureSet) -> Result<Self> {
        source.rank(Address(u64_at(bytes, 0)))
    }
}

impl PartialOrd for Rank<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rank<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Rank<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_decides_in_its_turn() {
        let best = Rank { new: false, priority: 1, quality: 0.5, bytes: 10, id: "b", at: Address::new(0, 7) };
        let worse = [
            Rank { new: true, priority: 0, quality: 9.0, bytes: 99, id: "a", at: Address::new(0, 0) },
            Rank { priority: 2, quality: 9.0, bytes: 99, id: "a", at: Address::new(0, 0), ..best },
            Rank { quality: 0.4, bytes: 99, id: "a", ..best },
            Rank { bytes: 9, id: "a", ..best },
            Rank { id: "c", at: Address::new(0, 0), ..best },
            Rank { at: Address::new(1, 0), ..best },
        ];
        for rank in worse {
            assert!(best < rank, "{rank:?}");
        }
        assert_eq!((Address::new(3, 5).part(), Address::new(3, 5).index()), (3, 5));
    }
}
