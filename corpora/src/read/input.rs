//! A stream with its offset, whose bytes can be given back.

use std::io::{self, BufRead};

pub(super) struct Input {
    reader: Box<dyn BufRead + Send>,
    /// Bytes given back, to be read again from `next` on.
    returned: Vec<u8>,
    next: usize,
    offset: u64,
    /// Whether the stream can be read on after an error.
    pub(super) recovers: bool,
}

impl Input {
    pub(super) fn new(reader: Box<dyn BufRead + Send>) -> Self {
        Self { reader, returned: Vec::new(), next: 0, offset: 0, recovers: false }
    }

    /// An input whose stream goes on after damage.
    pub(super) fn recovering(reader: Box<dyn BufRead + Send>) -> Self {
        Self { recovers: true, ..Self::new(reader) }
    }

    /// Offset of the next byte.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Some of the next bytes; none at the end.
    pub(super) fn peek(&mut self) -> io::Result<&[u8]> {
        if self.next < self.returned.len() {
            return Ok(&self.returned[self.next..]);
        }
        while let Err(error) = self.reader.fill_buf() {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        self.reader.fill_buf()
    }

    pub(super) fn consume(&mut self, length: usize) {
        self.offset += length as u64;
        if self.next < self.returned.len() {
            self.next += length;
        } else {
            self.reader.consume(length);
        }
    }

    /// Gives back the bytes that were read last.
    pub(super) fn give_back(&mut self, bytes: &[u8]) {
        let rest = self.returned.split_off(self.next.min(self.returned.len()));
        self.returned = [bytes, &rest].concat();
        self.next = 0;
        self.offset -= bytes.len() as u64;
    }

    /// Appends bytes up to a line end, or `most` of them; how many, 0 at the end.
    pub(super) fn line(&mut self, out: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        self.until(b'\n', out, most)
    }

    /// Appends bytes up to a delimiter, or `most` of them; how many, 0 at the end.
    pub(super) fn until(&mut self, delimiter: u8, out: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let mut taken = 0;
        while taken < most {
            let bytes = self.peek()?;
            if bytes.is_empty() {
                break;
            }
            let bytes = &bytes[..bytes.len().min(most - taken)];
            let found = memchr::memchr(delimiter, bytes);
            let length = found.map_or(bytes.len(), |at| at + 1);
            out.extend_from_slice(&bytes[..length]);
            self.consume(length);
            taken += length;
            if found.is_some() {
                break;
            }
        }
        Ok(taken)
    }

    /// Appends up to `length` bytes; fewer only at the end.
    pub(super) fn take(&mut self, out: &mut Vec<u8>, length: usize) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            let bytes = self.peek()?;
            if bytes.is_empty() {
                break;
            }
            let some = bytes.len().min(left);
            out.extend_from_slice(&bytes[..some]);
            self.consume(some);
            left -= some;
        }
        Ok(())
    }
}
