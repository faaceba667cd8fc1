//! `[train]` of the recipe: what is trained, for how long, and how.

mod check;
mod default;
mod evaluation;
mod given;
mod numbers;
mod preference;
mod preset;
mod sample;
mod schedule;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::estimate::Looks;
use crate::load::Pretrained;
use crate::lora::LoraConfig;
use crate::model::{ModelConfig, Precision, ScalarHead};
use crate::rl::{GrpoConfig, Method, PpoConfig, RewardConfig, RolloutConfig};

pub(crate) use check::{at_least_one, refuse, within};
pub use evaluation::EarlyStop;
pub use given::Given;
pub(crate) use given::agree;
pub use numbers::{OptimizerStates, WeightNumbers};
pub use preference::{DpoConfig, DpoLoss, KtoConfig, OrpoConfig, PairwiseConfig};
pub use preset::Preset;
pub use sample::SampleConfig;
pub use schedule::{DecayShape, ScheduleKind};

/// The recipe's `[train]`. Every key has a default except the objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrainConfig {
    /// A set of values by name for the keys that are left out, see [`Preset`]. Whoever reads a recipe
    /// puts them in and takes this key away: [`TrainConfig::validate`] refuses one that still has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// What is learned from the tokens: `cpt`, the next token of plain text; `sft`, the next token of the assistant's answers;
    /// of preference data which answers are better, `dpo`, `orpo`, `kto`, or, for a model that gives rewards, `reward`;
    /// `grpo` and `ppo`, what the rewards think well of in answers of the model's own.
    pub objective: ObjectiveKind,
    /// Tokens to draw in all. Default: as many as the mixture's ratios allow without drawing from
    /// any bucket twice; the scarcest bucket is then drawn whole, the others in part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// In place of `tokens`: how often the scarcest bucket is gone through, at the mixture's ratios.
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
    /// Highest learning rate of the embedding, which then follows the same schedule at this height.
    /// Default: `learning-rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding_learning_rate: Option<f64>,
    /// The same for an output matrix that is not the embedding. Default: `learning-rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_learning_rate: Option<f64>,
    /// Learning rate of the last step. Default: a tenth of `learning-rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_learning_rate: Option<f64>,
    /// Steps over which the learning rate rises from 0. Default: one in fifty of all steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<u64>,
    /// How the learning rate goes after the warm-up: `cosine`, `linear`, `wsd` or `constant`. Default
    /// `cosine`.
    #[serde(default)]
    pub schedule: ScheduleKind,
    /// Share of all steps over which `wsd` goes down, 0 to 1. Default 0.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decay_fraction: Option<f64>,
    /// Along what `wsd` goes down: `linear`, `cosine` or `sqrt`. Default `linear`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decay_shape: Option<DecayShape>,
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
    /// Numbers of the optimizer's moments: `32-bit` or `8-bit`. Default `32-bit`.
    #[serde(default, skip_serializing_if = "OptimizerStates::is_default")]
    pub optimizer_states: OptimizerStates,
    /// Numbers of the weights between steps: `f32`, or `bf16` with stochastic rounding. Default `f32`.
    #[serde(default, skip_serializing_if = "WeightNumbers::is_default")]
    pub weights: WeightNumbers,
    /// Longest gradient, all weights taken together; 0 for no limit. Default 1.
    #[serde(default = "default::clip_norm")]
    pub clip_norm: f64,
    /// Weight of the squared logarithm of the softmax's divisor in what is minimized: it keeps logits
    /// from drifting (Chowdhery et al. 2022 use 1e-4). The loss that is told stays the cross entropy.
    /// Default 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub z_loss: f64,
    /// Steps between evaluations; 0: only at the end. Default 0.
    #[serde(default)]
    pub eval_every: u64,
    /// Held-out tokens that an evaluation reads of each bucket; 0: no evaluation. Default 65,536.
    #[serde(default = "default::eval_tokens")]
    pub eval_tokens: u64,
    /// The bucket whose held-out bits per byte say which evaluation is better. Default: the mean over
    /// all buckets that are evaluated, each counted alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_by: Option<String>,
    /// Whether the checkpoint of the best evaluation is written and kept, beside the newest ones.
    /// Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_best: bool,
    /// When evaluations that bring nothing end the training. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<EarlyStop>,
    /// Steps between checkpoints; 0: only at the end and when interrupted. Default 1000.
    #[serde(default = "default::checkpoint_every")]
    pub checkpoint_every: u64,
    /// Checkpoints kept, the newest ones. Default 2.
    #[serde(default = "default::keep_checkpoints")]
    pub keep_checkpoints: u32,
    /// Steps between reads of the loss; each one waits for the device. Default 1.
    #[serde(default = "default::log_every")]
    pub log_every: u64,
    /// Whether the curve is also written as event files of TensorBoard. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tensorboard: bool,
    /// Numbers of activations: `bf16` on an NVIDIA card, `f32` anywhere. Default: `bf16` on a card
    /// where the model's shape allows it, else `f32`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// Whether layers keep nothing but their inputs for the backward pass and compute the rest again:
    /// less memory, a third more work, the same gradients. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub activation_checkpointing: bool,
    /// Weights to start from: a Hugging Face folder of a Llama, Qwen2 or Qwen3 in safetensors, or a
    /// .gguf file. The model's shape comes from there. Default: random weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
    /// Low-rank adapters to be trained instead of all weights. Default: all weights are trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    /// The model's shape. Default: that of `init`, or a small one, see [`ModelConfig`].
    #[serde(default)]
    pub model: ModelConfig,
    /// How `dpo` learns; see [`DpoConfig`]. Default: its defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpo: Option<DpoConfig>,
    /// How `orpo` learns; see [`OrpoConfig`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orpo: Option<OrpoConfig>,
    /// How `kto` learns; see [`KtoConfig`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kto: Option<KtoConfig>,
    /// How `reward` learns; see [`PairwiseConfig`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward_model: Option<PairwiseConfig>,
    /// Text to write with the trained model. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleConfig>,
    /// How answers are drawn; for `grpo` and `ppo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutConfig>,
    /// What answers are worth; for `grpo` and `ppo`, which need one at least.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reward: Vec<RewardConfig>,
    /// Options of `grpo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpo: Option<GrpoConfig>,
    /// Options of `ppo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ppo: Option<PpoConfig>,
}

