//! `recipe.lock`: which outputs are current, so that nothing current is made again.
//!
//! An append-only journal of JSON lines, one for each finished unit: what it is, the fingerprint
//! of everything that went into it, and the files it left with their lengths and hashes. The last line of a unit counts; a line
//! torn by a crash is ignored, which only means that its unit is made again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Result};

/// Version of what the stages write; raised when the same input would give other bytes.
pub(crate) const FORMAT_VERSION: u32 = 2;

/// A 256-bit fingerprint in hexadecimal.
pub(crate) type Fingerprint = String;

/// The fingerprint of a list of facts. Facts are serialized, so their types fix the order.
pub(crate) fn fingerprint(stage: &str, facts: &impl Serialize) -> Result<Fingerprint> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("malmoi {FORMAT_VERSION} {stage}\n").as_bytes());
    let facts = serde_json::to_vec(facts).context(|| format!("cannot fingerprint the settings of {stage}"))?;
    hasher.update(&facts);
    Ok(hasher.finalize().to_hex().to_string())
}

/// One finished unit of work.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    unit: String,
    fingerprint: Fingerprint,
    /// Files relative to the run folder, with their length in bytes.
    files: Vec<(String, u64)>,
    /// BLAKE3 hashes of those that have no checksums of their own; none in the journal of an older program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sums: BTreeMap<String, String>,
}

/// Who else may work in the run folder at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nobody: a whole run.
    Alone,
    /// Other units of the same recipe: one task of a job array.
    Together,
}

/// The journal of one run folder; holds the folder's lock while it lives.
pub(crate) struct Lock {
    folder: PathBuf,
    journal: Mutex<Journal>,
    _guard: File,
}

struct Journal {
    file: File,
    entries: Entries,
}

type Entries = BTreeMap<String, Entry>;

/// What a journal says, read without taking the folder.
pub(crate) struct Snapshot {
    folder: PathBuf,
    entries: Entries,
}

impl Snapshot {
    /// Reads the journal of a folder, which need not exist.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        Ok(Self { folder: folder.to_path_buf(), entries: read(&folder.join(FILE))? })
    }

    /// What is wrong with `unit`: that it was not finished with this fingerprint, or how its files differ from those it
    /// left. Reads every byte of those without checksums of their own.
    pub(crate) fn faults(&self, unit: &str, fingerprint: &str) -> Vec<String> {
        let Some(entry) = self.entries.get(unit).filter(|entry| !entry.fingerprint.is_empty()) else {
            return vec![format!("{unit}: {FILE} does not say that it was finished")];
        };
        if entry.fingerprint != fingerprint {
            return vec![format!("{unit}: was not made by this recipe from this input")];
        }
        let differs = |(file, length): &(String, u64)| {
            let path = self.folder.join(file);
            let there = match std::fs::metadata(&path) {
                Ok(meta) => meta.len(),
                Err(cause) => return Some(format!("{unit}: cannot look at {}: {cause}", path.display())),
            };
            if there != *length {
                return Some(format!("{file}: has {there} bytes, and had {length} when `{unit}` was finished"));
            }
            match entry.sums.get(file).map(|sum| (sum, hash(&path))) {
                Some((sum, Ok(now))) if now == *sum => None,
                Some((_, Ok(_))) => Some(format!("{file}: is not as `{unit}` left it")),
                Some((_, Err(cause))) => Some(format!("{unit}: cannot read {}: {cause}", path.display())),
                None => None,
            }
        };
        entry.files.iter().filter_map(differs).collect()
    }

    /// The files that `unit` left.
    pub(crate) fn files(&self, unit: &str) -> impl Iterator<Item = &str> {
        self.entries.get(unit).into_iter().flat_map(|entry| &entry.files).map(|(file, _)| file.as_str())
    }

    /// The fingerprint that `unit` was last finished with, if its files are still there.
    pub(crate) fn finished(&self, unit: &str) -> Option<&str> {
        self.entries
            .get(unit)
            .filter(|entry| !entry.fingerprint.is_empty() && present(&self.folder, entry))
            .map(|entry| entry.fingerprint.as_str())
    }

    /// Whether `unit` was finished with this fingerprint, or with any, whatever became of its files.
    pub(crate) fn finished_as(&self, unit: &str, fingerprint: Option<&str>) -> bool {
        let same = |entry: &Entry| fingerprint.map_or(!entry.fingerprint.is_empty(), |print| entry.fingerprint == print);
        self.entries.get(unit).is_some_and(same)
    }

    /// Whether `unit` was finished with this fingerprint and its files are still there.
    pub(crate) fn is_current(&self, unit: &str, fingerprint: &str) -> bool {
        current(&self.entries, &self.folder, unit, fingerprint)
    }
}

fn current(entries: &Entries, folder: &Path, unit: &str, fingerprint: &str) -> bool {
    entries.get(unit).is_some_and(|entry| entry.fingerprint == fingerprint && present(folder, entry))
}

const FILE: &str = "recipe.lock";
const GUARD: &str = ".lock";

