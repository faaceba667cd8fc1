//! `[train]` of the recipe: what is trained, for how long, and how.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::load::Pretrained;
use crate::model::{ModelConfig, Precision};

/// Largest step in tokens; what one step may allocate for on the host.
const MAX_STEP_TOKENS: u64 = 1 << 30;
/// Largest attention scores of one layer in bytes, 8 GiB. A step holds several such tensors.
const MAX_SCORES: u128 = 8 << 30;

/// The recipe's `[train]`. Every key has a default except the objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrainConfig {
    /// What is learned from the tokens: `cpt`, the next token of plain text, or `sft`, the next token of
    /// the assistant's answers.
    pub objective: ObjectiveKind,
    /// Tokens to draw in all. Default: as many as the mixture's ratios allow without drawing from
    /// any bucket twice; the scarcest bucket is then drawn whole, the others in part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// How often the scarcest bucket is gone through, in the place of `tokens`; the others follow by
    /// their ratios. Default: once, without `tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// Tokens of one sequence. Default 256.
    #[serde(default = "default::sequence_length")]
    pub sequence_length: u32,
    /// Sequences of one optimizer step. Default 16.
    #[serde(default = "default::batch")]
    pub batch: u32,
    /// Sequences that go through the model at a time: less memory, the same loss. Default: the
    /// batch, but at most 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<u32>,
    /// Highest learning rate. Default 0.001.
    #[serde(default = "default::learning_rate")]
    pub learning_rate: f64,
    /// Learning rate of the last step. Default: a tenth of `learning-rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_learning_rate: Option<f64>,
    /// Steps over which the learning rate rises from 0. Default: one in fifty of all steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<u64>,
    /// How the learning rate goes after the warm-up: `cosine` or `constant`. Default `cosine`.
    #[serde(default)]
    pub schedule: ScheduleKind,
    /// Weight decay of matrices; vectors (norms, biases) have none. Default 0.1.
    #[serde(default = "default::weight_decay")]
    pub weight_decay: f64,
    /// Decay of the mean of gradients. Default 0.9.
    #[serde(default = "default::beta1")]
    pub beta1: f64,
    /// Decay of the mean of squared gradients. Default 0.95.
    #[serde(default = "default::beta2")]
    pub beta2: f64,
    /// Added to the root of the mean of squares. Default 1e-8.
    #[serde(default = "default::epsilon")]
    pub epsilon: f64,
    /// Longest gradient, all weights taken together; 0 for no limit. Default 1.
    #[serde(default = "default::clip_norm")]
    pub clip_norm: f64,
    /// Steps between evaluations; 0: only at the end. Default 0.
    #[serde(default)]
    pub eval_every: u64,
    /// Held-out tokens that an evaluation reads of each bucket; 0: no evaluation. Default 65,536.
    #[serde(default = "default::eval_tokens")]
    pub eval_tokens: u64,
    /// Steps between checkpoints; 0: only at the end and when interrupted. Default 1000.
    #[serde(default = "default::checkpoint_every")]
    pub checkpoint_every: u64,
    /// Checkpoints kept, the newest ones. Default 2.
    #[serde(default = "default::keep_checkpoints")]
    pub keep_checkpoints: u32,
    /// Steps between reads of the loss; each one waits for the device. Default 1.
    #[serde(default = "default::log_every")]
    pub log_every: u64,
    /// Numbers of activations: `bf16` on an NVIDIA card, `f32` anywhere. Default: `bf16` on a card
    /// where the model's shape allows it, else `f32`. Weights and optimizer are 32-bit in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// Whether layers keep nothing but their inputs for the backward pass and compute the rest again:
    /// less memory, a third more work. For `bf16` on a card. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub activation_checkpointing: bool,
    /// Weights to start from: a Hugging Face folder of a Llama, Qwen2 or Qwen3 in safetensors, or a
    /// .gguf file. The model's shape comes from there. Default: random weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
    /// The model's shape. Default: that of `init`, or a small one, see [`ModelConfig`].
    #[serde(default)]
    pub model: ModelConfig,
    /// Text to write with the trained model. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleConfig>,
}

