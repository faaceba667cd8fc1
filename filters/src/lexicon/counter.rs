//! The filter that a list of words makes: hits of each section, and limits.

use std::sync::LazyLock;

use corpora::Document;

use super::{Lexicon, LexiconError};
use crate::metrics::ratio;
use crate::rules::Rule;
use crate::{Filter, Metrics, Reason, Sign, Verdict};

/// A list that is read when it is first needed.
pub(crate) type Words = LazyLock<Result<Lexicon, LexiconError>>;

/// How a filter names what it counts.
pub(crate) struct Names {
    pub(crate) filter: &'static str,
    /// Metrics, in the order of the list's sections.
    pub(crate) sections: [&'static str; 5],
    /// Metrics of all sections together: the number, and that for each written word.
    pub(crate) totals: [&'static str; 2],
    /// Rules of the limits on these.
    pub(crate) rules: [&'static str; 2],
}

impl Names {
    /// The limits in the order in which [`Counter`] looks at them.
    pub(crate) fn limits(&self, max_hits: Option<usize>, max_score: Option<f64>) -> Vec<Rule> {
        let ([hits, score], [hits_rule, score_rule]) = (self.totals, self.rules);
        vec![
            Rule::exact("max-hits", hits, hits_rule, Sign::Above, max_hits.map(|most| most as f64)),
            Rule::share("max-score", score, score_rule, Sign::Above, max_score),
        ]
    }
}

/// Counts the words of a list, and drops a document with more than a limit.
pub(crate) struct Counter {
    pub(crate) words: &'static Words,
    pub(crate) names: &'static Names,
    pub(crate) max_hits: Option<usize>,
    pub(crate) max_score: Option<f64>,
}

impl Filter for Counter {
    fn name(&self) -> &'static str {
        self.names.filter
    }

    fn metric_names(&self) -> Vec<&'static str> {
        self.names.sections.into_iter().chain(self.names.totals).collect()
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let letters = metrics.letters(&document.text);
        // The lists are part of the program, and a test reads them.
        let counts = self.words.as_ref().map_or_else(|_| Vec::new(), |words| words.count(&letters));
        for (name, count) in self.names.sections.into_iter().zip(&counts) {
            metrics.insert(name, *count as f64);
        }
        let hits: usize = counts.iter().sum();
        let score = ratio(hits, metrics.words(&document.text).len()).min(1.0);
        for (name, value) in self.names.totals.into_iter().zip([hits as f64, score]) {
            metrics.insert(name, value);
        }
        let [hits_rule, score_rule] = self.names.rules;
        match (self.max_hits, self.max_score) {
            (Some(most), _) if hits > most => Verdict::Drop(Reason::above(hits_rule, hits as f64, most as f64)),
            (_, Some(most)) if score > most => Verdict::Drop(Reason::above(score_rule, score, most)),
            _ => Verdict::Keep,
        }
    }
}
