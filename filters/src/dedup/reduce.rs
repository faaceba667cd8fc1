//! Stage 2 of the shuffle: one partition of all parts' keys → edges between documents that are alike.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::config::DedupConfig;
use super::edge::{Edge, EdgeWriter};
use super::error::{Error, Result};
use super::group::Groups;
use super::key::Key;
use super::merge::merge;
use super::scatter::{check, stop_if};
use super::scatter_file::ScatterFile;
use super::sealed::Label;
use super::set::{Address, SignatureSet};
use super::shingle_sets::ShingleSets;

/// Compares the documents that share a key of this partition and writes the edges to `out_edges`.
///
/// `scatter_files` are those of all parts of `signatures`, in the same order. They are merged, not
/// loaded: memory is one group of equal keys (48 bytes for each), or a task's share where that is less. What does not fit
/// is sorted in a file beside `out_edges`.
///
/// # Errors
/// If a scatter file is missing, damaged, or of other settings, signatures or partitions;
/// if writing fails; or on `cancel`.
pub fn reduce(
    partition: u32,
    scatter_files: &[PathBuf],
    signatures: &SignatureSet,
    out_edges: &Path,
    config: &DedupConfig,
    cancel: &AtomicBool,
) -> Result<()> {
    config.validate()?;
    let files = scatter_files.iter().map(|path| ScatterFile::open(path)).collect::<Result<Vec<_>>>()?;
    let partitions = check_all(&files, signatures, config)?;
    if partition >= partitions {
        return Err(Error::Input(format!("partition {partition} of {partitions}")));
    }
    reduce_files(partition, partitions, &files, signatures, None, out_edges, config, cancel)
}

/// Checks that the files are one for each part, all cut alike; gives the number of partitions.
pub(super) fn check_all(files: &[ScatterFile], signatures: &SignatureSet, config: &DedupConfig) -> Result<u32> {
    if files.len() != signatures.parts() {
        return Err(Error::Input(format!("{} scatter files of {} parts: one is missing or too many", files.len(), signatures.parts())));
    }
    let partitions = files.first().map_or(1, |file| file.label().of);
    for (part, file) in files.iter().enumerate() {
        let reader = signatures.reader(part).ok_or_else(|| Error::Input(format!("there is no part {part}")))?;
        check(file, part as u32, partitions, reader, config)?; // a set has at most 2³² parts
    }
    Ok(partitions)
}

/// What the edge file of a partition says of itself.
pub(super) fn label(partition: u32, partitions: u32, signatures: &SignatureSet, config: &DedupConfig) -> Label {
    Label { fingerprint: config.fingerprint(), inputs: signatures.identity(), number: partition, of: partitions }
}

/// [`reduce`] over files that were opened and checked, with the sets that similarities are counted over.
#[allow(clippy::too_many_arguments)]
pub(super) fn reduce_files(
    partition: u32,
    partitions: u32,
    files: &[ScatterFile],
    signatures: &SignatureSet,
    sets: Option<&ShingleSets>,
    out_edges: &Path,
    config: &DedupConfig,
    cancel: &AtomicBool,
) -> Result<()> {
    let mut writer = EdgeWriter::create(out_edges)?;
    for (part, file) in (0_u32..).zip(files) {
        for link in file.links(partition)? {
            let link = link?;
            let (a, b) = (Address::new(part, link.best), Address::new(part, link.index));
            writer.push(&Edge { a, b, kind: link.kind, similarity: 1.0 })?;
        }
    }
    let mut groups = Groups::new(config, signatures, sets, out_edges.with_extension("group"), cancel);
    let mut keys = merged(partition, files, cancel)?.peekable();
    while let Some(first) = keys.next() {
        let (key, first) = first?;
        let mut others = std::iter::from_fn(|| keys.next_if(|next| next.as_ref().map_or(true, |(next, _)| *next == key)));
        let Some(second) = others.next() else { continue };
        if let Some(meeting) = key.meeting() {
            let members = std::iter::once(Ok(first)).chain(std::iter::once(second).chain(others).map(|member| Ok(member?.1)));
            groups.edges(meeting, members, |edge| writer.push(&edge))?;
        }
    }
    writer.finish(label(partition, partitions, signatures, config))
}

/// The keys of a partition with their documents, of all parts, sorted, or an error once the caller wants to stop.
pub(super) fn merged<'a>(
    partition: u32,
    files: &'a [ScatterFile],
    cancel: &'a AtomicBool,
) -> Result<impl Iterator<Item = Result<(Key, Address)>>> {
    let of = |(part, file): (u32, &'a ScatterFile)| Ok(file.keys(partition)?.map(move |(key, index)| Ok((key, Address::new(part, index)))));
    let merged = merge((0_u32..).zip(files).map(of).collect::<Result<_>>()?)?;
    Ok((0_usize..).zip(merged).map(|(count, next)| stop_if(cancel, count as u32).and(next)))
}
