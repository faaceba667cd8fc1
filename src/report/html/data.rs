//! What report.html shows: the facts of a run, as plain data. It is also the content of `stats.json`.
//!
//! Everything is optional: a run that stopped early lacks the later parts, and the page says so.
//! A number that can be not finite (a loss, a rate) is an `Option` and `None` where it was not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use super::data_tokens::{
    EvalPoint, Generation, Preference, StepPoint, TokenBucket, TokenPlan, TokenizerBucket, TokenizerFacts, Tokens, Training, Untrained,
};

/// A whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ReportData {
    /// Name of the run, usually that of its folder.
    pub(crate) name: String,
    /// Version of the program that ran it.
    pub(crate) version: String,
    /// Fingerprint of the resolved recipe.
    pub(crate) fingerprint: String,
    /// The recipe's seed.
    pub(crate) seed: u64,
    /// Wall time of all stages.
    pub(crate) elapsed_seconds: Option<f64>,
    /// What was said as a warning while it ran, and what an audit found.
    pub(crate) warnings: Vec<String>,
    /// What became of each source; empty before `clean`.
    pub(crate) sources: Vec<SourceFunnel>,
    /// Messages of some records that could not be read.
    pub(crate) unreadable: Vec<String>,
    /// Why documents were dropped, in any order; `None` before `clean`.
    pub(crate) reasons: Option<Vec<DropReason>>,
    /// `None` before `dedup`, or where the recipe has none.
    pub(crate) duplicates: Option<Duplicates>,
    /// Evaluation sets that were looked for, by name; `None` where no filter looks for any.
    pub(crate) contamination: Option<Vec<ContaminatedSet>>,
    /// Lengths of the documents that passed the filters; `None` before `clean`.
    pub(crate) lengths: Option<Lengths>,
    /// Documents by language code, in any order; `None` where no filter told languages.
    pub(crate) languages: Option<BTreeMap<String, u64>>,
    /// `None` before the tokenizer was there.
    pub(crate) tokenizer: Option<TokenizerFacts>,
    /// Tokens in the shards and the mixture drawn from them; `None` before `tokenize`.
    pub(crate) tokens: Option<Tokens>,
    /// `None` before the first step.
    pub(crate) training: Option<Training>,
    /// The stages in the order in which they ran.
    pub(crate) timings: Vec<Timing>,
    /// The resolved recipe as text.
    pub(crate) recipe: Option<String>,
}

/// Documents and the bytes of their text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Amount {
    /// How many documents.
    pub(crate) documents: u64,
    /// Bytes of UTF-8 text.
    pub(crate) bytes: u64,
}

/// What became of the records of one source. These balance, and the page checks it:
/// `input = unreadable + rejected + passed` and, after `dedup`, `passed = duplicates + kept`;
/// the same in bytes, with `rewritten-bytes` beside `passed` and the bytes of `trimmed` and `excerpted` beside `kept`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SourceFunnel {
    /// Name of the source.
    pub(crate) source: String,
    /// Its bucket.
    pub(crate) bucket: String,
    /// Records, readable or not; bytes of text as read.
    pub(crate) input: Amount,
    /// Records that could not be read; no bytes of text are known of them.
    pub(crate) unreadable: u64,
    /// Dropped by a filter; bytes of text as read.
    pub(crate) rejected: Amount,
    /// Passed every filter; bytes of text after cleaning.
    pub(crate) passed: Amount,
    /// Bytes that cleaning took out of the documents that passed; negative where it added some.
    pub(crate) rewritten_bytes: i64,
    /// Removed as duplicates; `None` before `dedup`.
    pub(crate) duplicates: Option<Amount>,
    /// Documents that lost lines which stand in many documents, and the bytes of these lines.
    pub(crate) trimmed: Amount,
    /// Documents that lost passages which stand elsewhere too, and the bytes of these.
    pub(crate) excerpted: Amount,
    /// Neither dropped nor a duplicate; `None` before `dedup`.
    pub(crate) kept: Option<Amount>,
    /// Tokens of the kept documents, held out or not; `None` before `tokenize`.
    pub(crate) tokens: Option<u64>,
}

