//! The outputs of a task, one line an item: what is there is not asked again.
//!
//! While a task runs, records are appended to `NAME.partial`, whose last line may be torn; finished, they are
//! in `NAME`, in the order of the set.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::item::{Item, Record};
use crate::error::{Context, Result};

pub(super) struct Store {
    path: PathBuf,
    partial: PathBuf,
    /// By item.
    records: BTreeMap<String, Record>,
    file: Option<File>,
}

impl Store {
    /// Opens the outputs in a file of a folder that exists, and takes what is there.
    pub(super) fn open(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        let partial = folder.join(format!("{name}.partial"));
        let mut records = BTreeMap::new();
        for path in [&path, &partial].into_iter().filter(|path| path.exists()) {
            let text = fs::read(path).context(|| format!("cannot read {}", path.display()))?;
            // What follows a torn line was never written.
            let lines = text.split_inclusive(|&byte| byte == b'\n').take_while(|line| line.ends_with(b"\n"));
            for record in lines.map_while(|line| serde_json::from_slice::<Record>(line).ok()) {
                records.insert(record.id.clone(), record);
            }
        }
        Ok(Self { path, partial, records, file: None })
    }

    /// The record of an item, if it answers the same prompt.
    pub(super) fn get(&self, item: &Item, prompt: &str) -> Option<&Record> {
        self.records.get(&item.id).filter(|record| record.prompt == prompt)
    }

    /// Adds records, so that they outlive the process.
    pub(super) fn add(&mut self, records: Vec<Record>) -> Result<()> {
        let cannot = || format!("cannot write {}", self.partial.display());
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                // All of it again, so that no torn line is in the middle of the file.
                let mut whole = corpora::AtomicFile::create(&self.partial)?;
                whole.write_all(&lines(self.records.values())?).context(cannot)?;
                whole.finish()?;
                none.insert(OpenOptions::new().append(true).open(&self.partial).context(cannot)?)
            }
        };
        file.write_all(&lines(&records)?).and_then(|()| file.sync_data()).context(cannot)?;
        self.records.extend(records.into_iter().map(|record| (record.id.clone(), record)));
        Ok(())
    }

    /// Writes the file: the items in their order, then those of other parts of the set. Gives the path.
    pub(super) fn finish(&mut self, items: &[Item]) -> Result<PathBuf> {
        let cannot = || format!("cannot write {}", self.path.display());
        let mut out = corpora::AtomicFile::create(&self.path)?;
        let mut others = self.records.clone();
        let mine: Vec<Record> = items.iter().filter_map(|item| others.remove(&item.id)).collect();
        out.write_all(&lines(mine.iter().chain(others.values()))?).context(cannot)?;
        out.finish()?;
        self.file = None;
        if self.partial.exists() {
            fs::remove_file(&self.partial).context(|| format!("cannot remove {}", self.partial.display()))?;
        }
        Ok(self.path.clone())
    }
}

fn lines<'a>(records: impl IntoIterator<Item = &'a Record>) -> Result<Vec<u8>> {
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, record).context(|| format!("cannot write the record of {}", record.id))?;
        lines.push(b'\n');
    }
    Ok(lines)
}

#[cfg(test)]
mod tests;
