//! `explain`: what a filter does, and why one document was kept or dropped.

mod cluster;

use std::path::Path;

use corpora::{JsonlReader, Part};
use filters::Finding;
use serde_json::json;

use crate::error::{Error, Result};
use crate::fate::Fates;
use crate::layout;
use crate::recipe::Recipe;
use crate::record::{Kept, Passages, Rejected, Trimmed, stands_in};
use crate::report::{Ui, grouped};
use cluster::Cluster;

/// `malmoi explain [FILTER]`.
pub(crate) fn filter(name: Option<&str>, ui: &Ui) -> Result<()> {
    let Some(name) = name else {
        for name in filters::NAMES.iter().chain(&[DEDUP]) {
            let page = page(name).unwrap_or_default();
            let gist = page.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
            ui.data(format!("{name:<20} {gist}"));
            ui.event("filter", &json!({ "name": name, "gist": gist }));
        }
        return Ok(());
    };
    let page = page(name).ok_or_else(|| {
        Error::new(format!("there is no filter `{name}`"))
            .hint(format!("the filters are: {}, and there is `{DEDUP}`", filters::NAMES.join(", ")))
            .did_you_mean(name, filters::NAMES.iter().map(|known| (*known).to_owned()))
    })?;
    ui.data(page.trim_end());
    ui.event("filter", &json!({ "name": name, "page": page }));
    Ok(())
}

/// Not a filter of `[[filters]]`, but explained like one.
const DEDUP: &str = "dedup";

fn page(name: &str) -> Option<&'static str> {
    if name == DEDUP { Some(filters::dedup::PAGE) } else { filters::explain(name) }
}

/// The pieces that a text lost.
fn cuts(text: &str, cut: &[(u32, u32)], ui: &Ui) {
    for (start, end) in cut {
        let cut = text.get(*start as usize..*end as usize).unwrap_or_default();
        ui.data(format!("  -          {}", super::inspect::excerpt(cut.trim(), 100)));
    }
}

