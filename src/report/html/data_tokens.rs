//! The half of the report's data that is about token ids: tokenizer, mixture, training.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The tokenizer and how it fares on each bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TokenizerFacts {
    /// What it is, for example `bpe, trained` or `tokenizer.json`.
    pub(crate) kind: String,
    /// Ids it knows.
    pub(crate) vocab_size: u64,
    /// Its fingerprint, as in the shards.
    pub(crate) fingerprint: String,
    /// Hangul syllables, of 11,172, with a token of their own; `None` where the tokenizer could not be opened.
    pub(crate) syllables: Option<u64>,
    /// What it made of the kept documents.
    pub(crate) buckets: Vec<TokenizerBucket>,
}

/// Text and tokens of one bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TokenizerBucket {
    /// Name of the bucket.
    pub(crate) bucket: String,
    /// Characters of text; `None` where they were not counted.
    pub(crate) chars: Option<u64>,
    /// Bytes of text.
    pub(crate) bytes: u64,
    /// Tokens it became.
    pub(crate) tokens: u64,
    /// Words of text; `None` where they were not counted.
    pub(crate) words: Option<u64>,
    /// Tokens that are a part of a character; `None` where they were not counted.
    pub(crate) partial_tokens: Option<u64>,
    /// Bytes that no token stands for; `None` where they were not counted.
    pub(crate) lost_bytes: Option<u64>,
}

/// Tokens in the shards, and what training draws of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Tokens {
    /// Tokens the recipe asked for; `None` where it took what there was.
    pub(crate) requested: Option<u64>,
    /// Whether fewer are drawn because the epoch caps allow no more.
    pub(crate) reduced: bool,
    /// One entry for each bucket.
    pub(crate) buckets: Vec<TokenBucket>,
}

/// Tokens of one bucket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TokenBucket {
    /// Name of the bucket.
    pub(crate) bucket: String,
    /// Tokens there are to train on.
    pub(crate) available: u64,
    /// Tokens held out for evaluation.
    pub(crate) held_out: u64,
    /// Tokens that an epoch has on top, of documents that stand for copies.
    pub(crate) copies: u64,
    /// What the mixture draws; `None` where the recipe trains nothing.
    pub(crate) plan: Option<TokenPlan>,
}

/// What the mixture draws from a bucket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TokenPlan {
    /// Its ratio in the recipe; the page makes shares of them.
    pub(crate) ratio: f64,
    /// Tokens drawn.
    pub(crate) tokens: u64,
    /// How often the bucket is gone through.
    pub(crate) epochs: f64,
    /// How often it may be.
    pub(crate) max_epochs: f64,
    /// Of the tokens drawn, those of later epochs and of copies.
    pub(crate) repeated: u64,
}

/// The training so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Training {
    /// `cpt`, `sft`, ..
    pub(crate) objective: String,
    /// Where it ran.
    pub(crate) device: String,
    /// Parameters of the model.
    pub(crate) parameters: u64,
    /// Steps of the whole training; the curve may end before.
    pub(crate) planned_steps: u64,
    /// Seconds spent in steps.
    pub(crate) seconds: Option<f64>,
    /// Targets drawn in the steps done.
    pub(crate) drawn: u64,
    /// Of those, the ones that counted in the loss.
    pub(crate) trained: u64,
    /// Of those, the ones that did not.
    pub(crate) masked: u64,
    /// The logged steps by number; any amount, the page thins them.
    pub(crate) steps: Vec<StepPoint>,
    /// The evaluations on held-out text, by step.
    pub(crate) evals: Vec<EvalPoint>,
    /// The step of the best evaluation and its bits per byte.
    pub(crate) best: Option<(u64, f64)>,
    /// The step at which early stopping ended it.
    pub(crate) stopped: Option<u64>,
    /// Ids that no text of the training has reached; `None` before its end.
    pub(crate) untrained: Option<Untrained>,
    /// What the model wrote, by step.
    pub(crate) generations: Vec<Generation>,
}

/// Ids that no text of the training has reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Untrained {
    /// Ids of the tokenizer.
    pub(crate) ids: u64,
    /// Those that were neither an input nor a target.
    pub(crate) untrained: u64,
    /// Ids that the model it began with did not have, and those of them that no text reached.
    pub(crate) new: Option<(u64, u64)>,
    /// Some of these, new ones where there are some, as tokens.
    pub(crate) examples: Vec<String>,
}

/// One logged step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct StepPoint {
    /// Number of the step, from 1.
    pub(crate) step: u64,
    /// Mean loss in nats; `None` where it was not finite.
    pub(crate) loss: Option<f64>,
    /// Learning rate.
    pub(crate) learning_rate: Option<f64>,
    /// Length of the gradient before clipping.
    pub(crate) grad_norm: Option<f64>,
    /// Speed at this step.
    pub(crate) tokens_per_second: Option<f64>,
    /// What the objective measures beside the loss, by name; `None` where it was not finite.
    pub(crate) metrics: BTreeMap<String, Option<f64>>,
}

/// One evaluation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct EvalPoint {
    /// The step after which it was made.
    pub(crate) step: u64,
    /// Bits per byte of held-out text, by bucket.
    pub(crate) bits_per_byte: BTreeMap<String, Option<f64>>,
    /// What held-out judged answers say, by bucket.
    pub(crate) preferences: BTreeMap<String, Preference>,
}

/// How a model judges the held-out answers of a bucket; `None` where there are no pairs, or nothing to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Preference {
    pub(crate) answers: u64,
    pub(crate) loss: Option<f64>,
    pub(crate) accuracy: Option<f64>,
    pub(crate) margin: Option<f64>,
    pub(crate) calibration_error: Option<f64>,
    /// Correlation of rewards with lengths.
    pub(crate) length_correlation: Option<f64>,
    /// Accuracy over pairs whose chosen answer is the shorter one, and over the others.
    pub(crate) chosen_shorter: Option<f64>,
    pub(crate) chosen_longer: Option<f64>,
}

/// A text that the model wrote.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Generation {
    /// The step after which it was written.
    pub(crate) step: u64,
    /// What it was given.
    pub(crate) prompt: String,
    /// What it went on with, without the prompt.
    pub(crate) text: String,
    /// What that was worth, where it was learned from.
    pub(crate) reward: Option<f64>,
}
