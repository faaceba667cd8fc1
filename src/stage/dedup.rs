//! `dedup`: the signatures of all parts → for each part, which rows are duplicates of what, and which
//! lines of the others stand in many documents and which of their passages in two.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use corpora::{JsonlReader, Part};
use filters::dedup::{self, DedupConfig, PartSignatures, SignatureReader, Summary, TextIter};

use super::tokenize::Unique;
use crate::error::{Error, Result};
use crate::layout;
use crate::lock::Snapshot;
use crate::record::KeptText;
use crate::report::{Ui, Unit};

/// The unit of this stage in the journal.
const DEDUP: &str = "dedup";

/// Finds duplicates over all parts of the run `from`; gives the summary and the files written to `to`, which is the
/// run itself but for an audit.
pub(crate) fn dedup(
    from: &Path,
    to: &Path,
    parts: &[Part],
    config: &DedupConfig,
    cancel: &AtomicBool,
    ui: &Ui,
) -> Result<(Summary, Vec<String>)> {
    let mut signatures = signatures(from, parts, None);
    signatures.extend(against(config)?);
    let shuffle = to.join(layout::SHUFFLE);
    let out = layout::prepare(to, layout::DEDUP)?;
    let out = out.parent().unwrap_or(to);
    let progress = ui.progress("dedup", Unit::Tasks, 0);
    let heard = |done, total| {
        progress.set_total(total);
        progress.set(done);
    };
    // Signatures were made of the texts as they are written, conversations among them.
    let texts = |part: &PartSignatures| -> std::result::Result<TextIter<'_>, String> {
        let folder = part.run.as_ref().map_or(from, |run| Path::new(run));
        let documents = JsonlReader::<KeptText>::open(&folder.join(layout::documents(&part.name))).map_err(|error| error.to_string())?;
        Ok(Box::new(documents.map(|document| document.map(|document| (document.row, document.text)).map_err(|error| error.to_string()))))
    };
    let mut summary = dedup::run(&signatures, Some(&texts), &shuffle, out, config, cancel, &heard).map_err(told)?;
    let mut files: Vec<String> = parts.iter().flat_map(|part| [layout::duplicates(&part.name), layout::clusters(&part.name)]).collect();
    let (lines, substrings) = (to.join(layout::LINES), to.join(layout::SUBSTRINGS));
    // Of an earlier recipe: documents would still lose these.
    remove(&substrings)?;
    if config.lines.is_some() {
        let texts = |part: &PartSignatures| plain(Unique::untrimmed(from, &part.name));
        dedup::run_lines(&signatures, &texts, &shuffle, &lines, config, cancel, &mut summary, &heard).map_err(told)?;
        files.extend(parts.iter().map(|part| layout::trimmed(&part.name)));
    } else {
        remove(&lines)?;
    }
    if config.substrings.is_some() {
        let texts = |part: &PartSignatures| match &part.run {
            // What is left of it.
            Some(run) => plain(Unique::open(Path::new(run), &part.name)),
            None => plain(Unique::trimmed(from, &part.name)),
        };
        dedup::run_substrings(&signatures, &texts, &shuffle, &substrings, config, cancel, &mut summary, &heard).map_err(told)?;
        files.extend(parts.iter().map(|part| layout::passages(&part.name)));
    }
    // The shuffle is as large as the signatures and of no use to anyone afterwards.
    remove(&shuffle)?;
    layout::write_json(to, layout::DEDUP, &summary)?;
    files.push(layout::DEDUP.to_owned());
    Ok((summary, files))
}

/// The texts that lines and passages are looked for in. A conversation loses none: what was said, and
/// who said it, would no longer fit together.
fn plain<'a>(documents: Result<Unique>) -> std::result::Result<TextIter<'a>, String> {
    let documents = documents.map_err(|error| error.message)?;
    let plain = documents.filter(|document| document.as_ref().map_or(true, |document| document.turns.is_empty()));
    Ok(Box::new(plain.map(|document| document.map(|document| (document.row, document.text)).map_err(|error| error.message))))
}

/// What a result depends on of the runs of `against`, as hashes: what their signatures hold and, where passages are
/// compared, what deduplication left of their texts.
pub(crate) fn identities(config: &DedupConfig) -> Result<Vec<String>> {
    let open = |part: PartSignatures| match SignatureReader::open_lazily(&part.path) {
        Ok(reader) if reader.is_of(config) => Ok(format!("{:016x}", reader.identity())),
        Ok(_) => Err(Error::new(format!("{}: the signatures were made with other settings than this recipe's", part.path.display()))
            .hint("a run and those of `dedup.against` need the same `minhash`, `simhash` and `prefer`")),
        Err(error) => Err(Error::new(error).hint("`dedup.against` names run folders; `malmoi build` makes their signatures")),
    };
    let mut identities: Vec<String> = against(config)?.into_iter().map(open).collect::<Result<_>>()?;
    for run in config.against.iter().filter(|_| config.substrings.is_some()) {
        let journal = Snapshot::read(Path::new(run))?;
        let left = journal.finished(DEDUP).ok_or_else(|| {
            Error::new(format!("{run} is not deduplicated, so what `dedup.substrings` is to be compared with is not known"))
                .hint("`malmoi build` on its recipe does that")
        })?;
        identities.push(left.to_owned());
    }
    Ok(identities)
}

/// The parts of the runs of `against`.
fn against(config: &DedupConfig) -> Result<Vec<PartSignatures>> {
    let mut all = Vec::new();
    for run in &config.against {
        let parts: Vec<Part> = layout::read_json(Path::new(run), layout::PLAN)
            .map_err(|error| error.hint("`dedup.against` names run folders, the `output` of other recipes"))?;
        all.extend(signatures(Path::new(run), &parts, Some(run)));
    }
    Ok(all)
}

fn signatures(folder: &Path, parts: &[Part], run: Option<&String>) -> Vec<PartSignatures> {
    let of = |part: &Part| PartSignatures { name: part.name.clone(), path: folder.join(layout::signatures(&part.name)), run: run.cloned() };
    parts.iter().map(of).collect()
}

fn told(error: dedup::Error) -> Error {
    match error {
        dedup::Error::Cancelled => Error::interrupted(),
        error => Error::new(error),
    }
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::new(format!("cannot remove {}: {cause}", folder.display())))
        }
        _ => Ok(()),
    }
}
