//! Which shard of a part a document goes into, by the cluster that it stands for.

use std::iter::Peekable;
use std::path::Path;

use corpora::JsonlReader;
use shards::{Rehydrate, Split};

use super::SPLITS;
use crate::error::{Context, Error, Result};
use crate::layout;
use crate::record::Stands;

/// The shards of a part: train, held out, and one for each further class of clusters.
pub(crate) struct Files {
    pub(super) names: Vec<String>,
    pub(super) splits: Vec<Split>,
    /// The smallest cluster of each shard; empty where documents are not told apart by clusters.
    pub(crate) clusters: Vec<u64>,
}

impl Files {
    pub(crate) fn new(bucket: &str, part: &str, rehydrate: Option<&Rehydrate>) -> Self {
        let mut names: Vec<String> = SPLITS.map(|split| layout::shard(bucket, part, split)).into();
        let mut splits = Vec::from(SPLITS);
        let mut clusters = Vec::new();
        if let Some(rehydrate) = rehydrate {
            clusters.extend([1, 1]);
            for documents in rehydrate.classes().into_iter().skip(1) {
                names.push(layout::repeated_shard(bucket, part, documents));
                splits.push(Split::Train);
                clusters.push(documents);
            }
        }
        Self { names, splits, clusters }
    }

    /// Index of the shard of a document that stands for so many.
    pub(crate) fn of(&self, held_out: bool, documents: u64) -> usize {
        if held_out {
            return 1;
        }
        let classes = self.clusters.get(SPLITS.len()..).unwrap_or_default();
        match classes.partition_point(|smallest| *smallest <= documents) {
            0 => 0,
            class => class + 1,
        }
    }

    /// Whether documents are told apart by their clusters.
    pub(super) fn tells_apart(&self) -> bool {
        !self.clusters.is_empty()
    }

    /// Removes the shards of other classes that an earlier recipe left of the part.
    pub(super) fn remove_others(&self, folder: &Path, bucket: &str, part: &str) -> Result<()> {
        let first = folder.join(layout::repeated_shard(bucket, part, 0));
        let (Some(parent), Some(name)) = (first.parent(), first.file_name().and_then(|name| name.to_str())) else { return Ok(()) };
        let Some(stem) = name.strip_suffix("0.shard") else { return Ok(()) };
        let Ok(entries) = std::fs::read_dir(parent) else { return Ok(()) }; // nothing is there yet
        for entry in entries.flatten() {
            let file = entry.file_name();
            let documents = file.to_str().and_then(|name| name.strip_prefix(stem)?.strip_suffix(".shard")?.parse::<u64>().ok());
            if documents.is_some_and(|documents| !self.clusters.contains(&documents)) {
                std::fs::remove_file(entry.path()).context(|| format!("cannot remove the outdated {}", entry.path().display()))?;
            }
        }
        Ok(())
    }
}

/// How many documents the kept ones of a part stand for, asked in the order of their rows.
pub(crate) struct Clusters(Peekable<JsonlReader<Stands>>);

impl Clusters {
    pub(crate) fn open(folder: &Path, part: &str) -> Result<Self> {
        let lines = JsonlReader::open(&folder.join(layout::clusters(part)));
        let lines =
            lines.map_err(|error| Error::new(error).hint("a run of an older version has none: `malmoi build` on its recipe makes them"))?;
        Ok(Self(lines.peekable()))
    }

    /// Of the document of this row, itself included.
    pub(crate) fn of(&mut self, row: u64) -> Result<u64> {
        while let Some(line) = self.0.next_if(|line| line.as_ref().map_or(true, |line| line.row <= row)) {
            let line = line?;
            if line.row == row {
                return Ok(line.documents);
            }
        }
        Ok(1)
    }
}
