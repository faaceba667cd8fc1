//! The readers of sources: what they give of a file must not depend on how it is cut or compressed.

use std::path::Path;

use corpora::{Document, Source};
use serde_json::{Value, json};

use super::Seed::{File, Made, Text};
use super::{Target, bzip2, gzip, written, zstd};

/// Largest record that the readers may give out.
const RECORD: u64 = 1 << 20;

const LINES: &str = "{\"text\": \"하나\"}\n{\"text\": \"둘\"}\n";
const WARC: &str = "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.kr/\r\nContent-Type: application/http; msgtype=response\r\nContent-Length: 114\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n<p>hello\n\r\n0\r\n\r\n\r\n\r\n\r\n";
const WET: &str = "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://a.kr/\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n글이다.\r\n\r\n";
const WIKI: &str = "<mediawiki><siteinfo><namespaces><namespace key=\"0\"/></namespaces></siteinfo><page><title>한국</title><ns>0</ns><id>7</id><revision><id>8</id><text xml:space=\"preserve\">'''한국'''은 [[아시아|동아시아]]의 {{나라|이름=한국}}이다.&lt;ref&gt;주&lt;/ref&gt;\n== 역사 ==\n{| class=a\n| 칸 || 칸\n|}\n* [https://a.kr 링크]</text></revision></page></mediawiki>";

