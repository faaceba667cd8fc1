//! CSV and TSV: a header, then one document a row, by the rules of RFC 4180.
//!
//! With `quotes`, the default of CSV, fields may be quoted and then hold line ends, delimiters and doubled quotes. Blank
//! lines are passed over. A row with more or fewer fields than the header is an error, and so is one longer
//! than `max-record-bytes`; an open quote runs to the next quote, wherever that is, and is an error where the file ends
//! without one. Positions are those of rows, from 0 after the header. Values are strings: `id-field`, `keep-meta` and the
//! others name columns.

use std::io::BufRead;
use std::sync::Arc;

use csv_core::{ReadRecordResult, Reader as Parser, ReaderBuilder};
use serde_json::{Map, Value};

use super::{Reader, Records, broken};
use crate::document::Document;
use crate::error::{Cause, Error, Position, Result};
use crate::part::{Range, Slice};
use crate::source::Format;

/// Columns of a table. More are damage, or no table.
const COLUMNS: usize = 10_000;

/// The rows of a slice.
pub(super) fn read(reader: Arc<Reader>, slice: Slice) -> Result<Records> {
    let Some((names, mut rows)) = open(&reader, &slice)? else { return Ok(Box::new(std::iter::empty())) };
    let (mut row, mut ended) = (0_u64, false);
    Ok(Box::new(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let at = row;
        let record = match rows.next() {
            Ok(Some(Row::Fields(fields))) => reader.named_row(&names, &fields, || slice.record_id(&reader.source.name, at)),
            Ok(Some(Row::TooLong)) => Err(reader.too_long()),
            Ok(None) => {
                ended = true;
                return None;
            }
            Err(error) => {
                ended = true;
                return Some(Err(broken(&slice, rows.offset, error)));
            }
        };
        row += 1;
        Some(record.map_err(|cause| Error::record(slice.path(), Position::Row(at), cause)))
    })))
}

/// The names of a table's columns, and its rows; none of an empty file.
pub(super) fn open(reader: &Reader, slice: &Slice) -> Result<Option<(Vec<String>, Rows)>> {
    if slice.range != Range::Whole {
        return Err(Error::format(slice.path(), "the plan gives a range of a file whose records may hold line ends"));
    }
    let delimiter = if reader.source.format == Format::Tsv { b'\t' } else { b',' };
    let quotes = reader.source.quotes().then(|| Quotes::new(delimiter));
    let mut rows = Rows::new(reader.stream(slice)?, delimiter, quotes, reader.source.record_limit());
    let header = match rows.next() {
        Ok(Some(Row::Fields(fields))) => fields,
        Ok(None) => return Ok(None),
        Ok(Some(Row::TooLong)) => return Err(Error::format(slice.path(), "a header longer than max-record-bytes")),
        Err(error) => return Err(broken(slice, rows.offset, error)),
    };
    let names = header.iter().map(|name| reader.decode(name).map(|name| name.trim().to_owned()));
    let names = names.collect::<std::result::Result<Vec<String>, Cause>>();
    let names = names.map_err(|cause| Error::record(slice.path(), Position::Byte(0), cause))?;
    let named = |name: &str| names.iter().any(|known| known == name || name.split('.').next() == Some(known));
    let fields = &reader.fields;
    let needed = fields.names().filter(|name| fields.id_required || *name != fields.id);
    if let Some(missing) = needed.into_iter().find(|name| !named(name)) {
        let columns = names.join(", ");
        return Err(Error::source(&reader.source.name, format!("{}: no column `{missing}` among {columns}", slice.path().display())));
    }
    Ok(Some((names, rows)))
}

