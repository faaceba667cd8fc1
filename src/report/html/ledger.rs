//! The ledger: everything that came in is somewhere, in documents, bytes and tokens.

use super::data::{Amount, ReportData, SourceFunnel};
use super::number;
use super::text;
use super::view::{Section, View, fill};

/// `total = terms`, each with its label.
pub(super) struct Equation {
    title: &'static str,
    total: (&'static str, i128),
    terms: Vec<(&'static str, i128)>,
    /// Sources that do not balance by themselves.
    faults: Vec<String>,
}

impl Equation {
    /// What the total has more than its terms.
    fn difference(&self) -> i128 {
        self.total.1 - self.terms.iter().map(|term| term.1).sum::<i128>()
    }

    pub(super) fn holds(&self) -> bool {
        self.difference() == 0 && self.faults.is_empty()
    }
}

/// The sum over some sources. Where one has not got to a stage, the sum has not either.
pub(super) fn sum<'a>(sources: impl IntoIterator<Item = &'a SourceFunnel>) -> SourceFunnel {
    let mut out =
        SourceFunnel { duplicates: Some(Amount::default()), kept: Some(Amount::default()), tokens: Some(0), ..SourceFunnel::default() };
    let both = |a: Option<Amount>, b: Option<Amount>| Some(plus(a?, b?));
    for source in sources {
        out.input = plus(out.input, source.input);
        out.unreadable = out.unreadable.saturating_add(source.unreadable);
        out.rejected = plus(out.rejected, source.rejected);
        out.passed = plus(out.passed, source.passed);
        out.rewritten_bytes = out.rewritten_bytes.saturating_add(source.rewritten_bytes);
        out.duplicates = both(out.duplicates, source.duplicates);
        out.kept = both(out.kept, source.kept);
        out.trimmed = plus(out.trimmed, source.trimmed);
        out.excerpted = plus(out.excerpted, source.excerpted);
        out.tokens = out.tokens.zip(source.tokens).map(|(a, b)| a.saturating_add(b));
    }
    out
}

/// What is left of a source as far as the run got.
pub(super) fn left(funnel: &SourceFunnel) -> Amount {
    funnel.kept.unwrap_or(funnel.passed)
}

pub(super) fn plus(a: Amount, b: Amount) -> Amount {
    Amount { documents: a.documents.saturating_add(b.documents), bytes: a.bytes.saturating_add(b.bytes) }
}

/// Every equation that the data allow to check.
pub(super) fn equations(view: &View<'_>) -> Vec<Equation> {
    let data = view.data;
    let l = view.l;
    let mut out = Vec::new();
    if !data.sources.is_empty() {
        let total = sum(&data.sources);
        for (title, bytes) in [(l.ledger_documents, false), (l.ledger_bytes, true)] {
            let terms = terms(view, &total, bytes);
            let faults = data.sources.iter().filter(|source| !balances(view, source, bytes)).map(|source| source.source.clone()).collect();
            out.push(Equation { title, total: (l.input, side(total.input, bytes)), terms, faults });
        }
        out.extend(token_equation(view, total.tokens, data));
    }
    if let Some(training) = &data.training {
        let terms = vec![(l.trained, i128::from(training.trained)), (l.masked, i128::from(training.masked))];
        out.push(Equation { title: l.ledger_training, total: (l.drawn, i128::from(training.drawn)), terms, faults: Vec::new() });
    }
    out
}

fn token_equation(view: &View<'_>, of_sources: Option<u64>, data: &ReportData) -> Option<Equation> {
    let l = view.l;
    let buckets = &data.tokens.as_ref()?.buckets;
    let add = |of: fn(&super::data::TokenBucket) -> u64| buckets.iter().map(|bucket| i128::from(of(bucket))).sum();
    let terms = vec![(l.to_train_on, add(|bucket| bucket.available)), (l.held_out, add(|bucket| bucket.held_out))];
    Some(Equation { title: l.ledger_tokens, total: (l.tokens_of_kept, i128::from(of_sources?)), terms, faults: Vec::new() })
}

fn side(amount: Amount, bytes: bool) -> i128 {
    i128::from(if bytes { amount.bytes } else { amount.documents })
}

fn terms(view: &View<'_>, funnel: &SourceFunnel, bytes: bool) -> Vec<(&'static str, i128)> {
    let l = view.l;
    let mut out = match (funnel.kept, funnel.duplicates) {
        (Some(kept), Some(duplicates)) => vec![(l.kept, side(kept, bytes)), (l.duplicates, side(duplicates, bytes))],
        _ => vec![(l.passed, side(funnel.passed, bytes))],
    };
    out.push((l.rejected, side(funnel.rejected, bytes)));
    if bytes && funnel.trimmed.bytes > 0 {
        out.push((l.trimmed_lines, side(funnel.trimmed, bytes)));
    }
    if bytes && funnel.excerpted.bytes > 0 {
        out.push((l.excerpted, side(funnel.excerpted, bytes)));
    }
    out.push(if bytes { (l.rewritten, i128::from(funnel.rewritten_bytes)) } else { (l.unreadable, i128::from(funnel.unreadable)) });
    out
}

fn balances(view: &View<'_>, source: &SourceFunnel, bytes: bool) -> bool {
    side(source.input, bytes) == terms(view, source, bytes).iter().map(|term| term.1).sum::<i128>()
}

/// Whether all of it balances; `None` where there is nothing to check yet.
pub(super) fn balanced(view: &View<'_>) -> Option<bool> {
    let equations = equations(view);
    (!equations.is_empty()).then(|| equations.iter().all(Equation::holds))
}

pub(super) fn section(view: &View<'_>) -> Section {
    let l = view.l;
    let equations = equations(view);
    let mut body = format!("<p class=\"lead\">{}</p>\n<dl class=\"ledger\">", l.ledger_lead);
    for equation in &equations {
        let (class, mark) = if equation.holds() { ("good", "✓") } else { ("bad", "✗") };
        let term = |(label, value): &(&str, i128)| format!("<span class=\"term\"><b>{}</b> {label}</span>", number::signed(*value));
        let terms: Vec<String> = equation.terms.iter().map(term).collect();
        body.push_str(&format!(
            "<div class=\"{class}\"><dt><span class=\"mark\">{mark}</span>{}</dt><dd>{} <span class=\"op\">=</span> {}",
            equation.title,
            term(&equation.total),
            terms.join(" <span class=\"op\">+</span> ")
        ));
        if equation.difference() != 0 {
            body.push_str(&format!("<p class=\"off\">{}</p>", fill(l.off_by, &[&number::signed(equation.difference())])));
        }
        if !equation.faults.is_empty() {
            let names: Vec<String> = equation.faults.iter().take(20).map(|name| text::name(name)).collect();
            body.push_str(&format!("<p class=\"off\">{}</p>", fill(l.off_sources, &[&names.join(", ")])));
        }
        body.push_str("</dd></div>\n");
    }
    body.push_str("</dl>\n");
    Section { id: "ledger", title: l.ledger, body: (!equations.is_empty()).then_some(body) }
}
