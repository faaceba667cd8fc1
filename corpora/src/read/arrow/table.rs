//! An Arrow file or stream opened: where its record batches lie, and one of them decoded.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use polars_arrow::array::Array;
use polars_arrow::datatypes::ArrowSchema;
use polars_arrow::io::ipc::IpcSchema;
use polars_arrow::io::ipc::format::ipc::planus::ReadAsRoot;
use polars_arrow::io::ipc::format::ipc::{DictionaryBatchRef, FooterRef, MessageHeaderRef, RecordBatchRef};
use polars_arrow::io::ipc::read::common::{read_dictionary, read_record_batch};
use polars_arrow::io::ipc::read::{Dictionaries, deserialize_footer, read_stream_metadata};

use super::super::guard::guarded;
use super::body;
use super::message::{self, MAX_BYTES, MAX_MESSAGE, Measured, Message};
use super::schema::{self, Column};
use crate::error::{Cause, Error, Position, Result};
use crate::fields::Fields;

const MAGIC: &[u8; 6] = b"ARROW1";
/// Length of the footer and the magic number, at the end of a file.
const TAIL: u64 = 10;

/// An open Arrow file or stream.
pub(crate) struct Table {
    file: BufReader<File>,
    bytes: u64,
    schema: ArrowSchema,
    ipc_schema: IpcSchema,
    columns: Vec<Column>,
    /// Which of the file's columns are read.
    roots: Vec<usize>,
    dictionaries: Dictionaries,
    /// Bytes of each, decompressed, by its id.
    dictionary_bytes: BTreeMap<i64, u64>,
    place: Place,
    /// Row of the next record batch's first.
    row: u64,
}

/// What is read next.
enum Place {
    /// Of a file, whose footer lists its record batches: their first bytes, bytes, and which is next.
    File { batches: Vec<(u64, u64)>, next: usize, end: usize },
    /// Of a stream; none after its end.
    Stream(Option<u64>),
}

/// One record batch's wanted columns.
pub(super) struct Batch {
    pub(super) first_row: u64,
    pub(super) rows: usize,
    pub(super) arrays: Vec<Box<dyn Array>>,
}

/// A file, or what of it was decompressed.
trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// Schema, its form in the file, the places of dictionaries, and what comes next.
type Opened = (ArrowSchema, IpcSchema, Vec<u64>, Place);

impl Table {
    /// Opens a file and finds the columns.
    ///
    /// # Errors
    /// [`Error::Source`] for a column that the source names and the file lacks.
    pub(crate) fn open(path: &Path, fields: &Fields, source: &str) -> Result<Self> {
        let damaged = |detail: String| Error::record(path, Position::Row(0), Cause::Damaged(detail));
        let file = File::open(path).map_err(Error::io("open", path))?;
        let bytes = file.metadata().map_err(Error::io("look at", path))?.len();
        let mut file = BufReader::new(file);
        let mut magic = [0; MAGIC.len()];
        let is_file = file.read_exact(&mut magic).is_ok() && magic == *MAGIC;
        let opened = if is_file { open_file(&mut file, bytes) } else { open_stream(&mut file, bytes) };
        let (schema, ipc_schema, dictionaries, place) = opened.map_err(damaged)?;
        if !ipc_schema.is_little_endian {
            return Err(damaged("the numbers are big endian, which is not read".to_owned()));
        }
        if schema.len() != ipc_schema.fields.len() {
            return Err(damaged("two columns have the same name".to_owned()));
        }
        let schema = schema::bytes(&schema);
        let (columns, roots) = schema::wanted(&schema, fields, source, path)?;
        let mut table = Self {
            file,
            bytes,
            schema,
            ipc_schema,
            columns,
            roots,
            dictionaries: Dictionaries::default(),
            dictionary_bytes: BTreeMap::new(),
            place,
            row: 0,
        };
        for at in dictionaries {
            let message = message::at(&mut table.file, at, bytes).and_then(|message| message.ok_or("a dictionary is missing".to_owned()));
            message.and_then(|message| table.decode(&message)).map_err(damaged)?;
        }
        Ok(table)
    }

    /// Bytes on disk of each record batch; none are known of a stream.
    pub(crate) fn batch_bytes(&self) -> Vec<u64> {
        match &self.place {
            Place::File { batches, .. } => batches.iter().map(|(_, bytes)| *bytes).collect(),
            Place::Stream(_) => Vec::new(),
        }
    }

