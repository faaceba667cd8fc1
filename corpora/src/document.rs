//! The document: one text with its identity, as it travels from a reader to the tokenizer.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::chat::Turn;
use crate::code;
use crate::preference::Judged;

/// One text and what is known about it.
///
/// Serialized field order is the declaration order, so a written document has the same bytes on
/// every machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Identity: the source's own id field, or `name:relative/path#offset` where it has none.
    pub id: String,
    /// The text, always valid UTF-8. That of a conversation is [`crate::joined`].
    pub text: String,
    /// The messages of a conversation; none in any other document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<Turn>,
    /// What was said of the answers that the conversation ends with; none in any other document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judged>,
    /// Name of the source in the recipe.
    pub source: Arc<str>,
    /// Bucket of the source (for example `korean`), the unit of the mixture.
    pub bucket: Arc<str>,
    /// ISO 639-1 code (or a programming language's name), set by the source or by the language filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// Where the text came from, if the source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Fields of the source that the recipe asked to keep.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
}

impl Document {
    /// A text of which nothing else is known.
    pub fn new(id: impl Into<String>, text: impl Into<String>, source: impl Into<Arc<str>>, bucket: impl Into<Arc<str>>) -> Self {
        Self {
            id: id.into(),
            text: text.into(),
            turns: Vec::new(),
            judged: None,
            source: source.into(),
            bucket: bucket.into(),
            lang: None,
            url: None,
            meta: Map::new(),
        }
    }

    /// About how many bytes of memory the document takes: text, messages, id, url and meta.
    pub fn size(&self) -> usize {
        let turns: usize = self.turns.iter().map(|turn| size_of::<Turn>() + turn.text.len()).sum();
        let meta: usize = self.meta.iter().map(|(name, value)| name.len() + value_size(value)).sum();
        self.text.len() + turns + self.id.len() + self.url.as_ref().map_or(0, String::len) + meta
    }

    /// Whether the text is source code, by its language: one that the code reader gives, or that the
    /// field of a table names (`Python` as well as `python`).
    pub fn is_code(&self) -> bool {
        self.lang.as_deref().is_some_and(code::is_language)
    }
}

/// A value of JSON is large for what it says: a list of small numbers takes many times its text.
fn value_size(value: &Value) -> usize {
    let inside = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(value_size).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + value_size(value)).sum(),
    };
    size_of::<Value>() + inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(json: &str) -> Document {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn size_counts_what_a_document_carries() {
        let plain = document(r#"{ "id": "ab", "text": "가나", "source": "s", "bucket": "b", "url": "u" }"#);
        assert_eq!(plain.size(), 2 + 6 + 1);
        let value = size_of::<Value>();
        let mut kept = plain.clone();
        kept.meta = serde_json::from_str(r#"{ "k": [1, "xy", { "n": null }] }"#).unwrap();
        // k, the list, 1, xy, the object, n and null
        assert_eq!(kept.size(), plain.size() + 1 + value + value + (value + 2) + value + (1 + value));
    }

    #[test]
    fn code_is_told_by_its_language() {
        let of = |lang: &str| document(&format!(r#"{{ "id": "", "text": "", "source": "s", "bucket": "b", "lang": {lang} }}"#)).is_code();
        assert!(of("\"rust\"") && of("\"Python\"") && of("\"dockerfile\"") && of("\"code\""));
        assert!(!of("\"ko\"") && !of("\"en\"") && !of("\"und\"") && !of("null"));
    }
}
