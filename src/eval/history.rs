//! Evaluations that were done before, one line each.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::gate::Outcome;
use super::item::Record;
use crate::error::{Context, Error, Result};

/// One evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Entry {
    /// Seconds since 1970.
    pub(super) time: u64,
    /// The model as it was named.
    pub(super) model: String,
    /// Hash of the model.
    pub(super) identity: String,
    /// What each task was asked and how, as [`questions`] names it.
    pub(super) setups: Vec<String>,
    pub(super) measured: BTreeMap<String, f64>,
    #[serde(default)]
    pub(super) gates: Vec<Outcome>,
}

/// How a task was asked, with a hash of its items and what the model read: `kmmlu.5-shot.likelihood#0a1b2c3d4e5f`.
/// Accuracies on other questions, or by another chat template, are no change of a model.
pub(super) fn questions(setup: &str, records: &[&Record]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("malmoi questions of an evaluation, version 1");
    for text in records.iter().flat_map(|record| [&record.id, &record.prompt]) {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    }
    format!("{setup}#{}", &hasher.finalize().to_hex()[..12])
}

/// The history of a folder of evaluations.
pub(super) struct History {
    path: PathBuf,
    entries: Vec<Entry>,
}

impl History {
    /// Reads the history, if there is one.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("history.jsonl");
        let mut entries = Vec::new();
        if path.exists() {
            let text = fs::read_to_string(&path).context(|| format!("cannot read {}", path.display()))?;
            for (at, line) in text.lines().enumerate() {
                let entry = serde_json::from_str(line).context(|| format!("{}, line {}", path.display(), at + 1));
                entries.push(entry.map_err(|error: Error| error.hint("move the file away to begin another history"))?);
            }
        }
        Ok(Self { path, entries })
    }

    /// What another model had last, asked the same.
    pub(super) fn before(&self, metric: &str, setup: Option<&str>, identity: &str) -> Option<f64> {
        let comparable =
            |entry: &&Entry| entry.identity != identity && setup.is_none_or(|setup| entry.setups.iter().any(|theirs| theirs == setup));
        self.entries.iter().rev().filter(comparable).find_map(|entry| entry.measured.get(metric).copied())
    }

    /// Adds an evaluation. One that says the same as the last but its time is not added.
    pub(super) fn add(&mut self, entry: Entry) -> Result<()> {
        let same = |last: &Entry| Entry { time: entry.time, ..last.clone() } == entry;
        if self.entries.last().is_some_and(same) {
            return Ok(());
        }
        self.entries.push(entry);
        let cannot = || format!("cannot write {}", self.path.display());
        let mut out = corpora::AtomicFile::create(&self.path)?;
        for entry in &self.entries {
            serde_json::to_writer(&mut out, entry).context(cannot)?;
            out.write_all(b"\n").context(cannot)?;
        }
        out.finish()?;
        Ok(())
    }
}
