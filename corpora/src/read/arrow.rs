//! Arrow IPC (Feather V2): files and streams, one document a row, one record batch in memory at a time.

mod body;
mod message;
mod schema;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use self::table::Table;

use self::table::Batch;
use super::cells::Row;
use super::{Reader, Records};
use crate::error::{Cause, Error, Position, Result};
use crate::part::{Range, Slice};

pub(super) fn read(reader: Arc<Reader>, slice: Slice) -> Result<Records> {
    let mut table = Table::open(slice.path(), &reader.fields, &reader.source.name)?;
    match slice.range {
        Range::Whole => {}
        Range::RowGroups { start, end } => table.restrict(start, end, slice.path())?,
        Range::Bytes { .. } => return Err(Error::format(slice.path(), "the plan gives bytes of a file that has record batches")),
    }
    let mut current: Option<(Batch, usize)> = None;
    Ok(Box::new(std::iter::from_fn(move || {
        loop {
            if let Some((batch, next)) = &mut current
                && *next < batch.rows
            {
                let (row, at) = (*next, batch.first_row + *next as u64);
                *next += 1;
                let mut cells = Row::new(&reader);
                let cells = table.columns().iter().map(|column| {
                    let array = batch.arrays.get(column.place);
                    (
                        column.name.as_str(),
                        array.map_or(Ok(serde_json::Value::Null), |array| cells.value(array.as_ref(), row, &column.path)),
                    )
                });
                let record = reader.row(cells, || slice.record_id(&reader.source.name, at));
                return Some(record.map_err(|cause| Error::record(slice.path(), Position::Row(at), cause)));
            }
            current = None; // before the next one is decoded: never two at once
            match table.next_batch()? {
                Ok(batch) => current = Some((batch, 0)),
                Err((row, detail)) => return Some(Err(Error::record(slice.path(), Position::Row(row), Cause::Damaged(detail)))),
            }
        }
    })))
}
