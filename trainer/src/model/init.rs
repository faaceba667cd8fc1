//! The weights a model begins with.

use burn::tensor::Device;

use super::{Layer, Linear, Model, ModelConfig, Parameter};
use crate::rng::Rng;

/// Standard deviation of matrices, as in GPT-2 (Radford et al. 2019).
const DEVIATION: f64 = 0.02;

/// Makes parameters one by one; each has random numbers of its own, named by the parameter.
struct Maker<'a> {
    device: &'a Device,
    seed: u64,
}

impl Maker<'_> {
    fn matrix(&self, name: String, shape: [usize; 2], deviation: f64) -> Parameter {
        let values = Rng::new(self.seed, &name).normal(shape[0] * shape[1], deviation);
        Parameter::new(name, shape.to_vec(), values, self.device)
    }

    fn vector(&self, name: String, size: usize, value: f32) -> Parameter {
        Parameter::new(name, vec![size], vec![value; size], self.device)
    }

    fn linear(&self, name: &str, shape: [usize; 2], deviation: f64, bias: bool) -> Linear {
        Linear {
            weight: self.matrix(format!("{name}.weight"), shape, deviation),
            bias: bias.then(|| self.vector(format!("{name}.bias"), shape[0], 0.0)),
        }
    }

    fn layer(&self, index: usize, config: &ModelConfig) -> Layer {
        let name = |part: &str| format!("model.layers.{index}.{part}");
        let [hidden, inner] = [config.hidden, config.intermediate];
        let kv = config.kv_heads * config.head_size();
        // What adds to the residual stream is scaled down by the root of the number of additions.
        let added = DEVIATION / (2.0 * config.layers as f64).sqrt();
        Layer {
            attention_norm: self.vector(name("input_layernorm.weight"), hidden, 1.0),
            query: self.linear(&name("self_attn.q_proj"), [hidden, hidden], DEVIATION, config.qkv_bias),
            key: self.linear(&name("self_attn.k_proj"), [kv, hidden], DEVIATION, config.qkv_bias),
            value: self.linear(&name("self_attn.v_proj"), [kv, hidden], DEVIATION, config.qkv_bias),
            output: self.linear(&name("self_attn.o_proj"), [hidden, hidden], added, false),
            mlp_norm: self.vector(name("post_attention_layernorm.weight"), hidden, 1.0),
            gate: self.linear(&name("mlp.gate_proj"), [inner, hidden], DEVIATION, false),
            up: self.linear(&name("mlp.up_proj"), [inner, hidden], DEVIATION, false),
            down: self.linear(&name("mlp.down_proj"), [hidden, inner], added, false),
        }
    }
}

impl Model {
    /// Random weights; the config has been checked with this vocabulary.
    pub(super) fn init(config: &ModelConfig, device: &Device, vocab: usize, seed: u64) -> Self {
        let maker = Maker { device, seed };
        let table = [vocab, config.hidden];
        Self {
            config: config.clone(),
            embedding: maker.matrix("model.embed_tokens.weight".to_owned(), table, DEVIATION),
            layers: (0..config.layers).map(|index| maker.layer(index, config)).collect(),
            norm: maker.vector("model.norm.weight".to_owned(), config.hidden, 1.0),
            head: (!config.tied_embeddings).then(|| maker.matrix("lm_head.weight".to_owned(), table, DEVIATION)),
        }
    }
}
