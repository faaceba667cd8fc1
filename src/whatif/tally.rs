//! What the documents of a run add up to, now and under other limits.

use std::collections::BTreeMap;

use serde::Serialize;

use super::judge::Fate;
use super::question::Step;
use crate::compare::sides::reason;
use crate::table::{Pick, Row};

/// Documents and the characters of their texts, as they were when kept or dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Amount {
    pub(super) documents: u64,
    pub(super) chars: u64,
}

impl Amount {
    fn add(&mut self, chars: u64) {
        self.documents += 1;
        self.chars += chars;
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.documents += other.documents;
        self.chars += other.chars;
    }
}

/// One bucket, or all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Sums {
    pub(super) kept_now: Amount,
    pub(super) dropped_now: Amount,
    /// For certain; the unknown ones come on top of one or the other.
    pub(super) kept_then: Amount,
    pub(super) dropped_then: Amount,
    pub(super) unknown: Amount,
    /// Of those kept then, what later filters would still rewrite: its characters are as of now.
    pub(super) rewritten: Amount,
    /// Dropped before the first filter that changes, which has no say in them.
    pub(super) dropped_earlier: u64,
}

impl Sums {
    pub(super) fn merge(&mut self, other: &Self) {
        self.kept_now.merge(other.kept_now);
        self.dropped_now.merge(other.dropped_now);
        self.kept_then.merge(other.kept_then);
        self.dropped_then.merge(other.dropped_then);
        self.unknown.merge(other.unknown);
        self.rewritten.merge(other.rewritten);
        self.dropped_earlier += other.dropped_earlier;
    }
}

/// Documents dropped by a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct RuleCount {
    pub(super) now: u64,
    /// For certain.
    pub(super) then: u64,
}

/// A way to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Change {
    NewlyDropped,
    NewlyKept,
    OtherRule,
    Unknown,
}

/// One document that changes, for people.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Example {
    pub(super) id: String,
    pub(super) bucket: String,
    pub(super) now: String,
    pub(super) then: String,
}

/// How many change in one way, and a few of them.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) documents: u64,
    pub(super) examples: Pick<Example>,
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) buckets: BTreeMap<String, Sums>,
    pub(super) rules: BTreeMap<String, RuleCount>,
    /// By reason.
    pub(super) unknown: BTreeMap<String, u64>,
    pub(super) changes: BTreeMap<Change, Changed>,
    pub(super) unreadable: u64,
}

impl Tally {
    /// Counts one document; `examples` is how many are kept of each change.
    pub(super) fn add(&mut self, bucket: &str, steps: &[Step], row: &Row<'_>, part: usize, fate: &Fate<'_>, examples: usize) {
        let sums = self.buckets.entry(bucket.to_owned()).or_default();
        match row.rule {
            None => sums.kept_now.add(row.chars),
            Some(rule) => {
                sums.dropped_now.add(row.chars);
                self.rules.entry(rule.to_owned()).or_default().now += 1;
                let first = steps.iter().position(|step| step.after.is_some());
                let dropped = steps.iter().position(|step| Some(step.name) == filters::filter_of_rule(rule));
                sums.dropped_earlier += u64::from(first.is_some() && dropped < first);
            }
        }
        let then = match fate {
            Fate::Kept { rewritten } => {
                sums.kept_then.add(row.chars);
                if *rewritten {
                    sums.rewritten.add(row.chars);
                }
                "kept".to_owned()
            }
            Fate::Dropped { rule, because } => {
                sums.dropped_then.add(row.chars);
                self.rules.entry((*rule).to_owned()).or_default().then += 1;
                because.map_or_else(|| (*rule).to_owned(), |(value, _, limit)| reason(rule, value, limit))
            }
            Fate::NotMeasured(filter) => format!("not measured by {filter}"),
            Fate::TooClose(rule) => format!("too close to {rule}"),
        };
        let change = match (row.rule, fate) {
            (_, Fate::NotMeasured(_) | Fate::TooClose(_)) => {
                sums.unknown.add(row.chars);
                *self.unknown.entry(then.clone()).or_default() += 1;
                Change::Unknown
            }
            (None, Fate::Dropped { .. }) => Change::NewlyDropped,
            (Some(_), Fate::Kept { .. }) => Change::NewlyKept,
            (Some(now), Fate::Dropped { rule, .. }) if now != *rule => Change::OtherRule,
            _ => return,
        };
        let changed = self.changes.entry(change).or_insert_with(|| Changed { documents: 0, examples: Pick::new(examples, 0) });
        changed.documents += 1;
        if examples > 0 {
            let now = match (row.rule, row.value, row.threshold) {
                (Some(rule), Some(value), Some(limit)) => reason(rule, value, limit),
                (Some(rule), ..) => rule.to_owned(),
                (None, ..) => "kept".to_owned(),
            };
            let example = || Example { id: row.id.to_owned(), bucket: bucket.to_owned(), now, then };
            changed.examples.offer(row.id, part, row.row, example);
        }
    }
}
