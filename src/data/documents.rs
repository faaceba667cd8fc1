//! `data documents`: the documents of a run as files for other programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use corpora::table::TableWriter;
use corpora::{JsonlReader, JsonlWriter, Part};
use polars::prelude::{Column, DataFrame, DataType, PolarsResult, Schema};
use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::cli::DocumentFormat;
use crate::error::{Error, Result};
use crate::fate::Fates;
use crate::recipe::Recipe;
use crate::record::{Kept, Rejected};
use crate::report::Ui;
use crate::stage::tokenize::{Clusters, Unique};
use crate::{dataset, layout};

/// Bytes of text of a row group, and so about what a part holds in memory.
const GROUP_BYTES: usize = 64 << 20;

/// A document with what became of it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    id: String,
    /// Of a kept document what is trained on: without the lines and passages that it lost.
    text: String,
    /// The messages of a conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Value>,
    source: String,
    bucket: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    lang: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    part: String,
    row: u64,
    /// `kept`, `rejected` or `duplicate`.
    outcome: &'static str,
    /// What dropped it: the rule of a filter, or `dedup/` and a kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// What the rule compared; of a duplicate the similarity.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
    /// The document that stayed in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    /// Documents of its cluster, itself included: what an upsampling by copies goes by.
    cluster: u64,
    #[serde(skip_serializing_if = "Map::is_empty")]
    meta: Map<String, Value>,
    metrics: BTreeMap<String, f64>,
}

/// `malmoi data documents RUN OUT`.
pub(crate) fn documents(run: &Path, out: &Path, format: DocumentFormat, dropped: bool, ui: &Ui) -> Result<()> {
    Recipe::of_run(run)?; // or it is no run folder
    let parts: Vec<Part> = layout::read_json(run, layout::PLAN)?;
    if !run.join(layout::DEDUP).exists() {
        return Err(Error::new(format!("{} is not deduplicated: which documents stay is not known yet", run.display()))
            .hint("`malmoi build` on its recipe does that"));
    }
    layout::create_empty(out)?;
    let metrics = dataset::metrics(run, &parts)?;
    let written = parts.par_iter().map(|part| {
        let path = out.join(format!("{}.{}", part.name, format.extension()));
        let mut writer = Writer::create(format, &path, &metrics)?;
        let mut count = 0;
        each(run, part, dropped, &mut |row| {
            count += 1;
            writer.push(row)
        })?;
        writer.finish()?;
        Ok((path, count))
    });
    let written = written.collect::<Result<Vec<(PathBuf, u64)>>>()?;
    if matches!(format, DocumentFormat::Jsonl) {
        dataset::write_exported(out, &metrics)?;
    }
    for (path, documents) in written {
        ui.data(format!("{}: {documents} documents", path.display()));
        ui.event("documents", &json!({ "path": path, "documents": documents }));
    }
    Ok(())
}

/// As metrics are called in tables.
const METRIC: &str = "metrics.";

fn read<T: DeserializeOwned>(run: &Path, file: &str) -> Result<JsonlReader<T>> {
    Ok(JsonlReader::open(&run.join(file))?)
}

/// The documents of a part that stayed, or those that did not, in the order of their rows.
fn each(run: &Path, part: &Part, dropped: bool, take: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
    let mut left = Unique::open(run, &part.name)?.peekable();
    let fates = Fates::of(run, &part.name)?;
    let mut clusters = Clusters::open(run, &part.name)?;
    let mut rejects = read::<Rejected>(run, &layout::rejects(&part.name))?.peekable();
    for kept in read::<Kept>(run, &layout::documents(&part.name))? {
        let kept = kept?;
        if dropped {
            while let Some(rejected) = rejects.next_if(|line| line.as_ref().map_or(true, |line| row_of(line) < kept.row)) {
                rejected_row(part, rejected?).map_or(Ok(()), &mut *take)?;
            }
        }
        let duplicate = fates.duplicate(kept.row);
        let stayed = left.next_if(|line| line.as_ref().map_or(true, |line| line.row == kept.row)).transpose()?;
        if dropped == stayed.is_some() {
            continue;
        }
        let cluster = match duplicate {
            Some(duplicate) => duplicate.cluster,
            None => clusters.of(kept.row)?,
        };
        take(Row {
            id: kept.id,
            text: stayed.map_or(kept.text, |stayed| stayed.text),
            messages: (!kept.turns.is_empty()).then(|| json!(kept.turns)),
            source: kept.source,
            bucket: kept.bucket,
            lang: kept.lang,
            url: kept.url,
            part: part.name.clone(),
            row: kept.row,
            outcome: if dropped { "duplicate" } else { "kept" },
            rule: fates.dropped(kept.row),
            value: duplicate.map(|duplicate| f64::from(duplicate.similarity)),
            threshold: None,
            of: duplicate.map(|duplicate| duplicate.of.clone()),
            cluster,
            meta: kept.meta,
            metrics: kept.metrics,
        })?;
    }
    if dropped {
        for rejected in rejects {
            rejected_row(part, rejected?).map_or(Ok(()), &mut *take)?;
        }
    }
    Ok(())
}

fn row_of(rejected: &Rejected) -> u64 {
    match rejected {
        Rejected::Dropped { row, .. } | Rejected::Unreadable { row, .. } => *row,
    }
}

