//! Plain text and source code: whole files, lines or paragraphs as documents.

use std::sync::Arc;

use super::{Reader, Records, broken};
use crate::code;
use crate::document::Document;
use crate::error::{Cause, Error, Position, Result};
use crate::lines::Line;
use crate::part::Slice;
use crate::shebang;
use crate::source::Format;

/// A file as one document, byte for byte but for a byte order mark.
pub(super) fn file(reader: Arc<Reader>, slice: Slice) -> Records {
    Box::new(std::iter::once_with(move || {
        // 3 more for a byte order mark, 1 more to see that there is more.
        let bytes = reader.whole(&slice, 4)?;
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let cause = |cause| Error::record(slice.path(), Position::Byte(0), cause);
        if text.len() as u64 > reader.source.max_record_bytes {
            return Err(cause(reader.too_long()));
        }
        let lang = match reader.source.format {
            Format::Code => Some(code::language(&slice.relative).or_else(|| shebang::language(text)).unwrap_or(code::UNKNOWN)),
            _ => None,
        };
        let text = reader.decode(text).map_err(cause)?.into_owned();
        Ok(reader.fields.plain(slice.record_id(&reader.source.name, 0), text, lang))
    }))
}

/// Each line that is not blank.
pub(super) fn lines(reader: Arc<Reader>, slice: Slice) -> Result<Records> {
    let mut lines = reader.lines(&slice)?;
    let mut ended = false;
    Ok(Box::new(std::iter::from_fn(move || {
        while !ended {
            let (at, record) = match lines.next() {
                Ok(Some(Line::Whole(_, line))) if is_blank(line) => continue,
                Ok(Some(Line::Whole(at, line))) => (at, reader.document(line, &slice, at)),
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

/// Each run of lines between blank lines, joined by `\n`.
pub(super) fn paragraphs(reader: Arc<Reader>, slice: Slice) -> Result<Records> {
    let mut lines = reader.lines(&slice)?;
    let limit = reader.source.record_limit();
    let mut ended = false;
    Ok(Box::new(std::iter::from_fn(move || {
        // Offset of the paragraph's first line, and its bytes (None once they are too many).
        let mut paragraph: Option<(u64, Option<Vec<u8>>)> = None;
        while !ended {
            let (at, line) = match lines.next() {
                Ok(Some(Line::Whole(at, line))) => (at, Some(line)),
                Ok(Some(Line::TooLong(at))) => (at, None),
                Ok(None) => {
                    ended = true;
                    break;
                }
                Err(error) => {
                    // The paragraph in hand may go on beyond the break: it is part of what is lost.
                    ended = true;
                    return Some(Err(broken(&slice, lines.offset(), error)));
                }
            };
            if line.is_some_and(is_blank) {
                if paragraph.is_some() {
                    break;
                }
                continue;
            }
            let (_, held) = paragraph.get_or_insert_with(|| (at, Some(Vec::new())));
            *held = match (held.take(), line) {
                (Some(mut held), Some(line)) if held.len() + line.len() < limit || (held.is_empty() && line.len() <= limit) => {
                    if !held.is_empty() {
                        held.push(b'\n');
                    }
                    held.extend_from_slice(line);
                    Some(held)
                }
                _ => None,
            };
        }
        let (at, held) = paragraph?;
        let record = held.ok_or_else(|| reader.too_long()).and_then(|held| reader.document(&held, &slice, at));
        Some(record.map_err(|cause| Error::record(slice.path(), Position::Byte(at), cause)))
    })))
}

impl Reader {
    fn document(&self, bytes: &[u8], slice: &Slice, at: u64) -> std::result::Result<Document, Cause> {
        let text = self.decode(bytes)?.into_owned();
        Ok(self.fields.plain(slice.record_id(&self.source.name, at), text, None))
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}
