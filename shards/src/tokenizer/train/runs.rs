//! Sorted word counts on disk, and how several become one.
//!
//! A run holds words in the order of their bytes, each as: bytes shared with the word before, bytes
//! that follow, those bytes, count. Numbers are LEB128. The file has no name and goes with its handle.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

const BUFFER: usize = 1 << 17;

/// A finished run.
pub(super) struct Run {
    file: File,
    folder: PathBuf,
}

/// A run that grows.
pub(super) struct RunWriter {
    out: BufWriter<File>,
    folder: PathBuf,
    last: Vec<u8>,
}

impl RunWriter {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(folder).map_err(Error::io("spill word counts into", folder))?;
        Ok(Self { out: BufWriter::with_capacity(BUFFER, file), folder: folder.to_path_buf(), last: Vec::new() })
    }

    /// Adds the next word in order.
    pub(super) fn push(&mut self, word: &[u8], count: u64) -> Result<()> {
        let shared = self.last.iter().zip(word).take_while(|(a, b)| a == b).count();
        let write = |out: &mut BufWriter<File>| -> io::Result<()> {
            write_number(out, shared as u64)?;
            write_number(out, (word.len() - shared) as u64)?;
            out.write_all(&word[shared..])?;
            write_number(out, count)
        };
        write(&mut self.out).map_err(Error::io("spill word counts into", &self.folder))?;
        self.last.clear();
        self.last.extend_from_slice(word);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Run> {
        let file = self.out.into_inner().map_err(|error| Error::io("spill word counts into", &self.folder)(error.into_error()))?;
        Ok(Run { file, folder: self.folder })
    }
}

impl Run {
    /// Reads the run from its start. One reader at a time: they share the file's position.
    pub(super) fn read(&self) -> Result<RunReader<'_>> {
        let fail = |source| Error::io("read word counts in", &self.folder)(source);
        (&self.file).seek(SeekFrom::Start(0)).map_err(fail)?;
        Ok(RunReader { input: BufReader::with_capacity(BUFFER, &self.file), folder: &self.folder, word: Vec::new(), count: 0 })
    }
}

/// A run being read.
pub(super) struct RunReader<'a> {
    input: BufReader<&'a File>,
    folder: &'a Path,
    pub(super) word: Vec<u8>,
    pub(super) count: u64,
}

impl RunReader<'_> {
    /// Reads the next word and its count; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool> {
        self.step().map_err(Error::io("read word counts in", self.folder))
    }

    fn step(&mut self) -> io::Result<bool> {
        if self.input.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let shared = read_number(&mut self.input)?;
        let rest = read_number(&mut self.input)?;
        self.word.truncate(shared as usize);
        let read = self.input.by_ref().take(rest).read_to_end(&mut self.word)?;
        if read as u64 != rest {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.count = read_number(&mut self.input)?;
        Ok(true)
    }
}

/// Adds up runs: hands each word to `sink` once, in order, with the sum of its counts.
pub(super) fn merge(runs: &[Run], mut sink: impl FnMut(&[u8], u64) -> Result<()>) -> Result<()> {
    let mut readers = runs.iter().map(Run::read).collect::<Result<Vec<_>>>()?;
    let mut heap = BinaryHeap::new();
    for (index, reader) in readers.iter_mut().enumerate() {
        if reader.advance()? {
            heap.push(Reverse((reader.word.clone(), index)));
        }
    }
    let (mut word, mut count) = (Vec::new(), 0);
    while let Some(mut first) = heap.peek_mut() {
        let Reverse((smallest, index)) = &mut *first;
        if count > 0 && *smallest != word {
            sink(&word, count)?;
            count = 0;
        }
        word.clone_from(smallest);
        let reader = &mut readers[*index];
        count += reader.count;
        if reader.advance()? {
            smallest.clone_from(&reader.word);
        } else {
            std::collections::binary_heap::PeekMut::pop(first);
        }
    }
    if count > 0 { sink(&word, count) } else { Ok(()) }
}

fn write_number(out: &mut impl Write, mut number: u64) -> io::Result<()> {
    while number >= 0x80 {
        out.write_all(&[number as u8 | 0x80])?;
        number >>= 7;
    }
    out.write_all(&[number as u8])
}

fn read_number(input: &mut impl Read) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        input.read_exact(&mut byte)?;
        number |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            return Ok(number);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Map = BTreeMap<Vec<u8>, u64>;

    fn written(map: &Map) -> Run {
        let mut run = RunWriter::new(&std::env::temp_dir()).unwrap();
        map.iter().for_each(|(word, count)| run.push(word, *count).unwrap());
        run.finish().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn runs_add_up(maps in prop::collection::vec(prop::collection::btree_map("[ab가]{1,4}", 1..u64::MAX / 8, 0..20), 0..6)) {
            let maps: Vec<Map> = maps.into_iter().map(|map| map.into_iter().map(|(word, n)| (word.into_bytes(), n)).collect()).collect();
            let runs: Vec<Run> = maps.iter().map(written).collect();
            let mut expected = Map::new();
            maps.iter().flatten().for_each(|(word, count)| *expected.entry(word.clone()).or_insert(0) += count);
            for _ in 0..2 {
                let mut sum = Vec::new();
                merge(&runs, |word, count| { sum.push((word.to_vec(), count)); Ok(()) }).unwrap();
                prop_assert!(sum.iter().map(|(word, count)| (word, count)).eq(&expected));
            }
        }
    }

    #[test]
    fn a_file_cut_short_is_an_error() {
        let run = written(&Map::from([(b"abc".to_vec(), 300), (b"abd".to_vec(), 1)]));
        run.file.set_len(run.file.metadata().unwrap().len() - 1).unwrap();
        let mut reader = run.read().unwrap();
        assert!(reader.advance().unwrap());
        assert_eq!((&reader.word[..], reader.count), (&b"abc"[..], 300));
        assert!(matches!(reader.advance(), Err(Error::Io { .. })));
    }
}
