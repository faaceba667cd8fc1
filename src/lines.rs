//! Lines of a file that a user gives.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::error::{Context, Result};

/// Longest line.
const MAX_LINE: u64 = 64 << 20;

/// Lines that are not empty in their order, with their numbers from 1. After one that is too long, or that cannot be
/// read, nothing follows: it is not known where the next begins.
pub(crate) struct Lines {
    path: PathBuf,
    reader: BufReader<std::fs::File>,
    number: u64,
    broken: bool,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = std::fs::File::open(path).context(|| format!("cannot open {}", path.display()))?;
        Ok(Self { path: path.to_path_buf(), reader: BufReader::new(file), number: 0, broken: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Iterator for Lines {
    type Item = (u64, std::result::Result<Vec<u8>, String>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.broken {
                return None;
            }
            let mut line = Vec::new();
            self.number += 1;
            match (&mut self.reader).take(MAX_LINE + 1).read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) if line.len() as u64 > MAX_LINE => {
                    self.broken = true;
                    return Some((
                        self.number,
                        Err(format!("{}, line {}: longer than {MAX_LINE} bytes", self.path.display(), self.number)),
                    ));
                }
                Ok(_) => return Some((self.number, Ok(line))),
                Err(error) => {
                    self.broken = true;
                    return Some((self.number, Err(format!("cannot read {}: {error}", self.path.display()))));
                }
            }
        }
    }
}
