//! A Parquet file opened: its row groups and where the fields that a source wants are in it.
//!
//! Column chunks are read with ordinary reads and handed to polars' decoders. The file is never
//! mapped: one that shrinks while it is read is an error, not a signal that kills the process.

use std::fs::File;
use std::path::Path;

use polars_parquet::read::FileMetadata;

use super::chunk::{self, MAX_ROWS};
use super::column::{Cell, Column, Values};
use crate::error::{Error, Result};
use crate::fields::Fields;

/// An open Parquet file.
pub(crate) struct Table {
    file: File,
    bytes: u64,
    metadata: FileMetadata,
    columns: Columns,
}

/// The columns that a source wants of a file.
pub(super) struct Columns {
    pub(super) text: Column,
    pub(super) id: Option<Column>,
    pub(super) url: Option<Column>,
    pub(super) lang: Option<Column>,
    pub(super) meta: Vec<Column>,
}

/// One row group's wanted columns, decoded.
pub(super) struct Group {
    pub(super) text: Values,
    pub(super) id: Option<Values>,
    pub(super) url: Option<Values>,
    pub(super) lang: Option<Values>,
    pub(super) meta: Vec<Values>,
}

impl Group {
    /// Bytes of all wanted cells of a row, counted from the row group's first.
    pub(super) fn bytes(&self, row: usize) -> u64 {
        let optional = [&self.id, &self.url, &self.lang].into_iter().flatten();
        let cells = [&self.text].into_iter().chain(optional).chain(&self.meta).map(|values| values.get(row));
        let bytes = cells.map(|cell| if let Cell::Bytes(bytes) = cell { bytes.len() as u64 } else { 0 });
        bytes.sum()
    }
}

impl Table {
    /// Opens a file and finds the columns. A column that the source names and the file lacks is an
    /// [`Error::Source`].
    pub(crate) fn open(path: &Path, fields: &Fields, source: &str) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let bytes = file.metadata().map_err(Error::io("look at", path))?.len();
        let metadata = chunk::metadata(&mut file, bytes, path)?;
        let find =
            |name: &str| Column::find(&metadata, name).map_err(|detail| Error::source(source, format!("{}: {detail}", path.display())));
        let required = |name: &str| {
            find(name)?.ok_or_else(|| {
                let mut names: Vec<&str> = metadata.schema().fields().iter().map(|field| field.name()).take(30).collect();
                names.sort_unstable();
                Error::source(source, format!("{} has no column `{name}`; its columns are: {}", path.display(), names.join(", ")))
            })
        };
        let text = required(&fields.text)?;
        text.must_be_text(source, path)?;
        let id = if fields.id_required { Some(required(&fields.id)?) } else { find(&fields.id).ok().flatten().filter(Column::can_be_id) };
        if let Some(id) = id.as_ref().filter(|id| !id.can_be_id()) {
            return Err(id.unusable(source, path, "text or integers"));
        }
        let textual = |name: &Option<String>| {
            let column = name.as_deref().map(required).transpose()?;
            column.iter().try_for_each(|column| column.must_be_text(source, path))?;
            Ok::<_, Error>(column)
        };
        let columns = Columns {
            text,
            id,
            url: textual(&fields.url)?,
            lang: textual(&fields.lang)?,
            meta: fields.meta.iter().map(|name| required(name)).collect::<Result<_>>()?,
        };
        Ok(Self { file, bytes, metadata, columns })
    }

    /// Bytes on disk of each row group.
    pub(crate) fn group_bytes(&self) -> Vec<u64> {
        self.metadata.row_groups.iter().map(|group| group.compressed_size() as u64).collect()
    }

    /// Row number of each row group's first row, and of the end.
    pub(super) fn first_rows(&self) -> Vec<u64> {
        let mut at = 0_u64;
        let mut rows = vec![at];
        for group in &self.metadata.row_groups {
            at = at.saturating_add(group.num_rows() as u64);
            rows.push(at);
        }
        rows
    }

    /// Reads one row group's wanted columns; the error is what is wrong with it.
    pub(super) fn group(&mut self, index: usize) -> std::result::Result<Group, String> {
        let Self { file, bytes, metadata, columns, .. } = self;
        let group = metadata.row_groups.get(index).ok_or("the file has fewer row groups than when it was planned")?;
        let rows = group.num_rows();
        if rows as u64 > MAX_ROWS {
            return Err(format!("row group of {rows} rows, more than {MAX_ROWS}"));
        }
        let mut read = |column: &Column| {
            let chunk = group.parquet_columns().get(column.leaf).ok_or("the row group lacks a column of the schema")?;
            column.values(&mut |field| chunk::decode(file, *bytes, chunk, rows, field))
        };
        Ok(Group {
            text: read(&columns.text)?,
            id: columns.id.as_ref().map(&mut read).transpose()?,
            url: columns.url.as_ref().map(&mut read).transpose()?,
            lang: columns.lang.as_ref().map(&mut read).transpose()?,
            meta: columns.meta.iter().map(&mut read).collect::<std::result::Result<_, _>>()?,
        })
    }

    pub(super) fn columns(&self) -> &Columns {
        &self.columns
    }
}
