//! What stayed in the place of duplicates: nothing is dropped in favour of something that is not there.

use std::collections::BTreeMap;
use std::path::Path;

use corpora::{JsonlReader, Part};
use xxhash_rust::xxh3::xxh3_64;

use super::ledger::{Ledger, Totals};
use crate::error::Result;
use crate::layout;
use crate::record::{Duplicate, Stands};

/// Ids that duplicates name as those of the documents that stay, as hashes by part and row: about 50
/// bytes for each cluster.
#[derive(Default)]
pub(super) struct Survivors {
    ids: BTreeMap<String, BTreeMap<u64, u64>>,
}

impl Survivors {
    /// Reads the duplicates of all parts; two that name one row must name one id.
    pub(super) fn read(folder: &Path, parts: &[Part], ledger: &mut Ledger<'_>) -> Self {
        let mut all = Self::default();
        for part in parts {
            // A part without this file is told of where its own ledger is checked.
            let Ok(lines) = JsonlReader::<Duplicate>::open(&folder.join(layout::duplicates(&part.name))) else { continue };
            for Duplicate { row, of, of_part, of_row, of_run, .. } in lines.map_while(Result::ok) {
                // What is there already is not in this run.
                if of_run.is_some() {
                    continue;
                }
                let id = xxh3_64(of.as_bytes());
                let named = *all.ids.entry(of_part).or_default().entry(of_row).or_insert(id);
                ledger.check(named == id, || {
                    format!("{}: row {row} is a duplicate of `{of}`, but others in its place name another", part.name)
                });
            }
        }
        all
    }

    /// Whether the document in this row has the id by which its duplicates name it.
    pub(super) fn names(&self, part: &str, row: u64, id: &str) -> bool {
        self.ids.get(part).and_then(|rows| rows.get(&row)).is_none_or(|named| *named == xxh3_64(id.as_bytes()))
    }
}

/// Each duplicate of a part is one of a document that is encoded.
pub(super) fn survivors_ledger(folder: &Path, part: &Part, totals: &Totals, clusters: &mut Sizes, ledger: &mut Ledger<'_>) -> Result<()> {
    for line in JsonlReader::<Duplicate>::open(&folder.join(layout::duplicates(&part.name)))? {
        let Duplicate { row, of, of_part, of_row, of_run, .. } = line?;
        // What is there already is not encoded here.
        if of_run.is_some() {
            continue;
        }
        ledger.check(totals.encoded_rows.get(&of_part).is_some_and(|rows| rows.contains(of_row)), || {
            format!("{}: row {row} is a duplicate of `{of}`, row {of_row} of {of_part}, which is not encoded", part.name)
        });
        *clusters.entry((of_part, of_row)).or_insert(1) += 1;
    }
    Ok(())
}

/// Sizes of the clusters of this run, by part and row of the document that stays.
pub(super) type Sizes = BTreeMap<(String, u64), u64>;

/// The documents that stay for others are those that have duplicates, each for itself and these.
pub(super) fn clusters_ledger(folder: &Path, part: &Part, clusters: &Sizes, ledger: &mut Ledger<'_>) -> Result<()> {
    let file = layout::clusters(&part.name);
    let listed = JsonlReader::<Stands>::open(&folder.join(&file))?.collect::<Result<Vec<_>, _>>()?;
    let counted = clusters.range((part.name.clone(), 0)..=(part.name.clone(), u64::MAX));
    let counted: Vec<Stands> = counted.map(|((_, row), documents)| Stands { row: *row, documents: *documents }).collect();
    ledger.check(listed == counted, || format!("{file}: not the clusters that the duplicates of all parts make"));
    Ok(())
}
