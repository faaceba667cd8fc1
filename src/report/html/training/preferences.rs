//! What a training says of held-out judged answers.

use super::super::data::{Preference, Training};
use super::super::lines::{Series, Words, lines};
use super::super::number::{count, figures};
use super::super::table::{Column, Table, dash};
use super::super::text;
use super::super::view::{View, fill};

/// What a chart shows of an evaluation.
type Value = fn(&Preference) -> Option<f64>;

/// Loss and accuracy by step, a line for each bucket.
pub(super) fn charts(view: &View<'_>, training: &Training) -> String {
    let l = view.l;
    let chart = |title: &str, value: Value| {
        let series: Vec<Series> = buckets(view, training).map(|bucket| series(view, training, bucket, value)).collect();
        let told = series.iter().any(|series| series.points.iter().any(|point| point.1.is_some()));
        let words = Words { title, unit: l.by_step, from_zero: false, size: "low", write: figures };
        if told { lines(view, &words, &series) } else { String::new() }
    };
    chart(l.chart_held_out_loss, |scores| scores.loss) + &chart(l.chart_accuracy, |scores| scores.accuracy)
}

/// The last evaluation, bucket by bucket.
pub(super) fn table(view: &View<'_>, training: &Training) -> String {
    let l = view.l;
    let Some(last) = training.evals.iter().rev().find(|eval| !eval.preferences.is_empty()) else { return String::new() };
    let columns = [
        Column::Head(l.col_bucket),
        Column::Number(l.col_answers),
        Column::Number(l.col_loss),
        Column::Number(l.col_accuracy),
        Column::Number(l.col_margin),
        Column::Number(l.col_calibration),
        Column::Number(l.col_length),
        Column::Number(l.col_shorter),
        Column::Number(l.col_longer),
    ];
    let mut table = Table::new(&columns);
    for (bucket, scores) in &last.preferences {
        let Preference { answers, loss, accuracy, margin, calibration_error, length_correlation, chosen_shorter, chosen_longer } = *scores;
        let numbers = [loss, accuracy, margin, calibration_error, length_correlation, chosen_shorter, chosen_longer];
        let mut cells = vec![text::name(bucket), count(answers)];
        cells.extend(numbers.map(|number| number.filter(|number| number.is_finite()).map_or_else(dash, figures)));
        table.row("", &cells);
    }
    let lead = fill(l.preferences_lead, &[&count(last.step)]);
    format!("<h3>{}</h3>\n<p class=\"lead\">{lead}</p>\n{}", l.preferences, table.html())
}

fn buckets<'a>(view: &View<'a>, training: &'a Training) -> impl Iterator<Item = &'a str> {
    let judged = move |bucket: &&str| training.evals.iter().any(|eval| eval.preferences.contains_key(*bucket));
    view.buckets.clone().into_iter().filter(judged)
}

fn series(view: &View<'_>, training: &Training, bucket: &str, value: Value) -> Series {
    let point = |eval: &super::super::data::EvalPoint| {
        let scores = eval.preferences.get(bucket)?;
        Some((eval.step as f64, value(scores).filter(|value| value.is_finite())))
    };
    Series { name: bucket.to_owned(), class: view.colour(bucket), points: training.evals.iter().filter_map(point).collect() }
}
