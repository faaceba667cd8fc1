//! Files of a layout while they are written, and small things all layouts need.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::ForeignOptions;
use crate::atomic;
use crate::error::{Error, Result};
use crate::reader::ShardReader;

/// `NAME.ds` and `index` → `NAME.ds.index`.
pub(super) fn appended(path: &Path, part: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(part);
    name.into()
}

/// A file that gets its name once all of it is on disk.
pub(super) struct NewFile {
    path: PathBuf,
    temporary: PathBuf,
    out: BufWriter<File>,
    finished: bool,
}

impl NewFile {
    pub(super) fn create(path: PathBuf) -> Result<Self> {
        let temporary = atomic::temporary(&path)?;
        let file = File::create(&temporary).map_err(Error::io("create", &temporary))?;
        Ok(Self { path, temporary, out: BufWriter::with_capacity(1 << 18, file), finished: false })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(Error::io("write", &self.temporary))
    }

    pub(super) fn finish(mut self) -> Result<PathBuf> {
        self.out.flush().and_then(|()| self.out.get_ref().sync_all()).map_err(Error::io("write", &self.temporary))?;
        atomic::publish(&self.temporary, &self.path)?;
        self.finished = true;
        Ok(self.path.clone())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.temporary); // an abandoned file leaves nothing
        }
    }
}

/// The tokens of a shard's document that are exported, counted in the shard.
pub(super) fn exported(shard: &ShardReader, document: u64, options: &ForeignOptions) -> Result<Range<u64>> {
    let tokens = shard.token_range(document)?;
    let end = if options.end_tokens { tokens.end } else { tokens.end - 1 };
    Ok(tokens.start..end)
}

/// Writes the tokens of a range as little-endian numbers of `width` bytes.
pub(super) fn write_tokens(shard: &ShardReader, range: Range<u64>, width: u32, out: &mut NewFile) -> Result<()> {
    const STEP: u64 = 1 << 16;
    let (mut ids, mut bytes) = (Vec::new(), Vec::new());
    let mut at = range.start;
    while at < range.end {
        let end = range.end.min(at + STEP);
        ids.clear();
        bytes.clear();
        shard.tokens(at..end, &mut ids)?;
        ids.iter().for_each(|id| bytes.extend_from_slice(&id.to_le_bytes()[..width as usize]));
        out.write(&bytes)?;
        at = end;
    }
    Ok(())
}
