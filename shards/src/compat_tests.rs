//! Shards of every format version that is read, kept as files: they were written by a script that knows
//! FORMAT.md alone, so they hold reader and writer to it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::info::{Compression, ShardMeta, TokenizedDocument};
use crate::judged::Judged;
use crate::reader::ShardReader;
use crate::writer::{ShardWriter, content_hash};

/// Id, source, bytes of text, tokens, spans.
type Doc<'a> = (&'a str, &'a str, u64, &'a [u32], &'a [Range<u32>]);

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/shards").join(name)
}

fn holds(name: &str, meta: &ShardMeta, documents: &[Doc<'_>]) {
    holds_judged(name, meta, documents, &[], &[]);
}

/// The same of a shard whose documents have judged answers, or hashes of these contents.
fn holds_judged(name: &str, meta: &ShardMeta, documents: &[Doc<'_>], judged: &[Judged], contents: &[&str]) {
    let content = |index: usize| contents.get(index).map(|text| content_hash(text.as_bytes()));
    let reader = ShardReader::open(file(name)).unwrap();
    reader.verify().unwrap();
    assert_eq!((reader.bucket(), reader.vocab_size(), reader.eos()), (meta.bucket.as_str(), meta.vocab_size, meta.eos));
    assert_eq!((reader.tokenizer(), reader.has_loss(), reader.len()), (meta.tokenizer, meta.loss, documents.len() as u64));
    for (index, (id, source, bytes, tokens, spans)) in (0..).zip(documents) {
        let document = reader.document(index).unwrap();
        assert_eq!((document.id, document.source, document.text_bytes), (*id, *source, *bytes));
        let mut ids = Vec::new();
        reader.tokens(document.tokens.clone(), &mut ids).unwrap();
        assert_eq!(ids, [*tokens, &[meta.eos]].concat());
        assert_eq!(reader.loss_spans(index).unwrap(), meta.loss.then(|| spans.to_vec()));
        assert_eq!(reader.judged(index).unwrap(), judged.get(index as usize).copied());
        assert_eq!(document.content_hash, content(index as usize));
    }
    // The writer gives the same bytes; frames are those of zstd 1.5.7, and another one may make them otherwise.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let mut writer = ShardWriter::create(&path, meta.clone()).unwrap();
    for (index, (id, source, text_bytes, tokens, spans)) in documents.iter().enumerate() {
        let document = TokenizedDocument { id, source, text_bytes: *text_bytes, tokens, content_hash: content(index) };
        if let Some(judged) = judged.get(index) {
            writer.push_judged(document, spans, *judged)
        } else if meta.loss {
            writer.push_with_loss(document, spans)
        } else {
            writer.push(document)
        }
        .unwrap();
    }
    writer.finish().unwrap();
    assert!(std::fs::read(path).unwrap() == std::fs::read(file(name)).unwrap(), "{name}");
}

#[test]
fn version_1_0_is_read_and_written() {
    let meta = |bucket: &str, vocab_size, eos, loss| ShardMeta {
        bucket: bucket.to_owned(),
        tokenizer: [7; 32],
        vocab_size,
        eos,
        loss,
        judged: false,
        compression: Compression::None,
    };
    let hello: Vec<u32> = "안녕".bytes().map(u32::from).collect();
    let plain: [Doc<'_>; 3] = [("ko-1", "web", 6, &hello, &[]), ("ko-2", "law", 0, &[], &[]), ("문서 3", "web", 3, &[97, 98, 99], &[])];
    holds("v1.0.shard", &meta("한국어", 257, 256, false), &plain);
    let one = 9..12;
    let talk: [Doc<'_>; 3] = [
        ("talk-1", "talk", 20, &[151_644, 872, 198, 9, 151_645, 198, 151_644, 77_091, 198, 10, 11], std::slice::from_ref(&one)),
        ("talk-2", "talk", 9, &[1, 2, 3, 4, 5, 6], &[1..2, 4..6]),
        ("talk-3", "talk", 4, &[8], &[]),
    ];
    holds("v1.0-loss.shard", &meta("chat", 151_669, 151_645, true), &talk);
}

#[test]
fn version_1_1_is_read_and_written() {
    let meta = ShardMeta {
        bucket: "preference".to_owned(),
        tokenizer: [7; 32],
        vocab_size: 300,
        eos: 299,
        loss: true,
        judged: true,
        compression: Compression::None,
    };
    let spans = [2..4, 6..9];
    let (good, bad) = (1..3, 2..3);
    let documents: [Doc<'_>; 3] = [
        ("p-1", "hh", 20, &[1, 2, 3, 299, 1, 2, 4, 5], &spans),
        ("p-2", "hh", 7, &[9, 8], std::slice::from_ref(&good)),
        ("p-3", "kto", 5, &[9, 7, 6], std::slice::from_ref(&bad)),
    ];
    let judged = [Judged::Pair { split: 4, margin: 1.5 }, Judged::Desirable, Judged::Undesirable];
    holds_judged("v1.1-judged.shard", &meta, &documents, &judged, &[]);
}

#[test]
fn version_2_0_is_read_and_written() {
    let meta = |loss, judged| ShardMeta {
        bucket: "한국어".to_owned(),
        tokenizer: [7; 32],
        vocab_size: 300,
        eos: 299,
        loss,
        judged,
        compression: Compression::Zstd,
    };
    // 80,000 bytes of tokens and more: two blocks.
    let long: Vec<u32> = (0..40_000u32).map(|at| at * at % 251).collect();
    let documents: [Doc<'_>; 3] = [("ko-1", "web", 6, &[5, 6, 7], &[]), ("long", "law", 80_000, &long, &[]), ("ko-3", "web", 0, &[], &[])];
    holds("v2.0.shard", &meta(false, false), &documents);
    let spans = [2..4, 6..9];
    let pair: [Doc<'_>; 1] = [("p-1", "hh", 20, &[1, 2, 3, 299, 1, 2, 4, 5], &spans)];
    holds_judged("v2.0-judged.shard", &meta(true, true), &pair, &[Judged::Pair { split: 4, margin: 1.5 }], &[]);
}

#[test]
fn versions_1_2_and_2_1_are_read_and_written() {
    let hello: Vec<u32> = "안녕".bytes().map(u32::from).collect();
    let plain: [Doc<'_>; 2] = [("ko-1", "web", 6, &hello, &[]), ("ko-2", "law", 0, &[], &[])];
    let meta = |vocab_size, judged, compression| ShardMeta {
        bucket: "한국어".to_owned(),
        tokenizer: [7; 32],
        vocab_size,
        eos: vocab_size - 1,
        loss: judged,
        judged,
        compression,
    };
    holds_judged("v1.2.shard", &meta(257, false, Compression::None), &plain, &[], &["안녕", ""]);
    let spans = [2..4, 6..9];
    let pair: [Doc<'_>; 1] = [("p-1", "hh", 13, &[1, 2, 3, 299, 1, 2, 4, 5], &spans)];
    let turns = [("user", "가"), ("assistant", "나"), ("assistant", "다")]
        .map(|(role, text)| format!("{{\"role\":\"{role}\",\"text\":\"{text}\"}}"));
    let content = format!("가\n\n나\n\n다\0[[{}],{{\"pair\":1.5}}]", turns.join(","));
    let judged = [Judged::Pair { split: 4, margin: 1.5 }];
    holds_judged("v2.1-judged.shard", &meta(300, true, Compression::Zstd), &pair, &judged, &[&content]);
}
