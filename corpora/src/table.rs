//! The table of a part: one Parquet row for each input record, with what became of it and every
//! metric that was computed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use polars::io::parquet::write::{BatchedWriter, KeyValueMetadata};
use polars::prelude::{Column, CompatLevel, DataFrame, DataType, ParquetCompression, ParquetWriter, PlSmallStr, PolarsResult, Schema};
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};

use crate::atomic::AtomicFile;
use crate::error::{Error, Result};
use crate::read::Frames;

/// Rows of a row group, and so the rows held before they are written.
const GROUP_ROWS: usize = 1 << 16;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed all filters.
    Kept,
    /// A filter dropped it.
    Rejected,
    /// It is no document.
    Unreadable,
}

impl Outcome {
    /// The name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Rejected => "rejected",
            Self::Unreadable => "unreadable",
        }
    }
}

/// One row of the table.
#[derive(Clone, Debug)]
pub struct StatsRow<'a> {
    /// Position of the record in its part.
    pub row: u64,
    /// The document's id; empty for what is unreadable.
    pub id: &'a str,
    /// Name of the source.
    pub source: &'a str,
    /// Bucket of the source.
    pub bucket: &'a str,
    /// What became of it.
    pub outcome: Outcome,
    /// The rule that dropped it.
    pub rule: Option<&'a str>,
    /// The value that the rule compared.
    pub value: Option<f64>,
    /// What it compared the value with.
    pub threshold: Option<f64>,
    /// Bytes of the text as it was read.
    pub bytes: u64,
    /// Characters of the text.
    pub chars: u64,
    /// Its language.
    pub lang: Option<&'a str>,
    /// Metrics by name; one that is missing is null in its column.
    pub metrics: &'a BTreeMap<String, f64>,
}

/// Writes a Parquet file, one row group at a time, that takes its name when it is finished. The same groups give the
/// same bytes.
pub struct TableWriter {
    path: PathBuf,
    file: Shared,
    writer: BatchedWriter<Shared>,
}

impl TableWriter {
    /// Starts a table with these columns.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn create(path: &Path, schema: &Schema) -> Result<Self> {
        let file = Shared(Arc::new(Mutex::new(Some(AtomicFile::create(path)?))));
        let writer = ParquetWriter::new(file.clone())
            .with_compression(ParquetCompression::Zstd(None))
            .with_key_value_metadata(plain_strings(schema))
            .set_parallel(false)
            .batched(schema);
        let writer = writer.map_err(|error| Error::write(path, error.to_string()))?;
        Ok(Self { path: path.to_path_buf(), file, writer })
    }

    /// Writes a row group.
    ///
    /// # Errors
    /// If it has other columns, or cannot be written.
    pub fn write(&mut self, group: &DataFrame) -> Result<()> {
        self.writer.write_batch(group).map_err(|error| Error::write(&self.path, error.to_string()))
    }

    /// Writes the footer, and gives the file its name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(self) -> Result<()> {
        self.writer.finish().map_err(|error| Error::write(&self.path, error.to_string()))?;
        let file = self.file.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        file.map_or(Ok(()), AtomicFile::finish)
    }
}

/// What the file says of its columns in Arrow's words. By itself polars has texts as `string_view` there, and readers that
/// go by it do not take them for the strings of other data sets.
fn plain_strings(schema: &Schema) -> Option<KeyValueMetadata> {
    let field = |(name, kind): (&PlSmallStr, &DataType)| {
        let kind = match kind {
            DataType::String => ArrowDataType::Utf8,
            other => other.to_arrow(CompatLevel::oldest()),
        };
        (name.clone(), Field::new(name.clone(), kind, true))
    };
    let schema: ArrowSchema = schema.iter().map(field).collect();
    let entry = polars_parquet::write::schema_to_metadata_key(&schema);
    entry.value.map(|value| KeyValueMetadata::from_static(vec![(entry.key, value)]))
}

/// Writes a part's table, one row group at a time.
///
/// Columns: row, id, source, bucket, outcome, rule, value, threshold, bytes, chars, lang, then one
/// for each metric, sorted by name. The same rows give the same bytes.
pub struct StatsWriter {
    path: PathBuf,
    writer: TableWriter,
    rows: Rows,
}

