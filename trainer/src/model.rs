//! A decoder in the shape of Llama, Qwen2 and Qwen3: what it consists of and how a batch goes through it.

mod adapter;
mod cache;
mod config;
#[cfg(feature = "cuda")]
mod decoder;
mod extend;
mod init;
pub(crate) mod inputs;
mod linear;
mod parameter;
mod precision;
mod recompute;
mod reference;
pub(crate) mod rope;
mod scalar;

use burn::tensor::{DType, Device, Int, Tensor};

pub(crate) use adapter::Adapter;
pub(crate) use cache::{BLOCK, KvCache, Slots};
pub use config::ModelConfig;
pub(crate) use extend::{Reach, Span, Step};
pub(crate) use init::Adapters;
#[cfg(test)]
pub(crate) use init::Wanted;
pub use inputs::Inputs;
pub use parameter::Parameter;
pub(crate) use parameter::is_narrow;
pub use precision::Precision;
pub use rope::RopeScaling;
pub use scalar::ScalarHead;

use crate::config::WeightNumbers;
use crate::error::{Error, Result};
#[cfg(feature = "cuda")]
use crate::kernels::gpu;
use crate::kernels::{Noise, attention, embed, linear as project, rms_norm, swiglu, token_entropies, token_log_probs};
use linear::Linear;

/// A decoder with its weights. Layout and names are those of Hugging Face's Llama, Qwen2
/// and Qwen3.
#[derive(Clone, Debug)]
pub struct Model {
    config: ModelConfig,
    precision: Precision,
    /// Whether a layer keeps nothing but its input for the backward pass.
    recompute: bool,
    /// Where the noise of the step at hand comes from; none where nothing is left out.
    noise: Option<u64>,
    embedding: Parameter,
    layers: Vec<Layer>,
    norm: Parameter,
    /// The output matrix, where it is not the embedding.
    head: Option<Parameter>,
    /// What gives a number for each token, `[1, H]`.
    scalar: Option<Parameter>,
}

