//! A file of prompts.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::form::{Prompt as Asked, Turn};
use crate::error::Result;
use crate::lines::Lines;

/// One line.
#[derive(Clone)]
pub(super) struct Prompt {
    /// What the line calls itself; its number, from 1, where it does not.
    pub(super) id: Value,
    pub(super) asked: Asked,
}

/// Lines in their order, with their numbers from 1. A line that is none is an error with its place, and not the
/// last one, unless the file cannot be read.
pub(super) struct Prompts(Lines);

#[derive(Deserialize)]
struct Line {
    id: Option<Value>,
    prompt: Option<String>,
    /// A conversation, in place of `prompt`.
    messages: Option<Vec<Turn>>,
}

impl Prompts {
    pub(super) fn open(path: &Path) -> Result<Self> {
        Lines::open(path).map(Self)
    }

    pub(super) fn name(&self) -> String {
        self.0.path().display().to_string()
    }

    fn parse(&self, number: u64, line: &[u8]) -> std::result::Result<Prompt, String> {
        let place = || format!("{}, line {number}", self.name());
        let Line { id, prompt, messages } = serde_json::from_slice(line).map_err(|error| format!("{}: {error}", place()))?;
        let asked = match (prompt, messages) {
            (Some(text), None) => Asked::Text(text),
            (None, Some(turns)) => Asked::Turns(turns),
            (None, None) => return Err(format!("{}: missing field `prompt` or `messages`", place())),
            (Some(_), Some(_)) => return Err(format!("{}: it has both `prompt` and `messages`", place())),
        };
        Ok(Prompt { id: id.unwrap_or(json!(number)), asked })
    }
}

impl Iterator for Prompts {
    type Item = (u64, std::result::Result<Prompt, String>);

    fn next(&mut self) -> Option<Self::Item> {
        let (number, line) = self.0.next()?;
        Some((number, line.and_then(|line| self.parse(number, &line))))
    }
}
