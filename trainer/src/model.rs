//! A decoder in the shape of Llama, Qwen2 and Qwen3: what it consists of and how a batch goes through it.

mod config;
mod init;
pub(crate) mod inputs;
mod parameter;
pub(crate) mod rope;

use burn::tensor::{Device, Tensor, activation};

pub use config::ModelConfig;
pub(crate) use init::Wanted;
pub use inputs::Inputs;
pub use parameter::Parameter;
pub use rope::RopeScaling;

use crate::kernels::{attention, rms_norm, rotate};

/// A decoder with its weights. Layout and names are those of Hugging Face's Llama, Qwen2
/// and Qwen3.
#[derive(Clone, Debug)]
pub struct Model {
    config: ModelConfig,
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
        let mut x_nh = self.embedding.value().select(0, inputs.ids_n.clone());
        for layer in &self.layers {
            x_nh = layer.forward(x_nh, inputs, &self.config);
        }
        rms_norm(x_nh, self.norm.value(), self.config.norm_epsilon)
    }

    /// The logits of hidden states, `[N, V]`. Training never calls this: its loss works in pieces.
    pub fn logits(&self, x_nh: Tensor<2>) -> Tensor<2> {
        x_nh.matmul(self.head().transpose())
    }

    /// The output matrix, `[V, H]`; the embedding where they are tied.
    pub fn head(&self) -> Tensor<2> {
        self.head.as_ref().unwrap_or(&self.embedding).value()
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
        let y_nh = rms_norm(x_nh.clone(), self.attention_norm.value(), config.norm_epsilon);
        let x_nh = x_nh + self.attend(y_nh, inputs, config);

        let y_nh = rms_norm(x_nh.clone(), self.mlp_norm.value(), config.norm_epsilon);
        let gate_ni = activation::silu(self.gate.forward(y_nh.clone()));
        x_nh + self.down.forward(gate_ni * self.up.forward(y_nh))
    }

    fn attend(&self, x_nh: Tensor<2>, inputs: &Inputs, config: &ModelConfig) -> Tensor<2> {
        let [b, t] = [inputs.rows, inputs.seq_len];
        let [k, g, d] = [config.kv_heads, config.heads / config.kv_heads, config.head_size()];
        let q_btqd = self.query.forward(x_nh.clone()).reshape([b, t, k * g, d]);
        let k_btkd = self.key.forward(x_nh.clone()).reshape([b, t, k, d]);
        let v_btkd = self.value.forward(x_nh).reshape([b, t, k, d]);
        let (q_btqd, k_btkd) = match &self.head_norms {
            Some([q, k]) => (norm_heads(q_btqd, q, config), norm_heads(k_btkd, k, config)),
            None => (q_btqd, k_btkd),
        };
        let q_btqd = rotate(q_btqd, inputs);
        let k_btkd = rotate(k_btkd, inputs);
        let y_nq = attention(q_btqd, k_btkd, v_btkd, inputs.mask_btt.clone());
        self.output.forward(y_nq)
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
fn norm_heads(x_btqd: Tensor<4>, weight: &Parameter, config: &ModelConfig) -> Tensor<4> {
    let shape @ [b, t, q, d] = x_btqd.dims();
    rms_norm(x_btqd.reshape([b * t * q, d]), weight.value(), config.norm_epsilon).reshape(shape)
}

impl Linear {
    fn forward(&self, x_ni: Tensor<2>) -> Tensor<2> {
        let y_no = x_ni.matmul(self.weight.value().transpose());
        match &self.bias {
            Some(bias) => y_no + bias.value(),
            None => y_no,
        }
    }
}

#[cfg(test)]
mod tests;
