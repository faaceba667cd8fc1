//! Evaluation files: which there are, and the items in them.

use std::path::Path;

use corpora::{Part, Source};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::index::Index;

/// Most bytes of text of all items: the index takes some seven times as much.
const MAX_BYTES: u64 = 256 << 20;
/// A file is read as one part; nothing depends on the cut.
const PART_BYTES: u64 = 1 << 30;

/// Files of one evaluation set. In a recipe a path alone, or a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EvalFiles {
    /// A file, a folder or a glob.
    pub path: String,
    /// Name of the set in reports. Default: that of the file, or of the folder above a glob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Fields with the texts of an item; the first is one that every item has. Lists and objects
    /// are taken with all texts in them. Default `text` alone.
    pub fields: Vec<String>,
    /// What the files hold: `jsonl`, `parquet`, `arrow`, `csv` or `tsv`. Default: as they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    path: String,
    name: Option<String>,
    #[serde(default = "text")]
    fields: Vec<String>,
    format: Option<String>,
}

fn text() -> Vec<String> {
    vec!["text".to_owned()]
}

impl<'de> Deserialize<'de> for EvalFiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrTable;
        impl<'de> Visitor<'de> for PathOrTable {
            type Value = EvalFiles;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a path, or a table with `path`, `name`, `fields` and `format`")
            }

            fn visit_str<E>(self, path: &str) -> Result<EvalFiles, E> {
                Ok(EvalFiles { path: path.to_owned(), name: None, fields: text(), format: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EvalFiles, A::Error> {
                let Table { path, name, fields, format } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(EvalFiles { path, name, fields, format })
            }
        }
        deserializer.deserialize_any(PathOrTable)
    }
}

impl EvalFiles {
    /// What the set is called.
    fn set(&self) -> String {
        let named = |path: &Path| {
            let name = path.file_name()?.to_str()?;
            let stem = name.split('.').next().filter(|stem| !stem.is_empty() && !stem.contains(['*', '?', '[', '{']))?;
            Some(stem.to_owned())
        };
        let path = Path::new(&self.path);
        self.name.clone().or_else(|| path.ancestors().find_map(named)).unwrap_or_else(|| "eval".to_owned())
    }

    fn source(&self) -> Result<Source, String> {
        let format = match &self.format {
            Some(format) if matches!(format.as_str(), "jsonl" | "parquet" | "arrow" | "csv" | "tsv") => format.as_str(),
            Some(format) => return Err(format!("{}: the format `{format}` is none of jsonl, parquet, arrow, csv, tsv", self.path)),
            None => format_of(&self.path).ok_or_else(|| {
                format!("{}: its name does not say what it holds: set `format` to jsonl, parquet, arrow, csv or tsv", self.path)
            })?,
        };
        let Some((first, rest)) = self.fields.split_first() else {
            return Err(format!("{}: `fields` is empty: name the fields with the texts of an item", self.path));
        };
        let source =
            json!({ "name": self.set(), "bucket": "eval", "files": self.path, "format": format, "text-field": first, "keep-meta": rest });
        let source: Source = serde_json::from_value(source).map_err(|error| format!("{}: {error}", self.path))?;
        source.validate().map_err(|error| format!("{}: {error}", self.path))?;
        Ok(source)
    }

    fn parts(&self) -> Result<(Source, Vec<Part>), String> {
        let source = self.source()?;
        let parts = corpora::plan(std::slice::from_ref(&source), Path::new(""), PART_BYTES).map_err(|error| error.to_string())?;
        Ok((source, parts))
    }
}

fn format_of(path: &str) -> Option<&'static str> {
    let name = path.to_lowercase();
    let name = [".zst", ".gz", ".bz2"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "jsonl" | "ndjson" | "json" => Some("jsonl"),
        "parquet" => Some("parquet"),
        "arrow" | "feather" | "ipc" => Some("arrow"),
        "csv" => Some("csv"),
        "tsv" => Some("tsv"),
        _ => None,
    }
}

/// Refuses entries that contradict themselves; looks at no file.
pub(super) fn check(files: &[EvalFiles]) -> Result<(), String> {
    files.iter().try_for_each(|files| files.source().map(drop))
}

/// Every file that is read, in the order of the entries.
pub(super) fn paths(files: &[EvalFiles]) -> Result<Vec<String>, String> {
    let mut paths = Vec::new();
    for entry in files {
        let (_, parts) = entry.parts()?;
        paths.extend(parts.iter().flat_map(|part| &part.slices).map(|slice| slice.path.display().to_string()));
    }
    paths.dedup();
    Ok(paths)
}

/// Reads all items into the index. One that cannot be read is an error: what is not looked for would
/// not be found, and nobody would know.
pub(super) fn read(files: &[EvalFiles], index: &mut Index) -> Result<(), String> {
    let mut bytes = 0;
    for entry in files {
        let (source, parts) = entry.parts()?;
        for part in &parts {
            for document in corpora::read(part, &source) {
                let document = document.map_err(|error| error.to_string())?;
                let mut texts = vec![(entry.fields[0].as_str(), document.text.as_str())];
                for (field, value) in &document.meta {
                    each_text(value, &mut |text| texts.push((field, text)));
                }
                bytes += texts.iter().map(|(_, text)| text.len() as u64).sum::<u64>();
                if bytes > MAX_BYTES {
                    return Err(format!("the items have more than {MAX_BYTES} bytes of text: name fewer files or fields"));
                }
                let own = document.id.starts_with(&format!("{}:", source.name));
                let id = if own { document.id.clone() } else { format!("{}:{}", source.name, document.id) };
                index.add(&source.name, id, &texts);
            }
        }
    }
    Ok(())
}

/// Every text in a value.
fn each_text<'a>(value: &'a Value, take: &mut impl FnMut(&'a str)) {
    match value {
        Value::String(text) => take(text),
        Value::Array(values) => values.iter().for_each(|value| each_text(value, take)),
        Value::Object(fields) => fields.values().for_each(|value| each_text(value, take)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
