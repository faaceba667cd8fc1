//! Input that was made to do harm: whatever it is, memory stays bounded, nothing panics, and the good
//! records beside it are read.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use crate::corpus::{jsonl, korean};
use crate::malmoi::{Outcome, all_lines, call, outcome};

/// Memory in KiB: the program and its threads fit into it, a gigabyte of input does not.
const ROOM: u32 = 1 << 20;

/// What of a process has to fit into [`ROOM`].
enum Room {
    /// Its address space, with the files that it maps.
    Addresses,
    /// What it allocates; files that are mapped can be as large as they like.
    Allocations,
}

/// Builds a corpus of one source over `data` in that room.
fn build(folder: &Path, format: &str) -> Outcome {
    build_in(&Room::Addresses, folder, format)
}

fn build_in(room: &Room, folder: &Path, format: &str) -> Outcome {
    let recipe = format!(
        "output = 'out'\nmax-bad-rows = 1000000\n[[sources]]\nname = 's'\nbucket = 'b'\nfiles = 'data'\nformat = '{format}'\n\
         [tokenizer]\nbytes = true\n"
    );
    std::fs::write(folder.join("recipe.toml"), recipe).unwrap();
    let option = match room {
        Room::Addresses => "-v",
        Room::Allocations => "-d",
    };
    let script = format!("ulimit {option} {ROOM}; exec \"$@\"");
    let mut shell = Command::new("sh");
    shell.current_dir(folder).args(["-c", &script, "sh", env!("CARGO_BIN_EXE_malmoi")]);
    outcome(shell.args(["build", "recipe.toml", "--no-progress", "--jobs", "2"]).output().unwrap())
}

/// It ends by itself, with what it found or one error.
fn is_civil(outcome: &Outcome) {
    assert!((0..=2).contains(&outcome.code), "{}: {}", outcome.code, outcome.stderr);
    for word in ["panicked", "overflow", "memory allocation"] {
        assert!(!outcome.stderr.contains(word), "{}", outcome.stderr);
    }
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    folder
}

fn ids(folder: &Path) -> Vec<String> {
    all_lines(&folder.join("out/documents")).iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect()
}

/// What was said of unreadable rows.
fn complaints(folder: &Path) -> String {
    all_lines(&folder.join("out/rejects")).iter().map(|line| format!("{line}\n")).collect()
}

/// Writes a record, a gigabyte of one letter inside of another, and a record.
fn bomb(mut out: impl Write) {
    out.write_all(jsonl("first", &korean(1)).as_bytes()).unwrap();
    out.write_all(b"{\"id\": \"bomb\", \"text\": \"").unwrap();
    let letters = vec![b'a'; 1 << 20];
    (0..1 << 10).for_each(|_| out.write_all(&letters).unwrap());
    out.write_all(b"\"}\n").unwrap();
    out.write_all(jsonl("last", &korean(2)).as_bytes()).unwrap();
    out.flush().unwrap();
}

#[test]
fn bombs_give_up_at_a_ratio() {
    for name in ["bomb.jsonl.gz", "bomb.jsonl.zst"] {
        let folder = folder();
        let file = File::create(folder.path().join("data").join(name)).unwrap();
        if name.ends_with("gz") {
            let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::best());
            bomb(&mut encoder);
            encoder.finish().unwrap();
        } else {
            let mut encoder = zstd::Encoder::new(file, 3).unwrap();
            bomb(&mut encoder);
            encoder.finish().unwrap();
        }
        let outcome = build(folder.path(), "jsonl");
        is_civil(&outcome);
        assert_eq!(ids(folder.path()), ["first"], "{}", outcome.stderr);
        assert!(complaints(folder.path()).contains("300 times its size"), "{}", complaints(folder.path()));
    }
}

