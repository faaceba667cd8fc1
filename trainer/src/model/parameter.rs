//! One tensor of a model with its name and shape.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::error::{Error, Result};
use crate::lora::Base;

/// One tensor of a model, trained or frozen. A vector is held as a matrix of one row, so that everything
/// that goes over all parameters is one loop over one type.
#[derive(Clone, Debug)]
pub struct Parameter {
    name: String,
    shape: Vec<usize>,
    value: Tensor<2>,
}

impl Parameter {
    /// From numbers in row-major order; `shape` has one or two dimensions and as many numbers.
    pub(crate) fn new(name: String, shape: Vec<usize>, values: Vec<f32>, device: &Device) -> Self {
        let value = Tensor::from_data(TensorData::new(values, matrix(&shape)), device);
        Self { name, shape, value: trained(value) }
    }

    /// The same, never to be trained, and kept as `base` says. Vectors are few numbers and stay as they are.
    pub(crate) fn frozen(name: String, shape: Vec<usize>, values: Vec<f32>, base: Base, device: &Device) -> Self {
        let data = |values| Tensor::from_data(TensorData::new(values, matrix(&shape)), device);
        let value = match base {
            _ if shape.len() < 2 => data(values),
            Base::F32 => data(values),
            Base::Bf16 | Base::Nf4 => data(values).cast(DType::BF16),
        };
        Self { name, shape, value }
    }

    /// The name in Hugging Face files: `model.layers.0.self_attn.q_proj.weight`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape in files: `[out, in]` or `[n]`.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Numbers in it.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it is a matrix; weight decay is for matrices only.
    pub fn is_matrix(&self) -> bool {
        self.shape.len() == 2
    }

    /// Whether it is trained. What is not is a constant: no gradient of it is ever formed.
    pub fn is_trained(&self) -> bool {
        self.value.is_require_grad()
    }

    /// The tensor, `[out, in]` or `[1, n]`; it records gradients if it is trained.
    pub fn value(&self) -> Tensor<2> {
        self.value.clone()
    }

    /// The numbers in row-major order, read from the device.
    pub fn to_vec(&self) -> Result<Vec<f32>> {
        self.value.clone().inner().cast(DType::F32).try_into_vec_as::<f32>().map_err(Error::backend("read a parameter"))
    }

    /// Takes a new value, which has the shape of the old one and no automatic differentiation.
    pub(crate) fn set(&mut self, value: Tensor<2>) {
        self.value = trained(value);
    }

    /// Replaces the numbers; there are as many as before.
    #[cfg(test)]
    pub(crate) fn fill(&mut self, values: Vec<f32>) {
        let device = self.value.device().without_autodiff();
        self.set(Tensor::from_data(TensorData::new(values, matrix(&self.shape)), &device));
    }

    pub(crate) fn freeze(&mut self) {
        self.value = self.value.clone().inner();
    }
}

fn matrix(shape: &[usize]) -> [usize; 2] {
    match *shape {
        [rows, columns] => [rows, columns],
        _ => [1, shape.iter().product()],
    }
}

fn trained(value: Tensor<2>) -> Tensor<2> {
    value.autodiff().require_grad()
}
