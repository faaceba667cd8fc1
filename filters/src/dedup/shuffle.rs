//! A shuffle of what stands in texts, by hash: the steps that lines and substrings share.
//!
//! A scatter turns each part into places sorted by partition of their hash, a reduce merges one
//! partition of all parts and turns it into places sorted by part, and what comes after merges those
//! of one part. All in runs on disk that fit a task's share of the memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rayon::prelude::*;

use super::config::DedupConfig;
use super::entry::{Entry, EntryWriter};
use super::error::{Error, Result};
use super::scatter::stop_if;
use super::set::{PartSignatures, SignatureSet};
use super::signature_file::SignatureRecord;
use super::spill::{Spill, merged};

/// The texts of a part that are compared, with their rows, ascending.
pub type Texts<'a> = dyn Fn(&PartSignatures) -> std::result::Result<TextIter<'a>, String> + Sync + 'a;

/// See [`Texts`].
pub type TextIter<'a> = Box<dyn Iterator<Item = std::result::Result<(u64, String), String>> + 'a>;

/// About so many documents to a partition: each is merged by one thread, whatever its size.
const DOCUMENTS: u64 = 1 << 17;
const MOST_PARTITIONS: u64 = 4096;

/// What every step needs.
pub(super) struct Shuffle<'a> {
    pub(super) set: &'a SignatureSet,
    config: &'a DedupConfig,
    partitions: u32,
    work_dir: &'a Path,
    cancel: &'a AtomicBool,
    progress: &'a (dyn Fn(u64, u64) + Sync),
    steps: u64,
    done: AtomicU64,
}

/// The signatures of some parts in the order of their names, those of other runs last.
pub(super) fn sorted<'p>(parts: impl Iterator<Item = &'p PartSignatures>, config: &DedupConfig) -> Result<SignatureSet> {
    let mut parts: Vec<PartSignatures> = parts.cloned().collect();
    parts.sort_by(|a, b| (&a.run, &a.name).cmp(&(&b.run, &b.name)));
    SignatureSet::open(&parts, config)
}

impl<'a> Shuffle<'a> {
    /// `scatters` over all parts and `reduces` over all partitions will be made, and one pass over this run's parts.
    pub(super) fn new(
        set: &'a SignatureSet,
        config: &'a DedupConfig,
        work_dir: &'a Path,
        cancel: &'a AtomicBool,
        progress: &'a (dyn Fn(u64, u64) + Sync),
        (scatters, reduces): (u64, u64),
    ) -> Result<Self> {
        fs::create_dir_all(work_dir).map_err(Error::io("create", work_dir))?;
        let partitions = set.documents().div_ceil(DOCUMENTS).clamp(1, MOST_PARTITIONS);
        let steps = scatters * set.parts() as u64 + reduces * partitions + u64::from(set.own_parts());
        Ok(Self { set, config, partitions: partitions as u32, work_dir, cancel, progress, steps, done: AtomicU64::new(0) })
    }

