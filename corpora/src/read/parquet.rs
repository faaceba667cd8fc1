//! Parquet: one document a row, one row group at a time, only the columns that the source names.

mod chunk;
mod column;
mod table;
mod thrift;

use std::sync::Arc;

use serde_json::{Map, Value};

pub(crate) use self::table::Table;

use self::column::{Cell, Column, Values};
use self::table::{Columns, Group};
use super::{Reader, Records};
use crate::document::Document;
use crate::error::{Cause, Error, Position, Result};
use crate::part::{Range, Slice};

/// The rows of a slice. A row group that cannot be decoded is one error at its first row, which
/// says how many rows are lost with it.
pub(super) fn read(reader: Arc<Reader>, slice: Slice) -> Result<Records> {
    let mut table = Table::open(slice.path(), &reader.fields, &reader.source.name)?;
    let first_rows = table.first_rows();
    let groups = first_rows.len() - 1;
    let (mut next, end) = match slice.range {
        Range::Whole => (0, groups),
        Range::RowGroups { start, end } if start <= end && end <= groups => (start, end),
        Range::RowGroups { .. } | Range::Bytes { .. } => {
            return Err(Error::format(slice.path(), format!("the plan does not fit the file, which has {groups} row groups")));
        }
    };
    // The row group in hand, its next row and the row after its last.
    let mut current: Option<(Group, u64, u64)> = None;
    Ok(Box::new(std::iter::from_fn(move || {
        loop {
            if let Some((group, row, last)) = &mut current
                && *row < *last
            {
                let at = *row;
                *row += 1;
                let index = usize::try_from(at - first_rows[next - 1]).unwrap_or(usize::MAX);
                let record = reader.row(table.columns(), group, index, || slice.record_id(&reader.source.name, at));
                return Some(record.map_err(|cause| Error::record(slice.path(), Position::Row(at), cause)));
            }
            current = None; // before the next one is decoded: never two at once
            if next == end {
                return None;
            }
            let (first, last) = (first_rows[next], first_rows[next + 1]);
            next += 1;
            match table.group(next - 1) {
                Ok(group) => current = Some((group, first, last)),
                Err(detail) => {
                    let cause = Cause::Damaged(format!("{detail}; its {} rows are lost", last - first));
                    return Some(Err(Error::record(slice.path(), Position::Row(first), cause)));
                }
            }
        }
    })))
}

impl Reader {
    fn row(&self, columns: &Columns, group: &Group, row: usize, fallback: impl FnOnce() -> String) -> std::result::Result<Document, Cause> {
        let fields = &self.fields;
        if group.bytes(row) > self.source.max_record_bytes {
            return Err(self.too_long());
        }
        let text = match group.text.get(row) {
            Cell::Bytes(bytes) => self.decode(bytes)?.into_owned(),
            Cell::Null | Cell::Other(_) => return Err(Cause::MissingField(fields.text.clone())),
        };
        let id = match group.id.as_ref().map(|values| values.get(row)) {
            Some(Cell::Bytes(bytes)) if !bytes.is_empty() => self.decode(bytes)?.into_owned(),
            Some(Cell::Other(number)) => number.to_string(),
            _ if fields.id_required => return Err(Cause::MissingField(fields.id.clone())),
            _ => fallback(),
        };
        fields.check_id(&id)?;
        let mut document = fields.plain(id, text, None);
        document.url = self.string(group.url.as_ref(), row)?;
        document.lang = self.string(group.lang.as_ref(), row)?;
        document.meta = self.meta(&columns.meta, &group.meta, row)?;
        Ok(document)
    }

    fn string(&self, values: Option<&Values>, row: usize) -> std::result::Result<Option<String>, Cause> {
        match values.map(|values| values.get(row)) {
            Some(Cell::Bytes(bytes)) => Ok(Some(self.decode(bytes)?.into_owned())),
            _ => Ok(None),
        }
    }

    fn meta(&self, columns: &[Column], values: &[Values], row: usize) -> std::result::Result<Map<String, Value>, Cause> {
        let mut meta = Map::new();
        for (column, values) in columns.iter().zip(values) {
            let value = match values.get(row) {
                Cell::Null => Value::Null,
                Cell::Bytes(bytes) => Value::String(self.decode(bytes)?.into_owned()),
                Cell::Other(value) => value,
            };
            meta.insert(column.name().to_owned(), value);
        }
        Ok(meta)
    }
}

#[cfg(test)]
mod tests;
