//! Reading: a part as an iterator of documents in file order, one bad record one error.

mod arrow;
mod cells;
mod columns;
mod csv;
mod decode;
mod guard;
mod html;
mod input;
mod jsonl;
mod parquet;
mod text;
mod warc;
mod wiki;

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::document::Document;
use crate::error::{Cause, Error, Position, Result};
use crate::fields::Fields;
use crate::lines::Lines;
use crate::part::{Part, Range, Slice};
use crate::source::{Format, Source, Split};
use crate::stream;

use self::decode::Decoding;
pub(crate) use self::decode::is_utf_16;
pub use self::guard::panic_is_caught;
pub(crate) use arrow::Table as ArrowTable;
pub(crate) use parquet::{Frames, Table};

/// The documents of a part, in file order, streaming.
///
/// Memory is one record (at most `max-record-bytes`; lists and objects that `keep-meta` names take
/// many times their JSON, see [`Document::size`]) and the buffers of one decompressor; for Parquet
/// and Arrow it is the wanted columns of one row group or record batch. A record that is no document is one `Err`
/// and reading goes on with the next. A stream that breaks off is one `Err` after the records
/// before the break, and reading goes on with the next slice.
pub fn read(part: &Part, source: &Source) -> Box<dyn Iterator<Item = Result<Document>> + Send> {
    read_counted(part, source, Arc::default())
}

/// [`read`], adding the bytes taken from the files, as they lie on the disk, to `count`. Those of
/// Parquet and Arrow are not counted.
pub fn read_counted(part: &Part, source: &Source, count: Arc<AtomicU64>) -> Box<dyn Iterator<Item = Result<Document>> + Send> {
    let source = source.clone();
    let slices = part.slices.clone();
    Box::new(slices.into_iter().flat_map(move |slice| read_slice(&source, slice, &count)))
}

/// What the readers of all formats share.
pub(crate) struct Reader {
    fields: Fields,
    source: Source,
    /// Bytes of files read so far.
    count: Arc<AtomicU64>,
    decoding: Decoding,
}

type Records = Box<dyn Iterator<Item = Result<Document>> + Send>;

fn read_slice(source: &Source, slice: Slice, count: &Arc<AtomicU64>) -> Records {
    read_records(source, slice, count).unwrap_or_else(|error| Box::new(std::iter::once(Err(error))))
}

/// Looks whether a table of CSV or TSV has the columns that its source names.
///
/// # Errors
/// [`Error::Source`] for a column that is not there; whatever else is wrong with the file.
pub(crate) fn check_header(source: &Source, slice: &Slice) -> Result<()> {
    csv::open(&Reader::new(source, slice, &Arc::default())?, slice).map(drop)
}

fn read_records(source: &Source, slice: Slice, count: &Arc<AtomicU64>) -> Result<Records> {
    let reader = Arc::new(Reader::new(source, &slice, count)?);
    let records = match (source.format, source.split()) {
        (Format::Jsonl, _) => jsonl::read(reader.clone(), slice),
        (Format::Arrow, _) => arrow::read(reader.clone(), slice),
        (Format::Parquet, _) => parquet::read(reader.clone(), slice),
        (Format::Code, _) | (Format::Text, Split::File) => Ok(text::file(reader.clone(), slice)),
        (Format::Text, Split::Line) => text::lines(reader.clone(), slice),
        (Format::Text, Split::Paragraph) => text::paragraphs(reader.clone(), slice),
        (Format::Html, _) => Ok(html::file(reader.clone(), slice)),
        (Format::Warc, _) => warc::read(reader.clone(), slice),
        (Format::Csv | Format::Tsv, _) => csv::read(reader.clone(), slice),
        (Format::Wiki, _) => wiki::read(reader.clone(), slice),
    }?;
    if reader.decoding.is_strict_utf_8() {
        return Ok(records);
    }
    Ok(Box::new(records.map(move |mut record| {
        reader.decoding.note(record.as_mut().ok().map(|document| &mut document.meta));
        record
    })))
}

impl Reader {
    fn new(source: &Source, slice: &Slice, count: &Arc<AtomicU64>) -> Result<Self> {
        let by_lines = match source.format {
            Format::Jsonl | Format::Csv | Format::Tsv => true,
            Format::Text => source.split() != Split::File,
            _ => false,
        };
        let decoding = if by_lines { Decoding::of_lines(source, slice)? } else { Decoding::new(source) };
        Ok(Self { fields: Fields::new(source), source: source.clone(), count: Arc::clone(count), decoding })
    }

    /// The lines of a slice; its range, if any, is of a file that is not compressed.
    fn lines(&self, slice: &Slice) -> Result<Lines> {
        let limit = self.source.record_limit();
        match slice.range {
            Range::Whole => Ok(Lines::whole(self.stream(slice)?, limit)),
            Range::Bytes { start, end } => {
                let bytes = stream::open_at(slice.path(), start.saturating_sub(1), &self.count)?;
                Lines::ranged(bytes, start, end, limit).map_err(Error::io("read", slice.path()))
            }
            Range::RowGroups { .. } => Err(Error::format(
                slice.path(),
                format!("the plan gives row groups or record batches, but the source's format is {}", self.source.format.name()),
            )),
        }
    }

    /// A file's bytes, in an encoding whose line ends are one byte.
    fn stream(&self, slice: &Slice) -> Result<Box<dyn std::io::BufRead + Send>> {
        let stream = stream::open(slice.path(), &self.count)?;
        Ok(match self.decoding.wide() {
            Some(encoding) => decode::transcoded(stream, encoding),
            None => stream,
        })
    }

    /// The bytes of a file that is one document, `more` of them beyond the limit.
    fn whole(&self, slice: &Slice, more: u64) -> Result<Vec<u8>> {
        if slice.range != Range::Whole {
            return Err(Error::format(slice.path(), "the plan gives a range of a file that is one document"));
        }
        let mut bytes = Vec::new();
        let stream = stream::open(slice.path(), &self.count)?;
        match stream.take(self.source.max_record_bytes.saturating_add(more)).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(broken(slice, bytes.len() as u64, error)),
        }
    }

    /// The bytes of a record as text, as the source wants its encoding errors handled.
    fn decode<'a>(&self, bytes: &'a [u8]) -> std::result::Result<std::borrow::Cow<'a, str>, Cause> {
        match simdutf8::basic::from_utf8(bytes) {
            Ok(text) if self.decoding.is_utf_8() => Ok(text.into()),
            _ => self.decoding.decode(bytes, None),
        }
    }

    fn too_long(&self) -> Cause {
        Cause::TooLong { limit: self.source.max_record_bytes }
    }
}

/// The error of a stream that broke off: damage, where it is the decompressor that complains.
fn broken(slice: &Slice, offset: u64, error: std::io::Error) -> Error {
    match error.raw_os_error() {
        Some(_) => Error::io("read", slice.path())(error),
        None => {
            let is_refused = error.get_ref().is_some_and(|error| error.is::<stream::Refused>());
            let cause = if is_refused { Cause::Refused } else { Cause::Damaged };
            Error::record(slice.path(), Position::Byte(offset), cause(error.to_string()))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
