//! One tensor of a model with its name and shape.

#[cfg(feature = "cuda")]
use std::sync::Arc;

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::device::is_cuda;
use crate::error::{Error, Result};
#[cfg(feature = "cuda")]
use crate::kernels::gpu;
use crate::load::{EMBEDDING, HEAD};
use crate::lora::{Base, Target};

/// One tensor of a model, trained or frozen. A vector is held as a matrix of one row, so that everything
/// that goes over all parameters is one loop over one type.
#[derive(Clone, Debug)]
pub struct Parameter {
    name: String,
    shape: Vec<usize>,
    value: Value,
    /// The same in bfloat16, on a card where products read it at every step; the optimizer moves both.
    #[cfg(feature = "cuda")]
    copy: Option<Box<Tensor<2>>>,
}

#[derive(Clone, Debug)]
enum Value {
    Whole(Box<Tensor<2>>),
    /// In four bits on a card.
    #[cfg(feature = "cuda")]
    Nf4(Arc<gpu::Nf4Matrix>),
}

impl Value {
    fn whole(value: Tensor<2>) -> Self {
        Self::Whole(Box::new(value))
    }
}

impl Parameter {
    /// From numbers in row-major order; `shape` has one or two dimensions and as many numbers.
    pub(crate) fn new(name: String, shape: Vec<usize>, values: Vec<f32>, device: &Device) -> Self {
        let value = Tensor::from_data(TensorData::new(values, matrix(&shape)), device);
        Self::of(name, shape, Value::whole(trained(value)))
    }

    /// The same, never to be trained, and kept as `base` says: in four bits on a card alone; the processor
    /// computes with the 32-bit numbers that the four bits stand for. Vectors are few numbers and stay as they are.
    pub(crate) fn frozen(name: String, shape: Vec<usize>, mut values: Vec<f32>, base: Base, device: &Device) -> Self {
        let whole = |values| Tensor::<2>::from_data(TensorData::new(values, matrix(&shape)), device);
        let value = match base {
            Base::Bf16 if shape.len() == 2 => Value::whole(whole(values).cast(DType::BF16)),
            #[cfg(feature = "cuda")]
            Base::Nf4 if shape.len() == 2 && is_cuda(device) => Value::Nf4(Arc::new(gpu::Nf4Matrix::new(&values, matrix(&shape), device))),
            Base::Nf4 if shape.len() == 2 => {
                base.round(&mut values);
                Value::whole(whole(values))
            }
            Base::F32 | Base::Bf16 | Base::Nf4 => Value::whole(whole(values)),
        };
        Self::of(name, shape, value)
    }

    fn of(name: String, shape: Vec<usize>, value: Value) -> Self {
        #[cfg(feature = "cuda")]
        return Self { name, shape, value, copy: None };
        #[cfg(not(feature = "cuda"))]
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
        match &self.value {
            Value::Whole(value) => value.is_require_grad(),
            #[cfg(feature = "cuda")]
            Value::Nf4(_) => false,
        }
    }

    /// The tensor, `[out, in]` or `[1, n]`; it records gradients if it is trained.
    pub fn value(&self) -> Tensor<2> {
        match &self.value {
            Value::Whole(value) => (**value).clone(),
            #[cfg(feature = "cuda")]
            Value::Nf4(packed) => packed.tensor(),
        }
    }

    /// As a card's halves of layers take it.
    #[cfg(feature = "cuda")]
    pub(super) fn on_card(&self) -> gpu::Weight {
        match &self.value {
            Value::Whole(value) => gpu::Weight::Whole { value: value.clone(), copy: self.copy.clone() },
            Value::Nf4(packed) => gpu::Weight::Nf4(packed.clone()),
        }
    }

    /// Where it is, without automatic differentiation.
    pub(crate) fn device(&self) -> Device {
        match &self.value {
            Value::Whole(value) => value.device().without_autodiff(),
            #[cfg(feature = "cuda")]
            Value::Nf4(packed) => packed.device(),
        }
    }

    /// The numbers in row-major order, read from the device.
    pub fn to_vec(&self) -> Result<Vec<f32>> {
        self.value().inner().cast(DType::F32).try_into_vec_as::<f32>().map_err(Error::backend("read a parameter"))
    }

    /// Takes a value as it is, of whatever graph it is part.
    pub(super) fn hold(&mut self, value: Tensor<2>) {
        self.value = Value::whole(value);
    }

    /// The value without automatic differentiation, taken out to be changed in place: [`Parameter::set`] follows.
    pub(crate) fn take(&mut self) -> Tensor<2> {
        let value = self.value().inner();
        self.value = Value::whole(Tensor::zeros([1, 1], &value.device()));
        value
    }

    /// Takes a new value, which has the shape of the old one and no automatic differentiation.
    pub(crate) fn set(&mut self, value: Tensor<2>) {
        self.value = Value::whole(trained(value));
        #[cfg(feature = "cuda")]
        {
            self.copy = None;
        }
    }

    /// The bfloat16 copy, where there is one.
    #[cfg(feature = "cuda")]
    pub(crate) fn copy(&self) -> Option<Tensor<2>> {
        self.copy.as_deref().cloned()
    }

    /// Takes a new value and a copy of it.
    #[cfg(feature = "cuda")]
    pub(crate) fn set_both(&mut self, value: Tensor<2>, copy: Option<Tensor<2>>) {
        self.set(value);
        self.copy = copy.map(Box::new);
    }

    /// Keeps a bfloat16 copy of a trained matrix from here on.
    #[cfg(feature = "cuda")]
    pub(super) fn keep_copy(&mut self) {
        if self.is_trained() && is_cuda(&self.device()) {
            self.copy = Some(Box::new(self.value().inner().cast(DType::BF16)));
        }
    }

    /// Keeps it in bfloat16 from here on, rounded to the nearest, where it is a trained matrix on a card.
    pub(super) fn narrow(&mut self) {
        if is_narrow(&self.name) && self.is_trained() && is_cuda(&self.device()) {
            self.set(self.value().inner().cast(DType::BF16));
        }
    }

    /// Replaces the numbers; there are as many as before.
    #[cfg(test)]
    pub(crate) fn fill(&mut self, values: Vec<f32>) {
        let device = self.device();
        self.set(Tensor::from_data(TensorData::new(values, matrix(&self.shape)), &device));
    }

    /// Freezes it at its present numbers, whatever becomes of what they are shared with.
    pub(super) fn keep(&mut self) {
        let trained = self.is_trained();
        self.freeze();
        #[cfg(feature = "cuda")]
        {
            self.copy = None;
        }
        // On a card the optimizer works in place.
        if let (Value::Whole(value), true, true) = (&mut self.value, trained, cfg!(feature = "cuda")) {
            **value = (**value).clone().mul_scalar(1.0);
        }
    }

    pub(crate) fn freeze(&mut self) {
        match &mut self.value {
            Value::Whole(value) => **value = (**value).clone().inner(),
            #[cfg(feature = "cuda")]
            Value::Nf4(_) => {}
        }
    }
}

/// Whether a trained tensor with this name in files is kept in bfloat16 where weights are (`weights` = "bf16"): embedding, output matrix
/// and the matrices of layers. All else is few numbers, and stays 32-bit.
pub(crate) fn is_narrow(name: &str) -> bool {
    name == EMBEDDING || name == HEAD || Target::of(name).is_some()
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
