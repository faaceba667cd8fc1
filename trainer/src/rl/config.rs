//! `[train.rollout]`, `[train.grpo]` and `[train.ppo]`.

use serde::{Deserialize, Serialize};

use super::advantage::Scale;
use super::kl::KlConfig;
use crate::config::{at_least_one, refuse, within};
use crate::error::Result;
use crate::generate::Sampling;

/// `[train.rollout]`: how the answers that are learned from are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RolloutConfig {
    /// Most tokens of an answer. Default 256.
    pub max_new_tokens: u32,
    /// More than 0; 1 draws as the model says, less keeps to what is likely. Default 1.
    ///
    /// Probabilities in the loss are at this temperature too, as in TRL: what is improved is what draws.
    pub temperature: f64,
    /// Draws among the fewest likeliest tokens that have this probability together. 1: among all. Default 1.
    ///
    /// Less draws from another distribution than the one that is improved, and so does `top-k`.
    pub top_p: f64,
    /// Draws among this many likeliest tokens; 0: among all. Default 0.
    pub top_k: u32,
    /// Taken off the reward of an answer that was cut at `max-new-tokens`. Default 0.
    pub missing_end_penalty: f64,
    /// Answers generated at a time, at most. It does not change them. Default 64.
    pub parallel: u32,
    /// Memory for keys and values while answers are drawn, in bytes. It does not change them. Default: as much as is
    /// useful, at most 1 GiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_bytes: Option<u64>,
    /// Answers of a step that are kept to be read, with their rewards, at every evaluation. Default 4.
    pub shown: u32,
}

impl Default for RolloutConfig {
    fn default() -> Self {
        Self {
            max_new_tokens: 256,
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            missing_end_penalty: 0.0,
            parallel: 64,
            cache_bytes: None,
            shown: 4,
        }
    }
}

impl RolloutConfig {
    pub(crate) fn validate(&self, sequence_length: u32) -> Result<()> {
        at_least_one("rollout.max-new-tokens", self.max_new_tokens.into())?;
        if self.max_new_tokens >= sequence_length {
            let detail = format!("{}, which leaves no room for prompts in `sequence-length` = {sequence_length}", self.max_new_tokens);
            return refuse("rollout.max-new-tokens", detail);
        }
        // The likeliest token alone would give every answer of a group.
        within("rollout.temperature", self.temperature, self.temperature > 0.0, "above 0")?;
        within("rollout.top-p", self.top_p, self.top_p > 0.0 && self.top_p <= 1.0, "above 0, at most 1")?;
        within("rollout.missing-end-penalty", self.missing_end_penalty, self.missing_end_penalty >= 0.0, "0 or more")?;
        at_least_one("rollout.parallel", self.parallel.into())
    }

    /// The same run looked at in the usual way.
    pub(crate) fn identity(&self) -> Self {
        let Self { parallel, shown, .. } = Self::default();
        Self { parallel, shown, cache_bytes: None, ..self.clone() }
    }

    pub(crate) fn sampling(&self) -> Sampling {
        Sampling { temperature: self.temperature, top_p: self.top_p, top_k: self.top_k, ..Sampling::default() }
    }
}

/// How the losses of tokens are put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrpoLoss {
    /// Every token of a rollout weighs the same (Yu et al. 2025).
    #[default]
    Dapo,
    /// The mean over answers of the mean over tokens: tokens of long answers weigh less (Shao et al. 2024).
    Grpo,
    /// Every token weighs the same in every rollout: the sum is divided by `max-new-tokens` (Liu et al. 2025).
    DrGrpo,
}

/// `[train.grpo]`: group relative policy optimization (Shao et al. 2024).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GrpoConfig {
    /// Answers to each prompt; two at least. Default 8.
    pub group: u32,
    /// What advantages are divided by: `group`, `batch` or `none`. Default `group`.
    pub scale: Scale,
    /// How far a probability may fall, as a share of what it was, before it is pushed no further. Default 0.2.
    pub clip_low: f64,
    /// How far it may rise. Default: `clip-low`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_high: Option<f64>,
    /// Weight of the divergence from the model that training began with; 0 needs no such model. Default 0.
    pub beta: f64,
    /// `dapo`, `grpo` or `dr-grpo`. Default `dapo`.
    pub loss: GrpoLoss,
    /// How often the answers of a step are gone through. Default 1.
    pub epochs: u32,
    /// Prompts of one optimizer update. Default: `batch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mini_batch: Option<u32>,
}

