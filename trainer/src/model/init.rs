//! The parameters a model consists of, and the numbers they begin with.

use burn::tensor::Device;

use super::{Layer, Linear, Model, ModelConfig, Parameter, Precision};
use crate::error::Result;
use crate::rng::Rng;

/// Standard deviation of matrices, as in GPT-2 (Radford et al. 2019).
const DEVIATION: f64 = 0.02;

/// A parameter that a model needs.
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    start: Start,
}

/// What a parameter begins with.
enum Start {
    /// Random numbers of this standard deviation.
    Normal(f64),
    /// The same number everywhere.
    Even(f32),
}

/// Asks for parameters one by one.
struct Maker<'a> {
    make: &'a mut dyn FnMut(Wanted) -> Result<Parameter>,
}

impl Maker<'_> {
    fn matrix(&mut self, name: String, shape: [usize; 2], deviation: f64) -> Result<Parameter> {
        (self.make)(Wanted { name, shape: shape.to_vec(), start: Start::Normal(deviation) })
    }

    fn vector(&mut self, name: String, size: usize, value: f32) -> Result<Parameter> {
        (self.make)(Wanted { name, shape: vec![size], start: Start::Even(value) })
    }

    fn linear(&mut self, name: &str, shape: [usize; 2], deviation: f64, bias: bool) -> Result<Linear> {
        let weight = self.matrix(format!("{name}.weight"), shape, deviation)?;
        let bias = bias.then(|| self.vector(format!("{name}.bias"), shape[0], 0.0)).transpose()?;
        Ok(Linear { weight, bias })
    }

    fn layer(&mut self, index: usize, config: &ModelConfig) -> Result<Layer> {
        let name = |part: &str| format!("model.layers.{index}.{part}");
        let [hidden, inner] = [config.hidden, config.intermediate];
        let [queries, keys] = [config.heads, config.kv_heads].map(|heads| heads * config.head_size());
        // What adds to the residual stream is scaled down by the root of the number of additions.
        let added = DEVIATION / (2.0 * config.layers as f64).sqrt();
        Ok(Layer {
            attention_norm: self.vector(name("input_layernorm.weight"), hidden, 1.0)?,
            query: self.linear(&name("self_attn.q_proj"), [queries, hidden], DEVIATION, config.qkv_bias)?,
            key: self.linear(&name("self_attn.k_proj"), [keys, hidden], DEVIATION, config.qkv_bias)?,
            value: self.linear(&name("self_attn.v_proj"), [keys, hidden], DEVIATION, config.qkv_bias)?,
            output: self.linear(&name("self_attn.o_proj"), [hidden, queries], added, false)?,
            mlp_norm: self.vector(name("post_attention_layernorm.weight"), hidden, 1.0)?,
            gate: self.linear(&name("mlp.gate_proj"), [inner, hidden], DEVIATION, false)?,
            up: self.linear(&name("mlp.up_proj"), [inner, hidden], DEVIATION, false)?,
            down: self.linear(&name("mlp.down_proj"), [hidden, inner], added, false)?,
            head_norms: match config.qk_norm {
                true => Some([
                    self.vector(name("self_attn.q_norm.weight"), config.head_size(), 1.0)?,
                    self.vector(name("self_attn.k_norm.weight"), config.head_size(), 1.0)?,
                ]),
                false => None,
            },
        })
    }
}

impl Model {
    /// Random weights: each parameter has random numbers of its own, named by the parameter.
    pub(super) fn random(config: &ModelConfig, device: &Device, vocab: usize, seed: u64) -> Result<Self> {
        Self::build(config, vocab, &mut |Wanted { name, shape, start }| {
            let count = shape.iter().product();
            let values = match start {
                Start::Normal(deviation) => Rng::new(seed, &name).normal(count, deviation),
                Start::Even(value) => vec![value; count],
            };
            Ok(Parameter::new(name, shape, values, device))
        })
    }

    /// A model of the parameters that `make` gives; the config has been checked with this vocabulary.
    pub(crate) fn build(config: &ModelConfig, vocab: usize, make: &mut dyn FnMut(Wanted) -> Result<Parameter>) -> Result<Self> {
        let mut maker = Maker { make };
        let table = [vocab, config.hidden];
        Ok(Self {
            config: config.clone(),
            precision: Precision::F32,
            recompute: false,
            embedding: maker.matrix("model.embed_tokens.weight".to_owned(), table, DEVIATION)?,
            layers: (0..config.layers).map(|index| maker.layer(index, config)).collect::<Result<_>>()?,
            norm: maker.vector("model.norm.weight".to_owned(), config.hidden, 1.0)?,
            head: (!config.tied_embeddings).then(|| maker.matrix("lm_head.weight".to_owned(), table, DEVIATION)).transpose()?,
        })
    }
}
