//! Messages of an Arrow stream, measured before anything is decoded: the decoder believes what they claim.

use std::io::{Read, Seek, SeekFrom};

use polars_arrow::io::ipc::format::ipc::planus::ReadAsRoot;
use polars_arrow::io::ipc::format::ipc::{MessageHeaderRef, MessageRef, RecordBatchRef};

use super::super::parquet::MAX_ROWS;
use crate::stream::{MAX_RATIO, is_bomb};

/// Most bytes of a record batch, decompressed.
pub(super) const MAX_BYTES: u64 = 2 << 30;
/// Most bytes of a message without its body: a schema, the places of buffers.
pub(super) const MAX_MESSAGE: u64 = 64 << 20;

const CONTINUATION: [u8; 4] = [0xff; 4];

/// A message, without its body.
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    /// First byte of the body in the file.
    pub(super) body: u64,
}

/// What follows a message, and what it claims to be.
pub(super) struct Measured {
    /// Byte after the body.
    pub(super) end: u64,
    /// Of a record batch; none of other messages.
    pub(super) rows: Option<u64>,
    /// Bytes of the body, decompressed.
    pub(super) bytes: u64,
}

/// The message at a place of a file that has so many bytes; none where the stream ends.
pub(super) fn at<R: Read + Seek>(file: &mut R, at: u64, file_bytes: u64) -> Result<Option<Message>, String> {
    if at == file_bytes {
        return Ok(None); // the mark of the end may be missing
    }
    file.seek(SeekFrom::Start(at)).map_err(|error| error.to_string())?;
    let mut word = [0; 4];
    let mut next = || file.read_exact(&mut word).map(|()| word).map_err(|_| "the file ends within a message".to_owned());
    let mut length = next()?;
    let mut body = at + 4;
    if length == CONTINUATION {
        length = next()?;
        body += 4;
    }
    let length = u64::from(u32::from_le_bytes(length));
    if length == 0 {
        return Ok(None);
    }
    if length > MAX_MESSAGE.min(file_bytes - body.min(file_bytes)) {
        return Err(format!("a message at byte {at} claims {length} bytes"));
    }
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 != length {
        return Err("the file became shorter while it was read".to_owned());
    }
    Ok(Some(Message { bytes, body: body + length }))
}

impl Message {
    pub(super) fn root(&self) -> Result<MessageRef<'_>, String> {
        MessageRef::read_as_root(&self.bytes).map_err(|error| error.to_string())
    }

    /// Measures a record batch or a dictionary: every number in it fits the file and the limits.
    pub(super) fn measure<R: Read + Seek>(&self, file: &mut R, file_bytes: u64) -> Result<Measured, String> {
        let message = self.root()?;
        let length = message.body_length().map_err(|error| error.to_string())?;
        let end = u64::try_from(length).ok().and_then(|length| self.body.checked_add(length)).filter(|end| *end <= file_bytes);
        let end = end.ok_or_else(|| format!("a record batch at byte {} claims {length} bytes of a file of {file_bytes}", self.body))?;
        let (batch, is_dictionary) = match message.header().map_err(|error| error.to_string())? {
            Some(MessageHeaderRef::RecordBatch(batch)) => (batch, false),
            Some(MessageHeaderRef::DictionaryBatch(dictionary)) => {
                (dictionary.data().map_err(|error| error.to_string())?.ok_or("a dictionary without values")?, true)
            }
            _ => return Ok(Measured { end, rows: None, bytes: 0 }),
        };
        let (rows, bytes) = measure(batch, file, self.body, end - self.body)?;
        Ok(Measured { end, rows: (!is_dictionary).then_some(rows), bytes })
    }
}

fn measure<R: Read + Seek>(batch: RecordBatchRef<'_>, file: &mut R, body: u64, body_bytes: u64) -> Result<(u64, u64), String> {
    let damaged = |error: polars_arrow::io::ipc::format::ipc::planus::Error| error.to_string();
    let fits = |rows: i64| u64::try_from(rows).ok().filter(|rows| *rows <= MAX_ROWS);
    let rows = batch.length().map_err(damaged)?;
    let rows = fits(rows).ok_or_else(|| format!("a record batch of {rows} rows; write the file with smaller ones"))?;
    let nodes = batch.nodes().map_err(damaged)?.ok_or("a record batch without columns")?;
    if nodes.iter().any(|node| fits(node.length()).is_none()) {
        return Err(format!("a column of more than {MAX_ROWS} values; write the file with smaller record batches"));
    }
    let buffers = batch.buffers().map_err(damaged)?.ok_or("a record batch without buffers")?;
    if let Some(counts) = batch.variadic_buffer_counts().map_err(damaged)?
        && counts.iter().any(|count| usize::try_from(count).map_or(true, |count| count > buffers.len()))
    {
        return Err("a record batch counts more buffers than it has".to_owned());
    }
    let compressed = batch.compression().map_err(damaged)?.is_some();
    let (mut total, mut held) = (0_u64, 0_u64);
    for buffer in buffers.iter() {
        let (offset, length) = (u64::try_from(buffer.offset()), u64::try_from(buffer.length()));
        let (Ok(offset), Ok(length)) = (offset, length) else { return Err("a buffer with a negative place".to_owned()) };
        if offset.checked_add(length).is_none_or(|end| end > body_bytes) {
            return Err(format!("a buffer of {length} bytes at {offset} of a body of {body_bytes}"));
        }
        let mut bytes = length;
        if compressed && length > 0 {
            let mut claim = [0; 8];
            if length < 8 {
                return Err("a compressed buffer without its length".to_owned());
            }
            file.seek(SeekFrom::Start(body + offset)).and_then(|_| file.read_exact(&mut claim)).map_err(|error| error.to_string())?;
            bytes = match i64::from_le_bytes(claim) {
                -1 => length - 8, // not compressed after all
                claim => u64::try_from(claim).map_err(|_| "a buffer of a negative length")?,
            };
        }
        total = total.saturating_add(bytes);
        if total > MAX_BYTES {
            return Err(format!("a record batch of more than {MAX_BYTES} bytes; write the file with smaller ones"));
        }
        held = held.saturating_add(length);
        if compressed && is_bomb(total, held) {
            return Err(format!(
                "its buffers decompress to more than {MAX_RATIO} times their size, as no text does; if they are honest, write the file without compression"
            ));
        }
    }
    Ok((rows, total))
}
