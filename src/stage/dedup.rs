//! `dedup`: the signatures of all parts → for each part, which rows are duplicates of what.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use corpora::Part;
use filters::dedup::{self, DedupConfig, PartSignatures, Summary};

use crate::error::{Error, Result};
use crate::layout;
use crate::report::{Ui, Unit};

/// Finds duplicates over all parts; gives the summary and the files written.
pub(crate) fn dedup(folder: &Path, parts: &[Part], config: &DedupConfig, cancel: &AtomicBool, ui: &Ui) -> Result<(Summary, Vec<String>)> {
    let signatures: Vec<PartSignatures> =
        parts.iter().map(|part| PartSignatures { name: part.name.clone(), path: folder.join(layout::signatures(&part.name)) }).collect();
    let shuffle = folder.join(layout::SHUFFLE);
    let out = layout::prepare(folder, layout::DEDUP)?;
    let out = out.parent().unwrap_or(folder);
    let progress = ui.progress("dedup", Unit::Tasks, 0);
    let summary = dedup::run(&signatures, &shuffle, out, config, cancel, &|done, total| {
        progress.set_total(total);
        progress.set(done);
    });
    let summary = match summary {
        Ok(summary) => summary,
        Err(dedup::Error::Cancelled) => return Err(Error::interrupted()),
        Err(error) => return Err(Error::new(error)),
    };
    // The shuffle is as large as the signatures and of no use to anyone afterwards.
    match std::fs::remove_dir_all(&shuffle) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::new(format!("cannot remove {}: {cause}", shuffle.display())));
        }
        _ => {}
    }
    layout::write_json(folder, layout::DEDUP, &summary)?;
    let mut files: Vec<String> = parts.iter().map(|part| layout::duplicates(&part.name)).collect();
    files.push(layout::DEDUP.to_owned());
    Ok((summary, files))
}
