//! A file of weights, read piece by piece.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::format::Format;
use crate::error::{Error, Result};

/// Bytes read at a time.
const PIECE: usize = 1 << 20;

/// An open file of weights. It is read and not mapped: one that is cut short meanwhile is an error
/// then, where a mapping would end the process.
#[derive(Debug)]
pub(crate) struct WeightFile {
    path: PathBuf,
    file: File,
    length: u64,
}

/// Where one tensor lies in a file, checked against the file's length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) format: Format,
    /// `[out, in]` or `[n]`.
    pub(crate) shape: Vec<usize>,
    /// First byte in the file.
    pub(crate) start: u64,
    /// Bytes.
    pub(crate) length: u64,
}

impl WeightFile {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let facts = file.metadata().map_err(Error::io("inspect", path))?;
        if !facts.is_file() {
            return Err(Error::invalid(path, "is not a file"));
        }
        Ok(Self { path: path.to_path_buf(), file, length: facts.len() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// An error about this file.
    pub(crate) fn refuse<T>(&self, detail: impl Into<String>) -> Result<T> {
        Err(Error::invalid(&self.path, detail))
    }

    /// A reader from `start` on.
    pub(crate) fn reader(&self, start: u64) -> Result<&File> {
        (&self.file).seek(SeekFrom::Start(start)).map_err(Error::io("seek in", &self.path))?;
        Ok(&self.file)
    }

    /// Reads `length` bytes at `start`, which must lie in the file.
    pub(crate) fn bytes(&self, start: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.reader(start)?.read_exact(&mut bytes).map_err(Error::io("read", &self.path))?;
        Ok(bytes)
    }

    /// The numbers of a tensor, in pieces; memory is one piece. A number that is infinite or none is
    /// refused with its place.
    pub(crate) fn pieces(&self, name: &str, tensor: &Stored, put: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let block = tensor.format.block_bytes();
        let (mut left, mut done) = (tensor.length, 0);
        let mut reader = self.reader(tensor.start)?;
        let mut bytes = vec![0; usize::try_from(left).unwrap_or(PIECE).min(PIECE / block * block)];
        let mut values = Vec::new();
        while left > 0 {
            let piece = usize::try_from(left).unwrap_or(PIECE).min(bytes.len());
            reader.read_exact(&mut bytes[..piece]).map_err(Error::io("read", &self.path))?;
            values.clear();
            tensor.format.decode(&bytes[..piece], &mut values);
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                return self.refuse(format!("tensor `{name}` has {} at element {}", values[at], done + at));
            }
            put(&values)?;
            left -= piece as u64;
            done += values.len();
        }
        Ok(())
    }

    /// The numbers of a tensor; finite ones.
    pub(crate) fn values(&self, name: &str, tensor: &Stored) -> Result<Vec<f32>> {
        let mut all = Vec::with_capacity(tensor.shape.iter().product());
        self.pieces(name, tensor, &mut |values| {
            all.extend_from_slice(values);
            Ok(())
        })?;
        Ok(all)
    }

    /// Adds the file's content to a hash.
    pub(crate) fn hash(&self, hasher: &mut blake3::Hasher) -> Result<()> {
        hasher.update(&self.length.to_le_bytes());
        hasher.update_reader(self.reader(0)?.take(self.length)).map_err(Error::io("read", &self.path))?;
        Ok(())
    }
}
