//! A task's numbers: each metric with its interval, over all items and over subjects.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::contamination::Without;
use super::item::{Answer, Record};
use super::statistics::{Interval, Statistic, groups};
use super::task::Task;

/// A metric over some items.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) value: f64,
    pub(super) interval: Option<Interval>,
}

/// Some of a task's items.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) items: usize,
    pub(super) metrics: Vec<Metric>,
}

/// A task.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Summary {
    pub(super) task: &'static str,
    /// Examples before each question.
    pub(super) shots: usize,
    /// `log-likelihood` or `generation`.
    pub(super) method: &'static str,
    pub(super) items: usize,
    /// Over all items, each with the same weight (micro).
    pub(super) metrics: Vec<Metric>,
    /// Means over subjects, each with the same weight (macro); none where there is one subject.
    pub(super) macro_means: Vec<Metric>,
    /// The accuracy of answers by chance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) chance: Option<f64>,
    /// By subject; of instructions by kind.
    pub(super) groups: Vec<Group>,
    /// Prompts that did not fit into the model's context.
    pub(super) cut: usize,
    /// Texts that ended because they had as many tokens as they may have.
    pub(super) unfinished: usize,
    /// Instructions that could not be checked.
    pub(super) unchecked: usize,
    /// Questions that stand in training documents, where these were searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contamination: Option<Without>,
}

/// Summarises the records of a task.
pub(super) fn summarise(task: Task, shots: usize, unchecked: usize, records: &[&Record]) -> Summary {
    let statistics = task.statistics();
    let by_subject = groups(records);
    let subjects: Vec<Vec<&Record>> = by_subject.values().cloned().collect();
    let macro_mean = |statistic: &Statistic| {
        Some(Metric { name: statistic.name(), value: statistic.macro_mean(&subjects)?, interval: statistic.macro_interval(&subjects) })
    };
    let several = subjects.len() > 1;
    let parts = if several {
        by_subject
            .iter()
            .map(|(name, records)| Group { name: (*name).to_owned(), items: records.len(), metrics: metrics(statistics, records) })
            .collect()
    } else {
        kinds(records)
    };
    let texts = records.iter().filter(|record| matches!(&record.answer, Answer::Text { .. })).count();
    Summary {
        task: task.name(),
        shots,
        method: if texts > 0 { "generation" } else { "log-likelihood" },
        items: records.len(),
        metrics: metrics(statistics, records),
        macro_means: if several { statistics.iter().filter_map(macro_mean).collect() } else { Vec::new() },
        chance: chance(records),
        groups: parts,
        cut: records.iter().filter(|record| record.cut > 0).count(),
        unfinished: records.iter().filter(|record| matches!(&record.answer, Answer::Text { finish, .. } if finish == "length")).count(),
        unchecked,
        contamination: None,
    }
}

impl Summary {
    /// Every number under its name, `TASK/METRIC` and `TASK/METRIC/macro`.
    pub(super) fn measured(&self) -> BTreeMap<String, f64> {
        let micro = self.metrics.iter().map(|metric| (format!("{}/{}", self.task, metric.name), metric.value));
        let macro_means = self.macro_means.iter().map(|metric| (format!("{}/{}/macro", self.task, metric.name), metric.value));
        let contaminated = self.contamination.as_ref().map(|found| (format!("{}/contaminated", self.task), found.contamination.share()));
        micro.chain(macro_means).chain(contaminated).collect()
    }
}

pub(super) fn metrics(statistics: &[Statistic], records: &[&Record]) -> Vec<Metric> {
    let metric = |statistic: &Statistic| {
        Some(Metric { name: statistic.name(), value: statistic.of(records)?, interval: statistic.interval(records) })
    };
    statistics.iter().filter_map(metric).collect()
}

/// Instructions by kind: strict and loose.
fn kinds(records: &[&Record]) -> Vec<Group> {
    let all = || records.iter().flat_map(|record| &record.instructions);
    let names: BTreeSet<&str> = all().map(|(name, ..)| name.as_str()).collect();
    let group = |name: &str| {
        let of: Vec<&(String, bool, bool)> = all().filter(|(kind, ..)| kind == name).collect();
        let metric = |label, count: usize| Metric {
            name: label,
            value: count as f64 / of.len() as f64,
            interval: super::statistics::wilson(count as f64, of.len()),
        };
        let strict = of.iter().filter(|(_, strict, _)| *strict).count();
        let loose = of.iter().filter(|(.., loose)| *loose).count();
        Group { name: name.to_owned(), items: of.len(), metrics: vec![metric("strict", strict), metric("loose", loose)] }
    };
    names.into_iter().map(group).collect()
}

/// Where every item is a choice by likelihood and has an accuracy.
fn chance(records: &[&Record]) -> Option<f64> {
    let choices = |record: &&Record| match &record.answer {
        Answer::LogLikelihoods(values) if record.scores.contains_key("accuracy") => Some(values.len()),
        _ => None,
    };
    let counts: Vec<usize> = records.iter().map(choices).collect::<Option<_>>()?;
    (!counts.is_empty()).then(|| counts.iter().map(|&count| 1.0 / count as f64).sum::<f64>() / counts.len() as f64)
}