    /// Runs `work` on as many threads as there are shares of the memory.
    pub(super) fn install<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let threads = rayon::current_num_threads().min(super::TASKS as usize);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| Error::Input(error.to_string()))?;
        pool.install(work)
    }

    /// What `of_part` pushes for each part, sorted by hash.
    pub(super) fn scatter(&self, name: &str, of_part: impl Fn(u32, &mut EntryWriter<'_>) -> Result<()> + Sync) -> Result<Vec<Spill>> {
        self.spill(name, self.set.parts() as u32, self.partitions, &|entry| self.partition(entry.key), of_part)
    }

    /// What `of_partition` pushes for each partition, sorted by part.
    pub(super) fn reduce(&self, name: &str, of_partition: impl Fn(u32, &mut EntryWriter<'_>) -> Result<()> + Sync) -> Result<Vec<Spill>> {
        self.spill(name, self.partitions, self.set.parts() as u32, &|entry| entry.part, of_partition)
    }

    /// What `of_each` pushes for each of so many tasks, sorted by place.
    fn spill(
        &self,
        name: &str,
        tasks: u32,
        places: u32,
        place: &(dyn Fn(&Entry) -> u32 + Sync),
        of_each: impl Fn(u32, &mut EntryWriter<'_>) -> Result<()> + Sync,
    ) -> Result<Vec<Spill>> {
        let files = (0..tasks).into_par_iter().map(|task| {
            let path = self.work_dir.join(format!("{name}-{task:06}.bin"));
            let mut out = EntryWriter::new(path, places, self.config.share(), place);
            of_each(task, &mut out)?;
            self.step();
            out.finish()
        });
        files.filter_map(Result::transpose).collect()
    }

    /// Calls `of_part` with each part of this run and the places that were reduced to it; gives the sums of three counts.
    pub(super) fn apply(
        &self,
        reduced: &[Spill],
        of_part: impl Fn(u32, &mut dyn Iterator<Item = Result<Entry>>) -> Result<[u64; 3]> + Sync,
    ) -> Result<[u64; 3]> {
        let sums = (0..self.set.own_parts()).into_par_iter().map(|part| {
            let sums = of_part(part, &mut self.merged(reduced, part)?)?;
            self.step();
            Ok(sums)
        });
        sums.try_reduce(|| [0; 3], |a, b| Ok(std::array::from_fn(|at| a[at] + b[at])))
    }

    /// The sorted places of one section, or an error once the caller wants to stop.
    pub(super) fn merged<'b>(&'b self, files: &'b [Spill], section: u32) -> Result<impl Iterator<Item = Result<Entry>> + 'b> {
        Ok((0_u32..).zip(merged(files, section, ())?).map(|(count, entry)| stop_if(self.cancel, count).and(entry)))
    }

    /// Calls `each` with the texts of a part and their signature records, in the order of the rows.
    pub(super) fn texts(
        &self,
        part: u32,
        texts: &Texts<'_>,
        each: impl FnMut(u32, &SignatureRecord<'_>, &str) -> Result<()>,
    ) -> Result<()> {
        each_text(self.set, self.cancel, part, texts, each)
    }

    /// Where the ledger of a part goes; its folder is there.
    pub(super) fn ledger(&self, part: u32, out_dir: &Path) -> Result<PathBuf> {
        let path = out_dir.join(format!("{}.jsonl.zst", self.set.name(part as usize)));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        Ok(path)
    }

    /// The partition of a hash: hashes ascend, and so do partitions.
    fn partition(&self, hash: u64) -> u32 {
        ((u128::from(hash) * u128::from(self.partitions)) >> 64) as u32
    }

    fn step(&self) {
        (self.progress)(self.done.fetch_add(1, Ordering::Relaxed) + 1, self.steps);
    }
}

/// Calls `each` with the texts of a part and their signature records, in the order of the rows.
pub(super) fn each_text(
    set: &SignatureSet,
    cancel: &AtomicBool,
    part: u32,
    texts: &Texts<'_>,
    mut each: impl FnMut(u32, &SignatureRecord<'_>, &str) -> Result<()>,
) -> Result<()> {
    let Some((part, reader)) = set.part(part as usize) else { return Err(Error::Input(format!("there is no part {part}"))) };
    let of_run = part.run.as_ref().map(|run| format!(" of {run}")).unwrap_or_default();
    let failed = |detail: String| Error::Input(format!("the documents of {}{of_run}: {detail}", part.name));
    let mut records = (0_u32..).zip(reader.iter());
    for (count, text) in (0_u32..).zip(texts(part).map_err(failed)?) {
        stop_if(cancel, count.wrapping_mul(64))?;
        let (row, text) = text.map_err(failed)?;
        loop {
            match records.next() {
                Some((_, Ok(record))) if record.row() < row => {}
                Some((index, Ok(record))) if record.row() == row => break each(index, &record, &text)?,
                Some((_, Err(error))) => return Err(error),
                _ => return Err(failed(format!("row {row} has no signature"))),
            }
        }
    }
    Ok(())
}

/// A text without the pieces between these bytes, which are `bytes` long together; none if it has no
/// such pieces.
pub(super) fn without(text: &str, cut: &[(u32, u32)], bytes: u64) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for &(start, end) in cut {
        out.push_str(text.get(done..start as usize)?);
        text.get(start as usize..end as usize)?;
        done = end as usize;
    }
    out.push_str(text.get(done..)?);
    ((text.len() - out.len()) as u64 == bytes).then_some(out)
}