    /// Reads the record batches `start..end` of a file alone. Those before are looked at, for rows count
    /// from the first.
    pub(super) fn restrict(&mut self, start: usize, end: usize, path: &Path) -> Result<()> {
        let count = self.batch_bytes().len();
        let Place::File { batches, next, end: last } = &mut self.place else {
            return Err(Error::format(path, "the plan gives record batches of a file that is a stream now"));
        };
        if start > end || end > count {
            return Err(Error::format(path, format!("the plan does not fit the file, which has {count} record batches")));
        }
        (*next, *last) = (start, end);
        for (at, _) in &batches[..start] {
            // One that cannot be measured is its own part's error; it counts no rows there either.
            if let Ok(Some(message)) = message::at(&mut self.file, *at, self.bytes)
                && let Ok(measured) = message.measure(&mut self.file, self.bytes)
            {
                self.row += measured.rows.unwrap_or(0);
            }
        }
        Ok(())
    }

    /// The next record batch; or the row at which one was lost, and why.
    pub(super) fn next_batch(&mut self) -> Option<std::result::Result<Batch, (u64, String)>> {
        loop {
            let (at, of_stream) = match &mut self.place {
                Place::File { next, end, .. } if next == end => return None,
                Place::File { batches, next, .. } => {
                    *next += 1;
                    (batches[*next - 1].0, false)
                }
                Place::Stream(place) => (place.take()?, true),
            };
            let first_row = self.row;
            let read = message::at(&mut self.file, at, self.bytes).and_then(|message| match message {
                Some(message) => {
                    let measured = message.measure(&mut self.file, self.bytes)?;
                    if !of_stream && measured.rows.is_none() {
                        return Err("the footer lists as a record batch what is none".to_owned());
                    }
                    Ok(Some((measured, message)))
                }
                None if !of_stream => Err("a record batch that the footer lists is missing".to_owned()),
                None if at == self.bytes => Ok(None),
                None => match self.bytes - self.file.stream_position().map_err(|error| error.to_string())? {
                    0 => Ok(None),
                    more => Err(format!("the stream ends {more} bytes before the file")),
                },
            });
            let (measured, message) = match read {
                Ok(Some(read)) => read,
                Ok(None) => return None,
                Err(detail) => {
                    let lost = if of_stream { "what follows is" } else { "its rows are" };
                    return Some(Err((first_row, format!("{detail}; {lost} lost"))));
                }
            };
            if of_stream {
                self.place = Place::Stream(Some(measured.end));
            }
            match self.decode(&message) {
                Ok(Some(arrays)) => {
                    let rows = measured.rows.unwrap_or(0);
                    self.row += rows;
                    return Some(Ok(Batch { first_row, rows: rows as usize, arrays }));
                }
                Ok(None) => {}
                Err(detail) => {
                    let Some(rows) = measured.rows else {
                        // Without a dictionary, or with the one before it, later rows would say something else.
                        self.place = Place::Stream(None);
                        return Some(Err((first_row, format!("{detail}; what follows is lost"))));
                    };
                    self.row += rows;
                    return Some(Err((first_row, format!("{detail}; its {rows} rows are lost"))));
                }
            }
        }
    }

