//! `data documents`: the documents of a run as files for other programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use corpora::columns::{as_text, or_empty};
use corpora::table::TableWriter;
use corpora::{JsonlReader, JsonlWriter, Judged, Part, Turn};
use polars::prelude::{Column, DataFrame, DataType, PolarsResult, Schema};
use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::cli::{DocumentFormat, Language};
use crate::error::{Error, Result};
use crate::fate::Fates;
use crate::recipe::Recipe;
use crate::record::{Kept, Rejected};
use crate::report::Ui;
use crate::stage::tokenize::{Clusters, Unique};
use crate::{dataset, layout};

/// Bytes of text of a row group, and so about what a part holds in memory.
const GROUP_BYTES: usize = 64 << 20;

/// A document with what became of it; every line and every table has these columns.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    id: String,
    /// Of a kept document what is trained on: without the lines and passages that it lost.
    text: String,
    /// The messages of a conversation.
    #[serde(with = "as_text")]
    messages: Vec<Turn>,
    /// What was said of the answers that it ends with.
    #[serde(with = "as_text")]
    judged: Option<Judged>,
    source: String,
    bucket: String,
    #[serde(with = "or_empty")]
    lang: Option<String>,
    #[serde(with = "or_empty")]
    url: Option<String>,
    part: String,
    row: u64,
    /// `kept`, `rejected`, `duplicate`, or `unreadable` of a record that is no document.
    outcome: &'static str,
    /// What dropped it: the rule of a filter, or `dedup/` and a kind.
    #[serde(with = "or_empty")]
    rule: Option<String>,
    /// The same for people, with the numbers, or why the record could not be read.
    #[serde(with = "or_empty")]
    why: Option<String>,
    #[serde(with = "as_text")]
    reason: Compared,
    /// The document that stayed in its place.
    #[serde(with = "or_empty")]
    of: Option<String>,
    /// Documents of its cluster, itself included: what an upsampling by copies goes by.
    cluster: u64,
    #[serde(with = "as_text")]
    meta: Map<String, Value>,
    #[serde(with = "as_text")]
    metrics: BTreeMap<String, f64>,
}

/// The numbers of a reason; columns of their own in a table, where a type is known without a value.
#[derive(Default, Serialize)]
struct Compared {
    /// What the rule compared; of a duplicate the similarity.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
}

/// `malmoi data documents RUN OUT`.
pub(crate) fn documents(run: &Path, out: &Path, format: DocumentFormat, dropped: bool, lang: Language, ui: &Ui) -> Result<()> {
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
    dataset::write_exported(run, out, &format!("*.{}", format.extension()), dropped, lang)?;
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
            while let Some(rejected) = rejects.next_if(|line| line.as_ref().map_or(true, |line| line.row < kept.row)) {
                take(rejected_row(part, rejected?))?;
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
            messages: kept.turns,
            judged: kept.judged,
            source: kept.source,
            bucket: kept.bucket,
            lang: kept.lang,
            url: kept.url,
            part: part.name.clone(),
            row: kept.row,
            outcome: if dropped { "duplicate" } else { "kept" },
            rule: fates.dropped(kept.row),
            why: fates.why(kept.row),
            reason: Compared { value: duplicate.map(|duplicate| f64::from(duplicate.similarity)), threshold: None },
            of: duplicate.map(|duplicate| duplicate.of.clone()),
            cluster,
            meta: kept.meta,
            metrics: kept.metrics,
        })?;
    }
    if dropped {
        for rejected in rejects {
            take(rejected_row(part, rejected?))?;
        }
    }
    Ok(())
}

fn rejected_row(part: &Part, rejected: Rejected) -> Row {
    let unreadable = rejected.is_unreadable();
    let Rejected { row, reason, why, id, text, turns, judged, source, bucket, lang, url, meta, metrics, .. } = rejected;
    let (rule, reason) = match unreadable {
        true => (None, Compared::default()),
        false => (Some(reason.rule), Compared { value: Some(reason.value), threshold: Some(reason.threshold) }),
    };
    Row {
        id,
        text,
        messages: turns,
        judged,
        source,
        bucket,
        lang,
        url,
        part: part.name.clone(),
        row,
        outcome: if unreadable { "unreadable" } else { "rejected" },
        rule,
        why: Some(why),
        reason,
        of: None,
        cluster: 1,
        meta,
        metrics,
    }
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
const FIXED: [(&str, DataType); 18] = [
    ("id", DataType::String),
    ("text", DataType::String),
    ("messages", DataType::String),
    ("judged", DataType::String),
    ("source", DataType::String),
    ("bucket", DataType::String),
    ("lang", DataType::String),
    ("url", DataType::String),
    ("part", DataType::String),
    ("row", DataType::UInt64),
    ("outcome", DataType::String),
    ("rule", DataType::String),
    ("why", DataType::String),
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
        texts("messages", &|row| (!row.messages.is_empty()).then(|| json!(row.messages).to_string())),
        texts("judged", &|row| row.judged.map(|judged| json!(judged).to_string())),
        texts("source", &|row| Some(row.source.clone())),
        texts("bucket", &|row| Some(row.bucket.clone())),
        texts("lang", &|row| row.lang.clone()),
        texts("url", &|row| row.url.clone()),
        texts("part", &|row| Some(row.part.clone())),
        Column::new("row".into(), rows.iter().map(|row| row.row).collect::<Vec<_>>()),
        texts("outcome", &|row| Some(row.outcome.to_owned())),
        texts("rule", &|row| row.rule.clone()),
        texts("why", &|row| row.why.clone()),
        Column::new("value".into(), rows.iter().map(|row| row.reason.value).collect::<Vec<_>>()),
        Column::new("threshold".into(), rows.iter().map(|row| row.reason.threshold).collect::<Vec<_>>()),
        texts("of", &|row| row.of.clone()),
        Column::new("cluster".into(), rows.iter().map(|row| row.cluster).collect::<Vec<_>>()),
        texts("meta", &|row| (!row.meta.is_empty()).then(|| Value::Object(row.meta.clone()).to_string())),
    ];
    columns.extend(metrics.iter().map(|name| {
        Column::new(format!("{METRIC}{name}").into(), rows.iter().map(|row| row.metrics.get(name).copied()).collect::<Vec<Option<f64>>>())
    }));
    DataFrame::new(rows.len(), columns)
}
