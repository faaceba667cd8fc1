use std::fs;

use super::*;

fn source(format: &str, files: &str) -> Source {
    serde_json::from_str(&format!(r#"{{ "name": "s", "bucket": "b", "files": "{files}", {format} }}"#)).unwrap()
}

const JSONL: &str = r#""format": "jsonl""#;

/// `name relative range` of every slice, a part a line.
fn shown(parts: &[Part]) -> Vec<String> {
    let slice = |slice: &Slice| match slice.range {
        Range::Whole => slice.relative.clone(),
        Range::Bytes { start, end } => format!("{}[{start}..{end}]", slice.relative),
        Range::RowGroups { start, end } => format!("{}<{start}..{end}>", slice.relative),
    };
    parts
        .iter()
        .map(|part| format!("{} {} = {}", part.name, part.bytes, part.slices.iter().map(slice).collect::<Vec<_>>().join(" ")))
        .collect()
}

#[test]
fn small_files_share_parts_and_large_ones_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("a", 4), ("b", 5), ("c", 25), ("d", 6), ("e", 4)] {
        fs::write(folder.path().join(name).with_extension("jsonl"), "x".repeat(bytes)).unwrap();
    }
    let parts = plan(&[source(JSONL, "*.jsonl")], folder.path(), 10).unwrap();
    assert_eq!(
        shown(&parts),
        [
            "s-00000 9 = a.jsonl b.jsonl",
            "s-00001 10 = c.jsonl[0..10]",
            "s-00002 10 = c.jsonl[10..20]",
            "s-00003 5 = c.jsonl[20..25]",
            "s-00004 10 = d.jsonl e.jsonl",
        ]
    );
    assert_eq!(
        shown(&plan(&[source(JSONL, "*.jsonl")], folder.path(), 1000).unwrap()),
        ["s-00000 44 = a.jsonl b.jsonl c.jsonl d.jsonl e.jsonl"]
    );
    // Only what is split at lines can be cut.
    let whole = source(r#""format": "text", "split": "paragraph""#, "c.jsonl");
    assert_eq!(shown(&plan(&[whole], folder.path(), 10).unwrap()), ["s-00000 25 = c.jsonl"]);
    let lines = source(r#""format": "text", "split": "line""#, "c.jsonl");
    assert_eq!(plan(&[lines], folder.path(), 10).unwrap().len(), 3);
}

#[test]
fn compressed_files_stay_whole_whatever_they_are_called() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..400).map(|n| format!("{{\"text\": \"{n}\"}}\n")).collect();
    fs::write(folder.path().join("a.jsonl"), zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
    fs::write(folder.path().join("b.jsonl.gz"), &text).unwrap(); // not gzip: its reader's matter
    let parts = plan(&[source(JSONL, ".")], folder.path(), 50).unwrap();
    assert!(parts.len() == 2 && parts.iter().all(|part| part.slices.len() == 1 && part.slices[0].range == Range::Whole));
}

#[test]
fn parts_count_over_all_sources_and_names_within_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.jsonl"), "x".repeat(15)).unwrap();
    let (one, mut two) = (source(JSONL, "a.jsonl"), source(JSONL, "a.jsonl"));
    assert!(plan(&[one.clone(), two.clone()], folder.path(), 10).unwrap_err().to_string().contains("two sources"));
    two.name = "t".to_owned();
    let parts = plan(&[one.clone(), two], folder.path(), 10).unwrap();
    let places: Vec<(usize, usize, &str)> = parts.iter().map(|part| (part.index, part.source, part.name.as_str())).collect();
    assert_eq!(places, [(0, 0, "s-00000"), (1, 0, "s-00001"), (2, 1, "t-00000"), (3, 1, "t-00001")]);
    let written = serde_json::to_string(&parts).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Part>>(&written).unwrap(), parts);
    assert!(plan(&[one], folder.path(), 0).is_err());
}

#[test]
fn a_contradicting_source_and_a_missing_file_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    assert!(plan(&[source(r#""format": "jsonl", "split": "line""#, "a")], folder.path(), 10).unwrap_err().to_string().contains("`split`"));
    assert!(plan(&[source(JSONL, "a.jsonl")], folder.path(), 10).unwrap_err().to_string().contains("`a.jsonl` matches no"));
}

#[test]
fn identity_follows_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    fs::write(&path, "x\n").unwrap();
    let parts = plan(&[source(JSONL, "a.jsonl")], folder.path(), 10).unwrap();
    let slice = &parts[0].slices[0];
    let before = slice.identity().unwrap();
    assert_eq!((before.len, &before.path), (2, &path));
    assert_eq!(slice.identity().unwrap(), before);
    let earlier = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(1_000_000_007);
    fs::File::options().write(true).open(&path).unwrap().set_modified(earlier).unwrap();
    assert_eq!(slice.identity().unwrap().mtime_ns, 1_000_000_007);
    fs::remove_file(&path).unwrap();
    assert!(slice.identity().unwrap_err().to_string().contains("a.jsonl"));
}
