//! The judge: metrics and verdict of a filter that measures everything before it decides.

use crate::{Metrics, Reason, Verdict};

/// Records every metric; the first limit that is missed decides. A limit of zero is no limit.
pub(crate) struct Judge<'a> {
    metrics: &'a mut Metrics,
    pub(crate) verdict: Verdict,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(metrics: &'a mut Metrics) -> Self {
        Self { metrics, verdict: Verdict::Keep }
    }

    /// Stores a metric and hands its value on.
    pub(crate) fn measure(&mut self, metric: &'static str, value: f64) -> f64 {
        self.metrics.insert(metric, value);
        value
    }

    /// Fails the document for this reason, unless it failed before.
    pub(crate) fn fail(&mut self, reason: impl FnOnce() -> Reason) {
        if self.verdict.is_keep() {
            self.verdict = Verdict::Drop(reason());
        }
    }

    /// Fails the document when the value is below the limit.
    pub(crate) fn at_least(&mut self, rule: &str, value: f64, limit: f64) {
        if limit != 0.0 && value < limit {
            self.fail(|| Reason::below(rule, value, limit));
        }
    }

    /// Fails the document when the value is above the limit.
    pub(crate) fn at_most(&mut self, rule: &str, value: f64, limit: f64) {
        if limit != 0.0 && value > limit {
            self.fail(|| Reason::above(rule, value, limit));
        }
    }
}
