use super::*;

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[&str]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|file| tree.write(file, "x\n"));
        tree
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn expand(&self, format: &str, files: &[&str]) -> Result<Vec<String>> {
        let files = serde_json::to_string(files).unwrap();
        let source = serde_json::from_str(&format!(r#"{{ "name": "s", "bucket": "b", "files": {files}, {format} }}"#)).unwrap();
        Ok(expand(&source, self.0.path())?.into_iter().map(|file| file.relative).collect())
    }
}

const JSONL: &str = r#""format": "jsonl""#;
const TEXT: &str = r#""format": "text""#;
const CODE: &str = r#""format": "code""#;

#[test]
fn files_directories_and_globs() {
    let tree = Tree::new(&["d/b.jsonl", "d/a.jsonl.zst", "d/e/c.ndjson.gz", "d/x.json", "d/.h.jsonl", "d/[1].jsonl"]);
    assert_eq!(tree.expand(JSONL, &["d/b.jsonl"]).unwrap(), ["b.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["d"]).unwrap(), ["[1].jsonl", "a.jsonl.zst", "b.jsonl", "e/c.ndjson.gz"]);
    assert_eq!(tree.expand(JSONL, &["./d/*.json*"]).unwrap(), ["[1].jsonl", "a.jsonl.zst", "b.jsonl", "x.json"]);
    assert_eq!(tree.expand(JSONL, &["*/e/*"]).unwrap(), ["d/e/c.ndjson.gz"]);
    // A file of that very name comes before the glob that the name could be.
    assert_eq!(tree.expand(JSONL, &["d/[1].jsonl"]).unwrap(), ["[1].jsonl"]);
    // Each once, however often it is matched; sorted, in whatever order it is written.
    assert_eq!(
        tree.expand(JSONL, &["d/x.json", "d", "d/*.jsonl"]).unwrap(),
        ["[1].jsonl", "a.jsonl.zst", "b.jsonl", "e/c.ndjson.gz", "x.json"]
    );
}

#[test]
fn folders_may_be_named_like_globs() {
    // The decoys are what the names would match as globs.
    let tree = Tree::new(&["[ab] *?/d/1.jsonl", "[ab] *?/d/[2].jsonl", "a xy/d/decoy.jsonl", "[ab] xy/d/decoy.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["[ab] *?/d/1.jsonl"]).unwrap(), ["1.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["[ab] *?/d"]).unwrap(), ["1.jsonl", "[2].jsonl"]);
    assert_eq!(tree.expand(JSONL, &["[ab] *?/d/*.jsonl"]).unwrap(), ["1.jsonl", "[2].jsonl"]);
    assert_eq!(tree.expand(JSONL, &["[ab] *?/*/[0-9].jsonl"]).unwrap(), ["d/1.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["[a] */d/*"]).unwrap(), ["a xy/d/decoy.jsonl"]);
}

#[test]
fn names_that_would_be_alike_start_at_the_common_folder() {
    let tree = Tree::new(&["p/a/0.jsonl", "p/b/0.jsonl", "p/b/1.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["p/a", "p/b/*"]).unwrap(), ["a/0.jsonl", "b/0.jsonl", "b/1.jsonl"]);
}

#[test]
fn text_directories_take_text_or_the_named_extensions() {
    let tree = Tree::new(&["a.txt", "b.md", "c.rst", "d.TXT.gz"]);
    assert_eq!(tree.expand(TEXT, &["."]).unwrap(), ["a.txt", "b.md", "d.TXT.gz"]);
    assert_eq!(tree.expand(r#""format": "text", "extensions": ["rst"]"#, &["."]).unwrap(), ["c.rst"]);
    assert_eq!(tree.expand(r#""format": "text", "extensions": ["rst"]"#, &["*"]).unwrap(), ["c.rst"]);
    assert_eq!(tree.expand(TEXT, &["*.rst"]).unwrap(), ["c.rst"]);
}

#[test]
fn code_trees_respect_their_own_ignore_files_only() {
    let tree = Tree::new(&[
        "p/src/lib.rs",
        "p/src/gen.rs",
        "p/out/a.c",
        "p/.git/x.py",
        "p/vendor/v.go",
        "p/a.min.js",
        "p/notes.txt",
        "p/build.sh",
    ]);
    tree.write("p/.gitignore", "out/\n");
    tree.write("p/src/.gitignore", "gen.rs\n");
    tree.write("p/.ignore", "build.sh\n");
    tree.write(".gitignore", "*\n"); // above the tree: another tree's matter
    assert_eq!(tree.expand(CODE, &["p"]).unwrap(), ["build.sh", "src/lib.rs"]);
    // So does a glob, from its fixed part on; a file that is named is taken whatever it is.
    for glob in ["p/*/*", "p/**/*.rs", "p/*/*.rs", "p/src*"] {
        assert_eq!(tree.expand(CODE, &[glob]).unwrap(), ["src/lib.rs"], "{glob}");
    }
    assert_eq!(tree.expand(CODE, &["p/*"]).unwrap(), ["build.sh", "src/lib.rs"]);
    assert_eq!(tree.expand(CODE, &["p/src/gen.rs"]).unwrap(), ["gen.rs"]);
    assert_eq!(tree.expand(CODE, &["p/a.min.js"]).unwrap(), ["a.min.js"]);
    assert_eq!(tree.expand(CODE, &["p/s*"]).unwrap(), ["src/lib.rs"]);
}

#[test]
#[cfg(unix)]
fn links_are_followed_where_named_and_not_where_found() {
    let tree = Tree::new(&["real/a.txt"]);
    fs::create_dir(tree.0.path().join("d")).unwrap();
    std::os::unix::fs::symlink(tree.0.path().join("real/a.txt"), tree.0.path().join("d/l.txt")).unwrap();
    std::os::unix::fs::symlink(tree.0.path(), tree.0.path().join("d/loop")).unwrap();
    assert_eq!(tree.expand(TEXT, &["d/l.txt"]).unwrap(), ["l.txt"]);
    assert_eq!(tree.expand(TEXT, &["d/*.txt"]).unwrap(), ["l.txt"]);
    assert!(tree.expand(TEXT, &["d"]).unwrap_err().to_string().contains("`d` matches no text file"));
}

#[test]
fn a_glob_that_ends_in_two_stars_is_the_folder_before_it() {
    let tree = Tree::new(&["d/a.jsonl", "d/e/b.jsonl", "d/e/f/c.jsonl", "d/e/x.json", "d/.h/h.jsonl", "d/e/.h.jsonl"]);
    for glob in ["d", "d/**", "d/**/**", "d/**/*.jsonl"] {
        assert_eq!(tree.expand(JSONL, &[glob]).unwrap(), ["a.jsonl", "e/b.jsonl", "e/f/c.jsonl"], "{glob}");
    }
    assert_eq!(tree.expand(JSONL, &["d/*/**"]).unwrap(), ["e/b.jsonl", "e/f/c.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["d/**/f/**"]).unwrap(), ["e/f/c.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["d/**/*"]).unwrap(), ["a.jsonl", "e/b.jsonl", "e/f/c.jsonl", "e/x.json"]);
    // What is hidden is found where its dot is written.
    assert_eq!(tree.expand(JSONL, &["d/**/.h*"]).unwrap(), [".h/h.jsonl", "e/.h.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["*/.h/*"]).unwrap(), ["d/.h/h.jsonl"]);
}

#[test]
fn endings_are_read_in_any_case() {
    let tree = Tree::new(&["a.jsonl.GZ", "b.JSONL.Zst", "c.jsonl.Bz2", "d.NDJSON"]);
    assert_eq!(tree.expand(JSONL, &["."]).unwrap(), ["a.jsonl.GZ", "b.JSONL.Zst", "c.jsonl.Bz2", "d.NDJSON"]);
}

#[test]
#[cfg(unix)]
fn a_file_counts_once_whatever_links_lead_to_it() {
    use std::os::unix::fs::symlink;
    let tree = Tree::new(&["d/a/1.jsonl", "d/b/2.jsonl", "other/c/3.jsonl"]);
    let link = |target: &str, name: &str| symlink(tree.0.path().join(target), tree.0.path().join(name)).unwrap();
    link("d", "d/a/self");
    link("d/a/1.jsonl", "d/b/again.jsonl");
    link("gone", "d/a/dangling.jsonl");
    // `**` goes through folders and not through links, which lead here in a circle.
    assert_eq!(tree.expand(JSONL, &["d/**/*.jsonl"]).unwrap(), ["a/1.jsonl", "b/2.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["d/**/*/*.jsonl", "d/*/self/*/*"]).unwrap(), ["a/1.jsonl", "b/2.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["d"]).unwrap(), ["a/1.jsonl", "b/2.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["d/a/*.jsonl"]).unwrap(), ["1.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["d/b/again.jsonl", "d/a"]).unwrap(), ["1.jsonl"]);
    assert!(tree.expand(JSONL, &["d/a/dang*"]).unwrap_err().to_string().contains("matches no jsonl file"));
    // A name follows one: so corpora are put together from several disks.
    link("other", "d/mount");
    assert_eq!(tree.expand(JSONL, &["d/mount/*/*"]).unwrap(), ["c/3.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["d/mount/**"]).unwrap(), ["c/3.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["d/*/c/*.jsonl"]).unwrap(), ["mount/c/3.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["d/m*"]).unwrap(), ["mount/c/3.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["d/**/*.jsonl"]).unwrap(), ["a/1.jsonl", "b/2.jsonl"]);
    assert_eq!(tree.expand(JSONL, &["d/**/mount/*/*.jsonl"]).unwrap(), ["mount/c/3.jsonl"]);
}

proptest::proptest! {
    /// The glob crate, which matches whole paths, is the oracle.
    #[test]
    fn steps_match_as_the_whole_does(
        pattern in proptest::collection::vec("(\\*\\*|\\*|a|\\*b|[.]a|\\?|[ab]|\\*[.]b)", 1..5),
        path in proptest::collection::vec("(a|b|ab|[.]a|a[.]b)", 1..5),
    ) {
        let (pattern, path) = (pattern.join("/"), path.join("/"));
        let glob = Glob::parse(&pattern).unwrap();
        let place = path.split('/').fold(glob.start(), |place, name| glob.enter(&place, name));
        let options = ::glob::MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
        let expected = ::glob::Pattern::new(&pattern).unwrap().matches_with(&path, options);
        if pattern.ends_with("**") {
            // There it means what lies below.
            proptest::prop_assert!(!glob.names_file(&place));
        } else {
            proptest::prop_assert_eq!(glob.names_file(&place), expected, "{} {}", pattern, path);
        }
        proptest::prop_assert!(!expected || place.leads_on());
    }
}

#[test]
fn nothing_to_read_is_an_error_with_source_and_pattern() {
    let tree = Tree::new(&["a.jsonl", "d/x.bin"]);
    tree.write("e/empty.jsonl", "");
    for (files, said) in [
        (["a.jsonl", "gone.jsonl"], "`gone.jsonl` matches no jsonl file"),
        (["*.jsonl.gz", "a.jsonl"], "`*.jsonl.gz` matches no jsonl file"),
        (["d", "a.jsonl"], "`d` matches no jsonl file"),
        (["a[", "a.jsonl"], "`a[` is not a glob"),
        (["e", "e/empty.jsonl"], "all files of e, e/empty.jsonl are empty"),
    ] {
        let error = tree.expand(JSONL, &files).unwrap_err().to_string();
        assert!(error.starts_with("source `s`: ") && error.contains(said), "{error}");
    }
}

#[test]
#[cfg(unix)]
fn a_name_that_is_not_utf8_is_named() {
    use std::os::unix::ffi::OsStrExt;
    let tree = Tree::new(&["a.txt"]);
    fs::write(tree.0.path().join(std::ffi::OsStr::from_bytes(b"b\xff.txt")), "x").unwrap();
    assert!(tree.expand(TEXT, &["."]).unwrap_err().to_string().contains("not valid UTF-8"));
}
