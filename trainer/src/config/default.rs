//! What a key is when the recipe leaves it out.

use super::{ObjectiveKind, OptimizerStates, ScheduleKind, TrainConfig, WeightNumbers};
use crate::model::ModelConfig;

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

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            preset: None,
            objective: ObjectiveKind::Cpt,
            tokens: None,
            epochs: None,
            sequence_length: sequence_length(),
            batch: batch(),
            micro_batch: None,
            learning_rate: learning_rate(),
            embedding_learning_rate: None,
            head_learning_rate: None,
            min_learning_rate: None,
            warmup_steps: None,
            schedule: ScheduleKind::default(),
            decay_fraction: None,
            decay_shape: None,
            weight_decay: weight_decay(),
            beta1: beta1(),
            beta2: beta2(),
            epsilon: epsilon(),
            optimizer_states: OptimizerStates::default(),
            weights: WeightNumbers::default(),
            clip_norm: clip_norm(),
            z_loss: 0.0,
            eval_every: 0,
            eval_tokens: eval_tokens(),
            best_by: None,
            keep_best: false,
            early_stop: None,
            checkpoint_every: checkpoint_every(),
            keep_checkpoints: keep_checkpoints(),
            log_every: log_every(),
            tensorboard: false,
            precision: None,
            activation_checkpointing: false,
            init: None,
            lora: None,
            model: ModelConfig::default(),
            dpo: None,
            orpo: None,
            kto: None,
            reward_model: None,
            sample: None,
            rollout: None,
            reward: Vec::new(),
            grpo: None,
            ppo: None,
        }
    }
}
