//! Records of a web archive: header and block, found again after damage.

use std::io;

use memchr::memmem;

use crate::error::Cause;
use crate::read::input::Input;

/// Bytes of a record's header, and of a line where a header is looked for.
const HEADER: usize = 1 << 16;

/// What the first line of a record begins with: versions 1.0 and 1.1, and the drafts that Heritrix wrote.
const VERSIONS: [&[u8]; 3] = [b"WARC/1.", b"WARC/0.17", b"WARC/0.18"];

/// A record whose block is wanted.
pub(super) struct Record {
    pub(super) offset: u64,
    headers: Vec<(String, String)>,
    pub(super) block: Vec<u8>,
}

/// Why there is no record.
pub(super) enum Failure {
    /// A record that is damaged or too long.
    Record(u64, Cause),
    /// A stream that breaks off, or whose current member does.
    Stream(u64, io::Error),
}

impl Record {
    /// The value of a header by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Whether its block should be an HTTP message: a crawler also keeps what DNS and FTP servers respond.
    pub(super) fn is_http(&self) -> bool {
        is_http(&self.headers)
    }
}

fn is_http(headers: &[(String, String)]) -> bool {
    let media = find(headers, "content-type").map(|value| value.split(';').next().unwrap_or_default().trim());
    media.is_none_or(|media| media.is_empty() || ["application/http", "message/http"].iter().any(|http| media.eq_ignore_ascii_case(http)))
}

/// Whether a line is the first of a record.
fn begins_record(line: &[u8]) -> bool {
    VERSIONS.iter().any(|version| line.starts_with(version))
}

pub(super) fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Name and value of a header line, the name in lower case.
pub(super) fn header_line(line: &[u8]) -> Option<(String, String)> {
    let line = String::from_utf8_lossy(line);
    let (name, value) = line.split_once(':')?;
    Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

/// Reads records, one failure for each damaged place.
pub(super) struct Records {
    input: Input,
    limit: usize,
    /// Whether what comes next may be the rest of something damaged, which was reported.
    lost: bool,
    ended: bool,
}

impl Records {
    pub(super) fn new(input: Input, limit: usize) -> Self {
        Self { input, limit, lost: false, ended: false }
    }

    /// The next response or conversion, None at the end.
    pub(super) fn next(&mut self) -> Option<Result<Record, Failure>> {
        while !self.ended {
            let record = self.record();
            if let Err(failure) = &record {
                self.lost = true;
                self.ended |= matches!(failure, Failure::Stream(..)) && !self.input.recovers;
            }
            match record {
                Ok(Some(record)) => return Some(Ok(record)),
                Ok(None) => {}
                Err(failure) => return Some(Err(failure)),
            }
        }
        None
    }

    /// One record; None for one that is not wanted, and at the end.
    fn record(&mut self) -> Result<Option<Record>, Failure> {
        let Some(offset) = self.find_start()? else {
            self.ended = true;
            return Ok(None);
        };
        let malformed = |detail: &str| Failure::Record(offset, Cause::Malformed(detail.to_owned()));
        let headers = self.headers(offset)?;
        let length = find(&headers, "content-length").and_then(|length| length.parse::<u64>().ok());
        let Some(length) = length else { return Err(malformed("a record without a Content-Length")) };
        let kind = find(&headers, "warc-type");
        let wanted = matches!(kind, Some("response" | "conversion"));
        // What is surely no page may be as long as it likes.
        let is_page = kind == Some("conversion") || wanted && is_http(&headers);
        // The block of a response has an HTTP header before the page.
        let fits = length <= (self.limit as u64).saturating_add(HEADER as u64);
        if !wanted || !fits {
            if !self.pass_over(length)? {
                return Err(malformed("Content-Length goes beyond the record"));
            }
            return if is_page { Err(Failure::Record(offset, Cause::TooLong { limit: self.limit as u64 })) } else { Ok(None) };
        }
        let mut block = Vec::new();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.input.take(&mut block, length).map_err(|error| Failure::Stream(self.input.offset(), error))?;
        let mut starts = memmem::find_iter(&block, b"\nWARC/").filter(|at| begins_record(&block[at + 1..]));
        if let Some(at) = starts.find(|at| block[..*at].ends_with(b"\n\r") || block.len() < length) {
            self.input.give_back(&block[at + 1..]);
            return Err(malformed("Content-Length goes beyond the record"));
        }
        // After the block come two line ends and the next record. An error there is the next one's.
        let ends_well = block.len() == length && self.input.peek().map_or(true, |next| matches!(next.first(), None | Some(b'\r' | b'\n')));
        if !ends_well {
            return Err(malformed("Content-Length is not the record's length"));
        }
        Ok(Some(Record { offset, headers, block }))
    }

    /// Goes to the next record and passes over its first line. What is no record and was not
    /// reported is a failure.
    fn find_start(&mut self) -> Result<Option<u64>, Failure> {
        let (mut line, mut strange, mut begins) = (Vec::new(), None, true);
        loop {
            line.clear();
            let at = self.input.offset();
            let length = self.input.line(&mut line, HEADER).map_err(|error| Failure::Stream(at, error))?;
            let starts = begins && begins_record(&line);
            if let (Some(strange), true) = (strange, starts || length == 0) {
                self.input.give_back(&line);
                return Err(Failure::Record(strange, Cause::Malformed("bytes that belong to no record".to_owned())));
            }
            if length == 0 {
                return Ok(None);
            }
            if starts {
                self.lost = false;
                return Ok(Some(at));
            }
            if !self.lost && strange.is_none() && !line.trim_ascii().is_empty() {
                strange = Some(at);
            }
            begins = line.ends_with(b"\n");
        }
    }

    fn headers(&mut self, offset: u64) -> Result<Vec<(String, String)>, Failure> {
        let (mut headers, mut line, mut size) = (Vec::<(String, String)>::new(), Vec::new(), 0);
        loop {
            line.clear();
            let length = self.input.line(&mut line, HEADER).map_err(|error| Failure::Stream(offset, error))?;
            size += length;
            if begins_record(&line) {
                self.input.give_back(&line);
            }
            if length == 0 || size > HEADER || begins_record(&line) {
                return Err(Failure::Record(offset, Cause::Malformed("a header that does not end".to_owned())));
            }
            if line.trim_ascii().is_empty() {
                return Ok(headers);
            }
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                if let Some((_, value)) = headers.last_mut() {
                    value.push(' ');
                    value.push_str(String::from_utf8_lossy(&line).trim());
                }
                continue;
            }
            headers.extend(header_line(&line));
        }
    }

    /// Passes over a block; false where another record begins inside it, or the stream ends.
    fn pass_over(&mut self, length: u64) -> Result<bool, Failure> {
        let (mut line, mut left, mut begins) = (Vec::new(), length, false);
        while left > 0 {
            line.clear();
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(HEADER);
            let taken = self.input.line(&mut line, most).map_err(|error| Failure::Stream(self.input.offset(), error))?;
            if begins && begins_record(&line) && line.trim_ascii().len() <= 10 {
                self.input.give_back(&line);
                return Ok(false);
            }
            if taken == 0 {
                return Ok(false);
            }
            begins = line.ends_with(b"\n");
            left -= taken as u64;
        }
        Ok(true)
    }
}
