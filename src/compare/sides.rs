//! Which documents of two runs met another fate, found by source and id.
//!
//! Parts need not be the same: records are dealt into passes by a hash of their id, and each
//! pass holds its share of both runs in memory, about [`ROWS_AT_ONCE`] records. An id that occurs
//! several times in a source is matched in the order of the input.

use std::collections::BTreeMap;
use std::path::Path;

use corpora::Part;
use filters::Reason;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::Result;
use crate::fate::Fates;
use crate::recipe::Recipe;
use crate::table::each_row;

/// Records of both runs that one pass holds.
const ROWS_AT_ONCE: u64 = 1 << 20;

/// A run as it is compared.
pub(super) struct Side<'a> {
    pub(super) folder: &'a Path,
    pub(super) recipe: &'a Recipe,
    pub(super) parts: &'a [Part],
}

/// What became of a document: `kept`, a rule, `dedup/KIND`, or `absent`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Fate {
    pub(super) outcome: String,
    /// What was compared, and with what, where a rule did.
    pub(super) value: Option<f64>,
    pub(super) threshold: Option<f64>,
}

impl Fate {
    fn new(outcome: &str) -> Self {
        Self { outcome: outcome.to_owned(), value: None, threshold: None }
    }

    pub(super) fn why(&self) -> String {
        match (self.value, self.threshold) {
            (Some(value), Some(limit)) => reason(&self.outcome, value, limit),
            _ => self.outcome.clone(),
        }
    }
}

/// A rule with what it compared, as reasons are shown. A document fails on the side of the limit where its value is.
pub(crate) fn reason(rule: &str, value: f64, limit: f64) -> String {
    let of = if value < limit { Reason::below } else { Reason::above };
    of(rule, value, limit).to_string()
}

/// A document that met another fate.
#[derive(Debug, Serialize)]
pub(super) struct Changed {
    pub(super) id: String,
    pub(super) source: String,
    pub(super) before: Fate,
    pub(super) after: Fate,
}

/// By source and id; the list has its occurrences in input order.
type Records = BTreeMap<(String, String), Vec<Fate>>;

/// Calls `each` on every document whose outcome differs, sorted by source and id within a pass.
pub(super) fn differences(before: &Side<'_>, after: &Side<'_>, rows: u64, each: &mut dyn FnMut(Changed)) -> Result<()> {
    differences_in(before, after, rows.div_ceil(ROWS_AT_ONCE).max(1), each)
}

fn differences_in(before: &Side<'_>, after: &Side<'_>, passes: u64, each: &mut dyn FnMut(Changed)) -> Result<()> {
    for pass in 0..passes {
        let old = records(before, pass, passes)?;
        let mut new = records(after, pass, passes)?;
        let mut changed: BTreeMap<(String, String), (Vec<Fate>, Vec<Fate>)> = BTreeMap::new();
        for (key, fates) in old {
            let others = new.remove(&key).unwrap_or_default();
            changed.insert(key, (fates, others));
        }
        changed.extend(new.into_iter().map(|(key, fates)| (key, (Vec::new(), fates))));
        for ((source, id), (old, new)) in changed {
            for at in 0..old.len().max(new.len()) {
                let [before, after] = [&old, &new].map(|fates| fates.get(at).cloned().unwrap_or_else(|| Fate::new("absent")));
                if before.outcome != after.outcome {
                    each(Changed { id: id.clone(), source: source.clone(), before, after });
                }
            }
        }
    }
    Ok(())
}

/// The records of a run that belong to a pass; what is unreadable has no id to be found by.
fn records(side: &Side<'_>, pass: u64, passes: u64) -> Result<Records> {
    let mut records = Records::new();
    for part in side.parts {
        let source = side.recipe.sources.get(part.source).map_or("", |source| source.name.as_str());
        let fates = Fates::of(side.folder, &part.name)?;
        each_row(side.folder, part, &[], &mut |row| {
            let share = xxh3_64(row.id.as_bytes()) % passes;
            if row.outcome == "unreadable" || share != pass {
                return Ok(());
            }
            let fate = match row.rule {
                Some(rule) => Fate { outcome: rule.to_owned(), value: row.value, threshold: row.threshold },
                None => Fate::new(fates.dropped(row.row).as_deref().unwrap_or("kept")),
            };
            records.entry((source.to_owned(), row.id.to_owned())).or_default().push(fate);
            Ok(())
        })?;
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use corpora::table::{Outcome, StatsRow, StatsWriter};

    use super::*;
    use crate::layout;

    /// A run of one source with these ids in each part; those that end in `!` were dropped.
    fn run(folder: &Path, parts: &[&[String]]) -> (Recipe, Vec<Part>) {
        let text =
            "output = 'out'\n[[sources]]\nname = 'a'\nbucket = 'web'\nfiles = 'a.jsonl'\nformat = 'jsonl'\n[tokenizer]\nbytes = true\n";
        let metrics = BTreeMap::new();
        let mut made = Vec::new();
        for (index, ids) in parts.iter().enumerate() {
            let part = Part { index, source: 0, name: format!("a-{index:05}"), slices: Vec::new(), bytes: 0 };
            let mut table = StatsWriter::create(&layout::prepare(folder, &layout::table(&part.name)).unwrap(), &[""; 0]).unwrap();
            for (row, id) in ids.iter().enumerate() {
                let rule = id.ends_with('!').then_some("length/chars");
                let outcome = if rule.is_some() { Outcome::Rejected } else { Outcome::Kept };
                let (id, value) = (id.trim_end_matches('!'), rule.map(|_| 3.0));
                let row = row as u64;
                let record = StatsRow {
                    row,
                    id,
                    source: "a",
                    bucket: "web",
                    outcome,
                    rule,
                    value,
                    threshold: value,
                    bytes: 1,
                    chars: 1,
                    lang: None,
                    metrics: &metrics,
                };
                table.push(&record).unwrap();
            }
            table.finish().unwrap();
            made.push(part);
        }
        (toml::from_str(text).unwrap(), made)
    }

    #[test]
    fn any_number_of_passes_and_any_cut_finds_the_same_differences() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        let ids: Vec<String> = (0..100).map(|id| id.to_string()).collect();
        let mut changed = ids.clone();
        changed[7] = "7!".into();
        changed.remove(50);
        // The second of two records with one id is the one that changes.
        let twice = ["x".to_owned(), "x".to_owned()];
        let before = run(&old, &[&ids, &twice]);
        let after = run(&new, &[&changed[..30], &changed[30..], &["x".to_owned(), "x!".to_owned(), "new".to_owned()]]);
        let found = |passes: u64| {
            let mut found = Vec::new();
            let old = Side { folder: &old, recipe: &before.0, parts: &before.1 };
            let new = Side { folder: &new, recipe: &after.0, parts: &after.1 };
            differences_in(&old, &new, passes, &mut |change| {
                found.push(format!("{} {} {}", change.id, change.before.outcome, change.after.why()))
            })
            .unwrap();
            found.sort();
            found
        };
        assert_eq!(found(1), ["50 kept absent", "7 kept length/chars 3 > 3", "new absent kept", "x kept length/chars 3 > 3"]);
        assert_eq!(found(1), found(7));
    }
}
