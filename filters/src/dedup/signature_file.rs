//! The signature file of a part: one record of fixed size for each kept document, and its id.
//!
//! Records come in blocks of 128, each followed by a block of their ids. A record, little endian:
//! row u64, bytes u64, exact u128, simhash u64, id offset u32, id length u32, priority u32,
//! quality f32, bucket u32, flags u32 (1: has MinHash, 2: has SimHash, 4: has an address), address u128,
//! MinHash values u32 each.

use std::path::Path;

use super::config::DedupConfig;
use super::error::{Error, Result};
use super::sealed::{Label, SealedFile, SealedWriter, u32_at, u64_at, u128_at};
use super::signature::Signature;

const MAGIC: &[u8; 8] = b"MALMOISG";
const BLOCK: u64 = 128;
const HEAD: usize = 80;
const HAS_MINHASH: u32 = 1;
const HAS_SIMHASH: u32 = 2;
const HAS_URL: u32 = 4;
/// Ids of a block must stay addressable by a u32.
const MAX_ID: usize = 1 << 24;
/// Documents of a part are numbered with 32 bits.
const MAX_RECORDS: u64 = u32::MAX as u64;

/// Writes the signatures of a part, in row order; memory is one block.
pub struct SignatureWriter {
    file: SealedWriter,
    fingerprint: u64,
    values: usize,
    records: u64,
    last_row: Option<u64>,
    ids: Vec<u8>,
    record: Vec<u8>,
}

impl SignatureWriter {
    /// Starts a file that appears at `path` when finished.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn create(path: &Path, config: &DedupConfig) -> Result<Self> {
        let file = SealedWriter::create(path, MAGIC)?;
        let (fingerprint, values) = (config.signature_fingerprint(), config.minhash_values());
        Ok(Self { file, fingerprint, values, records: 0, last_row: None, ids: Vec::new(), record: Vec::new() })
    }

    /// Adds a document: its row in the part, the priority of its source (the smallest stays), its
    /// quality (the highest stays; a NaN counts as lowest), the length of its text in bytes, its id
    /// and the number of its bucket (see [`super::bucket_number`]).
    ///
    /// # Errors
    /// If rows do not ascend, the signature is of another configuration, the id is longer than
    /// 16 MiB, there are 2³² records, or writing fails.
    #[allow(clippy::too_many_arguments)] // one record, flat: a struct would be written out once, here
    pub fn push(&mut self, row: u64, priority: u32, quality: f32, bytes: u64, id: &str, bucket: u32, signature: &Signature) -> Result<()> {
        let refuse = |detail: String| Err(Error::mismatch(self.file.path(), format!("row {row}: {detail}")));
        if self.last_row.is_some_and(|last| last >= row) {
            return refuse("rows must ascend".into());
        }
        if signature.minhash.as_ref().is_some_and(|values| values.len() != self.values) {
            return refuse("the signature was made with other settings".into());
        }
        if id.len() > MAX_ID {
            return refuse(format!("the id takes {} bytes, at most {MAX_ID} are allowed", id.len()));
        }
        if self.records >= MAX_RECORDS {
            return refuse(format!("a part has at most {MAX_RECORDS} documents"));
        }
        if self.records > 0 && self.records.is_multiple_of(BLOCK) {
            self.end_block()?;
        }
        let quality = if quality.is_nan() { f32::NEG_INFINITY } else { quality + 0.0 };
        let flags = u32::from(signature.minhash.is_some()) * HAS_MINHASH
            + u32::from(signature.simhash.is_some()) * HAS_SIMHASH
            + u32::from(signature.url.is_some()) * HAS_URL;
        let record = &mut self.record;
        record.clear();
        record.extend(row.to_le_bytes());
        record.extend(bytes.to_le_bytes());
        record.extend(signature.exact.to_le_bytes());
        record.extend(signature.simhash.unwrap_or(0).to_le_bytes());
        record.extend((self.ids.len() as u32).to_le_bytes());
        record.extend((id.len() as u32).to_le_bytes());
        record.extend(priority.to_le_bytes());
        record.extend(quality.to_le_bytes());
        record.extend(bucket.to_le_bytes());
        record.extend(flags.to_le_bytes());
        record.extend(signature.url.unwrap_or(0).to_le_bytes());
        match &signature.minhash {
            Some(values) => record.extend(values.iter().flat_map(|value| value.to_le_bytes())),
            None => record.resize(HEAD + 4 * self.values, 0),
        }
        self.file.write(record)?;
        self.ids.extend(id.as_bytes());
        self.records += 1;
        self.last_row = Some(row);
        Ok(())
    }

    fn end_block(&mut self) -> Result<()> {
        self.file.end_section();
        self.file.write(&self.ids)?;
        self.file.end_section();
        self.ids.clear();
        Ok(())
    }

    /// Makes the file durable and gives it its name.
    ///
    /// # Errors
    /// If writing fails; then nothing appears.
    pub fn finish(mut self) -> Result<()> {
        if self.records > 0 {
            self.end_block()?;
        }
        let size = (HEAD + 4 * self.values) as u32; // at most 80 + 4 · 256 · 64
        self.file.finish(Label { fingerprint: self.fingerprint, inputs: 0, number: size, of: 0 }, self.records)
    }
}

/// A signature file, mapped: any record without reading the others.
#[derive(Debug)]
pub struct SignatureReader {
    file: SealedFile,
    size: usize,
    len: u32,
}

