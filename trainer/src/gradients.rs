//! The gradient of a step: added up over micro-batches, measured and clipped.

use burn::tensor::{Device, Tensor};

use crate::error::{Error, Result};
use crate::model::Model;
use crate::objective::Tally;

/// One gradient for each parameter, in the model's order.
#[derive(Debug)]
pub struct Gradients {
    device: Device,
    values: Vec<Option<Tensor<2>>>,
    /// Sum of the losses added so far, `[1]`.
    loss: Tensor<1>,
    /// On a card: the norm and what the optimizer is to multiply gradients by, `[2]`.
    #[cfg(feature = "cuda")]
    clipped: Option<Tensor<1>>,
}

impl Gradients {
    /// Of nothing yet.
    pub fn new(model: &Model) -> Self {
        let device = model.device();
        Self {
            values: vec![None; model.parameters().len()],
            loss: Tensor::zeros([1], &device),
            device,
            #[cfg(feature = "cuda")]
            clipped: None,
        }
    }

    /// Adds the gradient of a micro-batch, of whose loss this is the sum. `total` is the number of units of the whole
    /// step: the division by it is part of every term, and so the same however the step is split.
    pub fn add(&mut self, model: &Model, sum: Tensor<1>, total: u64) -> Result<()> {
        self.loss = self.loss.clone() + sum.clone().inner();
        #[cfg(feature = "cuda")]
        {
            self.clipped = None;
        }
        let mut found = sum.div_scalar(total.max(1) as f64).backward();
        for (value, parameter) in self.values.iter_mut().zip(model.parameters()) {
            let Some(gradient) = parameter.value().grad_remove(&mut found) else {
                let detail = format!("{} has no gradient", parameter.name());
                return Err(Error::Backend { operation: "differentiate the loss", detail });
            };
            *value = Some(match value.take() {
                Some(sum) => sum + gradient,
                None => gradient,
            });
        }
        Ok(())
    }

    /// Adds up gradients, losses and the numbers beside them with those of all other cards of the group; on a card
    /// alone there are others.
    pub(crate) fn add_up(&mut self, model: &Model, tally: &mut Tally) {
        #[cfg(feature = "cuda")]
        {
            let all = self.values.iter_mut().zip(model.parameters());
            let mut all: Vec<_> =
                all.map(|(value, p)| value.take().unwrap_or_else(|| Tensor::zeros(p.value().dims(), &self.device))).collect();
            all.push(self.loss.clone().unsqueeze_dim(0));
            all.extend(tally.sums_mut().take().map(|sums| sums.unsqueeze_dim(0)));
            let beside = all.len() > model.parameters().len() + 1;
            let mut sums = crate::kernels::gpu::add_up(all);
            if beside {
                *tally.sums_mut() = sums.pop().map(|sums| sums.squeeze_dim(0));
            }
            if let Some(loss) = sums.pop() {
                self.loss = loss.squeeze_dim(0);
            }
            self.values = sums.into_iter().map(Some).collect();
        }
        let _ = (model, tally);
    }

    #[cfg(test)]
    pub(crate) fn from_values(model: &Model, values: Vec<Option<Tensor<2>>>) -> Self {
        Self { values, ..Self::new(model) }
    }

    /// Sum of the losses, `[1]`.
    pub fn loss(&self) -> Tensor<1> {
        self.loss.clone()
    }

    /// The gradient of the parameter at `index` in the model's order; none when nothing was added.
    pub fn get(&self, index: usize) -> Option<Tensor<2>> {
        self.values.get(index).cloned().flatten()
    }

    /// What [`Gradients::clip`] left to the optimizer on a card: the norm and the factor, `[2]`.
    #[cfg(feature = "cuda")]
    pub(crate) fn clipped(&self) -> Tensor<1> {
        self.clipped.clone().unwrap_or_else(|| Tensor::from_floats([0.0, 1.0], &self.device))
    }

    /// Where they are.
    #[cfg(feature = "cuda")]
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// The length of all gradients as one vector, `[1]`.
    pub fn norm(&self) -> Tensor<1> {
        let zero = Tensor::<1>::zeros([1], &self.device);
        let squares = self.values.iter().flatten().map(|gradient| {
            // Rows first: see `kernels`.
            (gradient.clone() * gradient.clone()).sum_dim(1).sum()
        });
        squares.fold(zero, |sum, square| sum + square).sqrt()
    }

    /// Scales all gradients so that their norm is at most `longest`, and gives the norm that they
    /// had. 0 sets no limit. On a card the scaling is left to the optimizer: [`Gradients::get`] gives
    /// the unscaled ones there. (Pascanu et al. 2013.)
    pub fn clip(&mut self, longest: f64) -> Tensor<1> {
        #[cfg(feature = "cuda")]
        if crate::device::is_cuda(&self.device) {
            // One pass to measure; the optimizer scales while it reads.
            let values: Vec<_> = self.values.iter().flatten().cloned().collect();
            self.clipped = crate::kernels::gpu::clip(&values, longest);
            return self.clipped.clone().map_or_else(|| Tensor::zeros([1], &self.device), |clipped| clipped.narrow(0, 0, 1));
        }
        let norm = self.norm();
        if longest > 0.0 {
            let limit = Tensor::<1>::full([1], longest, &self.device);
            let scale = (limit / norm.clone().clamp_min(longest)).unsqueeze_dim::<2>(0);
            for gradient in self.values.iter_mut().flatten() {
                *gradient = gradient.clone() * scale.clone();
            }
        }
        norm
    }
}
