//! The per-document tables of a run, one part at a time: by polars into columns, then row by row.

use std::path::Path;

use corpora::Part;
use polars::prelude::*;

use crate::error::{Error, Result};
use crate::layout;

/// One record of a part's table.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    /// Number of the record in its part.
    pub(crate) row: u64,
    /// Empty for what is unreadable.
    pub(crate) id: &'a str,
    /// `kept`, `rejected` or `unreadable`.
    pub(crate) outcome: &'a str,
    /// What dropped it, what was compared, and with what.
    pub(crate) rule: Option<&'a str>,
    pub(crate) value: Option<f64>,
    pub(crate) threshold: Option<f64>,
    /// Bytes of the text as it was read.
    pub(crate) bytes: u64,
    /// Characters of the text when it was kept or dropped.
    pub(crate) chars: u64,
    /// In the order in which they were asked for.
    pub(crate) metrics: &'a [Option<f64>],
}

const FIXED: [&str; 8] = ["row", "id", "outcome", "rule", "value", "threshold", "bytes", "chars"];

/// Calls `each` on every row of a part, in row order, with the values of these metrics; one that
/// the run did not measure is none.
pub(crate) fn each_row(folder: &Path, part: &Part, metrics: &[&str], each: &mut dyn FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
    let path = folder.join(layout::table(&part.name));
    if !path.exists() {
        return Err(Error::new(format!("part {} is not cleaned yet: {} is not there", part.name, path.display()))
            .hint("run the recipe again: it continues where it stopped"));
    }
    let columns: Vec<String> = metrics.iter().map(|metric| format!("metrics.{metric}")).collect();
    let wanted: Vec<&str> = FIXED.into_iter().chain(columns.iter().map(String::as_str)).collect();
    corpora::table::each_group(&path, &wanted, &mut |mut frame| {
        rows(frame.rechunk_mut(), &columns, each).map_err(|error| Error::new(format!("{}: {error}", path.display())))?
    })
}

fn rows(frame: &DataFrame, metrics: &[String], each: &mut dyn FnMut(&Row<'_>) -> Result<()>) -> PolarsResult<Result<()>> {
    let text = |name: &str| frame.column(name)?.str();
    let number = |name: &str| frame.column(name)?.f64();
    let count = |name: &str| frame.column(name)?.u64();
    let (row, bytes, chars) = (count("row")?, count("bytes")?, count("chars")?);
    let (id, outcome, rule) = (text("id")?, text("outcome")?, text("rule")?);
    let (value, threshold) = (number("value")?, number("threshold")?);
    let there = frame.schema();
    let measured = metrics.iter().map(|name| if there.contains(name) { number(name).map(Some) } else { Ok(None) });
    let measured: Vec<Option<&Float64Chunked>> = measured.collect::<PolarsResult<_>>()?;
    let mut values = vec![None; metrics.len()];
    for at in 0..frame.height() {
        for (value, column) in values.iter_mut().zip(&measured) {
            *value = column.and_then(|column| column.get(at));
        }
        let record = Row {
            row: row.get(at).unwrap_or_default(),
            id: id.get(at).unwrap_or_default(),
            outcome: outcome.get(at).unwrap_or_default(),
            rule: rule.get(at),
            value: value.get(at),
            threshold: threshold.get(at),
            bytes: bytes.get(at).unwrap_or_default(),
            chars: chars.get(at).unwrap_or_default(),
            metrics: &values,
        };
        if let Err(error) = each(&record) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// A few of many, the same few on any machine: those whose ids have the smallest keyed hashes.
#[derive(Debug)]
pub(crate) struct Pick<T> {
    most: usize,
    seed: u64,
    /// By hash, part and row.
    chosen: std::collections::BTreeMap<(u64, usize, u64), T>,
}

impl<T> Pick<T> {
    pub(crate) fn new(most: usize, seed: u64) -> Self {
        Self { most, seed, chosen: std::collections::BTreeMap::new() }
    }

    /// Offers a record; `make` is called when it is among the chosen so far.
    pub(crate) fn offer(&mut self, id: &str, part: usize, row: u64, make: impl FnOnce() -> T) {
        let key = (xxhash_rust::xxh3::xxh3_64_with_seed(id.as_bytes(), self.seed), part, row);
        let full = self.chosen.len() >= self.most;
        if full && self.chosen.last_key_value().is_none_or(|(last, _)| key > *last) {
            return;
        }
        self.chosen.insert(key, make());
        if full {
            self.chosen.pop_last();
        }
    }

    /// The chosen ones in the order of their hashes, with part and row.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ((usize, u64), &T)> {
        self.chosen.iter().map(|((_, part, row), value)| ((*part, *row), value))
    }
}

#[cfg(test)]
mod tests {
    use super::Pick;

    #[test]
    fn the_same_few_are_picked_in_any_order() {
        let pick = |seed: u64, ids: &mut dyn Iterator<Item = u64>| {
            let mut pick = Pick::new(3, seed);
            ids.for_each(|id| pick.offer(&id.to_string(), 0, id, || id));
            pick.iter().map(|(_, id)| *id).collect::<Vec<_>>()
        };
        let forward = pick(1, &mut (0..1000));
        assert_eq!(forward, pick(1, &mut (0..1000).rev()));
        assert_eq!(forward.len(), 3);
        assert_ne!(forward, pick(2, &mut (0..1000)));
        // Every document is as likely: with 1000 seeds, each of 10 is first 100 times, give or take.
        let mut firsts = [0; 10];
        (0..1000).for_each(|seed| firsts[pick(seed, &mut (0..10))[0] as usize] += 1);
        assert!(firsts.iter().all(|times| (60..140).contains(times)), "{firsts:?}");
        assert_eq!(pick(1, &mut (0..2)).len(), 2);
    }
}
