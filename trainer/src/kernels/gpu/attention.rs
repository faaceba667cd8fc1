//! Rotary positions and grouped-query attention.

use burn::tensor::{DType, Tensor};
use burn_cubecl::tensor::CubeTensor;

use super::engine::{Arg, Engine, Work, submit};
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

/// Attention of `q [N, Q × D]` to `k` and `v [N, K × D]`, bfloat16, causal and within documents, after
/// queries and keys were turned by their positions. D is 64 or 128.
pub(crate) fn attention(q: Tensor<2>, k: Tensor<2>, v: Tensor<2>, heads: usize, kv_heads: usize, spans: &Spans) -> Tensor<2> {
    let inputs = [q, k, v].map(Input::of);
    let [q, k, v] = inputs.each_ref().map(|input| input.data.clone());
    let head = matrix(&q)[1] / heads;
    let shape = Shape { rows: spans.rows, length: spans.length, heads, groups: heads / kv_heads, head };
    let [first, last] = [&spans.first_n, &spans.last_n].map(|span| integers(span.clone()));
    let [cos, sin] = [&spans.cos_nd, &spans.sin_nd].map(|table| Input::of(table.clone()).data);

    let [q, k] = [(q, heads), (k, kv_heads)].map(|(x, heads)| rotated(&x, &cos, &sin, heads, head, 1.0));
    let out = empty(&q, matrix(&q), DType::BF16);
    let lse = empty(&q, [heads, shape.cells()], DType::F32);
    submit(&[&q, &k, &v, &first, &out, &lse], move |engine, at| {
        let mut args = at.iter().copied().map(Arg::Address).collect::<Vec<_>>();
        args.extend(shape.tail());
        let shared = shape.tile(shape.own()) + 4 * shape.tile(KEYS);
        engine.launch(shape.source(), "attention_forward", shape.grid(), THREADS, shared, &args)
    });
    let output = out.clone();
    record(inputs, output, move |d_out, _| {
        let [d_q, d_k, d_v] = [&q, &k, &v].map(|x| empty(x, matrix(x), DType::BF16));
        let delta = empty(&q, [heads, shape.cells()], DType::F32);
        // A part for each query head, where a group shares keys and values.
        let [part_k, part_v] = [&d_k, &d_v].map(|d| if shape.groups == 1 { d.clone() } else { empty(&q, matrix(&q), DType::BF16) });
        let buffers = [&q, &k, &v, &out, &d_out, &lse, &delta, &first, &last, &d_q, &part_k, &part_v, &d_k, &d_v];
        submit(&buffers, move |engine, at| backward(engine, shape, at));
        let d_q = rotated(&d_q, &cos, &sin, heads, head, -1.0);
        let d_k = rotated(&d_k, &cos, &sin, kv_heads, head, -1.0);
        [Some(d_q), Some(d_k), Some(d_v)]
    })
}

fn backward(engine: &mut Engine, shape: Shape, at: &[u64]) -> Work {
    let Shape { heads, groups, head, .. } = shape;
    let cells = shape.cells();
    let addresses: Vec<Arg> = at.iter().copied().map(Arg::Address).collect();
    let [q, k, v, out, d_out, lse, delta, first, last, d_q, part_k, part_v, d_k, d_v] = addresses[..] else {
        return Err("attention: fourteen buffers are needed".to_owned());
    };
    let grid = ((cells * heads).div_ceil(8) as u32, 1, 1);
    engine.launch(shape.source(), "attention_delta", grid, 256, 0, &[out, d_out, delta, Arg::Int(cells as i32), Arg::Int(heads as i32)])?;

    let mut args = vec![q, k, v, d_out, lse, delta, first, last, part_k, part_v];
    args.extend(shape.tail());
    let shared = 2 * shape.tile(shape.own()) + 4 * shape.tile(STREAM);
    engine.launch(shape.source(), "attention_backward_kv", shape.grid(), THREADS, shared, &args)?;
    if groups > 1 {
        let chunks = cells * heads / groups * head / 8;
        for (parts, sum) in [(part_k, d_k), (part_v, d_v)] {
            let args = [parts, sum, Arg::Long(chunks as i64), Arg::Int(groups as i32)];
            engine.launch(shape.source(), "sum_groups", (chunks.div_ceil(256) as u32, 1, 1), 256, 0, &args)?;
        }
    }

    let mut args = vec![q, k, v, d_out, lse, delta, first, d_q];
    args.extend(shape.tail());
    let shared = 2 * shape.tile(shape.own()) + 4 * shape.tile(shape.keys_back());
    engine.launch(shape.source(), "attention_backward_q", shape.grid(), THREADS, shared, &args)
}

/// Queries or keys turned by their positions' angles; `sign` -1 turns back.
fn rotated(x: &CubeTensor, cos: &CubeTensor, sin: &CubeTensor, heads: usize, head: usize, sign: f32) -> CubeTensor {
    let [n, width] = matrix(x);
    let y = empty(x, [n, width], DType::BF16);
    let pairs = n * width / 2;
    submit(&[x, cos, sin, &y], move |engine, at| {
        let mut args = at.iter().copied().map(Arg::Address).collect::<Vec<_>>();
        args.extend([Arg::Long(pairs as i64), Arg::Int(heads as i32), Arg::Int(head as i32), Arg::Float(sign)]);
        engine.launch(Source::Layer, "rotate", (pairs.div_ceil(256) as u32, 1, 1), 256, 0, &args)
    });
    y
}
