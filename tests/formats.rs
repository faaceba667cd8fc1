//! Every input format gives the same documents; every output file can be inspected.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::corpus::{Corpus, jsonl, korean};
use crate::malmoi::{all_lines, call, done};

#[test]
fn plain_gzip_and_zstd_of_several_members_hold_the_same_documents() {
    let corpus = Corpus::new();
    let data = corpus.path().join("data");
    let halves: Vec<String> = [0..20, 20..40].map(|range| range.map(|at| jsonl(&format!("k{at}"), &korean(at))).collect()).into();
    let mut gzip = Vec::new();
    let mut zst = Vec::new();
    for half in &halves {
        let mut member = GzEncoder::new(Vec::new(), Compression::default());
        member.write_all(half.as_bytes()).unwrap();
        gzip.extend(member.finish().unwrap());
        zst.extend(zstd::encode_all(half.as_bytes(), 3).unwrap());
    }
    for (name, bytes) in [("a.jsonl", halves.concat().into_bytes()), ("a.jsonl.gz", gzip), ("a.jsonl.zst", zst)] {
        std::fs::write(data.join(name), bytes).unwrap();
        let set = format!("sources.0.files=data/{name}");
        done(corpus.path(), &["stage", "clean", "recipe.toml", "--part", "0", "--set", &set, "--set", &format!("output=out/{name}")]);
    }
    let kept = |name: &str| all_lines(&corpus.out(name).join("documents"));
    assert_eq!(kept("a.jsonl").len(), 40);
    assert_eq!(kept("a.jsonl"), kept("a.jsonl.gz"));
    assert_eq!(kept("a.jsonl"), kept("a.jsonl.zst"));
}

#[test]
fn every_file_of_a_run_can_be_inspected() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml"]);
    let run = corpus.out("run");
    for (file, expected) in [
        ("", "shards"),
        ("documents", "ko-0"),
        ("rejects/ko-00000.jsonl.zst", "ko-short"),
        ("duplicates/ko-00000.jsonl.zst", "ko-exact"),
        ("signatures/ko-00000.sig", "signatures"),
        ("stats/ko-00000.parquet", "rows"),
        ("stats/ko-00000.json", "kept"),
        ("shards/korean/ko-00000.shard", "ko-0"),
        ("manifest.json", "ko-00000.shard"),
        ("mixture.json", "korean"),
        ("metrics.jsonl", "loss"),
        ("recipe.lock", "fingerprint"),
    ] {
        let shown = done(corpus.path(), &["inspect", run.join(file).to_str().unwrap()]).stdout;
        assert!(shown.contains(expected), "{file}: {shown}");
    }
    // A shard shows its text again, by the run's own tokenizer.
    let shown = done(corpus.path(), &["inspect", run.join("shards/korean/ko-00000.shard").to_str().unwrap()]).stdout;
    assert!(shown.contains("이야기에서"), "{shown}");
    assert_eq!(call(corpus.path(), &["inspect", "data/code/src/m00.rs"]).code, 2);
}

#[test]
fn a_sentence_can_be_trained_on_with_bytes_alone() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml", "--set", "tokenizer={bytes=true}"]);
    done(corpus.path(), &["audit", "out/run", "--deep"]);
}
