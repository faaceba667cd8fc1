//! The documents that texts are made about.

use std::path::Path;

use corpora::Part;
use serde_json::Value;

use super::config::Seeds;
use crate::error::{Error, Result};
use crate::layout;
use crate::lines::Lines;
use crate::stage::tokenize::Unique;

/// A document, as far as it is shown to the model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seed {
    pub(super) id: String,
    pub(super) text: String,
}

/// All seeds in their order.
pub(super) fn read(seeds: &Seeds) -> Result<Vec<Seed>> {
    let most = seeds.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let beginning = |text: &str| text.chars().take(seeds.max_chars).collect::<String>();
    let found: Vec<Seed> = match (&seeds.run, &seeds.file) {
        (Some(run), _) => of_run(run, most, &beginning)?,
        (_, Some(file)) => of_file(file, most, &beginning)?,
        _ => Vec::new(),
    };
    if found.is_empty() {
        return Err(Error::new("`seeds` has no documents"));
    }
    Ok(found)
}

fn of_run(run: &Path, most: usize, beginning: &dyn Fn(&str) -> String) -> Result<Vec<Seed>> {
    if !run.join(layout::PLAN).exists() {
        return Err(Error::new(format!("seeds.run: {} is no run folder", run.display())));
    }
    let parts: Vec<Part> = layout::read_json(run, layout::PLAN)?;
    let mut found = Vec::new();
    for part in &parts {
        if !run.join(layout::duplicates(&part.name)).exists() {
            return Err(Error::new(format!("seeds.run: {} of {} is not cleaned and deduplicated", part.name, run.display()))
                .hint("run its recipe first"));
        }
        for document in Unique::open(run, &part.name)?.take(most - found.len()) {
            let document = document?;
            found.push(Seed { text: beginning(&document.text), id: document.id });
        }
    }
    Ok(found)
}

fn of_file(path: &Path, most: usize, beginning: &dyn Fn(&str) -> String) -> Result<Vec<Seed>> {
    let mut found = Vec::new();
    for (number, line) in Lines::open(path)?.take(most) {
        let place = format!("{}, line {number}", path.display());
        let line: Value =
            line.and_then(|line| serde_json::from_slice(&line).map_err(|error| format!("{place}: {error}"))).map_err(Error::new)?;
        let Some(text) = line["text"].as_str().filter(|text| !text.trim().is_empty()) else {
            return Err(Error::new(format!("{place}: no text in `text`")));
        };
        let id = match &line["id"] {
            Value::Null => format!("{}#{number}", crate::card::name_of(path)),
            Value::String(id) => id.clone(),
            other => other.to_string(),
        };
        found.push(Seed { id, text: beginning(text) });
    }
    Ok(found)
}