impl Lock {
    /// Opens the journal and takes the run folder for this process, until dropped. Whoever is
    /// alone also clears away what killed writers left half done.
    pub(crate) fn open(folder: &Path, access: Access) -> Result<Self> {
        std::fs::create_dir_all(folder).context(|| format!("cannot create the run folder {}", folder.display()))?;
        refuse_foreign(folder)?;
        let path = folder.join(GUARD);
        let guard = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .context(|| format!("cannot create {}", path.display()))?;
        let taken = match access {
            Access::Alone => guard.try_lock(),
            Access::Together => guard.try_lock_shared(),
        };
        taken.map_err(|cause| match cause {
            TryLockError::WouldBlock => {
                Error::new(format!("another malmoi is running in {}", folder.display())).hint("wait for it, or choose another `output`")
            }
            TryLockError::Error(cause) => Error::new(format!("cannot lock {}: {cause}", path.display()))
                .hint("the file system must know locks; choose an `output` on another one"),
        })?;
        if access == Access::Alone {
            remove_strays(folder, 3).context(|| format!("cannot clear away unfinished files in {}", folder.display()))?;
        }
        let path = folder.join(FILE);
        let entries = read(&path)?;
        let mut file = OpenOptions::new().create(true).append(true).open(&path).context(|| format!("cannot open {}", path.display()))?;
        // A torn last line must not swallow the next one.
        file.write_all(b"\n").context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { folder: folder.to_path_buf(), journal: Mutex::new(Journal { file, entries }), _guard: guard })
    }

    /// Whether `unit` was finished with this fingerprint and its files are still there.
    pub(crate) fn is_current(&self, unit: &str, fingerprint: &str) -> bool {
        current(&self.journal().entries, &self.folder, unit, fingerprint)
    }

    /// Records that `unit` is finished and left `files` (relative to the run folder).
    pub(crate) fn record(&self, unit: &str, fingerprint: &str, files: &[String]) -> Result<()> {
        let missing = |file: &str| format!("cannot find the output {file}");
        let (mut lengths, mut sums) = (Vec::new(), BTreeMap::new());
        for file in files {
            let path = self.folder.join(file);
            lengths.push((file.clone(), std::fs::metadata(&path).context(|| missing(file))?.len()));
            if !has_checksums(file) {
                sums.insert(file.clone(), hash(&path).context(|| missing(file))?);
            }
        }
        self.append(Entry { unit: unit.to_owned(), fingerprint: fingerprint.to_owned(), files: lengths, sums })
    }

    /// The same, and removes what the unit left of an earlier recipe under other names.
    pub(crate) fn replace(&self, unit: &str, fingerprint: &str, files: &[String]) -> Result<()> {
        let earlier = self.journal().entries.get(unit).cloned();
        self.record(unit, fingerprint, files)?;
        earlier.map_or(Ok(()), |earlier| self.remove_unlisted(&self.journal(), &earlier))
    }

    /// Records that what `unit` left does not count any more: it is about to be made again.
    pub(crate) fn invalidate(&self, unit: &str) -> Result<()> {
        let earlier = self.journal().entries.get(unit).cloned();
        earlier.map_or(Ok(()), |earlier| self.append(Entry { fingerprint: String::new(), ..earlier }))
    }

    fn append(&self, entry: Entry) -> Result<()> {
        let mut line = serde_json::to_vec(&entry).context(|| format!("cannot record {}", entry.unit))?;
        line.push(b'\n');
        let mut journal = self.journal();
        journal.file.write_all(&line).and_then(|()| journal.file.sync_data()).context(|| format!("cannot write {FILE}"))?;
        journal.entries.insert(entry.unit.clone(), entry);
        Ok(())
    }

    /// Removes the files of an entry that is no longer in the journal, unless another one has them.
    fn remove_unlisted(&self, journal: &Journal, entry: &Entry) -> Result<()> {
        let is_kept = |file: &str| journal.entries.values().flat_map(|entry| &entry.files).any(|(other, _)| other == file);
        for (file, _) in entry.files.iter().filter(|(file, _)| !is_kept(file)) {
            match std::fs::remove_file(self.folder.join(file)) {
                Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::new(format!("cannot remove the outdated {file}: {cause}")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes the files of units that the present plan no longer has.
    pub(crate) fn prune(&self, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
        let mut journal = self.journal();
        let stale: Vec<String> = journal.entries.keys().filter(|unit| !wanted(unit)).cloned().collect();
        for unit in stale {
            let Some(entry) = journal.entries.remove(&unit) else { continue };
            self.remove_unlisted(&journal, &entry)?;
        }
        Ok(())
    }

    fn journal(&self) -> std::sync::MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Whether a file says by itself whether it is whole.
fn has_checksums(file: &str) -> bool {
    [".shard", ".safetensors"].iter().any(|end| file.ends_with(end))
}

fn hash(path: &Path) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn present(folder: &Path, entry: &Entry) -> bool {
    entry.files.iter().all(|file| is_there(folder, file))
}

fn is_there(folder: &Path, (file, length): &(String, u64)) -> bool {
    std::fs::metadata(folder.join(file)).is_ok_and(|found| found.len() == *length)
}

/// Refuses a folder that holds something, but no run: a run writes, prunes and clears away there.
fn refuse_foreign(folder: &Path) -> Result<()> {
    let entries = std::fs::read_dir(folder).context(|| format!("cannot list {}", folder.display()))?;
    let names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    if names.iter().any(|name| name == FILE) || names.iter().all(|name| name == GUARD) {
        return Ok(());
    }
    Err(Error::new(format!("{} is neither empty nor a run folder", folder.display())).hint("choose an `output` that does not exist yet"))
}

/// Removes files named `.NAME.tmp`, which only exist while they are written.
fn remove_strays(folder: &Path, depth: u32) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = entry.file_type()?;
        if kind.is_dir() && depth > 0 {
            remove_strays(&entry.path(), depth - 1)?;
        } else if kind.is_file() && name.starts_with('.') && name.ends_with(".tmp") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Entries> {
    // A torn line can end inside a character.
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(cause) => return Err(Error::new(format!("cannot read {}: {cause}", path.display()))),
    };
    Ok(text.lines().filter_map(|line| serde_json::from_str::<Entry>(line).ok()).map(|entry| (entry.unit.clone(), entry)).collect())
}

#[cfg(test)]
mod tests;
