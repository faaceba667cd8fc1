//! A file of prompts.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Context, Result};

/// Longest line of a file of prompts.
const MAX_LINE: u64 = 64 << 20;

/// One line.
#[derive(Clone)]
pub(super) struct Prompt {
    /// What the line calls itself; its number, from 1, where it does not.
    pub(super) id: Value,
    pub(super) text: String,
}

/// Lines in their order, with their numbers from 1. A line that is none is an error with its place, and not the
/// last one, unless the file cannot be read.
pub(super) struct Prompts {
    path: PathBuf,
    lines: BufReader<std::fs::File>,
    number: u64,
    broken: bool,
}

#[derive(Deserialize)]
struct Line {
    id: Option<Value>,
    prompt: String,
}

impl Prompts {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = std::fs::File::open(path).context(|| format!("cannot open {}", path.display()))?;
        Ok(Self { path: path.to_path_buf(), lines: BufReader::new(file), number: 0, broken: false })
    }

    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn parse(&self, line: &[u8]) -> std::result::Result<Prompt, String> {
        let place = || format!("{}, line {}", self.path.display(), self.number);
        if line.len() as u64 > MAX_LINE {
            return Err(format!("{}: longer than {MAX_LINE} bytes", place()));
        }
        let Line { id, prompt } = serde_json::from_slice(line).map_err(|error| format!("{}: {error}", place()))?;
        Ok(Prompt { id: id.unwrap_or(json!(self.number)), text: prompt })
    }
}

impl Iterator for Prompts {
    type Item = (u64, std::result::Result<Prompt, String>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.broken {
                return None;
            }
            let mut line = Vec::new();
            self.number += 1;
            match (&mut self.lines).take(MAX_LINE + 1).read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) => {
                    // What follows in a line that is too long is not another line.
                    self.broken = line.len() as u64 > MAX_LINE;
                    return Some((self.number, self.parse(&line)));
                }
                Err(error) => {
                    self.broken = true;
                    return Some((self.number, Err(format!("cannot read {}: {error}", self.path.display()))));
                }
            }
        }
    }
}