    /// The arrays of a record batch; none of a dictionary, which is kept.
    fn decode(&mut self, message: &Message) -> std::result::Result<Option<Vec<Box<dyn Array>>>, String> {
        let Measured { rows, bytes, .. } = message.measure(&mut self.file, self.bytes)?;
        let Self { file, schema, ipc_schema, roots, dictionaries, dictionary_bytes, .. } = self;
        guarded(|| {
            let root = message.root()?;
            let version = root.version().map_err(|error| error.to_string())?;
            match root.header().map_err(|error| error.to_string())? {
                Some(MessageHeaderRef::RecordBatch(batch)) => {
                    let plain = body::record_batch(batch, schema, roots, file, message.body)?;
                    let (mut scratch, checked) = (Vec::new(), Default::default());
                    let mut read = |batch, reader: &mut dyn Source, body| {
                        let wanted = Some(roots.as_slice());
                        let mut reader = reader;
                        read_record_batch(
                            batch,
                            schema,
                            ipc_schema,
                            wanted,
                            None,
                            dictionaries,
                            version,
                            &mut reader,
                            body,
                            &mut scratch,
                            checked,
                        )
                    };
                    let batch = match plain {
                        Some(mut plain) => {
                            let batch = RecordBatchRef::read_as_root(&plain.bytes).map_err(|error| error.to_string())?;
                            read(batch, &mut plain.body, 0)
                        }
                        None => read(batch, file, message.body),
                    };
                    let arrays = batch.map_err(|error| error.to_string())?.into_arrays();
                    if arrays.iter().any(|array| Some(array.len() as u64) != rows) {
                        return Err("a column with other rows than its record batch".to_owned());
                    }
                    Ok(Some(arrays))
                }
                Some(MessageHeaderRef::DictionaryBatch(batch)) => {
                    let id = batch.id().map_err(|error| error.to_string())?;
                    // It takes the place of an earlier one of this id.
                    let others = dictionary_bytes.iter().filter(|(other, _)| **other != id).map(|(_, bytes)| bytes);
                    if others.sum::<u64>().saturating_add(bytes) > MAX_BYTES {
                        return Err(format!("dictionaries of more than {MAX_BYTES} bytes"));
                    }
                    let plain = body::dictionary(batch, file, message.body)?;
                    let (mut scratch, checked) = (Vec::new(), Default::default());
                    let mut read = |batch, reader: &mut dyn Source, body| {
                        let mut reader = reader;
                        read_dictionary(batch, schema, ipc_schema, dictionaries, &mut reader, body, &mut scratch, checked)
                    };
                    let read = match plain {
                        Some(mut plain) => {
                            let batch = DictionaryBatchRef::read_as_root(&plain.bytes).map_err(|error| error.to_string())?;
                            read(batch, &mut plain.body, 0)
                        }
                        None => read(batch, file, message.body),
                    };
                    read.map_err(|error| error.to_string())?;
                    dictionary_bytes.insert(id, bytes);
                    Ok(None)
                }
                _ => Err("a message that is neither record batch nor dictionary".to_owned()),
            }
        })
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }
}

fn open_file(file: &mut BufReader<File>, bytes: u64) -> std::result::Result<Opened, String> {
    let mut tail = [0; TAIL as usize];
    let start = bytes.checked_sub(TAIL).ok_or("too short for an Arrow file")?;
    file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut tail)).map_err(|error| error.to_string())?;
    let [a, b, c, d, magic @ ..] = tail;
    if magic != *MAGIC {
        return Err("the file does not end as an Arrow file does".to_owned());
    }
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    let start = start.checked_sub(length).filter(|_| length <= MAX_MESSAGE);
    let start = start.ok_or_else(|| format!("the footer claims {length} bytes of a file of {bytes}"))?;
    let mut footer = Vec::new();
    file.seek(SeekFrom::Start(start)).and_then(|_| file.take(length).read_to_end(&mut footer)).map_err(|error| error.to_string())?;
    let schema = FooterRef::read_as_root(&footer).and_then(|footer| footer.schema()).map_err(|error| error.to_string())?;
    schema::is_sound(schema.ok_or("a footer without a schema")?)?;
    let metadata = guarded(|| deserialize_footer(&footer, bytes).map_err(|error| error.to_string()))?;
    let place = |offset: i64| u64::try_from(offset).ok().filter(|offset| *offset < bytes).ok_or("a record batch outside of the file");
    let mut batches = Vec::new();
    for block in &metadata.blocks {
        let length = u64::try_from(block.body_length).unwrap_or(0).saturating_add(u64::try_from(block.meta_data_length).unwrap_or(0));
        batches.push((place(block.offset)?, length.min(bytes)));
    }
    let dictionaries = metadata.dictionaries.iter().flatten().map(|block| place(block.offset)).collect::<std::result::Result<_, _>>()?;
    let end = batches.len();
    Ok((metadata.schema.as_ref().clone(), metadata.ipc_schema, dictionaries, Place::File { batches, next: 0, end }))
}

fn open_stream(file: &mut BufReader<File>, bytes: u64) -> std::result::Result<Opened, String> {
    let message = message::at(file, 0, bytes)?.ok_or("neither an Arrow file nor a stream")?;
    let schema = match message.root().and_then(|root| root.header().map_err(|error| error.to_string())) {
        Ok(Some(MessageHeaderRef::Schema(schema))) => schema,
        _ => return Err("neither an Arrow file nor a stream".to_owned()),
    };
    schema::is_sound(schema)?;
    let length = (message.bytes.len() as u32).to_le_bytes();
    let metadata =
        guarded(|| read_stream_metadata(&mut length.as_slice().chain(message.bytes.as_slice())).map_err(|error| error.to_string()))?;
    Ok((metadata.schema, metadata.ipc_schema, Vec::new(), Place::Stream(Some(message.body))))
}
