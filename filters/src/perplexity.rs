//! `perplexity`: how surprising a text is to a model of runs of characters, trained by `malmoi filters train-lm`.

mod alphabet;
mod count;
mod estimate;
mod file;
mod model;

#[cfg(test)]
mod tests;

use corpora::Document;
use serde::{Deserialize, Serialize};

pub use self::alphabet::{Alphabet, CharCounts};
pub use self::count::NgramCounts;
pub use self::estimate::LanguageModelConfig;
pub use self::model::LanguageModel;
use crate::rules::{Effect, Rule};
use crate::spec::{Options, SpecError, in_order, in_range};
use crate::{Filter, Metrics, Reason, Sign, Verdict};

/// Options of `perplexity`; without a bound it measures and drops nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PerplexityConfig {
    /// The model's file, as `malmoi filters train-lm` writes it. Required.
    pub model: String,
    /// Smallest perplexity of a character. Default: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest perplexity of a character. Default: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

const METRIC: &str = "perplexity";
const RULE: &str = "perplexity/perplexity";

impl Options for PerplexityConfig {
    const NAME: &'static str = "perplexity";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn files_mut(&mut self) -> Vec<&mut String> {
        vec![&mut self.model]
    }

    fn check(&self) -> Result<(), SpecError> {
        if self.model.is_empty() {
            return Err(SpecError::NothingToDo { filter: Self::NAME, key: "model", keys: "`model`" });
        }
        in_range::<Self>("min", self.min, 1.0, 1e12)?;
        in_range::<Self>("max", self.max, 1.0, 1e12)?;
        in_order::<Self>(("min", self.min), ("max", self.max))
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(Perplexity { model: LanguageModel::blank(), min: self.min, max: self.max })
    }

    fn load(&self) -> Result<Box<dyn Filter>, SpecError> {
        let model = LanguageModel::load(self.model.as_ref());
        let model = model.map_err(|error| SpecError::List { filter: Self::NAME, key: "model", cause: error.to_string() })?;
        Ok(Box::new(Perplexity { model, min: self.min, max: self.max }))
    }

    fn rules(&self) -> Vec<Rule> {
        // A text without characters has no perplexity; it is stored as 0.
        let rule = |option, sign, limit| Rule { zero_passes: true, ..Rule::exact(option, METRIC, RULE, sign, limit) };
        vec![rule("min", Sign::Below, self.min), rule("max", Sign::Above, self.max)]
    }

    fn effect(&self) -> Effect {
        Effect { drops: false, rewrites: false }
    }
}

struct Perplexity {
    model: LanguageModel,
    min: Option<f64>,
    max: Option<f64>,
}

impl Filter for Perplexity {
    fn name(&self) -> &'static str {
        PerplexityConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        vec![METRIC]
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let perplexity = self.model.perplexity(&document.text).unwrap_or(0.0);
        metrics.insert(METRIC, perplexity);
        match (self.min, self.max) {
            (Some(min), _) if perplexity < min && perplexity > 0.0 => Verdict::Drop(Reason::below(RULE, perplexity, min)),
            (_, Some(max)) if perplexity > max => Verdict::Drop(Reason::above(RULE, perplexity, max)),
            _ => Verdict::Keep,
        }
    }
}
