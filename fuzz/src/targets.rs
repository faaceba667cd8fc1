//! What is fuzzed: every reader and parser of a file that somebody else wrote. A target is given bytes, and may
//! do with them what it likes but panic, hang, or give out what breaks its own promises.
//!
//! `fuzz_targets/` runs them under libFuzzer, `tests/fuzzing.rs` with mutated seeds on stable Rust.

use std::path::Path;

use corpora::{Document, Source};
use serde_json::json;

/// Bytes to start from.
#[derive(Clone, Copy, Debug)]
pub enum Seed {
    /// These.
    Text(&'static str),
    /// Those of a file of the repository.
    File(&'static str),
}

use Seed::{File, Text};

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its fuzz target.
    pub name: &'static str,
    /// Good input.
    pub seeds: &'static [Seed],
    /// Calls it, with a folder to write files to.
    pub run: fn(&Path, &[u8]),
}

/// Largest record that the readers may give out.
const RECORD: u64 = 1 << 20;

/// Those of texts and of tokens; `models.rs` has those of models.
pub const TARGETS: [Target; 16] = [
    Target {
        name: "jsonl",
        seeds: &[Text(
            "{\"id\": 1, \"text\": \"\\uD55C\\uAD6D 글\", \"meta\": {\"kind\": [1, null]}, \"url\": \"https://a.kr\"}\r\n\n{\"id\": \"b\", \"text\": \"둘\"}",
        )],
        run: |folder, bytes| records(folder, "a.jsonl", "jsonl", json!({ "keep-meta": ["meta.kind", "meta"], "url-field": "url" }), bytes),
    },
    Target {
        name: "chat",
        seeds: &[Text("{\"messages\": [{\"role\": \"user\", \"content\": \"뭐?\"}, {\"from\": \"gpt\", \"value\": \"이거.\"}]}\n")],
        run: |folder, bytes| records(folder, "a.jsonl", "jsonl", json!({ "chat": { "messages": "messages" } }), bytes),
    },
    Target {
        name: "csv",
        seeds: &[Text("id,text,n\n1,\"하나, \"\"둘\"\"\n셋\",3\r\n2,넷,\n"), Text("\u{feff}text\n글\n")],
        run: |folder, bytes| {
            records(folder, "a.csv", "csv", json!({ "encoding": "auto" }), bytes);
            records(folder, "a.tsv", "tsv", json!({}), bytes);
        },
    },
    Target {
        name: "parquet",
        seeds: &[File("corpora/testdata/tables/nested.parquet"), File("corpora/testdata/tables/legacy.parquet")],
        run: |folder, bytes| records(folder, "a.parquet", "parquet", table(), bytes),
    },
    Target {
        name: "arrow",
        seeds: &[
            File("corpora/testdata/tables/file.arrow"),
            File("corpora/testdata/tables/stream.arrow"),
            File("corpora/testdata/tables/lz4.feather"),
            File("corpora/testdata/tables/stream-zstd.arrow"),
        ],
        run: |folder, bytes| records(folder, "a.arrow", "arrow", table(), bytes),
    },
    Target {
        name: "text",
        seeds: &[Text("하나\n\n둘 둘\r\n\u{85}셋\n"), Text("\u{feff}fn main() {\n\tprintln!(\"안녕\");\n}\n")],
        run: |folder, bytes| {
            records(folder, "a.txt", "text", json!({ "split": "paragraph", "encoding": "auto" }), bytes);
            records(folder, "a.rs", "code", json!({}), bytes);
        },
    },
    Target {
        name: "html",
        seeds: &[Text(
            "<!doctype html><html><head><meta charset=euc-kr><title>제목</title></head><body><nav>메뉴</nav><article><h1>글</h1><p>문단 &amp; 문단<br>줄</p><pre>  code\n</pre><table><tr><td>칸</table></article><script>if (a < b) {}</script></body>",
        )],
        run: |folder, bytes| records(folder, "a.html", "html", json!({}), bytes),
    },
    Target {
        name: "warc",
        seeds: &[
            Text(
                "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.kr/\r\nContent-Type: application/http; msgtype=response\r\nContent-Length: 114\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n<p>hello\n\r\n0\r\n\r\n\r\n\r\n\r\n",
            ),
            Text(
                "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://a.kr/\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\n글이다.\r\n\r\n",
            ),
        ],
        run: |folder, bytes| records(folder, "a.warc", "warc", json!({}), bytes),
    },
    Target {
        name: "wiki",
        seeds: &[Text(
            "<mediawiki><siteinfo><namespaces><namespace key=\"0\"/></namespaces></siteinfo><page><title>한국</title><ns>0</ns><id>7</id><revision><id>8</id><text xml:space=\"preserve\">'''한국'''은 [[아시아|동아시아]]의 {{나라|이름=한국}}이다.&lt;ref&gt;주&lt;/ref&gt;\n== 역사 ==\n{| class=a\n| 칸 || 칸\n|}\n* [https://a.kr 링크]</text></revision></page></mediawiki>",
        )],
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
        },
    },
    // The same bytes under three names: what is compressed is made of them first, so that mutations get inside.
    Target {
        name: "compressed",
        seeds: &[Text("{\"text\": \"하나\"}\n{\"text\": \"둘\"}\n")],
        run: |folder, bytes| {
            for name in ["a.jsonl.gz", "a.jsonl.zst", "a.jsonl.bz2"] {
                records(folder, name, "jsonl", json!({}), bytes);
            }
        },
    },
    Target {
        name: "shard",
        seeds: &[
            File("shards/testdata/shards/v1.0.shard"),
            File("shards/testdata/shards/v1.0-loss.shard"),
            File("shards/testdata/shards/v1.1-judged.shard"),
        ],
        run: |folder, bytes| {
            let path = written(folder, "a.shard", bytes);
            let Ok(shard) = shards::ShardReader::open(path) else { return };
            let mut tokens = Vec::new();
            for document in shard.documents().take(1000) {
                let Ok(document) = document else { continue };
                let _ = shard.tokens(document.tokens, &mut tokens);
            }
            for index in 0..shard.len().min(1000) {
                let _ = (shard.loss_spans(index), shard.token_range(index), shard.judged(index));
            }
            let _ = (shard.source_counts(), shard.document_of(shard.token_count() / 2));
        },
    },
    Target {
        name: "tokenizer",
        seeds: &[File("tests/data/tiny.json")],
        run: |folder, bytes| tokenizer(&written(folder, "tokenizer.json", bytes)),
    },
    Target {
        name: "sentencepiece",
        seeds: &[File("tests/data/tiny.model")],
        run: |folder, bytes| tokenizer(&written(folder, "tokenizer.model", bytes)),
    },
    Target {
        name: "vocabulary",
        seeds: &[File("shards/testdata/vocabularies/small.tiktoken"), File("shards/testdata/vocabularies/tekken.json")],
        run: |folder, bytes| {
            tokenizer(&written(folder, "a.tiktoken", bytes));
            tokenizer(&written(folder, "tekken.json", bytes));
        },
    },
    Target {
        name: "chat-template",
        seeds: &[Text(
            "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m.content | trim }} [/INST]{% else %}{% generation %}{{ m.content[0:2] ~ eos_token }}{% endgeneration %}{% endif %}{% endfor %}{{ range(3) | join(',') }}",
        )],
        run: |_, bytes| {
            let Ok(template) = std::str::from_utf8(bytes) else { return };
            let text = shards::TemplateText {
                name: "fuzz".to_owned(),
                template: template.to_owned(),
                bos_token: Some("<s>".to_owned()),
                eos_token: Some("</s>".to_owned()),
                date: Some("2026-01-31".to_owned()),
            };
            let Ok(template) = shards::ChatTemplate::new(text) else { return };
            let tokenizer = shards::Tokenizer::bytes();
            let Ok(encoder) = shards::ChatEncoder::new(&template, &tokenizer) else { return };
            let messages = [shards::Message::new("user", "뭐?"), shards::Message::new("assistant", "이거.")];
            if let Ok(conversation) = encoder.encode(&messages) {
                let tokens = conversation.tokens.len() as u32;
                assert!(conversation.learned.iter().all(|span| span.start <= span.end && span.end <= tokens + 1)); // and the end token
            }
        },
    },
];