/// What is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectiveKind {
    /// Continued pretraining: the next token of plain text.
    Cpt,
    /// Supervised fine-tuning: the next token of answers. Questions are read and not learned.
    Sft,
    /// Direct preference optimization: of two answers which one is more likely than before.
    Dpo,
    /// Odds ratio preference optimization: the chosen answer, and its odds against the other one; without a reference.
    Orpo,
    /// Kahneman-Tversky optimization: answers that are good or bad by themselves.
    Kto,
    /// A reward model: a number for an answer, higher for the better one of two.
    Reward,
    /// Group relative policy optimization: of several answers of the model to a question, the better ones.
    Grpo,
    /// Proximal policy optimization: answers of the model that are better than its value head expected.
    Ppo,
}

impl ObjectiveKind {
    /// Whether the model answers questions, and learns from its answers.
    pub fn draws_answers(self) -> bool {
        matches!(self, Self::Grpo | Self::Ppo)
    }

    /// Whether each target is learned by itself, and the loss is one of tokens.
    pub fn is_next_token(self) -> bool {
        matches!(self, Self::Cpt | Self::Sft)
    }

    /// Whether it learns from judged answers.
    pub fn is_of_answers(self) -> bool {
        matches!(self, Self::Dpo | Self::Orpo | Self::Kto | Self::Reward)
    }

