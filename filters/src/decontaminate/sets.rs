//! Evaluation files: which there are, and the items in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use corpora::{Document, Part, Source};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

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
    /// are taken with all texts in them. Default `text` alone. In `json` an item is an object at any depth that
    /// has the first field; the others are its own or those of objects in it.
    pub fields: Vec<String>,
    /// What the files hold, `jsonl`, `json`, `parquet`, `arrow`, `csv` or `tsv`. Default: as they are called; of a folder, all files that are
    /// called so.
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

    /// Where the items are, by what the files hold.
    fn sources(&self) -> Result<Vec<(Format, Source)>, String> {
        let path = Path::new(&self.path);
        let files = match self.format()? {
            Some(format) => BTreeMap::from([(format, vec![self.path.clone()])]),
            None if path.is_dir() => by_format(path)?,
            None => {
                return Err(format!(
                    "{}: its name does not say what it holds: give a table with `path` and `format` ({FORMATS})",
                    self.path
                ));
            }
        };
        if files.is_empty() {
            return Err(format!("{}: no file in it is called as one of {FORMATS}", self.path));
        }
        files.into_iter().map(|(format, files)| Ok((format, self.source(format, &files)?))).collect()
    }

    /// What the files hold, as far as the entry says; looks at no file.
    fn format(&self) -> Result<Option<Format>, String> {
        let Some(name) = &self.format else { return Ok(format_of(&self.path)) };
        let format = Format::named(name).ok_or_else(|| format!("{}: the format `{name}` is none of {FORMATS}", self.path))?;
        Ok(Some(format))
    }

    fn source(&self, format: Format, files: &[String]) -> Result<Source, String> {
        let Some((first, rest)) = self.fields.split_first() else {
            return Err(format!("{}: `fields` is empty: name the fields with the texts of an item", self.path));
        };
        let (name, files) = (self.set(), json!(files));
        let source = match format {
            Format::Json => {
                json!({ "name": name, "bucket": "eval", "files": files, "format": "text", "extensions": ["json"], "max-record-bytes": MAX_BYTES })
            }
            Format::Records(format) => {
                json!({ "name": name, "bucket": "eval", "files": files, "format": format, "text-field": first, "keep-meta": rest })
            }
        };
        let source: Source = serde_json::from_value(source).map_err(|error| format!("{}: {error}", self.path))?;
        source.validate().map_err(|error| format!("{}: {error}", self.path))?;
        Ok(source)
    }

    fn parts(&self) -> Result<Vec<(Format, Source, Vec<Part>)>, String> {
        let parts = |(format, source)| {
            let parts = corpora::plan(std::slice::from_ref(&source), Path::new(""), PART_BYTES);
            let parts = parts.map_err(|error| told(&error.to_string(), &source))?;
            Ok((format, source, parts))
        };
        self.sources()?.into_iter().map(parts).collect()
    }

    /// Calls `take` with the id, if it has one, and the texts of every item in a JSON file.
    fn items(&self, file: &Document, take: &mut impl FnMut(Option<String>, &[(&str, &str)])) -> Result<(), String> {
        let mut found = false;
        for value in serde_json::Deserializer::from_str(&file.text).into_iter::<Value>() {
            let value = value.map_err(|error| format!("{}: not JSON: {error}", name_of(file)))?;
            each_object(&value, &self.fields[0], &mut |item| {
                found = true;
                let mut texts = Vec::new();
                for field in &self.fields {
                    each_field(item, field, &mut |text| texts.push((field.as_str(), text)));
                }
                take(id_of(item), &texts);
            });
        }
        if found {
            Ok(())
        } else {
            Err(format!("{}: no object in it has `{}`: name the fields of its items in `fields`", name_of(file), self.fields[0]))
        }
    }
}

/// What `format` can say.
const FORMATS: &str = "jsonl, json, parquet, arrow, csv or tsv";

/// What a file of items holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Format {
    /// One JSON value, or several, with items somewhere in them.
    Json,
    /// A record for each item, in a format of sources.
    Records(&'static str),
}

impl Format {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "json" => Self::Json,
            "jsonl" => Self::Records("jsonl"),
            "parquet" => Self::Records("parquet"),
            "arrow" => Self::Records("arrow"),
            "csv" => Self::Records("csv"),
            "tsv" => Self::Records("tsv"),
            _ => return None,
        })
    }
}

fn format_of(path: &str) -> Option<Format> {
    let name = path.to_lowercase();
    let name = [".zst", ".zstd", ".gz", ".bz2"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "ndjson" => Format::named("jsonl"),
        "feather" | "ipc" => Format::named("arrow"),
        ending => Format::named(ending),
    }
}