#[test]
fn a_line_of_a_gigabyte_costs_itself() {
    let (first, last) = (korean(1), korean(2));
    let csv = |id: &str, text: &str| format!("{id},\"{text}\"\n");
    let lines = (jsonl("first", &first), jsonl("last", &last));
    let rows = (format!("id,text\n{}", csv("first", &first)), csv("last", &last));
    let page = |id: u32, text: &str| {
        format!("<page><title>글 {id}</title><ns>0</ns><id>{id}</id><revision><text>{text}</text></revision></page>\n")
    };
    let dump = (format!("<mediawiki>{}", page(1, &first)), format!("{}</mediawiki>", page(2, &last)));
    let both: &[&str] = &["first", "last"];
    for (format, name, (head, tail), expected, complaint) in [
        ("jsonl", "a.jsonl", &lines, both, "longer than max-record-bytes"),
        ("csv", "a.csv", &rows, both, "longer than max-record-bytes"),
        ("text", "a.txt", &lines, &[], "longer than max-record-bytes"),
        ("html", "a.html", &lines, &[], "longer than max-record-bytes"),
        ("wiki", "a.xml", &dump, &["s:a.xml#11", "s:a.xml#1073743213"], ""),
        ("warc", "a.warc", &lines, &[], "bytes that belong to no record"),
    ] {
        let folder = folder();
        let mut file = File::create(folder.path().join("data").join(name)).unwrap();
        file.write_all(head.as_bytes()).unwrap();
        file.seek(SeekFrom::Current(1 << 30)).unwrap(); // zeros that take no room
        file.write_all(format!("\n{tail}").as_bytes()).unwrap();
        drop(file);
        let outcome = build(folder.path(), format);
        is_civil(&outcome);
        assert_eq!(ids(folder.path()), expected, "{format}: {}", outcome.stderr);
        assert!(complaints(folder.path()).contains(complaint), "{format}: {}", complaints(folder.path()));
    }
}

/// Documents of a few letters, no two the same.
fn tiny(count: usize) {
    let folder = folder();
    let mut file = std::io::BufWriter::new(File::create(folder.path().join("data/a.jsonl")).unwrap());
    for number in 0..count {
        writeln!(file, "{{\"text\":\"글{number}\"}}").unwrap();
    }
    drop(file.into_inner().unwrap());
    // Signatures are mapped, and those of ten million documents are a gigabyte by themselves.
    let outcome = build_in(&Room::Allocations, folder.path(), "jsonl");
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.path().join("out/stats.json")).unwrap()).unwrap();
    assert_eq!(stats["sources"][0]["kept"]["documents"], count);
}

#[test]
fn a_hundred_thousand_tiny_documents() {
    tiny(100_000);
}

#[test]
#[ignore = "minutes and gigabytes of disk: `make verify-hostile`"]
fn ten_million_tiny_documents() {
    tiny(10_000_000);
}

#[test]
fn deep_pages() {
    let folder = folder();
    let deep = |open: &str, close: &str, times: usize| format!("<html><body>{}{}{}", open.repeat(times), korean(3), close.repeat(times));
    for (name, page) in [
        ("div.html", deep("<div>", "</div>", 200_000)),
        ("open.html", deep("<b><p>", "", 100_000)),
        ("table.html", deep("<table><tr><td>", "</td></tr></table>", 50_000)),
        ("attribute.html", format!("<p {}>{}</p>", "a=b ".repeat(200_000), korean(4))),
        ("comment.html", format!("{}{}", "<!--".repeat(200_000), korean(5))),
        ("entities.html", format!("<p>{}{}</p>", "&amp;&#x110000;&#0;".repeat(50_000), korean(6))),
        ("good.html", format!("<html><body><article><p>{}</p></article></body></html>", korean(7))),
    ] {
        std::fs::write(folder.path().join("data").join(name), page).unwrap();
    }
    let outcome = build(folder.path(), "html");
    is_civil(&outcome);
    assert!(ids(folder.path()).iter().any(|id| id.contains("good.html")), "{}", outcome.stderr);
}

#[test]
fn junk_is_complained_about() {
    let mut seed = 7_u64;
    let mut junk = Vec::new();
    while junk.len() < 300_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        junk.extend_from_slice(&(seed >> 16).to_le_bytes()[..5]);
    }
    for (format, name, magic) in [
        ("jsonl", "a.jsonl", &b""[..]),
        ("jsonl", "a.jsonl.gz", &[0x1f, 0x8b, 8, 0]),
        ("jsonl", "a.jsonl.zst", &[0x28, 0xb5, 0x2f, 0xfd]),
        ("jsonl", "a.jsonl.bz2", b"BZh9"),
        ("csv", "a.csv", b"id,text\n"),
        ("parquet", "a.parquet", b"PAR1"),
        ("arrow", "a.arrow", b"ARROW1\0\0"),
        ("arrow", "b.arrow", &[0xff, 0xff, 0xff, 0xff, 0x10, 0, 0, 0]),
        ("text", "a.txt", b""),
        ("html", "a.html", b"<html>"),
        ("warc", "a.warc", b"WARC/1.0\r\n"),
        ("warc", "a.warc.gz", &[0x1f, 0x8b, 8, 0]),
        ("wiki", "a.xml.bz2", b"BZh9"),
        ("wiki", "a.xml", b""),
        ("code", "a.rs", b""),
    ] {
        let folder = folder();
        std::fs::write(folder.path().join("data").join(name), [magic, &junk].concat()).unwrap();
        is_civil(&build(folder.path(), format));
        assert!(!complaints(folder.path()).is_empty(), "{name}");
    }
}

