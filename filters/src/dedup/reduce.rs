//! Stage 2 of the shuffle: one partition of all parts' keys → edges between documents that are alike.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::config::DedupConfig;
use super::edge::{Edge, EdgeWriter};
use super::error::{Error, Result};
use super::group::{self, Groups};
use super::key::{Key, Keys};
use super::scatter::{check, stop_if};
use super::scatter_file::ScatterFile;
use super::sealed::Label;
use super::set::{Address, SignatureSet};
use super::shingle_sets::ShingleSets;

/// Compares the documents that share a key of this partition and writes the edges to `out_edges`.
///
/// `scatter_files` are those of all parts of `signatures`, in the same order. They are merged, not
/// loaded: memory is one group of equal keys (160 bytes a member, within a task's share).
///
/// # Errors
/// If a scatter file is missing, damaged, or of other settings, signatures or partitions; if a group
/// is larger than the memory allows (then the error tells what the largest of this partition needs);
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
    let keys = Keys::new(config);
    let groups = Groups { config, set: signatures, sets, keys: &keys };
    let mut current: Option<Key> = None;
    let mut members: Vec<Address> = Vec::new();
    let mut finish = |key: Option<Key>, members: &mut Vec<Address>| -> Result<()> {
        if members.len() > 1
            && let Some(meeting) = key.and_then(Key::meeting)
        {
            groups.edges(meeting, members, |edge| writer.push(&edge))?;
        }
        members.clear();
        Ok(())
    };
    for (count, (key, at)) in (0_usize..).zip(merged(partition, files)?) {
        stop_if(cancel, count as u32)?;
        if current != Some(key) {
            finish(current, &mut members)?;
            current = Some(key);
        }
        members.push(at);
        if group::check_size(members.len() as u64, config).is_err() {
            // What would do is told by the whole group, and by all others.
            return group::check_size(largest_group(partition, files, cancel)?, config);
        }
    }
    finish(current, &mut members)?;
    writer.finish(label(partition, partitions, signatures, config))
}

/// Members of the largest group of a partition.
pub(super) fn largest_group(partition: u32, files: &[ScatterFile], cancel: &AtomicBool) -> Result<u64> {
    let (mut current, mut size, mut largest) = (None, 0, 0);
    for (count, (key, _)) in (0_usize..).zip(merged(partition, files)?) {
        stop_if(cancel, count as u32)?;
        size = if current == Some(key) { size + 1 } else { 1 };
        current = Some(key);
        largest = largest.max(size);
    }
    Ok(largest)
}

/// The keys of a partition with their documents, of all parts, sorted.
pub(super) fn merged(partition: u32, files: &[ScatterFile]) -> Result<impl Iterator<Item = (Key, Address)>> {
    let mut streams = files.iter().map(|file| file.keys(partition)).collect::<Result<Vec<_>>>()?;
    let mut heads = BinaryHeap::new();
    for (part, stream) in (0_u32..).zip(&mut streams) {
        heads.extend(stream.next().map(|(key, index)| Reverse((key, part, index))));
    }
    Ok(std::iter::from_fn(move || {
        let mut head = heads.peek_mut()?;
        let Reverse((key, part, index)) = *head;
        // Replaced in place: one sift instead of a pop and a push.
        match streams[part as usize].next() {
            Some((next, index)) => *head = Reverse((next, part, index)),
            None => drop(PeekMut::pop(head)),
        }
        Some((key, Address::new(part, index)))
    }))
}
