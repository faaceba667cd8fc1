//! JSON lines of this project's own: written compressed and atomically, read back strictly.

pub mod columns;

use std::io::{self, BufRead, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::atomic::AtomicFile;
use crate::error::{Cause, Error, Position, Result};
use crate::lines::{Line, Lines};
use crate::stream;

/// A line longer than this is neither written nor read.
const MAX_LINE: usize = 1 << 30;
/// Half the time of level 3, which is zstd's default, for files a sixth larger.
const LEVEL: i32 = 1;

/// Writes records as zstd-compressed JSON lines that appear under their name when finished.
///
/// The same records give the same bytes: one frame, level 1, one thread, with a checksum.
pub struct JsonlWriter<T> {
    path: PathBuf,
    encoder: zstd::Encoder<'static, Hashing>,
    line: Vec<u8>,
    records: u64,
    of: PhantomData<fn(&T)>,
}

/// What a finished file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Number of lines.
    pub records: u64,
    /// Length of the file.
    pub bytes: u64,
    /// BLAKE3 of the file's bytes, in hexadecimal.
    pub checksum: String,
}

impl<T: Serialize> JsonlWriter<T> {
    /// Starts a file; its name should end in `.jsonl.zst`.
    pub fn create(path: &Path) -> Result<Self> {
        let hashing = Hashing { file: AtomicFile::create(path)?, hasher: blake3::Hasher::new(), bytes: 0 };
        let start = |hashing| {
            let mut encoder = zstd::Encoder::new(hashing, LEVEL)?;
            encoder.include_checksum(true)?;
            Ok(encoder)
        };
        let encoder = start(hashing).map_err(Error::io("compress", path))?;
        Ok(Self { path: path.to_path_buf(), encoder, line: Vec::new(), records: 0, of: PhantomData })
    }

    /// Adds a record.
    pub fn push(&mut self, record: &T) -> Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record)
            .map_err(|error| Error::write(&self.path, format!("record {} cannot be JSON: {error}", self.records)))?;
        if self.line.len() > MAX_LINE {
            return Err(Error::write(&self.path, format!("record {} takes more than {MAX_LINE} bytes", self.records)));
        }
        self.line.push(b'\n');
        self.encoder.write_all(&self.line).map_err(Error::io("write", &self.path))?;
        self.records += 1;
        Ok(())
    }

    /// Ends the stream and gives the file its name.
    pub fn finish(self) -> Result<Written> {
        let hashing = self.encoder.finish().map_err(Error::io("write", &self.path))?;
        let written = Written { records: self.records, bytes: hashing.bytes, checksum: hashing.hasher.finalize().to_hex().to_string() };
        hashing.file.finish()?;
        Ok(written)
    }
}

/// Counts and hashes what passes.
struct Hashing {
    file: AtomicFile,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Reads a file of [`JsonlWriter`] (or a plain or gzip one), one record at a time.
///
/// Strict: a line that is no record, a blank line, or a stream that breaks off is an error with
/// path and line, and the last item.
pub struct JsonlReader<T> {
    path: PathBuf,
    lines: Lines,
    line: u64,
    ended: bool,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> JsonlReader<T> {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self> {
        let stream: Box<dyn BufRead + Send> = stream::open(path, &Arc::default())?;
        Ok(Self { path: path.to_path_buf(), lines: Lines::whole(stream, MAX_LINE), line: 0, ended: false, of: PhantomData })
    }
}

impl<T: DeserializeOwned> Iterator for JsonlReader<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        self.line += 1;
        let record = match self.lines.next() {
            Ok(Some(Line::Whole(_, line))) => serde_json::from_slice(line).map_err(|error| Cause::InvalidJson(error.to_string())),
            Ok(Some(Line::TooLong(_))) => Err(Cause::TooLong { limit: MAX_LINE as u64 }),
            Ok(None) => {
                self.ended = true;
                return None;
            }
            Err(error) => Err(Cause::Damaged(error.to_string())),
        };
        self.ended = record.is_err();
        Some(record.map_err(|cause| Error::record(&self.path, Position::Line(self.line), cause)))
    }
}

#[cfg(test)]
mod tests;
