//! Values of `config.json` by key, with messages that name the key.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// A table of the file; null is as good as absent.
pub(crate) struct Keys<'a> {
    pub(crate) path: &'a Path,
    pub(crate) table: &'a Map<String, Value>,
    /// The table's own key; empty for the file.
    pub(crate) place: &'static str,
}

impl<'a> Keys<'a> {
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.table.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn refuse<T>(&self, key: &str, detail: impl std::fmt::Display) -> Result<T> {
        let dot = if self.place.is_empty() { "" } else { "." };
        Err(Error::invalid(self.path, format!("`{}{dot}{key}` is {detail}", self.place)))
    }

    fn read<T>(&self, key: &str, what: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match read(value) {
                None => self.refuse(key, format!("{}, not {what}", shorten(value))),
                found => Ok(found),
            },
        }
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>> {
        self.read(key, "a text", Value::as_str)
    }

    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>> {
        self.read(key, "true or false", Value::as_bool)
    }

    pub(crate) fn float(&self, key: &str) -> Result<Option<f64>> {
        self.read(key, "a number", Value::as_f64)
    }

    pub(crate) fn count(&self, key: &str) -> Result<Option<usize>> {
        self.read(key, "a count", |value| value.as_u64().and_then(|count| usize::try_from(count).ok()))
    }

    pub(crate) fn need(&self, key: &str) -> Result<usize> {
        self.count(key)?.map_or_else(|| self.refuse(key, "missing"), Ok)
    }

    pub(crate) fn need_float(&self, key: &str) -> Result<f64> {
        self.float(key)?.map_or_else(|| self.refuse(key, "missing"), Ok)
    }

    /// One id or a list of them.
    pub(crate) fn ids(&self, key: &str) -> Result<Vec<u32>> {
        let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
        let read = |value: &'a Value| match value {
            Value::Array(ids) => ids.iter().map(id).collect(),
            one => id(one).map(|id| vec![id]),
        };
        Ok(self.read(key, "an id or a list of ids", read)?.unwrap_or_default())
    }
}

/// A value as it stands in a message.
pub(crate) fn shorten(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
