//! HTML files: one page, one document.

use std::sync::Arc;

use super::{Reader, Records};
use crate::document::Document;
use crate::encoding;
use crate::error::{Cause, Error, Position};
use crate::html::html_text;
use crate::part::Slice;

/// A file as one document: its main content, its title in `meta`.
pub(super) fn file(reader: Arc<Reader>, slice: Slice) -> Records {
    Box::new(std::iter::once_with(move || {
        let bytes = reader.whole(&slice, 1)?;
        let cause = |cause| Error::record(slice.path(), Position::Byte(0), cause);
        if bytes.len() as u64 > reader.source.max_record_bytes {
            return Err(cause(reader.too_long()));
        }
        let document = reader.page(&bytes, encoding::in_markup(&bytes), slice.record_id(&reader.source.name, 0));
        document.map_err(cause)
    }))
}

impl Reader {
    /// The document of a page's bytes; `declared` is the encoding that it or its server states.
    pub(super) fn page(
        &self,
        bytes: &[u8],
        declared: Option<&'static encoding_rs::Encoding>,
        id: String,
    ) -> std::result::Result<Document, Cause> {
        let page = html_text(&self.decoding.decode(bytes, declared)?);
        let mut document = self.fields.plain(id, page.text, None);
        if !page.title.is_empty() {
            document.meta.insert("title".to_owned(), page.title.into());
        }
        document.meta.insert("extraction".to_owned(), page.extraction.name().into());
        Ok(document)
    }
}
