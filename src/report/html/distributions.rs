//! Histograms: lengths of the kept documents by bucket, and languages.

use std::collections::BTreeMap;

use super::bar::single;
use super::data::Lengths;
use super::number::{count, percent};
use super::plot::{Axis, Ends, Plot, UNIT};
use super::table::{Column, Table};
use super::text;
use super::view::{Section, View, fill};

/// Languages with a row of their own.
const LANGUAGES: usize = 12;

pub(super) fn lengths(view: &View<'_>) -> Section {
    let body = view.data.lengths.as_ref().map(|lengths| {
        let plots: String =
            view.buckets.iter().filter_map(|bucket| Some(histogram(view, lengths, bucket, lengths.buckets.get(*bucket)?))).collect();
        format!("<p class=\"lead\">{}</p>\n<div class=\"plots\">{plots}</div>\n", view.l.lengths_lead)
    });
    Section { id: "lengths", title: view.l.lengths, body }
}

/// The bins that any bucket uses: all histograms have the same x axis.
fn used(lengths: &Lengths) -> std::ops::Range<usize> {
    let bins =
        || lengths.buckets.values().flat_map(|counts| counts.iter().enumerate()).filter(|(_, count)| **count > 0).map(|(bin, _)| bin);
    let end = bins().max().map_or(0, |last| last + 1).min(lengths.edges.len());
    bins().min().unwrap_or_default().min(end)..end
}

fn histogram(view: &View<'_>, lengths: &Lengths, bucket: &str, counts: &[u64]) -> String {
    let l = view.l;
    let bins = used(lengths);
    let value = |bin: usize| counts.get(bin).copied().unwrap_or_default();
    let ticks = bins.clone().filter(|bin| is_power_of_ten(lengths.edges[*bin]));
    let ticks = ticks.map(|bin| ((bin - bins.start) as f64, view.short(lengths.edges[bin] as f64))).collect();
    let x = Axis::slots(bins.len(), ticks);
    let values = bins.clone().map(|bin| value(bin) as f64).chain([0.0]);
    let y = Axis::over(values, Ends::Round, true, &|value| view.short(value));
    let total = counts.iter().fold(0u64, |sum, count| sum.saturating_add(*count));
    let slot = UNIT / bins.len().max(1) as f64;
    let mut marks = String::new();
    for bin in bins.clone().filter(|bin| value(*bin) > 0) {
        let (left, height) = ((bin - bins.start) as f64 * slot, (y.at(value(bin) as f64) * UNIT).max(6.0));
        marks.push_str(&format!(
            "<rect class=\"fill {}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{}: {} ({})</title></rect>",
            view.colour(bucket),
            left + slot * 0.06,
            UNIT - height,
            slot * 0.88,
            fill(l.chars_n, &[&range(view, &lengths.edges, bin)]),
            view.documents(value(bin)),
            percent(value(bin), total)
        ));
    }
    let median =
        median(counts, total).filter(|bin| *bin < lengths.edges.len()).map(|bin| fill(l.median_in, &[&range(view, &lengths.edges, bin)]));
    let legend = format!("{}{}", view.documents(total), median.map(|median| format!(" · {median}")).unwrap_or_default());
    let spoken = format!("{}: {}", l.lengths, text::plain(bucket, 60));
    Plot { title: view.bucket(bucket), spoken, unit: l.axis_lengths.to_owned(), size: "low", x, y, marks, legend }.html()
}

/// `316–561`, or `1,000 or more` in the last bin, which is open.
fn range(view: &View<'_>, edges: &[u64], bin: usize) -> String {
    let low = count(edges[bin]);
    match edges.get(bin + 1) {
        Some(next) => format!("{low}–{}", count(next.saturating_sub(1))),
        None => fill(view.l.or_more, &[&low]),
    }
}

/// The bin in which the document in the middle lies.
fn median(counts: &[u64], total: u64) -> Option<usize> {
    let mut seen = 0u64;
    counts.iter().position(|count| {
        seen = seen.saturating_add(*count);
        *count > 0 && seen >= total.div_ceil(2)
    })
}

fn is_power_of_ten(value: u64) -> bool {
    value > 0 && value.checked_ilog10().is_some_and(|power| 10u64.pow(power) == value)
}

pub(super) fn languages(view: &View<'_>) -> Section {
    let body = view.data.languages.as_ref().map(|languages| {
        if languages.is_empty() {
            return format!("<p>{}</p>\n", view.l.languages_none);
        }
        format!("<p class=\"lead\">{}</p>\n{}", view.l.languages_lead, language_table(view, languages))
    });
    Section { id: "languages", title: view.l.languages, body }
}

fn language_table(view: &View<'_>, languages: &BTreeMap<String, u64>) -> String {
    let l = view.l;
    let columns = [Column::Head(l.col_language), Column::Bar(""), Column::Number(l.col_documents), Column::Number(l.col_share)];
    let mut ranked: Vec<(&String, u64)> = languages.iter().map(|(code, count)| (code, *count)).collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let sum = |of: &[(&String, u64)]| of.iter().fold(0u64, |sum, language| sum.saturating_add(language.1));
    let (total, most) = (sum(&ranked), ranked.first().map_or(0, |language| language.1));
    let mut table = Table::new(&columns);
    for (code, documents) in ranked.iter().take(LANGUAGES) {
        let bar = single("plain", *documents as f64, most as f64, &view.documents(*documents));
        table.row("", &[language_name(view, code), bar, count(*documents), percent(*documents, total)]);
    }
    if let Some(rest) = ranked.get(LANGUAGES..).filter(|rest| !rest.is_empty()) {
        let name = fill(l.more_languages, &[&count(rest.len() as u64)]);
        table.row("total", &[name, String::new(), count(sum(rest)), percent(sum(rest), total)]);
    }
    table.html()
}

/// The code, and its name where it is one of those that these corpora are made of.
fn language_name(view: &View<'_>, code: &str) -> String {
    let l = view.l;
    let name = match code {
        "ko" => l.lang_ko,
        "en" => l.lang_en,
        "ja" => l.lang_ja,
        "zh" => l.lang_zh,
        "de" => l.lang_de,
        "fr" => l.lang_fr,
        "es" => l.lang_es,
        "ru" => l.lang_ru,
        _ => "",
    };
    format!("{name} <code>{}</code>", text::name(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_bin_holds_the_middle_document() {
        assert_eq!(median(&[1, 1, 3], 5), Some(2));
        assert_eq!(median(&[0, 2, 2], 4), Some(1));
        assert_eq!((median(&[], 0), median(&[0, 0], 0)), (None, None));
        assert_eq!(median(&[u64::MAX, u64::MAX], u64::MAX), Some(0));
    }

    #[test]
    fn powers_of_ten() {
        let powers: Vec<u64> = [0, 1, 9, 10, 99, 1000, u64::MAX].into_iter().filter(|value| is_power_of_ten(*value)).collect();
        assert_eq!(powers, [1, 10, 1000]);
    }

    #[test]
    fn only_the_bins_that_are_used() {
        let lengths = |counts: &[u64]| Lengths { edges: vec![0, 10, 100], buckets: [("b".to_owned(), counts.to_vec())].into() };
        assert_eq!(used(&lengths(&[0, 4, 0])), 1..2);
        assert_eq!(used(&lengths(&[0, 0, 0])), 0..0);
        // More counts than edges: what has no edge is not drawn.
        assert_eq!(used(&lengths(&[0, 0, 0, 0, 9])), 3..3);
    }
}
