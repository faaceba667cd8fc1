//! The loss of a policy over answers that an earlier one drew: GRPO's, and PPO's with its value loss.

use std::cmp::Ordering;
use std::sync::{Mutex, PoisonError};

use burn::tensor::{Device, Tensor, TensorData};
use shards::Batch;

use super::measure::{Counted, tempered};
use crate::error::{Error, Result};
use crate::kernels::check;
use crate::objective::{Loss, Objective};
use crate::ranks::Replica;

/// What is known of the tokens of an answer when learning from it begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Trajectory {
    /// Log-probabilities under the policy that is to be improved.
    pub(crate) log_probs: Vec<f32>,
    /// How much better each token was than expected.
    pub(crate) advantages: Vec<f32>,
    /// Log-probabilities under the reference, where the loss holds to it.
    pub(crate) reference: Vec<f32>,
    /// What the value head expected, where there is one.
    pub(crate) values: Vec<f32>,
    /// What it should have expected.
    pub(crate) returns: Vec<f32>,
}

/// The value loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ValueTerm {
    /// Its weight.
    pub(crate) coefficient: f64,
    /// How far a value may move.
    pub(crate) clip: f64,
}

/// When an update is not made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// How far the policy may have moved, in nats a token.
    pub(crate) divergence: f64,
    /// How many times what they were probabilities may be, in the mean.
    pub(crate) ratio: f64,
}

/// One update of a policy: the tokens of some answers, each with its weight.
///
/// With ratio `r = exp(log p - log p at the beginning)` and advantage `A`, the loss of a token is
/// `max(-A r, -A clip(r, 1 - low, 1 + high))` (Schulman et al. 2017). To that come, where they are asked for, `beta`
/// times the estimate `exp(d) - d - 1` of the divergence from the reference, where `d = log p of the reference - log p`
/// (Schulman 2020), and the value loss `coefficient / 2 × max((v - R)², (clip(v) - R)²)`.
#[derive(Debug)]
pub(crate) struct Policy<'a> {
    /// The answers of the step; [`Batch::buckets`] counts them.
    pub(crate) trajectories: &'a [Trajectory],
    /// The weight of a token of each answer; what they add up to is one update's loss.
    pub(crate) weights: &'a [f32],
    /// What the answers were drawn at.
    pub(crate) temperature: f64,
    /// How far a probability may fall and rise.
    pub(crate) clip: [f64; 2],
    /// Weight of the divergence from the reference.
    pub(crate) beta: f64,
    pub(crate) value: Option<ValueTerm>,
    pub(crate) limits: Option<Limits>,
    /// [`Sums`] of the pieces, still on the device.
    pub(crate) pieces: Mutex<Vec<Tensor<1>>>,
}

/// What an update did, read from the device: sums over its tokens, and one maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    /// Of the policy's loss, by weight.
    pub(crate) policy: f64,
    /// Of the value loss, by weight and without its coefficient.
    pub(crate) value: f64,
    /// Tokens whose probability is pushed no further.
    pub(crate) clipped: f64,
    /// Tokens whose value is.
    pub(crate) clipped_values: f64,
    /// Of ratios.
    pub(crate) ratio: f64,
    /// Of how far log-probabilities have fallen, an estimate of the divergence from the beginning of the step.
    pub(crate) fallen: f64,
    /// The largest ratio.
    pub(crate) most: f64,
    /// Tokens.
    pub(crate) tokens: f64,
}

