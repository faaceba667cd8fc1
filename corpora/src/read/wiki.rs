//! MediaWiki XML dumps (`pages-articles`), plain or bz2: the articles, as text.
//!
//! Taken are pages of namespace 0 whose model is wikitext and that are no redirect; of several
//! revisions the last one. A page is found by its tags in the bytes and only then parsed, so one
//! that is damaged is one error and reading goes on with the next, and nothing but one page is in
//! memory.

use std::sync::Arc;

use quick_xml::Reader as Xml;
use quick_xml::events::{BytesRef, Event};

use super::input::Input;
use super::{Reader, Records, broken};
use crate::document::Document;
use crate::error::{Cause, Error, Position, Result};
use crate::part::{Range, Slice};
use crate::stream;
use crate::wikitext::wiki_text;

/// The articles of a slice.
pub(super) fn read(reader: Arc<Reader>, slice: Slice) -> Result<Records> {
    if slice.range != Range::Whole {
        return Err(Error::format(slice.path(), "the plan gives a range of a dump"));
    }
    let limit = reader.source.record_limit();
    let mut pages = Pages { input: Input::new(stream::open(slice.path(), &reader.count)?), limit, site: None, begun: None, is_dump: false };
    let mut ended = false;
    Ok(Box::new(std::iter::from_fn(move || {
        while !ended {
            let (at, found) = match pages.next() {
                Ok(Some(found)) => found,
                Ok(None) => {
                    ended = true;
                    let cause = Cause::Malformed("no MediaWiki dump: it has neither `<mediawiki>` nor a `<page>`".to_owned());
                    let is_other = !pages.is_dump && pages.input.offset() > 0;
                    return is_other.then(|| Err(Error::record(slice.path(), Position::Byte(0), cause)));
                }
                Err(error) => {
                    ended = true;
                    return Some(Err(broken(&slice, pages.input.offset(), error)));
                }
            };
            let article =
                found.and_then(|bytes| reader.article(&bytes, pages.site.as_deref(), || slice.record_id(&reader.source.name, at)));
            let Some(article) = article.transpose() else { continue };
            return Some(article.map_err(|cause| Error::record(slice.path(), Position::Byte(at), cause)));
        }
        None
    })))
}

/// Pages by their tags. In a dump `<` and `>` are tags and nothing else.
struct Pages {
    input: Input,
    limit: usize,
    /// Where the site's articles are, from the head of the dump.
    site: Option<String>,
    /// Offset of a page whose first tag has been read.
    begun: Option<u64>,
    /// Whether anything of a dump was seen.
    is_dump: bool,
}

type Found = (u64, std::result::Result<Vec<u8>, Cause>);

impl Pages {
    fn next(&mut self) -> std::io::Result<Option<Found>> {
        let mut bytes = Vec::new();
        let start = loop {
            if let Some(start) = self.begun.take() {
                break start;
            }
            let most = 1 << 16;
            if self.input.until(b'>', &mut bytes, most)? == 0 {
                return Ok(None);
            }
            self.is_dump |= memchr::memmem::find(&bytes, b"<mediawiki").is_some();
            if bytes.ends_with(b"<page>") {
                self.is_dump = true;
                break self.input.offset() - 6;
            }
            if let Some(base) = bytes.strip_suffix(b"</base>") {
                self.site = std::str::from_utf8(base).ok().and_then(|base| base.rsplit_once('/')).map(|(site, _)| site.to_owned());
            }
            if bytes.ends_with(b">") || bytes.len() > most {
                bytes.clear();
            }
        };
        bytes.clear();
        bytes.extend_from_slice(b"<page>");
        let mut too_long = false;
        loop {
            let most = if too_long { 1 << 16 } else { self.limit.saturating_add(16).saturating_sub(bytes.len()).max(1) };
            let taken = self.input.until(b'>', &mut bytes, most)?;
            let found = if too_long { Err(Cause::TooLong { limit: self.limit as u64 }) } else { Ok(()) };
            if taken == 0 || bytes[6..].ends_with(b"<page>") {
                self.begun = (taken > 0).then(|| self.input.offset() - 6);
                let found = found.and_then(|()| Err(Cause::Malformed("a page that does not end".to_owned())));
                return Ok(Some((start, found)));
            }
            if bytes.ends_with(b"</page>") {
                return Ok(Some((start, found.map(|()| bytes))));
            }
            if bytes.len() > self.limit {
                too_long = true;
                bytes.drain(6..bytes.len().saturating_sub(8).max(6));
            }
        }
    }
}