/// The documents that one rule dropped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DropReason {
    /// `family/metric`.
    pub(crate) rule: String,
    /// What it dropped; bytes of text as read.
    pub(crate) dropped: Amount,
    /// The dropped documents by bucket.
    pub(crate) buckets: BTreeMap<String, u64>,
    /// Smallest value measured on a dropped document.
    pub(crate) lowest: Option<f64>,
    /// Largest value measured on a dropped document.
    pub(crate) highest: Option<f64>,
    /// The limit that was missed.
    pub(crate) threshold: Option<f64>,
    /// The smallest and the largest limit, where there were several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thresholds: Option<(f64, f64)>,
    /// A few of the dropped documents; the page shows at most three.
    pub(crate) samples: Vec<DropSample>,
}

/// One dropped document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DropSample {
    /// Id of the document.
    pub(crate) id: String,
    /// Its source.
    pub(crate) source: String,
    /// The reason with value and threshold: `repetition/top-2-gram 0.31 > 0.282`.
    pub(crate) why: String,
    /// The start of its text; the page cuts it further.
    pub(crate) excerpt: String,
}

/// What stands of an evaluation set in the documents, kept or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ContaminatedSet {
    /// Name of the set.
    pub(crate) set: String,
    /// Items in it.
    pub(crate) items: u64,
    /// Items that are long enough to be looked for.
    pub(crate) searchable: u64,
    /// Documents that hold at least one.
    pub(crate) documents: u64,
    /// Documents in which each item was found.
    pub(crate) found: BTreeMap<String, u64>,
}

/// What the deduplication found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Duplicates {
    /// Removed documents by kind (`exact`, `minhash`, `simhash`, ..).
    pub(crate) kinds: BTreeMap<String, Amount>,
    /// Groups of two or more documents of which one stays.
    pub(crate) clusters: u64,
    /// The largest of them, in any order.
    pub(crate) largest: Vec<Cluster>,
    /// The longest passages that documents lost, the longest first.
    pub(crate) passages: Vec<Passage>,
}

/// A passage that a document lost, since another document has it too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Passage {
    /// Id of the document that lost it.
    pub(crate) id: String,
    /// Its source.
    pub(crate) source: String,
    pub(crate) words: u64,
    /// Id of the document that has it.
    pub(crate) of: String,
    /// The part that this one is in, and its run if that is another.
    pub(crate) place: String,
    /// The start of the passage.
    pub(crate) excerpt: String,
}

/// Documents of which one stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Cluster {
    /// Documents in it, the one that stays included.
    pub(crate) documents: u64,
    /// Id of the one that stays.
    pub(crate) kept_id: String,
    /// Source of the one that stays.
    pub(crate) kept_source: String,
    /// The start of its text.
    pub(crate) kept_excerpt: String,
    /// Some of the removed ones; the page shows at most two.
    pub(crate) removed: Vec<Removed>,
}

/// A document removed as a duplicate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Removed {
    /// Id of the document.
    pub(crate) id: String,
    /// Its source.
    pub(crate) source: String,
    /// How it was found.
    pub(crate) kind: String,
    /// Similarity to the one that stays, 0 to 1.
    pub(crate) similarity: Option<f64>,
    /// The start of its text.
    pub(crate) excerpt: String,
}

/// A histogram of lengths for each bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Lengths {
    /// Lower edges of the bins in characters, ascending; the last bin is open.
    pub(crate) edges: Vec<u64>,
    /// Documents in each bin, by bucket.
    pub(crate) buckets: BTreeMap<String, Vec<u64>>,
}

/// Time of one stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Timing {
    /// Name of the stage.
    pub(crate) stage: String,
    /// Wall time.
    pub(crate) seconds: f64,
    /// Bytes of text it went through, where that says anything.
    pub(crate) bytes: Option<u64>,
}