impl StatsWriter {
    /// Starts a table with a column for each of the metrics.
    ///
    /// # Errors
    /// A metric that has the name of one of the fixed columns.
    pub fn create<S: AsRef<str>>(path: &Path, metrics: &[S]) -> Result<Self> {
        let names: BTreeSet<&str> = metrics.iter().map(AsRef::as_ref).collect();
        if let Some((name, _)) = FIXED.iter().find(|(name, _)| names.contains(name)) {
            return Err(Error::write(path, format!("a metric cannot be named `{name}`, as a column already is")));
        }
        let rows = Rows::new(names.into_iter().map(str::to_owned).collect());
        Ok(Self { path: path.to_path_buf(), writer: TableWriter::create(path, &rows.schema())?, rows })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// A metric that the table has no column for.
    pub fn push(&mut self, row: &StatsRow<'_>) -> Result<()> {
        self.rows.push(row).map_err(|name| Error::write(&self.path, format!("metric `{name}` was not announced")))?;
        if self.rows.row.len() >= GROUP_ROWS { self.write_group() } else { Ok(()) }
    }

    /// Writes what is left and the footer, and gives the file its name.
    pub fn finish(mut self) -> Result<()> {
        if !self.rows.row.is_empty() {
            self.write_group()?;
        }
        self.writer.finish()
    }

    fn write_group(&mut self) -> Result<()> {
        let group = self.rows.take().map_err(|error| Error::write(&self.path, error.to_string()))?;
        self.writer.write(&group)
    }
}

const FIXED: [(&str, DataType); 11] = [
    ("row", DataType::UInt64),
    ("id", DataType::String),
    ("source", DataType::String),
    ("bucket", DataType::String),
    ("outcome", DataType::String),
    ("rule", DataType::String),
    ("value", DataType::Float64),
    ("threshold", DataType::Float64),
    ("bytes", DataType::UInt64),
    ("chars", DataType::UInt64),
    ("lang", DataType::String),
];

/// The rows of a row group to come, by column.
#[derive(Default)]
struct Rows {
    row: Vec<u64>,
    id: Vec<String>,
    source: Vec<String>,
    bucket: Vec<String>,
    outcome: Vec<&'static str>,
    rule: Vec<Option<String>>,
    value: Vec<Option<f64>>,
    threshold: Vec<Option<f64>>,
    bytes: Vec<u64>,
    chars: Vec<u64>,
    lang: Vec<Option<String>>,
    metrics: BTreeMap<String, Vec<Option<f64>>>,
}

impl Rows {
    fn new(metrics: Vec<String>) -> Self {
        Self { metrics: metrics.into_iter().map(|name| (name, Vec::new())).collect(), ..Self::default() }
    }

    fn schema(&self) -> Schema {
        let fixed = FIXED.iter().map(|(name, dtype)| (PlSmallStr::from_static(name), dtype.clone()));
        fixed.chain(self.metrics.keys().map(|name| (name.as_str().into(), DataType::Float64))).collect()
    }

    fn push<'a>(&mut self, row: &StatsRow<'a>) -> std::result::Result<(), &'a str> {
        if let Some(name) = row.metrics.keys().find(|name| !self.metrics.contains_key(*name)) {
            return Err(name);
        }
        self.row.push(row.row);
        self.id.push(row.id.to_owned());
        self.source.push(row.source.to_owned());
        self.bucket.push(row.bucket.to_owned());
        self.outcome.push(row.outcome.name());
        self.rule.push(row.rule.map(str::to_owned));
        self.value.push(row.value);
        self.threshold.push(row.threshold);
        self.bytes.push(row.bytes);
        self.chars.push(row.chars);
        self.lang.push(row.lang.map(str::to_owned));
        for (name, column) in &mut self.metrics {
            column.push(row.metrics.get(name).copied());
        }
        Ok(())
    }

    /// Empties the rows into a frame of the schema.
    fn take(&mut self) -> PolarsResult<DataFrame> {
        let empty = Self::new(self.metrics.keys().cloned().collect());
        let rows = std::mem::replace(self, empty);
        let height = rows.row.len();
        let mut columns = vec![
            Column::new("row".into(), rows.row),
            Column::new("id".into(), rows.id),
            Column::new("source".into(), rows.source),
            Column::new("bucket".into(), rows.bucket),
            Column::new("outcome".into(), rows.outcome),
            Column::new("rule".into(), rows.rule),
            Column::new("value".into(), rows.value),
            Column::new("threshold".into(), rows.threshold),
            Column::new("bytes".into(), rows.bytes),
            Column::new("chars".into(), rows.chars),
            Column::new("lang".into(), rows.lang),
        ];
        columns.extend(rows.metrics.into_iter().map(|(name, values)| Column::new(name.into(), values)));
        DataFrame::new(height, columns)
    }
}

/// The file, shared with the Parquet writer, which does not give back what it writes to.
#[derive(Clone)]
struct Shared(Arc<Mutex<Option<AtomicFile>>>);

impl Shared {
    fn with<T>(&self, write: impl FnOnce(&mut AtomicFile) -> io::Result<T>) -> io::Result<T> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.as_mut().map_or_else(|| Err(io::Error::other("the table is finished")), write)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with(AtomicFile::flush)
    }
}

/// Reads a whole table of a part.
pub fn read(path: &Path) -> Result<DataFrame> {
    Ok(head(path, usize::MAX)?.1)
}

/// The names of the columns of a table.
pub fn columns(path: &Path) -> Result<Vec<String>> {
    Ok(Frames::open(path)?.names())
}

/// The number of rows of a table, and the first of them.
pub fn head(path: &Path, rows: usize) -> Result<(usize, DataFrame)> {
    let mut frames = Frames::open(path)?;
    let groups = frames.rows()?;
    let mut frame = DataFrame::default();
    for (index, group) in groups.iter().enumerate() {
        if index > 0 && frame.height() >= rows {
            break;
        }
        let group = frames.group(index, &|_| true)?.head(Some(rows.saturating_sub(frame.height()).min(*group)));
        frame.vstack_mut(&group).map_err(|error| Error::format(path, error.to_string()))?;
    }
    Ok((groups.iter().sum(), frame))
}

/// Calls `each` with these columns of a table, or all where none is named, so many rows at a time as were written at
/// a time: a part can have any number of rows. A column that the table lacks is left out.
///
/// # Errors
/// A file that cannot be read, or what `each` says.
pub fn each_group<E: From<Error>>(
    path: &Path,
    columns: &[&str],
    each: &mut dyn FnMut(DataFrame) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let mut frames = Frames::open(path)?;
    for group in 0..frames.rows()?.len() {
        each(frames.group(group, &|name| columns.is_empty() || columns.contains(&name))?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
