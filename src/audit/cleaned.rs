//! What `clean` left of a part: its documents, rejects and table, read side by side.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::path::Path;

use corpora::{JsonlReader, Part};
use serde::de::DeserializeOwned;

use super::ledger::Ledger;
use super::rows::Rows;
use super::survivors::Survivors;
use crate::error::Result;
use crate::layout;
use crate::record::{Count, Duplicate, Kept, PartStats, Rejected};
use crate::table::{Row, each_row};

/// The kept documents of a part as they were counted.
pub(super) struct Cleaned {
    pub(super) kept: Count,
    pub(super) rows: Rows,
}

/// Each row of the input is exactly one of kept, rejected, unreadable; the table says the same of it; and
/// the counts of the part are those of its rows.
pub(super) fn cleaned_ledger(
    folder: &Path,
    part: &Part,
    stats: &PartStats,
    survivors: &Survivors,
    ledger: &mut Ledger<'_>,
) -> Result<Cleaned> {
    let name = &part.name;
    let table = layout::table(name);
    let columns = corpora::table::columns(&folder.join(&table))?;
    let metrics: Vec<&str> = columns.iter().filter_map(|column| column.strip_prefix("metrics.")).collect();
    let mut documents = lines::<Kept>(folder, &layout::documents(name))?;
    let mut rejects = lines::<Rejected>(folder, &layout::rejects(name))?;
    let mut duplicates = lines::<Duplicate>(folder, &layout::duplicates(name))?;
    let mut all = Sums { rows: Rows::new(stats.input.documents), kept_rows: Rows::new(stats.input.documents), ..Sums::default() };
    let (mut listed, mut wrong) = (0, Wrong::default());
    let (mut renamed, mut misnamed) = (Wrong::default(), Wrong::default());
    each_row(folder, part, &metrics, &mut |row| {
        // In row order, so that a line of an earlier row than the table's is one too many.
        let kept = documents.next_if(|line| line.as_ref().map_or(true, |kept| kept.row <= row.row)).transpose()?;
        let rejected = rejects.next_if(|line| line.as_ref().map_or(true, |line| line.row <= row.row)).transpose()?;
        let same = match (&kept, &rejected) {
            (Some(kept), None) => is_kept(row, kept, stats, &metrics),
            (None, Some(rejected)) => is_rejected(row, rejected, stats, &metrics),
            _ => false,
        };
        wrong.unless(same && row.row == listed, row.row);
        listed += 1;
        if let Some(kept) = &kept {
            all.keep(kept);
            let duplicate = duplicates.next_if(|line| line.as_ref().map_or(true, |line| line.row <= kept.row)).transpose()?;
            renamed.unless(duplicate.is_none_or(|line| line.row != kept.row || line.id == kept.id), kept.row);
            misnamed.unless(survivors.names(name, kept.row, &kept.id), kept.row);
        }
        rejected.iter().for_each(|rejected| all.reject(rejected));
        Ok(())
    })?;
    for kept in documents {
        let kept = kept?;
        wrong.unless(false, kept.row);
        all.keep(&kept);
    }
    for rejected in rejects {
        let rejected = rejected?;
        wrong.unless(false, rejected.row);
        all.reject(&rejected);
    }
    wrong.check(ledger, |rows| format!("{table}: {rows} not as documents and rejects say"));
    renamed.check(ledger, |rows| format!("{}: {rows} listed under another id", layout::duplicates(name)));
    misnamed.check(ledger, |rows| format!("{name}: {rows} named otherwise by the duplicates of it"));
    ledger.equal(&format!("{table}: rows"), &listed, &stats.input.documents);
    ledger.check(all.rows.complete(), || {
        format!("{name}: the rows of documents and rejects are not 0 to {}, each once", stats.input.documents)
    });
    ledger.equal(&format!("{name}: kept documents"), &all.kept.documents, &stats.kept.documents);
    ledger.equal(&format!("{name}: kept bytes"), &all.kept.bytes, &stats.text_bytes);
    ledger.equal(&format!("{name}: unreadable rows"), &all.unreadable, &stats.unreadable);
    let rejected = stats.rejected.iter().map(|(rule, count)| (rule.clone(), count.documents)).collect();
    ledger.equal(&format!("{name}: rejects by rule"), &all.rejected, &rejected);
    Ok(Cleaned { kept: all.kept, rows: all.kept_rows })
}

