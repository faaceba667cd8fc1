//! YAML of values. Every text is quoted as in JSON, which YAML 1.1 and 1.2 read alike: no word is taken for a
//! truth value, a number or a comment, and no text ends where it should not.

use std::fmt::Write as _;

use serde_json::Value;

/// Documents, one after the other.
pub(super) fn text(documents: &[Value]) -> String {
    let mut text = String::new();
    for (at, document) in documents.iter().enumerate() {
        if at > 0 {
            text += "---\n";
        }
        block(document, 0, &mut text);
    }
    text
}

/// A value whose first line begins where the text ends.
fn block(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(table) if !table.is_empty() => {
            for (at, (key, value)) in table.iter().enumerate() {
                if at > 0 {
                    indent(depth, out);
                }
                let _ = write!(out, "{}:", self::key(key));
                nested(value, depth, out);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for (at, value) in list.iter().enumerate() {
                if at > 0 {
                    indent(depth, out);
                }
                *out += "- ";
                block(value, depth + 1, out);
            }
        }
        scalar => {
            // Empty lists and tables too are written as in JSON.
            let _ = writeln!(out, "{scalar}");
        }
    }
}

/// What stands after a key.
fn nested(value: &Value, depth: usize, out: &mut String) {
    let lines = value.as_object().is_some_and(|table| !table.is_empty()) || value.as_array().is_some_and(|list| !list.is_empty());
    if lines {
        out.push('\n');
        indent(depth + 1, out);
        block(value, depth + 1, out);
    } else {
        out.push(' ');
        block(value, depth, out);
    }
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// A key as it is where it is a plain word, quoted where not.
fn key(key: &str) -> String {
    let plain =
        key.starts_with(|first: char| first.is_ascii_alphabetic()) && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    // YAML 1.1 takes these for truth values, and null for none.
    let word = matches!(key.to_ascii_lowercase().as_str(), "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null");
    if plain && !word { key.to_owned() } else { Value::from(key).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use yaml_rust2::{Yaml, YamlLoader};

    use super::*;

    fn read(yaml: &Yaml) -> Value {
        match yaml {
            Yaml::Hash(table) => table.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), read(value))).collect(),
            Yaml::Array(list) => list.iter().map(read).collect(),
            Yaml::String(text) => json!(text),
            Yaml::Integer(number) => json!(number),
            Yaml::Real(number) => json!(number.parse::<f64>().unwrap()),
            Yaml::Boolean(flag) => json!(flag),
            Yaml::Null => Value::Null,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn texts_cannot_be_taken_for_anything_else() {
        let hostile = [
            "",
            " ",
            "yes",
            "NO",
            "on",
            "null",
            "~",
            "1e3",
            "0o17",
            "1:30",
            "2026-01-31",
            "a: b",
            "a #b",
            "- a",
            "? a",
            "& a",
            "*a",
            "!!str a",
            "|",
            ">",
            "%YAML",
            "---\nkind: Secret",
            "'",
            "\"",
            "\\",
            "a\nb: c",
            "\ttab",
            "{a: b}",
            "[a]",
            "`",
            "@",
            "한국어",
            "a\u{85}b",
            "\u{2028}",
            "${HOME}",
        ];
        let nested = json!({ "texts": hostile.to_vec(), "yes": "no", "a b": { "empty": {}, "none": [], "deep": [[1, [2.5, null]], { "x": true, "y": [] }] } });
        let keys: Value = hostile.iter().map(|text| ((*text).to_owned(), json!(text))).collect();
        let documents = [nested, keys, json!([{ "a": 1, "b": { "c": -2 } }])];
        let text = text(&documents);
        let found: Vec<Value> = YamlLoader::load_from_str(&text).unwrap().iter().map(read).collect();
        assert_eq!(found, documents, "{text}");
    }
}
