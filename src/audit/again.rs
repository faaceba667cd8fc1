//! `--deep`: filters and deduplication once more, into a folder of their own, and what they give compared
//! with what the run has.

use std::path::Path;

use corpora::{JsonlReader, Part};
use filters::Chain;
use serde_json::Value;

use super::ledger::Ledger;
use crate::error::{Context, Error, Result};
use crate::recipe::Recipe;
use crate::report::Unit;
use crate::stage::clean::Cleaner;
use crate::{CANCEL, layout, stage};

/// Reads and filters every part again. One part at a time lies beside the run, in the folder for temporary files.
pub(super) fn clean_again(folder: &Path, recipe: &Recipe, parts: &[Part], ledger: &mut Ledger<'_>) -> Result<()> {
    let chain = Chain::new(&recipe.filters).context(|| "cannot build the filters".to_owned())?;
    let progress = ledger.ui.progress("audit", Unit::Bytes, parts.iter().map(|part| part.bytes).sum());
    for part in parts {
        stage::check(&CANCEL)?;
        // A source that is not there is a fault of the plan, which is told already.
        let Some(source) = recipe.sources.get(part.source) else { continue };
        let scratch = scratch()?;
        let cleaner = Cleaner::new(source, &chain, &recipe.dedup, rayon::current_num_threads());
        match cleaner.clean(scratch.path(), part, &CANCEL, &progress) {
            Ok((_, files)) => compare(folder, scratch.path(), &files, ledger)?,
            Err(error) => {
                stage::check(&CANCEL)?;
                ledger.fault(format!("{}: cannot be read and filtered again: {}", part.name, error.message));
            }
        }
    }
    Ok(())
}

/// Looks for duplicates again, among the signatures and documents that the run has.
pub(super) fn dedup_again(folder: &Path, recipe: &Recipe, parts: &[Part], ledger: &mut Ledger<'_>) -> Result<()> {
    if let Some(gone) = recipe.dedup.against.iter().find(|run| !Path::new(run).join(layout::PLAN).exists()) {
        ledger.ui.say(format!("{gone} of `dedup.against` is gone: duplicates were not looked for again"));
        return Ok(());
    }
    let scratch = scratch()?;
    match stage::dedup::dedup(folder, scratch.path(), parts, &recipe.dedup, &CANCEL, ledger.ui) {
        Ok((_, files)) => compare(folder, scratch.path(), &files, ledger),
        Err(error) => {
            stage::check(&CANCEL)?;
            ledger.fault(format!("duplicates cannot be looked for again: {}", error.message));
            Ok(())
        }
    }
}

fn scratch() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|cause| {
        Error::new(format!("cannot create a temporary folder: {cause}")).hint("`TMPDIR` names the folder in which it is created")
    })
}

fn compare(run: &Path, again: &Path, files: &[String], ledger: &mut Ledger<'_>) -> Result<()> {
    for file in files {
        let differs = difference(&run.join(file), &again.join(file)).map_err(|error| error.message);
        if let Some(Some(place)) = ledger.take(differs) {
            ledger.fault(format!("{file}: {place} is not what the recipe gives"));
        }
    }
    Ok(())
}

/// The first place at which two files of a run hold something else; none where they hold the same.
/// Another version of a library may have packed it otherwise.
fn difference(left: &Path, right: &Path) -> Result<Option<String>> {
    let read = |path: &Path| std::fs::read(path).context(|| format!("cannot read {}", path.display()));
    let bytes = (read(left)?, read(right)?);
    if bytes.0 == bytes.1 {
        return Ok(None);
    }
    match left.extension().and_then(|extension| extension.to_str()) {
        Some("zst") => {
            let (mut left, mut right) = (JsonlReader::<Value>::open(left)?, JsonlReader::<Value>::open(right)?);
            for number in 1_u64.. {
                match (left.next().transpose()?, right.next().transpose()?) {
                    (None, None) => break,
                    (left, right) if left == right => {}
                    _ => return Ok(Some(format!("line {number}"))),
                }
            }
            Ok(None)
        }
        Some("json") => {
            let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).context(|| format!("cannot read {}", left.display()));
            Ok((json(&bytes.0)? != json(&bytes.1)?).then(|| "a value".to_owned()))
        }
        Some("parquet") => {
            let same = corpora::table::read(left)?.equals_missing(&corpora::table::read(right)?);
            Ok((!same).then(|| "a row".to_owned()))
        }
        _ => Ok(Some("a byte".to_owned())),
    }
}
