//! Grouped-query attention with rotary positions, a few queries at a time: scores are never kept, and none are
//! formed of keys that are later than all of these queries or of earlier documents (Dao et al. 2022).

use std::sync::Arc;

use burn::tensor::Tensor;
use macerator::{AutoArch, Simd, WithSimd};
use rayon::prelude::*;

use super::loops::{dot, exp, exponentials, highest};
use super::product::{Left, PAD, Right, add_product};
use super::tape::{Array, Input, array, plain, record, values};
use crate::model::Inputs;

/// Queries whose scores are formed together.
const QUERIES: usize = 32;

/// As [`crate::kernels::attention`]; none where a tensor is not one for it, or documents lie in more than one run of a row.
pub(in crate::kernels) fn attention(
    [q_nq, k_nk, v_nk]: [&Tensor<2>; 3],
    heads: usize,
    kv_heads: usize,
    inputs: &Inputs,
) -> Option<Tensor<2>> {
    let shape = Shape { b: inputs.rows, t: inputs.seq_len, d: q_nq.dims()[1] / heads, k: kv_heads, g: heads / kv_heads };
    let (cos, sin, first) = (plain(inputs.cos.clone())?, plain(inputs.sin.clone())?, inputs.first.clone()?);
    let (q, k, v) = (Input::of(q_nq)?, Input::of(k_nk)?, Input::of(v_nk)?);
    let kept = Kept { q: q.data.clone(), k: k.data.clone(), v: v.data.clone(), cos, sin, first, shape };

    let forward = |(b, k)| AutoArch::new().dispatch(Forward { heads: kept.heads(), b, k });
    let units: Vec<Attended> = shape.units().map(forward).collect();
    let y = array(shape.beside(shape.g, units.iter().map(|unit| &unit.y[..])), [shape.b * shape.t, heads * shape.d]);
    let (divisors, y_data): (Vec<_>, _) = (units.into_iter().map(|unit| unit.divisors).collect(), y.clone());
    Some(record([q, k, v], y, move |dy, wanted| {
        let (heads, y, dy) = (kept.heads(), values(&y_data), values(&dy));
        let falling = |(b, k)| AutoArch::new().dispatch(Falling { heads, b, k, y, dy, divisors: &divisors[b * shape.k + k] });
        let units: Vec<[Vec<f32>; 3]> = shape.units().map(falling).collect();
        let gradient = |at: usize, heads: usize| {
            let numbers = || shape.beside(heads, units.iter().map(|unit| &unit[at][..]));
            wanted[at].then(|| array(numbers(), [shape.b * shape.t, shape.k * heads * shape.d]))
        };
        [gradient(0, shape.g), gradient(1, 1), gradient(2, 1)]
    }))
}

/// What the operation computes with.
struct Kept {
    q: Array,
    k: Array,
    v: Array,
    cos: Array,
    sin: Array,
    first: Arc<[u32]>,
    shape: Shape,
}

impl Kept {
    fn heads(&self) -> Heads<'_> {
        let [q, k, v, cos, sin] = [&self.q, &self.k, &self.v, &self.cos, &self.sin].map(values);
        Heads { q, k, v, cos, sin, first: &self.first, shape: self.shape }
    }
}

/// b rows of t positions, k key-value heads of g queries' heads each, heads of size d.
#[derive(Clone, Copy)]
struct Shape {
    b: usize,
    t: usize,
    d: usize,
    k: usize,
    g: usize,
}

impl Shape {
    /// Row and key-value head of each unit of work.
    fn units(self) -> impl IndexedParallelIterator<Item = (usize, usize)> {
        (0..self.b * self.k).into_par_iter().map(move |unit| (unit / self.k, unit % self.k))
    }

