//! Rotary frequencies, plain and stretched to longer texts.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use super::ModelConfig;
use crate::config::within;
use crate::error::Result;

/// How the frequencies of a model are stretched, so that it reads longer texts than it was first
/// trained on. The formulas are those of Hugging Face's `modeling_rope_utils.py`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum RopeScaling {
    /// Llama 3.1 and later: long waves are stretched, short ones left, those between blended.
    Llama3 {
        /// How far long waves are stretched; 1 or more.
        factor: f64,
        /// Waves longer than `original-positions / low-freq-factor` are stretched in full.
        low_freq_factor: f64,
        /// Waves shorter than `original-positions / high-freq-factor` are left as they are.
        high_freq_factor: f64,
        /// Longest text of the first training, in tokens.
        original_positions: u32,
    },
    /// YaRN (Peng et al. 2023): blends by how often a pair turns over the original length, and
    /// sharpens attention.
    Yarn {
        /// How far slow pairs are stretched; 1 or more.
        factor: f64,
        /// Longest text of the first training, in tokens.
        original_positions: u32,
        /// What cosines and sines are multiplied by. Default `0.1 ln(factor) + 1`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attention_factor: Option<f64>,
        /// Pairs that turn more often than this are left as they are. Default 32.
        #[serde(default = "beta_fast")]
        beta_fast: f64,
        /// Pairs that turn less often than this are stretched in full. Default 1.
        #[serde(default = "beta_slow")]
        beta_slow: f64,
        /// Whether the ends of the blend are rounded to whole pairs. Default true.
        #[serde(default = "truncate")]
        truncate: bool,
    },
}

pub(crate) fn beta_fast() -> f64 {
    32.0
}

pub(crate) fn beta_slow() -> f64 {
    1.0
}

fn truncate() -> bool {
    true
}

/// What one model's positions turn by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rope {
    /// Radians a position, one for each pair of a head.
    pub(crate) frequencies: Vec<f64>,
    /// What cosines and sines are multiplied by.
    pub(crate) attention_factor: f64,
}

impl RopeScaling {
    pub(crate) fn validate(&self) -> Result<()> {
        let positive = |option, value: f64| within(option, value, value > 0.0, "above 0");
        let (factor, positions) = match *self {
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_positions } => {
                positive("model.rope-scaling.low-freq-factor", low_freq_factor)?;
                let higher = high_freq_factor > low_freq_factor;
                within("model.rope-scaling.high-freq-factor", high_freq_factor, higher, "above `low-freq-factor`")?;
                (factor, original_positions)
            }
            Self::Yarn { factor, original_positions, attention_factor, beta_fast, beta_slow, .. } => {
                positive("model.rope-scaling.attention-factor", attention_factor.unwrap_or(1.0))?;
                positive("model.rope-scaling.beta-slow", beta_slow)?;
                within("model.rope-scaling.beta-fast", beta_fast, beta_fast >= beta_slow, "`beta-slow` or more")?;
                (factor, original_positions)
            }
        };
        within("model.rope-scaling.factor", factor, factor >= 1.0, "1 or more")?;
        crate::config::at_least_one("model.rope-scaling.original-positions", positions.into())
    }
}

impl Rope {
    /// The frequencies of a checked model. Pair `i` of a head of size D turns by `theta^(-2 i / D)`
    /// a position (Su et al. 2021), then `rope-scaling` acts.
    pub(crate) fn of(config: &ModelConfig) -> Self {
        let size = config.head_size();
        let plain = (0..size / 2).map(|i| config.rope_theta.powf(-2.0 * i as f64 / size as f64));
        match config.rope_scaling {
            None => Self { frequencies: plain.collect(), attention_factor: 1.0 },
            Some(RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_positions }) => {
                let stretched = |frequency: f64| {
                    // Turns over the original length.
                    let turns = f64::from(original_positions) * frequency / TAU;
                    let kept = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
                    (1.0 - kept) * frequency / factor + kept * frequency
                };
                Self { frequencies: plain.map(stretched).collect(), attention_factor: 1.0 }
            }
            Some(RopeScaling::Yarn { factor, original_positions, attention_factor, beta_fast, beta_slow, truncate }) => {
                // The pair, not rounded, that makes this many turns over the original length.
                let pair = |turns: f64| size as f64 * (f64::from(original_positions) / (turns * TAU)).ln() / (2.0 * config.rope_theta.ln());
                let (mut low, mut high) = (pair(beta_fast), pair(beta_slow));
                if truncate {
                    (low, high) = (low.floor(), high.ceil());
                }
                (low, high) = (low.max(0.0), high.min(size as f64 - 1.0));
                if low == high {
                    high += 0.001; // no division by zero
                }
                let stretched = |(i, frequency): (usize, f64)| {
                    let share = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                    frequency / factor * share + frequency * (1.0 - share)
                };
                let attention_factor = attention_factor.unwrap_or_else(|| yarn_mscale(factor, 1.0));
                Self { frequencies: plain.enumerate().map(stretched).collect(), attention_factor }
            }
        }
    }
}