impl SignatureReader {
    /// Opens a file and reads all of it once to check it.
    ///
    /// # Errors
    /// If it cannot be read or any byte is not what was written.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Self::open_lazily(path)?;
        reader.file.check()?;
        for record in reader.iter() {
            record?.id()?;
        }
        Ok(reader)
    }

    /// Opens a file and checks its frame; each block of records is checked when it is first needed.
    ///
    /// # Errors
    /// If it cannot be read or its frame is damaged.
    pub fn open_lazily(path: &Path) -> Result<Self> {
        let file = SealedFile::open(path, MAGIC, "signature file")?;
        let end = || std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let size = file.label().number as usize;
        let len = file.records();
        if size < HEAD || !size.is_multiple_of(4) || len > MAX_RECORDS {
            return Err(Error::format(path, end(), format!("{len} records of {size} bytes are impossible")));
        }
        let blocks = len.div_ceil(BLOCK);
        if file.sections() as u64 != 2 * blocks {
            return Err(Error::format(path, end(), format!("{len} records in {} sections are impossible", file.sections())));
        }
        for block in 0..blocks {
            let records = (len - block * BLOCK).min(BLOCK) as usize;
            let (start, length) = file.span(2 * block as usize);
            if length != records * size {
                return Err(Error::format(path, start as u64, format!("block {block} has {length} bytes instead of {}", records * size)));
            }
        }
        Ok(Self { file, size, len: len as u32 })
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> u64 {
        u64::from(self.len)
    }

    /// Whether the part kept no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Fingerprint of the settings that the signatures were made with.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.file.label().fingerprint
    }

    /// Whether the signatures were made with these settings.
    #[must_use]
    pub fn is_of(&self, config: &DedupConfig) -> bool {
        self.fingerprint() == config.signature_fingerprint() && self.values() == config.minhash_values()
    }

    /// Hash of the contents.
    #[must_use]
    pub fn identity(&self) -> u64 {
        self.file.identity()
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Number of MinHash values in a record.
    pub(super) fn values(&self) -> usize {
        (self.size - HEAD) / 4
    }

    /// A record by its number, from 0.
    ///
    /// # Errors
    /// If there is no such record or its block is damaged.
    pub fn record(&self, index: u64) -> Result<SignatureRecord<'_>> {
        if index >= self.len() {
            return Err(Error::format(self.path(), 0, format!("there is no record {index}, the file has {}", self.len)));
        }
        let block = (index / BLOCK) as usize;
        let start = (index % BLOCK) as usize * self.size;
        let bytes = &self.file.section(2 * block)?[start..start + self.size];
        let record = SignatureRecord { reader: self, block, start, bytes };
        if record.flags() & !(HAS_MINHASH | HAS_SIMHASH | HAS_URL) != 0 {
            return Err(record.wrong("unknown flags"));
        }
        Ok(record)
    }

    /// All records in order.
    pub fn iter(&self) -> impl Iterator<Item = Result<SignatureRecord<'_>>> {
        (0..self.len()).map(|index| self.record(index))
    }
}

/// One document of a signature file.
#[derive(Clone, Copy, Debug)]
pub struct SignatureRecord<'a> {
    reader: &'a SignatureReader,
    block: usize,
    /// Offset in the block.
    start: usize,
    bytes: &'a [u8],
}

impl<'a> SignatureRecord<'a> {
    /// Row of the document in its part.
    #[must_use]
    pub fn row(&self) -> u64 {
        u64_at(self.bytes, 0)
    }

    /// Length of the text in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        u64_at(self.bytes, 8)
    }

    /// Hash of the normalised text.
    #[must_use]
    pub fn exact(&self) -> u128 {
        u128_at(self.bytes, 16)
    }

    /// SimHash, if the text has one.
    #[must_use]
    pub fn simhash(&self) -> Option<u64> {
        (self.flags() & HAS_SIMHASH != 0).then(|| u64_at(self.bytes, 32))
    }

    /// Priority of the source; the smallest stays.
    #[must_use]
    pub fn priority(&self) -> u32 {
        u32_at(self.bytes, 48)
    }

    /// Quality; the highest stays.
    #[must_use]
    pub fn quality(&self) -> f32 {
        f32::from_bits(u32_at(self.bytes, 52))
    }

    /// Hash of the normalised address, if the document has one.
    #[must_use]
    pub fn url(&self) -> Option<u128> {
        (self.flags() & HAS_URL != 0).then(|| u128_at(self.bytes, 64))
    }

    /// Number of the bucket.
    #[must_use]
    pub fn bucket(&self) -> u32 {
        u32_at(self.bytes, 56)
    }

    fn flags(&self) -> u32 {
        u32_at(self.bytes, 60)
    }

    /// MinHash values as stored, four bytes each; none if the text has none.
    pub(super) fn minhash_bytes(&self) -> Option<&'a [u8]> {
        (self.flags() & HAS_MINHASH != 0 && self.bytes.len() > HEAD).then(|| &self.bytes[HEAD..])
    }

    /// The id.
    ///
    /// # Errors
    /// If the block of ids is damaged.
    pub fn id(&self) -> Result<&'a str> {
        let ids = self.reader.file.section(2 * self.block + 1)?;
        let (start, length) = (u32_at(self.bytes, 40) as usize, u32_at(self.bytes, 44) as usize);
        let id = start.checked_add(length).and_then(|end| ids.get(start..end));
        id.and_then(|id| std::str::from_utf8(id).ok()).ok_or_else(|| self.wrong("the id lies outside the ids, or is no UTF-8"))
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> Signature {
        let minhash = self.minhash_bytes().map(|bytes| bytes.as_chunks::<4>().0.iter().map(|value| u32::from_le_bytes(*value)).collect());
        Signature { exact: self.exact(), minhash, simhash: self.simhash(), url: self.url() }
    }

    fn wrong(&self, detail: &str) -> Error {
        let (block, _) = self.reader.file.span(2 * self.block);
        Error::format(self.reader.path(), (block + self.start) as u64, detail)
    }
}
