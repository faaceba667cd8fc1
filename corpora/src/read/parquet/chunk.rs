//! Column chunks: the bytes of one column of one row group, measured and then decoded.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use polars_arrow::array::Array;
use polars_arrow::datatypes::Field;
use polars_buffer::Buffer;
use polars_parquet::parquet::read::deserialize_metadata;
use polars_parquet::read::{BasicDecompressor, ColumnChunkMetadata, FileMetadata, PageReader, column_iter_to_arrays};

use super::super::guard::guarded;
use super::thrift::{self, FILE_METADATA, PAGE_HEADER};
use crate::error::{Cause, Error, Position, Result};
use crate::stream::{MAX_RATIO, is_bomb};

/// What the columns of one row group may take.
pub(super) struct Budget {
    /// Decompressed bytes left to the column in hand.
    left: u64,
    /// Bytes of all columns so far, decompressed and as they lie in the file.
    claimed: u64,
    held: u64,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { left: MAX_BYTES, claimed: 0, held: 0 }
    }

    /// For the next column.
    pub(super) fn next(&mut self) {
        self.left = MAX_BYTES;
    }

    fn take(&mut self, bytes: u64) -> std::result::Result<(), String> {
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or_else(|| format!("a column of more than {MAX_BYTES} bytes in one row group; write the file with smaller row groups"))?;
        self.claimed = self.claimed.saturating_add(bytes);
        if is_bomb(self.claimed, self.held) {
            return Err(format!(
                "its pages decompress to more than {MAX_RATIO} times their size, as no text does; if they are honest, write the file without compression"
            ));
        }
        Ok(())
    }
}

/// Rows of one row group: a run-length encoding can claim billions of them in a few bytes.
pub(in super::super) const MAX_ROWS: u64 = 1 << 26;
/// Decompressed bytes of one column of one row group, which are held at once.
pub(super) const MAX_BYTES: u64 = 2 << 30;
const MAX_FOOTER_BYTES: u64 = 256 << 20;
const MAX_SCHEMA_DEPTH: usize = 64;

/// A file ends with its footer, the footer's length and this.
const MAGIC: &[u8; 4] = b"PAR1";

/// Reads and checks a file's footer.
pub(super) fn metadata(file: &mut File, bytes: u64, path: &Path) -> Result<FileMetadata> {
    let damaged = |detail: String| Error::record(path, Position::Row(0), Cause::Damaged(detail));
    let mut tail = [0; 8];
    if bytes < 12 {
        return Err(damaged("too short for a Parquet file".to_owned()));
    }
    file.seek(SeekFrom::Start(bytes - 8)).and_then(|_| file.read_exact(&mut tail)).map_err(Error::io("read", path))?;
    let [a, b, c, d, magic @ ..] = tail;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if magic != *MAGIC {
        return Err(damaged("the file does not end as a Parquet file does".to_owned()));
    }
    if length > (bytes - 12).min(MAX_FOOTER_BYTES) {
        return Err(damaged(format!("the footer claims {length} bytes of a file of {bytes}")));
    }
    let footer = read_range(file, bytes - 8 - length, length).map_err(Error::io("read", path))?;
    if !is_sound(&footer) {
        return Err(damaged("the footer is not what a Parquet file has".to_owned()));
    }
    guarded(|| deserialize_metadata(Buffer::from_vec(footer)).map_err(|error| error.to_string())).map_err(damaged)
}

/// Whether a footer has the shape that the decoder takes for granted, lists that fit in it, and a
/// schema of a depth that the decoder's recursion survives.
fn is_sound(footer: &[u8]) -> bool {
    // Children still to come, of each group from the root to here.
    let mut open: Vec<i64> = Vec::new();
    let mut children = 0;
    let length = thrift::walk(footer, &FILE_METADATA, |path, value| {
        match (path, value) {
            ([2, 5], Some(count)) => children = count,
            ([2], None) => {
                if let Some(left) = open.last_mut() {
                    *left -= 1;
                }
                if children > 0 {
                    open.push(children);
                }
                children = 0;
                while open.last().is_some_and(|left| *left <= 0) {
                    open.pop();
                }
            }
            _ => {}
        }
        open.len() <= MAX_SCHEMA_DEPTH
    });
    length.is_some()
}

