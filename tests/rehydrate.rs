//! Documents that stand for copies come again within an epoch: as often as the recipe says, and nowhere in silence.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::corpus::{Corpus, jsonl, korean};
use crate::malmoi::{call, done, outputs};

const RECIPE: &str = "output = 'out/run'\nheld-out = 0.1\npart-bytes = 9000\n[[sources]]\nname = 'ko'\nbucket = 'korean'\n\
    files = 'ko.jsonl'\nformat = 'jsonl'\n[dedup]\nminhash = {}\n[tokenizer]\nbytes = true\n\
    [mixture]\nkorean = 1\nrehydrate = { korean = { 2 = 2, 5 = 3, 9 = 1 } }\n\
    [train]\nobjective = 'cpt'\nepochs = 2\nsequence-length = 128\nbatch = 4\nmicro-batch = 4\n\
    model = { hidden = 32, layers = 1, heads = 4, kv-heads = 2, intermediate = 64 }\n";

/// Sixty documents, of which every fifth stands for two, every twelfth for six and one for ten.
fn corpus() -> (Corpus, BTreeMap<String, u64>) {
    let corpus = Corpus::new();
    let mut text = String::new();
    let mut sizes = BTreeMap::new();
    for at in 0..60 {
        let documents = match at {
            30 => 10,
            _ if at % 12 == 0 => 6,
            _ if at % 5 == 0 => 2,
            _ => 1,
        };
        for copy in 0..documents {
            text.push_str(&jsonl(&format!("{at:02}-{copy}"), &korean(at)));
        }
        sizes.insert(format!("{at:02}-0"), documents);
    }
    std::fs::write(corpus.path().join("ko.jsonl"), text).unwrap();
    corpus.recipe("again.toml", RECIPE);
    (corpus, sizes)
}

fn audit(corpus: &Corpus, run: &str) -> String {
    let outcome = call(corpus.path(), &["audit", run, "--deep"]);
    outcome.stdout + &outcome.stderr
}

fn json(corpus: &Corpus, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(corpus.out("run").join(name)).unwrap()).unwrap()
}

/// Tokens drawn of each document, by document and copy, from what `data order` says of every step.
fn drawn(corpus: &Corpus, run: &str, steps: u64) -> BTreeMap<(String, u64), u64> {
    let mut drawn = BTreeMap::new();
    for step in 1..=steps {
        let told = done(corpus.path(), &["data", "order", run, "--step", &step.to_string(), "--json"]).stdout;
        for row in told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            for document in row["documents"].as_array().into_iter().flatten() {
                let (id, copy) = (document["id"].as_str().unwrap().to_owned(), document["copy"].as_u64().unwrap());
                let tokens = document["end-token"].as_u64().unwrap() - document["first-token"].as_u64().unwrap();
                *drawn.entry((id, copy)).or_default() += tokens;
            }
        }
    }
    drawn
}

