//! The printer: stdout is data, stderr is talk. Nothing else in the program writes to either.

use std::io::{IsTerminal, Write};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::progress::{Progress, Unit};
use crate::cli::Common;
use crate::error::{Error, Kind};

/// Version of the objects that `--json` prints.
const EVENT_VERSION: u32 = 1;

/// How to talk, as the command line asked for it.
#[derive(Clone, Debug)]
pub(crate) struct Ui {
    json: bool,
    quiet: bool,
    verbose: bool,
    progress: bool,
}

impl Ui {
    pub(crate) fn new(common: &Common) -> Self {
        Self {
            json: common.json,
            quiet: common.quiet,
            verbose: common.verbose,
            progress: !(common.no_progress || common.quiet || common.json),
        }
    }

    /// A line of data for people; silent under `--json`, where [`Ui::event`] carries the data.
    pub(crate) fn data(&self, text: impl std::fmt::Display) {
        if !self.json {
            write_out(&format!("{text}\n"));
        }
    }

    /// A part of a line of data, as it is made; silent under `--json`.
    pub(crate) fn piece(&self, text: &str) {
        if !self.json && !text.is_empty() {
            write_out(text);
        }
    }

    /// Whether machines read what is printed.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// An object for machines: `{"reason": .., "version": 1, ..fields}`; silent without `--json`.
    pub(crate) fn event(&self, reason: &str, fields: &impl Serialize) {
        if !self.json {
            return;
        }
        let mut object = Map::new();
        object.insert("reason".to_owned(), json!(reason));
        object.insert("version".to_owned(), json!(EVENT_VERSION));
        match serde_json::to_value(fields) {
            Ok(Value::Object(fields)) => object.extend(fields),
            Ok(value) => drop(object.insert("value".to_owned(), value)),
            Err(error) => drop(object.insert("error".to_owned(), json!(error.to_string()))),
        }
        write_out(&format!("{}\n", Value::Object(object)));
    }

    /// A line of talk.
    pub(crate) fn say(&self, text: impl std::fmt::Display) {
        if !self.quiet {
            write_err(&text.to_string());
        }
    }

    /// A line of talk that only `-v` wants.
    pub(crate) fn detail(&self, text: impl std::fmt::Display) {
        if self.verbose {
            write_err(&text.to_string());
        }
    }

    /// Something the reader should know, said even under `-q`.
    pub(crate) fn warn(&self, text: impl std::fmt::Display) {
        write_err(&format!("warning: {text}"));
        self.event("warning", &json!({ "message": text.to_string() }));
    }

    pub(crate) fn error(&self, error: &Error) {
        write_err(&error.to_string());
        let kind = match error.kind {
            Kind::BadResult => "bad-result",
            Kind::CouldNotRun => "could-not-run",
            Kind::Interrupted => "interrupted",
        };
        self.event("error", &json!({ "kind": kind, "message": error.message, "hint": error.hint }));
    }

    /// Starts the progress line of a stage; `total` in `unit`.
    pub(crate) fn progress(&self, stage: &str, unit: Unit, total: u64) -> Progress {
        Progress::start(stage, unit, total, self.progress, std::io::stderr().is_terminal())
    }
}

/// Writes to stdout. A reader that went away (`| head`) is no reason to stop working; a full disk
/// is, because the data would be lost without a word.
fn write_out(text: &str) {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() != std::io::ErrorKind::BrokenPipe => {
            write_err(&format!("error: cannot write to stdout: {cause}"));
            std::process::exit(2);
        }
        _ => {}
    }
}

/// Writes a line to stderr; where nobody listens, nothing is lost.
pub(super) fn write_err(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
