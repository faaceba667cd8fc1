//! Files of a set: found, opened whatever their compression, and read as tables or JSON.

use std::path::{Path, PathBuf};

use corpora::{Document, Format, Source};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Context, Error, Result};

/// Longest file of a set, and longest row of a table, decompressed.
const MAX_BYTES: u64 = 1 << 30;
/// Most files of a set.
const MAX_FILES: usize = 10_000;
const COMPRESSIONS: [&str; 4] = [".zst", ".zstd", ".gz", ".bz2"];

/// The files at a path whose names, without compression, end in one of these; a folder's are those in all its
/// folders. Sorted.
pub(super) fn find(path: &Path, endings: &[&str]) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let cannot = || format!("cannot list {}", folder.display());
        for entry in std::fs::read_dir(&folder).context(cannot)? {
            let entry = entry.context(cannot)?;
            let kind = entry.file_type().context(cannot)?;
            let name = plain_name(&entry.path());
            if kind.is_dir() {
                folders.push(entry.path());
            } else if !name.starts_with('.') && endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(entry.path());
            }
            if found.len() > MAX_FILES {
                return Err(Error::new(format!("{} has more than {MAX_FILES} files", path.display())));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A file's name without its compression: `Law-test.csv.zst` → `Law-test.csv`.
pub(super) fn plain_name(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    COMPRESSIONS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name).to_owned()
}

/// A whole file, decompressed.
pub(super) fn text(path: &Path) -> Result<String> {
    let mut documents = documents(path, Format::Text, "text", &[])?;
    match documents.pop() {
        Some(document) if documents.is_empty() => Ok(document.text),
        _ => Err(Error::new(format!("{} is empty", path.display()))),
    }
}

/// A file that is one JSON value.
pub(super) fn json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = text(path)?;
    serde_json::from_str(&text).context(|| path.display().to_string())
}

/// A row of a table: its place, for messages, and its cells.
pub(super) struct Row {
    pub(super) place: String,
    pub(super) cells: Map<String, Value>,
}

impl Row {
    /// A cell as a text; numbers are written out.
    pub(super) fn text(&self, column: &str) -> Result<String> {
        match self.cells.get(column) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => Err(Error::new(format!("{}: no text in `{column}`", self.place))),
        }
    }
}

/// The rows of a table in CSV, TSV, JSON lines, Parquet or Arrow, by the file's name; `columns` are those that are wanted, the
/// first of which is a text.
pub(super) fn rows(path: &Path, columns: &[&str]) -> Result<Vec<Row>> {
    let name = plain_name(path);
    let format = match name.rsplit('.').next() {
        Some("csv") => Format::Csv,
        Some("tsv") => Format::Tsv,
        Some("jsonl") => Format::Jsonl,
        Some("parquet") => Format::Parquet,
        Some("arrow" | "feather" | "ipc") => Format::Arrow,
        _ => return Err(Error::new(format!("{} is no .csv, .tsv, .jsonl, .parquet or .arrow", path.display()))),
    };
    let [first, others @ ..] = columns else { return Ok(Vec::new()) };
    let row = |(at, document): (usize, Document)| {
        let mut cells = document.meta;
        cells.insert((*first).to_owned(), Value::String(document.text));
        Row { place: format!("{}, record {}", path.display(), at + 1), cells }
    };
    Ok(documents(path, format, first, others)?.into_iter().enumerate().map(row).collect())
}

/// Every record of a file; one that cannot be read is an error, for a set with holes is another set.
fn documents(path: &Path, format: Format, text_field: &str, meta: &[&str]) -> Result<Vec<Document>> {
    let source = Source {
        preference: None,
        name: "set".to_owned(),
        bucket: "set".to_owned(),
        licence: None,
        files: vec![path.display().to_string()],
        format,
        priority: 1,
        text_field: text_field.to_owned(),
        id_field: None,
        url_field: None,
        lang_field: None,
        keep_meta: meta.iter().map(|&name| name.to_owned()).collect(),
        split: None,
        extensions: Vec::new(),
        max_record_bytes: MAX_BYTES,
        encoding_errors: corpora::EncodingErrors::default(),
        chat: None,
        encoding: None,
        quotes: None,
    };
    let mut documents = Vec::new();
    for part in corpora::plan(std::slice::from_ref(&source), Path::new(""), MAX_BYTES)? {
        for document in corpora::read(&part, &source) {
            documents.push(document?);
        }
    }
    Ok(documents)
}
