//! The shape of a model.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::Model;
use crate::config::{at_least_one, refuse, within};
use crate::error::Result;

/// Largest width and vocabulary: far above any model, far below overflow.
const MAX_WIDTH: usize = 1 << 20;
const MAX_LAYERS: usize = 1 << 12;
const MAX_VOCAB: usize = 1 << 24;
/// Most numbers in a model: 2^42, sixteen terabytes of 32-bit floats.
const MAX_PARAMS: u128 = 1 << 42;

/// A decoder in the shape of Llama (Touvron et al. 2023) and Qwen2 (Yang et al. 2024): RMS norms
/// before each half of a layer, rotary positions, grouped-query attention, SwiGLU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ModelConfig {
    /// Width of the hidden states. Default 256.
    pub hidden: usize,
    /// Layers. Default 4.
    pub layers: usize,
    /// Query heads; the hidden size is divided among them. Default 4.
    pub heads: usize,
    /// Key and value heads, each shared by `heads / kv-heads` query heads. Default 2.
    pub kv_heads: usize,
    /// Width inside the feed-forward half of a layer. Default 704.
    pub intermediate: usize,
    /// Base of the rotary frequencies. Default 10000.
    pub rope_theta: f64,
    /// Added to the mean square in norms. Default 1e-6.
    pub norm_epsilon: f64,
    /// Whether the embedding is the output matrix too. Default true.
    pub tied_embeddings: bool,
    /// Whether queries, keys and values have biases, as in Qwen2. Default true.
    pub qkv_bias: bool,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            hidden: 256,
            layers: 4,
            heads: 4,
            kv_heads: 2,
            intermediate: 704,
            rope_theta: 10_000.0,
            norm_epsilon: 1e-6,
            tied_embeddings: true,
            qkv_bias: true,
        }
    }
}

impl ModelConfig {
    /// Checks every value against its range and against the others.
    pub fn validate(&self) -> Result<()> {
        for (option, value, most) in [
            ("model.hidden", self.hidden, MAX_WIDTH),
            ("model.layers", self.layers, MAX_LAYERS),
            ("model.heads", self.heads, MAX_WIDTH),
            ("model.kv-heads", self.kv_heads, MAX_WIDTH),
            ("model.intermediate", self.intermediate, MAX_WIDTH),
        ] {
            at_least_one(option, value as u64)?;
            if value > most {
                return refuse(option, format!("{value}, at most {most}"));
            }
        }
        if !self.hidden.is_multiple_of(2 * self.heads) {
            let detail = format!("{}, but `model.hidden` = {} must be that many times an even head size", self.heads, self.hidden);
            return refuse("model.heads", detail);
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return refuse("model.kv-heads", format!("{}, which does not divide `model.heads` = {}", self.kv_heads, self.heads));
        }
        within("model.rope-theta", self.rope_theta, self.rope_theta >= 1.0, "1 or more")?;
        let epsilon = self.norm_epsilon;
        within("model.norm-epsilon", epsilon, epsilon >= f64::from(f32::MIN_POSITIVE), "above 0, at least 1.2e-38")
    }

    /// The same with the vocabulary, which is the tokenizer's and not the recipe's.
    pub fn check(&self, vocab: usize) -> Result<()> {
        self.validate()?;
        if !(1..=MAX_VOCAB).contains(&vocab) {
            return refuse("model", format!("asked for a vocabulary of {vocab}, not 1 to {MAX_VOCAB}"));
        }
        let params = self.params(vocab);
        if params > MAX_PARAMS {
            return refuse("model", format!("of {params} parameters, at most {MAX_PARAMS}"));
        }
        Ok(())
    }

    /// A new model with random weights: the same ones for the same seed, on any device.
    pub fn init(&self, device: &Device, vocab: usize, seed: u64) -> Result<Model> {
        self.check(vocab)?;
        Model::random(self, device, vocab, seed)
    }

