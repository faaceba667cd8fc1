//! What a run tells while it goes on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::evaluate::BucketLoss;
use crate::evaluate::preference::PreferenceScores;
use crate::rows::RowsEvent;
use crate::watch::Best;

/// Something that happened. As JSON: an object whose one key says what.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A step was made and its numbers read.
    Step(StepEvent),
    /// The held-out text was measured.
    Eval(EvalEvent),
    /// The best evaluation is to be kept, and its checkpoint is gone.
    BestLost(BestLostEvent),
    /// A checkpoint was written to this folder.
    Checkpoint(PathBuf),
    /// The model wrote text.
    Sample(SampleEvent),
    /// The model answered, and learned from it.
    Answer(AnswerEvent),
    /// Training ends before its last step: held-out text has not become better for long enough.
    Stopped(StopEvent),
    /// Training is over: which rows of the vocabulary it has not reached.
    Rows(RowsEvent),
}

/// One optimizer step. All but the last two fields are the same each time the same recipe runs on
/// the CPU of the same machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepEvent {
    /// The step, from 1.
    pub step: u64,
    /// Mean loss of the step's units (targets; pairs or answers of preference data), before the step moved the weights.
    pub loss: f64,
    /// The same in bits, where it is one of tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_token: Option<f64>,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Length of the gradient before clipping.
    pub grad_norm: f64,
    /// Targets of the step: `trained + masked`.
    pub drawn: u64,
    /// Targets that counted in the loss.
    pub trained: u64,
    /// Targets that did not: first tokens of documents, and padding.
    pub masked: u64,
    /// Targets drawn so far, this step included.
    pub tokens: u64,
    /// Means of the numbers that the objective has beside the loss, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Seconds since this process began to train. By the wall clock, as the next field.
    pub seconds: f64,
    /// Targets drawn per second since the numbers were last read.
    pub tokens_per_second: f64,
}

/// One evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EvalEvent {
    /// Steps made so far.
    pub step: u64,
    /// Each bucket with held-out text, in the order of the mixture.
    pub buckets: Vec<BucketLoss>,
    /// Each bucket with held-out judged answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preferences: Vec<PreferenceScores>,
}

/// What is kept in place of a checkpoint that was to be kept too late.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BestLostEvent {
    /// The best evaluation.
    pub lost: Best,
    /// The best of those whose checkpoints are there; none where there is none.
    pub best: Option<Best>,
}

/// An early end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StopEvent {
    /// Steps made.
    pub step: u64,
    /// Evaluations since the last progress.
    pub stale: u32,
    /// The best evaluation.
    pub best: Option<Best>,
}

/// Text that the model wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SampleEvent {
    /// Steps made so far; 0 in files of an older program.
    #[serde(default)]
    pub step: u64,
    /// The beginning it was given.
    pub prompt: String,
    /// What it wrote after that.
    pub text: String,
}

/// An answer of the model that a step of reinforcement learning has learned from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AnswerEvent {
    /// Steps made, that one included.
    pub step: u64,
    /// What was asked, as the template wrote it.
    pub prompt: String,
    /// What the model answered.
    pub response: String,
    /// The answer of the data.
    pub reference: String,
    /// What the answer was worth, all rewards together.
    pub reward: f64,
    /// Whether the answer came to an end, and was not cut off.
    pub ended: bool,
}

#[cfg(test)]
impl StepEvent {
    /// Numbers of a step, for tests.
    pub(crate) fn example(step: u64) -> Self {
        Self {
            step,
            loss: 1.5 / step as f64,
            bits_per_token: Some(2.0),
            learning_rate: 1e-3,
            grad_norm: 0.1,
            drawn: 8,
            trained: 7,
            masked: 1,
            tokens: 8 * step,
            metrics: BTreeMap::new(),
            seconds: 0.5,
            tokens_per_second: 16.0,
        }
    }
}
