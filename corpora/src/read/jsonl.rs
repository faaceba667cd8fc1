//! JSON lines: one object a line, blank lines passed over.

use std::sync::Arc;

use super::{Reader, Records, broken};
use crate::document::Document;
use crate::error::{Cause, Error, Position, Result};
use crate::lines::Line;
use crate::part::Slice;

pub(super) fn read(reader: Arc<Reader>, slice: Slice) -> Result<Records> {
    let mut lines = reader.lines(&slice)?;
    let mut ended = false;
    Ok(Box::new(std::iter::from_fn(move || {
        while !ended {
            let (at, record) = match lines.next() {
                Ok(Some(Line::Whole(_, line))) if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) => continue,
                Ok(Some(Line::Whole(at, line))) => (at, reader.object(line, &slice, at)),
                Ok(Some(Line::TooLong(at))) => (at, Err(reader.too_long())),
                Ok(None) => {
                    ended = true;
                    return None;
                }
                Err(error) => {
                    ended = true;
                    return Some(Err(broken(&slice, lines.offset(), error)));
                }
            };
            return Some(record.map_err(|cause| Error::record(slice.path(), Position::Byte(at), cause)));
        }
        None
    })))
}

impl Reader {
    fn object(&self, line: &[u8], slice: &Slice, at: u64) -> std::result::Result<Document, Cause> {
        let line = self.decode(line)?;
        let record = self.fields.parse(&line)?;
        self.fields.document(record, self.source.max_record_bytes, || slice.record_id(&self.source.name, at))
    }
}
