//! What can go wrong between a signature and a duplicate.

use std::io;
use std::path::{Path, PathBuf};

/// The result of every fallible call of this module.
pub type Result<T> = std::result::Result<T, Error>;

/// An error that names the operation, the file and the place in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked to stop; finished files stay and are used by the next run.
    #[error("deduplication was cancelled")]
    Cancelled,
    /// The operating system refused a file operation.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file that is not what its name or its writer says.
    #[error("{}: byte {at}: {detail}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Offset of the damaged block or field.
        at: u64,
        /// What is wrong there.
        detail: String,
    },
    /// A good file that does not belong to this call: other settings, other inputs, another place.
    #[error("{}: {detail}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What it belongs to instead.
        detail: String,
    },
    /// The clusters need more memory than `memory`. With more of it a call goes on where this one ended.
    #[error("{operation} needs {needed} bytes of memory and has {available}: set `dedup.memory` to at least {needed}")]
    OverBudget {
        /// What needs it.
        operation: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes it may use.
        available: u64,
    },
    /// An argument that makes no sense.
    #[error("cannot deduplicate: {0}")]
    Input(String),
    /// Settings out of range.
    #[error("[dedup]: {0}")]
    Config(#[from] super::ConfigError),
    /// An output could not be written.
    #[error(transparent)]
    Write(#[from] corpora::Error),
}

impl Error {
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io { operation, path, source }
    }

    pub(crate) fn format(path: &Path, at: u64, detail: impl Into<String>) -> Self {
        Self::Format { path: path.to_path_buf(), at, detail: detail.into() }
    }

    pub(crate) fn mismatch(path: &Path, detail: impl Into<String>) -> Self {
        Self::Mismatch { path: path.to_path_buf(), detail: detail.into() }
    }
}
