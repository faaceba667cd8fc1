//! A layer that keeps nothing but its input for the backward pass (Chen et al. 2016).

use std::sync::Arc;

use burn::tensor::Tensor;

use super::{Inputs, Layer, ModelConfig, Parameter};
use crate::kernels::recomputed;

impl Layer {
    /// [`Layer::forward`] with its value and gradients, computed once more in the backward pass.
    pub(super) fn recomputed(&self, x_nh: Tensor<2>, inputs: &Inputs, config: &ModelConfig) -> Tensor<2> {
        let trained: Vec<bool> = self.tensors().map(Parameter::is_trained).collect();
        let values = self.tensors().filter(|parameter| parameter.is_trained()).map(Parameter::value).collect();
        // What is kept must not hold on to the graph that it becomes a part of.
        let mut frozen = self.clone();
        frozen.tensors_mut().for_each(Parameter::freeze);
        let (inputs, config) = (inputs.clone(), config.clone());
        let forward = move |x_nh, values: &[Tensor<2>]| {
            let mut layer = frozen.clone();
            let places = layer.tensors_mut().zip(&trained).filter(|(_, trained)| **trained);
            places.zip(values).for_each(|((parameter, _), value)| parameter.hold(value.clone()));
            layer.forward(x_nh, &inputs, &config)
        };
        recomputed(x_nh, values, Arc::new(forward))
    }
}
