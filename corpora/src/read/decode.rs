//! Bytes of a record as text, in the encoding that the source has or that its file turns out to be in.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use serde_json::{Map, Value};

use crate::encoding::{self, Charset};
use crate::error::{Cause, Error, Result};
use crate::part::Slice;
use crate::source::{EncodingErrors, Source};
use crate::stream;

/// Bytes at the beginning of a file that tell the encoding of its lines.
const HEAD: u64 = 1 << 20;

/// How the records of one slice are decoded, and what was found in the record in hand.
#[derive(Debug)]
pub(super) struct Decoding {
    charset: Charset,
    /// Bytes that do not fit become U+FFFD, and no record is lost.
    replaces: bool,
    /// Whether UTF-16 has been transcoded before its lines were found.
    by_lines: bool,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    /// What the record was in, where that is not UTF-8.
    encoding: Option<&'static Encoding>,
    bad_bytes: u64,
}

impl Decoding {
    pub(super) fn new(source: &Source) -> Self {
        let charset = source.charset();
        let replaces = charset == Charset::Auto || source.encoding_errors == EncodingErrors::Replace;
        Self { charset, replaces, by_lines: false, found: Mutex::default() }
    }

    /// The decoding of a file's lines: one encoding for all of them, told by the file's beginning.
    pub(super) fn of_lines(source: &Source, slice: &Slice) -> Result<Self> {
        let mut decoding = Self { by_lines: true, ..Self::new(source) };
        if decoding.charset == Charset::Auto {
            decoding.charset = Charset::Named(encoding::detect(&head(slice.path())?, None));
        }
        Ok(decoding)
    }

    /// Whether every record comes out as it is, or is an error.
    pub(super) fn is_strict_utf_8(&self) -> bool {
        self.charset == Charset::UTF_8 && !self.replaces
    }

    /// Whether bytes that are UTF-8 need no second look. The lines of a UTF-16 stream are, too.
    pub(super) fn is_utf_8(&self) -> bool {
        self.charset == Charset::UTF_8 || (self.by_lines && self.wide().is_some())
    }

    /// The UTF-16 that lines must be read through, for their line ends are two bytes.
    pub(super) fn wide(&self) -> Option<&'static Encoding> {
        match self.charset {
            Charset::Named(encoding) if is_wide(encoding) => Some(encoding),
            _ => None,
        }
    }

    /// The text of a record's bytes; `declared` is what came with them.
    pub(super) fn decode<'a>(&self, bytes: &'a [u8], declared: Option<&'static Encoding>) -> std::result::Result<Cow<'a, str>, Cause> {
        let encoding = match self.charset {
            Charset::Auto => encoding::detect(bytes, declared),
            // Lines of it have been transcoded.
            Charset::Named(encoding) if is_wide(encoding) && self.by_lines => UTF_8,
            Charset::Named(encoding) => encoding,
        };
        let decoded = encoding::decode(bytes, encoding);
        match decoded.first_bad {
            Some(at) if !self.replaces && encoding == UTF_8 => return Err(Cause::InvalidUtf8(at)),
            Some(at) if !self.replaces => return Err(Cause::Malformed(format!("not {} at byte {at} of the record", encoding.name()))),
            _ => {}
        }
        if self.charset == Charset::Auto && encoding::looks_binary(&decoded.text) {
            return Err(Cause::Malformed("binary data, not text".to_owned()));
        }
        if encoding != UTF_8 || decoded.bad_bytes > 0 {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            found.encoding = (encoding != UTF_8).then_some(encoding);
            found.bad_bytes += decoded.bad_bytes;
        }
        Ok(decoded.text)
    }

    /// Writes what was found in the record that was just read into its document's `meta`, and
    /// forgets it.
    pub(super) fn note(&self, meta: Option<&mut Map<String, Value>>) {
        let found = std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(meta) = meta else { return };
        if let Some(encoding) = found.encoding {
            meta.insert("encoding".to_owned(), encoding.name().into());
        }
        if found.bad_bytes > 0 {
            meta.insert("bad-bytes".to_owned(), found.bad_bytes.into());
        }
    }
}

/// Whether lines of the file cannot be found by their bytes, and so the file cannot be cut.
pub(crate) fn is_utf_16(source: &Source, path: &std::path::Path) -> Result<bool> {
    match source.charset() {
        Charset::Named(encoding) => Ok(is_wide(encoding)),
        Charset::Auto => Ok(is_wide(encoding::detect(&head(path)?, None))),
    }
}

fn is_wide(encoding: &'static Encoding) -> bool {
    encoding == UTF_16LE || encoding == UTF_16BE
}

/// The beginning of a file's text. One that breaks off there is left to whoever reads on.
fn head(path: &std::path::Path) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    match stream::open(path, &Arc::default())?.take(HEAD).read_to_end(&mut head) {
        Err(error) if error.raw_os_error().is_some() => Err(Error::io("read", path)(error)),
        _ => Ok(head),
    }
}

/// A stream of UTF-16 as a stream of UTF-8, without its byte order mark. What is no UTF-16 becomes
/// U+FFFD.
pub(super) fn transcoded(stream: Box<dyn BufRead + Send>, encoding: &'static Encoding) -> Box<dyn BufRead + Send> {
    Box::new(BufReader::new(Transcoder { stream, decoder: encoding.new_decoder_with_bom_removal(), ended: false }))
}

struct Transcoder {
    stream: Box<dyn BufRead + Send>,
    decoder: Decoder,
    ended: bool,
}

impl Read for Transcoder {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if out.len() < 16 {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "less room than a character needs"));
        }
        while !self.ended {
            let bytes = self.stream.fill_buf()?;
            let last = bytes.is_empty();
            let (result, read, written, _) = self.decoder.decode_to_utf8(bytes, out, last);
            self.stream.consume(read);
            self.ended = last && result == CoderResult::InputEmpty;
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}
