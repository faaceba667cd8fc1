//! Why documents were dropped: rules by what they cost, with texts to judge them by.

use super::bar::{Piece, stacked};
use super::data::DropReason;
use super::documents::{SHOWN, excerpt};
use super::number::{count, decimal, percent};
use super::table::{Column, Table, amount, two};
use super::text;
use super::view::{Section, View, fill, swatch};

/// Rules in the table; the rest is one row.
const RULES: usize = 14;
/// Rules with samples, of which the first are open.
const SAMPLED: usize = 10;
const OPEN: usize = 3;
/// Samples of a rule.
const SAMPLES: usize = 3;

/// The reasons, those that dropped most first.
pub(super) fn ranked<'a>(view: &View<'a>) -> Vec<&'a DropReason> {
    let mut reasons: Vec<&DropReason> = view.data.reasons.iter().flatten().collect();
    reasons.sort_by(|a, b| b.dropped.documents.cmp(&a.dropped.documents).then_with(|| a.rule.cmp(&b.rule)));
    reasons
}

pub(super) fn section(view: &View<'_>) -> Section {
    let l = view.l;
    let body = view.data.reasons.is_some().then(|| {
        let reasons = ranked(view);
        let mut body = if reasons.is_empty() {
            format!("<p>{}</p>\n", l.reasons_none)
        } else {
            format!(
                "<p class=\"lead\">{}</p>\n{}{}{}",
                l.reasons_lead,
                legend(view, &reasons),
                table(view, &reasons),
                samples(view, &reasons)
            )
        };
        body.push_str(&unreadable(view));
        body
    });
    Section { id: "reasons", title: l.reasons, body }
}

fn legend(view: &View<'_>, reasons: &[&DropReason]) -> String {
    let used = view.buckets.iter().filter(|bucket| reasons.iter().any(|reason| reason.buckets.contains_key(**bucket)));
    let keys: String =
        used.map(|bucket| format!("<span class=\"{}\">{}{}</span>", view.colour(bucket), swatch("fill"), text::name(bucket))).collect();
    if keys.is_empty() { keys } else { format!("<p class=\"legend\">{keys}</p>\n") }
}

fn table(view: &View<'_>, reasons: &[&DropReason]) -> String {
    let l = view.l;
    let columns = [
        Column::Head(l.col_rule),
        Column::Bar(l.col_buckets),
        Column::Number(l.col_dropped),
        Column::Number(l.col_share_rejected),
        Column::Number(l.col_values),
        Column::Number(l.col_threshold),
    ];
    let dropped = |reasons: &[&DropReason]| reasons.iter().fold(0u64, |sum, reason| sum.saturating_add(reason.dropped.documents));
    let all = dropped(reasons);
    let most = reasons.first().map_or(0, |reason| reason.dropped.documents);
    let mut table = Table::new(&columns);
    for reason in reasons.iter().take(RULES) {
        let documents = reason.dropped.documents;
        table.row(
            "",
            &[
                format!("<code class=\"rule\">{}</code>", text::name(&reason.rule)),
                bar(view, reason, most),
                amount(reason.dropped),
                percent(documents, all),
                range(reason),
                match reason.thresholds {
                    Some((low, high)) => format!("{} – {}", decimal(low), decimal(high)),
                    None => reason.threshold.map(decimal).unwrap_or_default(),
                },
            ],
        );
    }
    if let Some(rest) = reasons.get(RULES..).filter(|rest| !rest.is_empty()) {
        let name = fill(l.more_rules, &[&count(rest.len() as u64)]);
        let documents = dropped(rest);
        table.row("total", &[name, String::new(), count(documents), percent(documents, all), String::new(), String::new()]);
    }
    table.html()
}

/// As long as the rule's part of the largest one, cut by bucket.
fn bar(view: &View<'_>, reason: &DropReason, most: u64) -> String {
    let piece = |class: String, value: u64, name: &str| Piece {
        class,
        value: value as f64,
        title: format!("{}: {}", text::plain(name, 60), view.documents(value)),
    };
    let mut pieces: Vec<Piece> =
        view.buckets.iter().filter_map(|bucket| Some(piece(view.colour(bucket), *reason.buckets.get(*bucket)?, bucket))).collect();
    if pieces.is_empty() {
        pieces.push(piece("rejected".to_owned(), reason.dropped.documents, &reason.rule));
    }
    let width = (super::number::fraction(reason.dropped.documents, most) * 100.0).clamp(0.4, 100.0);
    format!("<div class=\"part\" style=\"width:{width:.1}%\">{}</div>", stacked("row", view.l.col_buckets, &pieces))
}

fn range(reason: &DropReason) -> String {
    match (reason.lowest, reason.highest) {
        (Some(low), Some(high)) if low == high => decimal(low),
        (Some(low), Some(high)) => format!("{} – {}", decimal(low), decimal(high)),
        (low, high) => low.or(high).map(decimal).unwrap_or_default(),
    }
}

fn samples(view: &View<'_>, reasons: &[&DropReason]) -> String {
    let sampled: Vec<&&DropReason> = reasons.iter().filter(|reason| !reason.samples.is_empty()).take(SAMPLED).collect();
    if sampled.is_empty() {
        return String::new();
    }
    let mut out = format!("<h3>{}</h3>\n", view.l.samples_dropped);
    for (index, reason) in sampled.into_iter().enumerate() {
        let open = if index < OPEN { " open" } else { "" };
        let title = two(&format!("<code class=\"rule\">{}</code>", text::name(&reason.rule)), &view.documents(reason.dropped.documents));
        out.push_str(&format!("<details{open}><summary>{title}</summary>\n<div class=\"docs\">"));
        for sample in reason.samples.iter().take(SAMPLES) {
            let why = format!("<span class=\"why\">{}</span>", text::name(&sample.why));
            out.push_str(&excerpt(&sample.id, &sample.source, &why, &text::text(&sample.excerpt, SHOWN)));
        }
        out.push_str("</div></details>\n");
    }
    out
}

fn unreadable(view: &View<'_>) -> String {
    let messages = &view.data.unreadable;
    if messages.is_empty() {
        return String::new();
    }
    let items: String = messages.iter().take(8).map(|message| format!("<li><code>{}</code></li>\n", text::text(message, 240))).collect();
    format!("<h3>{}</h3>\n<ul class=\"messages\">{items}</ul>\n", view.l.samples_unreadable)
}
