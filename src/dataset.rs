//! The documents of a run as a data set of the Hub's kind: a card whose front matter says of which types their fields are.
//!
//! Fields that a document lacks are not in its line, and files are of different sources with different metrics. A reader
//! that infers types from the first file so refuses the next; nulls would not help, for it infers them as a type of their
//! own. `datasets.load_dataset("RUN", "documents")` reads the types here instead.

use std::fmt::Write as _;
use std::path::Path;

use corpora::Part;

use crate::cli::Language;
use crate::error::Result;
use crate::recipe::Recipe;
use crate::{card, layout};

/// The type of a field.
enum Kind {
    /// A type of Arrow by the name that `datasets` has for it. Objects are read as text of JSON where this is `string`.
    Plain(&'static str),
    List(Vec<Field>),
    Struct(Vec<Field>),
}

type Field = (String, Kind);

fn plain(names: &[&str], kind: &'static str) -> Vec<Field> {
    names.iter().map(|name| ((*name).to_owned(), Kind::Plain(kind))).collect()
}

/// The card of a run, written where `datasets` looks for it.
pub(crate) fn write(folder: &Path, lang: Language) -> Result<()> {
    let recipe = Recipe::of_run(folder)?;
    let parts: Vec<Part> = layout::read_json(folder, layout::PLAN)?;
    let mut text = String::new();
    if !parts.is_empty() {
        let metrics = metrics(folder, &parts)?;
        text =
            front_matter(&[("documents", "documents/*.jsonl.zst", kept(&metrics)), ("rejects", "rejects/*.jsonl.zst", rejected(&metrics))]);
    }
    text.push_str(&card::text(folder, &recipe, lang)?);
    layout::write(folder, layout::CARD, text.as_bytes())
}

/// The front matter beside files of `data documents`.
pub(crate) fn write_exported(folder: &Path, metrics: &[String]) -> Result<()> {
    layout::write(folder, layout::CARD, front_matter(&[("default", "*.jsonl.zst", exported(metrics))]).as_bytes())
}

/// Names of all metrics of a run.
pub(crate) fn metrics(run: &Path, parts: &[Part]) -> Result<Vec<String>> {
    let mut names = std::collections::BTreeSet::new();
    for part in parts {
        let schema = corpora::table::columns(&run.join(layout::table(&part.name)))?;
        names.extend(schema.iter().filter_map(|name| name.strip_prefix("metrics.")).map(str::to_owned));
    }
    Ok(names.into_iter().collect())
}

/// A line of `documents/`: [`crate::record::Kept`].
fn kept(metrics: &[String]) -> Vec<Field> {
    let mut fields = plain(&["row"], "int64");
    fields.extend(plain(&["id", "text"], "string"));
    fields.push(("turns".to_owned(), Kind::List(plain(&["role", "text"], "string"))));
    fields.extend(plain(&["judged", "source", "bucket", "lang", "url", "meta"], "string"));
    fields.push(measured(metrics));
    fields.push(findings());
    fields
}

/// A line of `rejects/`: [`crate::record::Rejected`], of both kinds.
fn rejected(metrics: &[String]) -> Vec<Field> {
    let mut fields = plain(&["row"], "int64");
    let mut reason = plain(&["rule"], "string");
    reason.extend(plain(&["value"], "float64"));
    reason.extend(plain(&["sign"], "string"));
    reason.extend(plain(&["threshold"], "float64"));
    reason.extend(plain(&["detail"], "string"));
    fields.push(("reason".to_owned(), Kind::Struct(reason)));
    fields.extend(plain(&["why", "id", "text", "source", "bucket", "lang", "url"], "string"));
    fields.push(measured(metrics));
    fields.push(findings());
    fields.extend(plain(&["unreadable"], "string"));
    fields
}

/// A line that `data documents` writes.
fn exported(metrics: &[String]) -> Vec<Field> {
    let mut fields = plain(&["id", "text"], "string");
    fields.push(("messages".to_owned(), Kind::List(plain(&["role", "text"], "string"))));
    fields.extend(plain(&["source", "bucket", "lang", "url", "part"], "string"));
    fields.extend(plain(&["row"], "int64"));
    fields.extend(plain(&["outcome", "rule"], "string"));
    fields.extend(plain(&["value", "threshold"], "float64"));
    fields.extend(plain(&["of"], "string"));
    fields.extend(plain(&["cluster"], "int64"));
    fields.extend(plain(&["meta"], "string"));
    fields.push(measured(metrics));
    fields
}

/// Text where no filter measures anything: a structure without fields is none for files of Arrow.
fn measured(metrics: &[String]) -> Field {
    let all: Vec<Field> = metrics.iter().map(|name| (name.clone(), Kind::Plain("float64"))).collect();
    ("metrics".to_owned(), if all.is_empty() { Kind::Plain("string") } else { Kind::Struct(all) })
}

fn findings() -> Field {
    let mut of = plain(&["set", "item", "field"], "string");
    of.extend(plain(&["overlap"], "float64"));
    of.extend(plain(&["start", "end"], "int64"));
    of.extend(plain(&["excerpt"], "string"));
    ("findings".to_owned(), Kind::List(of))
}

/// Configurations, each a pattern of files and its fields, in the YAML that a card of the Hub begins with.
fn front_matter(configurations: &[(&str, &str, Vec<Field>)]) -> String {
    let mut out = String::from("---\nconfigs:\n");
    for (name, files, _) in configurations {
        let _ = write!(out, "- config_name: {name}\n  data_files: \"{files}\"\n");
    }
    out.push_str("dataset_info:\n");
    for (name, _, fields) in configurations {
        let _ = write!(out, "- config_name: {name}\n  features:\n");
        write_fields(&mut out, 2, fields);
    }
    out.push_str("---\n\n");
    out
}

fn write_fields(out: &mut String, indent: usize, fields: &[Field]) {
    let pad = " ".repeat(indent);
    for (name, kind) in fields {
        // A string of JSON is one of YAML.
        let _ = writeln!(out, "{pad}- name: {}", serde_json::json!(name));
        let (key, inner) = match kind {
            Kind::Plain(kind) => {
                let _ = writeln!(out, "{pad}  dtype: {kind}");
                continue;
            }
            Kind::List(inner) => ("list", inner),
            Kind::Struct(inner) => ("struct", inner),
        };
        let _ = writeln!(out, "{pad}  {key}:");
        write_fields(out, indent + 2, inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `Features._to_yaml_list` of datasets 5.2 has it, up to the order of keys.
    #[test]
    fn front_matter_is_yaml_of_the_hub() {
        let fields = vec![
            ("id".to_owned(), Kind::Plain("string")),
            ("turns".to_owned(), Kind::List(plain(&["role"], "string"))),
            ("metrics".to_owned(), Kind::Struct(plain(&["a/\"b\""], "float64"))),
        ];
        let expected = "---\nconfigs:\n- config_name: documents\n  data_files: \"documents/*.jsonl.zst\"\ndataset_info:\n\
            - config_name: documents\n  features:\n  - name: \"id\"\n    dtype: string\n  - name: \"turns\"\n    list:\n    - name: \"role\"\n      \
            dtype: string\n  - name: \"metrics\"\n    struct:\n    - name: \"a/\\\"b\\\"\"\n      dtype: float64\n---\n\n";
        assert_eq!(front_matter(&[("documents", "documents/*.jsonl.zst", fields)]), expected);
        assert!(matches!(measured(&[]).1, Kind::Plain("string")));
    }
}