#[derive(Clone, Debug)]
struct Layer {
    attention_norm: Parameter,
    query: Linear,
    key: Linear,
    value: Linear,
    /// Norms of every head of queries and keys, `[1, D]`.
    head_norms: Option<[Parameter; 2]>,
    output: Linear,
    mlp_norm: Parameter,
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Model {
    /// The hidden states after the last norm, `[N, H]` with N = rows × positions.
    ///
    /// In shape suffixes: b rows, t positions, n = b × t, h hidden size, q query heads,
    /// k key-value heads, g = q / k, d head size, v vocabulary.
    pub fn forward(&self, inputs: &Inputs) -> Tensor<2> {
        let mut x_nh = embed(self.embedding.value(), inputs.ids_n.clone(), self.precision);
        // A card's halves of layers do it themselves.
        let recompute = self.recompute && self.precision == Precision::F32;
        for layer in &self.layers {
            x_nh = if recompute { layer.recomputed(x_nh, inputs, &self.config) } else { layer.forward(x_nh, inputs, &self.config) };
        }
        rms_norm(x_nh, self.norm.value(), self.config.norm_epsilon)
    }

    /// The logits of hidden states, 32-bit `[N, V]`. Training never calls this: its loss works in pieces.
    pub fn logits(&self, x_nh: Tensor<2>) -> Tensor<2> {
        project(x_nh, self.head(), None).cast(DType::F32)
    }

    /// The output matrix, `[V, H]`; the embedding where they are tied. A model with [`ScalarHead::Score`] has none.
    pub fn head(&self) -> Tensor<2> {
        self.head.as_ref().unwrap_or(&self.embedding).value()
    }

    /// The natural logarithm of the probability of each target after hidden states `[N, H]`: `[N]` in 32 bits, with
    /// gradients of states and output matrix. The logits of all are never in memory at once.
    pub fn log_probs(&self, x_nh: Tensor<2>, targets_n: Tensor<1, Int>) -> Tensor<1> {
        token_log_probs(x_nh, self.head(), targets_n)
    }

    /// The entropy of what follows each hidden state `[N, H]`: `[N]` in nats, without gradients.
    pub fn entropies(&self, x_nh: Tensor<2>) -> Tensor<1> {
        token_entropies(x_nh, self.head())
    }

    /// That it says which token comes next.
    pub(crate) fn check_text(&self) -> Result<()> {
        match self.config.is_reward() {
            true => Err(Error::Batch("a reward model says how good a text is, and not which token comes next".to_owned())),
            false => Ok(()),
        }
    }

    /// The number of each hidden state `[N, H]`: `[N]` in 32 bits, with gradients.
    ///
    /// # Errors
    /// A model without a [`ScalarHead`].
    pub fn scalar(&self, x_nh: Tensor<2>) -> Result<Tensor<1>> {
        let Some(scalar) = &self.scalar else {
            return Err(Error::Batch("asked for a number of each token, for which the model has no head".to_owned()));
        };
        Ok((x_nh.cast(DType::F32) * scalar.value()).sum_dim(1).squeeze_dim(1))
    }

    /// The numbers that activations consist of.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The same model with activations of this precision, or why it cannot have them.
    pub fn with_precision(mut self, precision: Precision) -> Result<Self> {
        precision.check(&self.config, &self.device())?;
        let ranks = self.layers.iter().flat_map(Layer::linears).filter_map(|linear| Some(linear.adapter.as_ref()?.rank()));
        ranks.into_iter().try_for_each(|rank| precision.check_rank(rank))?;
        self.precision = precision;
        Ok(self)
    }

    /// The same model, whose layers keep nothing but their inputs for the backward pass and compute the
    /// rest again (Chen et al. 2016): less memory, a third more work, the same gradients.
    #[must_use]
    pub fn with_recompute(mut self, recompute: bool) -> Self {
        self.recompute = recompute;
        self
    }

    /// The same model as it is trained on a card that keeps its weights as these numbers, where activations are bfloat16: with
    /// bfloat16 weights, matrices that are trained whole lie in that; with 32 bits, those of layers have a copy in the precision
    /// of products. Vectors, adapters and what lies on the processor stay as they are.
    #[must_use]
    pub fn kept_as(mut self, weights: WeightNumbers) -> Self {
        if weights == WeightNumbers::Bf16 && self.precision == Precision::Bf16 {
            self.tensors_mut().for_each(Parameter::narrow);
        }
        #[cfg(feature = "cuda")]
        if weights == WeightNumbers::F32 && self.precision == Precision::Bf16 {
            self.layers.iter_mut().flat_map(Layer::linears_mut).for_each(|linear| linear.weight.keep_copy());
        }
        self
    }

    /// Sets where the noise of the next forward passes comes from; adapters with dropout alone have any.
    pub(crate) fn set_noise(&mut self, seed: u64) {
        let linears = self.layers.iter().flat_map(Layer::linears);
        let noisy = linears.filter_map(|linear| linear.adapter.as_ref()).any(|adapter| adapter.dropout > 0.0);
        self.noise = noisy.then_some(seed);
    }

    /// The shape it was made with.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Ids it knows: 0 to below this.
    pub fn vocab_size(&self) -> usize {
        self.embedding.shape()[0]
    }

    /// Where its weights are, without automatic differentiation.
    pub fn device(&self) -> Device {
        self.embedding.device()
    }

    /// Trained numbers in all.
    pub fn num_params(&self) -> u64 {
        self.parameters().iter().map(|parameter| parameter.len() as u64).sum()
    }

    /// Numbers in all, frozen ones too.
    pub fn size(&self) -> u64 {
        self.tensors().map(|parameter| parameter.len() as u64).sum()
    }

    /// A copy, sharing the weights, whose forward pass records nothing for a backward pass and leaves nothing out.
    pub fn frozen(&self) -> Model {
        let mut model = self.clone();
        model.noise = None;
        for parameter in model.tensors_mut() {
            parameter.freeze();
        }
        model
    }

    /// A copy, sharing the weights, whose gradients are its own: what is done with it is no part of this one's graph.
    pub(crate) fn apart(&self) -> Model {
        let mut model = self.clone();
        for parameter in model.tensors_mut().filter(|parameter| parameter.is_trained()) {
            parameter.set(parameter.value().inner());
        }
        model
    }

    /// What is trained, in a fixed order: that of [`Model::tensors`].
    pub fn parameters(&self) -> Vec<&Parameter> {
        self.tensors().filter(|parameter| parameter.is_trained()).collect()
    }

    /// The same in the same order, to be changed.
    pub(crate) fn parameters_mut(&mut self) -> Vec<&mut Parameter> {
        self.tensors_mut().filter(|parameter| parameter.is_trained()).collect()
    }

    /// All tensors in a fixed order: embedding, layers from the first on, norm, output, scalar head.
    pub fn tensors(&self) -> impl Iterator<Item = &Parameter> {
        let layers = self.layers.iter().flat_map(Layer::tensors);
        std::iter::once(&self.embedding).chain(layers).chain([&self.norm]).chain(&self.head).chain(&self.scalar)
    }

    fn tensors_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        let layers = self.layers.iter_mut().flat_map(Layer::tensors_mut);
        std::iter::once(&mut self.embedding).chain(layers).chain([&mut self.norm]).chain(&mut self.head).chain(&mut self.scalar)
    }
}

