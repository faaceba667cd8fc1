//! `init`: a commented recipe to start from.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use crate::error::{Context, Error, Result};
use crate::report::Ui;

/// The recipe that `init` writes; a test loads it.
const TEMPLATE: &str = include_str!("../recipes/template.toml");

/// `malmoi init [PATH]`; never overwrites.
pub(crate) fn init(path: &Path, ui: &Ui) -> Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(|cause| {
        let error = Error::new(format!("cannot create {}: {cause}", path.display()));
        if cause.kind() == std::io::ErrorKind::AlreadyExists { error.hint("`malmoi init OTHER.toml` writes elsewhere") } else { error }
    })?;
    file.write_all(TEMPLATE.as_bytes()).context(|| format!("cannot write {}", path.display()))?;
    ui.data(path.display());
    ui.say(format!("fill in `files`, then: malmoi plan {0}, malmoi run {0}", path.display()));
    ui.event("init", &json!({ "path": path }));
    Ok(())
}