#[test]
fn an_epoch_has_documents_as_often_as_their_cluster_says() {
    let (corpus, sizes) = corpus();
    done(corpus.path(), &["build", "again.toml"]);
    let told = audit(&corpus, "out/run");
    assert!(told.contains(" 0 faults") && told.contains("are of documents repeated for their clusters"), "{told}");
    let bucket = &json(&corpus, "mixture.json")["buckets"][0];
    let number = |key: &str| bucket[key].as_u64().unwrap();
    assert_eq!(bucket["epochs"], 2.0);
    let steps = number("windows").div_ceil(4);
    let drawn = drawn(&corpus, "out/run", steps);
    // A document has as many bytes as tokens, and its end; held-out ones are not drawn.
    let (mut distinct, mut copies) = (0, 0);
    for (id, documents) in &sizes {
        let length = korean(id[..2].parse().unwrap()).trim_end().len().max(korean(id[..2].parse().unwrap()).len()) as u64 + 1;
        let repeats = match documents {
            2 => 2,
            6 => 3,
            _ => 1,
        };
        let found: Vec<u64> = drawn.range((id.clone(), 0)..=(id.clone(), u64::MAX)).map(|(_, tokens)| *tokens).collect();
        if found.is_empty() {
            continue;
        }
        assert_eq!(found, vec![2 * length; repeats], "{id} of {documents}");
        distinct += length;
        copies += length * (repeats as u64 - 1);
    }
    assert_eq!((number("available-tokens"), number("copied-tokens")), (distinct + copies, copies));
    assert_eq!((number("tokens"), number("repeated-tokens")), (2 * (distinct + copies), distinct + 2 * copies));
    let stats = json(&corpus, "stats.json");
    assert_eq!((&stats["tokens"]["buckets"][0]["available"], &stats["tokens"]["buckets"][0]["copies"]), (&distinct.into(), &copies.into()));
    let classes: Vec<u64> =
        json(&corpus, "manifest.json")["shards"].as_array().unwrap().iter().filter_map(|shard| shard["repeats"].as_u64()).collect();
    assert!(classes.is_sorted() && classes.contains(&2) && classes.contains(&3), "{classes:?}");
    // Other weights of the same classes encode nothing again; other classes leave nothing of these behind.
    let again = done(corpus.path(), &["build", "again.toml", "--set", "mixture.rehydrate={ korean = { 2 = 5, 5 = 1, 9 = 4 } }"]);
    assert!(again.stderr.contains("tokenize: current"), "{}", again.stderr);
    assert!(audit(&corpus, "out/run").contains(" 0 faults"));
    done(corpus.path(), &["build", "again.toml", "--set", "mixture.rehydrate={ korean = { 6 = 2 } }"]);
    assert!(audit(&corpus, "out/run").contains(" 0 faults"));
    done(corpus.path(), &["build", "again.toml", "--set", "mixture.rehydrate={ korean = { 6 = 2 } }", "--set", "output=out/fresh"]);
    assert!(outputs(&corpus.out("run")).keys().eq(outputs(&corpus.out("fresh")).keys()));
}

#[test]
fn the_audit_finds_repeats_that_the_clusters_do_not_ask_for() {
    let (corpus, _) = corpus();
    done(corpus.path(), &["build", "again.toml"]);
    let path = corpus.out("run").join("manifest.json");
    let manifest = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, manifest.replacen("\"repeats\": 3", "\"repeats\": 2", 1)).unwrap();
    let told = audit(&corpus, "out/run");
    assert!(told.contains("manifest.json does not list what the parts left, as the recipe repeats it"), "{told}");
    std::fs::write(&path, manifest).unwrap();
    let clusters = corpus.out("run").join("duplicates/clusters");
    let file = std::fs::read_dir(clusters).unwrap().map(|file| file.unwrap().path()).min().unwrap();
    let mut writer = corpora::JsonlWriter::create(&file).unwrap();
    writer.push(&serde_json::json!({ "row": 1, "documents": 7 })).unwrap();
    writer.finish().unwrap();
    let told = audit(&corpus, "out/run");
    assert!(
        told.contains("not the clusters that the duplicates of all parts make") && told.contains("`00-0` stands for 1 and is in"),
        "{told}"
    );
}

#[test]
fn what_has_no_clusters_cannot_be_repeated_by_them() {
    let (corpus, _) = corpus();
    for (set, message) in [
        ("mixture.rehydrate={ koraen = { 2 = 2 } }", "`koraen`, which no source fills"),
        ("mixture.rehydrate={ korean = { 1 = 2 } }", "1 is no size of a cluster"),
        ("dedup={ exact = false }", "`[dedup]` finds no clusters"),
    ] {
        let outcome = call(corpus.path(), &["build", "again.toml", "--set", set]);
        assert!(outcome.code == 2 && outcome.stderr.contains(message), "{}: {}", outcome.code, outcome.stderr);
    }
}
