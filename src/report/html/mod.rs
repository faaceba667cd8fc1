//! report.html: one self-contained page about a run, for people who were not there.
//!
//! Inline style and SVG, no script, nothing fetched. Every text of the data is hostile until it
//! went through `text` (module [`text`]); a content policy stands behind that.

mod bar;
mod contamination;
mod data;
mod data_tokens;
mod diff;
mod distributions;
mod documents;
mod duplicates;
mod funnel;
mod labels;
mod ledger;
mod lines;
mod number;
mod page;
mod plot;
mod reasons;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod timings;
mod tokens;
mod training;
mod view;

pub(crate) use data::{
    Amount, Cluster, ContaminatedSet, DropReason, DropSample, Duplicates, EvalPoint, Generation, Lengths, Passage, Preference, Removed,
    ReportData, SourceFunnel, StepPoint, Timing, TokenBucket, TokenPlan, TokenizerBucket, TokenizerFacts, Tokens, Training, Untrained,
};

/// The language of all labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lang {
    /// English.
    En,
    /// Korean.
    Ko,
}

/// The whole page. The same data and language give the same bytes.
pub(crate) fn render(data: &ReportData, lang: Lang) -> String {
    page::page(&view::View::new(data, lang))
}
