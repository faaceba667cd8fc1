//! New tokens of sequences whose earlier ones are in the cache, on their way through the model.

use burn::tensor::{DType, Int, Tensor, TensorData};

use super::cache::Store;
use super::inputs::{NEVER, integers, turns};
use super::rope::Rope;
use super::{KvCache, Layer, Model, ModelConfig, Slots};
use crate::kernels::cpu::decode;
use crate::kernels::{cached_attention, embed, rms_norm, rotate};

/// New tokens of one sequence.
#[derive(Clone, Debug)]
pub(crate) struct Span<'a> {
    /// The new ids; at least one.
    pub(crate) ids: &'a [u32],
    /// Tokens before them, which are in the cache.
    pub(crate) past: usize,
    /// The sequence's room, which is enough for all of them.
    pub(crate) slots: Slots,
}

/// The new tokens of several sequences, one sequence after the other.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    ids_n: Tensor<1, Int>,
    /// Rotary tables, `[1, N, 1, 2, D / 2]`.
    cos: Tensor<5>,
    sin: Tensor<5>,
    /// Where keys and values of the new tokens go.
    slots_n: Tensor<1, Int>,
    pub(crate) reach: Reach,
}

/// What each new token attends to.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    /// For each row the sequence's slots up to itself, for the kernel that reads them where they are.
    Paged(Vec<(Slots, usize)>),
    /// For runs of rows an index to copy keys and values by.
    Gathered(Vec<Run>),
}

/// B sequences with T new tokens each, whose rows follow one another.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Slots of S positions of each sequence, `[B × S]`.
    pub(crate) slots: Tensor<1, Int>,
    /// 0 where a token may attend to a position, else [`NEVER`]; `[B, T, S]`.
    pub(crate) mask_bts: Tensor<3>,
}

impl Step {
    /// Ids are in the vocabulary. `paged` takes the kernel that reads the cache in place, which is there
    /// for 32-bit floats on the CPU.
    pub(crate) fn new(model: &Model, spans: &[Span<'_>], paged: bool) -> Self {
        let device = model.device();
        let ids: Vec<u32> = spans.iter().flat_map(|span| span.ids).copied().collect();
        let rows = ids.len();
        let positions: Vec<u32> = spans.iter().flat_map(|span| span.past as u32..span.end() as u32).collect();
        let slots: Vec<u32> = spans.iter().flat_map(|span| span.slots[span.past..span.end()].to_vec()).collect();
        let (cos_nd, sin_nd) = turns(positions.into_iter(), &Rope::of(model.config()), &device);
        let shape = [1, rows, 1, 2, model.config().head_size() / 2];
        let reach = if paged {
            Reach::Paged(spans.iter().flat_map(|span| (span.past..span.end()).map(|at| (span.slots.clone(), at + 1))).collect())
        } else {
            Reach::Gathered(spans.chunk_by(Span::alike).map(|spans| Run::new(model, spans)).collect())
        };
        Self {
            ids_n: integers(&ids, [rows], &device),
            cos: cos_nd.reshape(shape),
            sin: sin_nd.reshape(shape),
            slots_n: integers(&slots, [rows], &device),
            reach,
        }
    }
}

impl Span<'_> {
    /// Tokens of the sequence, the new ones among them.
    fn end(&self) -> usize {
        self.past + self.ids.len()
    }

    /// Whether two sequences are attended to in one product: one new token each, and lengths that are
    /// not far apart, since the shorter one is padded.
    fn alike(&self, other: &Self) -> bool {
        let class = |span: &Self| span.end().div_ceil(64).next_power_of_two();
        self.ids.len() == 1 && other.ids.len() == 1 && class(self) == class(other)
    }
}

impl Run {
    fn new(model: &Model, spans: &[Span<'_>]) -> Self {
        let device = model.device();
        let longest = spans.iter().map(Span::end).max().unwrap_or(0);
        let tokens = spans.first().map_or(0, |span| span.ids.len());
        let mut slots = Vec::with_capacity(spans.len() * longest);
        let mut mask = Vec::with_capacity(spans.len() * tokens * longest);
        for span in spans {
            let own = &span.slots[..span.end()];
            slots.extend_from_slice(own);
            // Padding is a place of the sequence's own: a NaN there is no one else's.
            slots.extend(std::iter::repeat_n(own[own.len() - 1], longest - own.len()));
            for at in span.past..span.end() {
                mask.extend((0..longest).map(|key| if key <= at { 0.0 } else { NEVER }));
            }
        }
        let shape = [spans.len(), tokens, longest];
        Self { slots: integers(&slots, [slots.len()], &device), mask_bts: Tensor::from_data(TensorData::new(mask, shape), &device) }
    }
}

impl Model {
    /// The hidden states of the new tokens after the last norm, `[N, H]`. Their keys and values are then
    /// in the cache.
    pub(crate) fn extend(&self, step: &Step, cache: &mut KvCache) -> Tensor<2> {
        let mut x_nh = embed(self.embedding.value(), step.ids_n.clone(), self.precision);
        let stores = std::mem::take(&mut cache.layers);
        for (layer, store) in self.layers.iter().zip(stores) {
            let (y_nh, store) = layer.extend(x_nh, step, store, &self.config);
            x_nh = y_nh;
            cache.layers.push(store);
        }
        rms_norm(x_nh, self.norm.value(), self.config.norm_epsilon)
    }

    /// Whether the kernels for few rows on the CPU can be had.
    pub(crate) fn on_cpu(&self) -> bool {
        decode::takes(&self.norm.value())
    }
}

impl Layer {
    fn extend(&self, x_nh: Tensor<2>, step: &Step, store: Store, config: &ModelConfig) -> (Tensor<2>, Store) {
        let dtype = x_nh.dtype();
        let y_nh = rms_norm(x_nh.clone(), self.attention_norm.value(), config.norm_epsilon);
        let [q_nq, k_nk, v_nk] = self.project(y_nh, config, None);
        let turn = |x: Tensor<2>, heads: usize| {
            let [n, width] = x.dims();
            let x = x.cast(DType::F32).reshape([1, n, heads, width / heads]);
            rotate(x, &step.cos, &step.sin).reshape([n, width])
        };
        let store = store.write(&step.slots_n, turn(k_nk, config.kv_heads), v_nk);
        let q_nq = turn(q_nq, config.heads);
        let y_nq = cached_attention(q_nq, &store.keys_pw, &store.values_pw, config.heads, config.kv_heads, &step.reach);
        let x_nh = x_nh + self.output.forward(y_nq.cast(dtype), None);
        (self.feed_forward(x_nh, config, None), store)
    }
}