/// `malmoi explain --doc ID --run RUN`: every place of the run that knows the document.
pub(crate) fn document(folder: &Path, id: &str, ui: &Ui) -> Result<()> {
    let recipe = Recipe::of_run(folder)?;
    let parts: Vec<Part> = layout::read_json(folder, layout::PLAN)?;
    let mut found = false;
    for part in &parts {
        let all = find::<Kept>(folder, &layout::documents(&part.name), |kept| kept.id == id)?;
        let fates = if all.is_empty() { Fates::default() } else { Fates::of(folder, &part.name)? };
        for kept in all {
            found = true;
            let (duplicate, rule) = (fates.duplicate(kept.row), fates.dropped(kept.row));
            let cluster = Cluster::of(folder, &parts, part, kept.row)?;
            let mut why = None;
            match (duplicate, &rule) {
                (Some(duplicate), _) => {
                    why = cluster::why(folder, &recipe, duplicate, &kept)?;
                    let place = duplicate.of_run.as_ref().map(|run| format!(" of {run}")).unwrap_or_default();
                    ui.data(format!(
                        "{id}: duplicate ({}, similarity {:.3}) of {} (part {}, row {}{place}), which stays",
                        duplicate.kind, duplicate.similarity, duplicate.of, duplicate.of_part, duplicate.of_row
                    ));
                    if let Some(why) = &why {
                        ui.data(format!("  stays      {} of {} documents: {why}", duplicate.of, grouped(duplicate.cluster)));
                    }
                }
                (None, Some(rule)) => ui.data(format!("{id}: dropped by {rule}: nothing is left of it")),
                (None, None) if folder.join(layout::duplicates(&part.name)).exists() => ui.data(format!("{id}: kept")),
                (None, None) => ui.data(format!("{id}: passed the filters; duplicates were not looked for yet")),
            }
            if cluster.documents > 0 {
                ui.data(format!("  stays      for {} documents, itself included", grouped(cluster.documents)));
            }
            for other in &cluster.others {
                ui.data(format!(
                    "  duplicate  {} {:.3} {} (part {}, row {})",
                    other.kind, other.similarity, other.id, other.part, other.row
                ));
            }
            let trimmed = find::<Trimmed>(folder, &layout::trimmed(&part.name), |trimmed| trimmed.row == kept.row)?.pop();
            let passages = find::<Passages>(folder, &layout::passages(&part.name), |passages| passages.row == kept.row)?.pop();
            let mut text = kept.text.clone();
            if let Some(trimmed) = &trimmed {
                ui.data(format!("  lost       {} lines of {} bytes that stand in many documents", trimmed.lines, trimmed.bytes));
                cuts(&text, &trimmed.cut, ui);
                text = trimmed.apply(&text).unwrap_or(text);
            }
            if let Some(passages) = &passages {
                ui.data(format!("  lost       {} words of {} bytes in passages that stand elsewhere too", passages.words, passages.bytes));
                cuts(&text, &passages.cut, ui);
                for elsewhere in &passages.elsewhere {
                    let passage = text.get(elsewhere.start as usize..elsewhere.end as usize).unwrap_or_default();
                    ui.data(format!("  found      {}: {}", stands_in(elsewhere, id), super::inspect::excerpt(passage, 60)));
                }
            }
            place(part, kept.row, &kept.source, &kept.bucket, ui);
            metrics(&kept.metrics, ui);
            findings(&kept.findings, ui);
            ui.event("document", &json!({ "id": id, "part": part.name, "outcome": if rule.is_some() { "duplicate" } else { "kept" }, "rule": rule, "duplicate": duplicate, "stays-because": why, "stays-for": cluster.others, "trimmed": trimmed, "passages": passages, "document": kept }));
        }
        let rejected = find::<Rejected>(folder, &layout::rejects(&part.name), |line| line.id == id && !line.is_unreadable())?;
        for rejected in &rejected {
            let Rejected { row, why, source, bucket, metrics: values, text, findings: items, .. } = rejected;
            found = true;
            ui.data(format!("{id}: dropped by {why}"));
            place(part, *row, source, bucket, ui);
            metrics(values, ui);
            findings(items, ui);
            ui.data(format!("  text       {}", super::inspect::excerpt(text, 200)));
            ui.event("document", &json!({ "id": id, "part": part.name, "outcome": "dropped", "document": rejected }));
        }
    }
    if found {
        return Ok(());
    }
    Err(Error::new(format!("no document with id `{id}` in {}", folder.display()))
        .hint("`malmoi inspect RUN/documents` and `malmoi inspect RUN/rejects` show ids"))
}

fn place(part: &Part, row: u64, source: &str, bucket: &str, ui: &Ui) {
    ui.data(format!("  source     {source} (bucket {bucket}), part {}, row {row}", part.name));
}

fn metrics(values: &std::collections::BTreeMap<String, f64>, ui: &Ui) {
    for (name, value) in values.iter().filter(|(_, value)| **value != 0.0) {
        let value = if *value >= 0.0 && value.fract() == 0.0 { grouped(*value as u64) } else { format!("{value:.4}") };
        ui.data(format!("  {name:<34} {value}"));
    }
    let zero: Vec<&str> = values.iter().filter(|(_, value)| **value == 0.0).map(|(name, _)| name.as_str()).collect();
    if !zero.is_empty() {
        ui.data(format!("  0 of each  {}", zero.join(", ")));
    }
}

/// Items of evaluation sets in the document.
fn findings(items: &[Finding], ui: &Ui) {
    for Finding { item, field, overlap, start, end, excerpt, .. } in items {
        ui.data(format!("  holds {:.1}% of {item} {field}, bytes {start}..{end}: {excerpt}", 100.0 * overlap));
    }
}

/// All lines of a ledger that are wanted: an id can occur more than once. None where there is no such file.
fn find<T: serde::de::DeserializeOwned>(folder: &Path, file: &str, wanted: impl Fn(&T) -> bool) -> Result<Vec<T>> {
    let path = folder.join(file);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let lines = JsonlReader::<T>::open(&path)?.filter(|line| line.as_ref().map_or(true, &wanted));
    Ok(lines.collect::<Result<_, _>>()?)
}
