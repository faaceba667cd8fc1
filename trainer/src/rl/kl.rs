//! How strongly a policy is held to its reference.

use serde::{Deserialize, Serialize};

use crate::config::within;
use crate::error::Result;

/// `[train.ppo.kl]`: the coefficient of the divergence from the reference in the reward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KlConfig {
    /// The coefficient, at first. Default 0.2.
    #[serde(default = "coefficient")]
    pub coefficient: f64,
    /// Whether the coefficient follows the divergence. Default true.
    #[serde(default = "adaptive")]
    pub adaptive: bool,
    /// The divergence of a whole answer, in nats, that an adaptive coefficient steers to. Default 6.
    #[serde(default = "target")]
    pub target: f64,
    /// Answers over which an adaptive coefficient is steered: the smaller, the faster. Default 10,000.
    #[serde(default = "horizon")]
    pub horizon: f64,
}

fn coefficient() -> f64 {
    0.2
}
fn adaptive() -> bool {
    true
}
fn target() -> f64 {
    6.0
}
fn horizon() -> f64 {
    10_000.0
}

impl Default for KlConfig {
    fn default() -> Self {
        Self { coefficient: coefficient(), adaptive: adaptive(), target: target(), horizon: horizon() }
    }
}

impl KlConfig {
    pub(super) fn validate(&self) -> Result<()> {
        within("ppo.kl.coefficient", self.coefficient, self.coefficient >= 0.0, "0 or more")?;
        within("ppo.kl.target", self.target, self.target > 0.0, "above 0")?;
        within("ppo.kl.horizon", self.horizon, self.horizon >= 1.0, "1 or more")
    }

    /// The coefficient after a step of `answers` that was this far from the reference (Ziegler et al. 2019, section 2.2).
    pub(crate) fn next(&self, coefficient: f64, divergence: f64, answers: usize) -> f64 {
        if !self.adaptive {
            return coefficient;
        }
        let error = (divergence / self.target - 1.0).clamp(-0.2, 0.2);
        coefficient * (1.0 + error * answers as f64 / self.horizon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_divergence() {
        let kl = KlConfig { horizon: 100.0, ..KlConfig::default() };
        let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-15, "{found} {wanted}");
        near(kl.next(0.2, 6.0, 16), 0.2);
        near(kl.next(0.2, 6.6, 16), 0.2 * (1.0 + 0.1 * 0.16));
        // The error is clipped on both sides.
        near(kl.next(0.2, 600.0, 16), 0.2 * (1.0 + 0.2 * 0.16));
        near(kl.next(0.2, -1.0, 16), 0.2 * (1.0 - 0.2 * 0.16));
        near(KlConfig { adaptive: false, ..kl }.next(0.2, 600.0, 16), 0.2);
    }
}