    /// Units of `[T, heads × D]` beside each other: `[B × T, K × heads × D]`.
    fn beside<'a>(self, heads: usize, units: impl Iterator<Item = &'a [f32]>) -> Vec<f32> {
        let (own, width) = (heads * self.d, self.k * heads * self.d);
        let mut whole = vec![0.0; self.b * self.t * width];
        for (at, unit) in units.enumerate() {
            let rows = whole[at / self.k * self.t * width..].chunks_exact_mut(width);
            for (row, unit) in rows.zip(unit.chunks_exact(own)) {
                row[at % self.k * own..][..own].copy_from_slice(unit);
            }
        }
        whole
    }

    /// Positions and head size as buffers have them.
    fn padded(self) -> [usize; 2] {
        [self.t, self.d].map(|size| size.next_multiple_of(PAD))
    }
}

/// Whole arrays, as [`crate::kernels::attention`] takes them.
#[derive(Clone, Copy)]
struct Heads<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    cos: &'a [f32],
    sin: &'a [f32],
    /// First position within the row of the document of each cell.
    first: &'a [u32],
    shape: Shape,
}

impl Heads<'_> {
    /// One head of an array of so many, in a padded buffer.
    #[inline(always)]
    fn gather(&self, x: &[f32], heads: usize, b: usize, head: usize) -> Vec<f32> {
        let Shape { t, d, .. } = self.shape;
        let [tp, dp] = self.shape.padded();
        let mut buffer = vec![0.0; tp * dp];
        for (to, from) in buffer.chunks_exact_mut(dp).zip(x[b * t * heads * d..][..t * heads * d].chunks_exact(heads * d)) {
            to[..d].copy_from_slice(&from[head * d..][..d]);
        }
        buffer
    }

    /// The same turned by its positions, and scaled.
    #[inline(always)]
    fn gather_turned(&self, x: &[f32], heads: usize, b: usize, head: usize, scale: f32) -> Vec<f32> {
        let mut buffer = self.gather(x, heads, b, head);
        self.each_turn(&mut buffer, b, |x, y, [cos_x, sin_x], [cos_y, sin_y]| {
            ((x * cos_x + y * sin_x) * scale, (y * cos_y + x * sin_y) * scale)
        });
        buffer
    }

    /// The gradient of what a buffer was turned from.
    #[inline(always)]
    fn turn_back(&self, buffer: &mut [f32], b: usize, scale: f32) {
        self.each_turn(buffer, b, |x, y, [cos_x, sin_x], [cos_y, sin_y]| {
            ((x * cos_x + y * sin_y) * scale, (y * cos_y + x * sin_x) * scale)
        });
    }

    #[inline(always)]
    fn each_turn(&self, buffer: &mut [f32], b: usize, turn: impl Fn(f32, f32, [f32; 2], [f32; 2]) -> (f32, f32)) {
        let Shape { t, d, .. } = self.shape;
        let [_, dp] = self.shape.padded();
        let tables = self.cos[b * t * d..].chunks_exact(d).zip(self.sin[b * t * d..].chunks_exact(d));
        for (row, (cos, sin)) in buffer.chunks_exact_mut(dp).take(t).zip(tables) {
            let (xs, ys) = row[..d].split_at_mut(d / 2);
            let ((cos_x, cos_y), (sin_x, sin_y)) = (cos.split_at(d / 2), sin.split_at(d / 2));
            for i in 0..d / 2 {
                (xs[i], ys[i]) = turn(xs[i], ys[i], [cos_x[i], sin_x[i]], [cos_y[i], sin_y[i]]);
            }
        }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.shape.d as f32).sqrt()
    }

    /// The queries of a block, and the keys that some of them attend to, all multiples of [`PAD`].
    fn blocks(&self, b: usize) -> impl Iterator<Item = Block> {
        let (t, first) = (self.shape.t, &self.first[b * self.shape.t..]);
        let [tp, _] = self.shape.padded();
        (0..tp).step_by(QUERIES).map(move |from| {
            let to = tp.min(from + QUERIES);
            let lowest = first[from..to.min(t)].iter().copied().min().unwrap_or(0) as usize;
            Block { from, to, keys: lowest / PAD * PAD, end: to }
        })
    }

    /// Which scores of a block's query count.
    #[inline(always)]
    fn reach(&self, b: usize, query: usize, block: &Block) -> std::ops::Range<usize> {
        self.first[b * self.shape.t + query] as usize - block.keys..query + 1 - block.keys
    }

    /// The scores of a block's queries, which are scaled, with its keys, which are transposed.
    #[inline(always)]
    fn scores<S: Simd>(&self, q: &[f32], keys_dt: &[f32], block: &Block, scores: &mut [f32]) {
        let [tp, dp] = self.shape.padded();
        scores.fill(0.0);
        let (a, b) = (Left { values: &q[block.from * dp..], row: dp, step: 1 }, Right { values: &keys_dt[block.keys..], row: tp });
        add_product::<S>(a, b, scores, block.width(), [block.queries(), dp, block.width()]);
    }
}

