//! What held-out judged answers say of a model.

use serde::{Deserialize, Serialize};
use shards::{Batch, HeldOut, Judgement};

use crate::error::{Error, Result};
use crate::micro_batch::split;
use crate::objective::{Objective, read};
use crate::ranks::Replica;

/// Bins of the calibration, of probabilities from a half to 1.
const BINS: usize = 10;

/// An objective of judged answers on one bucket's held-out ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PreferenceScores {
    /// The bucket's name.
    pub bucket: String,
    /// Answers measured.
    pub answers: u64,
    /// Mean loss of a unit: a pair, or an answer by itself.
    pub loss: f64,
    /// Mean reward of chosen and good answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<f64>,
    /// Mean reward of rejected and bad answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<f64>,
    /// What pairs say; none where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairScores>,
}

/// How well rewards tell the better answer of a pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PairScores {
    /// Pairs measured.
    pub pairs: u64,
    /// Share of the pairs whose chosen answer has the higher reward.
    pub accuracy: f64,
    /// Mean of the chosen answer's reward less the other's.
    pub margin: f64,
    /// Expected calibration error (Naeini et al. 2015): how far the probability `σ(difference of rewards)` of the answer with the higher
    /// one is from how often that is the chosen one, in ten bins, each as often as it is met.
    pub calibration_error: f64,
    /// These bins; empty ones are left out.
    pub calibration: Vec<Bin>,
    /// Correlation of an answer's reward with its tokens (Pearson); none where one of them does not vary. Far from 0 the
    /// model may judge length alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_correlation: Option<f64>,
    /// Pairs whose chosen answer has fewer tokens, and the accuracy over them.
    pub chosen_shorter: Share,
    /// Pairs whose chosen answer has more tokens, and the accuracy over them.
    pub chosen_longer: Share,
}

/// Pairs whose predicted probabilities are near each other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Bin {
    /// Mean probability of the answer with the higher reward.
    pub confidence: f64,
    /// Share of them in which that is the chosen one.
    pub accuracy: f64,
    /// How many.
    pub pairs: u64,
}

/// A part of the pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Share {
    /// How many.
    pub pairs: u64,
    /// Share of them in which the chosen answer has the higher reward; none of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
}

/// An answer that was measured.
#[derive(Clone, Copy, Debug)]
struct Measured {
    judgement: Judgement,
    reward: f64,
    tokens: u64,
}

/// What has been measured.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Sum over units.
    pub(crate) loss: f64,
    pub(crate) units: f64,
    all: Vec<Measured>,
}

impl Judged {
    /// Adds a batch as large as one of training, of which `rows` rows fit the device at a time. Whether the objective is one of
    /// judged answers: of another one nothing is measured.
    pub(crate) fn add(&mut self, objective: &dyn Objective, replica: &Replica, batch: &Batch, rows: usize) -> Result<bool> {
        let own = objective.of_step(replica, batch, rows)?;
        let Some(objective) = own.as_deref().unwrap_or(objective).preference() else { return Ok(false) };
        for piece in split(batch, rows) {
            let judged = objective.judge(replica, &piece)?;
            self.loss += read(judged.loss.sum.inner(), "read a held-out loss")?;
            self.units += judged.loss.units as f64;
            let rewards = judged.rewards_a.try_into_vec_as::<f32>().map_err(Error::backend("read rewards"))?;
            self.all.extend(piece.answers.iter().zip(rewards).map(|(answer, reward)| Measured {
                judgement: answer.judgement,
                reward: f64::from(reward),
                tokens: counted(&piece, answer.cells.clone()),
            }));
        }
        Ok(true)
    }
}

/// Measures about `max_tokens` tokens in rows spread evenly over the held-out answers, in batches of `batch` rows as in training, of
/// which `rows` fit the device at a time. None when there are none, or when the objective is not one of judged answers.
pub(crate) fn evaluate_answers(
    objective: &dyn Objective,
    replica: &Replica,
    held_out: &HeldOut,
    bucket: &str,
    [batch, rows]: [u32; 2],
    max_tokens: u64,
) -> Result<Option<PreferenceScores>> {
    let replica = replica.frozen();
    let mut judged = Judged::default();
    for batch in held_out.batches(batch, max_tokens.div_ceil(u64::from(held_out.seq_len()))) {
        if !judged.add(objective, &replica, &batch?, rows as usize)? {
            return Ok(None);
        }
    }
    let Judged { loss, units, all } = judged;
    Ok((units > 0.0).then(|| scores(bucket, loss / units, &all)))
}

fn counted(batch: &Batch, cells: std::ops::Range<usize>) -> u64 {
    batch.mask[cells].iter().filter(|counts| **counts).count() as u64
}

fn scores(bucket: &str, loss: f64, all: &[Measured]) -> PreferenceScores {
    let mean_of = |good: bool| {
        let is_good = |answer: &&Measured| matches!(answer.judgement, Judgement::Chosen | Judgement::Desirable) == good;
        mean(all.iter().filter(is_good).map(|answer| answer.reward))
    };
    PreferenceScores {
        bucket: bucket.to_owned(),
        answers: all.len() as u64,
        loss,
        chosen: mean_of(true),
        rejected: mean_of(false),
        pairs: pairs(all),
    }
}