/// YaRN's attention factor: `0.1 mscale ln(factor) + 1`.
pub(crate) fn yarn_mscale(factor: f64, mscale: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { 0.1 * mscale * factor.ln() + 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rope_theta: f64, rope_scaling: Option<RopeScaling>) -> Rope {
        // A head of 8: four pairs.
        let config = ModelConfig { hidden: 16, heads: 2, kv_heads: 1, rope_theta, rope_scaling, ..Default::default() };
        config.validate().unwrap();
        Rope::of(&config)
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-6, "{found} {expected}");
        }
    }

    // Expected frequencies: `ROPE_INIT_FUNCTIONS` of transformers 5.24.0, printed with eight digits.
    #[test]
    fn frequencies_are_those_of_transformers() {
        close(&of(10_000.0, None).frequencies, &[1.0, 0.1, 0.01, 0.001]);
        let llama3 = RopeScaling::Llama3 { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_positions: 128 };
        close(&of(10_000.0, Some(llama3)).frequencies, &LLAMA3);
        let yarn = |truncate| RopeScaling::Yarn {
            factor: 4.0,
            original_positions: 512,
            attention_factor: None,
            beta_fast: 32.0,
            beta_slow: 1.0,
            truncate,
        };
        let rope = of(10_000.0, Some(yarn(true)));
        close(&rope.frequencies, &YARN);
        close(&[rope.attention_factor], &[1.138_629_436]);
        close(&of(10_000.0, Some(yarn(false))).frequencies, &YARN_EXACT);
    }

    const LLAMA3: [f64; 4] = [1.0, 0.042_751_178, 0.001_25, 0.000_125_000_01];
    const YARN: [f64; 4] = [1.0, 0.0625, 0.002_499_999_9, 0.000_250_000_01];
    const YARN_EXACT: [f64; 4] = [1.0, 0.070_398_636, 0.002_499_999_9, 0.000_250_000_01];

    #[test]
    fn values_are_checked() {
        let refused = |text: &str| {
            let config: ModelConfig = toml::from_str(text).unwrap();
            config.validate().unwrap_err().to_string()
        };
        let llama3 = |rest: &str| refused(&format!("rope-scaling = {{ type = 'llama3', {rest} }}"));
        assert!(
            llama3("factor = 0.5, low-freq-factor = 1.0, high-freq-factor = 4.0, original-positions = 8").contains("0.5, not 1 or more")
        );
        assert!(llama3("factor = 2.0, low-freq-factor = 4.0, high-freq-factor = 4.0, original-positions = 8").contains("low-freq-factor"));
        assert!(refused("rope-scaling = { type = 'yarn', factor = 2.0, original-positions = 0 }").contains("original-positions"));
        assert!(refused("rope-scaling = { type = 'yarn', factor = 2.0, original-positions = 9, beta-slow = 40.0 }").contains("beta-fast"));
        assert!(
            toml::from_str::<ModelConfig>("rope-scaling = { type = 'yarn', factor = 2.0, original-positions = 9, gamma = 1 }").is_err()
        );
        assert!(toml::from_str::<ModelConfig>("rope-scaling = { type = 'ntk', factor = 2.0 }").is_err());
    }
}
