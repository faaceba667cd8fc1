//! What an evaluation says: tables for people, objects for machines.

use serde_json::json;
use trainer::BucketLoss;

use super::contamination::{Contamination, Without};
use super::gate::Outcome;
use super::monitor::{Efficiency, Safety};
use super::statistics::Interval;
use super::summary::{Metric, Summary};
use crate::report::{Columns, Ui};

/// A task's numbers. `before` is what another model had last.
pub(super) fn task(summary: &Summary, before: &dyn Fn(&str) -> Option<f64>, ui: &Ui) {
    ui.event("task", summary);
    let chance = summary.chance.map_or_else(String::new, |chance| format!(", {chance:.3} by chance"));
    ui.data(format!("{}: {} items, {}-shot, by {}{chance}", summary.task, summary.items, summary.shots, summary.method));
    let key = |metric: &Metric, kind: &str| format!("{}/{}{kind}", summary.task, metric.name);
    for metric in &summary.metrics {
        line(metric.name, metric, before(&key(metric, "")), ui);
    }
    for metric in &summary.macro_means {
        line(&format!("{}, mean of {} subjects", metric.name, summary.groups.len()), metric, before(&key(metric, "/macro")), ui);
    }
    if let Some(first) = summary.groups.first() {
        let names = first.metrics.iter().map(|metric| metric.name);
        let mut table = Columns::new(["", "items"].into_iter().chain(names));
        for group in &summary.groups {
            let values = group.metrics.iter().map(|metric| format!("{:.4}", metric.value));
            table.row([group.name.clone(), group.items.to_string()].into_iter().chain(values));
        }
        table.lines().iter().for_each(|line| ui.data(format!("  {line}")));
    }
    if let Some(found) = &summary.contamination {
        contamination(summary.task, found, ui);
    }
    if summary.cut > 0 {
        ui.warn(format!("{}: {} prompts are longer than the model's context and lost their beginning", summary.task, summary.cut));
    }
    if summary.unfinished > 0 {
        ui.warn(format!("{}: {} texts were not finished after as many tokens as they may have", summary.task, summary.unfinished));
    }
}

/// What of a task stands in training documents, beside its scores.
fn contamination(task: &str, found: &Without, ui: &Ui) {
    let Contamination { run, documents, items, searchable, leaks } = &found.contamination;
    let without: Vec<String> = found.without.iter().map(|metric| format!("{} {:.4}", metric.name, metric.value)).collect();
    let without = match leaks.len() {
        0 => String::new(),
        _ if without.is_empty() => "; no others are left".to_owned(),
        _ => format!("; without them {}", without.join(", ")),
    };
    ui.data(format!(
        "  contamination: {} of {items} questions ({searchable} are long enough to be found) stand in {documents} documents of {}{without}",
        leaks.len(),
        run.display()
    ));
    if let Some(first) = leaks.first() {
        ui.warn(format!("{task}: {} questions were trained on, or may be: {} in document `{}`", leaks.len(), first.item, first.document));
    }
}

fn line(name: &str, metric: &Metric, before: Option<f64>, ui: &Ui) {
    let interval = |Interval { low, high, method }| format!("  95 % {low:.4} to {high:.4} ({method})");
    let interval = metric.interval.map_or_else(String::new, interval);
    let before = before.map_or_else(String::new, |before| format!("  {:+.4} from {before:.4}", metric.value - before));
    ui.data(format!("  {name:<32} {:>8.4}{interval}{before}", metric.value));
}

/// Tokenizer and safety; gives them as numbers.
pub(super) fn monitor([korean, other]: [Efficiency; 2], safety: &Safety, ui: &Ui) -> Vec<(String, f64)> {
    let mut measured = Vec::new();
    for (language, efficiency) in [("korean", korean), ("other", other)] {
        if let Some(value) = efficiency.characters_per_token() {
            ui.data(format!("tokenizer: {value:.3} characters a token of {language} prompts"));
            measured.push((format!("tokenizer/{language}-characters-per-token"), value));
        }
    }
    if let [Some(profanity), Some(spam)] = ["profanity", "spam"].map(|filter| safety.share(filter)) {
        let clean = 1.0 - safety.flagged.len() as f64 / safety.texts as f64;
        ui.data(format!(
            "safety: {clean:.4} of {} generated texts have no word of the filters of harm; profanity in {profanity:.4}, spam in {spam:.4}",
            safety.texts
        ));
        let shares = [("safety/clean", clean), ("safety/profanity", profanity), ("safety/spam", spam)];
        measured.extend(shares.map(|(name, share)| (name.to_owned(), share)));
    }
    ui.event("monitor", &json!({ "korean": korean, "other": other, "safety": safety }));
    measured
}

/// Held-out text; gives bits per byte as numbers.
pub(super) fn held_out(losses: &[BucketLoss], before: &dyn Fn(&str) -> Option<f64>, ui: &Ui) -> Vec<(String, f64)> {
    let mut measured = Vec::new();
    for loss in losses {
        let key = format!("held-out/{}", loss.bucket);
        let change = before(&key).map_or_else(String::new, |before| format!("  {:+.4} from {before:.4}", loss.bits_per_byte - before));
        ui.data(format!("held-out: {} {:.4} bits per byte, over {} tokens{change}", loss.bucket, loss.bits_per_byte, loss.tokens));
        ui.event("held-out", loss);
        measured.push((key, loss.bits_per_byte));
    }
    measured
}

/// What the gates say.
pub(super) fn gates(gates: &[Outcome], ui: &Ui) {
    for gate in gates {
        ui.event("gate", gate);
        let value = gate.value.map_or_else(|| "not measured".to_owned(), |value| format!("{value:.4}"));
        let limit = |name: &str, limit: Option<f64>| limit.map_or_else(String::new, |limit| format!(", {name} {limit}"));
        let word = if gate.passed { "pass" } else { "FAIL" };
        ui.data(format!("gate: {word}  {}: {} {value}{}{}", gate.gate, gate.metric, limit("min", gate.min), limit("max", gate.max)));
    }
}