/// The files below a folder whose names say what they hold; hidden ones and links are left out.
fn by_format(folder: &Path) -> Result<BTreeMap<Format, Vec<String>>, String> {
    let mut files: BTreeMap<Format, Vec<String>> = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let failed = |error: std::io::Error| format!("cannot list {}: {error}", folder.display());
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file()
                && let Some(format) = format_of(&name)
            {
                let path = path.to_str().ok_or_else(|| format!("{}: its name is not valid UTF-8; rename it", path.display()))?;
                files.entry(format).or_default().push(path.to_owned());
            }
        }
    }
    files.values_mut().for_each(|files| files.sort_unstable());
    Ok(files)
}

/// The outermost objects with a field.
fn each_object<'a>(value: &'a Value, field: &str, take: &mut impl FnMut(&'a Map<String, Value>)) {
    match value {
        Value::Object(object) if object.contains_key(field) => take(object),
        Value::Object(object) => object.values().for_each(|value| each_object(value, field, take)),
        Value::Array(values) => values.iter().for_each(|value| each_object(value, field, take)),
        _ => {}
    }
}

/// Every text in a field of an object, or in that field of the objects in it.
fn each_field<'a>(object: &'a Map<String, Value>, field: &str, take: &mut impl FnMut(&'a str)) {
    match object.get(field) {
        Some(value) => each_text(value, take),
        None => {
            for value in object.values() {
                each_object(value, field, &mut |object| each_field(object, field, take));
            }
        }
    }
}

/// A file that was read as one text, as ids show it: without the place in it.
fn name_of(file: &Document) -> &str {
    file.id.rsplit_once('#').map_or(&file.id, |(name, _)| name)
}

/// What an item calls itself.
fn id_of(item: &Map<String, Value>) -> Option<String> {
    ["id", "guid", "key", "qid"].iter().find_map(|name| match item.get(*name) {
        Some(Value::String(id)) => Some(id.clone()),
        Some(Value::Number(id)) => Some(id.to_string()),
        _ => None,
    })
}

/// Refuses entries that contradict themselves; looks at no file.
pub(super) fn check(files: &[EvalFiles]) -> Result<(), String> {
    files.iter().try_for_each(|files| match files.format()? {
        Some(format) => files.source(format, std::slice::from_ref(&files.path)).map(drop),
        None => files.source(Format::Json, std::slice::from_ref(&files.path)).map(drop),
    })
}

/// Every file that is read, in the order of the entries.
pub(super) fn paths(files: &[EvalFiles]) -> Result<Vec<String>, String> {
    let mut paths = Vec::new();
    for entry in files {
        for (_, _, parts) in entry.parts()? {
            paths.extend(parts.iter().flat_map(|part| &part.slices).map(|slice| slice.path.display().to_string()));
        }
    }
    paths.dedup();
    Ok(paths)
}

/// Reads all items into the index. One that cannot be read is an error: what is not looked for would
/// not be found, and nobody would know.
pub(super) fn read(files: &[EvalFiles], index: &mut Index) -> Result<(), String> {
    let mut bytes = 0;
    let mut add = |set: &str, id: String, texts: &[(&str, &str)]| {
        bytes += texts.iter().map(|(_, text)| text.len() as u64).sum::<u64>();
        let own = id.starts_with(&format!("{set}:"));
        index.add(set, if own { id } else { format!("{set}:{id}") }, texts);
        if bytes > MAX_BYTES {
            return Err(format!("the items have more than {MAX_BYTES} bytes of text: name fewer files or fields"));
        }
        Ok(())
    };
    for entry in files {
        for (format, source, parts) in entry.parts()? {
            for document in parts.iter().flat_map(|part| corpora::read(part, &source)) {
                let document = document.map_err(|error| told(&error.to_string(), &source))?;
                if format == Format::Json {
                    let (mut number, mut added) = (0, Ok(()));
                    entry.items(&document, &mut |id, texts| {
                        number += 1;
                        if added.is_ok() {
                            added = add(&source.name, id.unwrap_or_else(|| format!("{}#{number}", name_of(&document))), texts);
                        }
                    })?;
                    added?;
                    continue;
                }
                let mut texts = vec![(entry.fields[0].as_str(), document.text.as_str())];
                for (field, value) in &document.meta {
                    each_text(value, &mut |text| texts.push((field, text)));
                }
                add(&source.name, document.id.clone(), &texts)?;
            }
        }
    }
    Ok(())
}

/// An error of a reader; what the reader calls the field of the text is `fields` here.
fn told(error: &str, source: &Source) -> String {
    if error.contains(&format!("`{}`", source.text_field)) {
        return format!("{error}; `fields` names the fields of an item");
    }
    error.to_owned()
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
