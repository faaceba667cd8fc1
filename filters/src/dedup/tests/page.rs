//! The cases of the page, run.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    dedup: DedupConfig,
    /// Texts; their ids are `1`, `2`, ...
    texts: Vec<String>,
    /// Each text is written so many times in a row, every `#` as the number of the time.
    repeat: Option<usize>,
    /// What follows each text once.
    tails: Option<Vec<String>>,
    /// `id kind of` of what is removed.
    removed: Vec<String>,
}

#[test]
fn the_page_tells_the_truth() {
    let (_, cases) = PAGE.split_once("## Cases").unwrap();
    let mut ran = 0;
    for case in cases.split("```toml").skip(1) {
        let (case, _) = case.split_once("```").unwrap();
        let case: Case = toml::from_str(case).unwrap();
        case.dedup.validate().unwrap();
        let text = |(number, text): (usize, &String)| {
            let mut pieces: Vec<String> = (0..case.repeat.unwrap_or(1)).map(|n| text.replace('#', &n.to_string())).collect();
            pieces.extend(case.tails.as_ref().map(|tails| tails[number].clone()));
            Planted::new(&(number + 1).to_string(), &pieces.join(" "))
        };
        let documents = case.texts.iter().enumerate().map(text).collect();
        let (_, removed) = dedup(&[documents], &case.dedup, 2);
        let told: Vec<String> = removed.values().map(|duplicate| format!("{} {} {}", duplicate.id, duplicate.kind, duplicate.of)).collect();
        assert_eq!(told, case.removed, "{}", case.name);
        ran += 1;
    }
    assert!(ran >= 5, "{ran} cases");
}

#[test]
fn the_page_names_every_option() {
    let all = config(
        "minhash = {}\nsimhash = {}\nlines = { buckets = { a = 1 } }\nsubstrings = { buckets = { a = 9 } }\nagainst = [\"x\"]\nprefer = \"x\"",
    );
    let toml::Value::Table(table) = toml::Value::try_from(all).unwrap() else { unreachable!() };
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) => {
                inner.keys().for_each(|inner| assert!(PAGE.contains(&format!("| `{key}.{inner}` |")), "{key}.{inner}"))
            }
            _ => assert!(PAGE.contains(&format!("| `{key}` |")), "{key}"),
        }
    }
}
