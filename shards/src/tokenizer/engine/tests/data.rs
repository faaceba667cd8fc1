//! Texts of a data folder beside the repository, and two encoders compared on them.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value;

/// Text given to the library in one go, which it needs much memory for.
const PART: usize = 1 << 16;

/// The data folder, if it has the file.
pub(crate) fn folder(with: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    beside.join(with).exists().then_some(beside)
}

pub(crate) fn unpacked(path: &Path) -> Vec<u8> {
    zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort_unstable();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Records of JSON lines, or parts of a text; bytes that are no UTF-8 become U+FFFD.
fn texts(path: &Path) -> Vec<String> {
    let name = path.to_string_lossy();
    let content = if name.ends_with(".zst") { unpacked(path) } else { std::fs::read(path).unwrap() };
    let content = String::from_utf8_lossy(&content).into_owned();
    let text = |line: &str| serde_json::from_str::<Value>(line).ok()?["text"].as_str().map(str::to_owned);
    if name.contains(".jsonl") && content.lines().next().and_then(text).is_some() {
        return content.lines().filter_map(text).collect();
    }
    let mut rest = &content[..];
    let part = || {
        let (part, next) = rest.split_at(rest.floor_char_boundary(PART));
        rest = next;
        (!part.is_empty()).then(|| part.to_owned())
    };
    std::iter::from_fn(part).collect()
}

/// Compares two encoders on a part of the data, or on all of it where that is asked for: a library takes minutes.
#[expect(clippy::print_stderr, reason = "says what was compared")]
pub(crate) fn compare(data: &Path, expected: &(dyn Fn(&str) -> Vec<u32> + Sync), found: &(dyn Fn(&str) -> Vec<u32> + Sync)) {
    let all = std::env::var_os("MALMOI_ALL_DATA").is_some();
    let mut paths = Vec::new();
    files(data, &mut paths);
    let (mut tokens, mut bytes, mut compared) = (0, 0, 0);
    for path in paths.iter().filter(|path| !path.ends_with("tokenizer.json.zst") && !path.ends_with("reserved.bin")) {
        let mut texts = texts(path);
        if !all {
            texts = texts.into_iter().step_by(40).collect();
        }
        let counts: Vec<usize> = texts
            .par_iter()
            .map(|text| {
                let expected = expected(text);
                assert!(found(text) == expected, "{}: {text:?}", path.display());
                expected.len()
            })
            .collect();
        tokens += counts.iter().sum::<usize>();
        bytes += texts.iter().map(String::len).sum::<usize>();
        compared += 1;
    }
    eprintln!("{tokens} tokens of {bytes} bytes in {compared} files are equal");
}
