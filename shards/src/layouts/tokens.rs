//! The raw tokens of a foreign file, one after another.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::{ForeignDocument, MAX_DOCUMENT_TOKENS};
use crate::error::{Error, Result};

/// Tokens read at a time.
const STEP: u64 = 1 << 16;

/// The type of a number, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    I64,
}

impl Number {
    /// The unsigned one of 2 or 4 bytes.
    pub(super) fn of_width(bytes: u32) -> Self {
        if bytes == 2 { Self::U16 } else { Self::U32 }
    }

    pub(super) fn width(self) -> u64 {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 => 4,
            Self::I64 => 8,
        }
    }

    fn signed(self) -> bool {
        matches!(self, Self::I8 | Self::I16 | Self::I32 | Self::I64)
    }

    /// The number in as many bytes as it has.
    fn read(self, bytes: &[u8]) -> i64 {
        let fill = if self.signed() && bytes.last().is_some_and(|&last| last >= 0x80) { 0xff } else { 0 };
        let mut wide = [fill; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        i64::from_le_bytes(wide)
    }
}

/// A file of tokens behind a header of known length.
#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    reader: BufReader<File>,
    number: Number,
    /// Where the first token stands.
    start: u64,
    vocab_size: u32,
    tokens: u64,
    read: u64,
    bytes: Vec<u8>,
}

impl TokenFile {
    pub(super) fn open(path: &Path, number: Number, start: u64, vocab_size: u32) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("inspect", path))?.len();
        let body =
            length.checked_sub(start).ok_or_else(|| Error::corrupt(path, length, format!("a header of {start} bytes is cut off")))?;
        if body % number.width() != 0 {
            let detail = format!("{body} bytes of tokens are no multiple of the {} of a token", number.width());
            return Err(Error::corrupt(path, length - body % number.width(), detail));
        }
        if start > 0 {
            use std::io::Seek;
            file.seek(std::io::SeekFrom::Start(start)).map_err(Error::io("read", path))?;
        }
        let reader = BufReader::with_capacity(1 << 18, file);
        Ok(Self { path: path.to_path_buf(), reader, number, start, vocab_size, tokens: body / number.width(), read: 0, bytes: Vec::new() })
    }

    /// Tokens in the file.
    pub(super) fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Tokens that are not read yet.
    pub(super) fn left(&self) -> u64 {
        self.tokens - self.read
    }

    /// An error at the next token.
    pub(super) fn fault(&self, detail: impl Into<String>) -> Error {
        Error::corrupt(&self.path, self.start + self.read * self.number.width(), detail)
    }

    /// Appends the next `count` tokens.
    pub(super) fn read(&mut self, count: u64, out: &mut Vec<u32>) -> Result<()> {
        if count > self.left() {
            return Err(self.fault(format!("a document of {count} tokens, where {} are left in the file", self.left())));
        }
        if out.len() as u64 + count > MAX_DOCUMENT_TOKENS {
            return Err(self.fault(format!("a document of more than {MAX_DOCUMENT_TOKENS} tokens")));
        }
        let mut left = count;
        while left > 0 {
            let step = left.min(STEP);
            self.step(step, out)?;
            left -= step;
        }
        Ok(())
    }

    /// Appends the next tokens, which are in the file and not more than [`STEP`].
    fn step(&mut self, count: u64, out: &mut Vec<u32>) -> Result<()> {
        let width = self.number.width() as usize;
        self.bytes.resize(count as usize * width, 0);
        self.reader.read_exact(&mut self.bytes).map_err(Error::io("read", &self.path))?;
        for bytes in self.bytes.chunks_exact(width) {
            let id = self.number.read(bytes);
            match u32::try_from(id) {
                Ok(id) if id < self.vocab_size => out.push(id),
                _ => return Err(self.fault(format!("token {id} in a vocabulary of {}", self.vocab_size))),
            }
            self.read += 1;
        }
        Ok(())
    }

    /// The rest of the file as documents that an end token follows. With `before`, where the file begins
    /// with one, they are the documents that it goes before.
    pub(super) fn delimited(mut self, eos: u32, before: bool, visit: &mut dyn FnMut(ForeignDocument<'_>) -> Result<()>) -> Result<()> {
        let mut document: Vec<u32> = Vec::new();
        let mut step = Vec::new();
        let mut first = true;
        let mut leading = false;
        while self.left() > 0 {
            step.clear();
            self.step(self.left().min(STEP), &mut step)?;
            for part in step.split_inclusive(|&id| id == eos) {
                let (part, ended) = match part.split_last() {
                    Some((&last, rest)) if last == eos => (rest, true),
                    _ => (part, false),
                };
                if document.len() + part.len() > MAX_DOCUMENT_TOKENS as usize {
                    return Err(self.fault(format!("more than {MAX_DOCUMENT_TOKENS} tokens without the end token {eos}")));
                }
                document.extend_from_slice(part);
                if ended {
                    // An end token at the very beginning opens the first document, as each one does then.
                    leading |= before && first && document.is_empty();
                    if !(first && leading) {
                        visit(ForeignDocument { id: None, tokens: &document, spans: None, ended: true, content_hash: None })?;
                    }
                    document.clear();
                    first = false;
                }
            }
        }
        // Behind a leading end token stands the last document; behind a trailing one nothing.
        if leading || !document.is_empty() {
            visit(ForeignDocument { id: None, tokens: &document, spans: None, ended: leading, content_hash: None })?;
        }
        Ok(())
    }
}

/// Splits the end token off a document; whether there was one.
pub(super) fn without_end(tokens: &[u32], eos: u32) -> (&[u32], bool) {
    match tokens.split_last() {
        Some((&last, rest)) if last == eos => (rest, true),
        _ => (tokens, false),
    }
}