#[test]
fn odd_text_is_read_or_named() {
    let folder = folder();
    let text = [
        jsonl("nul", &format!("{}\0{}", korean(1), korean(2))),
        "{\"id\": \"half\", \"text\": \"\\ud800 반쪽\"}\n".to_owned(),
        "{\"id\": \"halves\", \"text\": \"\\udc00\\ud800\"}\n".to_owned(),
        format!("{{\"id\": \"deep\", \"text\": {}1{}}}\n", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{{\"id\": \"number\", \"text\": {}}}\n", "9".repeat(100_000)),
        jsonl("../../etc/passwd", &korean(3)),
        jsonl("new\nline\u{202e}", &korean(4)),
        jsonl("last", &korean(5)),
    ];
    std::fs::write(folder.path().join("data/a.jsonl"), text.concat()).unwrap();
    let outcome = build(folder.path(), "jsonl");
    is_civil(&outcome);
    assert_eq!(ids(folder.path()), ["nul", "../../etc/passwd", "new\nline\u{202e}", "last"], "{}", outcome.stderr);
    let complaints = complaints(folder.path());
    assert_eq!(complaints.lines().count(), 4, "{complaints}");
}

#[cfg(unix)]
#[test]
fn paths_that_lead_elsewhere_are_not_followed() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    let folder = folder();
    let data = folder.path().join("data");
    std::fs::write(folder.path().join("secret.jsonl"), jsonl("secret", &korean(1))).unwrap();
    symlink("..", data.join("up")).unwrap();
    symlink(".", data.join("loop")).unwrap();
    symlink("../secret.jsonl", data.join("link.jsonl")).unwrap();
    symlink("/dev/zero", data.join("zero.jsonl")).unwrap();
    symlink("nowhere", data.join("dangling.jsonl")).unwrap();
    assert!(Command::new("mkfifo").arg(data.join("pipe.jsonl")).status().unwrap().success());
    std::fs::write(data.join("line\nfeed.jsonl"), jsonl("feed", &korean(2))).unwrap();
    std::fs::write(data.join("-rf.jsonl"), jsonl("dash", &korean(3))).unwrap();
    let unnamed = data.join(OsStr::from_bytes(b"bad\xff.jsonl"));
    std::fs::write(&unnamed, jsonl("bytes", &korean(4))).unwrap();
    let outcome = build(folder.path(), "jsonl");
    is_civil(&outcome);
    assert!(outcome.code == 2 && outcome.stderr.contains("not valid UTF-8"), "{}", outcome.stderr);
    std::fs::remove_file(unnamed).unwrap();
    let outcome = build(folder.path(), "jsonl");
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let ids = ids(folder.path());
    assert!(ids.contains(&"feed".to_owned()) && ids.contains(&"dash".to_owned()), "{ids:?} {}", outcome.stderr);
    assert!(!ids.contains(&"secret".to_owned()), "{ids:?}");
}

/// Decoders that we did not write panic at some bytes; that is an error of these bytes and nothing else.
#[test]
fn a_decoder_that_gives_up_says_so_once() {
    let folder = folder();
    let mut bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpora/testdata/tables/nested.parquet")).unwrap();
    // A struct whose children differ in length.
    for (at, bit) in [(1001, 32), (1267, 8), (9240, 4)] {
        bytes[at] ^= bit;
    }
    std::fs::write(folder.path().join("data/a.parquet"), bytes).unwrap();
    let recipe = "output = 'out'\nmax-bad-rows = 100\n[[sources]]\nname = 's'\nbucket = 'b'\nfiles = 'data'\nformat = 'parquet'\n\
                  keep-meta = ['meta', 'messages', 'answers']\n[tokenizer]\nbytes = true\n";
    std::fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    let outcome = call(folder.path(), &["build", "recipe.toml"]);
    is_civil(&outcome);
    assert!(complaints(folder.path()).contains("the decoder gave up"), "{} {}", outcome.stderr, complaints(folder.path()));
}
