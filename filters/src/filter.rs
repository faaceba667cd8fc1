//! What every filter is: a pure function from a document to keep or drop, with a reason.

use std::fmt;

use corpora::Document;
use serde::{Deserialize, Serialize};

use crate::{EvalSet, Metrics};

/// A pure decision about one document, callable from any thread.
///
/// Pure means: the same document and settings give the same verdict, text and metrics, whatever
/// was filtered before and however many threads run.
pub trait Filter: Send + Sync {
    /// Name in the recipe, for example `gopher-quality`.
    fn name(&self) -> &'static str;

    /// Every metric name that [`Filter::apply`] can insert with these settings.
    ///
    /// A kept document gets all of them; a dropped one those measured up to the failing rule.
    fn metric_names(&self) -> Vec<&'static str>;

    /// The evaluation sets it looks for. Default: none.
    fn eval_sets(&self) -> &[EvalSet] {
        &[]
    }

    /// Whether [`Filter::apply`] keeps the messages of a conversation in step with its text. Default: no; then a filter
    /// that rewrites is applied to each message once more, by itself.
    fn rewrites_turns(&self) -> bool {
        false
    }

    /// Measures the document, may rewrite its text or set its language, and decides.
    ///
    /// A filter that changes the text calls [`Metrics::text_changed`].
    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict;
}

/// The answer of a filter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The document goes on to the next filter.
    Keep,
    /// The document leaves the corpus, for this reason.
    Drop(Reason),
}

impl Verdict {
    /// True for [`Verdict::Keep`].
    #[must_use]
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

/// The side on which a value missed its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sign {
    /// The value is too small.
    #[serde(rename = "<")]
    Below,
    /// The value is too large.
    #[serde(rename = ">")]
    Above,
}

/// Why a document was dropped: a rule, the value it measured and the threshold it missed.
///
/// Shown as `repetition/top-2-gram 0.31 > 0.282`, with the detail in brackets where there is one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// `family/metric`; [`crate::filter_of_rule`] names the filter it belongs to.
    pub rule: String,
    /// What was measured, exact.
    pub value: f64,
    /// Where the value lies relative to the threshold.
    pub sign: Sign,
    /// The limit of the settings.
    pub threshold: f64,
    /// What else helps to read it, for example the detected language.
    #[serde(with = "corpora::columns::or_empty")]
    pub detail: Option<String>,
}

impl Reason {
    /// `rule value < threshold`.
    #[must_use]
    pub fn below(rule: &str, value: f64, threshold: f64) -> Self {
        Self { rule: rule.into(), value, sign: Sign::Below, threshold, detail: None }
    }

    /// `rule value > threshold`.
    #[must_use]
    pub fn above(rule: &str, value: f64, threshold: f64) -> Self {
        Self { rule: rule.into(), value, sign: Sign::Above, threshold, detail: None }
    }

    /// The same reason with a remark for the reader.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Below => "<",
            Self::Above => ">",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, threshold) = readable(self.value, self.threshold);
        write!(f, "{} {value} {} {threshold}", self.rule, self.sign)?;
        match &self.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

/// Both numbers with as many decimals as it takes to tell them apart, at least three.
fn readable(value: f64, threshold: f64) -> (String, String) {
    let short = |x: f64, decimals: usize| {
        let text = format!("{x:.decimals$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    };
    for decimals in 3..15 {
        let (a, b) = (short(value, decimals), short(threshold, decimals));
        if a != b {
            return (a, b);
        }
    }
    (value.to_string(), threshold.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_as_comparisons() {
        assert_eq!(Reason::above("repetition/top-2-gram", 0.31, 0.282).to_string(), "repetition/top-2-gram 0.31 > 0.282");
        assert_eq!(Reason::below("length/chars", 7.0, 200.0).to_string(), "length/chars 7 < 200");
        let near = Reason::above("repetition/duplicate-lines", 0.300_000_4, 0.3);
        assert_eq!(near.to_string(), "repetition/duplicate-lines 0.3000004 > 0.3");
        let detailed = Reason::below("language/confidence", 0.41, 0.65).with_detail("ko");
        assert_eq!(detailed.to_string(), "language/confidence 0.41 < 0.65 (ko)");
    }

    #[test]
    fn reasons_survive_json() {
        let reason = Reason::above("encoding/mojibake", 0.2, 0.01);
        let json = serde_json::to_string(&reason).unwrap();
        assert_eq!(json, r#"{"rule":"encoding/mojibake","value":0.2,"sign":">","threshold":0.01,"detail":""}"#);
        assert_eq!(serde_json::from_str::<Reason>(&json).unwrap(), reason);
    }
}
