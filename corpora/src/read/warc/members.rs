//! A gzip file of members as one stream, which goes on after a damaged member, and after what is no member, with the next one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;

use crate::error::{Error, Result};

const BUFFER: usize = 1 << 17;

/// Opens a gzip file. A damaged member is one error of the stream, as are bytes between members that are not zero, and
/// reading it on continues with the next thing that looks like a member.
pub(super) fn open(path: &Path) -> Result<Box<dyn BufRead + Send>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let file = Counted { file: BufReader::with_capacity(BUFFER, file), at: 0 };
    Ok(Box::new(BufReader::with_capacity(BUFFER, Members { state: State::Between { file, is_known: false }, start: 0 })))
}

struct Members {
    state: State,
    /// Where the current member begins.
    start: u64,
}

enum State {
    /// Before a member. Whether what lies there belongs to damage that was reported.
    Between {
        file: Counted,
        is_known: bool,
    },
    In(Box<GzDecoder<Counted>>),
    Ended,
}

impl Read for Members {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(0),
                State::Between { mut file, is_known } => {
                    let found = file.find_member();
                    let at = file.at;
                    if let (Ok(Between { strange: Some(first), .. }), false) = (&found, is_known) {
                        let detail =
                            format!("{} bytes from byte {first} of the file on are no gzip member, and its record is lost", at - first);
                        self.state = State::Between { file, is_known: true };
                        return Err(io::Error::new(io::ErrorKind::InvalidData, detail));
                    }
                    if found?.is_end {
                        return Ok(0);
                    }
                    self.start = at;
                    self.state = State::In(Box::new(GzDecoder::new(file)));
                }
                State::In(mut decoder) => match decoder.read(out) {
                    Ok(0) if !out.is_empty() => self.state = State::Between { file: decoder.into_inner(), is_known: false },
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
                        self.state = State::Between { file, is_known: true };
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

/// What lies before the next member.
struct Between {
    /// Offset of the first byte that is not zero, which some programs fill blocks with.
    strange: Option<u64>,
    /// Whether there is no member any more.
    is_end: bool,
}

impl Counted {
    /// Passes over what is no beginning of a member.
    fn find_member(&mut self) -> io::Result<Between> {
        let mut strange = None;
        loop {
            let at = self.at;
            let bytes = self.file.fill_buf()?;
            if bytes.is_empty() {
                return Ok(Between { strange, is_end: true });
            }
            let found = memchr::memchr(0x1f, bytes);
            let before = found.unwrap_or(bytes.len());
            // At the end of the buffer the first byte has to do.
            let is_member = found.is_some() && bytes[before..].iter().zip([0x1f, 0x8b, 0x08]).all(|(byte, magic)| *byte == magic);
            let passed = if found.is_some() && !is_member { before + 1 } else { before };
            let first = bytes[..passed].iter().position(|byte| *byte != 0);
            strange = strange.or(first.map(|first| at + first as u64));
            self.consume(passed);
            if is_member {
                return Ok(Between { strange, is_end: false });
            }
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
