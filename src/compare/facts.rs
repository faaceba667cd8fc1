//! The numbers and settings of one run, in a form that another run's can stand beside.

use std::collections::BTreeMap;
use std::path::Path;

use corpora::Part;
use filters::dedup::Summary;
use serde::Serialize;
use shards::{Manifest, Split};
use toml::{Table, Value};

use crate::error::{Context, Result};
use crate::layout;
use crate::recipe::Recipe;
use crate::record::PartStats;
use crate::stage::tokenize::{EMPTIED, PartShards};

/// What is compared of a run besides its documents.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// By place in the recipe: `dedup.minhash.bands`.
    #[serde(skip)]
    pub(crate) settings: BTreeMap<String, String>,
    /// Documents by what became of them, in the order of the run.
    pub(crate) input: u64,
    pub(crate) unreadable: u64,
    /// By rule.
    pub(crate) rejected: BTreeMap<String, u64>,
    /// By kind; none before deduplication.
    pub(crate) duplicates: Option<BTreeMap<String, u64>>,
    pub(crate) passed: u64,
    /// By bucket, to train on and held out; none before there is a manifest.
    pub(crate) tokens: Option<BTreeMap<String, [u64; 2]>>,
}

impl Facts {
    pub(crate) fn of(folder: &Path, recipe: &Recipe, parts: &[Part]) -> Result<Self> {
        let mut facts = Self {
            settings: settings(recipe)?,
            input: 0,
            unreadable: 0,
            rejected: BTreeMap::new(),
            duplicates: None,
            passed: 0,
            tokens: None,
        };
        // Of documents that lose all their lines, only who reads the texts knows.
        let mut emptied = [0; EMPTIED.len()];
        for part in parts {
            let stats: PartStats = layout::read_json(folder, &layout::stats(&part.name))?;
            let shards = layout::shard_info(&stats.bucket, &part.name);
            if folder.join(&shards).exists() {
                let left: PartShards = layout::read_json(folder, &shards)?;
                for (sum, kind) in emptied.iter_mut().zip(EMPTIED) {
                    *sum += left.duplicates.get(kind).map_or(0, |count| count.documents);
                }
            }
            facts.input += stats.input.documents;
            facts.unreadable += stats.unreadable;
            facts.passed += stats.kept.documents;
            for (rule, count) in stats.rejected {
                *facts.rejected.entry(rule).or_default() += count.documents;
            }
        }
        if folder.join(layout::DEDUP).exists() {
            let summary: Summary = layout::read_json(folder, layout::DEDUP)?;
            let kinds = [
                ("exact", summary.exact),
                ("minhash", summary.minhash),
                ("simhash", summary.simhash),
                ("url", summary.url),
                (EMPTIED[0], emptied[0]),
                (EMPTIED[1], emptied[1]),
            ];
            facts.duplicates =
                Some(kinds.into_iter().filter(|(_, removed)| *removed > 0).map(|(kind, removed)| (kind.to_owned(), removed)).collect());
        }
        if folder.join(layout::MANIFEST).exists() {
            let mut tokens: BTreeMap<String, [u64; 2]> = BTreeMap::new();
            for shard in Manifest::load(folder.join(layout::MANIFEST))?.shards {
                tokens.entry(shard.bucket).or_default()[usize::from(shard.split == Split::HeldOut)] += shard.tokens;
            }
            facts.tokens = Some(tokens);
        }
        Ok(facts)
    }

    /// Documents that are neither dropped nor duplicates.
    pub(crate) fn kept(&self) -> u64 {
        self.passed - self.duplicates.iter().flatten().map(|(_, removed)| *removed).sum::<u64>().min(self.passed)
    }
}

/// Every value of the recipe by its place; the run folder itself is no setting.
fn settings(recipe: &Recipe) -> Result<BTreeMap<String, String>> {
    let mut table = Table::try_from(recipe).context(|| "cannot compare the recipes".to_owned())?;
    table.remove("output");
    let mut settings = BTreeMap::new();
    flatten("", &Value::Table(table), &mut settings);
    Ok(settings)
}

fn flatten(place: &str, value: &Value, out: &mut BTreeMap<String, String>) {
    let below = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
    match value {
        Value::Table(table) if !table.is_empty() => table.iter().for_each(|(key, value)| flatten(&below(key), value, out)),
        Value::Array(items) if items.iter().all(Value::is_table) && !items.is_empty() => {
            let names: Vec<Option<&str>> = items.iter().map(name).collect();
            for (at, item) in items.iter().enumerate() {
                // By name, so that one more filter in front does not make all later ones differ.
                match names[at].filter(|name| names.iter().flatten().filter(|other| *other == name).count() == 1) {
                    Some(name) if item.get(name).is_some() => flatten(place, item, out),
                    Some(name) => flatten(&below(name), item, out),
                    None => flatten(&below(&at.to_string()), item, out),
                }
            }
        }
        other => drop(out.insert(place.to_owned(), other.to_string())),
    }
}

/// The `name` of a source, or the one key of a filter.
fn name(item: &Value) -> Option<&str> {
    let table = item.as_table()?;
    match table.get("name") {
        Some(name) => name.as_str(),
        None if table.len() == 1 => table.keys().next().map(String::as_str),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_places_that_a_new_filter_does_not_move() {
        let places = |text: &str| {
            let mut out = BTreeMap::new();
            flatten("", &Value::Table(toml::from_str(text).unwrap()), &mut out);
            out.into_iter().map(|(place, value)| format!("{place}={value}")).collect::<Vec<_>>()
        };
        let text = "seed = 1\nfilters = [{ length = { min-chars = 3 } }, { pii = {} }]\n[[sources]]\nname = 'ko'\nfiles = ['a', 'b']\n";
        assert_eq!(
            places(text),
            ["filters.length.min-chars=3", "filters.pii={}", "seed=1", "sources.ko.files=[\"a\", \"b\"]", "sources.ko.name=\"ko\""]
        );
        let twice = "filters = [{ length = { min-chars = 3 } }, { length = { max-chars = 9 } }]";
        assert_eq!(places(twice), ["filters.0.length.min-chars=3", "filters.1.length.max-chars=9"]);
    }
}
