//! Which evaluation was the best, and whether they still get better.

use serde::{Deserialize, Serialize};

use crate::config::{EarlyStop, TrainConfig};
use crate::event::EvalEvent;

/// An evaluation by its step and its measure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Best {
    /// Steps made when it was measured.
    pub step: u64,
    /// What is to be low: held-out bits per byte, of judged answers the held-out loss; of the bucket `best-by`, or the mean over
    /// the buckets. `bits-per-byte` in files of an older program.
    #[serde(alias = "bits-per-byte")]
    pub measure: f64,
}

/// A fold over the evaluations of a run. It is computed again from the curve when a run goes on, so
/// it is the same wherever the run was interrupted.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// The bucket that decides; the mean over all where none is named.
    bucket: Option<String>,
    early_stop: Option<EarlyStop>,
    best: Option<Best>,
    /// The measure of the last evaluation that was progress.
    reference: Option<f64>,
    /// Evaluations since then.
    stale: u32,
}

impl Watch {
    /// Over these evaluations of a run with this recipe.
    pub(crate) fn replay(config: &TrainConfig, evaluations: &[EvalEvent]) -> Self {
        let (bucket, early_stop) = (config.best_by.clone(), config.early_stop.clone());
        let mut watch = Self { bucket, early_stop, best: None, reference: None, stale: 0 };
        for evaluation in evaluations {
            watch.see(evaluation);
        }
        watch
    }

    /// Takes in the next evaluation; whether it is the best so far. One without a measure is neither
    /// progress nor the lack of it.
    pub(crate) fn see(&mut self, evaluation: &EvalEvent) -> bool {
        let Some(measure) = measure(evaluation, self.bucket.as_deref()) else { return false };
        let least = self.early_stop.as_ref().map_or(0.0, |stop| stop.min_delta);
        if self.reference.is_none_or(|reference| measure < reference - least) {
            (self.reference, self.stale) = (Some(measure), 0);
        } else {
            self.stale = self.stale.saturating_add(1);
        }
        let better = self.best.is_none_or(|best| measure < best.measure);
        if better {
            self.best = Some(Best { step: evaluation.step, measure });
        }
        better
    }

    /// Where the checkpoint of the best evaluation is gone, gives that one up: the best of those whose checkpoints are there takes
    /// its place. What is given up, if anything is. Patience is counted as before.
    pub(crate) fn give_up(&mut self, evaluations: &[EvalEvent], is_there: impl Fn(u64) -> bool) -> Option<Best> {
        let lost = self.best.filter(|best| !is_there(best.step))?;
        let kept = evaluations.iter().filter(|evaluation| is_there(evaluation.step));
        let measured = kept.filter_map(|kept| Some(Best { step: kept.step, measure: measure(kept, self.bucket.as_deref())? }));
        self.best = measured.reduce(|best, next| if next.measure < best.measure { next } else { best });
        Some(lost)
    }

    /// Whether patience has run out.
    pub(crate) fn finished(&self) -> bool {
        self.early_stop.as_ref().is_some_and(|stop| self.stale >= stop.patience)
    }

    /// The best evaluation; of equal ones the first.
    pub(crate) fn best(&self) -> Option<Best> {
        self.best
    }

    /// Evaluations since the last progress.
    pub(crate) fn stale(&self) -> u32 {
        self.stale
    }
}