    /// Size of one head.
    pub fn head_size(&self) -> usize {
        self.hidden / self.heads
    }

    /// Trained numbers with a vocabulary of `vocab` ids.
    pub fn num_params(&self, vocab: usize) -> Result<u64> {
        self.check(vocab)?;
        Ok(self.params(vocab) as u64)
    }

    fn params(&self, vocab: usize) -> u128 {
        let [hidden, layers, intermediate, vocab] = [self.hidden, self.layers, self.intermediate, vocab].map(|n| n as u128);
        let kv = (self.kv_heads * self.head_size()) as u128;
        let attention = 2 * hidden * hidden + 2 * kv * hidden + if self.qkv_bias { hidden + 2 * kv } else { 0 };
        let layer = attention + 3 * hidden * intermediate + 2 * hidden;
        let tables = if self.tied_embeddings { 1 } else { 2 };
        tables * vocab * hidden + layers * layer + hidden
    }

    /// Floating-point operations of training on one token, forward and backward, as model FLOPs
    /// utilization counts them: `6 P + 6 L H T`, where P are the parameters that stand in a product
    /// (a table that is only looked up does not), L layers, H hidden size, T sequence length. The
    /// second term is causal attention, half of the full square. (Chowdhery et al. 2022, appendix B.)
    pub fn flops_per_token(&self, vocab: usize, seq_len: u32) -> Result<u64> {
        let mut products = u128::from(self.num_params(vocab)?);
        if !self.tied_embeddings {
            products -= (vocab * self.hidden) as u128;
        }
        let attention = self.layers as u128 * self.hidden as u128 * u128::from(seq_len);
        Ok((6 * (products + attention)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_qwen2_half_a_billion() {
        // Qwen2.5-0.5B: 494,032,768 parameters by its model card's checkpoint.
        let config = ModelConfig {
            hidden: 896,
            layers: 24,
            heads: 14,
            kv_heads: 2,
            intermediate: 4864,
            rope_theta: 1e6,
            norm_epsilon: 1e-6,
            tied_embeddings: true,
            qkv_bias: true,
        };
        assert_eq!(config.num_params(151_936).unwrap(), 494_032_768);
        assert_eq!(config.flops_per_token(151_936, 2048).unwrap(), 6 * 494_032_768 + 6 * 24 * 896 * 2048);
        let untied = ModelConfig { tied_embeddings: false, ..config.clone() };
        assert_eq!(untied.num_params(151_936).unwrap(), 494_032_768 + 151_936 * 896);
        assert_eq!(untied.flops_per_token(151_936, 2048).unwrap(), config.flops_per_token(151_936, 2048).unwrap());
    }

    #[test]
    fn shapes_must_fit() {
        let refused = |config: ModelConfig| config.validate().unwrap_err().to_string();
        let base = ModelConfig::default();
        assert!(refused(ModelConfig { hidden: 0, ..base.clone() }).contains("`model.hidden` is 0"));
        assert!(refused(ModelConfig { hidden: 260, heads: 4, ..base.clone() }).contains("even head size")); // 65
        assert!(refused(ModelConfig { kv_heads: 3, ..base.clone() }).contains("does not divide"));
        assert!(refused(ModelConfig { layers: usize::MAX, ..base.clone() }).contains("at most"));
        assert!(refused(ModelConfig { rope_theta: f64::NAN, ..base.clone() }).contains("NaN"));
        assert!(refused(ModelConfig { norm_epsilon: 0.0, ..base.clone() }).contains("norm-epsilon"));
        assert!(base.check(0).is_err() && base.check(usize::MAX).is_err());
        let huge = ModelConfig { hidden: MAX_WIDTH, layers: MAX_LAYERS, heads: 1, kv_heads: 1, intermediate: MAX_WIDTH, ..base };
        assert!(huge.check(1000).unwrap_err().to_string().contains("parameters"));
    }
}
