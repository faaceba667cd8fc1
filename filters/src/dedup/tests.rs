//! The stages together, over small corpora in a temporary folder.

mod files;
mod groups;
mod invariance;
mod lines;
mod memory;
mod neardup;
mod page;
mod planted;
mod runs;
mod substrings;
mod url;
mod verify;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use corpora::JsonlReader;
use xxhash_rust::xxh3::xxh3_128;

use super::run::run_partitioned;
use super::*;

/// A document as a test plants it.
#[derive(Clone, Debug)]
struct Planted {
    id: String,
    text: String,
    priority: u32,
    quality: f32,
    bucket: u32,
    url: Option<String>,
}

impl Planted {
    fn new(id: &str, text: &str) -> Self {
        Self { id: id.into(), text: text.into(), priority: 1, quality: 0.0, bucket: 0, url: None }
    }
}

fn config(text: &str) -> DedupConfig {
    let config: DedupConfig = toml::from_str(text).unwrap();
    config.validate().unwrap();
    config
}

/// Signs each part; files lie in `folder/signatures`.
fn sign(folder: &Path, parts: &[Vec<Planted>], config: &DedupConfig) -> Vec<PartSignatures> {
    let folder = folder.join("signatures");
    std::fs::create_dir_all(&folder).unwrap();
    let signer = Signer::new(config);
    let write = |(number, documents): (usize, &Vec<Planted>)| {
        let name = format!("part-{number:03}");
        let path = folder.join(&name);
        let mut writer = SignatureWriter::create(&path, config).unwrap();
        for (row, document) in documents.iter().enumerate() {
            let url = document.url.as_deref().and_then(address::normal).map(|url| xxh3_128(url.as_bytes()));
            let signature = Signature { url, ..signer.sign_text(&document.text) };
            let bytes = document.text.len() as u64;
            writer.push(row as u64 * 3, document.priority, document.quality, bytes, &document.id, document.bucket, &signature).unwrap();
        }
        writer.finish().unwrap();
        PartSignatures { name, path, run: None }
    };
    parts.iter().enumerate().map(write).collect()
}

/// Every removed id with what is said of it; rows must ascend.
fn removed(out: &Path, parts: &[PartSignatures]) -> BTreeMap<String, Duplicate> {
    let mut all = BTreeMap::new();
    for part in parts {
        let mut last = None;
        for duplicate in JsonlReader::<Duplicate>::open(&out.join(format!("{}.jsonl.zst", part.name))).unwrap() {
            let duplicate = duplicate.unwrap();
            assert!(last.is_none_or(|last| last < duplicate.row));
            last = Some(duplicate.row);
            all.insert(duplicate.id.clone(), duplicate);
        }
    }
    all
}

/// Each document that stays is said to stand for itself and those that are duplicates of it, in the order of the rows.
fn stand_for_the_others(out: &Path, parts: &[PartSignatures], removed: &BTreeMap<String, Duplicate>) {
    let mut counted = BTreeMap::new();
    removed.values().for_each(|duplicate| *counted.entry((&duplicate.of_part, duplicate.of_row)).or_insert(1_u64) += 1);
    let of = |part: &PartSignatures| {
        let stands = JsonlReader::<Stands>::open(&out.join("clusters").join(format!("{}.jsonl.zst", part.name))).unwrap();
        stands.map(|line| line.map(|line| (line.row, line.documents)).unwrap()).collect::<Vec<_>>()
    };
    for part in parts {
        let rows = counted.iter().filter(|((of, _), _)| **of == part.name);
        assert_eq!(of(part), rows.map(|((_, row), documents)| (*row, *documents)).collect::<Vec<_>>());
    }
}

/// The whole way with so many partitions.
fn dedup(parts: &[Vec<Planted>], config: &DedupConfig, partitions: u32) -> (Summary, BTreeMap<String, Duplicate>) {
    let folder = tempfile::tempdir().unwrap();
    let signed = sign(folder.path(), parts, config);
    let set = SignatureSet::open(&signed, config).unwrap();
    let (work, out) = (folder.path().join("work"), folder.path().join("out"));
    std::fs::create_dir_all(&work).unwrap();
    let cancel = AtomicBool::new(false);
    let texts = |part: &PartSignatures| -> std::result::Result<TextIter<'_>, String> {
        let number = signed.iter().position(|signed| signed == part).ok_or("no such part")?;
        Ok(Box::new(parts[number].iter().enumerate().map(|(row, document)| Ok((row as u64 * 3, document.text.clone())))))
    };
    let summary = run_partitioned(&signed, Some(&texts), &set, partitions, &work, &out, config, &cancel, &|_, _| ()).unwrap();
    let removed = removed(&out, &signed);
    stand_for_the_others(&out, &signed, &removed);
    assert_eq!(summary.removed(), removed.len() as u64);
    assert_eq!(summary.documents, parts.iter().map(|part| part.len() as u64).sum::<u64>());
    (summary, removed)
}

/// `id kind of cluster`, sorted by id.
fn told(removed: &BTreeMap<String, Duplicate>) -> Vec<String> {
    removed.values().map(|duplicate| format!("{} {} {} {}", duplicate.id, duplicate.kind, duplicate.of, duplicate.cluster)).collect()
}

/// A small deterministic generator of test data.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// Words of a vocabulary of 10,000.
    fn words(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| format!("단어{}", self.below(10_000))).collect()
    }
}

fn paths(folder: &Path, names: &str, count: usize) -> Vec<PathBuf> {
    (0..count).map(|number| folder.join(format!("{names}-{number}"))).collect()
}
