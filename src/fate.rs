//! What deduplication made of the documents that passed the filters: the one place that says it.

use std::collections::BTreeMap;
use std::path::Path;

use corpora::JsonlReader;

use crate::error::Result;
use crate::layout;
use crate::record::Duplicate;
use crate::stage::tokenize::Unique;

/// The kept documents of a part that are not encoded, by row: duplicates, and those of which no line or
/// passage is left.
#[derive(Debug, Default)]
pub(crate) struct Fates {
    duplicates: BTreeMap<u64, Duplicate>,
    emptied: BTreeMap<u64, &'static str>,
}

impl Fates {
    /// Of the part with this name; nothing before deduplication. Reads the documents only where lines or
    /// passages were looked for.
    pub(crate) fn of(folder: &Path, part: &str) -> Result<Self> {
        let duplicates = folder.join(layout::duplicates(part));
        if !duplicates.exists() {
            return Ok(Self::default());
        }
        let duplicates = JsonlReader::<Duplicate>::open(&duplicates)?.map(|line| line.map(|line| (line.row, line)));
        let duplicates = duplicates.collect::<Result<_, _>>()?;
        let mut emptied = BTreeMap::new();
        if [layout::trimmed(part), layout::passages(part)].iter().any(|file| folder.join(file).exists()) {
            let mut unique = Unique::open(folder, part)?;
            unique.by_ref().try_for_each(|document| document.map(drop))?;
            emptied = unique.emptied;
        }
        Ok(Self { duplicates, emptied })
    }

    /// Of what the document in this row is a duplicate.
    pub(crate) fn duplicate(&self, row: u64) -> Option<&Duplicate> {
        self.duplicates.get(&row)
    }

    /// The same for people, with similarity and the document that stayed.
    pub(crate) fn why(&self, row: u64) -> Option<String> {
        let told = |duplicate: &Duplicate| format!("{} {:.3} of {}", duplicate.kind, duplicate.similarity, duplicate.of);
        let emptied = |kind: &&str| format!("nothing is left of it after {kind}");
        self.duplicates.get(&row).map(told).or_else(|| self.emptied.get(&row).map(emptied))
    }

    /// What dropped the document in this row, as rules are named: `dedup/` and the kind under which the
    /// report counts it. None for one that is encoded.
    pub(crate) fn dropped(&self, row: u64) -> Option<String> {
        let kind = self.duplicates.get(&row).map(|duplicate| duplicate.kind.to_string());
        let kind = kind.or_else(|| self.emptied.get(&row).map(|kind| (*kind).to_owned()));
        kind.map(|kind| format!("dedup/{kind}"))
    }
}
