//! What can go wrong with sources, records and files, and where.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The result of every fallible call in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error that names the operation, the file and the place in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: `open`, `read`, `rename`.
        operation: &'static str,
        /// The file or folder it was tried on.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A record that is no document, or the place from which a file can be read no further.
    #[error("{}: {position}: {cause}", path.display())]
    Record {
        /// The input file.
        path: PathBuf,
        /// Where the record starts, or where the stream breaks off.
        position: Position,
        /// What is wrong there.
        cause: Cause,
    },
    /// A file that is not what its name or its writer says.
    #[error("{}: {detail}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        detail: String,
    },
    /// A source whose settings contradict each other, or that gives no input.
    #[error("source `{name}`: {detail}")]
    Source {
        /// Name of the source in the recipe.
        name: String,
        /// Which setting or pattern, and why.
        detail: String,
    },
    /// An argument that no output can be made with.
    #[error("cannot write {}: {detail}", path.display())]
    Write {
        /// The file being written.
        path: PathBuf,
        /// What was refused.
        detail: String,
    },
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Byte offset in the decompressed stream, from 0.
    Byte(u64),
    /// Row of a table, from 0.
    Row(u64),
    /// Line of a file that this crate wrote, from 1.
    Line(u64),
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// Bytes that are not UTF-8.
    #[error("invalid UTF-8 at byte {0} of the record")]
    InvalidUtf8(u64),
    /// A line that is not one JSON object.
    #[error("invalid JSON: {0}")]
    InvalidJson(String),
    /// A field that the source needs and the record lacks (or holds null in).
    #[error("no field `{0}`")]
    MissingField(String),
    /// A field of a type that cannot serve.
    #[error("field `{field}` is {found}, not {wanted}")]
    WrongType {
        /// The field as the recipe names it.
        field: String,
        /// What it holds.
        found: &'static str,
        /// What it should hold.
        wanted: &'static str,
    },
    /// A message of a conversation that cannot be one.
    #[error("field `{field}`: {detail}")]
    Turn {
        /// The message's field, for example `messages[1].role`.
        field: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A record longer than `max-record-bytes`.
    #[error("record longer than max-record-bytes = {limit}")]
    TooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// A field longer than any record may have it.
    #[error("field `{field}` longer than {limit} bytes")]
    FieldTooLong {
        /// The field as the recipe names it.
        field: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// A compressed stream or a table that breaks off or contradicts itself. Nothing more is read
    /// from this slice (or, in a table, from this row group).
    #[error("damaged: {0}")]
    Damaged(String),
    /// A compressed stream that may be whole, and takes more memory or time than any text is worth. Nothing more is
    /// read from this slice.
    #[error("refused: {0}")]
    Refused(String),
    /// A record that contradicts its format. Reading goes on with the next one.
    #[error("malformed: {0}")]
    Malformed(String),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(at) => write!(f, "byte {at}"),
            Self::Row(at) => write!(f, "row {at}"),
            Self::Line(at) => write!(f, "line {at}"),
        }
    }
}

impl Error {
    /// Whether more than one record may be lost by this error: the file could not be opened, or
    /// broke off. A reader goes on after it with the next row group or file.
    pub fn loses_more_than_a_record(&self) -> bool {
        !matches!(self, Self::Record { cause, .. } if !matches!(cause, Cause::Damaged(_) | Cause::Refused(_)))
    }

    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io { operation, path, source }
    }

    pub(crate) fn record(path: &Path, position: Position, cause: Cause) -> Self {
        Self::Record { path: path.to_path_buf(), position, cause }
    }

    pub(crate) fn format(path: &Path, detail: impl Into<String>) -> Self {
        Self::Format { path: path.to_path_buf(), detail: detail.into() }
    }

    pub(crate) fn source(name: &str, detail: impl Into<String>) -> Self {
        Self::Source { name: name.to_owned(), detail: detail.into() }
    }

    pub(crate) fn write(path: &Path, detail: impl Into<String>) -> Self {
        Self::Write { path: path.to_path_buf(), detail: detail.into() }
    }
}
