//! Lines of the files between the stages: a kept document, a rejected one, and a part's counts.

use std::collections::BTreeMap;

use corpora::columns::{as_text, or_empty};
use corpora::{Judged, Turn};
use filters::{Finding, Reason};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Context, Result};

/// A line of `documents/`: a document that passed every filter. Its columns are those of every line: see [`corpora::columns`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Number of the record inside its part, counted over all records, readable or not.
    pub(crate) row: u64,
    pub(crate) id: String,
    pub(crate) text: String,
    /// The messages of a conversation.
    #[serde(with = "as_text")]
    pub(crate) turns: Vec<Turn>,
    /// What was said of the answers that it ends with.
    #[serde(with = "as_text")]
    pub(crate) judged: Option<Judged>,
    pub(crate) source: String,
    pub(crate) bucket: String,
    #[serde(with = "or_empty")]
    pub(crate) lang: Option<String>,
    #[serde(with = "or_empty")]
    pub(crate) url: Option<String>,
    #[serde(with = "as_text")]
    pub(crate) meta: Map<String, Value>,
    #[serde(with = "as_text")]
    pub(crate) metrics: BTreeMap<String, f64>,
    /// Items of evaluation sets that stand or stood in it, the surest [`FINDINGS`].
    #[serde(with = "as_text")]
    pub(crate) findings: Vec<Finding>,
}

/// Most items of evaluation sets that are told of one document; all are counted.
pub(crate) const FINDINGS: usize = 20;

/// A line of `rejects/`: a document that a filter dropped, or a record that could not be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rejected {
    pub(crate) row: u64,
    /// The rule, or [`UNREADABLE`].
    pub(crate) reason: Reason,
    /// The reason as people read it: `repetition/top-2-gram 0.31 > 0.282`, or why the record could not be read.
    pub(crate) why: String,
    /// As the filter left it; empty like all that follows, but for source and bucket, of a record that could not be read.
    pub(crate) id: String,
    pub(crate) text: String,
    #[serde(with = "as_text")]
    pub(crate) turns: Vec<Turn>,
    #[serde(with = "as_text")]
    pub(crate) judged: Option<Judged>,
    pub(crate) source: String,
    pub(crate) bucket: String,
    #[serde(with = "or_empty")]
    pub(crate) lang: Option<String>,
    #[serde(with = "or_empty")]
    pub(crate) url: Option<String>,
    #[serde(with = "as_text")]
    pub(crate) meta: Map<String, Value>,
    #[serde(with = "as_text")]
    pub(crate) metrics: BTreeMap<String, f64>,
    #[serde(with = "as_text")]
    pub(crate) findings: Vec<Finding>,
}

/// What stands in the place of a rule where a record is quarantined: it is no document at all.
pub(crate) const UNREADABLE: &str = "unreadable";

impl Rejected {
    /// A record that could not be read, for this cause.
    pub(crate) fn unreadable(row: u64, cause: String, source: String, bucket: String) -> Self {
        Self {
            row,
            // As of other reasons that are no limit, so that the columns are numbers in every line.
            reason: Reason::above(UNREADABLE, 1.0, 0.0),
            why: cause,
            id: String::new(),
            text: String::new(),
            turns: Vec::new(),
            judged: None,
            source,
            bucket,
            lang: None,
            url: None,
            meta: Map::new(),
            metrics: BTreeMap::new(),
            findings: Vec::new(),
        }
    }

    /// Whether it is a record that could not be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.reason.rule == UNREADABLE
    }
}

/// The fields of [`Kept`] that later stages read; the rest is skipped without a copy.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct KeptText {
    pub(crate) row: u64,
    pub(crate) id: String,
    pub(crate) text: String,
    // Plain texts of earlier formats, which `dedup.against` may name, have neither.
    #[serde(default, with = "as_text")]
    pub(crate) turns: Vec<Turn>,
    #[serde(default, with = "as_text")]
    pub(crate) judged: Option<Judged>,
}

impl KeptText {
    /// What its shard remembers of all that it is made of: the text, and in a conversation who says what and how its
    /// answers are judged.
    pub(crate) fn content_hash(&self) -> Result<[u8; 16]> {
        if self.turns.is_empty() {
            return Ok(shards::content_hash(self.text.as_bytes()));
        }
        let mut content = Vec::from(self.text.as_bytes());
        content.push(0);
        serde_json::to_writer(&mut content, &(&self.turns, self.judged)).context(|| "cannot write a conversation as JSON".to_owned())?;
        Ok(shards::content_hash(&content))
    }
}

/// Documents and their bytes of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
}

impl Count {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.documents += 1;
        self.bytes += bytes;
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.documents += other.documents;
        self.bytes += other.bytes;
    }
}

/// What became of a part's records; bytes are bytes of text as read, before any filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartStats {
    pub(crate) part: String,
    pub(crate) source: String,
    pub(crate) bucket: String,
    pub(crate) input: Count,
    pub(crate) kept: Count,
    /// Bytes of the kept texts after cleaning.
    pub(crate) text_bytes: u64,
    /// By rule.
    pub(crate) rejected: BTreeMap<String, Count>,
    pub(crate) unreadable: u64,
    /// Those after which more of a file is missing: a compressed stream that breaks off, a damaged
    /// row group.
    #[serde(default)]
    pub(crate) broken: u64,
    /// Evaluation sets that were looked for, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) contamination: BTreeMap<String, Contamination>,
}

/// What was found of an evaluation set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contamination {
    /// Items of the set.
    pub(crate) items: u64,
    /// Those that are long enough to be looked for.
    pub(crate) searchable: u64,
    /// Documents with at least one item.
    pub(crate) documents: u64,
    /// Documents in which each item was found.
    pub(crate) found: BTreeMap<String, u64>,
}

impl PartStats {
    /// Whether every record is accounted for.
    pub(crate) fn balances(&self) -> bool {
        let mut out = self.kept;
        self.rejected.values().for_each(|count| out.merge(*count));
        out.documents += self.unreadable;
        out == self.input
    }
}

/// A line of `duplicates/`, as written by the deduplication.
pub(crate) use filters::dedup::Duplicate;

/// A line of `duplicates/clusters/`, as written by the deduplication.
pub(crate) use filters::dedup::Stands;

/// A line of `lines/`, as written by the deduplication.
pub(crate) use filters::dedup::Trimmed;

/// A line of `substrings/`, as written by the deduplication.
pub(crate) use filters::dedup::{Elsewhere, Passages};

/// `45 words stand in law-7 too (part korean-000 of out/old)`.
pub(crate) fn stands_in(elsewhere: &Elsewhere, id: &str) -> String {
    let Elsewhere { words, of, of_part, of_run, .. } = elsewhere;
    let run = of_run.as_ref().map(|run| format!(" of {run}")).unwrap_or_default();
    let too = if of == id { "earlier in the same document" } else { "too" };
    format!("{words} words stand in {of} {too} (part {of_part}{run})")
}
