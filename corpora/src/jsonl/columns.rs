//! How fields are written so that every line of a file, and every file of a run, has the same columns.
//!
//! Programs that read JSON Lines as a table (Hugging Face `datasets`, pyarrow, polars) take names and types of columns from
//! the first lines, and refuse a later line that has another one. A field that is left out, a null of which no type can be
//! told, and an object with keys of its own all do that. So what may be missing is an empty string, and what has no fixed
//! shape is a text of JSON: `#[serde(with = "corpora::columns::or_empty")]`, `#[serde(with = "corpora::columns::as_text")]`.

/// A text that may be missing: then it is empty. An empty text is missing when it is read back.
pub mod or_empty {
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the text, or an empty one.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(text: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text.as_deref().unwrap_or_default())
    }

    /// Reads a text; none where it is empty.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
        let text = String::deserialize(from)?;
        Ok((!text.is_empty()).then_some(text))
    }
}

/// A value of any shape as a text of JSON.
pub mod as_text {
    use serde::de::{DeserializeOwned, Error as _};
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes the value as JSON in a string.
    ///
    /// # Errors
    /// A value that cannot be JSON, and those of the serializer.
    pub fn serialize<T: Serialize, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&serde_json::to_string(value).map_err(S::Error::custom)?)
    }

    /// Reads the value from JSON in a string.
    ///
    /// # Errors
    /// A string that is no such JSON, and those of the deserializer.
    pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        serde_json::from_str(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Line {
        #[serde(with = "super::or_empty")]
        url: Option<String>,
        #[serde(with = "super::as_text")]
        metrics: BTreeMap<String, f64>,
    }

    #[test]
    fn every_line_has_the_same_columns() {
        let full = Line { url: Some("https://a.kr/\"".into()), metrics: [("chars".into(), 2.0)].into() };
        let empty = Line { url: None, metrics: BTreeMap::new() };
        let text = |line: &Line| serde_json::to_string(line).unwrap();
        assert_eq!(text(&full), r#"{"url":"https://a.kr/\"","metrics":"{\"chars\":2.0}"}"#);
        assert_eq!(text(&empty), r#"{"url":"","metrics":"{}"}"#);
        for line in [&full, &empty] {
            assert_eq!(&serde_json::from_str::<Line>(&text(line)).unwrap(), line);
        }
        assert!(serde_json::from_str::<Line>(r#"{"url":null,"metrics":"{}"}"#).is_err());
        assert!(serde_json::from_str::<Line>(r#"{"url":"","metrics":{}}"#).is_err());
        assert!(serde_json::from_str::<Line>(r#"{"url":"","metrics":"{\"chars\":\"two\"}"}"#).is_err());
    }
}
