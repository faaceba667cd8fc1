//! Same bytes for any number of threads; same documents, tokens and curve for any cut into parts.

use crate::corpus::Corpus;
use crate::malmoi::{all_lines, curve, done, outputs};

/// Documents that stand for two come twice in an epoch.
const REHYDRATE: &str = "mixture.rehydrate={ korean = { 2 = 2 }, english = { 2 = 3 } }";

fn assert_same(left: &std::path::Path, right: &std::path::Path) {
    let (left, right) = (outputs(left), outputs(right));
    assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
    for (name, bytes) in &left {
        assert!(right[name] == *bytes, "{name} differs");
    }
}

#[test]
fn one_thread_and_many_give_the_same_bytes_and_the_same_curve() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml", "--jobs", "1", "--set", "output=out/one", "--set", REHYDRATE]);
    done(corpus.path(), &["run", "recipe.toml", "--jobs", "4", "--set", "output=out/four", "--set", REHYDRATE]);
    assert_same(&corpus.out("one"), &corpus.out("four"));
    assert_eq!(curve(&corpus.out("one")), curve(&corpus.out("four")));
}

#[test]
fn one_part_and_many_give_the_same_documents_tokens_and_curve() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml", "--set", "output=out/whole", "--set", REHYDRATE]);
    done(corpus.path(), &["run", "recipe.toml", "--set", "output=out/cut", "--set", "part-bytes=9000", "--set", REHYDRATE]);
    let (whole, cut) = (corpus.out("whole"), corpus.out("cut"));
    let parts = |run: &std::path::Path| std::fs::read_dir(run.join("documents")).unwrap().count();
    assert!(parts(&cut) > 3 * parts(&whole), "the corpus was not cut: {} parts", parts(&cut));
    // Rows are numbered inside a part; everything else of a line is the same.
    let ids = |run: &std::path::Path, folder: &str| -> Vec<String> {
        let mut lines: Vec<String> = all_lines(&run.join(folder))
            .into_iter()
            .map(|mut line| {
                let fields = line.as_object_mut().unwrap();
                ["row", "of-row", "of-part"].iter().for_each(|place| drop(fields.remove(*place)));
                line.to_string()
            })
            .collect();
        // Quarantined lines have no id to sort by but the same text in both.
        lines.sort();
        lines
    };
    for folder in ["documents", "rejects", "duplicates"] {
        assert_eq!(ids(&whole, folder), ids(&cut, folder), "{folder}");
    }
    assert_eq!(curve(&whole), curve(&cut));
}
