//! Pairwise models.

use shards::Batch;

use super::answers::{Preference, Rewarded, log_sigmoid, of_pairs, pairs, split};
use super::{Loss, Metric, Objective};
use crate::config::PairwiseConfig;
use crate::error::Result;
use crate::model::{Inputs, inputs};
use crate::ranks::Replica;

/// Gives the better one of two answers the higher reward: `-ln σ(r chosen - r rejected - margin)` of each pair (Bradley and Terry 1952),
/// and `center × (r chosen + r rejected)²` with it. The reward is the scalar head's number at the last token of an answer's sequence.
#[derive(Clone, Debug, Default)]
pub struct Pairwise(pub PairwiseConfig);

impl Objective for Pairwise {
    fn units(&self, batch: &Batch) -> u64 {
        pairs(batch)
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["rewards/chosen", "rewards/rejected", "rewards/margin", "accuracy"]
    }

    fn preference(&self) -> Option<&dyn Preference> {
        Some(self)
    }

    fn loss(&self, replica: &Replica, batch: &Batch) -> Result<Loss> {
        Ok(self.judge(replica, batch)?.loss)
    }
}

impl Preference for Pairwise {
    fn judge(&self, replica: &Replica, batch: &Batch) -> Result<Rewarded> {
        let (model, device) = (&replica.model, replica.model.device());
        let x_nh = model.forward(&Inputs::new(model, batch)?);
        let last: Vec<u32> = batch.answers.iter().map(|answer| answer.cells.end.saturating_sub(1) as u32).collect();
        let rewards_a = model.scalar(x_nh.select(0, inputs::integers(&last, [last.len()], &device)))?;
        let [chosen_p, rejected_p] = split(rewards_a.clone(), batch)?;
        let mut apart_p = chosen_p.clone() - rejected_p.clone();
        if self.0.margin {
            apart_p = apart_p - of_pairs(batch, |pair| pair.first().map_or(0.0, |first| first.margin), &device);
        }
        let mut sum = log_sigmoid(apart_p).neg().sum();
        if self.0.center > 0.0 {
            let both_p = chosen_p.clone() + rejected_p.clone();
            sum = sum + (both_p.clone() * both_p).sum() * self.0.center;
        }
        let count = self.units(batch);
        let [chosen_p, rejected_p] = [chosen_p, rejected_p].map(|rewards| rewards.inner());
        let margin_p = chosen_p.clone() - rejected_p.clone();
        let right_p = margin_p.clone().greater_elem(0.0).float();
        let metrics = [chosen_p, rejected_p, margin_p, right_p].map(|values| Metric { sum: values.sum(), count });
        Ok(Rewarded { loss: Loss { sum, units: count, metrics: metrics.into() }, rewards_a: rewards_a.inner() })
    }
}