fn pairs(all: &[Measured]) -> Option<PairScores> {
    let is_pair = |pair: &&[Measured]| pair[0].judgement == Judgement::Chosen && pair[1].judgement == Judgement::Rejected;
    let pairs: Vec<&[Measured]> = all.windows(2).filter(is_pair).collect();
    let right = |pair: &&[Measured]| f64::from(u8::from(pair[0].reward > pair[1].reward));
    let share = |keeps: &dyn Fn(&&[Measured]) -> bool| {
        let kept: Vec<f64> = pairs.iter().copied().filter(|pair| keeps(pair)).map(|pair| right(&pair)).collect();
        Share { pairs: kept.len() as u64, accuracy: mean(kept.into_iter()) }
    };
    let (calibration_error, calibration) = calibration(&pairs);
    let answers: Vec<(f64, f64)> = pairs.iter().flat_map(|pair| pair.iter()).map(|answer| (answer.reward, answer.tokens as f64)).collect();
    Some(PairScores {
        pairs: pairs.len() as u64,
        accuracy: mean(pairs.iter().map(right))?,
        margin: mean(pairs.iter().map(|pair| pair[0].reward - pair[1].reward))?,
        calibration_error,
        calibration,
        length_correlation: correlation(&answers),
        chosen_shorter: share(&|pair| pair[0].tokens < pair[1].tokens),
        chosen_longer: share(&|pair| pair[0].tokens > pair[1].tokens),
    })
}

/// The calibration error and its bins. Of equal rewards either answer may be meant: a half of such a pair is right.
fn calibration(pairs: &[&[Measured]]) -> (f64, Vec<Bin>) {
    let mut sums = [(0.0, 0.0, 0u64); BINS];
    for pair in pairs {
        let difference = pair[0].reward - pair[1].reward;
        let confidence = 1.0 / (1.0 + (-difference.abs()).exp());
        let bin = (((confidence - 0.5) * 2.0 * BINS as f64) as usize).min(BINS - 1);
        let right = if difference == 0.0 { 0.5 } else { f64::from(u8::from(difference > 0.0)) };
        let (confidences, rights, count) = sums[bin];
        sums[bin] = (confidences + confidence, rights + right, count + 1);
    }
    let filled = sums.into_iter().filter(|(.., count)| *count > 0);
    let bins: Vec<Bin> =
        filled.map(|(sum, right, pairs)| Bin { confidence: sum / pairs as f64, accuracy: right / pairs as f64, pairs }).collect();
    let error: f64 = bins.iter().map(|bin| (bin.accuracy - bin.confidence).abs() * bin.pairs as f64).sum();
    (error / pairs.len().max(1) as f64, bins)
}

/// Pearson's correlation; none where one side does not vary.
fn correlation(points: &[(f64, f64)]) -> Option<f64> {
    let [x, y] = [mean(points.iter().map(|point| point.0))?, mean(points.iter().map(|point| point.1))?];
    let sum = |product: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(product).sum::<f64>();
    let (xx, yy) = (sum(&|point| (point.0 - x).powi(2)), sum(&|point| (point.1 - y).powi(2)));
    let found = sum(&|point| (point.0 - x) * (point.1 - y)) / (xx * yy).sqrt();
    found.is_finite().then_some(found)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0u64), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(chosen: (f64, u64), rejected: (f64, u64)) -> [Measured; 2] {
        let answer = |judgement, (reward, tokens)| Measured { judgement, reward, tokens };
        [answer(Judgement::Chosen, chosen), answer(Judgement::Rejected, rejected)]
    }

    /// ln 3 apart is a probability of 3/4, ln 9 one of 9/10.
    #[test]
    fn scores_by_hand() {
        let (three, nine) = (3f64.ln(), 9f64.ln());
        let all = [pair((three, 4), (0.0, 2)), pair((0.0, 4), (three, 2)), pair((nine, 1), (0.0, 3)), pair((1.0, 5), (1.0, 5))].concat();
        let scores = scores("b", 0.25, &all);
        assert_eq!((scores.answers, scores.loss, scores.bucket.as_str()), (8, 0.25, "b"));
        assert!((scores.chosen.unwrap() - (three + nine + 1.0) / 4.0).abs() < 1e-12);
        assert!((scores.rejected.unwrap() - (three + 1.0) / 4.0).abs() < 1e-12);
        let pairs = scores.pairs.unwrap();
        assert_eq!((pairs.pairs, pairs.accuracy), (4, 0.5));
        assert!((pairs.margin - nine / 4.0).abs() < 1e-12);
        assert_eq!(pairs.chosen_longer, Share { pairs: 2, accuracy: Some(0.5) });
        assert_eq!(pairs.chosen_shorter, Share { pairs: 1, accuracy: Some(1.0) });
        // Bins: 1/2 of which half is right; 3/4 twice, once right; 9/10 once, right.
        let bins: Vec<(u64, f64)> = pairs.calibration.iter().map(|bin| (bin.pairs, bin.accuracy)).collect();
        assert_eq!(bins, [(1, 0.5), (2, 0.5), (1, 1.0)]);
        assert!((pairs.calibration_error - (0.0 + 2.0 * 0.25 + 0.1) / 4.0).abs() < 1e-12, "{}", pairs.calibration_error);
        // By numpy.corrcoef of the eight rewards and lengths.
        assert!((pairs.length_correlation.unwrap() - -0.249_086).abs() < 1e-5, "{:?}", pairs.length_correlation);
    }

    #[test]
    fn answers_by_themselves_are_no_pairs() {
        let answer = |judgement, reward| Measured { judgement, reward, tokens: 3 };
        let all = [answer(Judgement::Desirable, 2.0), answer(Judgement::Undesirable, -1.0), answer(Judgement::Desirable, 1.0)];
        let scores = scores("b", 0.5, &all);
        assert_eq!((scores.chosen, scores.rejected, scores.pairs.is_none()), (Some(1.5), Some(-1.0), true));
        assert_eq!(correlation(&[(1.0, 2.0), (3.0, 2.0)]), None);
    }
}
