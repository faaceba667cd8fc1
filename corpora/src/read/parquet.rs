//! Parquet: one document a row, one row group at a time, only the columns that the source names.

mod chunk;
mod column;
mod frame;
mod table;
mod thrift;

use std::sync::Arc;

use serde_json::Value;

pub(crate) use self::frame::Frames;
pub(crate) use self::table::Table;

pub(super) use self::chunk::MAX_ROWS;

use self::column::Values;
use super::cells::Row;
use super::{Reader, Records};
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
    let mut current: Option<(Vec<Values>, u64, u64)> = None;
    Ok(Box::new(std::iter::from_fn(move || {
        loop {
            if let Some((group, row, last)) = &mut current
                && *row < *last
            {
                let at = *row;
                *row += 1;
                let index = usize::try_from(at - first_rows[next - 1]).unwrap_or(usize::MAX);
                let mut cells = Row::new(&reader);
                let cells = table.columns().iter().zip(group.iter()).map(|((name, column), values)| {
                    let value = values.find(index).map_or(Ok(Value::Null), |(array, row)| cells.value(array, row, &column.path));
                    (name.as_str(), value)
                });
                let record = reader.row(cells, || slice.record_id(&reader.source.name, at));
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

#[cfg(test)]
mod tests;