/// What a page says of itself.
#[derive(Default)]
struct Fields {
    title: String,
    namespace: String,
    id: String,
    model: String,
    timestamp: String,
    text: String,
    is_redirect: bool,
}

impl Reader {
    /// The document of a page; None for one that is no article.
    fn article(&self, bytes: &[u8], site: Option<&str>, id: impl FnOnce() -> String) -> std::result::Result<Option<Document>, Cause> {
        let page = fields(&self.decode(bytes)?)?;
        let is_wikitext = page.model.is_empty() || page.model == "wikitext";
        if page.is_redirect || !is_wikitext || !(page.namespace.is_empty() || page.namespace == "0") {
            return Ok(None);
        }
        let mut document = self.fields.plain(id(), wiki_text(&page.text), None);
        document.url = site.map(|site| format!("{site}/{}", page.title.replace(' ', "_")));
        for (key, value) in [("title", page.title), ("page-id", page.id), ("timestamp", page.timestamp)] {
            if !value.is_empty() {
                document.meta.insert(key.to_owned(), value.into());
            }
        }
        Ok(Some(document))
    }
}

fn fields(xml: &str) -> std::result::Result<Fields, Cause> {
    let malformed = |error: &dyn std::fmt::Display| Cause::Malformed(format!("a page that is no XML: {error}"));
    let mut reader = Xml::from_str(xml);
    let (mut page, mut path) = (Fields::default(), Vec::<String>::new());
    loop {
        let event = reader.read_event().map_err(|error| malformed(&error))?;
        let target = match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["page", "title"] => Some(&mut page.title),
            ["page", "ns"] => Some(&mut page.namespace),
            ["page", "id"] => Some(&mut page.id),
            ["page", "revision", "model"] => Some(&mut page.model),
            ["page", "revision", "timestamp"] => Some(&mut page.timestamp),
            ["page", "revision", "text"] => Some(&mut page.text),
            _ => None,
        };
        match event {
            Event::Start(tag) => {
                let name = String::from_utf8_lossy(tag.local_name().as_ref()).into_owned();
                match name.as_str() {
                    "revision" => {
                        page.text.clear();
                        page.model.clear();
                        page.timestamp.clear();
                    }
                    "redirect" => page.is_redirect = true,
                    _ => {}
                }
                if path.len() == 16 {
                    return Err(Cause::Malformed("a page with elements inside its elements".to_owned()));
                }
                path.push(name);
            }
            Event::Empty(tag) => page.is_redirect |= tag.local_name().as_ref() == b"redirect",
            Event::End(_) => {
                path.pop();
            }
            Event::Text(text) => {
                if let Some(target) = target {
                    target.push_str(&text.decode().map_err(|error| malformed(&error))?);
                }
            }
            Event::CData(text) => {
                if let Some(target) = target {
                    target.push_str(&text.decode().map_err(|error| malformed(&error))?);
                }
            }
            Event::GeneralRef(reference) => {
                if let Some(target) = target {
                    target.push(character(&reference).ok_or_else(|| malformed(&"an unknown entity"))?);
                }
            }
            Event::Eof if path.is_empty() => return Ok(page),
            Event::Eof => return Err(malformed(&"an element that does not end")),
            _ => {}
        }
    }
}

fn character(reference: &BytesRef<'_>) -> Option<char> {
    match &reference[..] {
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"amp" => Some('&'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        _ => reference.resolve_char_ref().ok().flatten(),
    }
}

#[cfg(test)]
mod tests;
