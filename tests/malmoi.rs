//! Calling the binary, and reading what a run left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The binary under test.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_malmoi"));
    command.current_dir(folder).args(arguments).arg("--no-progress");
    command
}

/// What one call left: exit code, stdout, stderr.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn call(folder: &Path, arguments: &[&str]) -> Outcome {
    outcome(command(folder, arguments).output().unwrap())
}

pub(crate) fn outcome(output: Output) -> Outcome {
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A call that must succeed.
pub(crate) fn done(folder: &Path, arguments: &[&str]) -> Outcome {
    let outcome = call(folder, arguments);
    assert_eq!(outcome.code, 0, "malmoi {arguments:?}\n{}\n{}", outcome.stdout, outcome.stderr);
    outcome
}

/// Contents of every file below `folder` whose relative path `wanted` accepts.
pub(crate) fn files(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, wanted: &dyn Fn(&str) -> bool, out: &mut BTreeMap<String, Vec<u8>>) {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                walk(root, &path, wanted, out);
            } else if wanted(&name) {
                out.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(folder, folder, wanted, &mut out);
    out
}

/// Everything that must not depend on threads, restarts or wall time.
pub(crate) fn outputs(run: &Path) -> BTreeMap<String, Vec<u8>> {
    files(run, &|name| {
        let top = name.split('/').next().unwrap();
        matches!(
            top,
            "documents"
                | "rejects"
                | "signatures"
                | "stats"
                | "duplicates"
                | "lines"
                | "substrings"
                | "tokenizer"
                | "shards"
                | "manifest.json"
                | "mixture.json"
        )
    })
}

/// The training curve without the fields that measure time.
pub(crate) fn curve(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let fields = line.as_object_mut().unwrap();
            fields.remove("seconds");
            fields.remove("tokens-per-second");
            line
        })
        .collect()
}

/// Lines of a `.jsonl.zst` file.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    corpora::JsonlReader::<Value>::open(path).unwrap().map(Result::unwrap).collect()
}

/// Fields that are a text of JSON in a line.
const TEXTS: [&str; 7] = ["turns", "judged", "messages", "reason", "meta", "metrics", "findings"];

/// All lines of all files of a folder, in the order of the file names, their texts of JSON read.
pub(crate) fn all_lines(folder: &Path) -> Vec<Value> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(".jsonl.zst"))
        .collect();
    paths.sort();
    let mut lines: Vec<Value> = paths.iter().flat_map(|path| lines(path)).collect();
    for line in &mut lines {
        for field in TEXTS {
            if let Some(Value::String(text)) = line.get(field) {
                line[field] = serde_json::from_str(text).unwrap();
            }
        }
    }
    lines
}
