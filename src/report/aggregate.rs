//! Histograms and ranges over the per-document tables of a run, by polars: one row group at a time, so
//! memory is one group whatever the corpus.

use std::collections::BTreeMap;
use std::path::Path;

use corpora::Part;
use polars::prelude::*;

use crate::error::{Error, Result};
use crate::layout;

/// Lower edges of the length bins, in characters: four to a decade.
pub(super) const LENGTH_EDGES: [u64; 25] = [
    0, 10, 18, 32, 56, 100, 178, 316, 562, 1_000, 1_778, 3_162, 5_623, 10_000, 17_783, 31_623, 56_234, 100_000, 177_828, 316_228, 562_341,
    1_000_000, 1_778_279, 3_162_278, 10_000_000,
];

/// The columns that are looked at.
const COLUMNS: [&str; 8] = ["id", "bucket", "outcome", "rule", "value", "threshold", "chars", "lang"];

/// What the tables of a run add up to.
#[derive(Debug, Default)]
pub(super) struct Aggregates {
    /// Kept documents in each length bin, by bucket.
    pub(super) lengths: BTreeMap<String, Vec<u64>>,
    /// Documents (of any outcome that has a text) by language.
    pub(super) languages: BTreeMap<String, u64>,
    /// Values and thresholds of the drops by rule.
    pub(super) rules: BTreeMap<String, Spread>,
}

/// Smallest and largest of what a rule measured and of what it was compared with.
#[derive(Debug)]
pub(super) struct Spread {
    pub(super) values: (f64, f64),
    pub(super) thresholds: (f64, f64),
}

/// Reads the table of every part.
pub(super) fn aggregate(folder: &Path, parts: &[Part]) -> Result<Aggregates> {
    let mut all = Aggregates::default();
    for part in parts {
        let path = folder.join(layout::table(&part.name));
        corpora::table::each_group(&path, &COLUMNS, &mut |frame| {
            add(&mut all, &frame).map_err(|error: PolarsError| Error::new(format!("{}: {error}", path.display())))
        })?;
    }
    Ok(all)
}

fn add(all: &mut Aggregates, frame: &DataFrame) -> PolarsResult<()> {
    let kept = frame.filter(&frame.column("outcome")?.str()?.equal("kept"))?;
    for group in kept.partition_by(["bucket"], true)? {
        let Some(bucket) = group.column("bucket")?.str()?.get(0).map(str::to_owned) else { continue };
        let bins = all.lengths.entry(bucket).or_insert_with(|| vec![0; LENGTH_EDGES.len()]);
        for chars in group.column("chars")?.u64()?.iter().flatten() {
            bins[bin(chars)] += 1;
        }
    }
    let counts = frame.group_by_stable(["lang"])?.select(["id"]).count()?;
    let names = counts.column("lang")?.str()?.clone();
    let documents = counts.column("id_count")?.cast(&DataType::UInt64)?;
    for (name, documents) in names.iter().zip(documents.u64()?.iter()) {
        if let (Some(name), Some(documents)) = (name, documents) {
            *all.languages.entry(name.to_owned()).or_default() += documents;
        }
    }
    let rejected = frame.filter(&frame.column("outcome")?.str()?.equal("rejected"))?;
    if rejected.height() > 0 {
        for group in rejected.partition_by_stable(["rule"], true)? {
            let Some(rule) = group.column("rule")?.str()?.get(0).map(str::to_owned) else { continue };
            let ends = |name: &str| -> PolarsResult<_> {
                let column = group.column(name)?.f64()?;
                Ok(column.min().zip(column.max()))
            };
            let (Some(values), Some(thresholds)) = (ends("value")?, ends("threshold")?) else { continue };
            let spread = all.rules.entry(rule).or_insert(Spread { values, thresholds });
            let wider = |one: (f64, f64), other: (f64, f64)| (one.0.min(other.0), one.1.max(other.1));
            *spread = Spread { values: wider(spread.values, values), thresholds: wider(spread.thresholds, thresholds) };
        }
    }
    Ok(())
}

fn bin(chars: u64) -> usize {
    LENGTH_EDGES.partition_point(|edge| *edge <= chars).saturating_sub(1)
}
