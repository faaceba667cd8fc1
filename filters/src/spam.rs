//! `spam`: advertising of gambling, prostitution, illegal loans and their like, as counts and a score.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::Filter;
use crate::lexicon::{Counter, Lexicon, Names, Words};
use crate::rules::{Effect, Rule};
use crate::spec::{Options, SpecError, in_range};

static WORDS: Words = LazyLock::new(|| Lexicon::new(include_str!("spam/words.txt")));

static NAMES: Names = Names {
    filter: SpamConfig::NAME,
    sections: ["spam-gambling", "spam-adult", "spam-finance", "spam-sale", "spam-english"],
    totals: ["spam-hits", "spam-score"],
    rules: ["spam/hits", "spam/score"],
};

/// Options of `spam`; without a limit it measures and drops nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SpamConfig {
    /// Most words found for each written word, 0 to 1. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_score: Option<f64>,
    /// Most words found. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_hits: Option<usize>,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

impl Options for SpamConfig {
    const NAME: &'static str = "spam";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn check(&self) -> Result<(), SpecError> {
        in_range::<Self>("max-score", self.max_score, 0.0, 1.0)
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(Counter { words: &WORDS, names: &NAMES, max_hits: self.max_hits, max_score: self.max_score })
    }

    fn rules(&self) -> Vec<Rule> {
        NAMES.limits(self.max_hits, self.max_score)
    }

    fn effect(&self) -> Effect {
        Effect { drops: false, rewrites: false }
    }
}

#[cfg(test)]
mod tests;
