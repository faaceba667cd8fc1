//! Direct preference optimization.

use burn::tensor::Tensor;
use shards::Batch;

use super::answers::{Likelihoods, PAIR_METRICS, Preference, Rewarded, log_sigmoid, pair_metrics, pairs, split};
use super::{Loss, Objective};
use crate::config::{DpoConfig, DpoLoss};
use crate::error::Result;
use crate::ranks::Replica;

/// Makes the chosen answer more likely, compared with the reference, than the rejected one: `-ln σ(β(Δ chosen - Δ rejected))`
/// of each pair, where Δ is the logarithm of how much more likely an answer is than to the reference (Rafailov et al. 2023,
/// equation 7). The reward of an answer is β Δ.
///
/// With smoothing ε it is `-(1 - ε) ln σ(x) - ε ln σ(-x)`. IPO is `(Δ chosen / tokens - Δ rejected / tokens - 1/(2β))²`: with the mean
/// of a token, as its authors confirmed it to TRL, whose form this is.
#[derive(Clone, Debug, Default)]
pub struct Dpo(pub DpoConfig);

impl Objective for Dpo {
    fn units(&self, batch: &Batch) -> u64 {
        pairs(batch)
    }

    fn metrics(&self) -> &'static [&'static str] {
        PAIR_METRICS
    }

    fn preference(&self) -> Option<&dyn Preference> {
        Some(self)
    }

    fn loss(&self, replica: &Replica, batch: &Batch) -> Result<Loss> {
        Ok(self.judge(replica, batch)?.loss)
    }
}

impl Preference for Dpo {
    fn judge(&self, replica: &Replica, batch: &Batch) -> Result<Rewarded> {
        let policy = Likelihoods::of(&replica.model, batch)?;
        let advantages_a = match self.0.reference_free {
            true => policy.sums_a.clone(),
            false => policy.sums_a.clone() - Likelihoods::of(replica.reference()?, batch)?.sums_a,
        };
        let advantages = split(advantages_a.clone(), batch)?;
        let sum = self.losses(&advantages, &split(policy.lengths_a(), batch)?).sum();
        let rewards_a = advantages_a.inner() * self.0.beta;
        let metrics = pair_metrics(&split(rewards_a.clone(), batch)?, split(policy.sums_a, batch)?);
        Ok(Rewarded { loss: Loss { sum, units: self.units(batch), metrics }, rewards_a })
    }
}

impl Dpo {
    /// The loss of each pair, `[P]`, of advantages over the reference and lengths in tokens, chosen and rejected.
    fn losses(&self, [chosen_p, rejected_p]: &[Tensor<1>; 2], lengths: &[Tensor<1>; 2]) -> Tensor<1> {
        let DpoConfig { beta, loss, label_smoothing, .. } = self.0;
        match loss {
            DpoLoss::Ipo => {
                let difference = chosen_p.clone() / lengths[0].clone() - rejected_p.clone() / lengths[1].clone();
                let off = difference - 1.0 / (2.0 * beta);
                off.clone() * off
            }
            DpoLoss::Sigmoid => {
                let x = (chosen_p.clone() - rejected_p.clone()) * beta;
                let right = log_sigmoid(x.clone()).neg();
                match label_smoothing > 0.0 {
                    true => right * (1.0 - label_smoothing) - log_sigmoid(x.neg()) * label_smoothing,
                    false => right,
                }
            }
        }
    }
}
