//! A Parquet file opened: its row groups and where the fields that a source wants are in it.
//!
//! Column chunks are read with ordinary reads and handed to polars' decoders. The file is never
//! mapped: one that shrinks while it is read is an error, not a signal that kills the process.

use std::fs::File;
use std::path::Path;

use polars_parquet::read::FileMetadata;

use super::super::columns::wanted;
use super::chunk::{self, Budget, MAX_ROWS};
use super::column::{Column, Values};
use crate::error::{Error, Result};
use crate::fields::Fields;

/// An open Parquet file.
pub(crate) struct Table {
    file: File,
    bytes: u64,
    metadata: FileMetadata,
    columns: Vec<(String, Column)>,
}

impl Table {
    /// Opens a file and finds the columns. A column that the source names and the file lacks is an
    /// [`Error::Source`].
    pub(crate) fn open(path: &Path, fields: &Fields, source: &str) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let bytes = file.metadata().map_err(Error::io("look at", path))?.len();
        let metadata = chunk::metadata(&mut file, bytes, path)?;
        let columns = wanted(&metadata, fields, source, path)?;
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
    pub(super) fn group(&mut self, index: usize) -> std::result::Result<Vec<Values>, String> {
        let Self { file, bytes, metadata, columns } = self;
        let group = metadata.row_groups.get(index).ok_or("the file has fewer row groups than when it was planned")?;
        let rows = group.num_rows();
        if rows as u64 > MAX_ROWS {
            return Err(format!("row group of {rows} rows, more than {MAX_ROWS}"));
        }
        let mut budget = Budget::new();
        let mut read = |(name, column): &(String, Column)| {
            budget.next();
            let leaves = column.leaves.iter().map(|leaf| group.parquet_columns().get(*leaf));
            let leaves = leaves.collect::<Option<Vec<_>>>().ok_or("the row group lacks a column of the schema")?;
            let arrays = chunk::decode(file, *bytes, &leaves, rows, column.field.clone(), &mut budget)?;
            if arrays.iter().any(|array| *array.dtype() != column.field.dtype) {
                return Err(format!("column `{name}` decoded to another type"));
            }
            Ok(Values(arrays))
        };
        columns.iter().map(&mut read).collect()
    }

    pub(super) fn columns(&self) -> &[(String, Column)] {
        &self.columns
    }
}
