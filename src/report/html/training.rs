//! Training: what it was, how the loss went, what the model writes.

mod preferences;

use std::collections::BTreeSet;

use super::data::{Generation, StepPoint, Training};
use super::lines::{Series, Words, lines, smooth};
use super::number::{count, decimal, figures};
use super::text;
use super::view::{Section, View, fill};

/// Prompts whose texts are shown, texts on the way to the last one of each, and characters of each.
const GENERATIONS: usize = 8;
const BEFORE: usize = 10;
const SHOWN: usize = 600;
/// Colours of lines, `c0` to before this.
const COLOURS: usize = 6;

pub(super) fn section(view: &View<'_>) -> Section {
    let body = view.data.training.as_ref().map(|training| {
        format!(
            "{}{}<div class=\"plots two\">{}</div>\n{}{}{}",
            facts(view, training),
            trouble(view, training),
            charts(view, training),
            preferences::table(view, training),
            untrained(view, training),
            generations(view, training)
        )
    });
    Section { id: "training", title: view.l.training, body }
}

/// The number of the last step that was logged.
pub(super) fn done(training: &Training) -> u64 {
    training.steps.last().map_or(0, |step| step.step)
}

/// Mean of the last finite losses at the end, as the chart draws it: one step alone is noise.
pub(super) fn last_loss(training: &Training) -> Option<f64> {
    let losses = points(training, |step| step.loss);
    let losses = smooth(&losses).unwrap_or(losses);
    losses.iter().rev().find_map(|point| point.1)
}

/// A value of each logged step; `None` where it is not there or not finite.
fn points(training: &Training, value: fn(&StepPoint) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
    training.steps.iter().map(|step| (step.step as f64, value(step).filter(|value| value.is_finite()))).collect()
}

/// The last bits per byte of each bucket, with the step of that evaluation.
pub(super) fn last_bits(training: &Training) -> Vec<(&str, Option<f64>, u64)> {
    let last = training.evals.last();
    last.map(|eval| eval.bits_per_byte.iter().map(|(bucket, bits)| (bucket.as_str(), *bits, eval.step)).collect()).unwrap_or_default()
}

fn facts(view: &View<'_>, training: &Training) -> String {
    let l = view.l;
    let mut facts = vec![
        (l.objective, text::name(&training.objective)),
        (l.parameters, count(training.parameters)),
        (l.device, text::name(&training.device)),
        (l.steps, fill(l.n_of_m, &[&count(done(training)), &count(training.planned_steps)])),
        (l.tokens_trained, count(training.trained)),
    ];
    if let Some(seconds) = training.seconds.filter(|seconds| *seconds > 0.0) {
        facts.push((l.time, view.duration(seconds)));
        facts.push((l.tokens_per_second, decimal(training.drawn as f64 / seconds)));
    }
    if let Some(loss) = last_loss(training) {
        facts.push((l.final_loss, figures(loss)));
    }
    if let Some((step, bits)) = training.best {
        let of_answers = training.evals.iter().any(|eval| !eval.preferences.is_empty());
        facts.push((l.best_step, fill(if of_answers { l.best_loss_at } else { l.best_at }, &[&figures(bits), &count(step)])));
    }
    if let Some(untrained) = &training.untrained {
        facts.push((l.untrained, fill(l.n_of_m, &[&count(untrained.untrained), &count(untrained.ids)])));
    }
    super::page::facts(&facts)
}

fn trouble(view: &View<'_>, training: &Training) -> String {
    let l = view.l;
    let mut out = String::new();
    let bad = training.steps.iter().filter(|step| step.loss.is_none_or(|loss| !loss.is_finite()));
    let (number, first) = bad.fold((0u64, None), |(number, first), step| (number + 1, first.or(Some(step.step))));
    if let Some(first) = first {
        out.push_str(&format!("<li>{}</li>", fill(l.loss_not_finite, &[&count(number), &count(first)])));
    }
    if let Some(step) = training.stopped {
        out.push_str(&format!("<li>{}</li>", fill(l.training_stopped, &[&count(step), &count(training.planned_steps)])));
    } else if done(training) < training.planned_steps {
        out.push_str(&format!("<li>{}</li>", fill(l.training_unfinished, &[&count(done(training)), &count(training.planned_steps)])));
    }
    if let Some(rows) = &training.untrained
        && let Some((new, untrained)) = rows.new.filter(|new| new.1 > 0)
    {
        let label = fill(l.new_untrained, &[&count(untrained), &count(new), &tokens(&rows.examples)]);
        out.push_str(&format!("<li>{label}</li>"));
    }
    if out.is_empty() { out } else { format!("<ul class=\"callout warn\">{out}</ul>\n") }
}

/// Ids and tokens, as safe HTML.
fn tokens(examples: &[String]) -> String {
    examples.iter().map(|example| text::name(example)).collect::<Vec<_>>().join(", ")
}

/// Some tokens that were never trained, where that was not said as trouble already.
fn untrained(view: &View<'_>, training: &Training) -> String {
    let rows = training.untrained.as_ref().filter(|rows| rows.new.is_none() && !rows.examples.is_empty());
    rows.map(|rows| format!("<p class=\"lead\">{}</p>\n", fill(view.l.untrained_examples, &[&tokens(&rows.examples)]))).unwrap_or_default()
}

