//! Real corpora of the optional data directory beside the project, where it is there.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::path::Path;

use crate::malmoi::done;

#[test]
fn real_korean_english_and_code_text_balances_to_the_last_token() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !data.join("korean_docs.jsonl.zst").exists() {
        eprintln!("skipped: no ../shared");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let recipe = include_str!("data/reference.toml")
        .replace("DATA", data.to_str().unwrap())
        .replace("CODE", concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    std::fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    done(folder.path(), &["build", "recipe.toml"]);
    let audit = done(folder.path(), &["audit", "out/reference"]);
    assert!(audit.stdout.contains(" 0 faults"), "{}", audit.stdout);
}
