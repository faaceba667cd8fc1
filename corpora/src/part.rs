//! Parts: the deterministic pieces that the input is cut into before any work begins.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A piece of one source, read front to back by one unit of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Position in the plan, over all sources.
    pub index: usize,
    /// Position of the part's source in the recipe.
    pub source: usize,
    /// Name of the source and a number within it: `ko-web-00003`.
    pub name: String,
    /// What to read, in order.
    pub slices: Vec<Slice>,
    /// Sum of the slices' bytes.
    pub bytes: u64,
}

/// A file or a piece of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// Where the file is.
    pub path: PathBuf,
    /// The path as ids show it: `/`-separated, from the fixed part of the pattern that found it.
    pub relative: String,
    /// Which records of the file.
    pub range: Range,
    /// Bytes on disk that the range covers.
    pub bytes: u64,
}

/// Which records of a file belong to a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Range {
    /// All of them.
    Whole,
    /// Those whose first byte is in `start..end`.
    Bytes {
        /// First byte.
        start: u64,
        /// One past the last byte.
        end: u64,
    },
    /// Those of the Parquet row groups, or Arrow record batches, `start..end`.
    RowGroups {
        /// The first.
        start: usize,
        /// One past the last.
        end: usize,
    },
}

/// What tells one state of an input file from another without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Where the file is.
    pub path: PathBuf,
    /// Its length in bytes.
    pub len: u64,
    /// Its modification time in nanoseconds since 1970 (negative before).
    pub mtime_ns: i64,
}

impl Slice {
    /// Path, length and modification time of the file as it is now.
    pub fn identity(&self) -> Result<Identity> {
        let metadata = std::fs::metadata(&self.path).map_err(Error::io("look at", &self.path))?;
        let modified = metadata.modified().map_err(Error::io("read the modification time of", &self.path))?;
        let nanoseconds = |duration: std::time::Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        let mtime_ns = match modified.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => nanoseconds(after),
            Err(before) => -nanoseconds(before.duration()),
        };
        Ok(Identity { path: self.path.clone(), len: metadata.len(), mtime_ns })
    }

    /// The id of a record that has none of its own.
    pub(crate) fn record_id(&self, source: &str, position: u64) -> String {
        format!("{source}:{}#{position}", self.relative)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