pub(super) const TARGETS: [Target; 13] = [
    Target {
        name: "jsonl",
        seeds: &[Text(
            "{\"id\": 1, \"text\": \"\\uD55C\\uAD6D 글\", \"meta\": {\"kind\": [1, null]}, \"url\": \"https://a.kr\"}\r\n\n{\"id\": \"b\", \"text\": \"둘\"}",
        )],
        run: |folder, bytes| {
            let settings = || json!({ "keep-meta": ["meta.kind", "meta"], "url-field": "url" });
            let Some(read) = records(folder, "a.jsonl", "jsonl", settings(), bytes) else { return };
            if is_compressed(bytes) {
                return;
            }
            let is_blank = |line: &&[u8]| line.iter().all(|byte| b" \t\r".contains(byte));
            let lines = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes).split(|byte| *byte == b'\n');
            assert_eq!(read.len(), lines.filter(|line| !is_blank(line)).count(), "a line is neither a document nor an error");
            let again = records(folder, "a.jsonl.zst", "jsonl", settings(), &zstd(bytes)).expect("it was read before");
            // Ids of records without one have the file's name in them.
            let texts = |read: &Read| documents(read).into_iter().map(|document| document.text.clone()).collect::<Vec<_>>();
            assert!(texts(&read) == texts(&again) && read.len() == again.len(), "compressed, it holds something else");
        },
    },
    Target {
        name: "chat",
        seeds: &[
            Text("{\"messages\": [{\"role\": \"user\", \"content\": \"뭐?\"}, {\"from\": \"gpt\", \"value\": \"이거.\"}]}\n"),
            Text("{\"instruction\": \"뭐?\", \"input\": \"\", \"output\": \"이거.\", \"system\": \"짧게\"}\n"),
        ],
        run: |folder, bytes| {
            let forms = [
                json!({ "messages": "messages" }),
                json!({ "instruction": "instruction", "input": "input", "output": "output", "system": "system" }),
            ];
            for chat in forms {
                conversations(folder, json!({ "chat": chat }), bytes);
            }
        },
    },
    Target {
        name: "preference",
        seeds: &[
            Text(
                "{\"prompt\": \"뭐?\", \"chosen\": \"이거.\", \"rejected\": \"저거.\", \"margin\": 1.5}\n{\"prompt\": [{\"role\": \"user\", \"content\": \"뭐?\"}], \"chosen\": [{\"role\": \"assistant\", \"content\": \"이거.\"}], \"rejected\": \"저거.\", \"margin\": 0}\n",
            ),
            Text("{\"chosen\": \"\\n\\nHuman: 뭐?\\n\\nAssistant: 이거.\", \"rejected\": \"\\n\\nHuman: 뭐?\\n\\nAssistant: 저거.\"}\n"),
            Text("{\"prompt\": \"뭐?\", \"answers\": [\"이거.\", \"저거.\"], \"ranks\": [2, 1], \"answer\": \"이거.\", \"good\": true}\n"),
        ],
        run: |folder, bytes| {
            let forms = [
                json!({ "prompt": "prompt", "chosen": "chosen", "rejected": "rejected", "margin": "margin" }),
                json!({ "chosen": "chosen", "rejected": "rejected" }),
                json!({ "prompt": "prompt", "completions": ["answers"], "ranking": "ranks" }),
                json!({ "prompt": "prompt", "completion": "answer", "label": "good" }),
            ];
            for preference in forms {
                conversations(folder, json!({ "preference": preference }), bytes);
            }
        },
    },
    Target {
        name: "csv",
        seeds: &[Text("id,text,n\n1,\"하나, \"\"둘\"\"\n셋\",3\r\n2,넷,\n"), Text("\u{feff}text\n글\n"), Text("id\ttext\n1\t하나 \"둘\n")],
        run: |folder, bytes| {
            records(folder, "a.csv", "csv", json!({ "encoding": "auto" }), bytes);
            records(folder, "a.tsv", "tsv", json!({}), bytes);
        },
    },
    Target {
        name: "parquet",
        seeds: &[File("corpora/testdata/tables/nested.parquet"), File("corpora/testdata/tables/legacy.parquet")],
        run: |folder, bytes| drop(records(folder, "a.parquet", "parquet", table(), bytes)),
    },
    Target {
        name: "arrow",
        seeds: &[
            File("corpora/testdata/tables/file.arrow"),
            File("corpora/testdata/tables/stream.arrow"),
            File("corpora/testdata/tables/lz4.feather"),
            File("corpora/testdata/tables/stream-zstd.arrow"),
        ],
        run: |folder, bytes| drop(records(folder, "a.arrow", "arrow", table(), bytes)),
    },
    Target {
        name: "text",
        seeds: &[
            Text("하나\n\n둘 둘\r\n\u{85}셋\n"),
            Text("\u{feff}fn main() {\n\tprintln!(\"안녕\");\n}\n"),
            Text("# 제목\n\n- 하나\n- [둘](b.md)\n\n```sh\nls\n```\n"),
        ],
        run: |folder, bytes| {
            for split in ["file", "line", "paragraph"] {
                records(folder, "a.md", "text", json!({ "split": split, "encoding": "auto" }), bytes);
            }
            records(folder, "a.txt", "text", json!({ "split": "line" }), bytes);
            records(folder, "a.rs", "code", json!({}), bytes);
        },
    },
    // A folder whose ignore file and whose script without a name's ending are the bytes.
    Target {
        name: "tree",
        seeds: &[Text("/build/\n!build/keep.js\n*.p[xy]\n# a\n\\#b\n**/c.*\n"), Text("#!/usr/bin/env -S python3 -u\nprint(1)\n")],
        run: |folder, bytes| {
            let tree = folder.join("tree");
            let files = ["a.rs", "b/c.py", "b/d/e.go", "build/keep.js", "tool"];
            std::fs::create_dir_all(tree.join("build"))
                .and_then(|()| std::fs::create_dir_all(tree.join("b/d")))
                .expect("folders can be made");
            for name in files {
                written(&tree, name, b"fn main() {}\n");
            }
            written(&tree, ".gitignore", bytes);
            written(&tree, "tool", bytes);
            for document in read(folder, &source("tree", "code", json!({})), 1 << 40).into_iter().flatten().flatten() {
                let name = document.id.strip_prefix("s:").and_then(|id| id.strip_suffix("#0"));
                assert!(name.is_some_and(|name| files.contains(&name)), "{} is none of the files", document.id);
            }
        },
    },
    Target {
        name: "html",
        seeds: &[Text(
            "<!doctype html><html><head><meta charset=euc-kr><title>제목</title></head><body><nav>메뉴</nav><article><h1>글</h1><p>문단 &amp; 문단<br>줄</p><pre>  code\n</pre><table><tr><td>칸</table></article><script>if (a < b) {}</script></body>",
        )],
        run: |folder, bytes| drop(records(folder, "a.html", "html", json!({}), bytes)),
    },
    Target {
        name: "warc",
        seeds: &[Text(WARC), Text(WET), Made(|| [gzip(WARC.as_bytes()), gzip(WET.as_bytes())].concat())],
        run: |folder, bytes| drop(records(folder, "a.warc", "warc", json!({}), bytes)),
    },
    Target {
        name: "wiki",
        seeds: &[Text(WIKI), Made(|| bzip2(WIKI.as_bytes()))],
        run: |folder, bytes| {
            records(folder, "a.xml", "wiki", json!({}), bytes);
            if let Ok(text) = std::str::from_utf8(bytes) {
                let _ = corpora::wiki_text(text);
            }
        },
    },
    Target {
        name: "encoding",
        seeds: &[Text("한국어와 English, ÇÑ±¹¾î 그리고 Ã©tÃ©"), Text("\u{feff}가")],
        run: |_, bytes| {
            let decoded = corpora::decode_any(bytes, None);
            let _ = corpora::repair_mojibake(&decoded.text);
            for label in ["euc-kr", "utf-16le", "utf-16be", "windows-1252", "shift_jis"] {
                if let Some(encoding) = corpora::encoding(label) {
                    let _ = corpora::decode(bytes, encoding);
                    let _ = corpora::detect(bytes, Some(encoding));
                }
            }
            let utf_8 = corpora::encoding("utf-8").expect("it is known");
            let decoded = corpora::decode(bytes, utf_8);
            match std::str::from_utf8(bytes) {
                Ok(text) => {
                    assert_eq!((decoded.text.as_ref(), decoded.bad_bytes), (text.strip_prefix('\u{feff}').unwrap_or(text), 0));
                }
                Err(error) => assert!(decoded.bad_bytes > 0 && decoded.first_bad == Some(error.valid_up_to() as u64)),
            }
        },
    },
    // The same bytes under three names: what is compressed is made of them first, so that mutations get inside.
    Target {
        name: "compressed",
        seeds: &[Made(|| gzip(LINES.as_bytes())), Made(|| zstd(LINES.as_bytes())), Made(|| bzip2(LINES.as_bytes()))],
        run: |folder, bytes| {
            for name in ["a.jsonl.gz", "a.jsonl.zst", "a.jsonl.bz2"] {
                records(folder, name, "jsonl", json!({}), bytes);
            }
        },
    },
];

