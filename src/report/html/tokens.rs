//! Tokenizer and mixture: what text became, and what training draws of it.

use super::bar::{Piece, stacked};
use super::data::{TokenPlan, TokenizerFacts, Tokens};
use super::number::{bytes, count, decimal, percent, times};
use super::table::{Column, Table, count_or_dash, dash};
use super::text;
use super::view::{Section, View, fill};

pub(super) fn tokenizer(view: &View<'_>) -> Section {
    let body = view.data.tokenizer.as_ref().map(|facts| {
        let l = view.l;
        let mut out = super::page::facts(&[
            (l.kind, text::name(&facts.kind)),
            (l.vocabulary, count(facts.vocab_size)),
            (l.syllables, facts.syllables.map_or_else(dash, |own| format!("{} / 11,172", count(own)))),
            (l.fingerprint, text::fingerprint(&facts.fingerprint)),
        ]);
        if !facts.buckets.is_empty() {
            out.push_str(&fertility(view, facts));
        }
        out
    });
    Section { id: "tokenizer", title: view.l.tokenizer, body }
}

fn fertility(view: &View<'_>, facts: &TokenizerFacts) -> String {
    let l = view.l;
    let columns = [
        Column::Head(l.col_bucket),
        Column::Number(l.chars_per_token),
        Column::Number(l.bytes_per_token),
        Column::Number(l.tokens_per_word),
        Column::Number(l.partial_tokens),
        Column::Number(l.lost_text),
        Column::Number(l.tokens),
        Column::Number(l.col_text),
    ];
    let per = |what: u64, tokens: u64| if tokens == 0 { dash() } else { format!("{:.2}", what as f64 / tokens as f64) };
    let mut table = Table::new(&columns);
    for bucket in &facts.buckets {
        let chars = bucket.chars.map_or_else(dash, |chars| per(chars, bucket.tokens));
        let share = |part: Option<u64>, whole: u64| part.map_or_else(dash, |part| percent(part, whole));
        let cells = [
            view.bucket(&bucket.bucket),
            chars,
            per(bucket.bytes, bucket.tokens),
            bucket.words.map_or_else(dash, |words| per(bucket.tokens, words)),
            share(bucket.partial_tokens, bucket.tokens),
            share(bucket.lost_bytes, bucket.bytes),
            count_or_dash(Some(bucket.tokens)),
            bytes(bucket.bytes),
        ];
        table.row("", &cells);
    }
    table.html()
}

pub(super) fn mixture(view: &View<'_>) -> Section {
    let body = view.data.tokens.as_ref().map(|tokens| {
        let planned = tokens.buckets.iter().any(|bucket| bucket.plan.is_some());
        let lead = if planned { view.l.mixture_lead } else { view.l.mixture_unplanned };
        format!("<p class=\"lead\">{lead}</p>\n{}{}{}", warnings(view, tokens), bars(view, tokens), table(view, tokens))
    });
    Section { id: "mixture", title: view.l.mixture, body }
}

pub(super) fn drawn(tokens: &Tokens) -> u64 {
    plans(tokens).fold(0, |sum, (_, plan)| sum.saturating_add(plan.tokens))
}

/// The buckets that are drawn from, with their plans.
pub(super) fn plans(tokens: &Tokens) -> impl Iterator<Item = (&str, &TokenPlan)> {
    tokens.buckets.iter().filter_map(|bucket| Some((bucket.bucket.as_str(), bucket.plan.as_ref()?)))
}

/// What repeats, and what was asked for and is not there.
pub(super) fn warnings(view: &View<'_>, tokens: &Tokens) -> String {
    let l = view.l;
    let mut out = String::new();
    for bucket in tokens.buckets.iter().filter(|bucket| bucket.copies > 0) {
        let epoch = bucket.available.saturating_add(bucket.copies);
        let line = fill(l.rehydrated, &[&text::name(&bucket.bucket), &count(bucket.copies), &count(epoch), &percent(bucket.copies, epoch)]);
        out.push_str(&format!("<li>{line}</li>\n"));
    }
    for (bucket, plan) in plans(tokens).filter(|(_, plan)| plan.repeated > 0 && plan.epochs > 1.0) {
        let says = [text::name(bucket), times(plan.epochs), count(plan.repeated), percent(plan.repeated, plan.tokens)];
        let mut line = fill(l.repeats, &[&says[0], &says[1], &says[2], &says[3]]);
        if plan.epochs > plan.max_epochs {
            line.push(' ');
            line.push_str(&fill(l.beyond_cap, &[&decimal(plan.max_epochs)]));
        }
        out.push_str(&format!("<li>{line}</li>\n"));
    }
    if let (true, Some(requested)) = (tokens.reduced, tokens.requested) {
        out.push_str(&format!("<li>{}</li>\n", fill(l.reduced, &[&count(requested), &count(drawn(tokens))])));
    }
    if out.is_empty() { out } else { format!("<ul class=\"callout warn\">{out}</ul>\n") }
}

