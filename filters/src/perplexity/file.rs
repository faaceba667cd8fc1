//! The model's file.
//!
//! ```text
//! magic "MALMOILM" 8 · version u32 · order u32 · prune u32 · characters of the alphabet u32 ·
//! texts u64 · characters learnt from u64 · runs of each order, five times u64          header, 80 bytes
//! the alphabet's characters u32, from symbol 2 on
//! for each order the runs, ascending: difference to the one before LEB128 · probability u16 · backoff u16
//! xxh3 of all of it up to here u64
//! ```
//! Little endian.

use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::alphabet::{Alphabet, MOST};
use super::count::{LONGEST, mask};
use super::model::{Entry, LanguageModel, Origin};
use crate::ModelError;
use crate::sealed::{self, SEAL};

const MAGIC: &[u8; 8] = b"MALMOILM";
const VERSION: u32 = 1;
const HEADER: usize = 80;
/// Largest file that is read.
const MOST_BYTES: u64 = 4 << 30;

impl LanguageModel {
    /// Writes the file: temporary file, fsync, rename.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        let mut bytes = Vec::new();
        bytes.extend(MAGIC);
        for number in [VERSION, self.order, self.origin.prune, self.alphabet.chars.len() as u32] {
            bytes.extend(number.to_le_bytes());
        }
        let counts = (0..LONGEST as usize).map(|at| self.keys.get(at).map_or(0, Vec::len) as u64);
        for number in [self.origin.texts, self.origin.characters].into_iter().chain(counts) {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.alphabet.chars.iter().flat_map(|c| u32::from(*c).to_le_bytes()));
        for (order, keys) in (1..).zip(&self.keys) {
            let mut before = 0;
            for key in keys {
                let entry = self.entry(*key, order).unwrap_or(Entry { probability: u16::MAX, backoff: 0 });
                push_number(&mut bytes, key - before);
                bytes.extend(entry.probability.to_le_bytes());
                bytes.extend(entry.backoff.to_le_bytes());
                before = *key;
            }
        }
        sealed::write(path, bytes)
    }

    /// Reads a file; nothing in it is believed before its checksum is right.
    ///
    /// # Errors
    /// If it cannot be read, is no model, is damaged, or is of another version.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        Self::parse(&sealed::read(path, MOST_BYTES)?).map_err(|detail| ModelError::Format { path: path.to_path_buf(), detail })
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.get(..8) != Some(MAGIC) {
            return Err("no model of `malmoi filters train-lm`: the magic number is wrong".to_owned());
        }
        let Some((body, seal)) = bytes.split_last_chunk::<SEAL>().filter(|(body, _)| body.len() >= HEADER) else {
            return Err("is cut off".to_owned());
        };
        let mut at = Reader(&body[8..]);
        let version = at.u32()?;
        if version != VERSION {
            return Err(format!("version {version} of the file, this program knows {VERSION}: train the model again"));
        }
        if xxh3_64(body) != u64::from_le_bytes(*seal) {
            return Err("is damaged (checksum), or cut off".to_owned());
        }
        let (order, prune, chars) = (at.u32()?, at.u32()?, at.u32()? as usize);
        if !(2..=LONGEST).contains(&order) || chars > MOST - 2 {
            return Err(format!("runs of {order} of {chars} characters are impossible"));
        }
        let (texts, characters) = (at.u64()?, at.u64()?);
        let mut counts = [0_u64; LONGEST as usize];
        for count in &mut counts {
            *count = at.u64()?;
        }
        let char = |code| char::from_u32(code).ok_or_else(|| format!("{code:#x} is no character"));
        let chars = (0..chars).map(|_| char(at.u32()?)).collect::<Result<Vec<_>, String>>()?;
        let mut model = Self::new(order, Alphabet::of(chars), Origin { prune, texts, characters });
        for (order, count) in (1..=order).zip(counts) {
            // A run takes five bytes at least.
            if count > (at.0.len() / 5) as u64 {
                return Err(format!("has not room for {count} runs"));
            }
            let mut entries = Vec::with_capacity(count as usize);
            let mut key = 0_u64;
            for number in 0..count {
                let step = at.number()?;
                key =
                    key.checked_add(step).filter(|key| *key <= mask(order) && (step > 0 || number == 0)).ok_or("runs are not in order")?;
                entries.push((key, Entry { probability: at.u16()?, backoff: at.u16()? }));
            }
            model.add(order, &entries);
        }
        if !at.0.is_empty() || model.keys[0].len() != model.alphabet.len() {
            return Err("has more or fewer runs than it says".to_owned());
        }
        Ok(model)
    }
}

/// Writes seven bits a byte, the lowest first; the highest bit says that more follow.
fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// What is left of a file.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or("ends too early")?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u16(&mut self) -> Result<u16, String> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.take().map(u64::from_le_bytes)
    }

    fn number(&mut self) -> Result<u64, String> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let [byte] = self.take()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("a number is too long".to_owned())
    }
}
