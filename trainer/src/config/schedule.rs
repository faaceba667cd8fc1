//! The course of the learning rate, as the recipe names it.

use serde::{Deserialize, Serialize};

/// How the learning rate goes after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Down to `min-learning-rate` along half a cosine (Loshchilov and Hutter 2017).
    #[default]
    Cosine,
    /// Down to `min-learning-rate` in a straight line.
    Linear,
    /// Stays at `learning-rate` and goes down to `min-learning-rate` over the last `decay-fraction` of
    /// the steps: warm-up, stable, decay (Hu et al. 2024).
    Wsd,
    /// Stays at `learning-rate`.
    Constant,
}

impl ScheduleKind {
    /// The name in recipes.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::Linear => "linear",
            Self::Wsd => "wsd",
            Self::Constant => "constant",
        }
    }
}

/// Along what a `wsd` schedule goes down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecayShape {
    /// A straight line.
    #[default]
    Linear,
    /// Half a cosine.
    Cosine,
    /// 1 - √progress: steep at first (Hägele et al. 2024).
    Sqrt,
}
