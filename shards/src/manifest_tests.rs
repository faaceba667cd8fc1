//! Manifests that are refused, each for its own reason.

use crate::info::{ShardInfo, ShardMeta, SourceCount, TokenizedDocument};
use crate::manifest::{Manifest, ShardEntry, Split};
use crate::mixture::Supply;
use crate::tokenizer::Tokenizer;
use crate::writer::ShardWriter;

fn entry(path: &str) -> ShardEntry {
    let counts = |name: &str, documents, tokens, text_bytes| SourceCount { name: name.to_owned(), documents, tokens, text_bytes };
    let info = ShardInfo {
        path: path.into(),
        bucket: "korean".to_owned(),
        documents: 3,
        tokens: 30,
        text_bytes: 90,
        file_bytes: 5000,
        checksum: [3; 32],
        sources: vec![counts("a", 1, 10, 30), counts("b", 2, 20, 60)],
    };
    ShardEntry::new(path, Split::Train, &info)
}

#[test]
fn is_read_back_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.json");
    let mut held_out = entry("shards/korean/held-out.shard");
    held_out.split = Split::HeldOut;
    let shards = vec![entry("shards/korean/0.shard"), entry("shards/korean/1.shard"), held_out];
    let manifest = Manifest::new(&Tokenizer::bytes(), shards);
    manifest.save(&path).unwrap();
    assert_eq!(Manifest::load(&path).unwrap(), manifest);
    assert_eq!(manifest.available(), [Supply { bucket: "korean".to_owned(), tokens: 60, copies: 0 }]);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"split\": \"held-out\"") && text.contains("\"eos-token\""), "{text}");
    std::fs::write(&path, text.replace("\"bucket\"", "\"bukket\"")).unwrap();
    assert!(Manifest::load(&path).unwrap_err().to_string().contains("bukket"));
    std::fs::write(&path, &text[..text.len() / 2]).unwrap();
    assert!(Manifest::load(&path).is_err());
}

#[test]
fn refuses_paths_and_sums_that_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.json");
    let save = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = Manifest::new(&Tokenizer::bytes(), vec![entry("a/0.shard"), entry("a/1.shard")]);
        change(&mut manifest);
        manifest.save(&path).map_err(|error| error.to_string())
    };
    assert_eq!(save(&|_| {}), Ok(()));
    let outside = ["", "/etc/passwd", "../a", "a/../../b", "./a", "a//b", "a/", "C:/a", "a\\b", "a\0"];
    for name in outside {
        let error = save(&|manifest| manifest.shards[0].path = name.to_owned()).unwrap_err();
        assert!(error.contains("relative path"), "{name}: {error}");
    }
    type Change<'a> = (&'a dyn Fn(&mut Manifest), &'a str);
    let changes: [Change<'_>; 10] = [
        (&|m| m.shards[1].path = "a/0.shard".into(), "listed twice"),
        (&|m| m.shards[0].tokens += 1, "sum to"),
        (&|m| m.shards[0].sources[0].text_bytes = u64::MAX, "overflow"),
        (&|m| m.shards[0].bucket.clear(), "no bucket"),
        (&|m| m.tokenizer.eos = 257, "end token 257"),
        (&|m| m.version = 2, "version 2"),
        (&|m| m.shards[0].repeats = 0, "repeated 0 times, not 1 to 100"),
        (&|m| m.shards[0].repeats = 101, "repeated 101 times"),
        (&|m| (m.shards[0].split, m.shards[0].repeats) = (Split::HeldOut, 2), "repeated 2 times, not 1 to 1"),
        (
            &|m| (m.shards[0].repeats, m.shards[0].tokens, m.shards[0].sources[0].tokens) = (100, u64::MAX / 50, u64::MAX / 50 - 20),
            "overflow",
        ),
    ];
    for (change, message) in changes {
        let error = save(change).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_shard_of_another_run_is_refused_where_it_differs() {
    let folder = tempfile::tempdir().unwrap();
    let write = |meta: ShardMeta, tokens: &[u32], source: &str| {
        let mut writer = ShardWriter::create(folder.path().join("0.shard"), meta).unwrap();
        let text_bytes = tokens.len().min(2) as u64;
        writer.push(TokenizedDocument { id: "d", source, text_bytes, tokens, content_hash: None }).unwrap();
        writer.finish().unwrap()
    };
    let meta = || ShardMeta::new("korean", &Tokenizer::bytes());
    let info = write(meta(), &[1, 2], "s");
    let manifest = Manifest::new(&Tokenizer::bytes(), vec![ShardEntry::new("0.shard", Split::Train, &info)]);
    manifest.verify(folder.path()).unwrap();
    manifest.check_headers(folder.path()).unwrap();
    let found = |meta: ShardMeta, tokens: &[u32], source: &str| {
        write(meta, tokens, source);
        let error = manifest.open_shard(folder.path(), &manifest.shards[0]).unwrap_err().to_string();
        assert!(error.contains("0.shard: damaged at byte "), "{error}");
        assert_eq!(manifest.check_headers(folder.path()).unwrap_err().to_string(), error);
        error.split("at byte ").nth(1).unwrap().to_owned()
    };
    let listed = |what: &str| format!("{what} is not that in the manifest");
    let fingerprint = ShardMeta { tokenizer: [9; 32], ..meta() };
    assert_eq!(found(fingerprint, &[1, 2], "s"), listed("96: the tokenizer"));
    assert_eq!(found(ShardMeta { vocab_size: 300, ..meta() }, &[1, 2], "s"), listed("88: the vocabulary size"));
    assert_eq!(found(ShardMeta { eos: 0, ..meta() }, &[1, 2], "s"), listed("92: the end token"));
    assert_eq!(found(ShardMeta { bucket: "code".into(), ..meta() }, &[1, 2], "s"), listed("128: the bucket"));
    assert_eq!(found(meta(), &[1, 2, 3], "s"), listed("56: the number of tokens"));
    assert_eq!(found(meta(), &[1, 3], "s"), listed("16: the checksum"));
    assert_eq!(found(meta(), &[1, 2], "other"), listed("16: the checksum"));
}
