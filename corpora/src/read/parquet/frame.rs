//! A Parquet file as frames of polars, a row group at a time.

use std::fs::File;
use std::path::Path;

use polars::prelude::{Column, DataFrame, PlSmallStr, PolarsError, Series};
use polars_arrow::array::Array;
use polars_arrow::datatypes::Field;
use polars_parquet::read::FileMetadata;
use polars_parquet::read::schema::parquet_to_arrow_schema;

use super::super::guard::guarded;
use super::chunk::{self, Budget, MAX_ROWS};
use crate::error::{Cause, Error, Position, Result};

/// A column's name and values.
type Arrays = (String, Vec<Box<dyn Array>>);

/// An open file. What it claims is measured before polars' decoders, which would allocate it, may see it.
pub(crate) struct Frames<'a> {
    path: &'a Path,
    file: File,
    bytes: u64,
    metadata: FileMetadata,
}

impl<'a> Frames<'a> {
    /// Opens a file and checks its footer.
    pub(crate) fn open(path: &'a Path) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let bytes = file.metadata().map_err(Error::io("look at", path))?.len();
        let metadata = chunk::metadata(&mut file, bytes, path)?;
        Ok(Self { path, file, bytes, metadata })
    }

    /// Names of the columns.
    pub(crate) fn names(&self) -> Vec<String> {
        self.metadata.schema().fields().iter().map(|field| field.name().to_owned()).collect()
    }

    /// Rows of each row group.
    pub(crate) fn rows(&self) -> Result<Vec<usize>> {
        let rows: Vec<usize> = self.metadata.row_groups.iter().map(|group| group.num_rows()).collect();
        match rows.iter().position(|rows| *rows as u64 > MAX_ROWS) {
            Some(group) => Err(self.damaged(format!("row group {group} has {} rows, more than {MAX_ROWS}", rows[group]))),
            None => Ok(rows),
        }
    }

    /// These columns of a row group, in the file's order; one that it lacks is left out.
    pub(crate) fn group(&mut self, index: usize, wanted: &dyn Fn(&str) -> bool) -> Result<DataFrame> {
        let path = self.path;
        let rows = self.rows()?.get(index).copied().ok_or_else(|| self.damaged(format!("there is no row group {index}")))?;
        let columns = self.columns(index, rows, wanted).map_err(|detail| self.damaged(format!("row group {index}: {detail}")))?;
        let series = |(name, arrays): Arrays| {
            let series =
                guarded(|| Series::try_from((PlSmallStr::from_str(&name), arrays)).map_err(|error: PolarsError| error.to_string()));
            series.map(Column::from).map_err(|detail| Error::format(path, format!("column `{name}`: {detail}")))
        };
        let columns = columns.into_iter().map(series).collect::<Result<_>>()?;
        DataFrame::new(rows, columns).map_err(|error| Error::format(path, error.to_string()))
    }

    fn columns(&mut self, index: usize, rows: usize, wanted: &dyn Fn(&str) -> bool) -> std::result::Result<Vec<Arrays>, String> {
        let Self { file, bytes, metadata, .. } = self;
        let mut columns = Vec::new();
        for root in metadata.schema().fields().iter().filter(|root| wanted(root.name())) {
            // From the Parquet types alone: an Arrow schema in the metadata could claim anything.
            let field: Field = guarded(|| Ok(parquet_to_arrow_schema(std::slice::from_ref(root)).iter_values().next().cloned()))?
                .ok_or_else(|| format!("column `{}` has no type", root.name()))?;
            let leaves = metadata.schema().columns().iter().zip(metadata.row_groups[index].parquet_columns());
            let leaves = leaves.filter(|(leaf, _)| leaf.path_in_schema.first().is_some_and(|name| **name == *root.name()));
            let leaves: Vec<_> = leaves.map(|(_, chunk)| chunk).collect();
            columns.push((root.name().to_owned(), chunk::decode(file, *bytes, &leaves, rows, field, &mut Budget::new())?));
        }
        Ok(columns)
    }

    fn damaged(&self, detail: String) -> Error {
        Error::record(self.path, Position::Row(0), Cause::Damaged(detail))
    }
}
