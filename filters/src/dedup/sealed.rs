//! The container of all files of the shuffle: sections with checksums, read in place.
//!
//! ```text
//! magic 8 · version u32 · 0 u32                                       header, 16 bytes
//! sections                                                            body
//! (end of the section in the body u64 · xxh3 u64) for each section    table
//! fingerprint u64 · inputs u64 · number u32 · of u32 · records u64 ·
//! body length u64 · sections u64 · xxh3 of the table u64 ·
//! xxh3 of the header and of the trailer up to here u64                trailer, 64 bytes
//! ```
//! Little endian. Everything that is known only at the end stands at the end, so a file is written
//! front to back. A section is checked when it is first asked for, so a stage that needs a few
//! records of a large file does not read all of it; nothing is given out unchecked.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use corpora::AtomicFile;
use memmap2::Mmap;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::error::{Error, Result};

const VERSION: u32 = 1;
const HEADER: usize = 16;
const TRAILER: usize = 64;
const ENTRY: usize = 16;

/// What a file is about; the meaning of the numbers is its kind's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label {
    /// Of the settings it was made with.
    pub(super) fingerprint: u64,
    /// Identity of the files it was made from.
    pub(super) inputs: u64,
    /// Which one it is (or the size of a record).
    pub(super) number: u32,
    /// Of how many.
    pub(super) of: u32,
}

/// Writes a file front to back; it appears under its name when finished.
pub(super) struct SealedWriter {
    path: PathBuf,
    file: AtomicFile,
    header: [u8; HEADER],
    section: Xxh3,
    body: u64,
    table: Vec<u8>,
}

