//! Stage 1 of the shuffle: the signatures of a part → its keys, sorted by partition.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::config::DedupConfig;
use super::edge::Kind;
use super::error::{Error, Result};
use super::key::{Key, Keys};
use super::scatter_file::{KEY, Link, ScatterFile, ScatterWriter};
use super::sealed::Label;
use super::set::{Address, Rank, open_for};
use super::signature_file::SignatureReader;

const MOST_PARTITIONS: u64 = 1 << 16;

/// Into how many partitions to cut the keys of so many documents: as many as keep the keys of one
/// partition within a task's share of the memory. What is found does not depend on it.
#[must_use]
pub fn partitions(total_records: u64, config: &DedupConfig) -> u32 {
    let bytes = total_records.saturating_mul(Keys::new(config).most()).saturating_mul(KEY as u64);
    bytes.div_ceil(config.share()).clamp(1, MOST_PARTITIONS) as u32
}

/// Writes the keys of a part's documents, sorted by partition and key, to `out_file`.
///
/// Of documents with the same text only the best goes on to be compared; the others are linked to it
/// here. So a page that stands a million times in the corpus meets the others once for each part. Each
/// copy has an address of its own, though, and is compared by it.
///
/// Memory: 32 bytes for each document of the part, and a task's share for keys.
///
/// # Errors
/// If the signatures are damaged or of other settings, if writing fails, or on `cancel`.
pub fn scatter(
    part_index: u32,
    signature_file: &Path,
    out_file: &Path,
    partitions: u32,
    config: &DedupConfig,
    cancel: &AtomicBool,
) -> Result<()> {
    config.validate()?;
    if partitions == 0 || u64::from(partitions) > MOST_PARTITIONS {
        return Err(Error::Input(format!("{partitions} partitions, allowed are 1 to {MOST_PARTITIONS}")));
    }
    let reader = open_for(signature_file, config)?;
    let keys = Keys::new(config);
    let (best, mut links) = best_copies(&reader, &keys, partitions, cancel)?;

    let mut counts = vec![0_u64; partitions as usize];
    each_key(&reader, &keys, &best, cancel, |key, _| counts[key.partition(partitions) as usize] += 1)?;
    links.sort_unstable();

    let mut writer = ScatterWriter::create(out_file)?;
    let mut links = links.into_iter().peekable();
    let mut start = 0;
    while start < counts.len() {
        // As many partitions at a time as fit, so that a long part takes more passes, not more memory.
        let mut end = start + 1;
        let mut held = counts[start];
        while end < counts.len() && (held + counts[end]) * size_of::<(u32, Key, u32)>() as u64 <= config.share() {
            held += counts[end];
            end += 1;
        }
        let mut held_keys = Vec::with_capacity(held as usize); // counted, not claimed
        each_key(&reader, &keys, &best, cancel, |key, index| {
            let partition = key.partition(partitions);
            if (start..end).contains(&(partition as usize)) {
                held_keys.push((partition, key, index));
            }
        })?;
        held_keys.sort_unstable();
        let mut held_keys = held_keys.into_iter().peekable();
        for partition in start..end {
            while let Some((_, key, index)) = held_keys.next_if(|(of, ..)| *of as usize == partition) {
                writer.key(key, index)?;
            }
            let of_partition: Vec<Link> =
                std::iter::from_fn(|| links.next_if(|(of, _)| *of as usize == partition)).map(|(_, link)| link).collect();
            writer.end_partition(&of_partition)?;
        }
        start = end;
    }
    writer.finish(label(part_index, partitions, &reader, config))
}

/// What the scatter file of a part says of itself.
fn label(part_index: u32, partitions: u32, reader: &SignatureReader, config: &DedupConfig) -> Label {
    Label { fingerprint: config.fingerprint(), inputs: reader.identity(), number: part_index, of: partitions }
}

/// Refuses a scatter file that is of another part, other signatures or other settings.
pub(super) fn check(file: &ScatterFile, part_index: u32, partitions: u32, reader: &SignatureReader, config: &DedupConfig) -> Result<()> {
    let (is, wanted) = (file.label(), label(part_index, partitions, reader, config));
    let detail = if is.fingerprint != wanted.fingerprint {
        "was made with other settings".to_owned()
    } else if is.inputs != wanted.inputs {
        format!("was not made from {}", reader.path().display())
    } else if is != wanted {
        format!("is part {} in {} partitions, wanted is part {part_index} in {partitions}", is.number, is.of)
    } else {
        return Ok(());
    };
    Err(Error::mismatch(file.path(), detail))
}

/// Links with the partition they go to.
type PlacedLinks = Vec<(u32, Link)>;

/// Which documents are compared with other parts, and for the others the copy that is.
fn best_copies(reader: &SignatureReader, keys: &Keys<'_>, partitions: u32, cancel: &AtomicBool) -> Result<(Vec<bool>, PlacedLinks)> {
    let mut compared = vec![false; reader.len() as usize]; // one for each record that is there
    let mut texts: Vec<(Key, u32)> = Vec::with_capacity(compared.len());
    for (index, record) in (0_u32..).zip(reader.iter()) {
        stop_if(cancel, index)?;
        let record = record?;
        if keys.same_text(&record).is_some() {
            texts.push((keys.text(&record), index));
        }
    }
    texts.sort_unstable();
    let mut links = Vec::new();
    for copies in texts.chunk_by(|a, b| a.0 == b.0) {
        stop_if(cancel, copies[0].1)?;
        let mut best: Option<Rank<'_>> = None;
        if copies.len() > 1 {
            for (_, index) in copies {
                let rank = Rank::of(&reader.record(u64::from(*index))?, Address::new(0, *index))?;
                best = Some(best.map_or(rank, |best| best.min(rank)));
            }
        }
        let best = best.map_or(copies[0].1, |best| best.at.index() as u32);
        compared[best as usize] = true;
        for (key, index) in copies.iter().filter(|(_, index)| *index != best) {
            let kind = keys.same_text(&reader.record(u64::from(*index))?).unwrap_or(Kind::Exact);
            links.push((key.partition(partitions), Link { index: *index, best, kind }));
        }
    }
    Ok((compared, links))
}

/// Gives every key of the part: those of texts of the best copies, those of addresses of all.
fn each_key(
    reader: &SignatureReader,
    keys: &Keys<'_>,
    compared: &[bool],
    cancel: &AtomicBool,
    mut use_key: impl FnMut(Key, u32),
) -> Result<()> {
    for (index, compared) in (0_u32..).zip(compared) {
        stop_if(cancel, index)?;
        if !compared && !keys.by_url() {
            continue;
        }
        let record = reader.record(u64::from(index))?;
        if *compared {
            keys.each(&record, |key| use_key(key, index));
        }
        if let Some(key) = keys.url(&record) {
            use_key(key, index);
        }
    }
    Ok(())
}

/// Looks at `cancel` now and then.
pub(super) fn stop_if(cancel: &AtomicBool, count: u32) -> Result<()> {
    if count.is_multiple_of(1024) && cancel.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
}
