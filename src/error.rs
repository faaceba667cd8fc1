//! What went wrong, as the user reads it: one sentence with its place, an excerpt, and what to do.

use std::fmt;
use std::process::ExitCode;

/// How a command ended when it did not end well; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It ran, but the result is bad (non-finite loss, too many bad rows, failed audit): 1.
    BadResult,
    /// It could not run (usage, recipe, input): 2.
    CouldNotRun,
    /// Interrupted; the same command continues: 130.
    Interrupted,
}

/// An error on its way to the user.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    /// Lines shown between the message and the hint, for example the recipe line with a caret.
    pub(crate) excerpt: Option<String>,
    pub(crate) hint: Option<String>,
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        let error = Self { kind: Kind::CouldNotRun, message: message.to_string(), excerpt: None, hint: None };
        // ENOSPC and EDQUOT, from wherever something is written.
        match ["(os error 28)", "(os error 122)"].iter().any(|full| error.message.ends_with(full)) {
            true => error.hint("free some space, then run the same command again: what is finished stays"),
            false => error,
        }
    }

    pub(crate) fn bad_result(message: impl fmt::Display) -> Self {
        Self { kind: Kind::BadResult, ..Self::new(message) }
    }

    pub(crate) fn interrupted() -> Self {
        Self { kind: Kind::Interrupted, ..Self::new("interrupted") }.hint("run the same command again to continue")
    }

    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Puts the name that was probably meant before the hint, where one is near enough.
    pub(crate) fn did_you_mean(self, given: &str, names: impl IntoIterator<Item = String>) -> Self {
        let close = names.into_iter().map(|name| (strsim::jaro_winkler(given, &name), name)).filter(|(likeness, _)| *likeness > 0.85);
        let Some((_, name)) = close.max_by(|(left, _), (right, _)| left.total_cmp(right)) else { return self };
        let hint = self.hint.as_ref().map(|hint| format!(" {hint}")).unwrap_or_default();
        self.hint(format!("did you mean `{name}`?{hint}"))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            Kind::BadResult => 1,
            Kind::CouldNotRun => 2,
            Kind::Interrupted => 130,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(excerpt) = &self.excerpt {
            write!(f, "\n{excerpt}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// Adds the place to an error of the standard library, which never names one.
pub(crate) trait Context<T> {
    /// `what` is a clause such as `cannot read out/plan.json`.
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|cause| Error::new(format!("{}: {cause}", what())))
    }
}

impl From<corpora::Error> for Error {
    fn from(error: corpora::Error) -> Self {
        Self::new(error)
    }
}

impl From<shards::Error> for Error {
    fn from(error: shards::Error) -> Self {
        Self::new(error)
    }
}
