//! A model for steps of decoding on a card.

use super::inputs::turns;
use super::rope::Rope;
use super::{BLOCK, KvCache, Layer, Model, Parameter, Precision};
use crate::kernels::gpu;

impl Model {
    /// This model as it is now, with the stores of an empty cache, which are its own from then on. None where it is not in
    /// bfloat16 on a card, or where some part of it has no kernel there: [`Model::extend`] takes every model.
    pub(crate) fn decoder(&self, cache: &mut KvCache, limits: gpu::Limits) -> Option<gpu::Decoder> {
        if self.precision != Precision::Bf16 || self.layers.iter().any(Layer::is_dora) {
            return None;
        }
        let positions = (limits.blocks * BLOCK) as u32;
        let (cos, sin) = turns(0..positions, &Rope::of(&self.config), &self.device());
        let layers = self.layers.iter().zip(&cache.layers).map(|(layer, store)| gpu::LayerParts {
            attention_norm: layer.attention_norm.value(),
            attention: [&layer.query, &layer.key, &layer.value, &layer.output].map(|linear| linear.on_card(None)),
            head_norms: layer.head_norms.as_ref().map(|norms| norms.each_ref().map(Parameter::value)),
            mlp_norm: layer.mlp_norm.value(),
            mlp: [&layer.gate, &layer.up, &layer.down].map(|linear| linear.on_card(None)),
            keys: store.keys_pw.clone(),
            values: store.values_pw.clone(),
        });
        let parts = gpu::Parts {
            embedding: self.embedding.value(),
            layers: layers.collect(),
            norm: self.norm.value(),
            head: self.head.as_ref().map(Parameter::value),
            turns: [cos, sin],
            heads: self.config.heads,
            kv_heads: self.config.kv_heads,
            head_size: self.config.head_size(),
            epsilon: self.config.norm_epsilon,
        };
        let decoder = gpu::Decoder::new(parts, limits)?;
        cache.layers.clear();
        Some(decoder)
    }
}