/// The columns of the tables in `corpora/testdata/tables`.
fn table() -> serde_json::Value {
    let kept = ["score", "good", "meta", "messages", "answers", "small", "fixed", "meta.deep.n"];
    json!({ "lang-field": "lang", "keep-meta": kept })
}

pub(crate) fn written(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("the folder can be written to");
    path
}

/// Reads a file as a source with these settings, whole and cut into parts, which must give the same.
fn records(folder: &Path, name: &str, format: &str, settings: serde_json::Value, bytes: &[u8]) {
    written(folder, name, bytes);
    let mut source = json!({ "name": "s", "bucket": "b", "files": name, "format": format, "max-record-bytes": RECORD });
    if let (Some(source), serde_json::Value::Object(settings)) = (source.as_object_mut(), settings) {
        source.extend(settings);
    }
    let source: Source = serde_json::from_value(source).expect("the settings are those of a source");
    let read = |part_bytes: u64| -> Option<Vec<Result<Document, String>>> {
        let parts = corpora::plan(std::slice::from_ref(&source), folder, part_bytes).ok()?;
        let records = parts.iter().flat_map(|part| corpora::read(part, &source));
        Some(records.map(|record| record.map_err(|error| error.to_string())).collect())
    };
    let Some(whole) = read(1 << 40) else { return };
    for document in whole.iter().flatten() {
        assert!(document.text.len() as u64 <= 4 * RECORD, "a text of {} bytes", document.text.len());
    }
    let documents = |records: Vec<Result<Document, String>>| {
        records.into_iter().flatten().map(|document| (document.id, document.text)).collect::<Vec<_>>()
    };
    if let Some(cut) = read(700) {
        assert!(documents(cut) == documents(whole), "another cut into parts gives other documents");
    }
}

pub(crate) fn tokenizer(path: &Path) {
    let Ok(tokenizer) = shards::Tokenizer::load(path, None) else { return };
    let texts = ["안녕하세요, world! 1234\n\t<s>", ""];
    if let Ok(encoded) = tokenizer.encode_batch(&texts) {
        for ids in encoded {
            assert!(ids.iter().all(|id| (*id as usize) < tokenizer.vocab_size() as usize), "an id beyond the vocabulary");
            let _ = tokenizer.decode(&ids);
        }
    }
}
