//! The learning rate of each step.

use std::f64::consts::PI;

use crate::config::{ScheduleKind, TrainConfig, refuse};
use crate::error::Result;

/// Linear rise to the highest rate, then half a cosine down to the lowest one (Loshchilov and
/// Hutter 2017), or no change. A pure function of the step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearningRate {
    kind: ScheduleKind,
    highest: f64,
    lowest: f64,
    warmup: u64,
    steps: u64,
}

impl LearningRate {
    /// The schedule of a run of `steps` steps.
    pub fn new(config: &TrainConfig, steps: u64) -> Result<Self> {
        let warmup = config.warmup_steps.unwrap_or(steps / 50);
        if warmup > steps {
            return refuse("warmup-steps", format!("{warmup}, but the run has {steps} steps"));
        }
        Ok(Self { kind: config.schedule, highest: config.learning_rate, lowest: config.min_learning_rate(), warmup, steps })
    }

    /// The rate of step `step`, from 0. The last warm-up step has the highest rate, the last step
    /// of a cosine the lowest.
    pub fn at(&self, step: u64) -> f64 {
        let done = step.saturating_add(1);
        if done <= self.warmup {
            return self.highest * done as f64 / self.warmup as f64;
        }
        match self.kind {
            ScheduleKind::Constant => self.highest,
            ScheduleKind::Cosine => {
                let rest = self.steps.saturating_sub(self.warmup).max(1);
                let progress = ((done - self.warmup) as f64 / rest as f64).min(1.0);
                self.lowest + (self.highest - self.lowest) * 0.5 * (1.0 + (PI * progress).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(config: &TrainConfig, steps: u64) -> Vec<f64> {
        let schedule = LearningRate::new(config, steps).unwrap();
        (0..steps).map(|step| schedule.at(step)).collect()
    }

    fn close(rates: &[f64], expected: &[f64]) {
        assert_eq!(rates.len(), expected.len());
        for (rate, expected) in rates.iter().zip(expected) {
            assert!((rate - expected).abs() < 1e-12, "{rates:?} {expected}");
        }
    }

    #[test]
    fn rises_and_falls_along_a_cosine() {
        let config = TrainConfig { learning_rate: 1.0, min_learning_rate: Some(0.2), warmup_steps: Some(2), ..Default::default() };
        // After the warm-up a quarter, half, three quarters and all of the half cosine.
        let quarter = 0.2 + 0.8 * 0.5 * (1.0 + 0.5f64.sqrt());
        let three = 0.2 + 0.8 * 0.5 * (1.0 - 0.5f64.sqrt());
        close(&rates(&config, 6), &[0.5, 1.0, quarter, 0.6, three, 0.2]);
    }

    #[test]
    fn stays_constant() {
        let config = TrainConfig { learning_rate: 2.0, warmup_steps: Some(4), schedule: ScheduleKind::Constant, ..Default::default() };
        close(&rates(&config, 6), &[0.5, 1.0, 1.5, 2.0, 2.0, 2.0]);
    }

    #[test]
    fn short_runs() {
        let config = TrainConfig { learning_rate: 1.0, warmup_steps: Some(1), ..Default::default() };
        close(&rates(&config, 1), &[1.0]);
        assert!(LearningRate::new(&config, 0).is_err());
        let config = TrainConfig { warmup_steps: None, ..config };
        close(&rates(&config, 1), &[0.1]);
        assert_eq!(LearningRate::new(&config, 0).unwrap().at(0), 0.1);
    }
}
