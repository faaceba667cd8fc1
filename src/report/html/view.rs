//! What every section needs: the data, the labels, and which colour a bucket has.

use super::data::ReportData;
use super::labels::{Labels, labels};
use super::{Lang, number, text};

/// As many colours as the style sheet has for series.
const COLOURS: usize = 6;

/// The data seen in one language.
pub(super) struct View<'a> {
    pub(super) data: &'a ReportData,
    pub(super) l: &'static Labels,
    pub(super) lang: Lang,
    /// Every bucket named anywhere, in the order of the mixture, then of the sources.
    pub(super) buckets: Vec<&'a str>,
}

/// A section of the page.
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// `None` where the run did not get there.
    pub(super) body: Option<String>,
}

impl<'a> View<'a> {
    pub(super) fn new(data: &'a ReportData, lang: Lang) -> Self {
        let mut buckets: Vec<&str> = Vec::new();
        let tokens = data.tokens.iter().flat_map(|tokens| &tokens.buckets).map(|bucket| &bucket.bucket);
        let sources = data.sources.iter().map(|source| &source.bucket);
        let encoded = data.tokenizer.iter().flat_map(|facts| &facts.buckets).map(|bucket| &bucket.bucket);
        let lengths = data.lengths.iter().flat_map(|lengths| lengths.buckets.keys());
        let evals = data
            .training
            .iter()
            .flat_map(|training| &training.evals)
            .flat_map(|eval| eval.bits_per_byte.keys().chain(eval.preferences.keys()));
        let reasons = data.reasons.iter().flatten().flat_map(|reason| reason.buckets.keys());
        for bucket in tokens.chain(sources).chain(encoded).chain(lengths).chain(evals).chain(reasons) {
            // Few buckets, many evaluations: a linear search is enough.
            if !buckets.contains(&bucket.as_str()) {
                buckets.push(bucket);
            }
        }
        Self { data, l: labels(lang), lang, buckets }
    }

    /// Class of the colour of a bucket.
    pub(super) fn colour(&self, bucket: &str) -> String {
        let index = self.buckets.iter().position(|name| *name == bucket).unwrap_or_default();
        format!("c{}", index % COLOURS)
    }

    /// A bucket's name behind its colour.
    pub(super) fn bucket(&self, bucket: &str) -> String {
        format!("<span class=\"bucket {}\">{}{}</span>", self.colour(bucket), swatch("fill"), text::name(bucket))
    }

    /// `1,234 documents`.
    pub(super) fn documents(&self, count: u64) -> String {
        let label = if count == 1 { self.l.document_one } else { self.l.document_many };
        fill(label, &[&number::count(count)])
    }

    /// `1,234 tokens`.
    pub(super) fn tokens(&self, count: u64) -> String {
        fill(self.l.tokens_n, &[&number::count(count)])
    }

    pub(super) fn short(&self, value: f64) -> String {
        number::short(value, self.lang)
    }

    pub(super) fn duration(&self, seconds: f64) -> String {
        number::duration(seconds, self.lang)
    }
}

/// A small square, or a piece of line, in the colour of the element around it.
pub(super) fn swatch(kind: &str) -> &'static str {
    if kind == "line" {
        "<svg class=\"key\" viewBox=\"0 0 22 10\" aria-hidden=\"true\"><path class=\"line\" d=\"M1 5H21\"/></svg>"
    } else {
        "<svg class=\"swatch\" viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"fill\" width=\"10\" height=\"10\"/></svg>"
    }
}

/// Puts `values` for `{0}`, `{1}`, .. of a label. The label is ours, the values are safe already.
pub(super) fn fill(label: &str, values: &[&str]) -> String {
    let mut out = String::with_capacity(label.len() + 16);
    let mut rest = label;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (index, after) = after.split_once('}').unwrap_or((after, ""));
        out.push_str(index.parse().ok().and_then(|index: usize| values.get(index)).unwrap_or(&"–"));
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_filled_in_any_order() {
        assert_eq!(fill("{1} of {0}, {0}", &["a", "{1}"]), "{1} of a, a");
        assert_eq!(fill("{7} x", &[]), "– x");
        assert_eq!(fill("plain", &["a"]), "plain");
    }
}