fn charts(view: &View<'_>, training: &Training) -> String {
    let l = view.l;
    let words = |title, unit, from_zero, size| Words { title, unit, from_zero, size, write: if from_zero { decimal } else { figures } };
    let mut out = String::new();
    if !training.steps.is_empty() {
        // Of judged answers the loss is one of pairs or answers.
        let unit = if matches!(training.objective.as_str(), "cpt" | "sft") { l.axis_nats } else { l.by_step };
        let loss = points(training, |step| step.loss);
        let series = |name: &str, class: &str, points| Series { name: name.to_owned(), class: class.to_owned(), points };
        let all = match smooth(&loss) {
            Some(mean) => vec![series("", "ink faint", loss), series(l.train_loss_mean, "ink", mean)],
            None => vec![series(l.train_loss, "ink", loss)],
        };
        out.push_str(&lines(view, &words(l.chart_loss, unit, false, "tall"), &all));
    }
    if training.evals.iter().any(|eval| !eval.bits_per_byte.is_empty()) {
        out.push_str(&lines(view, &words(l.chart_bits, l.by_step, false, "tall"), &evaluations(view, training)));
    }
    out.push_str(&preferences::charts(view, training));
    for group in metric_groups(training) {
        let (title, series) = (text::plain(group, 120), metric_series(training, group));
        let words = Words { title: &title, unit: l.by_step, from_zero: false, size: "low", write: figures };
        out.push_str(&lines(view, &words, &series));
    }
    let rates = points(training, |step| step.learning_rate);
    let norms = points(training, |step| step.grad_norm);
    let speeds = points(training, |step| step.tokens_per_second);
    let charts = [(rates, l.chart_rate, l.by_step), (norms, l.chart_norm, l.by_step), (speeds, l.chart_speed, l.axis_speed)];
    for (points, title, unit) in charts {
        // Not logged at all is no gap.
        let points: Vec<_> = points.into_iter().filter(|point| point.1.is_some()).collect();
        if !points.is_empty() {
            let series = Series { name: title.to_owned(), class: "ink".to_owned(), points };
            out.push_str(&lines(view, &words(title, unit, true, "low"), &[series]));
        }
    }
    out
}

/// What the objective measures beside the loss, by the first parts of names.
fn metric_groups(training: &Training) -> Vec<&str> {
    let names = training.steps.iter().flat_map(|step| step.metrics.keys());
    let groups: BTreeSet<&str> = names.map(|name| name.split_once('/').map_or(name.as_str(), |(group, _)| group)).collect();
    groups.into_iter().collect()
}

/// The lines of a group, named by the rest of their names.
fn metric_series(training: &Training, group: &str) -> Vec<Series> {
    let all: BTreeSet<&String> = training.steps.iter().flat_map(|step| step.metrics.keys()).collect();
    let of_group = all.into_iter().filter_map(|name| match name.split_once('/') {
        Some((first, rest)) if first == group => Some((name, rest)),
        None if name == group => Some((name, "")),
        _ => None,
    });
    let line = |(number, (name, rest)): (usize, (&String, &str))| {
        let value = |value: &Option<f64>| value.filter(|value| value.is_finite());
        let points = training.steps.iter().filter_map(|step| Some((step.step as f64, value(step.metrics.get(name)?))));
        let class = if rest.is_empty() { "ink".to_owned() } else { format!("c{}", number % COLOURS) };
        Series { name: rest.to_owned(), class, points: points.collect() }
    };
    of_group.enumerate().map(line).collect()
}

/// One line for each bucket.
fn evaluations(view: &View<'_>, training: &Training) -> Vec<Series> {
    let buckets = view.buckets.iter().filter(|bucket| training.evals.iter().any(|eval| eval.bits_per_byte.contains_key(**bucket)));
    buckets
        .map(|bucket| {
            let point = |eval: &super::data::EvalPoint| {
                let bits = eval.bits_per_byte.get(*bucket)?;
                Some((eval.step as f64, bits.filter(|bits| bits.is_finite())))
            };
            Series { name: (*bucket).to_owned(), class: view.colour(bucket), points: training.evals.iter().filter_map(point).collect() }
        })
        .collect()
}

fn generations(view: &View<'_>, training: &Training) -> String {
    let l = view.l;
    if training.generations.is_empty() {
        return String::new();
    }
    let mut out = format!("<h3>{}</h3>\n<p class=\"lead\">{}</p>\n<div class=\"docs\">", l.generations, l.generations_lead);
    let last = training.generations.iter().map(|generation| generation.step).max().unwrap_or_default();
    for generation in training.generations.iter().filter(|generation| generation.step == last).take(GENERATIONS) {
        out.push_str(&format!(
            "<figure class=\"doc\"><blockquote dir=\"auto\"><b class=\"prompt\">{}</b>{}</blockquote>{}{}</figure>\n",
            text::text(&generation.prompt, SHOWN),
            text::text(&generation.text, SHOWN),
            reward(view, generation),
            before(view, training, generation)
        ));
    }
    out.push_str("</div>\n");
    out
}

/// What an answer was worth.
fn reward(view: &View<'_>, generation: &Generation) -> String {
    let said = generation.reward.map(|reward| fill(view.l.generation_reward, &[&figures(reward)]));
    said.map_or_else(String::new, |said| format!("<figcaption>{said}</figcaption>"))
}

/// What the model wrote to the same prompt at earlier steps; of many, some evenly apart.
fn before(view: &View<'_>, training: &Training, last: &Generation) -> String {
    let earlier = training.generations.iter().filter(|earlier| earlier.step < last.step && earlier.prompt == last.prompt);
    let earlier: Vec<&Generation> = earlier.collect();
    if earlier.is_empty() {
        return String::new();
    }
    let shown = earlier.iter().step_by(earlier.len().div_ceil(BEFORE));
    let items: String = shown
        .map(|earlier| {
            let step = fill(view.l.at_step, &[&count(earlier.step)]);
            format!("<blockquote dir=\"auto\"><b class=\"prompt\">{step}</b> {}</blockquote>", text::text(&earlier.text, SHOWN))
        })
        .collect();
    format!("<details><summary>{}</summary>{items}</details>", view.l.generations_before)
}
