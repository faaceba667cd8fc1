//! What can go wrong with tokenizers, shards, manifests, mixtures and streams.

use std::io;
use std::path::{Path, PathBuf};

use crate::mixture::Shortage;

/// The result of every fallible call in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error that names the operation, the file and the place in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: `open`, `write`, `rename`.
        operation: &'static str,
        /// The file or folder it was tried on.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A shard file whose bytes contradict each other or their checksums.
    #[error("{}: damaged at byte {offset}: {detail}", path.display())]
    Corrupt {
        /// The shard file.
        path: PathBuf,
        /// First byte of the field, section or block that is wrong.
        offset: u64,
        /// What was found and what should be there.
        detail: String,
    },
    /// A file that is not a shard, or one of a format this reader does not know.
    #[error("{}: {detail}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        detail: String,
    },
    /// A manifest, plan or tokenizer file whose content is refused.
    #[error("{}: {detail}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Which field, and why.
        detail: String,
    },
    /// A document that cannot be written to a shard.
    #[error("cannot add document `{id}` to {}: {detail}", path.display())]
    Document {
        /// The shard being written.
        path: PathBuf,
        /// The document's id.
        id: String,
        /// Why it is refused.
        detail: String,
    },
    /// A setting out of its range.
    #[error("`{option}`: {detail}")]
    Setting {
        /// The option's name as in the recipe.
        option: &'static str,
        /// The value met and the values allowed.
        detail: String,
    },
    /// The tokenizer could not be built or used.
    #[error("cannot {operation}: {detail}")]
    Tokenizer {
        /// What was tried: `encode text`, `train the tokenizer`.
        operation: &'static str,
        /// The cause, from the tokenizer library where it comes from there.
        detail: String,
    },
    /// A chat template that cannot be used, or a conversation that it cannot make.
    #[error("chat template {name}: {detail}")]
    Chat {
        /// Where the template comes from.
        name: String,
        /// What is wrong, with the template's line or the number of the message.
        detail: String,
    },
    /// No end-of-document token is known for this tokenizer.
    #[error(
        "no end-of-document token{}; name one with `eos`, for example one of: {}",
        match wanted { Some(name) => format!(" `{name}`"), None => String::new() },
        if candidates.is_empty() { "(the vocabulary has no special token)".to_owned() } else { candidates.join(" ") }
    )]
    MissingEos {
        /// The name asked for, where one was.
        wanted: Option<String>,
        /// Special tokens the vocabulary has, in id order, at most twenty.
        candidates: Vec<String>,
    },
    /// The mixture cannot be met with the tokens there are.
    #[error(transparent)]
    Shortage(#[from] Box<Shortage>),
    /// The stream was asked for something outside its plan.
    #[error("token stream: {0}")]
    Stream(String),
}

impl Error {
    /// Wraps an I/O error with what was tried on which path.
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { operation, path, source }
    }

    pub(crate) fn corrupt(path: &Path, offset: u64, detail: impl Into<String>) -> Error {
        Error::Corrupt { path: path.to_path_buf(), offset, detail: detail.into() }
    }

    pub(crate) fn chat(name: &str, detail: impl Into<String>) -> Error {
        Error::Chat { name: name.to_owned(), detail: detail.into() }
    }

    pub(crate) fn invalid(path: &Path, detail: impl Into<String>) -> Error {
        Error::Invalid { path: path.to_path_buf(), detail: detail.into() }
    }
}
