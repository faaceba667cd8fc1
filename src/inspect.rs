//! `inspect`: any file or folder of a run as readable text.

use std::path::{Path, PathBuf};

use corpora::JsonlReader;
use filters::dedup::SignatureReader;
use serde_json::{Value, json};
use shards::{Compression, ShardReader};

use crate::error::{Context, Error, Result};
use crate::report::{Ui, bytes};
use crate::{layout, recipe, stage};

/// `malmoi inspect PATH`.
pub(crate) fn inspect(path: &Path, records: usize, ui: &Ui) -> Result<()> {
    let meta = std::fs::metadata(path).context(|| format!("cannot read {}", path.display()))?;
    if meta.is_dir() {
        return folder(path, records, ui);
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ui.data(format!("{} ({})", path.display(), bytes(meta.len())));
    if name.ends_with(".shard") {
        shard(path, records, ui)
    } else if name.ends_with(".sig") {
        signatures(path, ui)
    } else if name.ends_with(".jsonl.zst") {
        lines(JsonlReader::<Value>::open(path)?, records, ui)
    } else if name.ends_with(".json") || name.ends_with(".toml") || name.ends_with(".jsonl") || name.ends_with(".lock") {
        text(path, &name, records, ui)
    } else if name.ends_with(".parquet") {
        table(path, records, ui)
    } else {
        Err(Error::new(format!("{} is no file of a run", path.display()))
            .hint("a run has .shard, .sig, .jsonl.zst, .parquet, .json, .jsonl and .toml files"))
    }
}

fn folder(path: &Path, records: usize, ui: &Ui) -> Result<()> {
    if path.join(layout::PLAN).exists() {
        return run(path, ui);
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(path)
        .context(|| format!("cannot read {}", path.display()))?
        .filter_map(std::result::Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(Error::new(format!("{} holds no file of a run", path.display())));
    }
    files.iter().try_for_each(|file| inspect(file, records, ui))
}

/// The files of a run folder with what each is for.
fn run(path: &Path, ui: &Ui) -> Result<()> {
    const WHAT: [(&str, &str); 16] = [
        ("recipe.toml", "the recipe, every default and path filled in"),
        ("recipe.lock", "what is current"),
        ("plan.json", "the parts"),
        ("documents", "kept documents with their metrics"),
        ("rejects", "dropped documents with rule, value and threshold"),
        ("signatures", "what deduplication compares"),
        ("stats", "one row for each input document, and counts"),
        ("duplicates", "rows that are duplicates, and of what"),
        ("lines", "lines that documents lost because many have them"),
        ("substrings", "passages that documents lost because others have them"),
        ("tokenizer", "the tokenizer"),
        ("shards", "token shards"),
        ("manifest.json", "all shards"),
        ("mixture.json", "tokens, epochs and repeats of each bucket"),
        ("checkpoints", "weights and optimizer state"),
        ("report.html", "the report"),
    ];
    for (name, what) in WHAT {
        let file = path.join(name);
        let size = if file.is_dir() {
            format!("{} files, {}", count(&file), bytes(size(&file)))
        } else {
            file.metadata().map(|meta| bytes(meta.len())).unwrap_or_else(|_| "not there yet".to_owned())
        };
        ui.data(format!("{name:<14} {size:<24} {what}"));
        ui.event("file", &json!({ "name": name, "bytes": size_of(&file), "what": what }));
    }
    Ok(())
}

fn size_of(path: &Path) -> u64 {
    if path.is_dir() { size(path) } else { path.metadata().map_or(0, |meta| meta.len()) }
}

fn walk(path: &Path, each: &mut dyn FnMut(u64)) {
    for entry in std::fs::read_dir(path).into_iter().flatten().filter_map(std::result::Result::ok) {
        match entry.metadata() {
            Ok(meta) if meta.is_dir() => walk(&entry.path(), each),
            Ok(meta) => each(meta.len()),
            Err(_) => {}
        }
    }
}

fn count(path: &Path) -> u64 {
    let mut files = 0;
    walk(path, &mut |_| files += 1);
    files
}

fn size(path: &Path) -> u64 {
    let mut total = 0;
    walk(path, &mut |length| total += length);
    total
}

fn shard(path: &Path, records: usize, ui: &Ui) -> Result<()> {
    let reader = ShardReader::open(path).map_err(Error::bad_result)?;
    reader.verify().map_err(Error::bad_result)?;
    ui.data(format!(
        "bucket {}, {} documents, {} tokens of {} bytes each{}, {} of text",
        reader.bucket(),
        reader.len(),
        reader.token_count(),
        reader.token_width(),
        if reader.compression() == Compression::Zstd { " in zstd" } else { "" },
        bytes(reader.text_bytes())
    ));
    ui.data(format!(
        "vocabulary {}, end token {}, sources {}, checksums hold",
        reader.vocab_size(),
        reader.eos(),
        reader.sources().join(", ")
    ));
    ui.event(
        "shard",
        &json!({ "path": path, "bucket": reader.bucket(), "documents": reader.len(), "tokens": reader.token_count(), "text-bytes": reader.text_bytes(), "token-width": reader.token_width(), "compression": reader.compression(), "vocab-size": reader.vocab_size(), "eos": reader.eos(), "sources": reader.sources() }),
    );
    // The text is shown when the run's tokenizer lies where a run keeps it.
    let tokenizer = path
        .ancestors()
        .find(|folder| folder.join(layout::RECIPE).exists())
        .and_then(|folder| recipe::Recipe::load(&folder.join(layout::RECIPE), &[]).ok().map(|recipe| (folder, recipe)))
        .and_then(|(folder, recipe)| stage::tokenizer::open(folder, &recipe.tokenizer).ok())
        .filter(|tokenizer| tokenizer.fingerprint() == reader.tokenizer());
    for (index, document) in reader.documents().enumerate().take(records) {
        let document = document.map_err(Error::bad_result)?;
        let mut ids = Vec::new();
        reader.tokens(document.tokens.clone(), &mut ids).map_err(Error::bad_result)?;
        let spans = reader.loss_spans(index as u64).map_err(Error::bad_result)?;
        let first: Vec<String> = ids.iter().take(16).map(u32::to_string).collect();
        ui.data(format!("{index:>6}  {}  {} tokens, {} of text", document.id, ids.len(), bytes(document.text_bytes)));
        ui.data(format!("        [{}{}]", first.join(" "), if ids.len() > first.len() { " ..." } else { "" }));
        if let Some(spans) = &spans {
            let spans: Vec<String> = spans.iter().map(|span| format!("{}..{}", span.start, span.end)).collect();
            ui.data(format!("        learned: {}", spans.join(" ")));
        }
        if let Some(text) = tokenizer.as_ref().and_then(|tokenizer| tokenizer.decode(&ids).ok()) {
            ui.data(format!("        {}", excerpt(&text, 160)));
        }
        ui.event(
            "document",
            &json!({ "id": document.id, "source": document.source, "tokens": ids.len(), "text-bytes": document.text_bytes, "content-hash": document.content_hash.map(hex), "learned": spans }),
        );
    }
    Ok(())
}

/// Bytes as hexadecimal digits.
fn hex(bytes: [u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signatures(path: &Path, ui: &Ui) -> Result<()> {
    let reader = SignatureReader::open(path).map_err(Error::bad_result)?;
    ui.data(format!("{} signatures", reader.len()));
    ui.event("signatures", &json!({ "path": path, "records": reader.len() }));
    Ok(())
}

fn lines(reader: JsonlReader<Value>, records: usize, ui: &Ui) -> Result<()> {
    let mut total = 0;
    for line in reader {
        let line = line?;
        total += 1;
        if total <= records {
            show(&line, ui);
        }
    }
    ui.data(format!("{total} records"));
    Ok(())
}

/// One record: short fields first, texts as excerpts.
fn show(line: &Value, ui: &Ui) {
    ui.event("record", line);
    let Value::Object(fields) = line else {
        ui.data(line);
        return;
    };
    ui.data("-");
    for (name, value) in fields {
        let value = match value {
            Value::String(text) => excerpt(text, 160),
            other => excerpt(&other.to_string(), 320),
        };
        ui.data(format!("  {name:<10} {value}"));
    }
}

fn text(path: &Path, name: &str, records: usize, ui: &Ui) -> Result<()> {
    let text = std::fs::read_to_string(path).context(|| format!("cannot read {}", path.display()))?;
    if name.ends_with(".jsonl") || name.ends_with(".lock") {
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        // Of a curve, the end is of interest.
        for line in lines.iter().skip(lines.len().saturating_sub(records)) {
            ui.data(line);
            ui.event("record", &serde_json::from_str(line).unwrap_or_else(|_| json!(line)));
        }
        ui.data(format!("{} records, the last {} shown", lines.len(), records.min(lines.len())));
    } else {
        ui.data(text.trim_end());
        let content = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
        ui.event("file", &json!({ "path": path, "content": content }));
    }
    Ok(())
}

fn table(path: &Path, records: usize, ui: &Ui) -> Result<()> {
    let (rows, frame) = corpora::table::head(path, records)?;
    ui.data(format!("{rows} rows, {} columns", frame.width()));
    ui.data(&frame);
    ui.event(
        "table",
        &json!({ "rows": rows, "columns": frame.get_column_names().iter().map(|name| name.to_string()).collect::<Vec<_>>() }),
    );
    Ok(())
}

/// Characters of an id that people see: those that are made of a path are long, and are copied.
pub(crate) const ID: usize = 400;

/// The first `limit` characters on one line; control characters made visible.
pub(crate) fn excerpt(text: &str, limit: usize) -> String {
    let mut out: String = text
        .chars()
        .take(limit)
        .map(|c| {
            if c == '\n' {
                '⏎'
            } else if c.is_control() {
                '·'
            } else {
                c
            }
        })
        .collect();
    if text.chars().nth(limit).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn excerpts_stay_on_one_line_and_cut_at_characters() {
        assert_eq!(excerpt("한국\n어\u{1b}[0m", 20), "한국⏎어·[0m");
        assert_eq!(excerpt("가나다라", 2), "가나…");
    }
}
