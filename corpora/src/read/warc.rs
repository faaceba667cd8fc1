//! Web archives: responses (WARC) and extracted text (WET), one document a page.
//!
//! Taken are records of type `response` whose HTTP status is 200 and whose content is HTML or
//! plain text, and records of type `conversion`. Other records (requests, metadata, revisits,
//! images, redirects, answers of DNS and FTP servers) are no documents and are passed over. Transfer encoding `chunked` and
//! content encodings `gzip`, `deflate` and `zstd` are undone, never beyond `max-record-bytes`;
//! a body that turns out not to be encoded is read as it is.
//!
//! A record that contradicts itself is one error, and reading goes on at the next line that
//! begins with `WARC/` and a version (1.0, 1.1, and the drafts 0.17 and 0.18); damage in a gzip file costs its member, and is told with its place in the file. A WARC file inside a record is
//! taken for records that follow it.

mod http;
mod members;
mod record;

use std::sync::Arc;

use serde_json::{Map, Value};

use self::http::{Body, Response};
use self::record::{Record, Records as WarcRecords};
use super::input::Input;
use super::{Reader, Records, broken};
use crate::document::Document;
use crate::encoding;
use crate::error::{Cause, Error, Position, Result};
use crate::part::{Range, Slice};
use crate::stream::{self, Compression};

/// The pages of a slice.
pub(super) fn read(reader: Arc<Reader>, slice: Slice) -> Result<Records> {
    if slice.range != Range::Whole {
        return Err(Error::format(slice.path(), "the plan gives a range of a web archive"));
    }
    let input = match stream::compression(slice.path())? {
        Compression::Gzip => Input::recovering(members::open(slice.path())?),
        _ => Input::new(stream::open(slice.path(), &reader.count)?),
    };
    let mut records = WarcRecords::new(input, reader.source.record_limit());
    Ok(Box::new(std::iter::from_fn(move || {
        loop {
            let (at, document) = match records.next()? {
                Ok(record) => (record.offset, reader.archived(&record, &slice).transpose()),
                Err(record::Failure::Record(at, cause)) => (at, Some(Err(cause))),
                Err(record::Failure::Stream(at, error)) => return Some(Err(broken(&slice, at, error))),
            };
            let Some(document) = document else { continue };
            return Some(document.map_err(|cause| Error::record(slice.path(), Position::Byte(at), cause)));
        }
    })))
}

impl Reader {
    /// The document of a record; None for one that holds no page.
    fn archived(&self, record: &Record, slice: &Slice) -> std::result::Result<Option<Document>, Cause> {
        let id = slice.record_id(&self.source.name, record.offset);
        let mut document = if record.header("warc-type") == Some("conversion") {
            self.fields.plain(id, self.decoding.decode(&record.block, None)?.into_owned(), None)
        } else {
            let Some(response) = Response::parse(&record.block) else {
                if !record.is_http() {
                    return Ok(None);
                }
                return Err(Cause::Malformed("a response without an HTTP header".to_owned()));
            };
            if response.status != 200 {
                return Ok(None);
            }
            let declared = response.header("content-type").unwrap_or_default();
            let media = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            let is_html = match media.as_str() {
                "text/html" | "application/xhtml+xml" => true,
                "text/plain" => false,
                "" => response.body.trim_ascii_start().starts_with(b"<"),
                _ => return Ok(None),
            };
            let Body { bytes, is_cut } = response.body(self.source.record_limit())?;
            let charset = encoding::http_charset(declared);
            let mut document = if is_html {
                self.page(&bytes, charset.or_else(|| encoding::in_markup(&bytes)), id)?
            } else {
                self.fields.plain(id, self.decoding.decode(&bytes, charset)?.into_owned(), None)
            };
            insert(&mut document.meta, "content-type", (!media.is_empty()).then_some(media.as_str()));
            if is_cut || record.header("warc-truncated").is_some() {
                document.meta.insert("truncated".to_owned(), true.into());
            }
            document
        };
        if document.text.len() as u64 > self.source.max_record_bytes {
            return Err(self.too_long());
        }
        // wget writes the address in angle brackets.
        let url = record.header("warc-target-uri").map(|url| url.trim_start_matches('<').trim_end_matches('>'));
        document.url = url.filter(|url| !url.is_empty()).map(str::to_owned);
        insert(&mut document.meta, "date", record.header("warc-date"));
        Ok(Some(document))
    }
}

fn insert(meta: &mut Map<String, Value>, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        meta.insert(key.to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests;
