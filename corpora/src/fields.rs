//! Fields of a record: which ones a source wants, and the document that their values make.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::chat::{ChatFields, joined};
use crate::document::Document;
use crate::error::Cause;
use crate::preference::PreferenceFields;
use crate::source::Source;

/// Longest id in bytes. Ids are held for many documents at once, in signatures and in reports.
const MAX_ID_BYTES: usize = 4096;

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
    chat: Option<ChatFields>,
    preference: Option<PreferenceFields>,
    wanted: Wanted,
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
            chat: source.chat.clone(),
            preference: source.preference.clone(),
            wanted: Wanted::default(),
            source: source.name.as_str().into(),
            bucket: source.bucket.as_str().into(),
        };
        let optional = [&fields.url, &fields.lang].into_iter().flatten();
        let text = (!source.is_chat()).then_some(&fields.text);
        let scalars = text.into_iter().chain([&fields.id]).chain(optional).chain(fields.chat.iter().flat_map(ChatFields::texts));
        scalars.for_each(|name| fields.wanted.add(name, false));
        let messages = fields.chat.iter().filter_map(|chat| chat.messages.as_ref());
        let whole = messages.chain(fields.preference.iter().flat_map(PreferenceFields::names));
        whole.for_each(|name| fields.wanted.add(name, true));
        fields.meta.iter().for_each(|name| fields.wanted.add(name, true));
        fields
    }

    /// All names, as the recipe writes them.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let optional = [&self.url, &self.lang].into_iter().flatten();
        let text = (self.chat.is_none() && self.preference.is_none()).then_some(&self.text);
        let chat = self.chat.iter().flat_map(ChatFields::names).chain(self.preference.iter().flat_map(PreferenceFields::names));
        text.into_iter().chain(chat).chain([&self.id]).chain(optional).chain(&self.meta).map(String::as_str)
    }

    /// Whether the source takes a text from the field, and nothing else will do.
    pub(crate) fn wants_text(&self, name: &str) -> bool {
        let text = if self.chat.is_none() { Some(&self.text) } else { None };
        let optional = [&self.url, &self.lang].into_iter().flatten();
        text.into_iter().chain(optional).chain(self.chat.iter().flat_map(ChatFields::texts)).any(|wanted| wanted == name)
    }

    /// A document with a text and no field else.
    pub(crate) fn plain(&self, id: String, text: String, lang: Option<&str>) -> Document {
        Document { lang: lang.map(str::to_owned), ..Document::new(id, text, self.source.clone(), self.bucket.clone()) }
    }

    /// Parses one JSON object, keeping only what the source wants: the other fields are checked
    /// for syntax and never built.
    pub(crate) fn parse(&self, json: &str) -> Result<Map<String, Value>, Cause> {
        let invalid = |error: serde_json::Error| Cause::InvalidJson(error.to_string());
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let value = self.wanted.deserialize(&mut deserializer).map_err(invalid)?;
        deserializer.end().map_err(invalid)?;
        match value {
            Value::Object(object) => Ok(object),
            _ => Err(Cause::InvalidJson("not an object".to_owned())),
        }
    }

    /// Refuses an id that is too long to be carried along.
    pub(crate) fn check_id(&self, id: &str) -> Result<(), Cause> {
        if id.len() <= MAX_ID_BYTES {
            return Ok(());
        }
        Err(Cause::FieldTooLong { field: self.id.clone(), limit: MAX_ID_BYTES as u64 })
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
            // A number that is none of 64 bits was rounded: other ids may have become the same.
            Some(Value::Number(id)) if !id.is_f64() => id.to_string(),
            None | Some(Value::Null) if self.id_required => return Err(Cause::MissingField(self.id.clone())),
            Some(other) if self.id_required => return Err(wrong(&self.id, other, "a string (not empty) or an integer of 64 bits")),
            _ => fallback(),
        };
        self.check_id(&id)?;
        let url = optional(&record, self.url.as_deref())?;
        let lang = optional(&record, self.lang.as_deref())?;
        let meta = self.meta.iter().filter_map(|name| Some((name.clone(), lookup(&record, name)?.clone()))).collect();
        let (turns, judged) = match (&self.preference, &self.chat) {
            (Some(preference), _) => {
                let (turns, judged) = preference.turns(&record)?;
                (turns, Some(judged))
            }
            (None, Some(chat)) => (chat.turns(&record)?, None),
            (None, None) => (Vec::new(), None),
        };
        let text = match take(&mut record, &self.text) {
            _ if !turns.is_empty() => joined(&turns),
            Some(Value::String(text)) => text,
            None | Some(Value::Null) => return Err(Cause::MissingField(self.text.clone())),
            Some(other) => return Err(wrong(&self.text, &other, "a string")),
        };
        if text.len() as u64 > limit {
            return Err(Cause::TooLong { limit });
        }
        Ok(Document { id, text, turns, judged, source: self.source.clone(), bucket: self.bucket.clone(), lang, url, meta })
    }
}

/// The value at a name, or at a dotted path where no field has that whole name.
pub(crate) fn lookup<'a>(record: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
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
    Cause::WrongType { field: field.to_owned(), found: found(value), wanted }
}

/// What a value is, for messages.
pub(crate) fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(text) if text.is_empty() => "an empty string",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// What to build of a JSON value: a text, a number or a boolean always, of lists and objects no more
/// than the source names. What is passed over leaves the type of its value, an empty list or object.
#[derive(Debug, Default)]
struct Wanted {
    /// All of it, lists and objects included.
    whole: bool,
    /// Fields of an object.
    fields: BTreeMap<String, Wanted>,
}

impl Wanted {
    /// Adds a field: the whole name as it is, and the path that it may be.
    fn add(&mut self, name: &str, whole: bool) {
        self.fields.entry(name.to_owned()).or_default().whole |= whole;
        if let Some((first, rest)) = name.split_once('.') {
            self.fields.entry(first.to_owned()).or_default().add(rest, whole);
        }
    }
}

impl<'de> DeserializeSeed<'de> for &Wanted {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.whole { Value::deserialize(deserializer) } else { deserializer.deserialize_any(self) }
    }
}

impl<'de> Visitor<'de> for &Wanted {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Array(Vec::new()))
    }

    /// Of a repeated field the last one counts.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(field) = map.next_key_seed(Name(&self.fields))? {
            match field {
                Some((name, wanted)) => {
                    let value = map.next_value_seed(wanted)?;
                    out.insert(name.clone(), value);
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Value::Object(out))
    }
}

/// Reads a field's name without keeping it: the wanted field that it is, or none of them.
struct Name<'a>(&'a BTreeMap<String, Wanted>);

impl<'de, 'a> DeserializeSeed<'de> for Name<'a> {
    type Value = Option<(&'a String, &'a Wanted)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Name<'a> {
    type Value = Option<(&'a String, &'a Wanted)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.get_key_value(name))
    }
}

#[cfg(test)]
mod tests;