/// What is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectiveKind {
    /// Continued pretraining: the next token of plain text.
    Cpt,
    /// Supervised fine-tuning: the next token of answers. Questions are read and not learned.
    Sft,
}

/// How the learning rate goes after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Down to `min-learning-rate` along half a cosine.
    #[default]
    Cosine,
    /// Stays at `learning-rate`.
    Constant,
}

/// Text written at the end of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SampleConfig {
    /// Beginnings to continue.
    pub prompts: Vec<String>,
    /// Tokens written after each. Default 64.
    #[serde(default = "default::sample_tokens")]
    pub tokens: u32,
    /// 0 takes the likeliest token, 1 draws as the model says, more is wilder. Default 0.8.
    #[serde(default = "default::temperature")]
    pub temperature: f64,
    /// Draws among this many likeliest tokens; 0: among all. Default 50.
    #[serde(default = "default::top_k")]
    pub top_k: u32,
}

mod default {
    pub(super) fn sequence_length() -> u32 {
        256
    }
    pub(super) fn batch() -> u32 {
        16
    }
    pub(super) fn learning_rate() -> f64 {
        1e-3
    }
    pub(super) fn weight_decay() -> f64 {
        0.1
    }
    pub(super) fn beta1() -> f64 {
        0.9
    }
    pub(super) fn beta2() -> f64 {
        0.95
    }
    pub(super) fn epsilon() -> f64 {
        1e-8
    }
    pub(super) fn clip_norm() -> f64 {
        1.0
    }
    pub(super) fn eval_tokens() -> u64 {
        65_536
    }
    pub(super) fn checkpoint_every() -> u64 {
        1000
    }
    pub(super) fn keep_checkpoints() -> u32 {
        2
    }
    pub(super) fn log_every() -> u64 {
        1
    }
    pub(super) fn sample_tokens() -> u32 {
        64
    }
    pub(super) fn temperature() -> f64 {
        0.8
    }
    pub(super) fn top_k() -> u32 {
        50
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            objective: ObjectiveKind::Cpt,
            tokens: None,
            epochs: None,
            sequence_length: default::sequence_length(),
            batch: default::batch(),
            micro_batch: None,
            learning_rate: default::learning_rate(),
            min_learning_rate: None,
            warmup_steps: None,
            schedule: ScheduleKind::default(),
            weight_decay: default::weight_decay(),
            beta1: default::beta1(),
            beta2: default::beta2(),
            epsilon: default::epsilon(),
            clip_norm: default::clip_norm(),
            eval_every: 0,
            eval_tokens: default::eval_tokens(),
            checkpoint_every: default::checkpoint_every(),
            keep_checkpoints: default::keep_checkpoints(),
            log_every: default::log_every(),
            precision: None,
            activation_checkpointing: false,
            init: None,
            model: ModelConfig::default(),
            sample: None,
        }
    }
}

impl TrainConfig {
    /// Checks every value against its range and against the others.
    pub fn validate(&self) -> Result<()> {
        at_least_one("sequence-length", self.sequence_length.into())?;
        at_least_one("batch", self.batch.into())?;
        let step = u64::from(self.sequence_length) * u64::from(self.batch);
        if step > MAX_STEP_TOKENS {
            return refuse(
                "batch",
                format!("{} sequences of {}: {step} tokens a step, at most {MAX_STEP_TOKENS}", self.batch, self.sequence_length),
            );
        }
        if let Some(micro) = self.micro_batch
            && !(1..=self.batch).contains(&micro)
        {
            return refuse("micro-batch", format!("{micro}, not 1 to `batch` = {}", self.batch));
        }
        if self.tokens == Some(0) {
            return refuse("tokens", "0, at least 1 (leave it out to draw what the mixture gives without repeating a bucket)");
        }
        if let Some(epochs) = self.epochs {
            within("epochs", epochs, epochs > 0.0 && epochs <= 1e6, "above 0 and at most 1000000")?;
            if self.tokens.is_some() {
                return refuse("epochs", "set beside `tokens`; one of them says how long training goes on");
            }
        }
        within("learning-rate", self.learning_rate, self.learning_rate > 0.0, "above 0")?;
        let lowest = self.min_learning_rate();
        within("min-learning-rate", lowest, (0.0..=self.learning_rate).contains(&lowest), "0 to `learning-rate`")?;
        if self.schedule == ScheduleKind::Constant && self.min_learning_rate.is_some() {
            return refuse("min-learning-rate", "set, but the constant schedule never goes down to it");
        }
        within("weight-decay", self.weight_decay, self.weight_decay >= 0.0, "0 or more")?;
        within("beta1", self.beta1, (0.0..1.0).contains(&self.beta1), "0 to below 1")?;
        within("beta2", self.beta2, (0.0..1.0).contains(&self.beta2), "0 to below 1")?;
        // Below the smallest normal number of the weights' type it would be nothing.
        within("epsilon", self.epsilon, self.epsilon >= f64::from(f32::MIN_POSITIVE), "above 0, at least 1.2e-38")?;
        within("clip-norm", self.clip_norm, self.clip_norm >= 0.0, "0 or more")?;
        at_least_one("keep-checkpoints", self.keep_checkpoints.into())?;
        at_least_one("log-every", self.log_every)?;
        self.model.validate()?;
        self.check_scores()?;
        self.sample.as_ref().map_or(Ok(()), SampleConfig::validate)
    }