impl Reader {
    fn named_row(&self, names: &[String], fields: &[Vec<u8>], fallback: impl FnOnce() -> String) -> std::result::Result<Document, Cause> {
        if fields.len() != names.len() {
            return Err(Cause::Malformed(format!("{} fields in a row of {} columns", fields.len(), names.len())));
        }
        let mut record = Map::new();
        for (name, value) in names.iter().zip(fields) {
            if self.fields.names().any(|wanted| wanted == name) {
                record.insert(name.clone(), Value::String(self.decode(value)?.into_owned()));
            }
        }
        // What a table leaves empty is not there.
        for optional in [&self.fields.url, &self.fields.lang].into_iter().flatten() {
            if record.get(optional).is_some_and(|value| value == "") {
                record.remove(optional);
            }
        }
        self.fields.document(record, self.source.max_record_bytes, fallback)
    }
}

/// Whether a quote is open, which the parser does not tell.
struct Quotes {
    delimiter: u8,
    open: bool,
    /// Whether a quote opens here: at the beginning of a field, or behind one that closed (a doubled one is text).
    opens: bool,
}

impl Quotes {
    fn new(delimiter: u8) -> Self {
        Self { delimiter, open: false, opens: true }
    }

    fn pass(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            (self.open, self.opens) = match byte {
                b'"' if self.open => (false, true),
                b'"' => (self.opens, false),
                _ if self.open => (true, false),
                byte => (false, byte == self.delimiter || matches!(byte, b'\n' | b'\r')),
            };
        }
    }
}

enum Row {
    Fields(Vec<Vec<u8>>),
    /// Longer than the limit, and passed over.
    TooLong,
}

/// Rows of a stream, at most one and the limit in memory.
pub(super) struct Rows {
    stream: Box<dyn BufRead + Send>,
    parser: Parser,
    limit: usize,
    offset: u64,
    out: Vec<u8>,
    ends: Vec<usize>,
    started: bool,
    quotes: Option<Quotes>,
}

impl Rows {
    fn new(stream: Box<dyn BufRead + Send>, delimiter: u8, quotes: Option<Quotes>, limit: usize) -> Self {
        let parser = ReaderBuilder::new().delimiter(delimiter).quoting(quotes.is_some()).build();
        Self { stream, parser, limit, quotes, offset: 0, out: vec![0; 1 << 13], ends: vec![0; 64], started: false }
    }

    /// The next row, None after the last.
    fn next(&mut self) -> std::io::Result<Option<Row>> {
        let (mut filled, mut fields, mut too_long) = (0, 0, false);
        loop {
            let mut bytes = match self.stream.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let mut mark = 0;
            if !self.started {
                self.started = true;
                if bytes.starts_with(b"\xef\xbb\xbf") {
                    mark = 3;
                    bytes = &bytes[3..];
                }
            }
            if bytes.is_empty() && mark == 0 && self.quotes.as_ref().is_some_and(|quotes| quotes.open) {
                return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "the file ends inside of a quoted field"));
            }
            let (result, read, written, ended) = self.parser.read_record(bytes, &mut self.out[filled..], &mut self.ends[fields..]);
            if let Some(quotes) = &mut self.quotes {
                quotes.pass(&bytes[..read]);
            }
            self.stream.consume(read + mark);
            self.offset += (read + mark) as u64;
            filled += written;
            fields += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    if self.out.len() < self.limit.saturating_add(1) && !too_long {
                        self.out.resize((self.out.len() * 2).min(self.limit.saturating_add(1)), 0);
                    } else {
                        (too_long, filled) = (true, 0);
                    }
                }
                ReadRecordResult::OutputEndsFull => {
                    if self.ends.len() < COLUMNS {
                        self.ends.resize(self.ends.len() * 2, 0);
                    } else {
                        (too_long, fields) = (true, 0);
                    }
                }
                ReadRecordResult::End => return Ok(None),
                ReadRecordResult::Record if too_long || filled > self.limit => return Ok(Some(Row::TooLong)),
                ReadRecordResult::Record => {
                    let mut start = 0;
                    let field = |end: &usize| {
                        let bytes = self.out[start..*end].to_vec();
                        start = *end;
                        bytes
                    };
                    return Ok(Some(Row::Fields(self.ends[..fields].iter().map(field).collect())));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