/// Decodes the leaves of one column of a row group to arrays of `field`'s type. The budget is that of the row group.
///
/// Checked before: where the chunks lie, how many values and bytes they claim, and each page's header.
pub(super) fn decode(
    file: &mut File,
    file_bytes: u64,
    leaves: &[&ColumnChunkMetadata],
    rows: usize,
    field: Field,
    budget: &mut Budget,
) -> std::result::Result<Vec<Box<dyn Array>>, String> {
    let mut chunks = Vec::new();
    for chunk in leaves {
        chunks.push(read_chunk(file, file_bytes, chunk, budget)?);
    }
    let arrays = guarded(|| {
        let pages = chunks.into_iter().zip(leaves).map(|(bytes, chunk)| {
            let pages = PageReader::new(Cursor::new(Buffer::from_vec(bytes)), chunk, Vec::new(), MAX_BYTES as usize);
            BasicDecompressor::new(pages, Vec::new())
        });
        let types = leaves.iter().map(|chunk| &chunk.descriptor().descriptor.primitive_type).collect();
        column_iter_to_arrays(pages.collect(), types, field, None).map_err(|error| error.to_string())
    })?
    .0;
    let decoded: usize = arrays.iter().map(|array| array.len()).sum();
    if decoded != rows {
        return Err(format!("a column of {decoded} rows in a row group of {rows}"));
    }
    Ok(arrays)
}

fn read_chunk(file: &mut File, file_bytes: u64, chunk: &ColumnChunkMetadata, budget: &mut Budget) -> std::result::Result<Vec<u8>, String> {
    let range = guarded(|| Ok(chunk.byte_range()))?;
    let (start, length) = (range.start, range.end - range.start);
    if start.checked_add(length).is_none_or(|end| end > file_bytes) {
        return Err(format!("a column claims {length} bytes at byte {start} of a file of {file_bytes}"));
    }
    if length > MAX_BYTES || chunk.num_values() < 0 || chunk.num_values() as u64 > MAX_ROWS {
        return Err(format!(
            "a column of {length} bytes and {} values in one row group; write the file with smaller row groups",
            chunk.num_values()
        ));
    }
    let bytes = read_range(file, start, length).map_err(|error| error.to_string())?;
    measure_pages(&bytes, chunk.num_values(), budget)?;
    Ok(bytes)
}

/// Adds up what the pages of a chunk would decompress to, by their headers alone.
pub(super) fn measure_pages(bytes: &[u8], values: i64, budget: &mut Budget) -> std::result::Result<(), String> {
    let (mut at, mut seen) = (0, 0_i64);
    budget.held = budget.held.saturating_add(bytes.len() as u64);
    while seen < values && at < bytes.len() {
        let (mut compressed, mut decompressed, mut rows, mut entries) = (0, 0, 0, 0);
        let header = thrift::walk(&bytes[at..], &PAGE_HEADER, |path, value| {
            let Some(value) = value else { return true };
            match path {
                [2] => decompressed = value,
                [3] => compressed = value,
                [5 | 8, 1] => rows = value,
                [7, 1] => entries = value,
                _ => {}
            }
            // The decoder reads 32 bits of each.
            (i64::from(i32::MIN)..=i64::from(i32::MAX)).contains(&value) || !matches!(path, [1..=3] | [5 | 7 | 8, 1])
        });
        let header = header.ok_or("a page header is damaged")?;
        let sizes = (usize::try_from(compressed), u64::try_from(decompressed), u64::try_from(entries));
        let (Ok(compressed), Ok(decompressed), Ok(entries)) = sizes else { return Err("a page header has a negative size".to_owned()) };
        budget.take(decompressed)?;
        // An entry of a dictionary has a byte at least.
        if entries > decompressed || rows < 0 || rows > MAX_ROWS as i64 {
            return Err("a page header counts more values than its page can hold".to_owned());
        }
        at = at.saturating_add(header).saturating_add(compressed);
        seen = seen.saturating_add(rows);
    }
    Ok(())
}

/// Reads bytes that are known to be in the file, growing the buffer with what arrives.
fn read_range(file: &mut File, start: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"));
    }
    Ok(bytes)
}
