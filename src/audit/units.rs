//! The journal of a run: every unit was finished by this recipe, and its files are as it left them.

use std::collections::BTreeSet;
use std::path::Path;

use rayon::prelude::*;

use super::ledger::Ledger;
use crate::error::{Context, Result};
use crate::layout;
use crate::lock::Snapshot;
use crate::plan::Plan;
use crate::recipe::Recipe;

/// Folders in which every file is one that a unit left.
const FOLDERS: [&str; 8] = ["documents", "rejects", "signatures", "stats", "duplicates", layout::LINES, layout::SUBSTRINGS, "shards"];

/// Compares what recipe, plan and inputs give as each unit's fingerprint with that of the journal, and
/// the files of the run folder with those that the units left.
pub(super) fn units_ledger(folder: &Path, recipe: &Recipe, ledger: &mut Ledger<'_>) -> Result<()> {
    let plan = Plan::of_run(folder, recipe)?;
    let journal = Snapshot::read(folder)?;
    let tokenizer = plan.tokenizer(recipe)?;
    let mut units = vec![("dedup".to_owned(), plan.dedup.clone()), ("tokenizer".to_owned(), tokenizer.clone())];
    for (at, part) in plan.parts.iter().enumerate() {
        units.push((format!("clean {}", part.name), plan.clean[at].clone()));
        let tokenize = ledger.take(plan.tokenize(folder, recipe, at, &tokenizer).map_err(|error| error.message));
        units.extend(tokenize.map(|print| (format!("tokenize {}", part.name), print)));
    }
    units.extend(plan.imports(recipe, &tokenizer)?.into_iter().map(|(unit, print)| (unit.name(), print)));
    let faults: Vec<Vec<String>> = units.par_iter().map(|(unit, print)| journal.faults(unit, print)).collect();
    for faults in faults {
        ledger.checks += 1;
        faults.into_iter().for_each(|fault| ledger.fault(fault));
    }
    let known: BTreeSet<&str> = units.iter().flat_map(|(unit, _)| journal.files(unit)).collect();
    for name in FOLDERS {
        for file in files(folder, name)? {
            ledger.check(known.contains(file.as_str()), || format!("{file}: no unit of the run left this file"));
        }
    }
    Ok(())
}

/// The files below a folder of the run, but not those that are only there while they are written.
fn files(folder: &Path, name: &str) -> Result<Vec<String>> {
    let path = folder.join(name);
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for entry in std::fs::read_dir(&path).context(|| format!("cannot list {}", path.display()))? {
        let entry = entry.context(|| format!("cannot list {}", path.display()))?;
        let file = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            all.extend(files(folder, &format!("{name}/{file}"))?);
        } else if !(file.starts_with('.') && file.ends_with(".tmp")) {
            all.push(format!("{name}/{file}"));
        }
    }
    all.sort_unstable();
    Ok(all)
}