/// Some queries and the keys before the end that they attend to.
struct Block {
    from: usize,
    to: usize,
    keys: usize,
    end: usize,
}

impl Block {
    fn queries(&self) -> usize {
        self.to - self.from
    }

    fn width(&self) -> usize {
        self.end - self.keys
    }
}

/// `[T, D]` to `[D, T]`.
#[inline(always)]
fn transposed(x: &[f32], d: usize) -> Vec<f32> {
    let t = x.len() / d;
    let mut y = vec![0.0; x.len()];
    for (at, row) in x.chunks_exact(d).enumerate() {
        for (column, x) in row.iter().enumerate() {
            y[column * t + at] = *x;
        }
    }
    y
}

/// What a unit gives.
struct Attended {
    /// `[T, G × D]`.
    y: Vec<f32>,
    /// The logarithm of each query's softmax divisor, `[G, T]`.
    divisors: Vec<f32>,
}

struct Forward<'a> {
    heads: Heads<'a>,
    b: usize,
    k: usize,
}

impl WithSimd for Forward<'_> {
    type Output = Attended;

    #[inline(always)]
    fn with_simd<S: Simd>(self) -> Attended {
        let Self { heads, b, k: head } = self;
        let Shape { t, d, k, g, .. } = heads.shape;
        let [tp, dp] = heads.shape.padded();
        let keys_dt = transposed(&heads.gather_turned(heads.k, k, b, head, 1.0), dp);
        let v = heads.gather(heads.v, k, b, head);
        let (mut y, mut divisors) = (vec![0.0; t * g * d], vec![0.0; g * t]);
        let (mut scores, mut sums) = (vec![0.0; QUERIES * tp], vec![0.0; QUERIES * dp]);
        for j in 0..g {
            let q = heads.gather_turned(heads.q, k * g, b, head * g + j, heads.scale());
            for block in heads.blocks(b) {
                let (width, queries) = (block.width(), block.from..block.to.min(t));
                let scores = &mut scores[..block.queries() * width];
                heads.scores::<S>(&q, &keys_dt, &block, scores);
                let mut shares = [0.0; QUERIES];
                for (at, (row, query)) in scores.chunks_exact_mut(width).zip(queries.clone()).enumerate() {
                    let reach = heads.reach(b, query, &block);
                    let most = highest(&row[reach.clone()]);
                    let sum = exponentials(&mut row[reach.clone()], most);
                    row[..reach.start].fill(0.0);
                    row[reach.end..].fill(0.0);
                    shares[at] = 1.0 / sum;
                    divisors[j * t + query] = most + sum.ln();
                }
                let sums = &mut sums[..block.queries() * dp];
                sums.fill(0.0);
                let weights = Left { values: scores, row: width, step: 1 };
                add_product::<S>(weights, Right { values: &v[block.keys * dp..], row: dp }, sums, dp, [block.queries(), width, dp]);
                for ((sums, share), query) in sums.chunks_exact(dp).zip(shares).zip(queries) {
                    y[(query * g + j) * d..][..d].iter_mut().zip(sums).for_each(|(y, sum)| *y = sum * share);
                }
            }
        }
        Attended { y, divisors }
    }
}

