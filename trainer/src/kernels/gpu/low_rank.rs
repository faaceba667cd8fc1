//! Adapters beside projections, and their dropout.

use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::tensor::CubeTensor;

use super::engine::{Arg, Queue};
use super::gemm::Product;
use super::linear::narrowed;
use super::source::Source;
use super::tape::{Input, empty, integers, matrix, record};
use crate::kernels::{Noise, noise_limit};

/// An adapter as the model has it: 32-bit A `[R, I]` and B `[O, R]`, R a multiple of 8.
pub(crate) struct Adapter {
    pub(crate) down: Tensor<2>,
    pub(crate) up: Tensor<2>,
    pub(crate) scale: f64,
    pub(crate) dropout: Option<Dropout>,
}

/// Which of an adapter's inputs are left out.
pub(crate) struct Dropout {
    /// One for each row of the batch.
    keys: Tensor<1, Int>,
    /// Positions of a row.
    length: usize,
    tag: u32,
    share: f64,
}

impl Dropout {
    /// None where nothing is left out.
    pub(crate) fn new(noise: Option<&Noise>, tag: u32, share: f64) -> Option<Self> {
        let noise = noise.filter(|_| share > 0.0)?;
        Some(Self { keys: noise.keys_b.clone(), length: noise.length(), tag, share })
    }

    fn ready(self) -> Mask {
        let Self { keys, length, tag, share } = self;
        Mask { keys: integers(keys), length, tag, limit: noise_limit(share), factor: (1.0 / (1.0 - share)) as f32 }
    }
}

/// The same as it is computed with.
#[derive(Clone)]
struct Mask {
    keys: CubeTensor,
    length: usize,
    tag: u32,
    limit: u32,
    factor: f32,
}

impl Mask {
    /// `x` with its zeros; added to `to`, where that is given.
    fn apply(&self, queue: &mut Queue, x: &CubeTensor, to: Option<&CubeTensor>) -> CubeTensor {
        let [n, width] = matrix(x);
        let out = to.cloned().unwrap_or_else(|| empty(x, [n, width], DType::BF16));
        let Self { length, tag, limit, factor, .. } = *self;
        let adds = to.is_some();
        queue.add([x, &self.keys, &out], move |engine, at| {
            let chunks = n * width / 8;
            let [x, keys, out] = at.map(Arg::Address);
            let ints = [width as i32, length as i32, tag.cast_signed(), limit.cast_signed()].map(Arg::Int);
            let args = [&[x, keys, out, Arg::Long(chunks as i64)], &ints[..], &[Arg::Float(factor), Arg::Int(i32::from(adds))]].concat();
            engine.launch(Source::Layer, "dropout", (chunks.div_ceil(256) as u32, 1, 1), 256, 0, &args)
        });
        out
    }
}

/// An adapter as it is computed with: its matrices in bfloat16.
pub(super) struct LowRank {
    down: CubeTensor,
    up: CubeTensor,
    scale: f32,
    mask: Option<Mask>,
}

impl Adapter {
    pub(super) fn ready(self, queue: &mut Queue) -> (LowRank, [Input; 2]) {
        let inputs = [self.down, self.up].map(Input::of);
        let [down, up] = inputs.each_ref().map(|input| narrowed(queue, &input.data));
        (LowRank { down, up, scale: self.scale as f32, mask: self.dropout.map(Dropout::ready) }, inputs)
    }
}

impl LowRank {
    /// Adds `scale × (x Aᵀ) Bᵀ` to `y`; gives `x Aᵀ`.
    pub(super) fn forward(&self, queue: &mut Queue, x: &CubeTensor, y: &CubeTensor) -> CubeTensor {
        let dropped = self.mask.as_ref().map(|mask| mask.apply(queue, x, None));
        let x = dropped.as_ref().unwrap_or(x);
        let ([n, i], [o, r], scale) = (matrix(x), matrix(&self.up), self.scale);
        let inner = empty(x, [n, r], DType::BF16);
        let product = Product::forward(n, i, r);
        queue.add([x, &self.down, &inner], move |engine, [x, a, inner]| engine.multiply(product, x, a, inner));
        let product = Product::forward(n, r, o).added(true);
        queue.add([&inner, &self.up, y], move |engine, [inner, b, y]| engine.multiply_and_add(product, scale, inner, b, y, y));
        inner
    }