    /// Every layer scores every pair of positions, for each head, and masks them once more.
    fn check_scores(&self) -> Result<()> {
        let [micro, length] = [self.micro_batch(), self.sequence_length].map(u128::from);
        let bytes = micro * (self.model.heads as u128 + 1) * length * length * size_of::<f32>() as u128;
        // In bfloat16 scores are never in memory.
        if bytes <= MAX_SCORES || self.precision == Some(Precision::Bf16) {
            return Ok(());
        }
        let detail = format!(
            "{length}: with `micro-batch` = {micro} and `model.heads` = {} the attention scores of one layer take {bytes} bytes, at most {MAX_SCORES}; with `precision` = \"bf16\", on an NVIDIA card, there are none",
            self.model.heads
        );
        refuse("sequence-length", detail)
    }

    /// Takes over the shape of the model that `init` names. A `model` that is neither the default nor
    /// that shape is an error: it would be ignored.
    pub fn take_shape(&mut self, init: &Pretrained) -> Result<()> {
        if self.model != ModelConfig::default() && self.model != *init.config() {
            return refuse("model", "given beside `init`, whose shape is another one; leave it out");
        }
        self.model = init.config().clone();
        self.validate()
    }

    /// The same run looked at in the usual way: the options that change nothing in the weights or
    /// the curve (`log-every`, `checkpoint-every`, `keep-checkpoints`, `sample`) have their defaults.
    /// Two configs whose identities are equal train the same model step by step, so one continues
    /// the other's checkpoints.
    pub fn identity(&self) -> Self {
        let Self { log_every, checkpoint_every, keep_checkpoints, sample, .. } = Self::default();
        Self { log_every, checkpoint_every, keep_checkpoints, sample, ..self.clone() }
    }

    /// Sequences that go through the model at a time.
    pub fn micro_batch(&self) -> u32 {
        self.micro_batch.unwrap_or(self.batch.min(8))
    }

    /// Learning rate of the last step.
    pub fn min_learning_rate(&self) -> f64 {
        self.min_learning_rate.unwrap_or(self.learning_rate / 10.0)
    }

    /// The settings that matter most, on one line.
    pub fn describe(&self) -> String {
        let tokens = match (self.tokens, self.epochs) {
            (Some(tokens), _) => format!("{tokens} tokens"),
            (None, Some(epochs)) => format!("{epochs} epochs"),
            (None, None) => "tokens until a bucket would repeat".to_owned(),
        };
        let objective = match self.objective {
            ObjectiveKind::Cpt => "next-token",
            ObjectiveKind::Sft => "supervised fine-tuning",
        };
        let model = &self.model;
        let init = self.init.as_ref().map_or(String::new(), |path| format!(" from {}", path.display()));
        format!(
            "{objective} objective{init}, {tokens}, {} sequences of {} a step, {} layers of {} with {}/{} heads, learning rate {:e}",
            self.batch, self.sequence_length, model.layers, model.hidden, model.heads, model.kv_heads, self.learning_rate
        )
    }
}

