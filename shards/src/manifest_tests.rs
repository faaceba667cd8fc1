//! Manifests that are refused, each for its own reason.

use crate::info::{ShardInfo, SourceCount};
use crate::manifest::{Manifest, ShardEntry, Split};
use crate::tokenizer::Tokenizer;

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
    assert_eq!(manifest.available(), [("korean".to_owned(), 60)]);
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
    let changes: [Change<'_>; 6] = [
        (&|m| m.shards[1].path = "a/0.shard".into(), "listed twice"),
        (&|m| m.shards[0].tokens += 1, "sum to"),
        (&|m| m.shards[0].sources[0].text_bytes = u64::MAX, "overflow"),
        (&|m| m.shards[0].bucket.clear(), "no bucket"),
        (&|m| m.tokenizer.eos = 257, "end token 257"),
        (&|m| m.version = 2, "version 2"),
    ];
    for (change, message) in changes {
        let error = save(change).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}
