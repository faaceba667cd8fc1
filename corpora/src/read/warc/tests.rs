use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::read::tests::{Corpus, gzip};

const WARC: &str = r#""format": "warc""#;

fn record(kind: &str, block: &[u8]) -> Vec<u8> {
    let mut header = String::new();
    write!(header, "WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: <http://x.kr/>\r\nWARC-Date: 2026-01-02T03:04:05Z\r\n").unwrap();
    write!(header, "Content-Length: {}\r\n\r\n", block.len()).unwrap();
    [header.as_bytes(), block, b"\r\n\r\n"].concat()
}

fn response(headers: &str, body: &[u8]) -> Vec<u8> {
    record("response", &[format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{headers}\r\n").as_bytes(), body].concat())
}

fn texts(bytes: impl AsRef<[u8]>) -> Vec<String> {
    let shown = Corpus::new(WARC).file("a.warc", bytes).shown();
    shown.into_iter().map(|line| line.replace("s:a.warc#", "")).collect()
}

fn texts_of(gz: &[u8]) -> Vec<String> {
    Corpus::new(WARC).file("a.warc.gz", gz).shown()
}

#[test]
fn pages_and_texts_with_where_they_come_from() {
    let bytes = [
        record("warcinfo", b"software: x"),
        record("request", b"GET / HTTP/1.1\r\n\r\n"),
        response("", "<title>제목</title><p>본문".as_bytes()),
        record("conversion", "추출한 글\n둘째 줄".as_bytes()),
        record("response", b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\nno"),
        record("response", b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n\x89PNG"),
        record("response", b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=euc-kr\r\n\r\n\xc7\xd1\xb1\xdb"),
    ];
    for (name, bytes) in [("a.warc", bytes.concat()), ("a.warc.gz", bytes.iter().flat_map(|record| gzip(record)).collect())] {
        let corpus = Corpus::new(WARC).file(name, bytes);
        let documents: Vec<_> = corpus.read().into_iter().map(Result::unwrap).collect();
        assert_eq!(documents.iter().map(|document| document.text.as_str()).collect::<Vec<_>>(), ["본문", "추출한 글\n둘째 줄", "한글"]);
        assert!(documents.iter().all(|document| document.url.as_deref() == Some("http://x.kr/")));
        let meta = serde_json::to_value(&documents[0].meta).unwrap();
        assert_eq!(
            (&meta["title"], &meta["content-type"], &meta["date"]),
            (&"제목".into(), &"text/html".into(), &"2026-01-02T03:04:05Z".into())
        );
        assert_eq!(documents[2].meta["encoding"], "EUC-KR");
    }
}

#[test]
fn encodings_of_the_body_are_undone() {
    let deflate = |zlib: bool| {
        let mut out = Vec::new();
        let bytes = "<p>압축".as_bytes();
        let level = flate2::Compression::fast();
        if zlib {
            std::io::Read::read_to_end(&mut flate2::bufread::ZlibEncoder::new(bytes, level), &mut out).unwrap();
        } else {
            std::io::Read::read_to_end(&mut flate2::bufread::DeflateEncoder::new(bytes, level), &mut out).unwrap();
        }
        out
    };
    let chunked = |bytes: &[u8]| [format!("{:x};x=1\r\n", bytes.len()).as_bytes(), bytes, b"\r\n0\r\n\r\n"].concat();
    let shown = texts(
        [
            response("Content-Encoding: gzip\r\n", &gzip("<p>압축".as_bytes())),
            response("Content-Encoding: deflate\r\n", &deflate(true)),
            response("Content-Encoding: deflate\r\n", &deflate(false)),
            response("Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n", &chunked(&gzip("<p>압축".as_bytes()))),
            response("Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n", "<p>압축".as_bytes()),
            response("Transfer-Encoding: gzip, chunked\r\n", &chunked(&gzip("<p>압축".as_bytes()))),
            response("Transfer-Encoding: gzip, chunked\r\n", "<p>압축".as_bytes()),
            response("Transfer-Encoding: gzip\r\nContent-Encoding: deflate\r\n", &gzip(&deflate(true))),
            response("Content-Encoding: br\r\n", b"\x0b\x02\x80"),
        ]
        .concat(),
    );
    assert!(shown[..8].iter().all(|line| line.ends_with(" 압축")), "{shown:?}");
    assert!(shown[8].contains("content-encoding `br`"), "{shown:?}");
}

#[test]
fn a_charset_is_no_content_encoding() {
    for name in ["UTF8", "utf-8", "EUC-KR", "iso-8859-1", "8bit", "UTF-8, none"] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: {name}\r\n\r\n");
        assert_eq!(texts(record("response", &[head.as_bytes(), "그냥 글".as_bytes()].concat())), ["0 그냥 글"], "{name}");
    }
}

#[test]
fn responses_of_other_protocols_are_no_pages() {
    let other = |media: &str, block: &[u8]| {
        String::from_utf8(record("response", block))
            .unwrap()
            .replace("WARC-Date", &format!("Content-Type: {media}\r\nWARC-Date"))
            .into_bytes()
    };
    let http = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\npage";
    let mut corpus = Corpus::new(WARC);
    corpus.source.max_record_bytes = 5000;
    let shown = corpus
        .file(
            "a.warc",
            [
                other("text/dns", b"20260102030405\nx.kr. 300 IN A 192.0.2.1\n"),
                other("application/octet-stream", &b"an ftp file\n".repeat(20_000)),
                other("application/http; msgtype=response", http),
                // A crawler that says it wrongly loses nothing.
                other("text/plain", http),
                other("Application/HTTP", b"no header"),
                record("response", b"no header"),
            ]
            .concat(),
        )
        .shown();
    assert_eq!(shown.iter().filter(|line| line.ends_with(" page")).count(), 2, "{shown:?}");
    assert_eq!(shown.iter().filter(|line| line.contains("a response without an HTTP header")).count(), 2, "{shown:?}");
    assert_eq!(shown.len(), 4, "{shown:?}");
}

#[test]
fn drafts_of_the_format_are_read() {
    for version in ["0.17", "0.18", "1.1"] {
        let bytes = [record("warcinfo", b"x"), record("conversion", "글".as_bytes()), response("", b"<p>page")].concat();
        let bytes = String::from_utf8(bytes).unwrap().replace("WARC/1.0", &format!("WARC/{version}"));
        let shown = texts(&bytes);
        assert!(shown.len() == 2 && shown[0].ends_with(" 글") && shown[1].ends_with(" page"), "{version}: {shown:?}");
        let cut = bytes.replacen("Content-Length: 3", "Content-Length: 300", 1);
        let shown = texts(cut);
        assert!(shown.len() == 2 && shown[0].contains("Content-Length goes beyond") && shown[1].ends_with(" page"), "{version}: {shown:?}");
    }
}

#[test]
fn one_bad_byte_does_not_lose_a_page() {
    let page = response(
        "",
        b"<meta charset=euc-kr><p>\xb5\xbf\xc7\xd8 \xb9\xb0\xb0\xfa \xff \xb9\xe9\xb5\xce\xbb\xea\xc0\xcc \xb8\xb6\xb8\xa3\xb0\xed",
    );
    let document = Corpus::new(WARC).file("a.warc", page).read().remove(0).unwrap();
    assert_eq!(document.text, "동해 물과 \u{fffd} 백두산이 마르고");
    assert_eq!((&document.meta["encoding"], &document.meta["bad-bytes"]), (&"EUC-KR".into(), &1.into()));
}

#[test]
fn lengths_that_lie_cost_their_record_only() {
    let good = || record("conversion", b"good");
    let lie = |kind: &str, length: usize| {
        String::from_utf8(record(kind, b"a lie")).unwrap().replace("Content-Length: 5", &format!("Content-Length: {length}")).into_bytes()
    };
    for kind in ["conversion", "request"] {
        for length in [2, 40, 400, 1 << 40] {
            let shown = texts([good(), lie(kind, length), good(), good()].concat());
            assert_eq!(shown.iter().filter(|line| line.ends_with(" good")).count(), 3, "{kind} {length}: {shown:?}");
            assert_eq!(shown.len(), 4, "{kind} {length}: {shown:?}");
        }
    }
    let without = b"WARC/1.0\r\nWARC-Type: response\r\n\r\nx\r\n\r\n".to_vec();
    assert_eq!(texts([without, good()].concat()).len(), 2);
    assert_eq!(texts([b"junk\nmore junk\n".to_vec(), good()].concat()).len(), 2);
    assert_eq!(texts([good(), good()[..60].to_vec()].concat()).len(), 2);
}

#[test]
fn a_damaged_member_costs_its_record_only() {
    let text = (0..400).map(|n| format!("{n} ")).collect::<String>();
    let mut members: Vec<Vec<u8>> = (0..5).map(|_| gzip(&record("conversion", text.as_bytes()))).collect();
    let middle = members[2].len() / 2;
    members[2][middle..middle + 8].fill(0xff);
    let end = members[4].len() - 20;
    members[4].truncate(end);
    let read = Corpus::new(WARC).file("a.warc.gz", members.concat()).read();
    assert_eq!(read.iter().filter(|record| record.is_ok()).count(), 3);
    assert!((1..=5).contains(&read.iter().filter(|record| record.is_err()).count()));
}

#[test]
fn a_member_whose_beginning_is_damaged_is_told() {
    let members: Vec<Vec<u8>> = (0..5).map(|n| gzip(&record("conversion", format!("글 {n}").as_bytes()))).collect();
    let at = members[0].len() + members[1].len();
    for byte in 0..3 {
        let mut bytes = members.concat();
        bytes[at + byte] ^= 0x55;
        let shown = texts_of(&bytes);
        assert_eq!(shown.iter().filter(|line| line.contains(" 글 ")).count(), 4, "{byte}: {shown:?}");
        let errors: Vec<&String> = shown.iter().filter(|line| line.starts_with('!')).collect();
        let said = format!("{} bytes from byte {at} of the file on are no gzip member", members[2].len());
        assert!(errors.len() == 1 && errors[0].contains(&said), "{byte}: {shown:?}");
    }
    // Zeros fill up blocks, and other bytes at the end are lost, too.
    assert_eq!(texts_of(&[&members[0], [0; 600].as_slice(), &members[1]].concat()).len(), 2);
    let shown = texts_of(&[&members[0], b"junk".as_slice()].concat());
    assert!(shown.len() == 2 && shown[1].contains("4 bytes from byte"), "{shown:?}");
}

#[test]
fn bombs_stop_at_the_limit() {
    let mut corpus = Corpus::new(WARC);
    corpus.source.max_record_bytes = 100_000;
    let zeros = vec![b' '; 50 << 20];
    let bytes = [
        response("Content-Encoding: gzip\r\n", &gzip(&zeros)),
        response("Content-Encoding: gzip, gzip\r\n", &gzip(&gzip(&zeros))),
        record("conversion", &zeros[..1 << 20]),
        record("conversion", b"good"),
    ]
    .concat();
    let shown = corpus.file("a.warc.gz", gzip(&bytes)).shown();
    assert_eq!(shown.len(), 4, "{shown:?}");
    assert!(shown[..3].iter().all(|line| line.contains("max-record-bytes")) && shown[3].ends_with(" good"), "{shown:?}");
}

/// The test files of warcio and of a Common Crawl tutorial.
#[test]
fn real_archives() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/dirty/warc");
    if !folder.is_dir() {
        println!("skipped: no ../shared");
        return;
    }
    let mut whirlwind = Vec::new();
    for project in ["warcio", "whirlwind"] {
        let mut paths: Vec<_> = std::fs::read_dir(folder.join(project)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths.into_iter().filter(|path| path.to_string_lossy().contains("warc")) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let read = Corpus::new(WARC).file(&name, std::fs::read(&path).unwrap()).read();
            for record in &read {
                match record {
                    Ok(document) => println!(
                        "{name}: {} {} characters {:?}",
                        document.url.as_deref().unwrap_or_default(),
                        document.text.chars().count(),
                        document.text.chars().take(40).collect::<String>()
                    ),
                    Err(error) => println!("{name}: {}", error.to_string().rsplit('/').next().unwrap()),
                }
            }
            let documents = read.iter().flatten().count();
            let errors = read.len() - documents;
            let expected = match name.as_str() {
                "example.warc" | "example.warc.gz" | "example-iana.org-chunked.warc" | "example-wrong-chunks.warc.gz" => (1, 0),
                "whirlwind.warc" | "whirlwind.warc.gz" | "whirlwind.warc.wet" | "whirlwind.warc.wet.gz" => (1, 0),
                "whirlwind.warc.wat" | "whirlwind.warc.wat.gz" | "example-digest.warc" | "example-resource.warc.gz" => (0, 0),
                _ => continue,
            };
            assert_eq!((documents, errors), expected, "{name}");
            if name.starts_with("whirlwind.warc") && documents == 1 {
                whirlwind.extend(read.into_iter().flatten());
            }
        }
    }
    assert!(whirlwind.iter().all(|document| document.url == whirlwind[0].url && document.text.len() > 1000));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn damage_anywhere_is_read_to_an_end(
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        end in any::<prop::sample::Index>(),
        gz in any::<bool>(),
    ) {
        let records = [record("warcinfo", b"x"), response("Transfer-Encoding: chunked\r\n", b"5\r\n<p>ab\r\n0\r\n\r\n"), record("conversion", b"text"),
            response("Content-Encoding: gzip\r\n", &gzip(b"<p>zipped")), record("conversion", "글".as_bytes())];
        let mut bytes = if gz { records.iter().flat_map(|record| gzip(record)).collect() } else { records.concat() };
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(1 + end.index(bytes.len()));
        let mut corpus = Corpus::new(WARC).file("a.warc", &bytes);
        corpus.source.max_record_bytes = 1 << 16;
        prop_assert!(corpus.read().len() <= 40);
    }

    #[test]
    fn arbitrary_bytes_are_read_to_an_end(bytes in vec(any::<u8>(), 1..400)) {
        for prefix in [b"".as_slice(), b"WARC/1.0\r\n", b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 99\r\n\r\nHTTP/1.1 200 OK\r\n\r\n<"] {
            let corpus = Corpus::new(WARC).file("a", [prefix, &bytes].concat());
            prop_assert!(corpus.read().len() <= bytes.len() + 2);
        }
    }
}