    /// The gradients of A and B; that of the input is added to `dx`. `inner` is what the forward pass gave.
    pub(super) fn backward(
        &self,
        queue: &mut Queue,
        x: &CubeTensor,
        dy: &CubeTensor,
        inner: &CubeTensor,
        dx: Option<&CubeTensor>,
    ) -> [CubeTensor; 2] {
        let dropped = self.mask.as_ref().map(|mask| mask.apply(queue, x, None));
        let x = dropped.as_ref().unwrap_or(x);
        let ([n, i], [o, r], scale) = (matrix(x), matrix(&self.up), self.scale);
        let d_inner = empty(x, [n, r], DType::BF16);
        let product = Product::of_input(n, r, o);
        queue.add([dy, &self.up, &d_inner], move |engine, [dy, b, d]| engine.multiply_and_add(product, scale, dy, b, d, d));
        let (d_down, d_up) = (empty(x, [r, i], DType::F32), empty(x, [o, r], DType::F32));
        let product = Product::of_weight(n, i, r);
        queue.add([&d_inner, x, &d_down], move |engine, [d, x, da]| engine.multiply(product, d, x, da));
        let product = Product::of_weight(n, r, o);
        queue.add([dy, inner, &d_up], move |engine, [dy, inner, db]| engine.multiply_and_add(product, scale, dy, inner, db, db));
        if let Some(dx) = dx {
            let product = Product::of_input(n, i, r);
            match &self.mask {
                None => queue.add([&d_inner, &self.down, dx], move |engine, [d, a, dx]| engine.multiply(product.added(true), d, a, dx)),
                Some(mask) => {
                    let whole = empty(x, [n, i], DType::BF16);
                    queue.add([&d_inner, &self.down, &whole], move |engine, [d, a, whole]| engine.multiply(product, d, a, whole));
                    mask.apply(queue, &whole, Some(dx));
                }
            }
        }
        [d_down, d_up]
    }
}

/// `scale × (x Aᵀ) Bᵀ` by itself: `x` bfloat16 `[N, I]`.
pub(crate) fn low_rank(x: Tensor<2>, down: Tensor<2>, up: Tensor<2>, scale: f64) -> Tensor<2> {
    let x = Input::of(x);
    let mut queue = Queue::default();
    let (adapter, [down, up]) = Adapter { down, up, scale, dropout: None }.ready(&mut queue);
    let ([n, i], [o, _]) = (matrix(&x.data), matrix(&adapter.up));
    let y = empty(&x.data, [n, o], DType::BF16);
    queue.add([&y], move |engine, [y]| engine.zero(y, n * o * 2));
    let inner = adapter.forward(&mut queue, &x.data, &y);
    queue.submit();
    let saved = x.data.clone();
    record([x, down, up], y, move |dy, _| {
        let mut queue = Queue::default();
        let dx = empty(&saved, [n, i], DType::BF16);
        queue.add([&dx], move |engine, [dx]| engine.zero(dx, n * i * 2));
        let [da, db] = adapter.backward(&mut queue, &saved, &dy, &inner, Some(&dx));
        queue.submit();
        [Some(dx), Some(da), Some(db)]
    })
}

/// `x` with a share of its numbers left out: bfloat16 `[N, I]`, I a multiple of 8.
pub(crate) fn dropout(x: Tensor<2>, noise: &Noise, tag: u32, share: f64) -> Tensor<2> {
    let x = Input::of(x);
    let Some(mask) = Dropout::new(Some(noise), tag, share).map(Dropout::ready) else {
        return record([x.clone()], x.data, |dy, _| [Some(dy)]);
    };
    let mut queue = Queue::default();
    let y = mask.apply(&mut queue, &x.data, None);
    queue.submit();
    record([x], y, move |dy, _| {
        let mut queue = Queue::default();
        let dx = mask.apply(&mut queue, &dy, None);
        queue.submit();
        [Some(dx)]
    })
}