/// What is to be low, of the bucket of this name or the mean over all.
fn measure(evaluation: &EvalEvent, name: Option<&str>) -> Option<f64> {
    let texts = evaluation.buckets.iter().map(|bucket| (&bucket.bucket, bucket.bits_per_byte));
    let answers = evaluation.preferences.iter().map(|bucket| (&bucket.bucket, bucket.loss));
    let measured = texts.chain(answers).filter(|(bucket, value)| name.is_none_or(|name| name == *bucket) && value.is_finite());
    let values: Vec<f64> = measured.map(|(_, value)| value).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::BucketLoss;

    fn evaluation(step: u64, bits: &[(&str, f64)]) -> EvalEvent {
        let bucket =
            |(name, bits): &(&str, f64)| BucketLoss { bucket: (*name).to_owned(), tokens: 1, bytes: 1, loss: 1.0, bits_per_byte: *bits };
        EvalEvent { step, buckets: bits.iter().map(bucket).collect(), preferences: Vec::new() }
    }

    fn config(patience: u32, min_delta: f64) -> TrainConfig {
        TrainConfig { early_stop: Some(EarlyStop { patience, min_delta }), ..TrainConfig::default() }
    }

    #[test]
    fn the_best_is_the_lowest_mean_and_of_equals_the_first() {
        let mut watch = Watch::replay(&TrainConfig::default(), &[]);
        assert_eq!((watch.best(), watch.finished()), (None, false));
        assert!(watch.see(&evaluation(1, &[("a", 3.0), ("b", 1.0)])));
        assert!(!watch.see(&evaluation(2, &[("a", 1.0), ("b", 3.0)])));
        assert!(watch.see(&evaluation(3, &[("a", 2.5), ("b", 1.0)])));
        assert_eq!(watch.best(), Some(Best { step: 3, measure: 1.75 }));
        // Nothing measured is no worse evaluation.
        assert!(!watch.see(&evaluation(4, &[])) && watch.stale() == 0);
    }

    #[test]
    fn one_bucket_can_decide() {
        let config = TrainConfig { best_by: Some("b".to_owned()), ..TrainConfig::default() };
        let rows = [evaluation(1, &[("a", 9.0), ("b", 1.0)]), evaluation(2, &[("a", 1.0), ("b", 2.0)])];
        assert_eq!(Watch::replay(&config, &rows).best().unwrap().step, 1);
    }

    #[test]
    fn a_best_one_that_is_gone_gives_its_place_up() {
        let rows: Vec<EvalEvent> = (1..).zip([1.0, 3.0, 2.0, 4.0]).map(|(step, bits)| evaluation(step, &[("a", bits)])).collect();
        let mut watch = Watch::replay(&config(9, 0.0), &rows);
        assert_eq!(watch.give_up(&rows, |step| step == 1), None);
        assert_eq!(watch.give_up(&rows, |step| step > 1), Some(Best { step: 1, measure: 1.0 }));
        assert_eq!((watch.best(), watch.stale()), (Some(Best { step: 3, measure: 2.0 }), 3));
        // What comes is compared with what is left.
        assert!(!watch.see(&evaluation(5, &[("a", 2.5)])) && watch.see(&evaluation(6, &[("a", 1.5)])));
        assert_eq!(watch.give_up(&rows, |_| false).unwrap().step, 6);
        assert!(watch.best().is_none() && watch.see(&evaluation(7, &[("a", 5.0)])));
    }

    /// Small steps down are progress once they add up to more than the least that counts.
    #[test]
    fn patience_runs_out_by_hand() {
        let bits = [2.0, 1.95, 1.88, 1.87, 1.86, 1.85];
        let rows: Vec<EvalEvent> = (1..).zip(bits).map(|(step, bits)| evaluation(step, &[("a", bits)])).collect();
        let stale: Vec<(u32, bool)> = (1..=6)
            .map(|seen| {
                let watch = Watch::replay(&config(2, 0.1), &rows[..seen]);
                (watch.stale(), watch.finished())
            })
            .collect();
        // 1.95 is no progress from 2.0 by more than 0.1, 1.88 is; from there nothing is.
        assert_eq!(stale, [(0, false), (1, false), (0, false), (1, false), (2, true), (3, true)]);
        assert_eq!(Watch::replay(&config(2, 0.1), &rows).best().unwrap().step, 6);
        assert!(!Watch::replay(&config(2, 0.0), &rows).finished());
    }
}
