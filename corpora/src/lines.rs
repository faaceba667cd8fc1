//! Lines of a stream with their byte offsets, never holding more of one than a limit.

use std::io::{self, BufRead};

/// Splits a stream at `\n`.
pub(crate) struct Lines {
    reader: Box<dyn BufRead + Send>,
    /// Offset in the stream of the next byte to read.
    offset: u64,
    /// Lines that start here or later are another slice's.
    end: u64,
    limit: usize,
    buffer: Vec<u8>,
}

/// One line.
pub(crate) enum Line<'a> {
    /// Its offset and its bytes without the line ending (`\n` or `\r\n`).
    Whole(u64, &'a [u8]),
    /// The offset of a line longer than the limit, which was passed over.
    TooLong(u64),
}

impl Lines {
    /// All lines of a stream; a byte order mark at its beginning is passed over.
    pub(crate) fn whole(reader: Box<dyn BufRead + Send>, limit: usize) -> Self {
        Self { reader, offset: 0, end: u64::MAX, limit, buffer: Vec::new() }
    }

    /// The lines that start in `start..end`, from a reader that stands at `start - 1` (at 0 for
    /// `start` 0): only the byte before tells whether a line starts at `start`.
    pub(crate) fn ranged(reader: Box<dyn BufRead + Send>, start: u64, end: u64, limit: usize) -> io::Result<Self> {
        let mut lines = Self { reader, offset: start.saturating_sub(1), end, limit, buffer: Vec::new() };
        if start > 0 {
            lines.pass_over()?;
        }
        Ok(lines)
    }

    /// Offset of the next byte, which is where a stream that fails breaks off.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next line, None after the last.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let start = self.offset;
        if start >= self.end {
            return Ok(None);
        }
        // A line of exactly the limit may still have its ending and, the first one, its mark.
        let most = self.limit.saturating_add(if start == 0 { 5 } else { 2 });
        let ended = loop {
            let bytes = match self.reader.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if bytes.is_empty() {
                break true;
            }
            let newline = memchr::memchr(b'\n', bytes);
            let taken = newline.map_or(bytes.len(), |at| at + 1);
            if self.buffer.len() + taken > most {
                self.buffer.clear();
                break false;
            }
            self.buffer.extend_from_slice(&bytes[..taken]);
            self.reader.consume(taken);
            self.offset += taken as u64;
            if newline.is_some() {
                break true;
            }
        };
        if !ended {
            self.pass_over()?;
            return Ok(Some(Line::TooLong(start)));
        }
        if self.offset == start {
            return Ok(None);
        }
        let mut line = self.buffer.as_slice();
        if start == 0 {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        line = line.strip_suffix(b"\n").unwrap_or(line);
        line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(Some(if line.len() > self.limit { Line::TooLong(start) } else { Line::Whole(start, line) }))
    }

    /// Reads to the end of the current line, or to where no line of this range can start.
    fn pass_over(&mut self) -> io::Result<()> {
        while self.offset < self.end {
            let bytes = match self.reader.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if bytes.is_empty() {
                break;
            }
            let newline = memchr::memchr(b'\n', bytes);
            let taken = newline.map_or(bytes.len(), |at| at + 1);
            self.reader.consume(taken);
            self.offset += taken as u64;
            if newline.is_some() {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(mut lines: Lines) -> Vec<(u64, Option<String>)> {
        let mut out = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            out.push(match line {
                Line::Whole(at, bytes) => (at, Some(String::from_utf8(bytes.to_vec()).unwrap())),
                Line::TooLong(at) => (at, None),
            });
        }
        out
    }

    fn reader(bytes: &'static [u8]) -> Box<dyn BufRead + Send> {
        // Three bytes at a time, so that lines cross buffers.
        Box::new(io::BufReader::with_capacity(3, bytes))
    }

    fn some(at: u64, text: &str) -> (u64, Option<String>) {
        (at, Some(text.to_owned()))
    }

    #[test]
    fn endings_blank_lines_and_the_byte_order_mark() {
        let all = lines(Lines::whole(reader(b"\xef\xbb\xbfab\r\n\ncd\n\r\nlast"), 9));
        assert_eq!(all, [some(0, "ab"), some(7, ""), some(8, "cd"), some(11, ""), some(13, "last")]);
        assert_eq!(lines(Lines::whole(reader(b""), 9)), []);
    }

    #[test]
    fn a_line_at_the_limit_passes_and_one_beyond_is_passed_over() {
        assert_eq!(
            lines(Lines::whole(reader(b"abcd\nabcde\nabcd\r\nx"), 4)),
            [some(0, "abcd"), (5, None), some(11, "abcd"), some(17, "x")]
        );
        assert_eq!(lines(Lines::whole(reader(b"\xef\xbb\xbfabcd\r\nabcdefgh"), 4)), [some(0, "abcd"), (9, None)]);
    }

    #[test]
    fn each_line_belongs_to_the_range_that_it_starts_in() {
        let bytes = b"aa\nbbbb\nc\n";
        let range = |start: u64, end| {
            let rest = &bytes[usize::try_from(start.saturating_sub(1)).unwrap()..];
            lines(Lines::ranged(reader(rest), start, end, 9).unwrap())
        };
        assert_eq!(range(0, 1), [some(0, "aa")]);
        assert_eq!(range(1, 3), []);
        assert_eq!(range(3, 4), [some(3, "bbbb")]);
        assert_eq!(range(4, 10), [some(8, "c")]);
        assert_eq!(range(2, 9), [some(3, "bbbb"), some(8, "c")]);
    }
}
