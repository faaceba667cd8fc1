//! Fields of a record: which ones a source wants, and the document that their values make.

use std::sync::Arc;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::document::Document;
use crate::error::Cause;
use crate::source::Source;

/// The fields a source names, resolved once for all its records.
#[derive(Debug)]
pub(crate) struct Fields {
    pub(crate) text: String,
    pub(crate) id: String,
    /// Whether the recipe named the id field: then a record without it is an error.
    pub(crate) id_required: bool,
    pub(crate) url: Option<String>,
    pub(crate) lang: Option<String>,
    pub(crate) meta: Vec<String>,
    /// Top-level names to keep while parsing: each name as it is, and the first step of its path.
    top: Vec<String>,
    source: Arc<str>,
    bucket: Arc<str>,
}

impl Fields {
    pub(crate) fn new(source: &Source) -> Self {
        let id = source.id_field.clone();
        let mut fields = Self {
            text: source.text_field.clone(),
            id_required: id.is_some(),
            id: id.unwrap_or_else(|| "id".to_owned()),
            url: source.url_field.clone(),
            lang: source.lang_field.clone(),
            meta: source.keep_meta.clone(),
            top: Vec::new(),
            source: source.name.as_str().into(),
            bucket: source.bucket.as_str().into(),
        };
        let mut top: Vec<String> =
            fields.names().flat_map(|name| [name, name.split('.').next().unwrap_or(name)]).map(str::to_owned).collect();
        top.sort();
        top.dedup();
        fields.top = top;
        fields
    }

    /// All names, as the recipe writes them.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let optional = [&self.url, &self.lang].into_iter().flatten();
        [&self.text, &self.id].into_iter().chain(optional).chain(&self.meta).map(String::as_str)
    }

    /// A document with a text and no field else.
    pub(crate) fn plain(&self, id: String, text: String, lang: Option<&str>) -> Document {
        Document {
            id,
            text,
            source: self.source.clone(),
            bucket: self.bucket.clone(),
            lang: lang.map(str::to_owned),
            url: None,
            meta: Map::new(),
        }
    }

    /// Parses one JSON object, keeping only what the source wants: the other fields are checked
    /// for syntax and never built.
    pub(crate) fn parse(&self, json: &str) -> Result<Map<String, Value>, Cause> {
        let invalid = |error: serde_json::Error| Cause::InvalidJson(error.to_string());
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let object = Wanted(&self.top).deserialize(&mut deserializer).map_err(invalid)?;
        deserializer.end().map_err(invalid)?;
        Ok(object)
    }

    /// The document of a parsed record; `fallback` gives the id of a record that has none.
    pub(crate) fn document(
        &self,
        mut record: Map<String, Value>,
        limit: u64,
        fallback: impl FnOnce() -> String,
    ) -> Result<Document, Cause> {
        let id = match lookup(&record, &self.id) {
            Some(Value::String(id)) if !id.is_empty() => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            None | Some(Value::Null) if self.id_required => return Err(Cause::MissingField(self.id.clone())),
            Some(other) if self.id_required => return Err(wrong(&self.id, other, "a string (not empty) or a number")),
            _ => fallback(),
        };
        let url = optional(&record, self.url.as_deref())?;
        let lang = optional(&record, self.lang.as_deref())?;
        let meta = self.meta.iter().filter_map(|name| Some((name.clone(), lookup(&record, name)?.clone()))).collect();
        let text = match take(&mut record, &self.text) {
            Some(Value::String(text)) => text,
            None | Some(Value::Null) => return Err(Cause::MissingField(self.text.clone())),
            Some(other) => return Err(wrong(&self.text, &other, "a string")),
        };
        if text.len() as u64 > limit {
            return Err(Cause::TooLong { limit });
        }
        Ok(Document { id, text, source: self.source.clone(), bucket: self.bucket.clone(), lang, url, meta })
    }
}

/// The value at a name, or at a dotted path where no field has that whole name.
fn lookup<'a>(record: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = record.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    lookup(record.get(first)?.as_object()?, rest)
}

fn take(record: &mut Map<String, Value>, path: &str) -> Option<Value> {
    if let Some(value) = record.get_mut(path) {
        return Some(value.take());
    }
    let (first, rest) = path.split_once('.')?;
    take(record.get_mut(first)?.as_object_mut()?, rest)
}

fn optional(record: &Map<String, Value>, name: Option<&str>) -> Result<Option<String>, Cause> {
    let Some(name) = name else { return Ok(None) };
    match lookup(record, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) => Ok(Some(value.clone())),
        Some(other) => Err(wrong(name, other, "a string or null")),
    }
}

fn wrong(field: &str, value: &Value, wanted: &'static str) -> Cause {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(text) if text.is_empty() => "an empty string",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    Cause::WrongType { field: field.to_owned(), found, wanted }
}

/// Builds an object of the wanted top-level fields. Of a repeated field the last one counts.
struct Wanted<'a>(&'a [String]);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut out = Map::new();
        while let Some(name) = map.next_key_seed(Name(self.0))? {
            match name {
                Some(name) => {
                    let value = map.next_value()?;
                    out.insert(name.to_owned(), value);
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(out)
    }
}

/// Reads a field's name without keeping it: the wanted name that it is, or none of them.
struct Name<'a>(&'a [String]);

impl<'de, 'a> DeserializeSeed<'de> for Name<'a> {
    type Value = Option<&'a str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Name<'a> {
    type Value = Option<&'a str>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let found = self.0.binary_search_by(|wanted| wanted.as_str().cmp(name));
        Ok(found.ok().map(|at| self.0[at].as_str()))
    }
}

#[cfg(test)]
mod tests;
