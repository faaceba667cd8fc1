//! `[train.dpo]`, `[train.orpo]`, `[train.kto]` and `[train.reward-model]`: how judged answers are learned from.

use serde::{Deserialize, Serialize};

use super::{ObjectiveKind, TrainConfig, refuse, within};
use crate::error::Result;

/// Along what DPO's loss falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DpoLoss {
    /// The logarithm of the sigmoid (Rafailov et al. 2023).
    #[default]
    Sigmoid,
    /// A square: the mean advantage of a token is drawn to 1 / (2 beta) (Azar et al. 2023, IPO).
    Ipo,
}

/// `[train.dpo]`: direct preference optimization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DpoConfig {
    /// How much it costs to move away from the reference; of `ipo` it is τ. Default 0.1.
    pub beta: f64,
    /// `sigmoid` or `ipo`. Default `sigmoid`.
    pub loss: DpoLoss,
    /// Share of pairs that may be judged the wrong way round, 0 to below 0.5 (conservative DPO, Mitchell 2023). For
    /// `sigmoid`. Default 0.
    pub label_smoothing: f64,
    /// Compare with nothing: every answer is as likely to the reference. Default false.
    pub reference_free: bool,
}

impl Default for DpoConfig {
    fn default() -> Self {
        Self { beta: 0.1, loss: DpoLoss::Sigmoid, label_smoothing: 0.0, reference_free: false }
    }
}

/// `[train.orpo]`: odds ratio preference optimization (Hong et al. 2024).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct OrpoConfig {
    /// Weight of the odds ratio beside the likelihood of the chosen answer, λ in the paper. Default 0.1.
    pub beta: f64,
}

impl Default for OrpoConfig {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

/// `[train.kto]`: Kahneman-Tversky optimization (Ethayarajh et al. 2024).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct KtoConfig {
    /// How much it costs to move away from the reference. Default 0.1.
    pub beta: f64,
    /// Weight of good answers. Default 1.
    pub desirable_weight: f64,
    /// Weight of bad answers. Default 1; the paper wants weight times number alike, within a factor of 4/3.
    pub undesirable_weight: f64,
}

impl Default for KtoConfig {
    fn default() -> Self {
        Self { beta: 0.1, desirable_weight: 1.0, undesirable_weight: 1.0 }
    }
}

/// `[train.reward-model]`: a reward model (Bradley and Terry 1952, Ouyang et al. 2022).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PairwiseConfig {
    /// Whether rewards must be apart by the margin that the data has (Touvron et al. 2023, section 3.2.2). Default false.
    pub margin: bool,
    /// Weight of the squared sum of a pair's rewards, which keeps them around 0 (Eisenstein et al. 2023). Default 0.
    pub center: f64,
}

impl TrainConfig {
    /// The values of [`DpoConfig`], defaults filled in.
    pub(crate) fn dpo(&self) -> DpoConfig {
        self.dpo.clone().unwrap_or_default()
    }

    /// Every value against its range, and against the objective: one that is for another objective is an error.
    pub(super) fn check_preference(&self) -> Result<()> {
        let kind = self.objective;
        for (option, given, of) in [
            ("dpo", self.dpo.is_some(), ObjectiveKind::Dpo),
            ("orpo", self.orpo.is_some(), ObjectiveKind::Orpo),
            ("kto", self.kto.is_some(), ObjectiveKind::Kto),
            ("reward-model", self.reward_model.is_some(), ObjectiveKind::Reward),
        ] {
            if given && kind != of {
                return refuse(option, format!("set, but it is for `objective` = \"{}\", not \"{}\"", of.name(), kind.name()));
            }
        }
        if self.z_loss > 0.0 && !kind.is_next_token() {
            return refuse("z-loss", format!("set, but it is for objectives of single tokens, not for \"{}\"", kind.name()));
        }
        if self.sample.is_some() && kind == ObjectiveKind::Reward {
            return refuse("sample", "set, but a reward model writes no text");
        }
        let positive = |option, value: f64| within(option, value, value > 0.0, "above 0");
        if let Some(DpoConfig { beta, loss, label_smoothing, .. }) = self.dpo {
            positive("dpo.beta", beta)?;
            within("dpo.label-smoothing", label_smoothing, (0.0..0.5).contains(&label_smoothing), "0 to below 0.5")?;
            if loss == DpoLoss::Ipo && label_smoothing > 0.0 {
                return refuse("dpo.label-smoothing", "set, but it is for `loss` = \"sigmoid\"");
            }
        }
        if let Some(orpo) = &self.orpo {
            positive("orpo.beta", orpo.beta)?;
        }
        if let Some(kto) = &self.kto {
            positive("kto.beta", kto.beta)?;
            positive("kto.desirable-weight", kto.desirable_weight)?;
            positive("kto.undesirable-weight", kto.undesirable_weight)?;
        }
        if let Some(reward) = &self.reward_model {
            within("reward-model.center", reward.center, reward.center >= 0.0, "0 or more")?;
        }
        Ok(())
    }
}
