//! A decoder in the shape of Llama, Qwen2 and Qwen3: what it consists of and how a batch goes through it.

mod cache;
mod config;
mod extend;
mod init;
pub(crate) mod inputs;
mod parameter;
mod precision;
pub(crate) mod rope;

use burn::tensor::{DType, Device, Tensor};

pub(crate) use cache::{BLOCK, KvCache, Slots};
pub use config::ModelConfig;
pub(crate) use extend::{Reach, Span, Step};
pub(crate) use init::Wanted;
pub use inputs::Inputs;
pub use parameter::Parameter;
pub use precision::Precision;
pub use rope::RopeScaling;

use crate::config::refuse;
use crate::error::Result;
#[cfg(feature = "cuda")]
use crate::kernels::gpu;
use crate::kernels::{attention, embed, linear, rms_norm, swiglu};

/// A decoder with its weights. Layout and names are those of Hugging Face's Llama, Qwen2
/// and Qwen3.
#[derive(Clone, Debug)]
pub struct Model {
    config: ModelConfig,
    precision: Precision,
    /// Whether a layer keeps nothing but its input for the backward pass.
    recompute: bool,
    embedding: Parameter,
    layers: Vec<Layer>,
    norm: Parameter,
    /// The output matrix, where it is not the embedding.
    head: Option<Parameter>,
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

#[derive(Clone, Debug)]
struct Linear {
    /// `[out, in]`.
    weight: Parameter,
    /// `[1, out]`.
    bias: Option<Parameter>,
}

impl Model {
    /// The hidden states after the last norm, `[N, H]` with N = rows × positions.
    ///
    /// In shape suffixes: b rows, t positions, n = b × t, h hidden size, q query heads,
    /// k key-value heads, g = q / k, d head size, v vocabulary.
    pub fn forward(&self, inputs: &Inputs) -> Tensor<2> {
        let mut x_nh = embed(self.embedding.value(), inputs.ids_n.clone(), self.precision == Precision::Bf16);
        for layer in &self.layers {
            x_nh = layer.forward(x_nh, inputs, &self.config);
        }
        rms_norm(x_nh, self.norm.value(), self.config.norm_epsilon)
    }

    /// The logits of hidden states, 32-bit `[N, V]`. Training never calls this: its loss works in pieces.
    pub fn logits(&self, x_nh: Tensor<2>) -> Tensor<2> {
        linear(x_nh, self.head(), None).cast(DType::F32)
    }

    /// The output matrix, `[V, H]`; the embedding where they are tied.
    pub fn head(&self) -> Tensor<2> {
        self.head.as_ref().unwrap_or(&self.embedding).value()
    }

    /// The numbers that activations consist of.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The same model with activations of this precision, or why it cannot have them.
    pub fn with_precision(mut self, precision: Precision) -> Result<Self> {
        precision.check(&self.config, &self.device())?;
        self.precision = precision;
        Ok(self)
    }

    /// The same model, whose layers keep nothing but their inputs for the backward pass and compute the
    /// rest again (Chen et al. 2016): less memory, a third more work. With bfloat16 activations only.
    pub fn with_recompute(mut self, recompute: bool) -> Result<Self> {
        if recompute && self.precision != Precision::Bf16 {
            return refuse("activation-checkpointing", "on, which is for `precision` = \"bf16\" on an NVIDIA card");
        }
        self.recompute = recompute;
        Ok(self)
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
        self.embedding.value().device().without_autodiff()
    }

    /// Trained numbers in all.
    pub fn num_params(&self) -> u64 {
        self.parameters().iter().map(|parameter| parameter.len() as u64).sum()
    }

    /// A copy, sharing the weights, whose forward pass records nothing for a backward pass.
    pub fn frozen(&self) -> Model {
        let mut model = self.clone();
        for parameter in model.parameters_mut() {
            parameter.freeze();
        }
        model
    }

    /// All parameters in a fixed order: embedding, layers from the first on, norm, output.
    pub fn parameters(&self) -> Vec<&Parameter> {
        let mut all = vec![&self.embedding];
        all.extend(self.layers.iter().flat_map(Layer::parameters));
        all.push(&self.norm);
        all.extend(&self.head);
        all
    }

