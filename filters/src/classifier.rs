//! `classifier`: the score of a linear model over n-grams, trained by `malmoi filters train`.

mod features;
mod model;
mod scores;
mod train;

#[cfg(test)]
mod tests;

use corpora::Document;
use serde::{Deserialize, Serialize};

pub use self::features::Sample;
pub use self::model::{Model, ModelError};
pub use self::scores::Scores;
pub use self::train::{Trainer, TrainerConfig};
use crate::rules::{Effect, Rule};
use crate::spec::{Options, SpecError, in_range};
use crate::{Filter, Metrics, Reason, Sign, Verdict};

/// Options of `classifier`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ClassifierConfig {
    /// The model's file, as `malmoi filters train` writes it. Required.
    pub model: String,
    /// Smallest score, 0 to 1, of a document that stays; 0 drops none. Default 0.5.
    pub min_score: f64,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        Self { model: String::new(), min_score: 0.5, only_buckets: Vec::new(), except_buckets: Vec::new() }
    }
}

const SCORE: &str = "classifier-score";
const RULE: &str = "classifier/score";

impl Options for ClassifierConfig {
    const NAME: &'static str = "classifier";

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
        in_range::<Self>("min-score", Some(self.min_score), 0.0, 1.0)
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(Classifier { model: Model::blank(), min_score: self.min_score })
    }

    fn load(&self) -> Result<Box<dyn Filter>, SpecError> {
        let model = Model::load(self.model.as_ref());
        let model = model.map_err(|error| SpecError::List { filter: Self::NAME, key: "model", cause: error.to_string() })?;
        Ok(Box::new(Classifier { model, min_score: self.min_score }))
    }

    fn rules(&self) -> Vec<Rule> {
        vec![Rule::exact("min-score", SCORE, RULE, Sign::Below, Some(self.min_score))]
    }

    fn effect(&self) -> Effect {
        Effect { drops: false, rewrites: false }
    }
}

struct Classifier {
    model: Model,
    min_score: f64,
}

impl Filter for Classifier {
    fn name(&self) -> &'static str {
        ClassifierConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        vec![SCORE]
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let words = metrics.words_by(&document.text, features::SEGMENTATION);
        // With the decimals that are stored, so that the stored score is the one that decided.
        let score = (self.model.score_words(&document.text, &words) * 1e6).round() / 1e6;
        metrics.insert(SCORE, score);
        if score < self.min_score { Verdict::Drop(Reason::below(RULE, score, self.min_score)) } else { Verdict::Keep }
    }
}
