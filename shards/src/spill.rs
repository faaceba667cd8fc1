//! A table that grows while a shard is written: in memory while small, then in an unnamed file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Bytes held in memory before they go to the file.
const MEMORY: usize = 1 << 20;

/// Append-only bytes; at most [`MEMORY`] plus one record of them in memory.
#[derive(Debug)]
pub(crate) struct Spill {
    folder: PathBuf,
    memory: Vec<u8>,
    file: Option<File>,
    bytes: u64,
}

impl Spill {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), memory: Vec::new(), file: None, bytes: 0 }
    }

    /// Bytes pushed so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        self.memory.extend_from_slice(bytes);
        if self.memory.len() < MEMORY {
            return Ok(());
        }
        let write = |spill: &mut Self| -> io::Result<()> {
            let file = match &mut spill.file {
                Some(file) => file,
                none => none.insert(tempfile::tempfile_in(&spill.folder)?),
            };
            file.write_all(&spill.memory)
        };
        write(self).map_err(Error::io("spill a table into", &self.folder))?;
        self.memory.clear();
        Ok(())
    }

    /// Hands all bytes, in order, to `sink`.
    pub(crate) fn drain(mut self, mut sink: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if let Some(mut file) = self.file.take() {
            let fail = |source| Error::io("read back a table from", &self.folder)(source);
            file.seek(SeekFrom::Start(0)).map_err(fail)?;
            let mut buffer = vec![0; 1 << 16];
            loop {
                match file.read(&mut buffer).map_err(fail)? {
                    0 => break,
                    read => sink(&buffer[..read])?,
                }
            }
        }
        sink(&self.memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_pushed_beyond_memory() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::new(folder.path());
        let mut expected = Vec::new();
        for i in 0..300_000u64 {
            spill.push(&i.to_le_bytes()).unwrap();
            expected.extend_from_slice(&i.to_le_bytes());
        }
        assert!(spill.file.is_some() && spill.memory.len() < MEMORY);
        assert_eq!(spill.bytes(), expected.len() as u64);
        let mut read = Vec::new();
        spill
            .drain(|bytes| {
                read.extend_from_slice(bytes);
                Ok(())
            })
            .unwrap();
        assert_eq!(read, expected);
    }
}
