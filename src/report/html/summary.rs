//! The first screen: what went in, what came out, what was lost and why, what the model reached.

use super::bar::single;
use super::data::SourceFunnel;
use super::ledger::{balanced, left, sum};
use super::number::{bytes, count, figures, percent, times};
use super::view::{View, fill};
use super::{duplicates, funnel, reasons, text, tokens, training};

/// Losses named on the first screen.
const LOSSES: usize = 6;

pub(super) fn summary(view: &View<'_>) -> String {
    let total = sum(&view.data.sources);
    let mut out = status(view);
    out.push_str(&tiles(view, &total));
    if !view.data.sources.is_empty() {
        out.push_str(&format!(
            "<div class=\"overall\">{}{}</div>\n",
            funnel::documents_bar(view, "tall", &total),
            funnel::legend(view, false)
        ));
    }
    out.push_str(&format!("<div class=\"pairs\">{}{}</div>\n", losses(view, &total), reached(view)));
    out
}

/// What a reader must know before the numbers.
fn status(view: &View<'_>) -> String {
    let (l, data) = (view.l, view.data);
    let mut items = Vec::new();
    match balanced(view) {
        Some(true) => items.push(("good", "#ledger", format!("✓ {}", l.balanced))),
        Some(false) => items.push(("bad", "#ledger", format!("✗ {}", l.unbalanced))),
        None => {}
    }
    if let Some(tokens) = &data.tokens {
        let repeats = tokens::plans(tokens).filter(|(_, plan)| plan.repeated > 0 && plan.epochs > 1.0);
        let names: Vec<String> = repeats.map(|(bucket, plan)| format!("{} ×{}", text::name(bucket), times(plan.epochs))).collect();
        if !names.is_empty() {
            items.push(("warn", "#mixture", format!("! {}", fill(l.status_repeats, &[&names.join(", ")]))));
        }
    }
    if !data.warnings.is_empty() {
        let label = if data.warnings.len() == 1 { l.warning_one } else { l.warning_many };
        items.push(("warn", "#warnings", format!("! {}", fill(label, &[&count(data.warnings.len() as u64)]))));
    }
    if let Some(stage) = missing(view) {
        items.push(("quiet", "#timings", fill(l.stopped_before, &[stage])));
    }
    let items: String =
        items.iter().map(|(class, link, text)| format!("<li class=\"{class}\"><a href=\"{link}\">{text}</a></li>")).collect();
    if items.is_empty() { items } else { format!("<ul class=\"status\">{items}</ul>\n") }
}

