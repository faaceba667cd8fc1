//! Odds ratio preference optimization.

use std::f64::consts::LN_2;

use burn::tensor::Tensor;
use shards::Batch;

use super::answers::{Likelihoods, PAIR_METRICS, Preference, Rewarded, log_sigmoid, pair_metrics, pairs, split};
use super::{Loss, Objective};
use crate::config::OrpoConfig;
use crate::error::Result;
use crate::ranks::Replica;

/// Learns the chosen answer, and that its odds are higher than those of the rejected one, without a reference:
/// `-ln p(chosen) - β ln σ(ln odds(chosen) - ln odds(rejected))` of each pair, with odds = p / (1 - p) and ln p the mean over an
/// answer's tokens (Hong et al. 2024, equations 6 and 7). The reward of an answer is β ln p.
///
/// The first term is that of the answer's tokens, as in the paper, and a mean of means. TRL takes the prompt's tokens too, and the
/// mean over the tokens of a whole batch, which depends on how a step is split.
#[derive(Clone, Debug, Default)]
pub struct Orpo(pub OrpoConfig);

impl Objective for Orpo {
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

impl Preference for Orpo {
    fn judge(&self, replica: &Replica, batch: &Batch) -> Result<Rewarded> {
        let beta = self.0.beta;
        let policy = Likelihoods::of(&replica.model, batch)?;
        let means_a = policy.means();
        let [chosen_p, rejected_p] = split(means_a.clone(), batch)?;
        let ratios_p = log_sigmoid(log_odds(chosen_p.clone(), rejected_p));
        let sum = (chosen_p + ratios_p * beta).neg().sum();
        let rewards_a = means_a.inner() * beta;
        let metrics = pair_metrics(&split(rewards_a.clone(), batch)?, split(policy.sums_a, batch)?);
        Ok(Rewarded { loss: Loss { sum, units: self.units(batch), metrics }, rewards_a })
    }
}

/// The logarithm of the ratio of odds, of logarithms of probabilities.
fn log_odds(chosen_p: Tensor<1>, rejected_p: Tensor<1>) -> Tensor<1> {
    chosen_p.clone() - rejected_p.clone() - (log1mexp(chosen_p) - log1mexp(rejected_p))
}

/// Highest mean log-probability that odds are formed of; above it they are infinite in 32 bits.
const SURE: f64 = -1e-6;

/// `ln(1 - e^x)` for x below 0, without cancellation on either side of -ln 2 (Mächler 2012). Each side sees its own x alone:
/// a gradient that is infinite on the other side would be no number here.
pub(super) fn log1mexp(x: Tensor<1>) -> Tensor<1> {
    let x = x.clamp_max(SURE);
    let low = x.clone().lower_elem(-LN_2);
    let far = x.clone().clamp_max(-LN_2).exp().neg().log1p();
    let near = x.clamp_min(-LN_2);
    // 1 - e^x = -x (1 + x/2 (1 + x/3 (1 + ...))), exact to 32 bits above -ln 2.
    let series = (2..=10).rev().fold(near.ones_like(), |inner, divisor| inner * near.clone() / f64::from(divisor) + 1.0);
    let near = (near.neg() * series).log();
    near.mask_where(low, far)
}
