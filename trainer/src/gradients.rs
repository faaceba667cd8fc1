//! The gradient of a step: added up over micro-batches, measured and clipped.

use burn::tensor::{Device, Gradients as Found, Tensor};

use crate::buckets::Buckets;
use crate::error::{Error, Result};
use crate::kernels::cpu;
#[cfg(feature = "cuda")]
use crate::kernels::gpu::Sums;
use crate::model::{Model, Parameter};
use crate::objective::Tally;

/// The loss of a micro-batch, before its backward pass.
pub(crate) struct Counted {
    /// Sum over its units, `[1]`.
    pub(crate) sum: Tensor<1>,
    /// How often each parameter was used, in the model's order.
    pub(crate) uses: Vec<u32>,
}

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
        let mut found = self.mean(sum, total).backward();
        for (value, parameter) in self.values.iter_mut().zip(model.parameters()) {
            let gradient = gradient_of(parameter, &mut found)?;
            *value = Some(match value.take() {
                Some(sum) => sum + gradient,
                None => gradient,
            });
        }
        Ok(())
    }

    /// Adds those of other pieces, on the processor.
    pub(crate) fn merge(&mut self, other: Self) -> Result<()> {
        self.loss = self.loss.clone() + other.loss;
        let elsewhere = || Error::Backend { operation: "add up gradients", detail: "they are not on the processor".to_owned() };
        for (sum, more) in self.values.iter_mut().zip(other.values) {
            *sum = match (sum.take(), more) {
                (Some(sum), Some(more)) => Some(cpu::sum(sum, more).ok_or_else(elsewhere)?),
                (sum, more) => sum.or(more),
            };
        }
        Ok(())
    }

    /// Notes the loss of a micro-batch, and gives what is differentiated.
    fn mean(&mut self, sum: Tensor<1>, total: u64) -> Tensor<1> {
        self.loss = self.loss.clone() + sum.clone().inner();
        #[cfg(feature = "cuda")]
        {
            self.clipped = None;
        }
        sum.div_scalar(total.max(1) as f64)
    }

    /// Adds the gradient of a card's last micro-batch, where it has one, and adds up gradients, losses and the numbers beside
    /// them with those of all other cards of the group; on a card alone there are others. Gradients in buckets are added
    /// up while the backward pass goes on.
    pub(crate) fn add_up(&mut self, model: &Model, last: Option<Counted>, total: u64, buckets: Buckets, tally: &mut Tally) -> Result<()> {
        #[cfg(feature = "cuda")]
        {
            let parameters = model.parameters();
            let (sum, uses) = last.map(|Counted { sum, uses }| (sum, uses)).unzip();
            let uses = uses.unwrap_or_else(|| vec![0; parameters.len()]);
            let values = parameters.iter().map(|parameter| parameter.value()).collect();
            let mut sums = Sums::new(values, std::mem::take(&mut self.values), buckets, uses, self.device.clone());
            if let Some(sum) = sum {
                let mean = self.mean(sum, total);
                let mut found;
                (found, sums) = sums.during(|| mean.backward());
                for (index, parameter) in parameters.into_iter().enumerate() {
                    if !sums.has_taken(index) {
                        sums.put(index, gradient_of(parameter, &mut found)?);
                    } else if parameter.value().grad_remove(&mut found).is_some() {
                        return Err(undifferentiated(parameter, "was given a gradient after its gradients were added up"));
                    }
                }
            }
            let beside = [Some(self.loss.clone()), tally.sums_mut().take()];
            let (values, beside) = sums.finish(beside.into_iter().flatten().map(|numbers| numbers.unsqueeze_dim(0)).collect());
            let mut beside = beside.into_iter().map(|numbers| numbers.squeeze_dim(0));
            self.values = values;
            self.loss = beside.next().unwrap_or_else(|| self.loss.clone());
            *tally.sums_mut() = beside.next();
            Ok(())
        }
        #[cfg(not(feature = "cuda"))]
        {
            let _ = (buckets, tally);
            last.map_or(Ok(()), |Counted { sum, .. }| self.add(model, sum, total))
        }
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
        if let Some(norm) = self.norm_on_host() {
            return Tensor::from_floats([norm as f32], &self.device);
        }
        let zero = Tensor::<1>::zeros([1], &self.device);
        let squares = self.values.iter().flatten().map(|gradient| {
            // Rows first: see `kernels`.
            (gradient.clone() * gradient.clone()).sum_dim(1).sum()
        });
        squares.fold(zero, |sum, square| sum + square).sqrt()
    }

    /// The same on the processor, where a sum is known at once; none elsewhere.
    fn norm_on_host(&self) -> Option<f64> {
        let squares: Option<Vec<f64>> = self.values.iter().flatten().map(|gradient| cpu::square_sum(gradient.clone())).collect();
        squares.map(|squares| squares.into_iter().sum::<f64>().sqrt())
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
        if let Some(norm) = self.norm_on_host() {
            let factor = (longest / norm.max(longest)) as f32;
            for gradient in self.values.iter_mut().filter(|_| longest > 0.0 && factor < 1.0) {
                *gradient = gradient.take().and_then(|gradient| cpu::scale(gradient, factor));
            }
            return Tensor::from_floats([norm as f32], &self.device);
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

fn gradient_of(parameter: &Parameter, found: &mut Found) -> Result<Tensor<2>> {
    parameter.value().grad_remove(found).ok_or_else(|| undifferentiated(parameter, "has no gradient"))
}

fn undifferentiated(parameter: &Parameter, what: &str) -> Error {
    Error::Backend { operation: "differentiate the loss", detail: format!("{} {what}", parameter.name()) }
}