/// The first stage of which nothing is there. A recipe may well want no training: that is no gap.
fn missing(view: &View<'_>) -> Option<&'static str> {
    let (l, data) = (view.l, view.data);
    let planned = data.tokens.as_ref().is_some_and(|tokens| tokens::plans(tokens).next().is_some());
    if data.sources.is_empty() {
        Some(l.stage_clean)
    } else if data.sources.iter().any(|source| source.kept.is_none()) {
        Some(l.stage_dedup)
    } else if data.tokens.is_none() {
        Some(l.stage_tokenize)
    } else if planned && data.training.is_none() {
        Some(l.stage_train)
    } else {
        None
    }
}

fn tiles(view: &View<'_>, total: &SourceFunnel) -> String {
    let (l, data) = (view.l, view.data);
    let tile = |label: &str, value: String, below: String| {
        format!("<div class=\"tile\"><dt>{label}</dt><dd><b>{value}</b><span class=\"sub\">{below}</span></dd></div>")
    };
    let absent = |label: &str| tile(label, "–".to_owned(), l.not_reached.to_owned());
    let mut out = String::from("<dl class=\"tiles\">");
    if data.sources.is_empty() {
        out.push_str(&[l.went_in, l.was_lost, l.came_out].map(absent).concat());
    } else {
        let input = total.input.documents;
        let kept = left(total);
        out.push_str(&tile(l.went_in, large(view, input), format!("{} · {}", unit(view, input), bytes(total.input.bytes))));
        let lost = total.rejected.documents.saturating_add(total.unreadable).saturating_add(total.duplicates.unwrap_or_default().documents);
        let share = |label: &str, part: u64| format!("<span class=\"term\">{label} {}</span>", percent(part, input));
        let mut parts = vec![share(l.rejected, total.rejected.documents)];
        parts.extend(total.duplicates.map(|amount| share(l.duplicates, amount.documents)));
        parts.extend((total.unreadable > 0).then(|| share(l.unreadable, total.unreadable)));
        out.push_str(&tile(l.was_lost, percent(lost, input), parts.join(" · ")));
        let below = format!(
            "{} · {} · <span class=\"term\">{}</span>",
            unit(view, kept.documents),
            bytes(kept.bytes),
            fill(l.share_of_input, &[&percent(kept.documents, input)])
        );
        out.push_str(&tile(l.came_out, large(view, kept.documents), below));
    }
    match &data.tokens {
        Some(tokens) => {
            let all = tokens.buckets.iter().fold(0u64, |sum, bucket| sum.saturating_add(bucket.available).saturating_add(bucket.held_out));
            let drawn = tokens::drawn(tokens);
            let below = if drawn > 0 { fill(l.of_them_drawn, &[&large(view, drawn)]) } else { l.in_shards.to_owned() };
            out.push_str(&tile(l.tokens, large(view, all), below));
        }
        None => out.push_str(&absent(l.tokens)),
    }
    match &data.training {
        Some(training) => {
            let loss = training::last_loss(training).map_or_else(|| "–".to_owned(), figures);
            let steps = fill(l.n_of_m, &[&count(training::done(training)), &count(training.planned_steps)]);
            let below = format!(
                "{} · <span class=\"term\">{}</span>",
                fill(l.parameters_n, &[&view.short(training.parameters as f64)]),
                fill(l.steps_n, &[&steps])
            );
            out.push_str(&tile(l.final_loss, loss, below));
        }
        None => out.push_str(&absent(l.final_loss)),
    }
    out.push_str("</dl>\n");
    out
}

/// A count that fits a tile; all of its digits in the tooltip.
fn large(view: &View<'_>, value: u64) -> String {
    if value < 10_000_000 { count(value) } else { format!("<span title=\"{}\">{}</span>", count(value), view.short(value as f64)) }
}

fn unit(view: &View<'_>, documents: u64) -> &'static str {
    if documents == 1 { view.l.unit_document } else { view.l.unit_documents }
}

fn losses(view: &View<'_>, total: &SourceFunnel) -> String {
    let (l, data) = (view.l, view.data);
    let mut all: Vec<(String, &str, u64)> = reasons::ranked(view)
        .into_iter()
        .map(|reason| (format!("<code class=\"rule\">{}</code>", text::name(&reason.rule)), "rejected", reason.dropped.documents))
        .collect();
    let kinds = data.duplicates.iter().flat_map(|duplicates| &duplicates.kinds);
    all.extend(kinds.map(|(kind, amount)| (duplicates::kind_name(view, kind), "duplicate", amount.documents)));
    all.push((l.unreadable.to_owned(), "unreadable", total.unreadable));
    all.retain(|loss| loss.2 > 0);
    // Stable: equal counts stay in the order above.
    all.sort_by_key(|loss| std::cmp::Reverse(loss.2));
    let most = all.first().map_or(0, |loss| loss.2);
    let rows: String = all
        .iter()
        .take(LOSSES)
        .map(|(name, class, value)| {
            let bar = single(class, *value as f64, most as f64, &view.documents(*value));
            let share = percent(*value, total.input.documents);
            format!(
                "<li><span class=\"name\">{name}</span><span class=\"num\">{} <span class=\"sub\">{share}</span></span>{bar}</li>\n",
                count(*value)
            )
        })
        .collect();
    let body =
        if rows.is_empty() { format!("<p class=\"absent\">{}</p>", l.nothing_lost) } else { format!("<ol class=\"losses\">{rows}</ol>") };
    let body = if data.sources.is_empty() { absent(view) } else { body };
    format!("<section><h3>{}</h3>\n{body}</section>\n", l.lost_why)
}

fn reached(view: &View<'_>) -> String {
    let l = view.l;
    let Some(training) = &view.data.training else { return format!("<section><h3>{}</h3>\n{}</section>\n", l.model_reached, absent(view)) };
    let bits = training::last_bits(training);
    let most = bits.iter().filter_map(|bit| bit.1).filter(|bits| bits.is_finite()).fold(0.0, f64::max);
    let first = |bucket: &str| {
        training.evals.first().filter(|eval| eval.step < training::done(training))?.bits_per_byte.get(bucket).copied().flatten()
    };
    let row = |(bucket, value, _): &(&str, Option<f64>, u64)| {
        let shown = value.map_or_else(|| l.not_finite.to_owned(), figures);
        let before = first(bucket).map(|before| fill(l.from_value, &[&figures(before)])).unwrap_or_default();
        let bar = single(&view.colour(bucket), value.unwrap_or_default(), most, &shown);
        format!(
            "<li><span class=\"name\">{}</span><span class=\"num\">{shown} <span class=\"sub\">{before}</span></span>{bar}</li>\n",
            view.bucket(bucket)
        )
    };
    let mut rows: Vec<&(&str, Option<f64>, u64)> = bits.iter().collect();
    rows.sort_by_key(|bit| view.buckets.iter().position(|bucket| *bucket == bit.0));
    let note = bits.first().map_or_else(|| l.no_evaluation.to_owned(), |bit| fill(l.bits_note, &[&count(bit.2)]));
    format!(
        "<section><h3>{}</h3>\n<ol class=\"losses\">{}</ol><p class=\"note\">{note}</p></section>\n",
        l.model_reached,
        rows.into_iter().map(row).collect::<String>()
    )
}

fn absent(view: &View<'_>) -> String {
    format!("<p class=\"absent\">{}</p>", view.l.not_reached)
}
