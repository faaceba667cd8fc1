//! Kahneman-Tversky optimization.

use burn::tensor::{Tensor, TensorData, activation};
use shards::{Answer, Batch, Judgement};

use super::answers::{Likelihoods, Preference, Rewarded};
use super::{Loss, Metric, Objective, read};
use crate::config::KtoConfig;
use crate::error::Result;
use crate::ranks::Replica;

/// Makes good answers more likely than to the reference and bad ones less, measured from how far the model is from it in general:
/// `w (1 - σ(β(Δ - z)))` of a good answer, `w (1 - σ(β(z - Δ)))` of a bad one (Ethayarajh et al. 2024, equations 7 and 8). The answers of a
/// pair count one by one. The reward of an answer is β Δ.
///
/// z is the mean of Δ, at least 0 and without a gradient, over prompts with answers to other prompts: that of each prompt of a step
/// with the answer before it, and of pairs with that of the same side of the pair before it. TRL, whose estimate this is, shifts
/// answers within what one device sees at a time (all chosen ones of pairs come first there), here within the whole step, so that
/// its split changes nothing. A step with answers to one prompt alone has z = 0.
#[derive(Clone, Debug, Default)]
pub struct Kto {
    /// Its options.
    pub config: KtoConfig,
    /// z, once the step is known.
    distance: Option<f64>,
}

impl Kto {
    /// Of a step not known yet.
    pub fn new(config: KtoConfig) -> Self {
        Self { config, distance: None }
    }

    /// The mean over mismatched prompts and answers, `rows` rows at a time; nothing is recorded.
    fn distance(&self, replica: &Replica, batch: &Batch, rows: usize) -> Result<f64> {
        let (model, reference) = (replica.model.frozen(), replica.reference()?);
        let (mut sum, mut count) = (0.0, 0);
        for piece in mismatched(batch, rows) {
            let advantages = Likelihoods::of(&model, &piece)?.sums_a - Likelihoods::of(reference, &piece)?.sums_a;
            sum += read(advantages.sum(), "read the distance from the reference")?;
            count += piece.answers.len();
        }
        Ok(if count == 0 { 0.0 } else { (sum / count as f64).max(0.0) })
    }
}

impl Objective for Kto {
    fn units(&self, batch: &Batch) -> u64 {
        batch.answers.len() as u64
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["rewards/desirable", "rewards/undesirable", "kl"]
    }

    fn of_step(&self, replica: &Replica, batch: &Batch, rows: usize) -> Result<Option<Box<dyn Objective>>> {
        let distance = Some(self.distance(replica, batch, rows)?);
        Ok(Some(Box::new(Self { config: self.config.clone(), distance })))
    }

    fn preference(&self) -> Option<&dyn Preference> {
        Some(self)
    }

    fn loss(&self, replica: &Replica, batch: &Batch) -> Result<Loss> {
        Ok(self.judge(replica, batch)?.loss)
    }
}

impl Preference for Kto {
    fn judge(&self, replica: &Replica, batch: &Batch) -> Result<Rewarded> {
        let distance = match self.distance {
            Some(distance) => distance,
            None => self.distance(replica, batch, batch.rows)?,
        };
        let device = replica.model.device();
        let advantages_a = Likelihoods::of(&replica.model, batch)?.sums_a - Likelihoods::of(replica.reference()?, batch)?.sums_a;
        let good: Vec<bool> = batch.answers.iter().map(is_good).collect();
        let numbers = |number: &dyn Fn(bool) -> f64| -> Tensor<1> {
            let numbers: Vec<f32> = good.iter().map(|&good| number(good) as f32).collect();
            Tensor::from_data(TensorData::new(numbers, [good.len()]), &device)
        };
        let KtoConfig { beta, desirable_weight, undesirable_weight } = self.config;
        let (signs, weights) =
            (numbers(&|good| if good { beta } else { -beta }), numbers(&|good| if good { desirable_weight } else { undesirable_weight }));
        let sum = (activation::sigmoid((advantages_a.clone() - distance) * signs).neg().add_scalar(1.0) * weights).sum();
        let rewards_a = advantages_a.inner() * beta;
        let count = good.iter().filter(|good| **good).count() as u64;
        let of =
            |wanted: bool, count| Metric { sum: (rewards_a.clone() * numbers(&|good| f64::from(u8::from(good == wanted)))).sum(), count };
        let answers = good.len() as u64;
        let kl = Metric { sum: Tensor::full([1], distance * answers as f64, &device), count: answers };
        let metrics = vec![of(true, count), of(false, answers - count), kl];
        Ok(Rewarded { loss: Loss { sum, units: answers, metrics }, rewards_a })
    }
}

/// Tokens, and whether each counts.
type Counted = Vec<(u32, bool)>;

fn is_good(answer: &Answer) -> bool {
    matches!(answer.judgement, Judgement::Chosen | Judgement::Desirable)
}