/// What was counted of a part.
#[derive(Default)]
struct Sums {
    rows: Rows,
    kept_rows: Rows,
    kept: Count,
    rejected: BTreeMap<String, u64>,
    unreadable: u64,
}

impl Sums {
    fn keep(&mut self, kept: &Kept) {
        self.rows.add(kept.row);
        self.kept_rows.add(kept.row);
        self.kept.add(kept.text.len() as u64);
    }

    fn reject(&mut self, rejected: &Rejected) {
        self.rows.add(rejected.row);
        if rejected.is_unreadable() {
            self.unreadable += 1;
        } else {
            *self.rejected.entry(rejected.reason.rule.clone()).or_default() += 1;
        }
    }
}

/// Rows of which something does not hold: one fault for all of them.
#[derive(Default)]
struct Wrong {
    rows: u64,
    first: u64,
}

impl Wrong {
    fn unless(&mut self, holds: bool, row: u64) {
        if !holds {
            self.first = if self.rows == 0 { row } else { self.first };
            self.rows += 1;
        }
    }

    fn check(&self, ledger: &mut Ledger<'_>, fault: impl FnOnce(String) -> String) {
        ledger.check(self.rows == 0, || {
            let first = self.first;
            fault(if self.rows == 1 { format!("row {first} is") } else { format!("{} rows, the first of them {first}, are", self.rows) })
        });
    }
}

fn is_kept(row: &Row<'_>, kept: &Kept, stats: &PartStats, metrics: &[&str]) -> bool {
    (row.outcome, row.rule, row.row, row.id) == ("kept", None, kept.row, kept.id.as_str())
        && (&kept.source, &kept.bucket) == (&stats.source, &stats.bucket)
        && row.chars == kept.text.chars().count() as u64
        && are_measured(row, metrics, &kept.metrics)
}

fn is_rejected(row: &Row<'_>, rejected: &Rejected, stats: &PartStats, metrics: &[&str]) -> bool {
    let Rejected { row: number, reason, id, text, source, bucket, metrics: measured, .. } = rejected;
    if (source, bucket) != (&stats.source, &stats.bucket) {
        return false;
    }
    if rejected.is_unreadable() {
        return (row.outcome, row.rule, row.row) == ("unreadable", None, *number);
    }
    (row.outcome, row.rule, row.row, row.id) == ("rejected", Some(reason.rule.as_str()), *number, id.as_str())
        && row.value.is_some_and(|value| is_same(value, reason.value))
        && row.threshold.is_some_and(|limit| is_same(limit, reason.threshold))
        && row.chars == text.chars().count() as u64
        && are_measured(row, metrics, measured)
}

fn are_measured(row: &Row<'_>, names: &[&str], measured: &BTreeMap<String, f64>) -> bool {
    let there = names.iter().zip(row.metrics).filter_map(|(name, value)| Some((*name, (*value)?)));
    let mut count = 0;
    let same = there.inspect(|_| count += 1).all(|(name, value)| measured.get(name).is_some_and(|other| is_same(value, *other)));
    same && count == measured.len()
}

/// JSON's numbers can come back as the next float.
fn is_same(left: f64, right: f64) -> bool {
    left == right || (left - right).abs() <= 1e-12 * left.abs()
}

fn lines<T: DeserializeOwned>(folder: &Path, file: &str) -> Result<Peekable<JsonlReader<T>>> {
    Ok(JsonlReader::open(&folder.join(file))?.peekable())
}
