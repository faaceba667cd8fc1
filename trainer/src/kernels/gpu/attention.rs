//! Rotary positions and grouped-query attention.

use burn::tensor::{DType, Tensor};
use burn_cubecl::tensor::CubeTensor;

use super::engine::{Arg, Engine, Queue, Work};
use super::source::Source;
use super::tape::{Input, empty, integers, matrix, record};
use crate::model::inputs::Spans;

/// Keys or queries taken at a time, as in `cuda/attention.cu`.
const KEYS: usize = 64;
const STREAM: usize = 32;
const THREADS: u32 = 128;

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
    fn source(self) -> Source {
        Source::Attention { head: self.head }
    }

    fn cells(self) -> usize {
        self.rows * self.length
    }

    /// Rows of a block.
    fn own(self) -> usize {
        if self.head == 64 { 128 } else { 64 }
    }

    /// Keys taken at a time by the kernel for queries' gradients.
    fn keys_back(self) -> usize {
        if self.head == 64 { 32 } else { 64 }
    }

    fn grid(self) -> (u32, u32, u32) {
        (self.heads as u32, self.rows as u32, self.length.div_ceil(self.own()) as u32)
    }

    /// Bytes of a tile of so many rows.
    fn tile(self, rows: usize) -> u32 {
        (rows * self.head * 2) as u32
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
    let lse = empty(&q, [heads, shape.cells()], DType::F32);
    queue.add([&q, &k, &v, &places.first, &out, &lse], move |engine, at| {
        let args = [&at.map(Arg::Address)[..], &shape.tail()].concat();
        let shared = shape.tile(shape.own()) + 4 * shape.tile(KEYS);
        engine.launch(shape.source(), "attention_forward", shape.grid(), THREADS, shared, &args)
    });
    Saved { shape, q, k, v, out, lse }
}

impl Saved {
    /// The gradients of queries, keys and values as they were before they were turned.
    pub(super) fn backward(&self, queue: &mut Queue, d_out: &CubeTensor, places: &Places) -> [CubeTensor; 3] {
        let Self { shape, q, k, v, out, lse } = self;
        let shape = *shape;
        let [d_q, d_k, d_v] = [q, k, v].map(|x| empty(x, matrix(x), DType::BF16));
        let delta = empty(q, [shape.heads, shape.cells()], DType::F32);
        // A part for each query head, where a group shares keys and values.
        let [part_k, part_v] = [&d_k, &d_v].map(|d| if shape.groups == 1 { d.clone() } else { empty(q, matrix(q), DType::BF16) });
        let buffers = [q, k, v, out, d_out, lse, &delta, &places.first, &places.last, &d_q, &part_k, &part_v, &d_k, &d_v];
        queue.add(buffers, move |engine, at| backward(engine, shape, at));
        let d_q = rotated(queue, &d_q, places, shape.heads, -1.0);
        let d_k = rotated(queue, &d_k, places, shape.heads / shape.groups, -1.0);
        [d_q, d_k, d_v]
    }
}

fn backward(engine: &mut Engine, shape: Shape, at: [u64; 14]) -> Work {
    let Shape { heads, groups, head, .. } = shape;
    let cells = shape.cells();
    let [q, k, v, out, d_out, lse, delta, first, last, d_q, part_k, part_v, d_k, d_v] = at.map(Arg::Address);
    let grid = ((cells * heads).div_ceil(8) as u32, 1, 1);
    engine.launch(shape.source(), "attention_delta", grid, 256, 0, &[out, d_out, delta, Arg::Int(cells as i32), Arg::Int(heads as i32)])?;

    let args = [&[q, k, v, d_out, lse, delta, first, last, part_k, part_v][..], &shape.tail()].concat();
    let shared = 2 * shape.tile(shape.own()) + 4 * shape.tile(STREAM);
    engine.launch(shape.source(), "attention_backward_kv", shape.grid(), THREADS, shared, &args)?;
    if groups > 1 {
        let chunks = cells * heads / groups * head / 8;
        for (parts, sum) in [(part_k, d_k), (part_v, d_v)] {
            let args = [parts, sum, Arg::Long(chunks as i64), Arg::Int(groups as i32)];
            engine.launch(shape.source(), "sum_groups", (chunks.div_ceil(256) as u32, 1, 1), 256, 0, &args)?;
        }
    }

    let args = [&[q, k, v, d_out, lse, delta, first, d_q][..], &shape.tail()].concat();
    let shared = 2 * shape.tile(shape.own()) + 4 * shape.tile(shape.keys_back());
    engine.launch(shape.source(), "attention_backward_q", shape.grid(), THREADS, shared, &args)
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
