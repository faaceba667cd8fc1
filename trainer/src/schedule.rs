//! The learning rate of each step.

use std::f64::consts::PI;

use crate::config::{DecayShape, ScheduleKind, TrainConfig, refuse};
use crate::error::Result;

/// Share of the steps over which `wsd` goes down: ten to twenty percent do (Hägele et al. 2024).
const DECAY_FRACTION: f64 = 0.2;

/// Linear rise to the highest rate, then down to the lowest one over the last steps, or over all that
/// are left, or not at all. A pure function of the step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearningRate {
    highest: f64,
    lowest: f64,
    warmup: u64,
    /// Steps that go down, the last ones of the run.
    decay: u64,
    shape: Shape,
    steps: u64,
}

/// What is left of the way from the highest to the lowest rate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Line,
    Cosine,
    Root,
}

impl LearningRate {
    /// The schedule of a run of `steps` steps.
    pub fn new(config: &TrainConfig, steps: u64) -> Result<Self> {
        let warmup = config.warmup_steps.unwrap_or(steps / 50);
        if warmup > steps {
            return refuse("warmup-steps", format!("{warmup}, but the run has {steps} steps"));
        }
        let (decay, shape) = match config.schedule {
            ScheduleKind::Cosine => (steps - warmup, Shape::Cosine),
            ScheduleKind::Linear => (steps - warmup, Shape::Line),
            ScheduleKind::Constant => (0, Shape::Line),
            ScheduleKind::Wsd => {
                let decay = (config.decay_fraction.unwrap_or(DECAY_FRACTION) * steps as f64).round() as u64;
                let shape = match config.decay_shape.unwrap_or_default() {
                    DecayShape::Linear => Shape::Line,
                    DecayShape::Cosine => Shape::Cosine,
                    DecayShape::Sqrt => Shape::Root,
                };
                (decay, shape)
            }
        };
        if decay > steps - warmup {
            let detail = format!("{decay} of {steps} steps, but {warmup} of these are warm-up");
            return refuse("decay-fraction", detail);
        }
        Ok(Self { highest: config.learning_rate, lowest: config.min_learning_rate(), warmup, decay, shape, steps })
    }

    /// The rate of step `step`, from 0. The last warm-up step has the highest rate, the last step of
    /// a schedule that goes down the lowest.
    pub fn at(&self, step: u64) -> f64 {
        let done = step.saturating_add(1);
        if done <= self.warmup {
            return self.highest * done as f64 / self.warmup as f64;
        }
        let stable = self.steps - self.decay;
        if done <= stable || self.decay == 0 {
            return self.highest;
        }
        let progress = ((done - stable) as f64 / self.decay as f64).min(1.0);
        let left = match self.shape {
            Shape::Line => 1.0 - progress,
            Shape::Cosine => 0.5 * (1.0 + (PI * progress).cos()),
            Shape::Root => 1.0 - progress.sqrt(),
        };
        self.lowest + (self.highest - self.lowest) * left
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

    fn config(schedule: ScheduleKind) -> TrainConfig {
        TrainConfig { learning_rate: 1.0, min_learning_rate: Some(0.2), warmup_steps: Some(2), schedule, ..Default::default() }
    }

    #[test]
    fn rises_and_falls_along_a_cosine() {
        // After the warm-up a quarter, half, three quarters and all of the half cosine.
        let quarter = 0.2 + 0.8 * 0.5 * (1.0 + 0.5f64.sqrt());
        let three = 0.2 + 0.8 * 0.5 * (1.0 - 0.5f64.sqrt());
        close(&rates(&config(ScheduleKind::Cosine), 6), &[0.5, 1.0, quarter, 0.6, three, 0.2]);
    }

    #[test]
    fn rises_and_falls_along_a_line() {
        close(&rates(&config(ScheduleKind::Linear), 6), &[0.5, 1.0, 0.8, 0.6, 0.4, 0.2]);
    }

    #[test]
    fn stays_and_falls_at_the_end() {
        // Four of ten steps go down.
        let wsd = |shape| TrainConfig { decay_fraction: Some(0.4), decay_shape: Some(shape), ..config(ScheduleKind::Wsd) };
        let stable = [0.5, 1.0, 1.0, 1.0, 1.0, 1.0];
        let line = [0.8, 0.6, 0.4, 0.2];
        close(&rates(&wsd(DecayShape::Linear), 10), &[&stable[..], &line].concat());
        let [quarter, three] = [0.5f64.sqrt(), -0.5f64.sqrt()].map(|cosine| 0.2 + 0.8 * 0.5 * (1.0 + cosine));
        close(&rates(&wsd(DecayShape::Cosine), 10), &[&stable[..], &[quarter, 0.6, three, 0.2]].concat());
        // 1 - √(1/4), 1 - √(1/2), 1 - √(3/4), 0.
        let root = [0.6, 0.2 + 0.8 * (1.0 - 0.5f64.sqrt()), 0.2 + 0.8 * (1.0 - 0.75f64.sqrt()), 0.2];
        close(&rates(&wsd(DecayShape::Sqrt), 10), &[&stable[..], &root].concat());
        // A fifth, and the line, where nothing is said; nothing goes down where the share is 0.
        close(&rates(&config(ScheduleKind::Wsd), 10)[7..], &[1.0, 0.6, 0.2]);
        let none = TrainConfig { decay_fraction: Some(0.0), ..config(ScheduleKind::Wsd) };
        close(&rates(&none, 4), &[0.5, 1.0, 1.0, 1.0]);
        let all = TrainConfig { decay_fraction: Some(0.9), ..config(ScheduleKind::Wsd) };
        let error = LearningRate::new(&all, 10).unwrap_err().to_string();
        assert_eq!(error, "`decay-fraction` is 9 of 10 steps, but 2 of these are warm-up");
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
        assert_eq!(LearningRate::new(&config, 0).unwrap().at(0), 1.0);
    }
}
