//! Bytes of a record as text, in the encoding that the source has or that its file turns out to be in.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

use encoding_rs::{Decoder, DecoderResult, EUC_KR, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use serde_json::{Map, Value};

use crate::encoding::{self, Charset, Decoded};
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
    /// Of a file whose records are lines.
    told: Option<Told>,
    found: Mutex<Found>,
}

/// What a file's beginning says of all its lines.
#[derive(Clone, Copy, Debug)]
struct Told {
    encoding: &'static Encoding,
    /// Lines in seven bits switch to Korean and back.
    shifts: bool,
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
        Self { charset, replaces, told: None, found: Mutex::default() }
    }

    /// The decoding of a file's lines, each in an encoding of its own where the source leaves it open: UTF-8 where a line
    /// is, or else that of the file's beginning where it fits.
    pub(super) fn of_lines(source: &Source, slice: &Slice) -> Result<Self> {
        Ok(Self { told: Some(Told::of(source.charset(), slice.path())?), ..Self::new(source) })
    }

    /// Whether every record comes out as it is, or is an error.
    pub(super) fn is_strict_utf_8(&self) -> bool {
        self.charset == Charset::UTF_8 && !self.replaces
    }

    /// Whether bytes that are UTF-8 need no second look. The lines of a UTF-16 stream are, too.
    pub(super) fn is_utf_8(&self) -> bool {
        self.charset == Charset::UTF_8 || self.wide().is_some() || self.told.is_some_and(|told| told.encoding == UTF_8)
    }

    /// The UTF-16 that lines must be read through, for their line ends are two bytes.
    pub(super) fn wide(&self) -> Option<&'static Encoding> {
        self.told.map(|told| told.encoding).filter(|encoding| is_wide(encoding))
    }

    /// The text of a record's bytes; `declared` is what came with them.
    pub(super) fn decode<'a>(&self, bytes: &'a [u8], declared: Option<&'static Encoding>) -> std::result::Result<Cow<'a, str>, Cause> {
        let decoded = match (self.charset, self.told) {
            // What was no UTF-16 is no UTF-8 either.
            (_, Some(told)) if is_wide(told.encoding) => {
                let decoded = encoding::decode(bytes, UTF_8);
                Decoded { encoding: told.encoding, bad_bytes: 2 * decoded.bad_bytes, ..decoded }
            }
            (_, Some(told))
                if told.shifts
                    && let Some(decoded) = encoding::decode_shifted(bytes) =>
            {
                decoded
            }
            (Charset::Auto, Some(told)) => encoding::decode(bytes, told.of_line(bytes)),
            (Charset::Auto, None) => encoding::decode_any(bytes, declared),
            (Charset::Named(_), Some(told)) => encoding::decode(bytes, told.encoding),
            (Charset::Named(named), None) => encoding::decode(bytes, marked(bytes, named)),
        };
        let encoding = decoded.encoding;
        match decoded.first_bad {
            Some(at) if !self.replaces && encoding == UTF_8 => return Err(Cause::InvalidUtf8(at)),
            Some(at) if !self.replaces => return Err(Cause::Malformed(format!("not {} at byte {at} of the record", encoding.name()))),
            _ => {}
        }
        if self.charset == Charset::Auto && self.told.is_none() && encoding::looks_binary(&decoded.text) {
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
        if let Some(encoding) = found.encoding.or_else(|| self.wide()) {
            meta.insert("encoding".to_owned(), encoding.name().into());
        }
        if found.bad_bytes > 0 {
            meta.insert("bad-bytes".to_owned(), found.bad_bytes.into());
        }
    }
}

/// Bytes beyond ASCII from which a line's letters can be told; before that a guess at one letter is no better than U+FFFD.
const TELLING: usize = 4;

impl Told {
    fn of(charset: Charset, path: &std::path::Path) -> Result<Self> {
        if charset == Charset::UTF_8 {
            return Ok(Self { encoding: UTF_8, shifts: false });
        }
        let head = head(path)?;
        let encoding = match charset {
            Charset::Auto => encoding::detect(&head, None),
            Charset::Named(named) => marked(&head, named),
        };
        Ok(Self { encoding, shifts: encoding == EUC_KR && encoding::is_shifted(&head) })
    }

    /// What one line is in, where each may be in its own encoding.
    fn of_line(self, line: &[u8]) -> &'static Encoding {
        let encoding = encoding::detect(line, Some(self.encoding));
        let is_guess = encoding.is_single_byte() && encoding != self.encoding;
        if is_guess && line.iter().filter(|byte| !byte.is_ascii()).count() < TELLING { self.encoding } else { encoding }
    }
}

/// The encoding of a text's byte order mark, which says more than a recipe's `utf-16` for either order of bytes; without one
/// the named one. UTF-8 is meant strictly.
fn marked(bytes: &[u8], named: &'static Encoding) -> &'static Encoding {
    match Encoding::for_bom(bytes) {
        Some((marked, _)) if named != UTF_8 => marked,
        _ => named,
    }
}

/// Whether lines of the file cannot be found by their bytes, and so the file cannot be cut.
pub(crate) fn is_utf_16(source: &Source, path: &std::path::Path) -> Result<bool> {
    Ok(is_wide(Told::of(source.charset(), path)?.encoding))
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

/// A stream of UTF-16 as a stream of UTF-8, without its byte order mark. In place of what is no UTF-16 stands a byte that is in no
/// UTF-8, so that the record can be counted or refused.
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
        let room = out.len().saturating_sub(1); // for the byte of a bad unit
        if room < 16 {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "less room than a character needs"));
        }
        while !self.ended {
            let bytes = self.stream.fill_buf()?;
            let last = bytes.is_empty();
            let (result, read, mut written) = self.decoder.decode_to_utf8_without_replacement(bytes, &mut out[..room], last);
            self.stream.consume(read);
            match result {
                DecoderResult::InputEmpty => self.ended = last,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    out[written] = 0xff;
                    written += 1;
                }
            }
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests;
