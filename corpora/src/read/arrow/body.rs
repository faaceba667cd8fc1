//! Compressed bodies of record batches: decompressed here, wanted columns alone, and handed on as if they had
//! never been compressed.

use std::io::{Cursor, Read, Seek, SeekFrom};

use polars_arrow::datatypes::{ArrowDataType, ArrowSchema};
use polars_arrow::io::ipc::format::ipc::planus::{Builder, WriteAsOffset};
use polars_arrow::io::ipc::format::ipc::{Buffer, CompressionType, DictionaryBatch, DictionaryBatchRef, RecordBatch, RecordBatchRef};

/// A batch that lies in memory: its message, without what is around it, and its body.
pub(super) struct Plain {
    pub(super) bytes: Vec<u8>,
    pub(super) body: Cursor<Vec<u8>>,
}

/// The same record batch with the buffers of these columns, decompressed; none where it is not compressed.
///
/// It must have been measured: its buffers lie in the file and claim no more than the limit.
pub(super) fn record_batch<R: Read + Seek>(
    batch: RecordBatchRef<'_>,
    schema: &ArrowSchema,
    roots: &[usize],
    file: &mut R,
    body: u64,
) -> Result<Option<Plain>, String> {
    let Some(codec) = codec(&batch)? else { return Ok(None) };
    let mut batch = RecordBatch::try_from(batch).map_err(|error| error.to_string())?;
    let wanted = wanted(&batch, schema, roots);
    let body = decompress(&mut batch, codec, &wanted, file, body)?;
    Ok(Some(Plain { bytes: written(&batch), body }))
}

/// The same for a dictionary.
pub(super) fn dictionary<R: Read + Seek>(batch: DictionaryBatchRef<'_>, file: &mut R, body: u64) -> Result<Option<Plain>, String> {
    let Some(data) = batch.data().map_err(|error| error.to_string())? else { return Ok(None) };
    let Some(codec) = codec(&data)? else { return Ok(None) };
    let mut batch = DictionaryBatch::try_from(batch).map_err(|error| error.to_string())?;
    let Some(data) = &mut batch.data else { return Ok(None) };
    let body = decompress(data, codec, &[], file, body)?;
    Ok(Some(Plain { bytes: written(&batch), body }))
}

fn codec(batch: &RecordBatchRef<'_>) -> Result<Option<CompressionType>, String> {
    let compression = batch.compression().map_err(|error| error.to_string())?;
    compression.map(|compression| compression.codec().map_err(|error| error.to_string())).transpose()
}

pub(super) fn written<T>(root: impl WriteAsOffset<T>) -> Vec<u8> {
    let mut builder = Builder::new();
    let root = root.prepare(&mut builder);
    builder.finish(root, None).to_vec()
}

/// Which buffers are those of wanted columns; none said of a batch that has a type of unknown layout.
fn wanted(batch: &RecordBatch, schema: &ArrowSchema, roots: &[usize]) -> Vec<bool> {
    let mut variadic = batch.variadic_buffer_counts.iter().flatten().copied();
    let mut wanted = Vec::new();
    let most = batch.buffers.as_ref().map_or(0, Vec::len);
    for (root, field) in schema.iter_values().enumerate() {
        let Some(buffers) = buffers(&field.dtype, &mut variadic).filter(|buffers| wanted.len() + buffers <= most) else {
            return Vec::new();
        };
        wanted.extend(std::iter::repeat_n(roots.contains(&root), buffers));
    }
    wanted
}

/// How many buffers a column of a type has (Arrow columnar format, "Buffer listing for each layout").
fn buffers(dtype: &ArrowDataType, variadic: &mut impl Iterator<Item = i64>) -> Option<usize> {
    use ArrowDataType as T;
    Some(match dtype {
        T::Null => 0,
        T::Binary | T::LargeBinary | T::Utf8 | T::LargeUtf8 => 3,
        T::BinaryView | T::Utf8View => usize::try_from(variadic.next()?).ok()?.checked_add(2)?,
        T::List(field) | T::LargeList(field) => buffers(&field.dtype, variadic)?.checked_add(2)?,
        T::FixedSizeList(field, _) => buffers(&field.dtype, variadic)?.checked_add(1)?,
        T::Struct(fields) => fields.iter().try_fold(1, |sum: usize, field| sum.checked_add(buffers(&field.dtype, variadic)?))?,
        T::Map(..) | T::Union(_) | T::Extension(_) | T::Unknown => return None,
        _ => 2,
    })
}

fn decompress<R: Read + Seek>(
    batch: &mut RecordBatch,
    codec: CompressionType,
    wanted: &[bool],
    file: &mut R,
    body: u64,
) -> Result<Cursor<Vec<u8>>, String> {
    let mut out = Vec::new();
    for (number, buffer) in batch.buffers.iter_mut().flatten().enumerate() {
        let start = out.len();
        if buffer.length >= 8 && wanted.get(number).copied().unwrap_or(true) {
            // Both were compared with the file.
            let (offset, length) = (buffer.offset.cast_unsigned(), buffer.length.cast_unsigned());
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(body + offset)).map_err(|error| error.to_string())?;
            file.take(length).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
            append(&bytes, codec, &mut out)?;
        }
        *buffer = Buffer { offset: start as i64, length: (out.len() - start) as i64 };
    }
    batch.compression = None;
    Ok(Cursor::new(out))
}

/// Adds a buffer's contents: their length, or -1 where they are stored as they are, stands before them.
fn append(bytes: &[u8], codec: CompressionType, out: &mut Vec<u8>) -> Result<(), String> {
    let Some((claim, bytes)) = bytes.split_first_chunk() else { return Err("a compressed buffer without its length".to_owned()) };
    let claim = i64::from_le_bytes(*claim);
    let Ok(claim) = u64::try_from(claim) else {
        out.extend_from_slice(bytes);
        return Ok(());
    };
    let start = out.len();
    let read = match codec {
        CompressionType::Lz4Frame => lz4::Decoder::new(bytes).and_then(|stream| stream.take(claim).read_to_end(out)),
        CompressionType::Zstd => zstd::Decoder::with_buffer(bytes).and_then(|stream| stream.take(claim).read_to_end(out)),
    };
    read.map_err(|error| format!("a compressed buffer is damaged: {error}"))?;
    if (out.len() - start) as u64 != claim {
        return Err(format!("a buffer of {} bytes claims {claim}", out.len() - start));
    }
    Ok(())
}
