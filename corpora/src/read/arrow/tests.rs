//! Arrow files and streams, and the nested columns of Parquet, against what pyarrow reads in them
//! (`corpora/testdata/tables/make.py`).

use std::io::Cursor;
use std::path::Path;

use polars_arrow::io::ipc::format::ipc;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::super::tests::Corpus;
use super::{body, message};
use crate::error::Result;
use crate::{Document, Role};

const FILES: [&str; 5] = ["file.arrow", "lz4.feather", "zstd.feather", "stream.arrow", "stream-zstd.arrow"];
const TABLES: [&str; 7] =
    ["file.arrow", "lz4.feather", "zstd.feather", "stream.arrow", "stream-zstd.arrow", "nested.parquet", "legacy.parquet"];

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tables").join(name)).unwrap()
}

/// A source over one of the tables.
fn corpus(name: &str, settings: &str) -> Corpus {
    let format = if name.ends_with("parquet") { "parquet" } else { "arrow" };
    Corpus::new(&format!(r#""format": "{format}"{settings}"#)).file(name, fixture(name))
}

/// The rows as pyarrow reads them.
fn expected() -> Vec<Map<String, Value>> {
    String::from_utf8(fixture("expected.jsonl")).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn comparable(records: Vec<Result<Document>>) -> Vec<std::result::Result<Document, String>> {
    records.into_iter().map(|record| record.map_err(|error| error.to_string())).collect()
}

#[test]
fn every_cell_is_what_pyarrow_reads() {
    let kept = ["body", "score", "good", "meta", "messages", "answers", "small", "fixed", "meta.deep.n", "meta.deep.tags", "lang"];
    let settings = format!(r#", "id-field": "id", "lang-field": "lang", "keep-meta": {}"#, serde_json::to_string(&kept).unwrap());
    for name in TABLES {
        let corpus = corpus(name, &settings);
        let read = corpus.read();
        assert_eq!(read.len(), 9, "{name}");
        for (row, (found, expected)) in read.into_iter().zip(expected()).enumerate() {
            let Some(text) = expected["text"].as_str() else {
                let error = found.unwrap_err().to_string();
                assert!(error.ends_with(&format!("{name}: row {row}: no field `text`")), "{error}");
                continue;
            };
            let found = found.unwrap();
            assert_eq!((found.text.as_str(), found.id.as_str()), (text, row.to_string().as_str()), "{name}");
            assert_eq!(found.lang.as_deref(), expected["lang"].as_str(), "{name}");
            for field in &kept[..8] {
                assert_eq!(found.meta[*field], expected[*field], "{name}: row {row}: {field}");
            }
            let deep = &expected["meta"]["deep"];
            assert_eq!((&found.meta["meta.deep.n"], &found.meta["meta.deep.tags"]), (&deep["n"], &deep["tags"]), "{name}: row {row}");
        }
    }
}

#[test]
fn conversations_in_lists_of_structs() {
    for name in TABLES {
        let corpus = corpus(name, r#", "chat": { "messages": "messages" }"#);
        let read = corpus.read();
        assert_eq!(read.len(), 9);
        // Even rows have a question and no answer.
        let error = read[2].as_ref().unwrap_err().to_string();
        assert!(error.contains("row 2: field `messages`: no message of the assistant"), "{error}");
        let turns: Vec<_> = read[3].as_ref().unwrap().turns.iter().map(|turn| (turn.role, turn.text.as_str())).collect();
        assert_eq!(turns, [(Role::User, "질문 3"), (Role::Assistant, "답 3")], "{name}");
    }
}

#[test]
fn a_cut_at_record_batches_changes_nothing() {
    for name in TABLES {
        let corpus = corpus(name, "");
        let whole = comparable(corpus.read());
        let parts = corpus.plan(1);
        let batches = match name {
            "file.arrow" | "lz4.feather" | "nested.parquet" => 3,
            _ => 1, // a stream has no index
        };
        assert_eq!(parts.len(), batches, "{name}");
        assert_eq!(comparable(corpus.read_by(1)), whole, "{name}");
    }
}

#[test]
fn columns_that_cannot_serve_stop_the_plan() {
    for (settings, said) in [
        (r#", "text-field": "none""#, "has no column `none`; its columns are: answers, body, fixed, good, id, lang, messages, meta"),
        (r#", "text-field": "score""#, ": column `score` is not text"),
        (r#", "text-field": "meta.deep""#, ": column `meta.deep` is not text"),
        (r#", "id-field": "good""#, ": column `good` is not text or integers"),
        (r#", "keep-meta": ["meta.none"]"#, "has no column `meta.none`"),
        (r#", "chat": { "messages": "message" }"#, "has no column `message`"),
    ] {
        for name in ["file.arrow", "stream.arrow", "nested.parquet"] {
            let error = corpus(name, settings).read_error();
            assert!(error.starts_with("source `s`: ") && error.contains(said), "{error}");
        }
    }
}

#[test]
fn a_damaged_record_batch_is_one_error_and_the_next_is_read() {
    for name in ["file.arrow", "stream.arrow", "lz4.feather"] {
        let mut bytes = fixture(name);
        // The second batch of four rows: its text holds this, in lz4 too. (The first may hold all texts.)
        let needle = "4번째".as_bytes();
        let at = bytes.windows(needle.len()).rposition(|window| window == needle).unwrap();
        if name == "lz4.feather" {
            bytes[at - 7..at - 1].fill(0xff);
        } else {
            bytes[at] = 0xff;
        }
        let corpus = corpus(name, "").file(name, &bytes);
        let read = corpus.read();
        let errors: Vec<String> = read.iter().filter_map(|record| record.as_ref().err()).map(ToString::to_string).collect();
        if name == "lz4.feather" {
            assert_eq!((read.len(), errors.len()), (4 + 1 + 1, 2), "{errors:?}");
            assert!(errors[1].contains("row 4: damaged: ") && errors[1].ends_with("; its 4 rows are lost"), "{errors:?}");
        } else {
            // A byte that is no UTF-8 costs its row alone.
            assert_eq!((read.len(), errors.len()), (9, 2), "{errors:?}");
            assert!(errors[1].contains("row 4: invalid UTF-8"), "{errors:?}");
        }
        assert_eq!(read.last().unwrap().as_ref().unwrap().text, expected()[8]["text"].as_str().unwrap());
    }
}

#[test]
fn buffers_that_claim_more_than_any_text_are_refused() {
    let whole = fixture("zstd.feather");
    // Before the frame of each buffer stands its length, in eight bytes.
    let frames: Vec<usize> = memchr::memmem::find_iter(&whole, b"\x28\xb5\x2f\xfd").collect();
    assert!(frames.len() > 3);
    for at in frames {
        let mut bytes = whole.clone();
        bytes[at - 8..at].copy_from_slice(&(300_u64 << 20).to_le_bytes());
        let read = corpus("zstd.feather", "").file("zstd.feather", bytes).read();
        let errors: Vec<String> = read.into_iter().filter_map(|record| Some(record.err()?.to_string())).collect();
        assert!(errors.iter().any(|error| error.contains("more than 300 times their size")), "byte {at}: {errors:?}");
    }
}

#[test]
fn what_is_no_table_is_one_error() {
    let file = fixture("file.arrow");
    let lying = [&file[..file.len() - 10], &u32::MAX.to_le_bytes(), b"ARROW1"].concat();
    let long = [&[0xff; 4][..], &0x7fff_ffff_u32.to_le_bytes(), b"x"].concat();
    for bytes in [&file[..file.len() - 1], &file[..20], b"ARROW1", &lying, &long, b"x", &b"x".repeat(5000), &[0; 64]] {
        let corpus = corpus("file.arrow", "").file("file.arrow", bytes);
        let read = corpus.read_by(10);
        assert_eq!(read.len(), 1);
        let error = read[0].as_ref().unwrap_err().to_string();
        assert!(error.contains("file.arrow: row 0: damaged: "), "{error}");
    }
    // A stream may lack the mark of its end, and breaks off where it is cut.
    let stream = fixture("stream.arrow");
    let cut = corpus("stream.arrow", "").file("stream.arrow", &stream[..stream.len() - 8]);
    assert_eq!(cut.read().len(), 9);
    let cut = corpus("stream.arrow", "").file("stream.arrow", &stream[..stream.len() - 100]);
    let error = cut.read().pop().unwrap().unwrap_err();
    assert!(error.loses_more_than_a_record() && error.to_string().contains("row 8: damaged: "), "{error}");
}

/// The messages of a stream with their bodies: schema, dictionary, three record batches.
fn messages(stream: &[u8]) -> Vec<&[u8]> {
    let (bytes, mut at, mut found) = (stream.len() as u64, 0, Vec::new());
    while let Some(message) = message::at(&mut Cursor::new(stream), at, bytes).unwrap() {
        let end = message.measure(&mut Cursor::new(stream), bytes).unwrap().end;
        found.push(&stream[at as usize..end as usize]);
        at = end;
    }
    assert_eq!(found.len(), 5);
    found
}

/// The same dictionary, said to be added to the one before.
fn delta(dictionary: &[u8]) -> Vec<u8> {
    let read = message::at(&mut Cursor::new(dictionary), 0, dictionary.len() as u64).unwrap().unwrap();
    let mut message = ipc::Message::try_from(read.root().unwrap()).unwrap();
    let Some(ipc::MessageHeader::DictionaryBatch(batch)) = &mut message.header else { panic!("no dictionary") };
    batch.is_delta = true;
    let bytes = body::written(&message);
    [&[0xff; 4][..], &(bytes.len() as u32).to_le_bytes(), &bytes, &dictionary[read.body as usize..]].concat()
}

#[test]
fn a_dictionary_that_is_refused_ends_its_stream() {
    let stream = fixture("stream.arrow");
    let [schema, dictionary, first, second, third] = messages(&stream)[..] else { panic!("other messages") };
    let settings = r#", "lang-field": "lang""#;
    let read = |bytes: &[u8]| corpus("stream.arrow", settings).file("stream.arrow", bytes).read();
    let good = |records: Vec<Result<Document>>| records.into_iter().flatten().collect::<Vec<_>>();
    let expected = good(corpus("stream.arrow", settings).read());
    // One that takes the place of another is taken.
    let replaced = [schema, dictionary, first, dictionary, second, third].concat();
    assert_eq!(good(read(&replaced)), expected);
    let added = [schema, dictionary, first, &delta(dictionary), second, third].concat();
    let mut found = read(&added);
    let error = found.pop().unwrap().unwrap_err();
    assert!(error.loses_more_than_a_record(), "{error}");
    let error = error.to_string();
    assert!(error.contains("row 4: damaged: ") && error.contains("delta") && error.ends_with("; what follows is lost"), "{error}");
    assert_eq!(good(found), expected[..3]); // row 3 has no text
}

#[test]
fn what_is_missing_of_a_table_is_said() {
    let stream = [&fixture("stream.arrow")[..], b"more"].concat();
    let found = corpus("stream.arrow", "").file("stream.arrow", &stream).read();
    assert_eq!(found.len(), 10);
    let error = found[9].as_ref().unwrap_err().to_string();
    assert!(error.ends_with("row 9: damaged: the stream ends 4 bytes before the file; what follows is lost"), "{error}");

    // The stream in a file, behind its magic number, with a record batch of zeros.
    let mut file = fixture("file.arrow");
    let lengths: Vec<usize> = messages(&file[8..]).iter().map(|message| message.len()).collect();
    let start = 8 + lengths[..3].iter().sum::<usize>();
    file[start..start + lengths[3]].fill(0);
    let corpus = corpus("file.arrow", "").file("file.arrow", &file);
    let found = corpus.read();
    assert_eq!(found.len(), 4 + 1 + 1);
    let error = found[4].as_ref().unwrap_err().to_string();
    assert!(error.ends_with("row 4: damaged: a record batch that the footer lists is missing; its rows are lost"), "{error}");
    assert_eq!(comparable(corpus.read_by(1)), comparable(found));
}

#[test]
fn a_record_may_not_be_longer_than_the_limit() {
    for name in TABLES {
        let corpus = corpus(name, r#", "max-record-bytes": 60, "keep-meta": ["messages"]"#);
        let shown = corpus.shown();
        assert!(shown[1].starts_with("1 1번째") || shown[1].contains("longer than max-record-bytes = 60"), "{shown:?}");
        assert!(shown[8].contains("row 8: record longer than max-record-bytes = 60"), "{name}: {shown:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn damaged_tables_are_read_to_an_end(
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        file in 0..FILES.len(),
        in_the_tail in any::<bool>(),
    ) {
        let mut bytes = fixture(FILES[file]);
        // Footer, or schema.
        let size = bytes.len().min(2000);
        let first = if in_the_tail { bytes.len() - size } else { 0 };
        for (at, byte) in flips {
            let at = first + at.index(if in_the_tail { size } else { bytes.len() });
            bytes[at] = byte;
        }
        let settings = r#", "lang-field": "lang", "keep-meta": ["score", "good", "meta", "messages", "small", "fixed"]"#;
        let corpus = corpus(FILES[file], settings).file(FILES[file], &bytes);
        if corpus.try_plan(1000).is_ok() {
            let (whole, cut) = (comparable(corpus.read()), comparable(corpus.read_by(1000)));
            prop_assert!(whole.len() < 1 << 20);
            prop_assert_eq!(whole.iter().any(std::result::Result::is_err), cut.iter().any(std::result::Result::is_err));
            // A table that cannot be opened is an error of each part.
            let documents = |records: Vec<std::result::Result<Document, String>>| records.into_iter().flatten().collect::<Vec<_>>();
            prop_assert_eq!(documents(whole), documents(cut));
        }
    }
}
