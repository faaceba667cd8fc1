//! What is learned: from a batch to a loss.

use burn::tensor::{Tensor, TensorData};
use shards::Batch;

use crate::error::{Error, Result};
use crate::kernels::{check, linear_cross_entropy};
use crate::model::{Inputs, Model, inputs};

/// The loss of a batch as a sum and a count. The mean is formed once, over all micro-batches and
/// ranks of a step; the mean of means would weigh tokens by how full their batch is.
#[derive(Clone, Debug)]
pub struct Loss {
    /// Sum over the targets that count, in nats, `[1]`; it carries the gradient.
    pub sum: Tensor<1>,
    /// Targets that count.
    pub tokens: u64,
}

impl Loss {
    /// Nats per token, read from the device; 0 when no target counts.
    pub fn mean(&self) -> Result<f64> {
        let sum = read(self.sum.clone().inner(), "read the loss")?;
        Ok(if self.tokens == 0 { 0.0 } else { sum / self.tokens as f64 })
    }
}

/// Something to learn from batches.
pub trait Objective: Sync {
    /// The loss of one batch. Only `mask` decides what counts.
    fn loss(&self, model: &Model, batch: &Batch) -> Result<Loss>;
}

/// Continued pretraining: the next token of plain text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpt {
    /// Weight of the squared logarithm of the softmax's divisor in what is minimized; the loss that is
    /// given stays the cross entropy.
    pub z_loss: f64,
}

impl Objective for Cpt {
    fn loss(&self, model: &Model, batch: &Batch) -> Result<Loss> {
        let inputs = Inputs::new(model, batch)?;
        let device = model.device();
        let size = batch.mask.len();
        let targets_n = inputs::integers(&batch.targets, [size], &device);
        let mask: Vec<f32> = batch.mask.iter().map(|&counts| f32::from(u8::from(counts))).collect();
        let mask_n = Tensor::from_data(TensorData::new(mask, [size]), &device);
        let x_nh = model.forward(&inputs);
        let sum = linear_cross_entropy(x_nh, model.head(), targets_n, mask_n, self.z_loss);
        Ok(Loss { sum, tokens: batch.trainable() })
    }
}

/// One number from the device.
pub(crate) fn read(value: Tensor<1>, operation: &'static str) -> Result<f64> {
    let value = value.try_into_scalar::<f32>().map(f64::from).map_err(Error::backend(operation))?;
    check(operation)?;
    Ok(value)
}

#[cfg(test)]
mod tests;
