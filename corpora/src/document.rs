//! The document: one text with its identity, as it travels from a reader to the tokenizer.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One text and what is known about it.
///
/// Serialized field order is the declaration order, so a written document has the same bytes on
/// every machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Identity: the source's own id field, or `name:relative/path#offset` where it has none.
    pub id: String,
    /// The text, always valid UTF-8.
    pub text: String,
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
