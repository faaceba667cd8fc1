//! The HTTP response in a record: status, headers, and the body as it was before it was encoded.

use std::io::Read;

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::record::{find, header_line};
use crate::error::Cause;

/// A response as the server sent it.
pub(super) struct Response<'a> {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: &'a [u8],
}

/// A body with its encodings undone.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    /// Whether its end is missing.
    pub(super) is_cut: bool,
}

impl<'a> Response<'a> {
    /// Parses a response; None where there is no status line.
    pub(super) fn parse(block: &'a [u8]) -> Option<Self> {
        let (first, mut rest) = split_line(block);
        let first = std::str::from_utf8(first).ok()?;
        let mut words = first.split_ascii_whitespace();
        if !words.next()?.to_ascii_uppercase().starts_with("HTTP/") {
            return None;
        }
        let status = words.next()?.parse().ok()?;
        let mut headers = Vec::new();
        while !rest.is_empty() {
            let (line, after) = split_line(rest);
            rest = after;
            if line.is_empty() {
                break;
            }
            headers.extend(header_line(line));
        }
        Some(Self { status, headers, body: rest })
    }

    /// The value of a header by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body with its transfer and content encodings undone, at most `limit` bytes.
    pub(super) fn body(&self, limit: usize) -> Result<Body, Cause> {
        // The last one was applied last.
        let codings = |header: &str| self.header(header).unwrap_or_default().to_ascii_lowercase();
        let (transfer, content) = (codings("transfer-encoding"), codings("content-encoding"));
        let is_chunked = transfer.rsplit(',').any(|coding| coding.trim() == "chunked");
        let chunked = if is_chunked { unchunk(self.body) } else { None };
        let mut body = chunked.unwrap_or_else(|| Body { bytes: self.body.to_vec(), is_cut: false });
        // More than two of either are an attack.
        let names = |codings: &'_ str| {
            codings.rsplit(',').map(str::trim).filter(|name| is_coding(name)).take(2).map(str::to_owned).collect::<Vec<_>>()
        };
        for coding in names(&transfer).iter().chain(&names(&content)) {
            body = decode(body, coding, limit)?;
        }
        if body.bytes.len() > limit {
            return Err(Cause::TooLong { limit: limit as u64 });
        }
        Ok(body)
    }
}

/// Whether a name in a header says how a body was encoded. Servers also write there that it was not, or what its letters are in.
fn is_coding(name: &str) -> bool {
    let is_none = matches!(name, "" | "chunked" | "identity" | "none" | "7bit" | "8bit" | "binary");
    !is_none && encoding_rs::Encoding::for_label(name.as_bytes()).is_none()
}

/// A line without its end, and what follows it.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match memchr::memchr(b'\n', bytes) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[][..]),
    };
    (line.strip_suffix(b"\r").unwrap_or(line), rest)
}

/// The chunks of a body, put together; None for one that does not begin with a chunk, which some
/// archives write after they took the chunks apart.
fn unchunk(bytes: &[u8]) -> Option<Body> {
    let (mut out, mut rest, mut first) = (Vec::new(), bytes, true);
    loop {
        let (line, after) = split_line(rest);
        let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
        let size = std::str::from_utf8(&line[..digits]).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let extension = line[digits..].trim_ascii();
        let size = size.filter(|_| extension.is_empty() || extension.starts_with(b";"));
        let Some(size) = size else {
            return if first { None } else { Some(Body { bytes: out, is_cut: true }) };
        };
        if size == 0 {
            return Some(Body { bytes: out, is_cut: false });
        }
        if after.len() < size {
            // A number that is longer than all there is was no chunk's size.
            let is_cut = !first || after.len() > 2 && size <= bytes.len().saturating_mul(16);
            out.extend_from_slice(after);
            return is_cut.then_some(Body { bytes: out, is_cut });
        }
        out.extend_from_slice(&after[..size]);
        let end = &after[size..];
        rest = end.strip_prefix(b"\r\n").or_else(|| end.strip_prefix(b"\n")).unwrap_or(end);
        first = false;
    }
}

fn decode(body: Body, encoding: &str, limit: usize) -> Result<Body, Cause> {
    let bytes = body.bytes.as_slice();
    let mut decoder: Box<dyn Read + '_> = match encoding {
        // The crawler may have decoded it already and kept the header.
        "gzip" | "x-gzip" if !bytes.starts_with(b"\x1f\x8b") => return Ok(body),
        "gzip" | "x-gzip" => Box::new(MultiGzDecoder::new(bytes)),
        // By the standard a zlib stream, in practice often a raw one.
        "deflate" if bytes.first().is_some_and(|byte| byte & 0x0f == 8) => Box::new(ZlibDecoder::new(bytes)),
        "deflate" if bytes.first().is_none_or(|byte| *byte == b'<') => return Ok(body),
        "deflate" => Box::new(DeflateDecoder::new(bytes)),
        "zstd" if bytes.starts_with(b"\x28\xb5\x2f\xfd") => {
            Box::new(zstd::Decoder::with_buffer(bytes).map_err(|error| Cause::Malformed(error.to_string()))?)
        }
        // Brotli has no mark of its own: what is text was decoded by the crawler.
        _ if bytes.trim_ascii_start().starts_with(b"<") => return Ok(body),
        other => return Err(Cause::Malformed(format!("a body in content-encoding `{}`, which is not read", other.escape_debug()))),
    };
    let mut out = Vec::new();
    let result = decoder.by_ref().take((limit as u64).saturating_add(1)).read_to_end(&mut out);
    if out.len() > limit {
        return Err(Cause::TooLong { limit: limit as u64 });
    }
    match result {
        Ok(_) => Ok(Body { bytes: out, is_cut: body.is_cut }),
        Err(_) if !out.is_empty() => Ok(Body { bytes: out, is_cut: true }),
        Err(error) => Err(Cause::Malformed(format!("a body that is no {encoding}: {error}"))),
    }
}
