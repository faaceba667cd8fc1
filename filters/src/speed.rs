//! How fast a filter is, and what it finds in code: `cargo test --release --locked --workspace --lib speed -- --ignored --nocapture`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};

use crate::metrics::Metrics;
use crate::pages::document;
use crate::{FilterSpec, SpecError};

/// Nanoseconds that this thread has run, from Linux' scheduler.
pub(crate) fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

/// The texts of a file of JSON lines below `../shared/data`; none where it is not there.
pub(crate) fn texts(name: &str) -> Option<Vec<(String, serde_json::Value)>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    let Ok(file) = std::fs::File::open(path) else {
        eprintln!("skipped: no ../shared");
        return None;
    };
    let lines = std::io::BufRead::lines(std::io::BufReader::new(zstd::Decoder::new(file).unwrap()));
    let record = |line: std::io::Result<String>| {
        let mut record: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let text = record["text"].take();
        (text.as_str().unwrap_or_default().to_owned(), record)
    };
    Some(lines.map(record).collect())
}

/// Source files of the crates this was built with, at most `bytes` of them.
pub(crate) fn crates(bytes: usize) -> Vec<(PathBuf, String)> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cargo"))).unwrap();
    let mut folders = vec![home.join("registry/src")];
    let (mut files, mut read) = (Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path)
                && read < bytes
            {
                read += text.len();
                files.push((path, text));
            }
        }
    }
    files
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    let file = |name: &str| texts(name).map(|texts| texts.into_iter().map(|(text, _)| text).collect::<Vec<_>>());
    let (Some(korean), Some(law), Some(english)) =
        (file("korean_docs.jsonl.zst"), file("korean_law.jsonl.zst"), file("english_docs.jsonl.zst"))
    else {
        return;
    };
    let code = crates(30 << 20).into_iter().map(|(_, text)| text).collect();
    let build = |name: &str| -> Result<_, SpecError> {
        let (name, options) = name.split_once(' ').unwrap_or((name, ""));
        toml::from_str::<FilterSpec>(&format!("{name} = {{ {options} }}")).unwrap().build()
    };
    for name in [
        "normalize",
        "normalize preset = 'web'",
        "normalize mojibake = true",
        "normalize boilerplate = true",
        "normalize width = 'half-ascii'",
        "pii",
        "secrets",
        "profanity",
        "spam",
        "korean-quality",
        "language keep = ['ko', 'en']",
        "language keep = ['ko', 'en'], lines = 'measure'",
    ] {
        let filter = build(name).unwrap();
        for (set, texts) in [("korean docs", &korean), ("korean law", &law), ("english docs", &english), ("code", &code)] {
            let bytes: usize = texts.iter().map(String::len).sum();
            let best = (0..3).map(|_| {
                let mut documents: Vec<_> = texts.iter().map(|text| (document(text), Metrics::new())).collect();
                // Words are found once for all filters of a chain.
                documents.iter_mut().for_each(|(document, metrics)| drop(metrics.words(&document.text)));
                let begin = cpu();
                for (document, metrics) in &mut documents {
                    filter.apply(document, metrics);
                }
                cpu() - begin
            });
            let best = best.min().unwrap();
            println!("{name:24} {set:13} {:6.1} MB {:7.0} MB per CPU-second", bytes as f64 / 1e6, bytes as f64 * 1e3 / best as f64);
        }
    }
}

/// What `pii` and `secrets` find in the crates of this machine: nearly all of it should be addresses
/// of authors.
#[test]
#[ignore = "a measurement"]
fn found_in_code() {
    let files = crates(400 << 20);
    println!("{} files, {} bytes", files.len(), files.iter().map(|(_, text)| text.len()).sum::<usize>());
    for name in ["pii", "secrets"] {
        let filter = toml::from_str::<FilterSpec>(&format!("{name} = {{}}")).unwrap().build().unwrap();
        let mut found = std::collections::BTreeMap::<&str, f64>::new();
        for (_, text) in &files {
            let (mut document, mut metrics) = (document(text), Metrics::new());
            document.lang = Some("rust".to_owned());
            filter.apply(&mut document, &mut metrics);
            metrics.iter().for_each(|(name, value)| *found.entry(name).or_default() += value);
        }
        println!("{found:?}");
    }
}