impl SampleConfig {
    fn validate(&self) -> Result<()> {
        if self.prompts.is_empty() || self.prompts.iter().any(String::is_empty) {
            return refuse("sample.prompts", "empty or has an empty text; a sample continues a beginning");
        }
        at_least_one("sample.tokens", self.tokens.into())?;
        within("sample.temperature", self.temperature, self.temperature >= 0.0, "0 or more")
    }
}

pub(crate) fn refuse<T>(option: &'static str, detail: impl Into<String>) -> Result<T> {
    Err(Error::Setting { option, detail: detail.into() })
}

pub(crate) fn at_least_one(option: &'static str, value: u64) -> Result<()> {
    if value == 0 { refuse(option, "0, at least 1") } else { Ok(()) }
}

pub(crate) fn within(option: &'static str, value: f64, fits: bool, range: &str) -> Result<()> {
    if value.is_finite() && fits { Ok(()) } else { refuse(option, format!("{value}, not {range}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> std::result::Result<TrainConfig, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn what_is_left_out_is_the_default() {
        assert_eq!(parse("objective = 'cpt'").unwrap(), TrainConfig::default());
        TrainConfig::default().validate().unwrap();
        let written = toml::to_string(&TrainConfig::default()).unwrap();
        assert_eq!(parse(&written).unwrap(), TrainConfig::default());
    }

    #[test]
    fn keys_are_checked() {
        assert_eq!(parse("objective = 'sft'").unwrap().objective, ObjectiveKind::Sft);
        assert!(parse("objective = 'ppo'").is_err());
        assert!(parse("objective = 'cpt'\nlearning_rate = 1").is_err());
        assert!(parse("objective = 'cpt'\nmodel = { width = 3 }").is_err());
        assert!(parse("objective = 'cpt'\nsample = { prompts = ['a'], top-p = 1 }").is_err());
    }

    #[test]
    fn what_only_looks_is_not_part_of_the_identity() {
        let config = parse("objective = 'cpt'\nbatch = 4\neval-every = 3").unwrap();
        let looks = "log-every = 7\ncheckpoint-every = 0\nkeep-checkpoints = 9\nsample = { prompts = ['a'] }";
        let looked = parse(&format!("objective = 'cpt'\nbatch = 4\neval-every = 3\n{looks}")).unwrap();
        assert_ne!(looked, config);
        assert_eq!(looked.identity(), config);
        assert_ne!(looked.identity(), TrainConfig::default());
    }

    #[test]
    fn values_are_checked() {
        let refused = |change: &str| {
            let config = parse(&format!("objective = 'cpt'\n{change}")).unwrap();
            config.validate().unwrap_err().to_string()
        };
        assert_eq!(refused("batch = 4\nmicro-batch = 5"), "`micro-batch` is 5, not 1 to `batch` = 4");
        assert!(refused("epochs = 0").contains("`epochs` is 0") && refused("epochs = 2\ntokens = 9").contains("beside `tokens`"));
        assert_eq!(refused("learning-rate = 0.0"), "`learning-rate` is 0, not above 0");
        assert_eq!(refused("learning-rate = nan"), "`learning-rate` is NaN, not above 0");
        assert_eq!(refused("min-learning-rate = 1.0"), "`min-learning-rate` is 1, not 0 to `learning-rate`");
        assert_eq!(refused("beta2 = 1.0"), "`beta2` is 1, not 0 to below 1");
        assert_eq!(refused("log-every = 0"), "`log-every` is 0, at least 1");
        assert!(refused("batch = 4294967295\nsequence-length = 4294967295").contains("tokens a step"));
        // 1 × (4 + 1) × 30000² × 4 bytes.
        assert_eq!(
            refused("micro-batch = 1\nsequence-length = 30000"),
            "`sequence-length` is 30000: with `micro-batch` = 1 and `model.heads` = 4 the attention scores of one layer take 18000000000 bytes, at most 8589934592; with `precision` = \"bf16\", on an NVIDIA card, there are none"
        );
        assert!(refused("batch = 1048576\nmicro-batch = 1048576").contains("`micro-batch` = 1048576"));
        assert!(refused("sample = { prompts = [''] }").starts_with("`sample.prompts` is empty"));
        assert!(refused("model = { heads = 3 }").contains("`model.heads`"));
    }
}
