use std::fs;
use std::io::Write;
use std::path::PathBuf;

use super::*;
use crate::plan::plan;

mod properties;

/// A folder of input files and the settings of a source over it.
pub(super) struct Corpus {
    folder: tempfile::TempDir,
    pub(super) source: Source,
}

impl Corpus {
    /// A source of everything in the folder; `settings` are the TOML-like rest, as JSON.
    pub(super) fn new(settings: &str) -> Self {
        let json = format!(r#"{{ "name": "s", "bucket": "b", "files": "*", {settings} }}"#);
        let source: Source = serde_json::from_str(&json).unwrap();
        source.validate().unwrap();
        Self { folder: tempfile::tempdir().unwrap(), source }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn file(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), bytes).unwrap();
        self
    }

    pub(super) fn try_plan(&self, part_bytes: u64) -> Result<Vec<Part>> {
        plan(std::slice::from_ref(&self.source), self.folder.path(), part_bytes)
    }

    pub(super) fn plan(&self, part_bytes: u64) -> Vec<Part> {
        self.try_plan(part_bytes).unwrap()
    }

    pub(super) fn read_error(&self) -> String {
        self.try_plan(1 << 20).unwrap_err().to_string()
    }

    pub(super) fn read(&self) -> Vec<Result<Document>> {
        self.read_by(1 << 30)
    }

    pub(super) fn read_by(&self, part_bytes: u64) -> Vec<Result<Document>> {
        self.plan(part_bytes).iter().flat_map(|part| read(part, &self.source)).collect()
    }

    /// `id text` of each document; of each error `! ` and what it says, without the folder.
    pub(super) fn shown(&self) -> Vec<String> {
        shown(self.read(), &format!("{}/", self.folder.path().display()))
    }
}