struct Falling<'a> {
    heads: Heads<'a>,
    b: usize,
    k: usize,
    /// The output and its gradient, whole arrays.
    y: &'a [f32],
    dy: &'a [f32],
    divisors: &'a [f32],
}

impl WithSimd for Falling<'_> {
    /// Gradients of queries `[T, G × D]`, keys and values `[T, D]`.
    type Output = [Vec<f32>; 3];

    /// Weights P are formed again from scores. With dP = dy Vᵀ: dS = P (dP - Σ dy y), dq = dS K, dK = Σ dSᵀ q, dV = Σ Pᵀ dy.
    #[inline(always)]
    fn with_simd<S: Simd>(self) -> [Vec<f32>; 3] {
        let Self { heads, b, k: head, y, dy, divisors } = self;
        let Shape { t, d, k, g, .. } = heads.shape;
        let [tp, dp] = heads.shape.padded();
        let keys = heads.gather_turned(heads.k, k, b, head, 1.0);
        let keys_dt = transposed(&keys, dp);
        let values_dt = transposed(&heads.gather(heads.v, k, b, head), dp);
        let (mut d_q, mut d_k, mut d_v) = (vec![0.0; t * g * d], vec![0.0; tp * dp], vec![0.0; tp * dp]);
        let [mut weights, mut falling] = [vec![0.0; QUERIES * tp], vec![0.0; QUERIES * tp]];
        for j in 0..g {
            let q = heads.gather_turned(heads.q, k * g, b, head * g + j, heads.scale());
            let [y, dy] = [y, dy].map(|x| heads.gather(x, k * g, b, head * g + j));
            let mut own_d_q = vec![0.0; tp * dp];
            for block in heads.blocks(b) {
                let (width, queries) = (block.width(), block.queries());
                let (weights, falling) = (&mut weights[..queries * width], &mut falling[..queries * width]);
                heads.scores::<S>(&q, &keys_dt, &block, weights);
                heads.scores::<S>(&dy, &values_dt, &block, falling);
                let rows = weights.chunks_exact_mut(width).zip(falling.chunks_exact_mut(width));
                for ((weights, falling), query) in rows.zip(block.from..block.to) {
                    if query >= t {
                        weights.fill(0.0);
                        falling.fill(0.0);
                        continue;
                    }
                    let reach = heads.reach(b, query, &block);
                    let (divisor, mean) = (divisors[j * t + query], dot(&y[query * dp..][..dp], &dy[query * dp..][..dp]));
                    for x in [&mut *weights, &mut *falling] {
                        x[..reach.start].fill(0.0);
                        x[reach.end..].fill(0.0);
                    }
                    for (weight, falling) in weights[reach.clone()].iter_mut().zip(&mut falling[reach]) {
                        *weight = exp(*weight - divisor);
                        *falling = *weight * (*falling - mean);
                    }
                }
                let of_keys = block.keys * dp;
                let (dy, q) = (Right { values: &dy[block.from * dp..], row: dp }, Right { values: &q[block.from * dp..], row: dp });
                let across = |values| Left { values, row: 1, step: width };
                add_product::<S>(across(weights), dy, &mut d_v[of_keys..], dp, [width, queries, dp]);
                add_product::<S>(across(falling), q, &mut d_k[of_keys..], dp, [width, queries, dp]);
                let falling = Left { values: falling, row: width, step: 1 };
                let keys = Right { values: &keys[of_keys..], row: dp };
                add_product::<S>(falling, keys, &mut own_d_q[block.from * dp..], dp, [queries, width, dp]);
            }
            heads.turn_back(&mut own_d_q, b, heads.scale());
            for (d_q, own) in d_q.chunks_exact_mut(g * d).zip(own_d_q.chunks_exact(dp)) {
                d_q[j * d..][..d].copy_from_slice(&own[..d]);
            }
        }
        heads.turn_back(&mut d_k, b, 1.0);
        let cut = |x: Vec<f32>| x.chunks_exact(dp).take(t).flat_map(|row| &row[..d]).copied().collect();
        [d_q, cut(d_k), cut(d_v)]
    }
}
