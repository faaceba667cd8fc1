use std::collections::BTreeMap;

use serde_json::Value;

use super::super::item::{Answer, Ask, Gold};
use super::*;

fn item(id: &str) -> Item {
    Item {
        id: id.into(),
        subject: String::new(),
        prompt: "p".into(),
        searched: Vec::new(),
        ask: Ask::Choose(Vec::new()),
        gold: Gold::Choice(0),
    }
}

fn record(id: &str) -> Record {
    Record {
        id: id.into(),
        subject: String::new(),
        prompt: "p".into(),
        cut: 0,
        answer: Answer::LogLikelihoods(vec![-1.5]),
        prediction: Value::Null,
        gold: Value::Null,
        scores: BTreeMap::new(),
        instructions: Vec::new(),
    }
}

#[test]
fn a_torn_line_costs_its_record_alone() {
    let folder = tempfile::tempdir().unwrap();
    let items: Vec<Item> = ["b", "a", "c"].map(item).to_vec();
    let mut store = Store::open(folder.path(), "x.jsonl").unwrap();
    store.add(vec![record("a")]).unwrap();
    store.add(vec![record("b"), record("c")]).unwrap();
    let partial = folder.path().join("x.jsonl.partial");
    let whole = fs::read(&partial).unwrap();
    fs::write(&partial, &whole[..whole.len() - 3]).unwrap();
    drop(store);

    let mut store = Store::open(folder.path(), "x.jsonl").unwrap();
    assert!(store.get(&items[0], "p").is_some() && store.get(&items[1], "p").is_some() && store.get(&items[2], "p").is_none());
    assert!(store.get(&items[0], "another").is_none(), "another prompt is another question");
    store.add(vec![record("c")]).unwrap();
    let path = store.finish(&items).unwrap();
    assert!(!partial.exists());
    let ids = |path: &Path| -> Vec<String> {
        fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str::<Record>(line).unwrap().id).collect()
    };
    assert_eq!(ids(&path), ["b", "a", "c"]);
    // A smaller set loses nothing of the larger.
    let mut store = Store::open(folder.path(), "x.jsonl").unwrap();
    store.finish(&items[2..]).unwrap();
    assert_eq!(ids(&path), ["c", "a", "b"]);
}