impl Layer {
    fn forward(&self, x_nh: Tensor<2>, inputs: &Inputs, config: &ModelConfig) -> Tensor<2> {
        #[cfg(feature = "cuda")]
        if let (Some(spans), true) = (&inputs.spans, gpu::takes(&x_nh) && !self.is_dora()) {
            return self.forward_on_card(x_nh, spans, inputs, config);
        }
        let y_nh = rms_norm(x_nh.clone(), self.attention_norm.value(), config.norm_epsilon);
        self.feed_forward(x_nh + self.attend(y_nh, inputs, config), config, inputs.noise.as_ref())
    }

    /// The second half of the layer.
    fn feed_forward(&self, x_nh: Tensor<2>, config: &ModelConfig, noise: Option<&Noise>) -> Tensor<2> {
        let y_nh = rms_norm(x_nh.clone(), self.mlp_norm.value(), config.norm_epsilon);
        let y_ni = swiglu(self.gate.forward(y_nh.clone(), noise), self.up.forward(y_nh, noise));
        x_nh + self.down.forward(y_ni, noise)
    }

    /// Whether an adapter needs more than a half does.
    #[cfg(feature = "cuda")]
    fn is_dora(&self) -> bool {
        self.linears().iter().any(|linear| linear.adapter.as_ref().is_some_and(Adapter::is_dora))
    }

    /// The same with each half as one operation of the card.
    #[cfg(feature = "cuda")]
    fn forward_on_card(&self, x_nh: Tensor<2>, spans: &inputs::Spans, inputs: &Inputs, config: &ModelConfig) -> Tensor<2> {
        let noise = inputs.noise.as_ref();
        let projection = |linear: &Linear| linear.on_card(noise);
        let attention = gpu::AttentionHalf {
            norm: self.attention_norm.value(),
            projections: [&self.query, &self.key, &self.value, &self.output].map(projection),
            head_norms: self.head_norms.as_ref().map(|norms| norms.each_ref().map(Parameter::value)),
            heads: config.heads,
            kv_heads: config.kv_heads,
            epsilon: config.norm_epsilon,
        };
        let x_nh = gpu::attention_half(x_nh, attention, spans);
        let projections = [&self.gate, &self.up, &self.down].map(projection);
        let feed_forward = gpu::FeedForwardHalf { norm: self.mlp_norm.value(), projections, epsilon: config.norm_epsilon };
        gpu::feed_forward_half(x_nh, feed_forward, spans.recompute)
    }

    fn attend(&self, x_nh: Tensor<2>, inputs: &Inputs, config: &ModelConfig) -> Tensor<2> {
        let noise = inputs.noise.as_ref();
        let [q_nq, k_nk, v_nk] = self.project(x_nh, config, noise);
        self.output.forward(attention(q_nq, k_nk, v_nk, config.heads, config.kv_heads, inputs), noise)
    }

    /// Queries, keys and values, not yet turned by their positions.
    fn project(&self, x_nh: Tensor<2>, config: &ModelConfig, noise: Option<&Noise>) -> [Tensor<2>; 3] {
        let q_nq = self.query.forward(x_nh.clone(), noise);
        let k_nk = self.key.forward(x_nh.clone(), noise);
        let v_nk = self.value.forward(x_nh, noise);
        match &self.head_norms {
            Some([q, k]) => [norm_heads(q_nq, q, config), norm_heads(k_nk, k, config), v_nk],
            None => [q_nq, k_nk, v_nk],
        }
    }

    fn linears(&self) -> [&Linear; 7] {
        [&self.query, &self.key, &self.value, &self.output, &self.gate, &self.up, &self.down]
    }

    fn tensors(&self) -> impl Iterator<Item = &Parameter> {
        let norms = [&self.attention_norm, &self.mlp_norm];
        norms.into_iter().chain(self.linears().into_iter().flat_map(Linear::tensors)).chain(self.head_norms.iter().flatten())
    }

    fn tensors_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        let Self { attention_norm, mlp_norm, query, key, value, output, gate, up, down, head_norms } = self;
        let linears = [query, key, value, output, gate, up, down];
        [attention_norm, mlp_norm]
            .into_iter()
            .chain(linears.into_iter().flat_map(Linear::tensors_mut))
            .chain(head_norms.iter_mut().flatten())
    }
}

/// The norm of each head by itself.
fn norm_heads(x_nq: Tensor<2>, weight: &Parameter, config: &ModelConfig) -> Tensor<2> {
    let [n, q] = x_nq.dims();
    let d = config.head_size();
    rms_norm(x_nq.reshape([n * q / d, d]), weight.value(), config.norm_epsilon).reshape([n, q])
}

#[cfg(test)]
mod tests;
