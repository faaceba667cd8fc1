//! What is fuzzed: every reader and parser of a file that somebody else wrote. A target is given bytes, and may
//! do with them what it likes but panic, hang, or give out what breaks its own promises.
//!
//! `fuzz/run` runs them under libFuzzer, `tests/fuzzing.rs` with mutated seeds on stable Rust.

mod documents;
mod filtering;
mod ledgers;
mod seals;
mod tokens;

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Bytes to start from.
#[derive(Clone, Copy, Debug)]
pub enum Seed {
    /// These.
    Text(&'static str),
    /// Those of a file of the repository.
    File(&'static str),
    /// What this makes.
    Made(fn() -> Vec<u8>),
}

use Seed::{File, Made, Text};

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its fuzz target.
    pub name: &'static str,
    /// Good input.
    pub seeds: &'static [Seed],
    /// Calls it, with a folder to write files to.
    pub run: fn(&Path, &[u8]),
}

impl Target {
    /// The seeds' bytes; `root` is the repository.
    pub fn seeds(&self, root: &Path) -> Vec<Vec<u8>> {
        let bytes = |seed: &Seed| match seed {
            Text(text) => text.as_bytes().to_vec(),
            File(path) => std::fs::read(root.join(path)).expect("the repository has the file"),
            Made(make) => make(),
        };
        self.seeds.iter().map(bytes).collect()
    }
}

/// All but those of models, which `models.rs` has.
pub fn targets() -> impl Iterator<Item = Target> {
    documents::TARGETS.into_iter().chain(filtering::TARGETS).chain(ledgers::TARGETS).chain(tokens::TARGETS)
}

pub(crate) use tokens::tokenizer;

pub(crate) fn written(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("the folder can be written to");
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).and_then(|()| gzip.finish()).expect("it compresses")
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(bytes).and_then(|()| bzip2.finish()).expect("it compresses")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("it compresses")
}
