//! Which texts are made: a line for each, added when it is, so that a killed run loses no more than its last.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Result};
use crate::layout;

const NAME: &str = "generations.jsonl";

/// A job that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Done {
    /// Its place among all.
    pub(super) job: u64,
    /// None where it could not be made; `finish` then says why.
    pub(super) text: Option<String>,
    /// Why it ended.
    pub(super) finish: String,
}

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Head {
    fingerprint: String,
}

/// The file, open for more.
pub(super) struct Journal {
    path: PathBuf,
    fingerprint: String,
    file: File,
    done: BTreeMap<u64, Done>,
}

impl Journal {
    /// Opens the journal of a folder that is there, and takes what it has; for one process at a time.
    pub(super) fn open(folder: &Path, fingerprint: &str) -> Result<Self> {
        let path = folder.join(NAME);
        let cannot = || format!("cannot open {}", path.display());
        let mut done = BTreeMap::new();
        if path.exists() {
            let text = layout::read_lines(&path)?;
            let mut lines = text.lines();
            let head: Option<Head> = lines.next().and_then(|line| serde_json::from_str(line).ok());
            match head {
                Some(head) if head.fingerprint == fingerprint => {}
                // Nothing but a head that was cut off.
                None if text.is_empty() => {}
                _ => {
                    return Err(Error::new(format!(
                        "{} was made with another model, other seeds or another configuration",
                        path.display()
                    ))
                    .hint("choose another `output`, or remove that folder"));
                }
            }
            for (number, line) in lines.enumerate() {
                let one: Done = serde_json::from_str(line).context(|| format!("{}, line {}", path.display(), number + 2))?;
                done.insert(one.job, one);
            }
        }
        // Whole again, so that no torn line is in the middle of the file.
        let file = OpenOptions::new().create(true).append(true).open(&path).context(cannot)?;
        file.try_lock().map_err(|error| Error::new(format!("{} is in use by another process: {error}", path.display())))?;
        let mut journal = Self { path, fingerprint: fingerprint.to_owned(), file, done };
        journal.rewrite()?;
        Ok(journal)
    }

    pub(super) fn has(&self, job: u64) -> bool {
        self.done.contains_key(&job)
    }

    /// Adds what is done, so that it outlives the process.
    pub(super) fn add(&mut self, done: &[Done]) -> Result<()> {
        if done.is_empty() {
            return Ok(());
        }
        let mut lines = Vec::new();
        for one in done {
            line(one, &mut lines)?;
        }
        self.file.write_all(&lines).and_then(|()| self.file.sync_data()).context(|| format!("cannot write {}", self.path.display()))?;
        self.done.extend(done.iter().map(|one| (one.job, one.clone())));
        Ok(())
    }

    /// Writes all in the order of the jobs, and gives them.
    pub(super) fn finish(mut self) -> Result<Vec<Done>> {
        self.rewrite()?;
        Ok(self.done.into_values().collect())
    }

    fn rewrite(&mut self) -> Result<()> {
        let cannot = || format!("cannot write {}", self.path.display());
        let mut lines = Vec::new();
        line(&Head { fingerprint: self.fingerprint.clone() }, &mut lines)?;
        self.done.values().try_for_each(|one| line(one, &mut lines))?;
        let mut whole = corpora::AtomicFile::create(&self.path)?;
        whole.write_all(&lines).context(cannot)?;
        whole.finish()?;
        self.file = OpenOptions::new().append(true).open(&self.path).context(cannot)?;
        self.file.try_lock().map_err(|error| Error::new(format!("{} is in use by another process: {error}", self.path.display())))
    }
}

fn line(value: &impl Serialize, out: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(&mut *out, value).context(|| "cannot write a text".to_owned())?;
    out.push(b'\n');
    Ok(())
}
