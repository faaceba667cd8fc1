//! A gzip file of members as one stream, which goes on after a damaged member with the next one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;

use crate::error::{Error, Result};

const BUFFER: usize = 1 << 17;

/// Opens a gzip file. A damaged member is one error of the stream, and reading it on continues
/// with the next thing that looks like a member.
pub(super) fn open(path: &Path) -> Result<Box<dyn BufRead + Send>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let file = Counted { file: BufReader::with_capacity(BUFFER, file), at: 0 };
    Ok(Box::new(BufReader::with_capacity(BUFFER, Members { state: State::Between(file), start: 0 })))
}

struct Members {
    state: State,
    /// Where the current member begins.
    start: u64,
}

enum State {
    Between(Counted),
    In(Box<GzDecoder<Counted>>),
    Ended,
}

impl Read for Members {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(0),
                State::Between(mut file) => {
                    if !file.find_member()? {
                        return Ok(0);
                    }
                    self.start = file.at;
                    self.state = State::In(Box::new(GzDecoder::new(file)));
                }
                State::In(mut decoder) => match decoder.read(out) {
                    Ok(0) if !out.is_empty() => self.state = State::Between(decoder.into_inner()),
                    Ok(length) => {
                        self.state = State::In(decoder);
                        return Ok(length);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => self.state = State::In(decoder),
                    Err(error) => {
                        let mut file = decoder.into_inner();
                        if file.at == self.start {
                            file.consume(1);
                        }
                        self.state = State::Between(file);
                        return Err(error);
                    }
                },
            }
        }
    }
}

/// A file that knows how far it has been read.
struct Counted {
    file: BufReader<File>,
    at: u64,
}

impl Counted {
    /// Passes over what is no beginning of a member; false at the end of the file.
    fn find_member(&mut self) -> io::Result<bool> {
        loop {
            let bytes = self.file.fill_buf()?;
            if bytes.is_empty() {
                return Ok(false);
            }
            let found = memchr::memchr(0x1f, bytes);
            let Some(found) = found else {
                let length = bytes.len();
                self.consume(length);
                continue;
            };
            // At the end of the buffer the first byte has to do.
            if bytes[found..].iter().zip([0x1f, 0x8b, 0x08]).all(|(byte, magic)| *byte == magic) {
                self.consume(found);
                return Ok(true);
            }
            self.consume(found + 1);
        }
    }
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(out)?;
        self.at += length as u64;
        Ok(length)
    }
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.file.fill_buf()
    }

    fn consume(&mut self, length: usize) {
        self.file.consume(length);
        self.at += length as u64;
    }
}
