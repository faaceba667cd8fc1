//! Which questions stand in the documents that a run may train on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use corpora::Part;
use filters::{Finding, ItemSearch};
use rayon::prelude::*;
use serde::Serialize;

use super::item::{Item, Record};
use super::summary::{Metric, metrics};
use super::task::Task;
use crate::CANCEL;
use crate::error::{Error, Result};
use crate::layout;
use crate::report::{Ui, Unit};
use crate::stage::tokenize::Unique;

/// Documents that are searched at a time.
const CHUNK: usize = 512;

/// A question that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Leak {
    pub(super) item: String,
    /// Id of the document that holds most of it.
    pub(super) document: String,
    /// Share of the question's text that it holds.
    pub(super) overlap: f64,
    pub(super) excerpt: String,
}

/// What was found of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Contamination {
    pub(super) run: PathBuf,
    /// Documents that were searched.
    pub(super) documents: u64,
    /// Questions.
    pub(super) items: u64,
    /// Those that are long enough to be told from other texts.
    pub(super) searchable: u64,
    /// In the order of the questions' names.
    pub(super) leaks: Vec<Leak>,
}

/// The numbers of a task without the questions that were found.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Without {
    #[serde(flatten)]
    pub(super) contamination: Contamination,
    /// Over the other questions; none where there are no others.
    pub(super) without: Vec<Metric>,
}

/// Searches a run's documents, less duplicates and held-out ones or not, for the questions of all tasks.
pub(super) fn search(run: &Path, tasks: &[(Task, &[Item])], ui: &Ui) -> Result<BTreeMap<Task, Contamination>> {
    if !run.join(layout::PLAN).exists() {
        return Err(
            Error::new(format!("--contamination {}: there is no run", run.display())).hint("name the folder of a run with documents")
        );
    }
    let parts: Vec<Part> = layout::read_json(run, layout::PLAN)?;
    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).filter(|part| run.join(layout::duplicates(part)).exists()).collect();
    if names.is_empty() || names.len() < parts.len() {
        return Err(Error::new(format!("{} of {} parts of {} are cleaned and deduplicated", names.len(), parts.len(), run.display()))
            .hint("run its recipe first; of imported shards the texts are not known"));
    }
    let items = tasks.iter().flat_map(|(task, items)| {
        items.iter().map(|item| (task.name().to_owned(), item.id.clone(), item.searched.iter().map(String::as_str).collect::<Vec<_>>()))
    });
    let search = ItemSearch::new(items);
    let mut best = BTreeMap::<(String, String), Leak>::new();
    let mut documents = 0;
    let progress = ui.progress("contamination", Unit::Items, names.len() as u64);
    for name in names {
        let mut open = Unique::open(run, name)?;
        loop {
            if CANCEL.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(Error::interrupted());
            }
            let chunk: Vec<_> = open.by_ref().take(CHUNK).collect::<Result<_>>()?;
            if chunk.is_empty() {
                break;
            }
            documents += chunk.len() as u64;
            let found: Vec<Vec<Finding>> = chunk.par_iter().map(|document| search.find(&document.text)).collect();
            for (document, findings) in chunk.iter().zip(found) {
                for Finding { set, item, overlap, excerpt, .. } in findings {
                    let leak = Leak { item: item.clone(), document: document.id.clone(), overlap, excerpt };
                    // The first of equals, so that the order of documents alone decides.
                    match best.get(&(set.clone(), item.clone())) {
                        Some(known) if known.overlap >= overlap => {}
                        _ => drop(best.insert((set, item), leak)),
                    }
                }
            }
        }
        progress.add(1);
    }
    let of_task = |(task, items): &(Task, &[Item])| {
        let searchable = search.sets().iter().find(|set| set.name == task.name()).map_or(0, |set| set.searchable);
        let leaks = best.iter().filter(|((set, _), _)| set == task.name()).map(|(_, leak)| leak.clone()).collect();
        (*task, Contamination { run: run.to_path_buf(), documents, items: items.len() as u64, searchable, leaks })
    };
    Ok(tasks.iter().map(of_task).collect())
}

impl Contamination {
    /// Share of the questions.
    pub(super) fn share(&self) -> f64 {
        self.leaks.len() as f64 / self.items.max(1) as f64
    }

    /// With the numbers that the other questions give.
    pub(super) fn without(self, task: Task, records: &[&Record]) -> Without {
        let leaked = |record: &&&Record| self.leaks.iter().any(|leak| leak.item == record.id);
        let clean: Vec<&Record> = records.iter().filter(|record| !leaked(record)).copied().collect();
        let without = if clean.is_empty() { Vec::new() } else { metrics(task.statistics(), &clean) };
        Without { contamination: self, without }
    }
}
