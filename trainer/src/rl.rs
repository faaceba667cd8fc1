//! Reinforcement learning: a model is rewarded for what it says, and says more of what is rewarded.
//!
//! A step, [`Learner::step`], in its order: [`prompt`] cuts conversations before their last answer, [`rollout`] has the
//! model answer them, [`reward`] judges, [`measure`] takes the answers through the model as training does, [`advantage`]
//! says what was better than expected, and [`policy`] is the loss of the updates that follow. [`method`] has what
//! GRPO and PPO do each in their own way.

mod advantage;
mod config;
mod kl;
mod learner;
mod measure;
mod method;
mod policy;
mod prompt;
mod reward;
mod rollout;

pub use advantage::Scale;
pub use config::{GrpoConfig, GrpoLoss, PpoConfig, RolloutConfig};
pub use kl::KlConfig;
pub use learner::Feedback;
pub(crate) use learner::{Learner, Outcome};
pub(crate) use method::Method;
pub use reward::{
    AnswerReward, ExactReward, FormatReward, KoreanReward, LengthReward, ModelReward, RegexReward, RepetitionReward, Reward, RewardConfig,
    RewardModel, Rewards, Sample,
};

#[cfg(test)]
mod tests;
