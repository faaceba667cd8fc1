//! Megatron-LM's `IndexedDataset` (`megatron/core/datasets/indexed_dataset.py`), as GPT-NeoX has it too.
//!
//! `.bin` is the tokens. `.idx`, little-endian and nowhere aligned: `MMIDIDX\0\0`, u64 version 1, u8 type
//! of a token, u64 sequences S, u64 documents + 1; then i32 length of each sequence, i64 byte in `.bin`
//! where it starts, i64 first sequence of each document and at the end S.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::files::{NewFile, appended, exported, write_tokens};
use super::tokens::{Number, TokenFile, without_end};
use super::{Foreign, ForeignDocument, ForeignOptions};
use crate::error::{Error, Result};
use crate::reader::ShardReader;

const MAGIC: [u8; 9] = *b"MMIDIDX\0\0";
const HEADER: u64 = 34;
/// `DType.optimal_dtype`: smaller vocabularies are written in 16 bits.
const SHORT_VOCAB: u32 = 65_500;

pub(super) fn read(foreign: &Foreign, path: &Path, visit: &mut dyn FnMut(ForeignDocument<'_>) -> Result<()>) -> Result<()> {
    let mut index = Index::open(&path.with_extension("idx"))?;
    let mut file = TokenFile::open(&path.with_extension("bin"), index.number, 0, foreign.vocab_size)?;
    let mut tokens = Vec::new();
    let (mut sequence, mut place) = (0u64, 0u64);
    if index.borders.next()? != 0 {
        return Err(index.borders.fault("the first document does not begin with sequence 0"));
    }
    for document in 1..index.documents_and_one {
        let end = index.borders.next()?;
        let Some(end) = u64::try_from(end).ok().filter(|&end| end >= sequence && end <= index.sequences) else {
            return Err(index.borders.fault(format!("document {document} ends with sequence {end} of {}", index.sequences)));
        };
        tokens.clear();
        for number in sequence..end {
            let start = index.pointers.next()?;
            if start != place as i64 {
                return Err(index.pointers.fault(format!("sequence {number} starts at byte {start}, the one before it ends at {place}")));
            }
            let length = index.lengths.next()?;
            let Ok(length) = u64::try_from(length) else {
                return Err(index.lengths.fault(format!("sequence {number} has {length} tokens")));
            };
            file.read(length, &mut tokens)?;
            place += length * index.number.width();
        }
        sequence = end;
        let (tokens, ended) = without_end(&tokens, foreign.eos);
        visit(ForeignDocument { id: None, tokens, spans: None, ended, content_hash: None })?;
    }
    if sequence != index.sequences {
        return Err(index.borders.fault(format!("the documents end with sequence {sequence} of {}", index.sequences)));
    }
    if file.left() > 0 {
        return Err(file.fault(format!("{} tokens that the index does not know", file.left())));
    }
    Ok(())
}

/// The three arrays of an index, read side by side.
struct Index {
    number: Number,
    sequences: u64,
    documents_and_one: u64,
    lengths: Array,
    pointers: Array,
    borders: Array,
}

impl Index {
    fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("inspect", path))?.len();
        let mut header = [0; HEADER as usize];
        let format = |detail: String| Err(Error::Format { path: path.to_path_buf(), detail });
        if length < HEADER {
            return format(format!("not an index of Megatron-LM: {length} bytes, its header alone has {HEADER}"));
        }
        file.read_exact(&mut header).map_err(Error::io("read", path))?;
        if header[..9] != MAGIC {
            return format("not an index of Megatron-LM (it does not begin with `MMIDIDX`)".to_owned());
        }
        let u64_at = |at: usize| crate::header::u64_at(&header, at);
        if u64_at(9) != 1 {
            return Err(Error::corrupt(path, 9, format!("version {}, known is 1", u64_at(9))));
        }
        let number = match header[17] {
            1 => Number::U8,
            2 => Number::I8,
            3 => Number::I16,
            4 => Number::I32,
            5 => Number::I64,
            8 => Number::U16,
            code => return Err(Error::corrupt(path, 17, format!("tokens of type {code}, which is no whole number"))),
        };
        let (sequences, documents_and_one) = (u64_at(18), u64_at(26));
        if documents_and_one == 0 {
            return Err(Error::corrupt(path, 26, "no document border, not even the first"));
        }
        let arrays = sequences.checked_mul(12).zip(documents_and_one.checked_mul(8)).and_then(|(a, b)| a.checked_add(b));
        match arrays.and_then(|bytes| bytes.checked_add(HEADER)) {
            Some(wanted) if wanted == length => {}
            Some(wanted) if wanted.checked_add(sequences) == Some(length) => {
                return format("a multimodal index: its sequences have modes, which token shards do not".to_owned());
            }
            _ => {
                let detail = format!("{sequences} sequences and {documents_and_one} document borders are not what {length} bytes hold");
                return Err(Error::corrupt(path, 18, detail));
            }
        }
        Ok(Self {
            number,
            sequences,
            documents_and_one,
            lengths: Array::open(path, HEADER, 4)?,
            pointers: Array::open(path, HEADER + 4 * sequences, 8)?,
            borders: Array::open(path, HEADER + 12 * sequences, 8)?,
        })
    }
}

