//! The next token: continued pretraining and supervised fine-tuning.

use burn::tensor::{Tensor, TensorData};
use shards::Batch;

use super::{Loss, Objective};
use crate::error::Result;
use crate::kernels::linear_cross_entropy;
use crate::model::{Inputs, Model, inputs};
use crate::ranks::Replica;

/// The next token: of plain text in continued pretraining, and of answers in supervised fine-tuning,
/// where the batch's mask leaves out all else.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpt {
    /// Weight of the squared logarithm of the softmax's divisor in what is minimized; the loss that is
    /// given stays the cross entropy.
    pub z_loss: f64,
}

impl Cpt {
    /// The loss of a model alone; nothing else of a replica matters.
    pub fn of(&self, model: &Model, batch: &Batch) -> Result<Loss> {
        let inputs = Inputs::new(model, batch)?;
        let device = model.device();
        let size = batch.mask.len();
        let targets_n = inputs::integers(&batch.targets, [size], &device);
        let mask: Vec<f32> = batch.mask.iter().map(|&counts| f32::from(u8::from(counts))).collect();
        let mask_n = Tensor::from_data(TensorData::new(mask, [size]), &device);
        let x_nh = model.forward(&inputs);
        let sum = linear_cross_entropy(x_nh, model.head(), targets_n, mask_n, self.z_loss);
        Ok(Loss { sum, units: self.units(batch), metrics: Vec::new() })
    }
}

impl Objective for Cpt {
    fn units(&self, batch: &Batch) -> u64 {
        batch.trainable()
    }

    fn loss(&self, replica: &Replica, batch: &Batch) -> Result<Loss> {
        self.of(&replica.model, batch)
    }
}
