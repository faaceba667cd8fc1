//! `--set section.key=value`: one value of the recipe replaced from the command line.

use toml::{Table, Value};

use crate::error::{Error, Result};

/// Applies one `path=value`. A number in the path indexes a list (`sources.0.files`). The value is
/// read as TOML and, where it is not TOML, as a string.
pub(crate) fn apply(table: &mut Table, assignment: &str) -> Result<()> {
    let fail = |why: String| Error::new(format!("--set {assignment}: {why}")).hint("the form is --set section.key=value");
    let (path, text) = assignment.split_once('=').ok_or_else(|| fail("there is no `=`".to_owned()))?;
    let value = toml::from_str::<Table>(&format!("v = {}", text.trim()))
        .ok()
        .and_then(|mut parsed| parsed.remove("v"))
        .unwrap_or_else(|| Value::String(text.to_owned()));
    let keys: Vec<&str> = path.trim().split('.').collect();
    if keys.iter().any(|key| key.is_empty()) {
        return Err(fail("a key of the path is empty".to_owned()));
    }
    let (last, above) = keys.split_last().ok_or_else(|| fail("the path is empty".to_owned()))?;
    let mut root = Value::Table(std::mem::take(table));
    let mut place = &mut root;
    for key in above {
        place = descend(place, key).map_err(fail)?;
    }
    match place {
        Value::Table(inner) => {
            inner.insert((*last).to_owned(), value);
        }
        Value::Array(items) => {
            let slot = index(items, last).map_err(fail)?;
            *slot = value;
        }
        other => return Err(fail(format!("`{last}` would be a key of {}", other.type_str()))),
    }
    if let Value::Table(whole) = root {
        *table = whole;
    }
    Ok(())
}

fn descend<'a>(place: &'a mut Value, key: &str) -> Result<&'a mut Value, String> {
    match place {
        Value::Table(table) => Ok(table.entry(key.to_owned()).or_insert_with(|| Value::Table(Table::new()))),
        Value::Array(items) => index(items, key),
        other => Err(format!("`{key}` would be a key of {}", other.type_str())),
    }
}

fn index<'a>(items: &'a mut [Value], key: &str) -> Result<&'a mut Value, String> {
    let length = items.len();
    key.parse::<usize>()
        .ok()
        .and_then(|position| items.get_mut(position))
        .ok_or_else(|| format!("`{key}` is not one of the list's {length} positions (0 is the first)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, assignment: &str) -> Result<Table> {
        let mut table: Table = toml::from_str(text).unwrap();
        apply(&mut table, assignment)?;
        Ok(table)
    }

    #[test]
    fn sets_nested_keys_list_items_and_bare_strings() {
        assert_eq!(set("", "train.tokens=5").unwrap()["train"]["tokens"].as_integer(), Some(5));
        assert_eq!(set("seed = 1", "seed=2").unwrap()["seed"].as_integer(), Some(2));
        let table = set("[[sources]]\nname='a'", "sources.0.files=data/*.jsonl").unwrap();
        assert_eq!(table["sources"][0]["files"].as_str(), Some("data/*.jsonl"));
        assert_eq!(set("", "a.keep=[\"ko\"]").unwrap()["a"]["keep"][0].as_str(), Some("ko"));
    }

    #[test]
    fn refuses_what_has_no_place() {
        assert!(set("", "novalue").is_err());
        assert!(set("seed = 1", "seed.deep=2").is_err());
        assert!(set("[[sources]]\nname='a'", "sources.3.name=b").unwrap_err().message.contains("positions"));
        assert!(set("", ".a=1").is_err());
    }
}
