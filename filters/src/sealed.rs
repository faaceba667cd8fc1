//! Files of trained models: written whole with a checksum at their end, read up to a limit.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use corpora::AtomicFile;
use xxhash_rust::xxh3::xxh3_64;

use crate::ModelError;

/// Bytes of the checksum at the end.
pub(crate) const SEAL: usize = 8;

/// Writes a model's bytes and their checksum (xxh3, little endian) to a file that is whole or not there.
pub(crate) fn write(path: &Path, mut bytes: Vec<u8>) -> Result<(), ModelError> {
    let seal = xxh3_64(&bytes);
    bytes.extend(seal.to_le_bytes());
    let mut file = AtomicFile::create(path)?;
    file.write_all(&bytes).map_err(|source| ModelError::Io { operation: "write", path: path.to_path_buf(), source })?;
    Ok(file.finish()?)
}

/// Reads a file, of a longer one than `most` bytes a byte more; nothing in it is to be believed before its checksum is right.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, ModelError> {
    let io = |operation| move |source| ModelError::Io { operation, path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(io("open"))?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(io("read"))?;
    Ok(bytes)
}