/// None for a record that is no document.
fn rejected_row(part: &Part, rejected: Rejected) -> Option<Row> {
    let Rejected::Dropped { row, reason, id, text, source, bucket, lang, url, metrics, .. } = rejected else { return None };
    Some(Row {
        id,
        text,
        messages: None,
        source,
        bucket,
        lang,
        url,
        part: part.name.clone(),
        row,
        outcome: "rejected",
        rule: Some(reason.rule),
        value: Some(reason.value),
        threshold: Some(reason.threshold),
        of: None,
        cluster: 1,
        meta: Map::new(),
        metrics,
    })
}

/// A file of documents.
enum Writer {
    Jsonl(Box<JsonlWriter<Row>>),
    Parquet(Box<Groups>),
}

impl Writer {
    fn create(format: DocumentFormat, path: &Path, metrics: &[String]) -> Result<Self> {
        Ok(match format {
            DocumentFormat::Jsonl => Self::Jsonl(Box::new(JsonlWriter::create(path)?)),
            DocumentFormat::Parquet => Self::Parquet(Box::new(Groups {
                writer: TableWriter::create(path, &schema(metrics))?,
                path: path.to_path_buf(),
                metrics: metrics.to_vec(),
                rows: Vec::new(),
                bytes: 0,
            })),
        })
    }

    fn push(&mut self, row: Row) -> Result<()> {
        match self {
            Self::Jsonl(writer) => Ok(writer.push(&row)?),
            Self::Parquet(groups) => groups.push(row),
        }
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Jsonl(writer) => writer.finish().map(drop).map_err(Error::from),
            Self::Parquet(groups) => groups.finish(),
        }
    }
}

/// A Parquet file, one row group at a time.
struct Groups {
    writer: TableWriter,
    path: PathBuf,
    metrics: Vec<String>,
    /// The row group to come.
    rows: Vec<Row>,
    bytes: usize,
}

impl Groups {
    fn push(&mut self, row: Row) -> Result<()> {
        self.bytes += row.text.len() + size_of::<Row>();
        self.rows.push(row);
        if self.bytes >= GROUP_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        self.bytes = 0;
        let frame = frame(std::mem::take(&mut self.rows), &self.metrics);
        let frame = frame.map_err(|error| Error::new(format!("cannot write {}: {error}", self.path.display())))?;
        Ok(self.writer.write(&frame)?)
    }

    fn finish(mut self) -> Result<()> {
        if !self.rows.is_empty() {
            self.write()?;
        }
        Ok(self.writer.finish()?)
    }
}

/// The columns before the metrics.
const FIXED: [(&str, DataType); 16] = [
    ("id", DataType::String),
    ("text", DataType::String),
    ("messages", DataType::String),
    ("source", DataType::String),
    ("bucket", DataType::String),
    ("lang", DataType::String),
    ("url", DataType::String),
    ("part", DataType::String),
    ("row", DataType::UInt64),
    ("outcome", DataType::String),
    ("rule", DataType::String),
    ("value", DataType::Float64),
    ("threshold", DataType::Float64),
    ("of", DataType::String),
    ("cluster", DataType::UInt64),
    ("meta", DataType::String),
];

fn schema(metrics: &[String]) -> Schema {
    let fixed = FIXED.iter().map(|(name, kind)| ((*name).into(), kind.clone()));
    fixed.chain(metrics.iter().map(|name| (format!("{METRIC}{name}").into(), DataType::Float64))).collect()
}

/// Rows as columns; messages and meta as JSON, since they have no one shape.
fn frame(rows: Vec<Row>, metrics: &[String]) -> PolarsResult<DataFrame> {
    let texts = |name: &str, of: &dyn Fn(&Row) -> Option<String>| Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>());
    let mut columns = vec![
        texts("id", &|row| Some(row.id.clone())),
        Column::new("text".into(), rows.iter().map(|row| row.text.as_str()).collect::<Vec<_>>()),
        texts("messages", &|row| row.messages.as_ref().map(Value::to_string)),
        texts("source", &|row| Some(row.source.clone())),
        texts("bucket", &|row| Some(row.bucket.clone())),
        texts("lang", &|row| row.lang.clone()),
        texts("url", &|row| row.url.clone()),
        texts("part", &|row| Some(row.part.clone())),
        Column::new("row".into(), rows.iter().map(|row| row.row).collect::<Vec<_>>()),
        texts("outcome", &|row| Some(row.outcome.to_owned())),
        texts("rule", &|row| row.rule.clone()),
        Column::new("value".into(), rows.iter().map(|row| row.value).collect::<Vec<_>>()),
        Column::new("threshold".into(), rows.iter().map(|row| row.threshold).collect::<Vec<_>>()),
        texts("of", &|row| row.of.clone()),
        Column::new("cluster".into(), rows.iter().map(|row| row.cluster).collect::<Vec<_>>()),
        texts("meta", &|row| (!row.meta.is_empty()).then(|| Value::Object(row.meta.clone()).to_string())),
    ];
    columns.extend(metrics.iter().map(|name| {
        Column::new(format!("{METRIC}{name}").into(), rows.iter().map(|row| row.metrics.get(name).copied()).collect::<Vec<Option<f64>>>())
    }));
    DataFrame::new(rows.len(), columns)
}