/// The answer that each prompt of a batch is mismatched with: the one before it, the first with the last. The answers of a pair are
/// neighbours and answer one prompt, so it is the one before the pair. Where a batch has both, it is the nearest one before to
/// another prompt. None where there is no such answer.
fn partner(answers: &[Answer], sequences: &[(&[u32], Counted)], at: usize) -> Option<usize> {
    let count = answers.len();
    let before = |by: usize| (at + count - by) % count;
    let pairs = answers.iter().filter(|answer| matches!(answer.judgement, Judgement::Chosen | Judgement::Rejected)).count();
    match pairs {
        0 => (count > 1).then(|| before(1)),
        all if all == count => (count > 2).then(|| before(2)),
        _ => (1..count).map(before).find(|&other| sequences[other].0 != sequences[at].0),
    }
}

/// Each prompt of a batch with the answer to another one, see [`partner`]: one in a row, and as many rows at a
/// time as `rows` rows of the batch have tokens. Longer ones are cut to the batch's length, as the answers themselves would be; one
/// of whose answer nothing is left then is passed over.
fn mismatched(batch: &Batch, rows: usize) -> Vec<Batch> {
    let sequences: Vec<(&[u32], Counted)> = batch.answers.iter().map(|answer| halves(batch, answer)).collect();
    let partners = (0..sequences.len()).filter_map(|at| Some((at, partner(&batch.answers, &sequences, at)?)));
    let mixed = partners.map(|(at, other)| {
        let (prompt, answer) = (sequences[at].0, &sequences[other].1);
        let mut tokens: Counted = prompt.iter().map(|&id| (id, false)).chain(answer.iter().copied()).collect();
        tokens.truncate(batch.seq_len);
        tokens
    });
    let mixed: Vec<Counted> = mixed.filter(|tokens| tokens.iter().any(|(_, counts)| *counts)).collect();
    let longest = mixed.iter().map(Vec::len).max().unwrap_or(1);
    let at_once = (rows.max(1) * batch.seq_len / longest).max(1);
    mixed.chunks(at_once).map(|mixed| rows_of(mixed, longest)).collect()
}

/// The prompt of an answer, and the rest with whether it counts.
fn halves<'a>(batch: &'a Batch, answer: &Answer) -> (&'a [u32], Counted) {
    let cells = answer.cells.clone();
    // A cell's target is the next token, so the first that counts ends the prompt.
    let end = cells.clone().find(|&cell| batch.mask[cell]).map_or(cells.end, |cell| cell + 1);
    let rest = (end..cells.end).map(|cell| (batch.inputs[cell], batch.mask[cell - 1]));
    (&batch.inputs[cells.start..end], rest.collect())
}

/// Sequences of tokens, of which some count, each in a row of this length.
fn rows_of(sequences: &[Counted], length: usize) -> Batch {
    let (rows, size) = (sequences.len(), sequences.len() * length);
    let mut batch = Batch {
        rows,
        seq_len: length,
        inputs: vec![0; size],
        targets: vec![0; size],
        positions: (0..rows).flat_map(|_| 0..length as u32).collect(),
        documents: vec![0; size],
        mask: vec![false; size],
        buckets: vec![0; rows],
        answers: Vec::new(),
    };
    for (row, tokens) in sequences.iter().enumerate() {
        let cells = row * length..row * length + tokens.len();
        for (cell, (id, counts)) in cells.clone().zip(tokens) {
            batch.inputs[cell] = *id;
            if cell > cells.start {
                (batch.targets[cell - 1], batch.mask[cell - 1]) = (*id, *counts);
            }
        }
        batch.answers.push(Answer { number: row as u32, cells, judgement: Judgement::Desirable, margin: 0.0 });
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prompts by one id each, and the number of the answer that each goes with.
    fn partners(answers: &[(u32, Judgement)]) -> Vec<Option<usize>> {
        let ids: Vec<u32> = answers.iter().map(|(prompt, _)| *prompt).collect();
        let sequences: Vec<(&[u32], Counted)> = ids.iter().map(|id| (std::slice::from_ref(id), Vec::new())).collect();
        let answer = |&(_, judgement): &(u32, Judgement)| Answer { number: 0, cells: 0..1, judgement, margin: 0.0 };
        let answers: Vec<Answer> = answers.iter().map(answer).collect();
        (0..answers.len()).map(|at| partner(&answers, &sequences, at)).collect()
    }

    #[test]
    fn no_prompt_of_a_pair_meets_its_own_answers() {
        let pair = |prompt| [(prompt, Judgement::Chosen), (prompt, Judgement::Rejected)];
        let single = |prompt| [(prompt, Judgement::Desirable)];
        assert_eq!(partners(&[pair(1), pair(2), pair(3)].concat()), [4, 5, 0, 1, 2, 3].map(Some));
        assert_eq!(partners(&[single(1), single(2), single(3)].concat()), [2, 0, 1].map(Some));
        // The second and the third answer one prompt.
        assert_eq!(partners(&[&single(1)[..], &single(2), &pair(2), &pair(3)].concat()), [5, 0, 0, 0, 3, 3].map(Some));
        // Nothing to mismatch.
        assert_eq!(partners(&pair(1)), [None; 2]);
        assert_eq!(partners(&single(1)), [None]);
        assert_eq!(partners(&[&single(1)[..], &pair(1)].concat()), [None; 3]);
    }
}