fn shown(records: Vec<Result<Document>>, folder: &str) -> Vec<String> {
    let show = |record: Result<Document>| match record {
        Ok(document) => format!("{} {}", document.id, document.text),
        Err(error) => format!("! {}", error.to_string().replace(folder, "")),
    };
    records.into_iter().map(show).collect()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

const JSONL: &str = r#""format": "jsonl""#;
const TEXT: &str = r#""format": "text""#;
const LINES: &str = r#""format": "text", "split": "line""#;
const PARAGRAPHS: &str = r#""format": "text", "split": "paragraph""#;
const CODE: &str = r#""format": "code""#;

#[test]
fn jsonl_with_crlf_blank_lines_a_mark_and_no_last_newline() {
    let corpus = Corpus::new(JSONL)
        .file("a.jsonl", "\u{feff}{\"text\": \"하나\"}\r\n\r\n  \t\n{\"text\": \"둘\", \"id\": \"x\"}\n{\"text\": \"셋\"}");
    // 3 + 18 + 2, 2, 4, 27 + 1
    assert_eq!(corpus.shown(), ["s:a.jsonl#0 하나", "x 둘", "s:a.jsonl#56 셋"]);
}

#[test]
fn one_bad_record_is_one_error_and_reading_goes_on() {
    let mut bytes = b"{\"text\": \"a\"}\n{\"text\": \"\xff\"}\n{\"body\": 1}\n{\"text\": 1}\nnonsense\n".to_vec();
    bytes.extend_from_slice(b"{\"text\": \"b\"}\n");
    let corpus = Corpus::new(JSONL).file("a.jsonl", &bytes);
    assert_eq!(
        corpus.shown(),
        [
            "s:a.jsonl#0 a",
            "! a.jsonl: byte 14: invalid UTF-8 at byte 10 of the record",
            "! a.jsonl: byte 28: no field `text`",
            "! a.jsonl: byte 40: field `text` is a number, not a string",
            "! a.jsonl: byte 52: invalid JSON: expected ident at line 1 column 2",
            "s:a.jsonl#61 b",
        ]
    );
    assert!(corpus.read().iter().flat_map(|record| record.as_ref().err()).all(|error| !error.loses_more_than_a_record()));
    let replacing = Corpus::new(r#""format": "jsonl", "encoding-errors": "replace""#).file("a.jsonl", &bytes);
    assert_eq!(replacing.shown()[1], "s:a.jsonl#14 \u{fffd}");
}

#[test]
fn all_members_and_frames_are_read_and_offsets_go_on_through_them() {
    let (one, two) = (b"{\"text\": \"a\"}\n{\"te".as_slice(), b"xt\": \"b\"}\n".as_slice());
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9];
    let zst = [skippable.as_slice(), &zstd(one), &skippable, &zstd(b""), &zstd(two)].concat();
    let gz = [gzip(one), gzip(b""), gzip(two)].concat();
    let expected = |name: &str| [format!("s:{name}#0 a"), format!("s:{name}#14 b")];
    for (name, bytes) in [("a.jsonl.zst", &zst), ("a.jsonl.gz", &gz), ("named-wrong.jsonl", &zst), ("no-name", &gz)] {
        assert_eq!(Corpus::new(JSONL).file(name, bytes).shown(), expected(name));
    }
}

#[test]
fn a_stream_that_breaks_off_gives_what_came_before_and_then_the_next_file() {
    // Text that does not compress to nothing, so that half the file is about half the records.
    let noise = |n: u64| (0..8).map(|k| format!("{:x} ", (n * 8 + k).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect::<String>();
    let text: String = (0..9000).map(|n| format!("{{\"text\": \"{}\"}}\n", noise(n))).collect();
    for (name, whole) in [("a.jsonl.zst", zstd(text.as_bytes())), ("a.jsonl.gz", gzip(text.as_bytes()))] {
        let corpus = Corpus::new(JSONL).file(name, &whole[..whole.len() / 2]).file("b.jsonl", "{\"text\": \"next\"}");
        let records = corpus.read();
        let good = records.iter().take_while(|record| record.is_ok()).count();
        assert!((1000..9000).contains(&good), "{good}");
        assert_eq!(records.len(), good + 2);
        let error = records[good].as_ref().unwrap_err();
        assert!(error.loses_more_than_a_record() && error.to_string().contains(": damaged: "), "{error}");
        assert_eq!(records[good + 1].as_ref().unwrap().text, "next");
        for (n, record) in records[..good].iter().enumerate() {
            assert_eq!(record.as_ref().unwrap().text, noise(n as u64));
        }
    }
}

#[test]
fn a_name_that_lies_and_a_file_that_went_away_are_errors() {
    let corpus = Corpus::new(JSONL).file("a.jsonl.gz", "{\"text\": \"plain\"}").file("b.jsonl", "{\"text\": \"b\"}");
    assert_eq!(corpus.shown(), ["! a.jsonl.gz: the name says gzip, the first bytes say not compressed", "s:b.jsonl#0 b"]);
    let parts = corpus.plan(1 << 20);
    fs::remove_file(corpus.path("a.jsonl.gz")).unwrap();
    let records: Vec<_> = parts.iter().flat_map(|part| read(part, &corpus.source)).collect();
    assert!(matches!(&records[0], Err(error @ Error::Io { operation: "open", .. }) if error.loses_more_than_a_record()));
    assert!(records[1].is_ok() && records.len() == 2);
}

#[test]
fn a_long_line_is_one_error_in_every_split() {
    let long = "x".repeat(3 << 20);
    let limited = |settings: &str| format!("{settings}, \"max-record-bytes\": 40");
    let lines = format!("{{\"text\": \"a\"}}\n{{\"text\": \"{long}\"}}\n{{\"text\": \"b\"}}\n");
    let corpus = Corpus::new(&limited(JSONL)).file("a.jsonl", &lines);
    let error = "! a.jsonl: byte 14: record longer than max-record-bytes = 40".to_owned();
    let last = format!("s:a.jsonl#{} b", 14 + 13 + long.len());
    assert_eq!(corpus.shown(), ["s:a.jsonl#0 a".to_owned(), error.clone(), last]);
    for part_bytes in [7, 30, 100_000] {
        assert_eq!(shown(corpus.read_by(part_bytes), &format!("{}/", corpus.folder.path().display())), corpus.shown());
    }
    let corpus = Corpus::new(&limited(LINES)).file("a.txt", format!("a\n{long}\nb"));
    assert_eq!(corpus.shown()[1], "! a.txt: byte 2: record longer than max-record-bytes = 40");
    let corpus = Corpus::new(&limited(PARAGRAPHS)).file("a.txt", format!("a\n{long}\nb\n\n{}\n\nc", "1234567\n".repeat(6)));
    let shown = corpus.shown();
    assert_eq!(shown.len(), 3);
    assert!(shown[0].starts_with("! a.txt: byte 0: record longer") && shown[1].contains("record longer") && shown[2].ends_with(" c"));
    let corpus = Corpus::new(&limited(TEXT)).file("a.txt", &long).file("b.txt", "y".repeat(40)).file("c.txt", "z".repeat(41));
    assert_eq!(corpus.shown()[1], format!("s:b.txt#0 {}", "y".repeat(40)));
    assert!([0, 2].iter().all(|n| corpus.shown()[*n].contains("record longer")));
}

/// So many MiB of one letter, between two records.
fn bomb(size: usize) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(b"{\"text\": \"a\"}\n").unwrap();
    let block = vec![b'x'; 1 << 20];
    (0..size).for_each(|_| encoder.write_all(&block).unwrap());
    encoder.write_all(b"\n{\"text\": \"b\"}\n").unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_decompression_bomb_is_one_long_line_or_the_end_of_its_stream() {
    // The limit of a record is what is held of it.
    let small = bomb(200);
    assert!(small.len() < 1 << 18);
    let corpus = Corpus::new(JSONL).file("a.jsonl.zst", &small);
    let shown = corpus.shown();
    assert_eq!(shown.len(), 3);
    assert_eq!(shown[1], format!("! a.jsonl.zst: byte 14: record longer than max-record-bytes = {}", 64 << 20));
    assert_eq!(shown[2], format!("s:a.jsonl.zst#{} b", 14 + (200 << 20) + 1));
    // Beyond a ratio that no text has it is refused.
    let large = bomb(1024);
    let shown = Corpus::new(JSONL).file("a.jsonl.zst", &large).shown();
    assert_eq!(shown.len(), 2);
    assert!(shown[1].contains("refused: it decompresses to more than 300 times its size"), "{shown:?}");
    let corpus = Corpus::new(r#""format": "text", "max-record-bytes": 1000"#).file("a.txt.zst", &large);
    assert_eq!(corpus.shown(), ["! a.txt.zst: byte 0: record longer than max-record-bytes = 1000"]);
}

#[test]
fn a_bomb_of_blank_lines_ends_its_stream() {
    let blank = |mib: usize| zstd(&[b"{\"text\": \"a\"}\n", "\n".repeat(mib << 20).as_bytes(), b"{\"text\": \"b\"}\n"].concat());
    for settings in [JSONL, LINES, PARAGRAPHS] {
        let corpus =
            Corpus::new(settings).file("a.jsonl.zst", blank(1)).file("b.jsonl.zst", blank(70)).file("c.jsonl", "{\"text\": \"c\"}");
        let records = corpus.read();
        assert_eq!(records.len(), 5, "{settings}");
        assert!(records[..3].iter().chain(&records[4..]).all(|record| record.is_ok()));
        let error = records[3].as_ref().unwrap_err();
        assert!(error.loses_more_than_a_record() && error.to_string().ends_with("refused: more than 64 MiB of nothing but white space"));
    }
}

#[test]
fn text_by_file_line_and_paragraph() {
    let text = "\u{feff}첫 줄\r\n둘째 줄\r\n\r\n \n셋째\n\n\n넷째";
    let named = |settings: &str| Corpus::new(settings).file("d/a.txt", text).shown();
    assert_eq!(named(TEXT), ["s:d/a.txt#0 첫 줄\r\n둘째 줄\r\n\r\n \n셋째\n\n\n넷째"]);
    // 3 + 7 + 2, 10 + 2, 2, 2, 6 + 1, 1, 1
    assert_eq!(named(LINES), ["s:d/a.txt#0 첫 줄", "s:d/a.txt#12 둘째 줄", "s:d/a.txt#28 셋째", "s:d/a.txt#37 넷째"]);
    assert_eq!(named(PARAGRAPHS), ["s:d/a.txt#0 첫 줄\n둘째 줄", "s:d/a.txt#28 셋째", "s:d/a.txt#37 넷째"]);
}

#[test]
fn a_bad_byte_costs_its_record_only() {
    let bytes = b"good\n\nb\xffd\nsame\n\nagain\n";
    assert_eq!(
        Corpus::new(LINES).file("a.txt", bytes).shown(),
        ["s:a.txt#0 good", "! a.txt: byte 6: invalid UTF-8 at byte 1 of the record", "s:a.txt#10 same", "s:a.txt#16 again"]
    );
    assert_eq!(
        Corpus::new(PARAGRAPHS).file("a.txt", bytes).shown(),
        ["s:a.txt#0 good", "! a.txt: byte 6: invalid UTF-8 at byte 1 of the record", "s:a.txt#16 again"]
    );
    assert_eq!(
        Corpus::new(TEXT).file("a.txt", bytes).file("b.txt", "b").shown(),
        ["! a.txt: byte 0: invalid UTF-8 at byte 7 of the record", "s:b.txt#0 b"]
    );
}

#[test]
fn code_is_a_file_a_document_with_its_language() {
    let scripts =
        Corpus::new(CODE).file("p/tool", "#!/usr/bin/env python3\nprint(1)\n").file("p/notes", "no").file("p/run.x", "#!/bin/sh\n");
    let documents: Vec<_> = scripts.read().into_iter().map(Result::unwrap).collect();
    assert_eq!(
        documents.iter().map(|document| (document.id.as_str(), document.lang.as_deref())).collect::<Vec<_>>(),
        [("s:p/tool#0", Some("python"))]
    );
    let corpus = Corpus::new(CODE).file("p/src/lib.rs", "fn main() {}\n").file("p/a.py", "").file("p/README", "no").file("q.toml", "no");
    let read: Vec<Document> = corpus.read().into_iter().map(Result::unwrap).collect();
    let facts: Vec<_> =
        read.iter().map(|document| (document.id.as_str(), document.text.as_str(), document.lang.as_deref().unwrap())).collect();
    assert_eq!(facts, [("s:p/a.py#0", "", "python"), ("s:p/src/lib.rs#0", "fn main() {}\n", "rust")]);
    let named = Corpus::new(&format!(r#"{CODE}, "extensions": ["toml"]"#)).file("Cargo.toml", "a = 1");
    let document = named.read().remove(0).unwrap();
    assert!(document.lang.as_deref() == Some("code") && document.is_code());
}

#[test]
fn a_plan_for_another_format_is_an_error() {
    let corpus = Corpus::new(TEXT).file("a.txt", "a");
    let mut part = corpus.plan(10).remove(0);
    part.slices[0].range = Range::Bytes { start: 0, end: 1 };
    assert!(read(&part, &corpus.source).next().unwrap().is_err());
    let corpus = Corpus::new(LINES).file("a.txt", "a");
    part.slices[0].range = Range::RowGroups { start: 0, end: 1 };
    assert!(read(&part, &corpus.source).next().unwrap().is_err());
}

#[test]
fn the_development_pack_reads_whole_and_cut_alike() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/korean_docs.jsonl.zst");
    if !path.exists() {
        #[allow(clippy::print_stderr)]
        {
            eprintln!("skipped: no ../shared");
        }
        return;
    }
    let mut source = Corpus::new(JSONL).source;
    source.files = vec![path.display().to_string()];
    let parts = plan(std::slice::from_ref(&source), std::path::Path::new("/"), 1 << 20).unwrap();
    let read_all =
        |source: &Source, parts: &[Part]| parts.iter().flat_map(|part| read(part, source)).collect::<Result<Vec<Document>>>().unwrap();
    let read_whole = read_all(&source, &parts);
    assert!(read_whole.len() > 100 && read_whole.iter().all(|document| !document.text.is_empty() && document.id.starts_with("ko-")));
    // The same records as a plain file, cut into many parts.
    let mut plain = Vec::new();
    std::io::copy(&mut stream::open(&path, &Arc::default()).unwrap(), &mut plain).unwrap();
    let mut corpus = Corpus::new(JSONL).file("korean_docs.jsonl", &plain);
    corpus.source.name = source.name.clone();
    let parts = corpus.plan(100_000);
    assert!(parts.len() > 50);
    assert_eq!(read_all(&corpus.source, &parts), read_whole);
}
