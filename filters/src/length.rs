//! `length`: bounds on the number of characters and words.

use corpora::Document;
use serde::{Deserialize, Serialize};

use crate::rules::{Effect, Rule};
use crate::spec::{Options, SpecError, in_order};
use crate::{Filter, Metrics, Reason, Segmentation, Sign, Verdict};

/// Options of `length`; at least one bound must be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LengthConfig {
    /// Fewest characters (Unicode scalar values, white space included). Default: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_chars: Option<u64>,
    /// Most characters. Default: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_chars: Option<u64>,
    /// What a word is. Default: `whitespace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<Segmentation>,
    /// Fewest words. Default: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_words: Option<u64>,
    /// Most words. Default: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_words: Option<u64>,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

impl Options for LengthConfig {
    const NAME: &'static str = "length";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn check(&self) -> Result<(), SpecError> {
        let bounds = [self.min_chars, self.max_chars, self.min_words, self.max_words];
        if bounds.iter().all(Option::is_none) {
            return Err(SpecError::NothingToDo {
                filter: Self::NAME,
                key: "min-chars",
                keys: "`min-chars`, `max-chars`, `min-words`, `max-words`",
            });
        }
        if self.words.is_some() && self.min_words.is_none() && self.max_words.is_none() {
            return Err(SpecError::NothingToDo { filter: Self::NAME, key: "words", keys: "`min-words`, `max-words`" });
        }
        let [min_chars, max_chars, min_words, max_words] = bounds.map(|bound| bound.map(|count| count as f64));
        in_order::<Self>(("min-chars", min_chars), ("max-chars", max_chars))?;
        in_order::<Self>(("min-words", min_words), ("max-words", max_words))
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(Length(self.clone()))
    }

    fn rules(&self) -> Vec<Rule> {
        let rule =
            |option, metric, rule, sign, limit: Option<u64>| Rule::exact(option, metric, rule, sign, limit.map(|count| count as f64));
        vec![
            rule("min-chars", "chars", "length/chars", Sign::Below, self.min_chars),
            rule("max-chars", "chars", "length/chars", Sign::Above, self.max_chars),
            rule("min-words", "words", "length/words", Sign::Below, self.min_words),
            rule("max-words", "words", "length/words", Sign::Above, self.max_words),
        ]
    }

    fn effect(&self) -> Effect {
        Effect { drops: false, rewrites: false }
    }
}

struct Length(LengthConfig);

impl Length {
    fn counts_words(&self) -> bool {
        self.0.min_words.is_some() || self.0.max_words.is_some()
    }
}

impl Filter for Length {
    fn name(&self) -> &'static str {
        LengthConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        if self.counts_words() { vec!["chars", "words"] } else { vec!["chars"] }
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let Self(bounds) = self;
        let chars = metrics.chars(&document.text) as u64;
        metrics.insert("chars", chars as f64);
        let mut reason = outside("length/chars", chars, bounds.min_chars, bounds.max_chars);
        if self.counts_words() {
            let words = metrics.words_by(&document.text, bounds.words.unwrap_or_default()).len() as u64;
            metrics.insert("words", words as f64);
            let worded = outside("length/words", words, bounds.min_words, bounds.max_words);
            reason = reason.or(worded);
        }
        reason.map_or(Verdict::Keep, Verdict::Drop)
    }
}

fn outside(rule: &str, count: u64, low: Option<u64>, high: Option<u64>) -> Option<Reason> {
    match (low, high) {
        (Some(low), _) if count < low => Some(Reason::below(rule, count as f64, low as f64)),
        (_, Some(high)) if count > high => Some(Reason::above(rule, count as f64, high as f64)),
        _ => None,
    }
}
