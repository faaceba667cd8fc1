//! The fuzz targets on stable Rust: seeds, mutated by a seeded generator.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::corpus::{Corpus, RECIPE};
use crate::fuzz_models::MODELS;
use crate::malmoi::{call, done, files};
use crate::targets::targets;

/// Bytes that are boundaries of something: of numbers, lengths, texts.
const EDGES: [&[u8]; 12] = [
    &[0xff; 8],
    &[0; 8],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0, 0, 0, 0x80],
    &[1, 0, 0, 0],
    &[0xff],
    &[0x80],
    b"\"",
    b"\n",
    b"{{[<\\",
    b"99999999999999999999",
    "\u{feff}한".as_bytes(),
];

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }

    /// A few changes to a seed, or pieces of two.
    fn mutated(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..1 + self.below(6) {
            let at = self.below(bytes.len() + 1);
            let end = (at + 1 + self.below(16)).min(bytes.len());
            match self.below(8) {
                0 | 1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                2 => drop(bytes.splice(at..end, EDGES[self.below(EDGES.len())].iter().copied())),
                3 => {
                    let edge = EDGES[self.below(EDGES.len())];
                    bytes.iter_mut().skip(at).zip(edge).for_each(|(byte, edge)| *byte = *edge);
                }
                4 => drop(bytes.drain(at..end)),
                5 => {
                    let piece = bytes[at..end].repeat(1 + self.below(20));
                    drop(bytes.splice(at..at, piece));
                }
                6 if self.below(4) == 0 => bytes.truncate(at),
                7 => {
                    let other = &seeds[self.below(seeds.len())];
                    let from = self.below(other.len());
                    let piece = &other[from..(from + self.below(64)).min(other.len())];
                    drop(bytes.splice(at..at, piece.iter().copied()));
                }
                _ => {}
            }
        }
        bytes
    }
}

fn fuzz(times: usize) {
    // As the program does: what decoders of others say of damaged bytes is in the errors.
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !corpora::panic_is_caught() {
            told(panic);
        }
    }));
    for target in targets().chain(MODELS) {
        let folder = tempfile::tempdir().unwrap();
        let seeds = target.seeds(Path::new(env!("CARGO_MANIFEST_DIR")));
        let mut random = Random(11);
        for seed in &seeds {
            (target.run)(folder.path(), seed);
        }
        for time in 0..times {
            let bytes = random.mutated(&seeds);
            if catch_unwind(AssertUnwindSafe(|| (target.run)(folder.path(), &bytes))).is_err() {
                let kept = std::env::temp_dir().join(format!("malmoi-fuzz-{}-{time}", target.name));
                std::fs::write(&kept, &bytes).unwrap();
                panic!("target {}, input {time}: panicked; the input is {}", target.name, kept.display());
            }
        }
    }
}

#[test]
fn readers_and_parsers_stand_some_mutations() {
    fuzz(150);
}

#[test]
#[ignore = "minutes: `make verify-fuzz`"]
fn readers_and_parsers_stand_many_mutations() {
    fuzz(5_000);
}

/// A recipe is parsed by the program alone, so it is called.
fn recipes(times: usize) {
    let corpus = Corpus::new();
    let mut random = Random(5);
    for time in 0..times {
        let bytes = random.mutated(&[RECIPE.as_bytes().to_vec()]);
        std::fs::write(corpus.path().join("fuzz.toml"), &bytes).unwrap();
        let outcome = call(corpus.path(), &["plan", "fuzz.toml"]);
        assert!((0..=2).contains(&outcome.code), "recipe {time}: {}\n{}", outcome.stderr, String::from_utf8_lossy(&bytes));
        assert!(
            outcome.code == 0 || outcome.stderr.starts_with("error: ") || outcome.stderr.starts_with("warning: "),
            "{}",
            outcome.stderr
        );
        assert!(!outcome.stderr.contains("panicked"), "recipe {time}: {}", outcome.stderr);
    }
}

#[test]
fn recipes_stand_some_mutations() {
    recipes(40);
}

#[test]
#[ignore = "minutes: `make verify-fuzz`"]
fn recipes_stand_many_mutations() {
    recipes(3_000);
}

/// What commands make of a run folder in which one file is damaged.
fn run_folders(times: usize) {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    let good: Vec<(String, Vec<u8>)> = files(&corpus.out("run"), &|_| true).into_iter().collect();
    let mut random = Random(17);
    for time in 0..times {
        let (name, bytes) = &good[random.below(good.len())];
        let path = corpus.out("run").join(name);
        std::fs::write(&path, random.mutated(std::slice::from_ref(bytes))).unwrap();
        for command in [&["audit", "out/run"][..], &["report", "out/run"], &["sample", "out/run"], &["inspect", path.to_str().unwrap()]] {
            let outcome = call(corpus.path(), command);
            assert!((0..=2).contains(&outcome.code), "{time}: {command:?} of a damaged {name}: {}", outcome.stderr);
            assert!(!outcome.stderr.contains("panicked"), "{time}: {command:?} of a damaged {name}: {}", outcome.stderr);
        }
        std::fs::write(&path, bytes).unwrap();
    }
}

#[test]
fn run_folders_stand_some_mutations() {
    run_folders(15);
}

#[test]
#[ignore = "minutes: `make verify-fuzz`"]
fn run_folders_stand_many_mutations() {
    run_folders(1_000);
}