/// Signed numbers of 4 or 8 bytes from one place of a file on.
struct Array {
    path: PathBuf,
    reader: BufReader<File>,
    /// Where the next number stands.
    at: u64,
    width: usize,
}

impl Array {
    fn open(path: &Path, at: u64, width: usize) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        file.seek(SeekFrom::Start(at)).map_err(Error::io("read", path))?;
        Ok(Self { path: path.to_path_buf(), reader: BufReader::with_capacity(1 << 16, file), at, width })
    }

    fn next(&mut self) -> Result<i64> {
        let mut bytes = [0; 8];
        self.reader.read_exact(&mut bytes[..self.width]).map_err(Error::io("read", &self.path))?;
        self.at += self.width as u64;
        Ok(if self.width == 4 {
            i64::from(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        } else {
            i64::from_le_bytes(bytes)
        })
    }

    /// An error at the number that was read last.
    fn fault(&self, detail: impl Into<String>) -> Error {
        Error::corrupt(&self.path, self.at - self.width as u64, detail)
    }
}

pub(super) fn write(shard: &ShardReader, path: &Path, options: &ForeignOptions) -> Result<Vec<PathBuf>> {
    let short = shard.vocab_size() < SHORT_VOCAB;
    let (width, code) = if short { (2, 8) } else { (4, 4) };
    if let Some(id) = shard.vocab_size().checked_sub(1).filter(|&id| i32::try_from(id).is_err()) {
        return Err(Error::Format { path: shard.path().to_path_buf(), detail: format!("id {id} is more than Megatron-LM's 31 bits hold") });
    }
    let mut bin = NewFile::create(appended(path, "bin"))?;
    let mut index = NewFile::create(appended(path, "idx"))?;
    index.write(&MAGIC)?;
    index.write(&1u64.to_le_bytes())?;
    index.write(&[code])?;
    index.write(&shard.len().to_le_bytes())?;
    index.write(&(shard.len() + 1).to_le_bytes())?;
    for document in 0..shard.len() {
        let range = exported(shard, document, options)?;
        let length = i32::try_from(range.end - range.start).map_err(|_| Error::Document {
            path: shard.path().to_path_buf(),
            id: shard.document(document).map(|document| document.id.to_owned()).unwrap_or_default(),
            detail: "it has 2^31 tokens or more, which Megatron-LM's index cannot hold".to_owned(),
        })?;
        index.write(&length.to_le_bytes())?;
        write_tokens(shard, range, width, &mut bin)?;
    }
    let mut place = 0u64;
    for document in 0..shard.len() {
        index.write(&place.to_le_bytes())?;
        let range = exported(shard, document, options)?;
        place += (range.end - range.start) * u64::from(width);
    }
    (0..=shard.len()).try_for_each(|border| index.write(&border.to_le_bytes()))?;
    Ok(vec![bin.finish()?, index.finish()?])
}