impl Default for GrpoConfig {
    fn default() -> Self {
        let (scale, loss) = (Scale::default(), GrpoLoss::default());
        Self { group: 8, scale, clip_low: 0.2, clip_high: None, beta: 0.0, loss, epochs: 1, mini_batch: None }
    }
}

impl GrpoConfig {
    pub(crate) fn validate(&self, batch: u32) -> Result<()> {
        if self.group < 2 {
            return refuse("grpo.group", format!("{}, at least 2: an answer is compared with the others", self.group));
        }
        within("grpo.clip-low", self.clip_low, self.clip_low > 0.0 && self.clip_low < 1.0, "above 0 and below 1")?;
        within("grpo.clip-high", self.clip_high(), self.clip_high() > 0.0, "above 0")?;
        within("grpo.beta", self.beta, self.beta >= 0.0, "0 or more")?;
        at_least_one("grpo.epochs", self.epochs.into())?;
        check_mini_batch("grpo.mini-batch", self.mini_batch, batch)
    }

    /// How far a probability may rise.
    pub fn clip_high(&self) -> f64 {
        self.clip_high.unwrap_or(self.clip_low)
    }
}

/// `[train.ppo]`: proximal policy optimization (Schulman et al. 2017) with a value head on the same model, held to a
/// reference (Ziegler et al. 2019).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PpoConfig {
    /// How often the answers of a step are gone through. Default 4.
    pub epochs: u32,
    /// Prompts of one optimizer update. Default: `batch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mini_batch: Option<u32>,
    /// How far a probability may move, as a share of what it was, before it is pushed no further. Default 0.2.
    pub clip: f64,
    /// How far a value may move from what it was. Default 0.2.
    pub clip_value: f64,
    /// Weight of the value loss. Default 0.1.
    pub value_coefficient: f64,
    /// Discount of later rewards. Default 1.
    pub gamma: f64,
    /// How far an advantage looks ahead, 0 to 1. Default 0.95.
    pub lambda: f64,
    /// How the policy is held to the model that training began with.
    pub kl: KlConfig,
    /// Ends the updates of a step when the policy has moved more than 1.5 times this far, in nats a token, from
    /// where it was at the step's beginning. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_kl: Option<f64>,
    /// Skips an update in which probabilities are more than this many times what they were, in the mean. Default 10.
    pub ratio_threshold: f64,
    /// Whether rewards of tokens are scaled to a variance of 1 before advantages are made of them. Default false.
    pub whiten_rewards: bool,
}

impl Default for PpoConfig {
    fn default() -> Self {
        Self {
            epochs: 4,
            mini_batch: None,
            clip: 0.2,
            clip_value: 0.2,
            value_coefficient: 0.1,
            gamma: 1.0,
            lambda: 0.95,
            kl: KlConfig::default(),
            target_kl: None,
            ratio_threshold: 10.0,
            whiten_rewards: false,
        }
    }
}

impl PpoConfig {
    pub(crate) fn validate(&self, batch: u32) -> Result<()> {
        at_least_one("ppo.epochs", self.epochs.into())?;
        check_mini_batch("ppo.mini-batch", self.mini_batch, batch)?;
        within("ppo.clip", self.clip, self.clip > 0.0 && self.clip < 1.0, "above 0 and below 1")?;
        within("ppo.clip-value", self.clip_value, self.clip_value > 0.0, "above 0")?;
        within("ppo.value-coefficient", self.value_coefficient, self.value_coefficient >= 0.0, "0 or more")?;
        within("ppo.gamma", self.gamma, (0.0..=1.0).contains(&self.gamma), "0 to 1")?;
        within("ppo.lambda", self.lambda, (0.0..=1.0).contains(&self.lambda), "0 to 1")?;
        let target = self.target_kl.unwrap_or(1.0);
        within("ppo.target-kl", target, target > 0.0, "above 0")?;
        within("ppo.ratio-threshold", self.ratio_threshold, self.ratio_threshold > 1.0, "above 1")?;
        self.kl.validate()
    }
}

fn check_mini_batch(option: &'static str, mini_batch: Option<u32>, batch: u32) -> Result<()> {
    match mini_batch {
        Some(prompts) if !(1..=batch).contains(&prompts) => refuse(option, format!("{prompts}, not 1 to `batch` = {batch}")),
        _ => Ok(()),
    }
}