/// Target, drawn and available, one above the other.
fn bars(view: &View<'_>, tokens: &Tokens) -> String {
    let l = view.l;
    let ratios: f64 = plans(tokens).map(|(_, plan)| plan.ratio).filter(|ratio| ratio.is_finite()).sum();
    let target: Vec<Piece> = plans(tokens)
        .map(|(bucket, plan)| Piece {
            class: view.colour(bucket),
            value: plan.ratio,
            title: format!("{}: {}", text::plain(bucket, 60), share(plan.ratio / ratios)),
        })
        .collect();
    let amounts = |amounts: &[(&str, u64)]| -> Vec<Piece> {
        let total = amounts.iter().fold(0u64, |sum, amount| sum.saturating_add(amount.1));
        let piece = |(bucket, amount): &(&str, u64)| Piece {
            class: view.colour(bucket),
            value: *amount as f64,
            title: format!("{}: {} ({})", text::plain(bucket, 60), view.tokens(*amount), percent(*amount, total)),
        };
        amounts.iter().map(piece).collect()
    };
    let drawn: Vec<(&str, u64)> = plans(tokens).map(|(bucket, plan)| (bucket, plan.tokens)).collect();
    let available: Vec<(&str, u64)> = tokens.buckets.iter().map(|bucket| (bucket.bucket.as_str(), bucket.available)).collect();
    let rows = [(l.target, target), (l.drawn, amounts(&drawn)), (l.available, amounts(&available))];
    let rows = rows.iter().filter(|(_, pieces)| !pieces.is_empty());
    let rows: String = rows.map(|(label, pieces)| format!("<dt>{label}</dt><dd>{}</dd>", stacked("row", label, pieces))).collect();
    format!("<dl class=\"bars\">{rows}</dl>\n")
}

/// A share of ratios, which may be anything.
fn share(share: f64) -> String {
    if share.is_finite() { format!("{:.1}%", share * 100.0) } else { "–".to_owned() }
}

fn table(view: &View<'_>, tokens: &Tokens) -> String {
    let l = view.l;
    let columns = [
        Column::Head(l.col_bucket),
        Column::Number(l.target),
        Column::Number(l.col_drawn_share),
        Column::Number(l.drawn),
        Column::Number(l.available),
        Column::Number(l.epochs),
        Column::Number(l.repeated),
        Column::Number(l.held_out),
    ];
    let all = drawn(tokens);
    let ratios: f64 = plans(tokens).map(|(_, plan)| plan.ratio).filter(|ratio| ratio.is_finite()).sum();
    let mut table = Table::new(&columns);
    for bucket in &tokens.buckets {
        let plan = bucket.plan.as_ref();
        let of = |write: &dyn Fn(&TokenPlan) -> String| plan.map_or_else(dash, write);
        let class = if plan.is_some_and(|plan| plan.repeated > 0) { "repeats" } else { "" };
        table.row(
            class,
            &[
                view.bucket(&bucket.bucket),
                of(&|plan| share(plan.ratio / ratios)),
                of(&|plan| percent(plan.tokens, all)),
                of(&|plan| count_or_dash(Some(plan.tokens))),
                count_or_dash(Some(bucket.available)),
                of(&|plan| {
                    format!(
                        "<span class=\"v\">{}</span><span class=\"sub\">{}</span>",
                        times(plan.epochs),
                        fill(l.at_most, &[&decimal(plan.max_epochs)])
                    )
                }),
                of(&|plan| count_or_dash(Some(plan.repeated))),
                count_or_dash(Some(bucket.held_out)),
            ],
        );
    }
    let sum = |of: fn(&super::data::TokenBucket) -> u64| count(tokens.buckets.iter().map(of).fold(0, u64::saturating_add));
    let repeated = plans(tokens).fold(0u64, |sum, (_, plan)| sum.saturating_add(plan.repeated));
    let drew = plans(tokens).next().is_some();
    let if_drew = |value: String| if drew { value } else { dash() };
    table.row(
        "total",
        &[
            l.total.to_owned(),
            String::new(),
            String::new(),
            if_drew(count(all)),
            sum(|bucket| bucket.available),
            String::new(),
            if_drew(count(repeated)),
            sum(|bucket| bucket.held_out),
        ],
    );
    table.html()
}