/// The columns of the tables in `corpora/testdata/tables`.
fn table() -> Value {
    let kept = ["score", "good", "meta", "messages", "answers", "small", "fixed", "meta.deep.n"];
    json!({ "lang-field": "lang", "keep-meta": kept })
}

/// Whether the bytes are read as those of a compressed file, by how they begin.
fn is_compressed(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0x1f, 0x8b, ..] | [b'B', b'Z', b'h', b'1'..=b'9', ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]
    )
}

/// A source of these files.
fn source(files: &str, format: &str, settings: Value) -> Source {
    let mut source = json!({ "name": "s", "bucket": "b", "files": files, "format": format, "max-record-bytes": RECORD });
    if let (Some(source), Value::Object(settings)) = (source.as_object_mut(), settings) {
        source.extend(settings);
    }
    serde_json::from_value(source).expect("the settings are those of a source")
}

type Read = Vec<Result<Document, String>>;

fn read(folder: &Path, source: &Source, part_bytes: u64) -> Option<Read> {
    let parts = corpora::plan(std::slice::from_ref(source), folder, part_bytes).ok()?;
    let records = parts.iter().flat_map(|part| corpora::read(part, source));
    Some(records.map(|record| record.map_err(|error| error.to_string())).collect())
}

fn documents(read: &Read) -> Vec<&Document> {
    read.iter().flatten().collect()
}

/// Reads a file as a source with these settings, whole and cut into parts, which must give the same, and each document
/// must come back from how it is written between stages.
fn records(folder: &Path, name: &str, format: &str, settings: Value, bytes: &[u8]) -> Option<Read> {
    written(folder, name, bytes);
    let source = source(name, format, settings);
    let whole = read(folder, &source, 1 << 40)?;
    for document in documents(&whole) {
        assert!(document.text.len() as u64 <= 4 * RECORD, "a text of {} bytes", document.text.len());
        let line = serde_json::to_vec(document).expect("a document is written as JSON");
        let back: Document = serde_json::from_slice(&line).expect("a document is read back");
        // Of `meta` alone the last bit of a number can be another.
        let of = |document: &Document| {
            (document.id.clone(), document.text.clone(), document.turns.clone(), document.judged, document.url.clone())
        };
        assert!(of(&back) == of(document), "written and read again, a document is another");
    }
    if let Some(cut) = read(folder, &source, 700) {
        assert!(documents(&cut) == documents(&whole), "another cut into parts gives other documents");
        // A table that breaks off is one error in each of its parts.
        if !matches!(format, "parquet" | "arrow") {
            assert_eq!(cut.len(), whole.len(), "another cut into parts gives other errors");
        }
    }
    Some(whole)
}

/// [`records`] that are conversations: their text must be what is said in them.
fn conversations(folder: &Path, settings: Value, bytes: &[u8]) {
    for document in records(folder, "a.jsonl", "jsonl", settings, bytes).into_iter().flatten().flatten() {
        assert_eq!(document.text, corpora::joined(&document.turns));
        let answers = document.judged.map_or(0, corpora::Judged::answers);
        assert!(document.turns.len() > answers, "{} turns, {answers} of them judged", document.turns.len());
        let answers = &document.turns[document.turns.len() - answers..];
        assert!(answers.iter().all(|turn| turn.role == corpora::Role::Assistant), "an answer of somebody else");
    }
}