impl SealedWriter {
    pub(super) fn create(path: &Path, magic: &[u8; 8]) -> Result<Self> {
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(magic);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        let mut file = AtomicFile::create(path)?;
        file.write_all(&header).map_err(Error::io("write", path))?;
        Ok(Self { path: path.to_path_buf(), file, header, section: Xxh3::new(), body: 0, table: Vec::new() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.section.update(bytes);
        self.body += bytes.len() as u64;
        self.file.write_all(bytes).map_err(Error::io("write", &self.path))
    }

    pub(super) fn end_section(&mut self) {
        self.table.extend(self.body.to_le_bytes());
        self.table.extend(self.section.digest().to_le_bytes());
        self.section.reset();
    }

    /// Writes table and trailer and gives the file its name. The last section must be ended.
    pub(super) fn finish(mut self, label: Label, records: u64) -> Result<()> {
        let mut trailer = Vec::with_capacity(TRAILER);
        trailer.extend(label.fingerprint.to_le_bytes());
        trailer.extend(label.inputs.to_le_bytes());
        trailer.extend(label.number.to_le_bytes());
        trailer.extend(label.of.to_le_bytes());
        for number in [records, self.body, (self.table.len() / ENTRY) as u64, xxh3_64(&self.table)] {
            trailer.extend(number.to_le_bytes());
        }
        let seal = seal(&self.header, &trailer);
        trailer.extend(seal.to_le_bytes());
        self.file.write_all(&self.table).and_then(|()| self.file.write_all(&trailer)).map_err(Error::io("write", &self.path))?;
        Ok(self.file.finish()?)
    }
}

fn seal(header: &[u8], trailer: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(header);
    hash.update(trailer);
    hash.digest()
}

/// A finished file, mapped.
#[derive(Debug)]
pub(super) struct SealedFile {
    path: PathBuf,
    map: Mmap,
    label: Label,
    records: u64,
    identity: u64,
    sections: usize,
    /// Offset of the table.
    table: usize,
    checked: Box<[AtomicBool]>,
}

impl SealedFile {
    /// Opens a file and checks everything but the sections' contents.
    pub(super) fn open(path: &Path, magic: &[u8; 8], what: &str) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        // SAFETY: the files of a run are written under a temporary name and never changed after they
        // were renamed, so nobody writes into the mapping. A program that truncates one while it is
        // read ends this process (SIGBUS); the run folder is ours, as the documentation says.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io("map", path))?;
        if map.len() < HEADER + TRAILER {
            return Err(Error::format(path, map.len() as u64, format!("too short for {what}")));
        }
        let (header, trailer) = (&map[..HEADER], &map[map.len() - TRAILER..]);
        if header[..8] != *magic {
            return Err(Error::format(path, 0, format!("no {what}: the magic number is wrong")));
        }
        if u32_at(header, 8) != VERSION {
            return Err(Error::format(path, 8, format!("version {} of {what}, this program reads {VERSION}", u32_at(header, 8))));
        }
        let at_trailer = (map.len() - TRAILER) as u64;
        let identity = u64_at(trailer, 56);
        if seal(header, &trailer[..56]) != identity {
            return Err(Error::format(path, at_trailer, "header or trailer is damaged (checksum), or the file is cut off"));
        }
        let label =
            Label { fingerprint: u64_at(trailer, 0), inputs: u64_at(trailer, 8), number: u32_at(trailer, 16), of: u32_at(trailer, 20) };
        let (records, body, sections) = (u64_at(trailer, 24), u64_at(trailer, 32), u64_at(trailer, 40));
        let expected = sections
            .checked_mul(ENTRY as u64)
            .and_then(|table| table.checked_add(body))
            .and_then(|inner| inner.checked_add((HEADER + TRAILER) as u64));
        if expected != Some(map.len() as u64) {
            return Err(Error::format(path, at_trailer + 32, "the lengths do not add up to that of the file"));
        }
        // Both are at most the file's length from here on.
        let (body, sections) = (body as usize, sections as usize);
        let table = HEADER + body;
        let entries = &map[table..map.len() - TRAILER];
        if xxh3_64(entries) != u64_at(trailer, 48) {
            return Err(Error::format(path, table as u64, "the table of sections is damaged (checksum)"));
        }
        let mut previous = 0;
        for entry in 0..sections {
            let end = u64_at(entries, entry * ENTRY);
            if end < previous || end > body as u64 {
                return Err(Error::format(path, (table + entry * ENTRY) as u64, "sections overlap"));
            }
            previous = end;
        }
        if previous != body as u64 {
            return Err(Error::format(path, table as u64, "the sections do not fill the file"));
        }
        let checked = (0..sections).map(|_| AtomicBool::new(false)).collect();
        Ok(Self { path: path.to_path_buf(), map, label, records, identity, sections, table, checked })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn label(&self) -> Label {
        self.label
    }

    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Hash of everything in the file, by way of its checksums.
    pub(super) fn identity(&self) -> u64 {
        self.identity
    }

    pub(super) fn sections(&self) -> usize {
        self.sections
    }

    /// Offset in the file and length of a section; zero length beyond the last.
    pub(super) fn span(&self, section: usize) -> (usize, usize) {
        let end = |section: usize| u64_at(&self.map, self.table + section * ENTRY) as usize;
        if section >= self.sections {
            return (self.table, 0);
        }
        let start = if section == 0 { 0 } else { end(section - 1) };
        (HEADER + start, end(section) - start)
    }

    /// Checks every section.
    pub(super) fn check(&self) -> Result<()> {
        (0..self.sections).try_for_each(|section| self.section(section).map(|_| ()))
    }

    /// The bytes of a section, checked on the first call.
    pub(super) fn section(&self, section: usize) -> Result<&[u8]> {
        let (start, length) = self.span(section);
        let bytes = &self.map[start..start + length];
        let Some(checked) = self.checked.get(section) else { return Ok(bytes) };
        // Relaxed: the mapping never changes, and checking twice is harmless.
        if !checked.load(Ordering::Relaxed) {
            if xxh3_64(bytes) != u64_at(&self.map, self.table + section * ENTRY + 8) {
                return Err(Error::format(&self.path, start as u64, format!("section {section} is damaged (checksum)")));
            }
            checked.store(true, Ordering::Relaxed);
        }
        Ok(bytes)
    }
}

/// Little endian number at an offset; zero where the bytes end before it does.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

pub(super) fn u128_at(bytes: &[u8], at: usize) -> u128 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u128::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: Label = Label { fingerprint: 1, inputs: 2, number: 3, of: 4 };

    #[test]
    fn sections_come_back_and_every_byte_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut writer = SealedWriter::create(&path, b"TESTTEST").unwrap();
        writer.write(b"hello ").unwrap();
        writer.write(b"world").unwrap();
        writer.end_section();
        writer.end_section();
        writer.write(b"!").unwrap();
        writer.end_section();
        writer.finish(LABEL, 9).unwrap();
        let open = |path: &Path| SealedFile::open(path, b"TESTTEST", "a test file");
        let file = open(&path).unwrap();
        assert_eq!((file.label(), file.records(), file.sections()), (LABEL, 9, 3));
        assert_eq!(file.section(0).unwrap(), b"hello world");
        assert_eq!(file.section(1).unwrap(), b"");
        assert_eq!(file.section(2).unwrap(), b"!");
        assert_eq!(file.section(3).unwrap(), b"");
        let good = std::fs::read(&path).unwrap();
        assert_eq!(good.len(), 16 + 12 + 3 * 16 + 64);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            let found = open(&path).and_then(|file| (0..3).try_for_each(|section| file.section(section).map(|_| ())));
            assert!(found.is_err(), "byte {at}");
        }
        for length in 0..good.len() {
            std::fs::write(&path, &good[..length]).unwrap();
            assert!(open(&path).is_err(), "cut to {length}");
        }
        assert!(SealedFile::open(&folder.path().join("none"), b"TESTTEST", "a test file").unwrap_err().to_string().contains("none"));
    }

    proptest::proptest! {
        /// Bytes that pass the seal but claim anything.
        #[test]
        fn claims_are_not_believed(body in proptest::collection::vec(0_u8.., 0..200), numbers: [u64; 6]) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a");
            let mut bytes = b"TESTTEST\x01\0\0\0\0\0\0\0".to_vec();
            bytes.extend(&body);
            let mut trailer: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            trailer.extend(xxh3_64(&body).to_le_bytes());
            let sum = seal(&bytes[..16], &trailer);
            bytes.extend(&trailer);
            bytes.extend(sum.to_le_bytes());
            std::fs::write(&path, &bytes).unwrap();
            let _ = SealedFile::open(&path, b"TESTTEST", "a test file");
        }
    }
}