impl Policy<'_> {
    /// What the pieces so far gave.
    pub(crate) fn sums(&self) -> Result<Sums> {
        let operation = "read what an update did";
        let mut sums = Sums::default();
        let pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let pieces = pieces.into_iter().map(|piece| piece.try_into_vec_as::<f32>().map_err(Error::backend(operation)));
        let mut pieces = pieces.collect::<Result<Vec<Vec<f32>>>>()?;
        // They came as threads were done with them: an order of their own, so that the sums are the same on every run.
        pieces.sort_by(|a, b| a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal));
        for values in pieces {
            let [policy, value, clipped, clipped_values, ratio, fallen, most, tokens] = values[..] else {
                return Err(Error::Backend { operation, detail: format!("{} numbers of a piece", values.len()) });
            };
            sums.policy += f64::from(policy);
            sums.value += f64::from(value);
            sums.clipped += f64::from(clipped);
            sums.clipped_values += f64::from(clipped_values);
            sums.ratio += f64::from(ratio);
            sums.fallen += f64::from(fallen);
            // A ratio that is not a number must not be lost, as `f64::max` would.
            sums.most = if f64::from(most) > sums.most || most.is_nan() { f64::from(most) } else { sums.most };
            sums.tokens += f64::from(tokens);
        }
        check(operation)?;
        Ok(sums)
    }

    /// A number of each token that counts, `[R]`.
    fn of_tokens(&self, batch: &Batch, device: &Device, number: impl Fn(&Trajectory, usize) -> Option<f32>) -> Result<Tensor<1>> {
        let mut values = Vec::new();
        for (row, mask) in batch.mask.chunks_exact(batch.seq_len).enumerate() {
            let answer = self.answer(batch, row)?;
            for place in 0..mask.iter().filter(|counts| **counts).count() {
                let missing = || Error::Batch(format!("answer {} has no number for its token {place}", batch.buckets[row]));
                values.push(number(answer, place).ok_or_else(missing)?);
            }
        }
        let count = values.len();
        Ok(Tensor::from_data(TensorData::new(values, [count]), device))
    }

    fn answer(&self, batch: &Batch, row: usize) -> Result<&Trajectory> {
        let number = batch.buckets[row] as usize;
        self.trajectories.get(number).ok_or_else(|| Error::Batch(format!("answer {number} of {}", self.trajectories.len())))
    }

    fn weights(&self, batch: &Batch, device: &Device) -> Tensor<1> {
        let rows = batch.mask.chunks_exact(batch.seq_len).zip(&batch.buckets);
        let weights: Vec<f32> = rows
            .flat_map(|(mask, &answer)| {
                let weight = self.weights.get(answer as usize).copied().unwrap_or_default();
                std::iter::repeat_n(weight, mask.iter().filter(|counts| **counts).count())
            })
            .collect();
        let count = weights.len();
        Tensor::from_data(TensorData::new(weights, [count]), device)
    }

    /// The loss of tokens with these log-probabilities and values, `[R]` each.
    fn of(&self, batch: &Batch, device: &Device, log_probs_r: Tensor<1>, values_r: Option<Tensor<1>>) -> Result<Tensor<1>> {
        let of = |number: fn(&Trajectory, usize) -> Option<f32>| self.of_tokens(batch, device, number);
        let weights_r = self.weights(batch, device);

        let risen_r = log_probs_r.clone() - of(|answer, at| answer.log_probs.get(at).copied())?;
        let ratio_r = risen_r.clone().exp();
        let down_r = of(|answer, at| answer.advantages.get(at).copied())?.neg();
        let [low, high] = self.clip;
        let free_r = down_r.clone() * ratio_r.clone();
        let held_r = down_r * ratio_r.clone().clamp(1.0 - low, 1.0 + high);
        let clipped = sum(held_r.clone().greater(free_r.clone()).float().inner());
        let mut losses_r = free_r.max_pair(held_r);
        if self.beta > 0.0 {
            let above_r = of(|answer, at| answer.reference.get(at).copied())? - log_probs_r;
            losses_r = losses_r + (above_r.clone().exp() - above_r - 1.0) * self.beta;
        }
        let policy = sum(losses_r * weights_r.clone());
        let none = policy.clone().inner().zeros_like();
        let [mut total, mut value, mut clipped_values] = [policy.clone(), none.clone(), none];
        if let (Some(term), Some(values_r)) = (self.value, values_r) {
            let [old_r, returns_r] = [of(|answer, at| answer.values.get(at).copied())?, of(|answer, at| answer.returns.get(at).copied())?];
            let near_r = old_r.clone() + (values_r.clone() - old_r).clamp(-term.clip, term.clip);
            let [free_r, held_r] = [values_r, near_r].map(|value_r| (value_r - returns_r.clone()).powi_scalar(2));
            clipped_values = sum(held_r.clone().greater(free_r.clone()).float().inner());
            let loss = sum(free_r.max_pair(held_r) * weights_r) * 0.5;
            value = loss.clone().inner();
            total = total + loss * term.coefficient;
        }
        let (ratio_r, fallen_r) = (ratio_r.inner(), risen_r.inner().neg());
        let tokens = clipped.full_like(ratio_r.dims()[0] as f32);
        let most = ratio_r.clone().max();
        let numbers = [policy.inner(), value, clipped, clipped_values, sum(ratio_r), sum(fallen_r), most, tokens];
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner).push(Tensor::cat(numbers.to_vec(), 0));
        Ok(total)
    }
}

impl Objective for Policy<'_> {
    /// One: weights say what a token counts.
    fn units(&self, _: &Batch) -> u64 {
        1
    }

    fn loss(&self, replica: &Replica, batch: &Batch) -> Result<Loss> {
        let model = &replica.model;
        let device = model.device();
        let counted = Counted::of(model, batch);
        let x_rh = counted.states(model, batch)?;
        let values_r = self.value.map(|_| model.scalar(x_rh.clone())).transpose()?;
        let log_probs_r = model.log_probs(tempered(x_rh, self.temperature), counted.targets_r.clone());
        let sum = self.of(batch, &device, log_probs_r, values_r)?;
        Ok(Loss { sum, units: 1, metrics: Vec::new() })
    }

    fn permits(&self) -> Result<bool> {
        let Some(limits) = self.limits else { return Ok(true) };
        let sums = self.sums()?;
        let tokens = sums.tokens.max(1.0);
        // What is not a number is no limit reached: it is told as what it is.
        let beyond = sums.fallen / tokens > limits.divergence || sums.ratio / tokens > limits.ratio;
        Ok(!beyond)
    }
}

/// As one row: the CPU adds up rows in one order, see `kernels`.
fn sum(values_r: Tensor<1>) -> Tensor<1> {
    values_r.unsqueeze_dim::<2>(0).sum_dim(1).squeeze_dim(1)
}

#[cfg(test)]
mod tests;
