//! What can go wrong in training.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use shards::OrderRow;

/// The result of every fallible call in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error that names the operation and what it met.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: `create`, `write`, `rename`.
        operation: &'static str,
        /// The file or folder it was tried on.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A setting out of its range.
    #[error("`{option}` is {detail}")]
    Setting {
        /// The option's name as in the recipe.
        option: Cow<'static, str>,
        /// The value met and the values allowed.
        detail: String,
    },
    /// A device that does not exist, or one that this build cannot use.
    #[error("device {device}: {detail}")]
    Device {
        /// The device as it was asked for.
        device: String,
        /// Why it cannot be used, and what to do.
        detail: String,
    },
    /// The backend failed to give back a tensor.
    #[error("cannot {operation}: {detail}")]
    Backend {
        /// What was tried.
        operation: &'static str,
        /// The backend's answer.
        detail: String,
    },
    /// A batch that does not fit the model.
    #[error("batch: {0}")]
    Batch(String),
    /// A reward that is none.
    #[error("reward `{name}` {detail}")]
    Reward {
        /// The reward's name.
        name: String,
        /// What it did.
        detail: String,
    },
    /// Something to generate or to score that the model cannot take.
    #[error("request {id}: {detail}")]
    Request {
        /// The request's id, or the pair's place.
        id: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// A checkpoint, a metrics file or a model whose content is refused.
    #[error("{}: {detail}", path.display())]
    Invalid {
        /// The file or folder.
        path: PathBuf,
        /// Which field or tensor, and why.
        detail: String,
    },
    /// A checkpoint of another run.
    #[error(
        "{} belongs to another run: its recipe, data or tokenizer had fingerprint {theirs}, now it is {ours}; remove the folder, or choose another output",
        path.display()
    )]
    OtherRun {
        /// The checkpoint.
        path: PathBuf,
        /// The fingerprint in it.
        theirs: String,
        /// The fingerprint of this run.
        ours: String,
    },
    /// The loss or the gradient is infinite or not a number: the run has failed.
    #[error("step {step}: the {what} is {value}{}", named(rows))]
    NonFinite {
        /// The step, from 1.
        step: u64,
        /// `loss`, `gradient norm`, `held-out loss`, or the name of a number beside the loss.
        what: String,
        /// What it is.
        value: f64,
        /// What the step's batch is made of; nothing for held-out text.
        rows: Vec<OrderRow>,
    },
    /// Training was asked to stop. Everything up to the last step is in a checkpoint.
    #[error("interrupted")]
    Interrupted,
    /// The shards, the stream or the tokenizer failed.
    #[error(transparent)]
    Shards(#[from] shards::Error),
}

/// The first few documents of a step, for a message.
fn named(rows: &[OrderRow]) -> String {
    const NAMED: usize = 3;
    let drawn = rows.iter().filter_map(|row| row.drawn.as_ref());
    let documents = drawn.flat_map(|window| window.documents.iter().map(|document| (document, &window.bucket)));
    let names: Vec<String> =
        documents.clone().take(NAMED).map(|(document, bucket)| format!("`{}` of {} ({bucket})", document.id, document.source)).collect();
    match documents.count() {
        0 => String::new(),
        all if all <= NAMED => format!("; its batch has {}", names.join(", ")),
        all => format!("; its batch has {} and {} more documents", names.join(", "), all - NAMED),
    }
}

impl Error {
    /// Wraps an I/O error with what was tried on which path.
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { operation, path, source }
    }

    pub(crate) fn invalid(path: &Path, detail: impl Into<String>) -> Error {
        Error::Invalid { path: path.to_path_buf(), detail: detail.into() }
    }

    pub(crate) fn backend(operation: &'static str) -> impl FnOnce(burn::tensor::TensorReadError) -> Error {
        move |error| Error::Backend { operation, detail: error.to_string() }
    }
}
