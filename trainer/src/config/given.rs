//! What a recipe gives beside what comes from files: it is a mistake where it says something else.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The keys of a table as a recipe has them, without defaults.
pub type Given = Map<String, Value>;

/// That every key that is given says what `theirs` says. `normal` fills in what follows from other keys, and sorts what has no
/// order; `place` is the table's name, `whose` says where `theirs` come from.
///
/// # Errors
/// The first key that says something else, with both values.
pub(crate) fn agree<T>(given: &Given, theirs: &T, normal: impl Fn(T) -> T, [place, whose]: [&str; 2]) -> Result<()>
where
    T: Clone + PartialEq + Serialize + DeserializeOwned,
{
    let invalid = |error: serde_json::Error| Error::Setting { option: place.to_owned().into(), detail: error.to_string() };
    let theirs = normal(theirs.clone());
    let whole = serde_json::to_value(&theirs).map_err(invalid)?;
    for (key, value) in given {
        let mut one = whole.clone();
        one[key] = value.clone();
        let ours = normal(serde_json::from_value(one).map_err(invalid)?);
        if ours != theirs {
            let there = whole.get(key).map_or("not set".to_owned(), Value::to_string);
            let detail = format!("{value}, but {there} in {whose}; leave it out");
            return Err(Error::Setting { option: format!("{place}.{key}").into(), detail });
        }
    }
    Ok(())
}
