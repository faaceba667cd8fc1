//! Rotary positions and grouped-query attention.

use burn::tensor::{DType, Tensor};
use burn_cubecl::tensor::CubeTensor;

use super::engine::{Arg, Engine, Queue, Work};
use super::source::Source;
use super::tape::{Input, empty, integers, matrix, record};
use crate::model::inputs::Spans;

mod anywhere;
pub(super) mod hopper;

/// What attention is about.
#[derive(Clone, Copy)]
struct Shape {
    rows: usize,
    length: usize,
    heads: usize,
    groups: usize,
    head: usize,
}

impl Shape {
    fn cells(self) -> usize {
        self.rows * self.length
    }

    /// Numbers of a row and head of `lse` and `delta`: the length, rounded up for those who read them by 64.
    fn padded(self) -> usize {
        self.length.next_multiple_of(64)
    }

    /// Blocks: one for each query head, row and so many positions.
    fn grid(self, positions: usize) -> (u32, u32, u32) {
        (self.heads as u32, self.rows as u32, self.length.div_ceil(positions) as u32)
    }

    /// Bytes of a tile of so many positions of a head.
    fn tile(self, positions: usize) -> u32 {
        (positions * self.head * 2) as u32
    }

    /// The last four arguments of every kernel.
    fn tail(self) -> [Arg; 4] {
        let scale = 1.0 / (self.head as f32).sqrt();
        [Arg::Int(self.length as i32), Arg::Int(self.heads as i32), Arg::Int(self.groups as i32), Arg::Float(scale)]
    }
}

/// The tables that positions are turned by, and the documents.
#[derive(Clone)]
pub(super) struct Places {
    rows: usize,
    length: usize,
    first: CubeTensor,
    last: CubeTensor,
    cos: CubeTensor,
    sin: CubeTensor,
}

impl Places {
    pub(super) fn of(spans: &Spans) -> Self {
        let [first, last] = [&spans.first_n, &spans.last_n].map(|span| integers(span.clone()));
        let [cos, sin] = [&spans.cos_nd, &spans.sin_nd].map(|table| Input::of(table.clone()).data);
        Self { rows: spans.rows, length: spans.length, first, last, cos, sin }
    }

    fn shape(&self, q: &CubeTensor, heads: usize, kv_heads: usize) -> Shape {
        Shape { rows: self.rows, length: self.length, heads, groups: heads / kv_heads, head: matrix(q)[1] / heads }
    }
}

/// Attention of `q [N, Q × D]` to `k` and `v [N, K × D]`, bfloat16, causal and within documents, after
/// queries and keys were turned by their positions. D is 64 or 128.
pub(crate) fn attention(q: Tensor<2>, k: Tensor<2>, v: Tensor<2>, heads: usize, kv_heads: usize, spans: &Spans) -> Tensor<2> {
    let inputs = [q, k, v].map(Input::of);
    let [q, k, v] = inputs.each_ref().map(|input| input.data.clone());
    let places = Places::of(spans);
    let mut queue = Queue::default();
    let saved = forward(&mut queue, &q, &k, v, heads, kv_heads, &places);
    queue.submit();
    let out = saved.out.clone();
    record(inputs, out, move |d_out, _| {
        let mut queue = Queue::default();
        let gradients = saved.backward(&mut queue, &d_out, &places);
        queue.submit();
        gradients.map(Some)
    })
}

/// What the backward pass needs: turned queries and keys, values, output, and the logarithms of the
/// softmax's divisors.
pub(super) struct Saved {
    shape: Shape,
    q: CubeTensor,
    k: CubeTensor,
    v: CubeTensor,
    pub(super) out: CubeTensor,
    lse: CubeTensor,
}

pub(super) fn forward(
    queue: &mut Queue,
    q: &CubeTensor,
    k: &CubeTensor,
    v: CubeTensor,
    heads: usize,
    kv_heads: usize,
    places: &Places,
) -> Saved {
    let shape = places.shape(q, heads, kv_heads);
    let [q, k] = [(q, heads), (k, kv_heads)].map(|(x, heads)| rotated(queue, x, places, heads, 1.0));
    let out = empty(&q, matrix(&q), DType::BF16);
    let lse = empty(&q, [heads, shape.rows * shape.padded()], DType::F32);
    queue.add([&q, &k, &v, &places.first, &out, &lse], move |engine, at| {
        let forward = if engine.hopper { hopper::forward } else { anywhere::forward };
        forward(engine, shape, at)
    });
    Saved { shape, q, k, v, out, lse }
}

impl Saved {
    /// The gradients of queries, keys and values as they were before they were turned.
    pub(super) fn backward(&self, queue: &mut Queue, d_out: &CubeTensor, places: &Places) -> [CubeTensor; 3] {
        let Self { shape, q, k, v, out, lse } = self;
        let shape = *shape;
        let [d_q, d_k, d_v] = [q, k, v].map(|x| empty(x, matrix(x), DType::BF16));
        let delta = empty(q, [shape.heads, shape.rows * shape.padded()], DType::F32);
        // A part for each query head, where a group shares keys and values.
        let [part_k, part_v] = [&d_k, &d_v].map(|d| if shape.groups == 1 { d.clone() } else { empty(q, matrix(q), DType::BF16) });
        let buffers = [q, k, v, out, d_out, lse, &delta, &places.first, &places.last, &d_q, &part_k, &part_v, &d_k, &d_v];
        queue.add(buffers, move |engine, at| {
            let backward = if engine.hopper { hopper::backward } else { anywhere::backward };
            backward(engine, shape, at)?;
            if shape.groups > 1 { sum_groups(engine, shape, at) } else { Ok(()) }
        });
        let d_q = rotated(queue, &d_q, places, shape.heads, -1.0);
        let d_k = rotated(queue, &d_k, places, shape.heads / shape.groups, -1.0);
        [d_q, d_k, d_v]
    }
}

/// The buffers of a backward pass: q, k, v, out, its gradient, lse, delta, first, last, the gradients of q, the parts of
/// those of k and v, and those of k and v.
type Buffers = [u64; 14];

/// Adds up the parts of the gradients of keys and values.
fn sum_groups(engine: &mut Engine, shape: Shape, [.., part_k, part_v, d_k, d_v]: Buffers) -> Work {
    let head_chunks = shape.head / 8;
    let chunks = shape.cells() * (shape.heads / shape.groups) * head_chunks;
    let [part_k, part_v, d_k, d_v] = [part_k, part_v, d_k, d_v].map(Arg::Address);
    let rest = [Arg::Long(chunks as i64), Arg::Int(head_chunks as i32), Arg::Int(shape.groups as i32)];
    let args = [&[part_k, part_v, d_k, d_v][..], &rest].concat();
    engine.launch(Source::Layer, "sum_groups", (chunks.div_ceil(256) as u32, 2, 1), 256, 0, &args)
}

/// Queries or keys turned by their positions' angles; `sign` -1 turns back.
fn rotated(queue: &mut Queue, x: &CubeTensor, places: &Places, heads: usize, sign: f32) -> CubeTensor {
    let [n, width] = matrix(x);
    let y = empty(x, [n, width], DType::BF16);
    let pairs = n * width / 2;
    queue.add([x, &places.cos, &places.sin, &y], move |engine, at| {
        let rest = [Arg::Long(pairs as i64), Arg::Int(heads as i32), Arg::Int((width / heads) as i32), Arg::Float(sign)];
        let args = [&at.map(Arg::Address)[..], &rest].concat();
        engine.launch(Source::Layer, "rotate", (pairs.div_ceil(256) as u32, 1, 1), 256, 0, &args)
    });
    y
}
