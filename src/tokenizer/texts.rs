//! Texts named on the command line: `[BUCKET=]PATH`, where a path is a file, a folder, a glob or a run.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use corpora::{Part, Source};
use serde_json::json;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};
use crate::layout;
use crate::record::PartStats;
use crate::report::Ui;
use crate::stage::tokenize::Unique;

/// About how much of a file is planned as one part, in bytes.
const PART_BYTES: u64 = 1 << 30;

/// Texts of several buckets.
pub(crate) struct Texts {
    buckets: Vec<String>,
    pieces: Vec<Piece>,
}

/// What is read in one go.
enum Piece {
    /// A part of plain files.
    Files { bucket: usize, part: Part, source: Box<Source> },
    /// Kept documents of a part of a run, less its duplicates.
    Kept { bucket: usize, folder: PathBuf, part: String },
}

/// Records that could not be read.
#[derive(Default)]
pub(crate) struct Bad {
    count: Cell<u64>,
    first: RefCell<Option<String>>,
}

impl Bad {
    fn add(&self, error: impl ToString) {
        self.count.set(self.count.get() + 1);
        self.first.borrow_mut().get_or_insert_with(|| error.to_string());
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.get()
    }

    /// Says how many records are left out.
    pub(crate) fn tell(&self, ui: &Ui) {
        if let Some(first) = &*self.first.borrow() {
            ui.warn(format!("{} records could not be read and are left out; the first: {first}", self.count()));
        }
    }
}

impl Texts {
    /// Finds the files; nothing of them is read yet.
    pub(crate) fn open(arguments: &[String]) -> Result<Self> {
        let mut texts = Self { buckets: Vec::new(), pieces: Vec::new() };
        for (index, argument) in arguments.iter().enumerate() {
            let (bucket, path) = match argument.split_once('=') {
                Some((bucket, path)) if !Path::new(argument).exists() => (Some(bucket), path),
                _ => (None, argument.as_str()),
            };
            if Path::new(path).join(layout::PLAN).exists() {
                texts.add_run(Path::new(path), bucket)?;
            } else {
                texts.add_files(index, path, bucket)?;
            }
        }
        Ok(texts)
    }

    pub(crate) fn buckets(&self) -> &[String] {
        &self.buckets
    }

    fn bucket(&mut self, name: &str) -> usize {
        self.buckets.iter().position(|known| known == name).unwrap_or_else(|| {
            self.buckets.push(name.to_owned());
            self.buckets.len() - 1
        })
    }

    fn add_run(&mut self, folder: &Path, bucket: Option<&str>) -> Result<()> {
        let parts: Vec<Part> = layout::read_json(folder, layout::PLAN)?;
        for part in parts {
            let stats: PartStats = layout::read_json(folder, &layout::stats(&part.name))?;
            let bucket = self.bucket(bucket.unwrap_or(&stats.bucket));
            self.pieces.push(Piece::Kept { bucket, folder: folder.to_path_buf(), part: part.name });
        }
        Ok(())
    }

    fn add_files(&mut self, index: usize, path: &str, bucket: Option<&str>) -> Result<()> {
        let file_name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let stem = file_name.split('.').next().filter(|stem| !stem.is_empty() && !stem.contains(['*', '?', '[']));
        let name = bucket.or(stem).unwrap_or("text").to_owned();
        let source = json!({ "name": format!("text-{index}"), "bucket": &name, "files": path, "format": format_of(path) });
        let source: Source = serde_json::from_value(source).map_err(|error| Error::new(format!("{path}: {error}")))?;
        let parts = corpora::plan(std::slice::from_ref(&source), Path::new(""), PART_BYTES)?;
        let bucket = self.bucket(&name);
        let piece = |part| Piece::Files { bucket, part, source: Box::new(source.clone()) };
        self.pieces.extend(parts.into_iter().map(piece));
        Ok(())
    }

    /// Every text with the number of its bucket, in the order of the arguments.
    pub(crate) fn iter<'a>(&'a self, bad: &'a Bad) -> impl Iterator<Item = (usize, String)> + 'a {
        self.pieces.iter().flat_map(move |piece| {
            let (bucket, read): (usize, Box<dyn Iterator<Item = Result<String>>>) = match piece {
                Piece::Files { bucket, part, source } => {
                    (*bucket, Box::new(corpora::read(part, source).map(|document| Ok(document?.text))))
                }
                Piece::Kept { bucket, folder, part } => match Unique::open(folder, part) {
                    Ok(documents) => (*bucket, Box::new(documents.map(|document| Ok(document?.text)))),
                    Err(error) => (*bucket, Box::new(std::iter::once(Err(error)))),
                },
            };
            read.filter_map(move |text| text.map_err(|error| bad.add(error.message)).ok().map(|text| (bucket, text)))
        })
    }
}

/// The format that a name speaks of; that of a folder or a glob is that of the files it is for.
fn format_of(path: &str) -> &'static str {
    let name = path.to_lowercase();
    let name = [".zst", ".gz"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    let extension = Path::new(name).extension().map(|extension| extension.to_string_lossy().into_owned()).unwrap_or_default();
    match &*extension {
        "jsonl" | "ndjson" | "json" => "jsonl",
        "parquet" => "parquet",
        "csv" => "csv",
        "tsv" => "tsv",
        "warc" | "wet" => "warc",
        "html" | "htm" => "html",
        _ if Path::new(path).is_dir() => "code",
        _ => "text",
    }
}

/// Whether a text is among the share that is not learnt from; equal texts are on one side.
pub(crate) fn is_held_out(text: &str, share: f64) -> bool {
    // 53 bits: what a float holds exactly.
    let draw = (xxh3_64(text.as_bytes()) >> 11) as f64 / (1u64 << 53) as f64;
    draw < share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_follow_names() {
        let cases = [
            ("a/b.jsonl.zst", "jsonl"),
            ("b.NDJSON", "jsonl"),
            ("data/*.parquet", "parquet"),
            ("x.txt.gz", "text"),
            ("x", "text"),
            ("x.csv", "csv"),
            (env!("CARGO_MANIFEST_DIR"), "code"),
        ];
        cases.iter().for_each(|(path, format)| assert_eq!(format_of(path), *format, "{path}"));
    }

    #[test]
    fn a_twentieth_is_held_out() {
        let held = (0..20_000).filter(|n| is_held_out(&n.to_string(), 0.05)).count();
        assert!((800..1200).contains(&held), "{held}");
        assert!(!is_held_out("", 0.0));
    }
}
