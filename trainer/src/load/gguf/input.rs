//! The bytes of a GGUF header, one value after another.

use std::io::{BufReader, Read};

use crate::error::{Error, Result};
use crate::load::file::WeightFile;

/// Longest name of a key or tensor, and longest text that is kept as a value, in bytes.
const MAX_NAME: u64 = 1 << 10;
/// How deep arrays may lie in arrays.
const MAX_DEPTH: u32 = 4;

/// A value of a key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Count(u64),
    Float(f64),
    Flag(bool),
    Text(String),
    /// Negative, an array or a long text: none of these is needed.
    Other,
}

/// The header being read.
pub(super) struct Input<'a> {
    pub(super) file: &'a WeightFile,
    reader: BufReader<&'a std::fs::File>,
    /// Bytes read.
    pub(super) at: u64,
}

impl<'a> Input<'a> {
    pub(super) fn new(file: &'a WeightFile) -> Result<Self> {
        Ok(Self { file, reader: BufReader::new(file.reader(0)?), at: 0 })
    }

    fn left(&self) -> u64 {
        self.file.length() - self.at
    }

    /// Accounts for `size` bytes that are about to be read.
    fn take(&mut self, size: u64) -> Result<()> {
        if size > self.left() {
            return self.file.refuse(format!("its header asks for {size} bytes at {}, where {} are left", self.at, self.left()));
        }
        self.at += size;
        Ok(())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N as u64)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(Error::io("read", self.file.path()))?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A number of things that take at least `least` bytes each.
    pub(super) fn count(&mut self, what: &str, least: u64) -> Result<u64> {
        let count = self.u64()?;
        if count > self.left() / least {
            return self.file.refuse(format!("its header tells of {count} {what}, for which it is too short"));
        }
        Ok(count)
    }

    /// A text up to `MAX_NAME` bytes; none, and passed over, where it is longer or no UTF-8.
    fn text(&mut self) -> Result<Option<String>> {
        let length = self.u64()?;
        if length > MAX_NAME {
            self.skip(length)?;
            return Ok(None);
        }
        self.take(length)?;
        let mut bytes = vec![0; length as usize];
        self.reader.read_exact(&mut bytes).map_err(Error::io("read", self.file.path()))?;
        Ok(String::from_utf8(bytes).ok())
    }

    pub(super) fn name(&mut self) -> Result<String> {
        let at = self.at;
        self.text()?.map_or_else(|| self.file.refuse(format!("its header has a name at {at} that is too long or no UTF-8")), Ok)
    }

    /// A text of any length, which the file holds.
    pub(super) fn long_text(&mut self) -> Result<String> {
        let (at, length) = (self.at, self.u64()?);
        self.take(length)?;
        let mut bytes = vec![0; length as usize];
        self.reader.read_exact(&mut bytes).map_err(Error::io("read", self.file.path()))?;
        String::from_utf8(bytes).or_else(|_| self.file.refuse(format!("its header has a text at {at} that is no UTF-8")))
    }

    /// An array of texts, behind its type's number.
    pub(super) fn texts(&mut self) -> Result<Vec<String>> {
        match self.u32()? {
            8 => (0..self.count("texts", 8)?).map(|_| self.long_text()).collect(),
            other => self.file.refuse(format!("its header has an array of type {other} at {}, not of texts", self.at)),
        }
    }

    /// An array of 32-bit integers, behind its type's number.
    pub(super) fn integers(&mut self) -> Result<Vec<u32>> {
        match self.u32()? {
            4 | 5 => (0..self.count("values", 4)?).map(|_| self.u32()).collect(),
            other => self.file.refuse(format!("its header has an array of type {other} at {}, not of integers", self.at)),
        }
    }

    fn skip(&mut self, size: u64) -> Result<()> {
        self.take(size)?;
        let mut left = size;
        while left > 0 {
            let step = left.min(1 << 30) as i64;
            self.reader.seek_relative(step).map_err(Error::io("seek in", self.file.path()))?;
            left -= step as u64;
        }
        Ok(())
    }

    pub(super) fn value(&mut self, kind: u32, depth: u32) -> Result<Value> {
        let signed = |value: i64| u64::try_from(value).map_or(Value::Other, Value::Count);
        Ok(match kind {
            0 => Value::Count(u8::from_le_bytes(self.array()?).into()),
            1 => signed(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Count(u16::from_le_bytes(self.array()?).into()),
            3 => signed(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Count(self.u32()?.into()),
            5 => signed(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(written(f32::from_le_bytes(self.array()?))),
            7 => Value::Flag(self.array::<1>()? != [0]),
            8 => self.text()?.map_or(Value::Other, Value::Text),
            9 => {
                self.pass_array(depth)?;
                Value::Other
            }
            10 => Value::Count(self.u64()?),
            11 => signed(i64::from_le_bytes(self.array()?)),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            other => return self.file.refuse(format!("its header has a value of type {other} at {}", self.at)),
        })
    }

    fn pass_array(&mut self, depth: u32) -> Result<()> {
        let kind = self.u32()?;
        let size = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            8 => {
                for _ in 0..self.count("texts", 8)? {
                    let length = self.u64()?;
                    self.skip(length)?;
                }
                return Ok(());
            }
            9 if depth < MAX_DEPTH => {
                for _ in 0..self.count("arrays", 4 + 8)? {
                    self.pass_array(depth + 1)?;
                }
                return Ok(());
            }
            other => return self.file.refuse(format!("its header has an array of type {other} at {}", self.at)),
        };
        let count = self.count("values", size)?;
        self.skip(count * size)
    }
}

/// A 32-bit float as it is written: 1e-6 and not 9.999999974752427e-7, which it is in 64 bits.
fn written(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(value.into())
}
