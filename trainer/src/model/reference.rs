//! A model as it was before training, for objectives that compare with it.

use super::{Layer, Linear, Model};

impl Model {
    /// This model as it is now, frozen, for comparison once this one is trained. What is frozen here is shared and not
    /// copied: beside adapters the reference costs no more memory than their own numbers.
    ///
    /// Called before the first step. `keep_adapters` is for adapters that training goes on from: they are part of what
    /// the model was. New ones change nothing yet, and are left out.
    pub fn reference(&self, keep_adapters: bool) -> Self {
        let mut model = if keep_adapters { self.clone() } else { self.without_adapters() };
        model.noise = None;
        model.scalar = None;
        for parameter in model.tensors_mut() {
            parameter.keep();
        }
        model
    }

    /// The model that its adapters stand beside, sharing its weights.
    pub fn without_adapters(&self) -> Self {
        let mut model = self.clone();
        for linear in model.layers.iter_mut().flat_map(Layer::linears_mut) {
            linear.adapter = None;
        }
        model
    }
}

impl Layer {
    pub(super) fn linears_mut(&mut self) -> [&mut Linear; 7] {
        let Self { query, key, value, output, gate, up, down, .. } = self;
        [query, key, value, output, gate, up, down]
    }
}