    /// As in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpt => "cpt",
            Self::Sft => "sft",
            Self::Dpo => "dpo",
            Self::Orpo => "orpo",
            Self::Kto => "kto",
            Self::Reward => "reward",
            Self::Grpo => "grpo",
            Self::Ppo => "ppo",
        }
    }

    /// What a model needs to be trained for it.
    pub fn scalar_head(self) -> Option<ScalarHead> {
        match self {
            Self::Reward => Some(ScalarHead::Score),
            Self::Ppo => Some(ScalarHead::Value),
            _ => None,
        }
    }
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl TrainConfig {
    /// Takes over the shape of the model that `init` names. What the recipe gives of `model` must be what it has: it would be
    /// ignored.
    pub fn take_shape(&mut self, init: &Pretrained, given: &Given) -> Result<()> {
        // A head that the model came with belongs to its objective, and is no part of the recipe.
        let shape = init.config().with_scalar_head(None);
        let with_head_size = |shape: ModelConfig| ModelConfig { head_size: shape.derived_head_size(), ..shape };
        agree(given, &shape, with_head_size, ["model", "the model of `init`"])?;
        self.model = shape;
        self.check_tables()?;
        self.validate()
    }

    /// The model's shape with what the objective adds to it.
    pub fn shape(&self) -> ModelConfig {
        self.model.with_scalar_head(self.objective.scalar_head())
    }

    /// Whether what is trained is compared with what it was.
    pub fn has_reference(&self) -> bool {
        match self.objective {
            ObjectiveKind::Dpo => !self.dpo().reference_free,
            ObjectiveKind::Kto => true,
            ObjectiveKind::Grpo | ObjectiveKind::Ppo => Method::of(self).is_some_and(|method| method.has_reference()),
            ObjectiveKind::Cpt | ObjectiveKind::Sft | ObjectiveKind::Orpo | ObjectiveKind::Reward => false,
        }
    }

    /// What a step takes through models without learning from it. Of objectives that draw answers nothing is said.
    pub fn looks(&self) -> Looks {
        match self.objective {
            ObjectiveKind::Dpo => Looks { model: 0, reference: self.has_reference().into() },
            // Answers, and the same ones after other prompts.
            ObjectiveKind::Kto => Looks { model: 1, reference: 2 },
            _ => Looks::default(),
        }
    }

    /// The same run looked at in the usual way: the options that change nothing in the weights but
    /// their rounding (`micro-batch`, `activation-checkpointing`) or nothing at all (`log-every`, `eval-every`,
    /// `checkpoint-every`, `keep-checkpoints`, `sample`, `tensorboard`, `keep-best`, `best-by`,
    /// `early-stop`) have their defaults. Two configs whose identities are equal train the same model
    /// step by step, so one continues the other's checkpoints.
    ///
    /// What was best, and when to stop, follows from the evaluations that the curve has, wherever they stand. They
    /// must be of the same text, so `eval-tokens` stays, though it moves no weight either.
    pub fn identity(&self) -> Self {
        let Self { log_every, eval_every, checkpoint_every, keep_checkpoints, .. } = Self::default();
        Self {
            log_every,
            eval_every,
            checkpoint_every,
            keep_checkpoints,
            sample: None,
            rollout: self.rollout.as_ref().map(RolloutConfig::identity).filter(|rollout| *rollout != RolloutConfig::default()),
            micro_batch: None,
            tensorboard: false,
            keep_best: false,
            best_by: None,
            early_stop: None,
            activation_checkpointing: false,
            ..self.clone()
        }
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
            (None, Some(epochs)) => format!("tokens of {epochs} epochs of the scarcest bucket"),
            (None, None) => "tokens until a bucket would repeat".to_owned(),
        };
        let objective = match self.objective {
            ObjectiveKind::Cpt => "next-token",
            ObjectiveKind::Sft => "supervised fine-tuning",
            ObjectiveKind::Grpo => "GRPO",
            ObjectiveKind::Ppo => "PPO",
            ObjectiveKind::Dpo => "direct preference",
            ObjectiveKind::Orpo => "odds ratio preference",
            ObjectiveKind::Kto => "Kahneman-Tversky preference",
            ObjectiveKind::Reward => "reward",
        };
        let model = &self.model;
        let init = self.init.as_ref().map_or(String::new(), |path| format!(" from {}", path.display()));
        let what = match &self.lora {
            None => String::new(),
            Some(lora) => format!(", adapters of rank {}", lora.rank),
        };
        format!(
            "{objective} objective{init}{what}, {tokens}, {} sequences of {} a step, {} layers of {} with {}/{} heads, learning rate {:e} ({})",
            self.batch,
            self.sequence_length,
            model.layers,
            model.hidden,
            model.heads,
            model.kv_heads,
            self.learning_rate,
            self.schedule.name()
        )
    }
}

#[cfg(test)]
mod tests;
