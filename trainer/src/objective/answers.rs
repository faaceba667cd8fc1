//! Judged answers: how likely each one is, and which belong together.

use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use shards::{Answer, Batch, Judgement};

use super::{Loss, Metric, Objective};
use crate::error::{Error, Result};
use crate::model::{Inputs, Model, inputs};
use crate::ranks::Replica;

/// The loss of a batch of judged answers, and what each answer is worth.
#[derive(Clone, Debug)]
pub struct Rewarded {
    /// The loss.
    pub loss: Loss,
    /// The reward of each of the batch's answers, `[A]`, as the objective sees it; without a gradient.
    pub rewards_a: Tensor<1>,
}

/// An objective of judged answers.
pub trait Preference: Objective {
    /// The loss of a batch and the rewards that it follows from.
    fn judge(&self, replica: &Replica, batch: &Batch) -> Result<Rewarded>;
}

/// Log-probabilities of answers.
pub(super) struct Likelihoods {
    /// Of each answer, the sum over its tokens, `[A]`.
    pub(super) sums_a: Tensor<1>,
    /// Tokens of each answer.
    lengths: Vec<u32>,
}

impl Likelihoods {
    /// How likely a model thinks the answers are. Only their tokens go through the output matrix.
    pub(super) fn of(model: &Model, batch: &Batch) -> Result<Self> {
        let (cells, lengths) = answer_cells(batch)?;
        let device = model.device();
        let x_nh = model.forward(&Inputs::new(model, batch)?);
        let targets: Vec<u32> = cells.iter().map(|&cell| batch.targets[cell as usize]).collect();
        let count = cells.len();
        let x_mh = x_nh.select(0, inputs::integers(&cells, [count], &device));
        let log_probs_m = model.log_probs(x_mh, inputs::integers(&targets, [count], &device));
        Ok(Self { sums_a: sums(log_probs_m, &lengths, &device), lengths })
    }

    /// Of each answer, the mean over its tokens, `[A]`.
    pub(super) fn means(&self) -> Tensor<1> {
        self.sums_a.clone() / self.lengths_a()
    }

    /// Tokens of each answer, `[A]`.
    pub(super) fn lengths_a(&self) -> Tensor<1> {
        let lengths: Vec<f32> = self.lengths.iter().map(|&length| length as f32).collect();
        let count = lengths.len();
        Tensor::from_data(TensorData::new(lengths, [count]), &self.sums_a.device().without_autodiff())
    }
}

/// The cells whose targets are answers, answer by answer, and how many each has.
fn answer_cells(batch: &Batch) -> Result<(Vec<u32>, Vec<u32>)> {
    let (mut cells, mut lengths) = (Vec::new(), Vec::new());
    for Answer { cells: own, number, .. } in &batch.answers {
        let before = cells.len();
        let fits = own.end <= batch.mask.len() && own.start < own.end;
        cells.extend(own.clone().filter(|&cell| fits && batch.mask[cell]).map(|cell| cell as u32));
        if cells.len() == before {
            return Err(Error::Batch(format!("answer {number} of a step has no token that counts")));
        }
        lengths.push((cells.len() - before) as u32);
    }
    match cells.is_empty() {
        true => Err(Error::Batch("no judged answers, which its objective learns from".to_owned())),
        false => Ok((cells, lengths)),
    }
}

/// Sums of runs of these lengths, `[M]` to `[A]`; each run is a row, so that the order of additions is one.
fn sums(values_m: Tensor<1>, lengths: &[u32], device: &Device) -> Tensor<1> {
    let shape = [lengths.len(), lengths.iter().max().map_or(0, |&longest| longest as usize)];
    let (mut places, mut kept) = (Vec::with_capacity(shape[0] * shape[1]), Vec::with_capacity(shape[0] * shape[1]));
    let mut start = 0;
    for &length in lengths {
        let padding = shape[1] - length as usize;
        places.extend((start..start + length).chain(std::iter::repeat_n(start, padding)));
        kept.extend(std::iter::repeat_n(1.0f32, length as usize).chain(std::iter::repeat_n(0.0, padding)));
        start += length;
    }
    let places: Tensor<1, Int> = inputs::integers(&places, [shape[0] * shape[1]], device);
    let kept: Tensor<2> = Tensor::from_data(TensorData::new(kept, shape), device);
    (values_m.select(0, places).reshape(shape) * kept).sum_dim(1).squeeze_dim(1)
}

/// Pairs of answers in a batch.
pub(super) fn pairs(batch: &Batch) -> u64 {
    batch.answers.iter().filter(|answer| answer.judgement == Judgement::Chosen).count() as u64
}

/// The chosen and the rejected ones of `[A]` numbers, `[P]` each.
///
/// # Errors
/// Answers that are no pairs.
pub(super) fn split(values_a: Tensor<1>, batch: &Batch) -> Result<[Tensor<1>; 2]> {
    let answers = &batch.answers;
    let is_pair =
        |pair: &[Answer]| matches!(pair, [Answer { judgement: Judgement::Chosen, .. }, Answer { judgement: Judgement::Rejected, .. }]);
    if answers.is_empty() || !answers.len().is_multiple_of(2) || !answers.chunks(2).all(is_pair) {
        return Err(Error::Batch("answers that are no pairs of a better and a worse one, which its objective learns from".to_owned()));
    }
    let values_p2: Tensor<2> = values_a.reshape([answers.len() / 2, 2]);
    Ok([0, 1].map(|at| values_p2.clone().narrow(1, at, 1).squeeze_dim(1)))
}

/// Numbers of the pairs of a batch, `[P]`.
pub(super) fn of_pairs(batch: &Batch, number: impl Fn(&[Answer]) -> f32, device: &Device) -> Tensor<1> {
    let numbers: Vec<f32> = batch.answers.chunks_exact(2).map(number).collect();
    let count = numbers.len();
    Tensor::from_data(TensorData::new(numbers, [count]), device)
}

/// `ln σ(x)`, exact for large numbers and with the right gradient at 0.
pub(super) fn log_sigmoid(x_n: Tensor<1>) -> Tensor<1> {
    let both = Tensor::cat(vec![x_n.clone().unsqueeze_dim::<2>(1), x_n.zeros_like().unsqueeze_dim::<2>(1)], 1);
    activation::log_softmax(both, 1).narrow(1, 0, 1).squeeze_dim(1)
}

/// Names of what [`pair_metrics`] gives.
pub(super) const PAIR_METRICS: &[&str] =
    &["rewards/chosen", "rewards/rejected", "rewards/margin", "accuracy", "log-probs/chosen", "log-probs/rejected"];

/// What pairs are told of by: their rewards, and sums of log-probabilities.
pub(super) fn pair_metrics(rewards: &[Tensor<1>; 2], log_probs: [Tensor<1>; 2]) -> Vec<Metric> {
    let [chosen, rejected] = rewards.each_ref().map(|rewards| rewards.clone().inner());
    let count = chosen.dims()[0] as u64;
    let margins = chosen.clone() - rejected.clone();
    let right = margins.clone().greater_elem(0.0).float();
    let [chosen_log_probs, rejected_log_probs] = log_probs.map(Tensor::inner);
    let all = [chosen, rejected, margins, right, chosen_log_probs, rejected_log_probs];
    all.into_iter().map(|values| Metric { sum: values.sum(), count }).collect()
}
