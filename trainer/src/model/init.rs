//! The parameters a model consists of, and the numbers they begin with.

use burn::tensor::Device;

use super::{Adapter, Layer, Linear, Model, ModelConfig, Parameter, Precision, ScalarHead};
use crate::error::Result;
use crate::lora::{Base, Full, LoraConfig, Target};
use crate::rng::Rng;

/// Standard deviation of matrices, as in GPT-2 (Radford et al. 2019).
const DEVIATION: f64 = 0.02;

/// A parameter that a model needs.
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    start: Start,
    keep: Keep,
}

/// How a parameter is kept.
#[derive(Clone, Copy)]
enum Keep {
    Trained,
    Frozen(Base),
}

impl Wanted {
    /// The numbers that it begins with where there are no others, in row-major order.
    pub(crate) fn first(&self, seed: u64) -> Vec<f32> {
        let count = self.shape.iter().product();
        match self.start {
            Start::Normal(deviation) => Rng::new(seed, &self.name).normal(count, deviation),
            Start::Even(value) => vec![value; count],
        }
    }

    /// The parameter, of these numbers in row-major order.
    pub(crate) fn filled(self, values: Vec<f32>, device: &Device) -> Parameter {
        match self.keep {
            Keep::Trained => Parameter::new(self.name, self.shape, values, device),
            Keep::Frozen(base) => Parameter::frozen(self.name, self.shape, values, base, device),
        }
    }
}

/// A model that is frozen but for adapters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adapters<'a> {
    pub(crate) lora: &'a LoraConfig,
    /// How frozen matrices are kept.
    pub(crate) base: Base,
    /// What the adapters' first numbers follow from.
    pub(crate) seed: u64,
    pub(crate) device: &'a Device,
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
    adapters: Option<Adapters<'a>>,
    make: &'a mut dyn FnMut(Wanted) -> Result<Parameter>,
}

impl Maker<'_> {
    /// How a tensor is kept that is trained in full where a config with adapters says so.
    fn keep(&self, full: Option<Full>) -> Keep {
        match self.adapters {
            None => Keep::Trained,
            Some(Adapters { lora, .. }) if full.is_some_and(|full| lora.full.contains(&full)) => Keep::Trained,
            Some(Adapters { base, .. }) if full.is_some() => Keep::Frozen(base.of_tables()),
            Some(Adapters { base, .. }) => Keep::Frozen(base),
        }
    }

    fn table(&mut self, name: &str, shape: [usize; 2], full: Full) -> Result<Parameter> {
        let keep = self.keep(Some(full));
        (self.make)(Wanted { name: name.to_owned(), shape: shape.to_vec(), start: Start::Normal(DEVIATION), keep })
    }

    fn norm(&mut self, name: String, size: usize) -> Result<Parameter> {
        let keep = self.keep(Some(Full::Norms));
        (self.make)(Wanted { name, shape: vec![size], start: Start::Even(1.0), keep })
    }

    /// One row, trained whatever else is frozen.
    fn scalar(&mut self, head: ScalarHead, hidden: usize) -> Result<Parameter> {
        let start = match head {
            ScalarHead::Score => Start::Normal(DEVIATION),
            ScalarHead::Value => Start::Even(0.0),
        };
        (self.make)(Wanted { name: head.tensor().to_owned(), shape: vec![1, hidden], start, keep: Keep::Trained })
    }

    fn linear(&mut self, name: &str, target: Target, shape: [usize; 2], deviation: f64, bias: bool) -> Result<Linear> {
        let (name, keep) = (format!("{name}.{}", target.name()), self.keep(None));
        let start = Start::Normal(deviation);
        let weight = (self.make)(Wanted { name: format!("{name}.weight"), shape: shape.to_vec(), start, keep })?;
        let start = Start::Even(0.0);
        let bias = bias.then(|| (self.make)(Wanted { name: format!("{name}.bias"), shape: vec![shape[0]], start, keep })).transpose()?;
        let adapter = match self.adapters {
            Some(Adapters { lora, seed, device, .. }) if lora.targets.contains(&target) => {
                Some(Adapter::beside(&weight, lora, seed, device)?)
            }
            _ => None,
        };
        Ok(Linear { weight, bias, adapter })
    }

    fn layer(&mut self, index: usize, config: &ModelConfig) -> Result<Layer> {
        let name = |part: &str| format!("model.layers.{index}.{part}");
        let [hidden, inner] = [config.hidden, config.intermediate];
        let [queries, keys] = [config.heads, config.kv_heads].map(|heads| heads * config.head_size());
        // What adds to the residual stream is scaled down by the root of the number of additions.
        let added = DEVIATION / (2.0 * config.layers as f64).sqrt();
        let (attention, mlp) = (name("self_attn"), name("mlp"));
        Ok(Layer {
            attention_norm: self.norm(name("input_layernorm.weight"), hidden)?,
            query: self.linear(&attention, Target::QProj, [queries, hidden], DEVIATION, config.qkv_bias)?,
            key: self.linear(&attention, Target::KProj, [keys, hidden], DEVIATION, config.qkv_bias)?,
            value: self.linear(&attention, Target::VProj, [keys, hidden], DEVIATION, config.qkv_bias)?,
            output: self.linear(&attention, Target::OProj, [hidden, queries], added, false)?,
            mlp_norm: self.norm(name("post_attention_layernorm.weight"), hidden)?,
            gate: self.linear(&mlp, Target::GateProj, [inner, hidden], DEVIATION, false)?,
            up: self.linear(&mlp, Target::UpProj, [inner, hidden], DEVIATION, false)?,
            down: self.linear(&mlp, Target::DownProj, [hidden, inner], added, false)?,
            head_norms: match config.qk_norm {
                true => Some([
                    self.norm(name("self_attn.q_norm.weight"), config.head_size())?,
                    self.norm(name("self_attn.k_norm.weight"), config.head_size())?,
                ]),
                false => None,
            },
        })
    }
}

impl Model {
    /// Random weights: each parameter has random numbers of its own, named by the parameter.
    pub(super) fn random(config: &ModelConfig, device: &Device, vocab: usize, seed: u64, adapters: Option<Adapters>) -> Result<Self> {
        Self::build(config, vocab, adapters, &mut |wanted| {
            let values = wanted.first(seed);
            Ok(wanted.filled(values, device))
        })
    }

    /// A model of the parameters that `make` gives; the config has been checked with this vocabulary. With
    /// `adapters` all is frozen but new adapters, which change nothing yet, and what their config wants
    /// trained in full.
    pub(crate) fn build(
        config: &ModelConfig,
        vocab: usize,
        adapters: Option<Adapters>,
        make: &mut dyn FnMut(Wanted) -> Result<Parameter>,
    ) -> Result<Self> {
        if let Some(Adapters { lora, .. }) = adapters {
            lora.validate(config)?;
        }
        let mut maker = Maker { adapters, make };
        let table = [vocab, config.hidden];
        Ok(Self {
            config: config.clone(),
            precision: Precision::F32,
            recompute: false,
            noise: None,
            embedding: maker.table("model.embed_tokens.weight", table, Full::EmbedTokens)?,
            layers: (0..config.layers).map(|index| maker.layer(index, config)).collect::<Result<_>>()?,
            norm: maker.norm("model.norm.weight".to_owned(), config.hidden)?,
            head: config.has_output().then(|| maker.table("lm_head.weight", table, Full::LmHead)).transpose()?,
            scalar: config.scalar_head.map(|head| maker.scalar(head, config.hidden)).transpose()?,
        })
    }
}
