//! The shape of a model.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::{Adapters, Model, Precision, RopeScaling, ScalarHead};
use crate::config::{at_least_one, refuse, within};
use crate::error::Result;
use crate::lora::LoraConfig;

/// Largest width and vocabulary: far above any model, far below overflow.
const MAX_WIDTH: usize = 1 << 20;
const MAX_LAYERS: usize = 1 << 12;
const MAX_VOCAB: usize = 1 << 24;
/// Most numbers in a model: 2^42, sixteen terabytes of 32-bit floats.
const MAX_PARAMS: u128 = 1 << 42;

/// A decoder in the shape of Llama (Touvron et al. 2023), Qwen2 (Yang et al. 2024) and Qwen3 (Yang
/// et al. 2025): RMS norms before each half of a layer, rotary positions, grouped-query attention,
/// SwiGLU. The defaults are those of Qwen2; Llama has `qkv-bias = false`, Qwen3 `qk-norm = true` too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ModelConfig {
    /// Width of the hidden states. Default 256.
    pub hidden: usize,
    /// Layers. Default 4.
    pub layers: usize,
    /// Query heads. Default 4.
    pub heads: usize,
    /// Key and value heads, each shared by `heads / kv-heads` query heads. Default 2.
    pub kv_heads: usize,
    /// Size of one head, an even number. Default: the hidden size divided among the query heads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_size: Option<usize>,
    /// Width inside the feed-forward half of a layer. Default 704.
    pub intermediate: usize,
    /// Base of the rotary frequencies. Default 10000.
    pub rope_theta: f64,
    /// How the rotary frequencies are stretched to longer texts. Default: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_scaling: Option<RopeScaling>,
    /// Longest text in tokens that the model is made for; exported files say so. It changes no
    /// number. Default: what the model came with, or the length it was trained at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_positions: Option<u32>,
    /// Added to the mean square in norms. Default 1e-6.
    pub norm_epsilon: f64,
    /// Whether the embedding is the output matrix too. Default true.
    pub tied_embeddings: bool,
    /// Whether queries, keys and values have biases, as in Qwen2. Default true.
    pub qkv_bias: bool,
    /// Whether every head of queries and keys has an RMS norm, as in Qwen3. Default false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub qk_norm: bool,
    /// What gives a number for each token. It follows from the objective and stands in no recipe. Default: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scalar_head: Option<ScalarHead>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            hidden: 256,
            layers: 4,
            heads: 4,
            kv_heads: 2,
            head_size: None,
            intermediate: 704,
            rope_theta: 10_000.0,
            rope_scaling: None,
            max_positions: None,
            norm_epsilon: 1e-6,
            tied_embeddings: true,
            qkv_bias: true,
            qk_norm: false,
            scalar_head: None,
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
        match self.head_size {
            Some(size) if size == 0 || size % 2 == 1 || size > MAX_WIDTH => {
                return refuse("model.head-size", format!("{size}, not an even number from 2 to {MAX_WIDTH}"));
            }
            None if !self.hidden.is_multiple_of(2 * self.heads) => {
                let detail = format!("{}, but `model.hidden` = {} must be that many times an even head size", self.heads, self.hidden);
                return refuse("model.heads", detail);
            }
            _ => {}
        }
        let width = self.heads as u64 * self.head_size() as u64;
        if width > MAX_WIDTH as u64 {
            return refuse("model.head-size", format!("{}, for all heads together {width}, at most {MAX_WIDTH}", self.head_size()));
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return refuse("model.kv-heads", format!("{}, which does not divide `model.heads` = {}", self.kv_heads, self.heads));
        }
        if self.qk_norm && self.qkv_bias {
            return refuse("model.qk-norm", "set together with `model.qkv-bias`, which no known model has; set one of them to false");
        }
        within("model.rope-theta", self.rope_theta, self.rope_theta >= 1.0, "1 or more")?;
        if let Some(scaling) = &self.rope_scaling {
            scaling.validate()?;
            within("model.rope-theta", self.rope_theta, self.rope_theta > 1.0, "above 1, as `model.rope-scaling` needs it")?;
        }
        if self.max_positions == Some(0) {
            return refuse("model.max-positions", "0, at least 1");
        }
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
        self.init_with(device, vocab, seed, None)
    }

    /// The same frozen, with new adapters, for activations of this precision.
    pub fn init_lora(&self, device: &Device, vocab: usize, seed: u64, lora: &LoraConfig, precision: Precision) -> Result<Model> {
        let adapters = Adapters { lora, base: lora.base(precision), seed, device };
        self.init_with(device, vocab, seed, Some(adapters))?.with_precision(precision)
    }

    /// The same frozen, with adapters, where these are given.
    pub(crate) fn init_with(&self, device: &Device, vocab: usize, seed: u64, adapters: Option<Adapters>) -> Result<Model> {
        self.check(vocab)?;
        Model::random(self, device, vocab, seed, adapters)
    }

    /// Whose formulas it follows: `llama`, `qwen2` or `qwen3`.
    pub fn family(&self) -> &'static str {
        crate::load::hf_config::family(self).0
    }

    /// Size of one head.
    pub fn head_size(&self) -> usize {
        self.head_size.unwrap_or(self.hidden / self.heads)
    }

    /// The size of one head as it could be given, where it follows from other keys.
    pub(crate) fn derived_head_size(&self) -> Option<usize> {
        self.head_size.or_else(|| self.hidden.checked_div(self.heads))
    }

    /// Every tensor of the model with a vocabulary of `vocab` ids: its name in Hugging Face files and
    /// its shape, in the order of [`Model::tensors`].
    pub(crate) fn tensors(&self, vocab: usize) -> Vec<(String, Vec<usize>)> {
        let [hidden, inner, size] = [self.hidden, self.intermediate, self.head_size()];
        let [queries, keys] = [self.heads * size, self.kv_heads * size];
        let projections = [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)];
        let mut all = vec![("model.embed_tokens.weight".to_owned(), vec![vocab, hidden])];
        for layer in 0..self.layers {
            let mut add = |part: &str, shape: Vec<usize>| all.push((format!("model.layers.{layer}.{part}"), shape));
            add("input_layernorm.weight", vec![hidden]);
            add("post_attention_layernorm.weight", vec![hidden]);
            for (name, out) in projections {
                add(&format!("self_attn.{name}.weight"), vec![out, hidden]);
                if self.qkv_bias {
                    add(&format!("self_attn.{name}.bias"), vec![out]);
                }
            }
            add("self_attn.o_proj.weight", vec![hidden, queries]);
            add("mlp.gate_proj.weight", vec![inner, hidden]);
            add("mlp.up_proj.weight", vec![inner, hidden]);
            add("mlp.down_proj.weight", vec![hidden, inner]);
            if self.qk_norm {
                add("self_attn.q_norm.weight", vec![size]);
                add("self_attn.k_norm.weight", vec![size]);
            }
        }
        all.push(("model.norm.weight".to_owned(), vec![hidden]));
        if self.has_output() {
            all.push(("lm_head.weight".to_owned(), vec![vocab, hidden]));
        }
        all.extend(self.scalar_head.map(|head| (head.tensor().to_owned(), vec![1, hidden])));
        all
    }

    /// Whether it has an output matrix that is not its embedding.
    pub(crate) fn has_output(&self) -> bool {
        !self.tied_embeddings && !self.is_reward()
    }

    /// Whether it gives rewards and writes no text.
    pub fn is_reward(&self) -> bool {
        self.scalar_head == Some(ScalarHead::Score)
    }

    /// The same shape with this head for numbers, or with none.
    pub fn with_scalar_head(&self, scalar_head: Option<ScalarHead>) -> Self {
        Self { scalar_head, ..self.clone() }
    }

    /// Trained numbers with a vocabulary of `vocab` ids.
    pub fn num_params(&self, vocab: usize) -> Result<u64> {
        self.check(vocab)?;
        Ok(self.params(vocab) as u64)
    }

    fn params(&self, vocab: usize) -> u128 {
        let [hidden, layers, intermediate, vocab] = [self.hidden, self.layers, self.intermediate, vocab].map(|n| n as u128);
        let [queries, keys, size] = [self.heads * self.head_size(), self.kv_heads * self.head_size(), self.head_size()].map(|n| n as u128);
        let biases = if self.qkv_bias { queries + 2 * keys } else { 0 };
        let norms = 2 * hidden + if self.qk_norm { 2 * size } else { 0 };
        let layer = 2 * (queries + keys) * hidden + biases + 3 * hidden * intermediate + norms;
        let tables = if self.has_output() { 2 } else { 1 };
        let scalar = if self.scalar_head.is_some() { hidden } else { 0 };
        tables * vocab * hidden + layers * layer + hidden + scalar
    }

    /// Floating-point operations of training on one token, forward and backward, as model FLOPs
    /// utilization counts them: `6 P + 6 L H T`, where P are the parameters that stand in a product
    /// (a table that is only looked up does not), L layers, H width of all query heads together, T
    /// sequence length. The second term is causal attention, half of the full square. (Chowdhery et al. 2022, appendix B.)
    pub fn flops_per_token(&self, vocab: usize, seq_len: u32) -> Result<u64> {
        let mut products = u128::from(self.num_params(vocab)?);
        if !self.tied_embeddings || self.is_reward() {
            products -= (vocab * self.hidden) as u128;
        }
        let attention = (self.layers * self.heads * self.head_size()) as u128 * u128::from(seq_len);
        Ok((6 * (products + attention)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_qwen2_half_a_billion() {
        // Qwen2.5-0.5B: 494,032,768 parameters by its model card's checkpoint.
        let config =
            ModelConfig { hidden: 896, layers: 24, heads: 14, kv_heads: 2, intermediate: 4864, rope_theta: 1e6, ..ModelConfig::default() };
        assert_eq!(config.num_params(151_936).unwrap(), 494_032_768);
        assert_eq!(config.flops_per_token(151_936, 2048).unwrap(), 6 * 494_032_768 + 6 * 24 * 896 * 2048);
        let untied = ModelConfig { tied_embeddings: false, ..config.clone() };
        assert_eq!(untied.num_params(151_936).unwrap(), 494_032_768 + 151_936 * 896);
        assert_eq!(untied.flops_per_token(151_936, 2048).unwrap(), config.flops_per_token(151_936, 2048).unwrap());
    }

    #[test]
    fn counts_are_those_of_published_checkpoints() {
        // Bytes of the 16-bit checkpoint on the model card, halved: Qwen3-0.6B and Llama-3.2-1B.
        let qwen3 = ModelConfig {
            hidden: 1024,
            layers: 28,
            heads: 16,
            kv_heads: 8,
            head_size: Some(128),
            intermediate: 3072,
            qkv_bias: false,
            qk_norm: true,
            ..ModelConfig::default()
        };
        assert_eq!(qwen3.num_params(151_936).unwrap(), 596_049_920);
        let llama =
            ModelConfig { hidden: 2048, layers: 16, heads: 32, kv_heads: 8, intermediate: 8192, qkv_bias: false, ..ModelConfig::default() };
        assert_eq!(llama.num_params(128_256).unwrap(), 1_235_814_400);
    }

    #[test]
    fn shapes_must_fit() {
        let refused = |config: ModelConfig| config.validate().unwrap_err().to_string();
        let base = ModelConfig::default();
        assert!(refused(ModelConfig { hidden: 0, ..base.clone() }).contains("`model.hidden` is 0"));
        assert!(refused(ModelConfig { hidden: 260, heads: 4, ..base.clone() }).contains("even head size")); // 65
        assert!(refused(ModelConfig { kv_heads: 3, ..base.clone() }).contains("does not divide"));
        assert!(refused(ModelConfig { head_size: Some(65), ..base.clone() }).contains("`model.head-size` is 65"));
        assert!(refused(ModelConfig { head_size: Some(MAX_WIDTH), ..base.clone() }).contains("all heads together"));
        assert!(refused(ModelConfig { qk_norm: true, ..base.clone() }).contains("`model.qkv-bias`"));
        assert!(ModelConfig { hidden: 250, head_size: Some(64), ..base.clone() }.validate().is_ok());
        assert!(refused(ModelConfig { max_positions: Some(0), ..base.clone() }).contains("max-positions"));
        assert!(refused(ModelConfig { layers: usize::MAX, ..base.clone() }).contains("at most"));
        assert!(refused(ModelConfig { rope_theta: f64::NAN, ..base.clone() }).contains("NaN"));
        assert!(refused(ModelConfig { norm_epsilon: 0.0, ..base.clone() }).contains("norm-epsilon"));
        assert!(base.check(0).is_err() && base.check(usize::MAX).is_err());
        let huge = ModelConfig { hidden: MAX_WIDTH, layers: MAX_LAYERS, heads: 1, kv_heads: 1, intermediate: MAX_WIDTH, ..base };
        assert!(huge.check(1000).unwrap_err().to_string().contains("parameters"));
    }
}
