//! Training: logistic regression by stochastic gradient descent, one sample after another.

use super::features::Sample;
use super::model::{BITS, Model, probability};

/// How a classifier is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainerConfig {
    /// The model has `2^bits` weights, 8 to 26. Default 22: a file of 16 MiB.
    pub bits: u32,
    /// Times that every sample is learnt from. Default 3.
    pub epochs: u32,
    /// Learning rate at the beginning; it falls to zero in a straight line. Default 4.
    pub rate: f64,
    /// Written into the model; the caller orders the samples by it.
    pub seed: u64,
}

impl Default for TrainerConfig {
    fn default() -> Self {
        Self { bits: 22, epochs: 3, rate: 4.0, seed: 0 }
    }
}

impl TrainerConfig {
    /// Checks every number against its range.
    ///
    /// # Errors
    /// A sentence about the first one outside.
    pub fn validate(&self) -> Result<(), String> {
        if !BITS.contains(&self.bits) {
            return Err(format!("{} bits, allowed are {} to {}", self.bits, BITS.start(), BITS.end()));
        }
        if !(1..=1000).contains(&self.epochs) {
            return Err(format!("{} epochs, allowed are 1 to 1000", self.epochs));
        }
        if self.rate > 0.0 && self.rate <= 100.0 { Ok(()) } else { Err(format!("a rate of {}, allowed is above 0 to 100", self.rate)) }
    }
}

/// A model in training. The same samples in the same order give the same model.
///
/// A feature that occurs `k` times among the `n` of a sample has the value `k / sqrt(n)`, so that a
/// text of features that occur once is a vector of length 1. Both classes weigh the same in all,
/// whatever their numbers.
#[derive(Clone, Debug)]
pub struct Trainer {
    config: TrainerConfig,
    weights: Vec<f32>,
    bias: f32,
    samples: [u64; 2],
    /// Weight of a positive and of a negative sample.
    class_weights: [f64; 2],
    steps: u64,
}

impl Trainer {
    /// Starts from zero, with the numbers of positive and negative samples of an epoch.
    ///
    /// # Errors
    /// A number of the configuration outside its range, or a class without a sample.
    pub fn new(config: &TrainerConfig, samples: [u64; 2]) -> Result<Self, String> {
        config.validate()?;
        if let Some(class) = samples.iter().position(|count| *count == 0) {
            return Err(format!("there is no {} sample to learn from", ["positive", "negative"][class]));
        }
        let all = (samples[0] + samples[1]) as f64;
        Ok(Self {
            config: config.clone(),
            weights: vec![0.0; 1 << config.bits],
            bias: 0.0,
            samples,
            class_weights: samples.map(|count| all / (2.0 * count as f64)),
            steps: 0,
        })
    }

    /// The features of a text; pure, for any thread.
    #[must_use]
    pub fn sample(&self, text: &str) -> Sample {
        Sample::new(text, self.config.bits)
    }

    /// One step: moves the weights of a sample's features against the gradient of its loss.
    pub fn learn(&mut self, sample: &Sample, positive: bool) {
        let total = (self.samples[0] + self.samples[1]).saturating_mul(u64::from(self.config.epochs)) as f64;
        let rate = self.config.rate * (1.0 - self.steps as f64 / total).max(0.0);
        self.steps += 1;
        let scale = 1.0 / (sample.0.len().max(1) as f64).sqrt();
        let sum: f64 = sample.0.iter().map(|feature| f64::from(self.weights[*feature as usize])).sum();
        let error = probability(f64::from(self.bias) + scale * sum) - f64::from(u8::from(positive));
        let step = rate * error * self.class_weights[usize::from(!positive)];
        self.bias -= (step * 0.1) as f32;
        let step = (step * scale) as f32;
        for feature in &sample.0 {
            self.weights[*feature as usize] -= step;
        }
    }

    /// The model.
    #[must_use]
    pub fn finish(self) -> Model {
        let Self { config, weights, bias, samples, .. } = self;
        Model { weights, bias, bits: config.bits, epochs: config.epochs, seed: config.seed, samples }
    }
}
