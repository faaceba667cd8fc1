//! The whole shuffle in one process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rayon::prelude::*;

use super::components::{check_memory, verified_components};
use super::config::DedupConfig;
use super::edge::EdgeFile;
use super::error::{Error, Result};
use super::reduce::{check_all, label, reduce_files};
use super::scatter::{check, partitions, scatter};
use super::scatter_file::ScatterFile;
use super::set::{PartSignatures, SignatureSet};
use super::shingle_sets::ShingleSets;
use super::shuffle::Texts;
use super::summary::Summary;

/// Finds the duplicates of all parts and writes `NAME.jsonl.zst` and `clusters/NAME.jsonl.zst` for each to `out_dir`.
///
/// `texts` gives those of all documents of a part, which `minhash.verify` counts similarities over. Read are the parts that
/// hold a document which met another one, and what is kept of those takes eight bytes for each different shingle in `work_dir`.
///
/// Parts are taken in the order of their names, those of other runs last; about these nothing is written. Scratch files go to
/// `work_dir`: about 20 bytes for each band and document. Those that an earlier, interrupted call left there and that still fit are
/// used again; the caller removes the folder afterwards. `progress` hears (done, total) after every
/// stage call, from any thread.
///
/// # Errors
/// [`Error::Cancelled`] on `cancel`; otherwise as the stages: damaged or mismatched files, more
/// memory needed than allowed (as early as that is known), writing failed, a text that cannot be read or is none of its part's signatures.
pub fn run(
    parts: &[PartSignatures],
    texts: Option<&Texts<'_>>,
    work_dir: &Path,
    out_dir: &Path,
    config: &DedupConfig,
    cancel: &AtomicBool,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Summary> {
    let mut parts = parts.to_vec();
    parts.sort_by(|a, b| (&a.run, &a.name).cmp(&(&b.run, &b.name)));
    let set = SignatureSet::open(&parts, config)?;
    fs::create_dir_all(work_dir).map_err(Error::io("create", work_dir))?;
    run_partitioned(&parts, texts, &set, cut_into(&set, work_dir, config), work_dir, out_dir, config, cancel, progress)
}

/// Into how many partitions to cut: those of an earlier call that used less memory do as well, and need not be made anew.
fn cut_into(set: &SignatureSet, work_dir: &Path, config: &DedupConfig) -> u32 {
    let needed = partitions(set.documents(), config);
    let earlier = ScatterFile::open(&scattered(work_dir, 0)).ok().zip(set.reader(0)).and_then(|(file, reader)| {
        let of = file.label().of;
        check(&file, 0, of, reader, config).ok().map(|()| of)
    });
    earlier.map_or(needed, |earlier| earlier.max(needed))
}

/// Where the keys of a part go.
fn scattered(work_dir: &Path, part: u32) -> PathBuf {
    work_dir.join(format!("scatter-{part:06}.bin"))
}

#[allow(clippy::too_many_arguments)] // `run`, with the number of partitions for tests to choose
pub(super) fn run_partitioned(
    parts: &[PartSignatures],
    texts: Option<&Texts<'_>>,
    set: &SignatureSet,
    partitions: u32,
    work_dir: &Path,
    out_dir: &Path,
    config: &DedupConfig,
    cancel: &AtomicBool,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Summary> {
    check_memory(set, 0, config)?;
    let passes = 1 + u64::from(config.verify().is_some());
    let total = passes * parts.len() as u64 + u64::from(partitions) + 1;
    let done = AtomicU64::new(0);
    let step = || progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
    // Memory is shared by so many tasks; more threads than that would not have a share.
    let threads = rayon::current_num_threads().min(super::TASKS as usize);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| Error::Input(error.to_string()))?;
    pool.install(|| {
        let scattered = (0..parts.len() as u32)
            .into_par_iter()
            .map(|part| {
                let path = scattered(work_dir, part);
                if !is_scattered(&path, part, partitions, set, config) {
                    stop(cancel)?;
                    scatter(part, &parts[part as usize].path, &path, partitions, config, cancel)?;
                }
                step();
                Ok(path)
            })
            .collect::<Result<Vec<PathBuf>>>()?;
        let files = scattered.iter().map(|path| ScatterFile::open(path)).collect::<Result<Vec<_>>>()?;
        if !files.is_empty() {
            check_all(&files, set, config)?;
        }
        // Each link is about a document of its own: what is known to be too much is refused before all are compared.
        check_memory(set, files.iter().map(ScatterFile::linked).sum(), config)?;
        let sets = match (&config.minhash, texts) {
            (Some(minhash), Some(texts)) if minhash.verify.is_some() => {
                Some(ShingleSets::make(set, &files, texts, minhash, config, work_dir, cancel, step)?)
            }
            (Some(minhash), None) if minhash.verify.is_some() => {
                return Err(Error::Input("`minhash.verify` counts similarities over texts, and there are none".into()));
            }
            _ => None,
        };
        let edges = (0..partitions)
            .into_par_iter()
            .map(|partition| {
                let path = work_dir.join(format!("edges-{partition:06}.bin"));
                if !is_reduced(&path, partition, partitions, set, config) {
                    stop(cancel)?;
                    reduce_files(partition, partitions, &files, set, sets.as_ref(), &path, config, cancel)?;
                }
                step();
                Ok(path)
            })
            .collect::<Result<Vec<PathBuf>>>()?;
        stop(cancel)?;
        let summary = verified_components(&edges, set, sets.as_ref(), out_dir, config, cancel)?;
        step();
        Ok(summary)
    })
}

fn stop(cancel: &AtomicBool) -> Result<()> {
    if cancel.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
}

/// Whether an earlier call left this very file. Anything else, damaged or of other settings, is
/// written anew.
fn is_scattered(path: &Path, part: u32, partitions: u32, set: &SignatureSet, config: &DedupConfig) -> bool {
    set.reader(part as usize).is_some_and(|reader| {
        ScatterFile::open(path).is_ok_and(|file| check(&file, part, partitions, reader, config).is_ok() && file.check().is_ok())
    })
}

fn is_reduced(path: &Path, partition: u32, partitions: u32, set: &SignatureSet, config: &DedupConfig) -> bool {
    EdgeFile::open(path).is_ok_and(|file| file.label() == label(partition, partitions, set, config) && file.check().is_ok())
}