    /// The same in the same order, to be changed.
    pub(crate) fn parameters_mut(&mut self) -> Vec<&mut Parameter> {
        let mut all = vec![&mut self.embedding];
        all.extend(self.layers.iter_mut().flat_map(Layer::parameters_mut));
        all.push(&mut self.norm);
        all.extend(&mut self.head);
        all
    }
}

impl Layer {
    fn forward(&self, x_nh: Tensor<2>, inputs: &Inputs, config: &ModelConfig) -> Tensor<2> {
        #[cfg(feature = "cuda")]
        if let (Some(spans), true) = (&inputs.spans, gpu::takes(&x_nh)) {
            return self.forward_on_card(x_nh, spans, config);
        }
        let y_nh = rms_norm(x_nh.clone(), self.attention_norm.value(), config.norm_epsilon);
        self.feed_forward(x_nh + self.attend(y_nh, inputs, config), config)
    }

    /// The second half of the layer.
    fn feed_forward(&self, x_nh: Tensor<2>, config: &ModelConfig) -> Tensor<2> {
        let y_nh = rms_norm(x_nh.clone(), self.mlp_norm.value(), config.norm_epsilon);
        let y_ni = swiglu(self.gate.forward(y_nh.clone()), self.up.forward(y_nh));
        x_nh + self.down.forward(y_ni)
    }

    /// The same with each half as one operation of the card.
    #[cfg(feature = "cuda")]
    fn forward_on_card(&self, x_nh: Tensor<2>, spans: &inputs::Spans, config: &ModelConfig) -> Tensor<2> {
        let projection = |linear: &Linear| (linear.weight.value(), linear.bias.as_ref().map(Parameter::value));
        let attention = gpu::AttentionHalf {
            norm: self.attention_norm.value(),
            projections: [&self.query, &self.key, &self.value].map(projection),
            output: self.output.weight.value(),
            head_norms: self.head_norms.as_ref().map(|norms| norms.each_ref().map(Parameter::value)),
            heads: config.heads,
            kv_heads: config.kv_heads,
            epsilon: config.norm_epsilon,
        };
        let x_nh = gpu::attention_half(x_nh, attention, spans);
        let [gate, up, down] = [&self.gate, &self.up, &self.down].map(|linear| linear.weight.value());
        let feed_forward = gpu::FeedForwardHalf { norm: self.mlp_norm.value(), gate, up, down, epsilon: config.norm_epsilon };
        gpu::feed_forward_half(x_nh, feed_forward, spans.recompute)
    }

    fn attend(&self, x_nh: Tensor<2>, inputs: &Inputs, config: &ModelConfig) -> Tensor<2> {
        let [q_nq, k_nk, v_nk] = self.project(x_nh, config);
        self.output.forward(attention(q_nq, k_nk, v_nk, config.heads, config.kv_heads, inputs))
    }

    /// Queries, keys and values, not yet turned by their positions.
    fn project(&self, x_nh: Tensor<2>, config: &ModelConfig) -> [Tensor<2>; 3] {
        let q_nq = self.query.forward(x_nh.clone());
        let k_nk = self.key.forward(x_nh.clone());
        let v_nk = self.value.forward(x_nh);
        match &self.head_norms {
            Some([q, k]) => [norm_heads(q_nq, q, config), norm_heads(k_nk, k, config), v_nk],
            None => [q_nq, k_nk, v_nk],
        }
    }

    fn linears(&self) -> [&Linear; 7] {
        [&self.query, &self.key, &self.value, &self.output, &self.gate, &self.up, &self.down]
    }

    fn parameters(&self) -> Vec<&Parameter> {
        let mut all = vec![&self.attention_norm, &self.mlp_norm];
        for linear in self.linears() {
            all.push(&linear.weight);
            all.extend(&linear.bias);
        }
        all.extend(self.head_norms.iter().flatten());
        all
    }

    fn parameters_mut(&mut self) -> Vec<&mut Parameter> {
        let mut all = vec![&mut self.attention_norm, &mut self.mlp_norm];
        let linears = [&mut self.query, &mut self.key, &mut self.value, &mut self.output, &mut self.gate, &mut self.up, &mut self.down];
        for linear in linears {
            all.push(&mut linear.weight);
            all.extend(&mut linear.bias);
        }
        all.extend(self.head_norms.iter_mut().flatten());
        all
    }
}

/// The norm of each head by itself.
fn norm_heads(x_nq: Tensor<2>, weight: &Parameter, config: &ModelConfig) -> Tensor<2> {
    let [n, q] = x_nq.dims();
    let d = config.head_size();
    rms_norm(x_nq.reshape([n * q / d, d]), weight.value(), config.norm_epsilon).reshape([n, q])
}

impl Linear {
    fn forward(&self, x_ni: Tensor<2>) -> Tensor<2> {
        linear(x_ni, self.weight.value(), self.bias.as_ref().map(Parameter::value))
    }
}

#[cfg(test)]
mod tests;
