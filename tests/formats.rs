//! Every input format gives the same documents; every output file can be inspected.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use polars::prelude::ParquetWriter;

use crate::corpus::{Corpus, jsonl, korean};
use crate::malmoi::{all_lines, call, done, files};

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

#[test]
fn a_parquet_file_holds_the_same_documents() {
    let corpus = Corpus::new();
    let data = corpus.path().join("data");
    let (ids, texts): (Vec<String>, Vec<String>) = (0..40).map(|at| (format!("k{at}"), korean(at))).unzip();
    std::fs::write(data.join("a.jsonl"), ids.iter().zip(&texts).map(|(id, text)| jsonl(id, text)).collect::<String>()).unwrap();
    let mut frame = polars::df!("id" => ids, "text" => texts).unwrap();
    let file = std::fs::File::create(data.join("a.parquet")).unwrap();
    ParquetWriter::new(file).with_row_group_size(Some(15)).finish(&mut frame).unwrap();
    for (name, format) in [("a.jsonl", "jsonl"), ("a.parquet", "parquet")] {
        let [files, format] = [format!("sources.0.files=data/{name}"), format!("sources.0.format={format}")];
        let output = format!("output=out/{name}");
        done(corpus.path(), &["stage", "clean", "recipe.toml", "--part", "0", "--set", &files, "--set", &format, "--set", &output]);
    }
    let kept = |name: &str| all_lines(&corpus.out(name).join("documents"));
    assert_eq!(kept("a.jsonl").len(), 40);
    assert_eq!(kept("a.jsonl"), kept("a.parquet"));
}

#[test]
fn a_trained_tokenizer_can_be_loaded_and_gives_the_same_shards() {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    let load = format!("tokenizer={{load=\"{}\"}}", corpus.out("run").join("tokenizer/tokenizer.json").display());
    done(corpus.path(), &["build", "recipe.toml", "--set", &load, "--set", "output=out/loaded"]);
    let shards = |run: &str| files(&corpus.out(run), &|name| name.ends_with(".shard"));
    assert!(shards("run").len() >= 3);
    assert!(shards("run") == shards("loaded"), "the same tokenizer gave other shards");
}

#[test]
fn a_sentencepiece_model_can_take_the_place_of_a_trained_tokenizer() {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    let load = format!("tokenizer={{load=\"{}/tests/data/tiny.model\"}}", env!("CARGO_MANIFEST_DIR"));
    done(corpus.path(), &["build", "recipe.toml", "--set", &load]);
    let run = corpus.out("run");
    let names: Vec<String> = files(&run.join("tokenizer"), &|_| true).into_keys().collect();
    assert_eq!(names, ["end-token.json", "tokenizer.model"], "the earlier tokenizer must not stay beside the new one");
    done(corpus.path(), &["audit", "out/run", "--deep"]);
    let shown = done(corpus.path(), &["inspect", run.join("shards/korean/ko-00000.shard").to_str().unwrap()]).stdout;
    assert!(shown.contains("vocabulary 900") && shown.contains("이야기에서"), "{shown}");
}

/// `tiny.json` holds the ids that SentencePiece itself gave; `tiny_model.py` made it.
#[test]
fn sentencepiece_ids_are_those_of_the_library() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
    let tokenizer = shards::Tokenizer::load(format!("{folder}/tiny.model"), None).unwrap();
    let expected: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(format!("{folder}/tiny.json")).unwrap()).unwrap();
    assert_eq!(expected.len(), 6);
    for line in expected {
        let ids: Vec<u64> = tokenizer.encode(line["text"].as_str().unwrap()).unwrap().into_iter().map(u64::from).collect();
        assert_eq!(serde_json::json!(ids), line["ids"], "{}", line["text"]);
    }
}
