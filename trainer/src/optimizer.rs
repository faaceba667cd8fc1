//! AdamW.

use burn::tensor::Tensor;

use crate::config::TrainConfig;
use crate::gradients::Gradients;
use crate::model::Model;

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019), with 32-bit moments, in the form
/// of PyTorch's `torch.optim.AdamW`. Matrices decay; vectors (norms and biases) do not.
#[derive(Clone, Debug)]
pub struct AdamW {
    weight_decay: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    /// Updates made.
    step: u64,
    /// For each parameter, in the model's order, the mean gradient and the mean square.
    moments: Vec<(Tensor<2>, Tensor<2>)>,
}

impl AdamW {
    /// Before the first step: all moments are 0.
    pub fn new(config: &TrainConfig, model: &Model) -> Self {
        let zero = |value: Tensor<2>| value.inner().zeros_like();
        Self {
            weight_decay: config.weight_decay,
            beta1: config.beta1,
            beta2: config.beta2,
            epsilon: config.epsilon,
            step: 0,
            moments: model.parameters().iter().map(|p| (zero(p.value()), zero(p.value()))).collect(),
        }
    }

    /// Moves the weights by one step. Parameters without a gradient stay as they are. On a card it
    /// works in place: copies of the model or of the optimizer that were made before move along.
    pub fn step(&mut self, model: &mut Model, gradients: &Gradients, learning_rate: f64) {
        self.step += 1;
        let [bias1, bias2] = [self.beta1, self.beta2].map(|beta| 1.0 - beta.powf(self.step as f64));
        #[cfg(feature = "cuda")]
        if crate::device::is_cuda(gradients.device()) {
            return self.step_on_card(model, gradients, learning_rate, [bias1, bias2]);
        }
        for (index, parameter) in model.parameters_mut().into_iter().enumerate() {
            let Some(gradient) = gradients.get(index) else { continue };
            let (mean, square) = &mut self.moments[index];
            *mean = mean.clone() * self.beta1 + gradient.clone() * (1.0 - self.beta1);
            *square = square.clone() * self.beta2 + gradient.clone() * gradient * (1.0 - self.beta2);

            let decay = if parameter.is_matrix() { self.weight_decay } else { 0.0 };
            let kept = parameter.value().inner() * (1.0 - learning_rate * decay);
            let divisor = square.clone().sqrt() * (1.0 / bias2.sqrt()) + self.epsilon;
            parameter.set(kept - mean.clone() * (learning_rate / bias1) / divisor);
        }
    }

    /// The same for all parameters together, each in one pass and in place.
    #[cfg(feature = "cuda")]
    fn step_on_card(&mut self, model: &mut Model, gradients: &Gradients, learning_rate: f64, [bias1, bias2]: [f64; 2]) {
        use crate::kernels::gpu::{Rates, Slot, adamw};
        let (mut places, mut slots) = (Vec::new(), Vec::new());
        for (index, parameter) in model.parameters_mut().into_iter().enumerate() {
            let Some(gradient) = gradients.get(index) else { continue };
            let decay = if parameter.is_matrix() { self.weight_decay } else { 0.0 };
            let rates = Rates {
                beta1: self.beta1,
                beta2: self.beta2,
                epsilon: self.epsilon,
                rate: learning_rate / bias1,
                root: 1.0 / bias2.sqrt(),
                kept: 1.0 - learning_rate * decay,
            };
            let (mean, square) = self.moments[index].clone();
            slots.push(Slot { value: parameter.value().inner(), mean, square, gradient, rates });
            places.push((index, parameter));
        }
        let changed = adamw(slots, &gradients.clipped());
        for ((index, parameter), [value, mean, square]) in places.into_iter().zip(changed) {
            self.moments[index] = (mean, square);
            parameter.set(value);
        }
    }

    /// Updates made.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Mean gradient and mean square of each parameter, in the model's order.
    pub(crate) fn moments(&self) -> &[(Tensor<2>, Tensor<2>)] {
        &self.moments
    }

    /// Continues from moments of an earlier run; as many and of the same shapes as before.
    pub(crate) fn restore(&mut self, step: u64, moments: Vec<(Tensor<2>, Tensor<2>)>) {
        self.step = step;
        self.moments = moments;
    }
}

#[cfg(test)]
mod tests;
