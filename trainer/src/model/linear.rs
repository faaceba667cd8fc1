//! A matrix of a layer, with its adapter where it has one.

use burn::tensor::Tensor;

use super::{Adapter, Parameter};
#[cfg(feature = "cuda")]
use crate::kernels::gpu;
use crate::kernels::{Noise, linear};

/// `y = x Wᵀ + bias`, and what an adapter makes of it.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    /// `[out, in]`.
    pub(super) weight: Parameter,
    /// `[1, out]`.
    pub(super) bias: Option<Parameter>,
    pub(super) adapter: Option<Adapter>,
}

impl Linear {
    pub(super) fn forward(&self, x_ni: Tensor<2>, noise: Option<&Noise>) -> Tensor<2> {
        let bias = self.bias.as_ref().map(Parameter::value);
        match &self.adapter {
            None => linear(x_ni, self.weight.value(), bias),
            Some(adapter) => adapter.forward(x_ni, &self.weight, bias, noise),
        }
    }

    /// As a card's halves of layers take it.
    #[cfg(feature = "cuda")]
    pub(super) fn on_card(&self, noise: Option<&Noise>) -> gpu::Projection {
        let adapter = self.adapter.as_ref().map(|adapter| adapter.on_card(noise));
        gpu::Projection { weight: self.weight.on_card(), bias: self.bias.as_ref().map(Parameter::value), adapter }
    }

    pub(super) fn tensors(&self) -> impl Iterator<Item = &Parameter> {
        [Some(&self.weight), self.bias.as_ref()].into_iter().flatten().chain(self.adapter.iter().flat_map(Adapter::tensors))
    }

    pub(super) fn tensors_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        let own = [Some(&mut self.weight), self.bias.as_mut()];
        own.into_iter().flatten().chain(self.adapter.iter_mut().flat_map(Adapter::tensors_mut))
    }
}
