//! What decoding on the CPU spends its time on: products of a few rows with a matrix, and attention
//! over the cache where it lies.
//!
//! A product with few rows is as fast as its matrix is read; the backend's product packs the matrix
//! first, and what it adds in which order depends on the number of rows. Here each row is a sum of
//! its own in one order: what is generated does not depend on what else is in the batch. Sums go in
//! [`LANES`] lanes on every machine, so its vector instructions do not matter either.

use burn::backend::Flex;
use burn::tensor::{DType, Tensor, TensorData};
use macerator::{AutoArch, Scalar, Simd, Vector, WithSimd};
use rayon::prelude::*;

use super::loops::{LANES, total};
use super::tape::Array;
use crate::model::Slots;

/// Rows up to which this is faster than the backend's product.
pub(crate) const FEW: usize = 32;
/// Rows that share a pass over a row of the matrix.
const TOGETHER: usize = 4;
/// Rows of the matrix that one thread takes at a time.
const PIECE: usize = 32;
/// Multiplications for which threads are not worth waking.
const SMALL: usize = 1 << 16;

/// A tensor of 32-bit floats on the CPU, without automatic differentiation, row after row.
struct Rows(Array);

impl Rows {
    fn of(x: &Tensor<2>) -> Option<Self> {
        let x = x.clone().try_into_primitive::<Flex>().ok()?;
        (x.dtype() == DType::F32 && x.layout().is_contiguous()).then_some(Self(x))
    }

    fn values(&self) -> &[f32] {
        self.0.layout().contiguous_offsets().map_or(&[], |(start, end)| &self.0.storage::<f32>()[start..end])
    }
}

/// Whether a tensor is one that these operations take.
pub(crate) fn takes(x: &Tensor<2>) -> bool {
    Rows::of(x).is_some()
}

/// `x wᵀ + bias` as [`crate::kernels::linear`]; none where a tensor is not one for it.
pub(crate) fn linear(x_ni: &Tensor<2>, weight_oi: &Tensor<2>, bias_1o: Option<&Tensor<2>>) -> Option<Tensor<2>> {
    let ([n, i], [o, _]) = (x_ni.dims(), weight_oi.dims());
    let (x, weight) = (Rows::of(x_ni)?, Rows::of(weight_oi)?);
    let bias = bias_1o.map(Rows::of).map_or(Some(None), |bias| bias.map(Some))?;
    let (x, weight) = (x.values(), weight.values());
    if n * i * o == 0 {
        return None;
    }
    let mut y_on = vec![0.0; o * n];
    let piece = |(y, weight): (&mut [f32], &[f32])| AutoArch::new().dispatch(Products { x, weight, i, y });
    if n * i * o <= SMALL {
        piece((&mut y_on, weight));
    } else {
        y_on.par_chunks_mut(PIECE * n).zip(weight.par_chunks(PIECE * i)).for_each(piece);
    }
    let mut y_no = y_on;
    if n > 1 {
        y_no = (0..n).flat_map(|row| y_no[row..].iter().step_by(n).copied()).collect();
    }
    if let Some(bias) = &bias {
        y_no.chunks_exact_mut(o).for_each(|y| y.iter_mut().zip(bias.values()).for_each(|(y, bias)| *y += bias));
    }
    Some(Tensor::from_data(TensorData::new(y_no, [n, o]), &x_ni.device()))
}

/// Products of some rows of the matrix with all rows of `x`: `y` is `[O, N]`. Like the other operation, a
/// type and no closure, so that all of it is surely compiled for the machine's instructions.
struct Products<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    i: usize,
    y: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        products::<S>(self.x, self.weight, self.i, self.y);
    }
}

#[inline(always)]
fn products<S: Simd>(x: &[f32], weight: &[f32], i: usize, y: &mut [f32]) {
    let n = x.len() / i;
    for (weight, y) in weight.chunks_exact(i).zip(y.chunks_exact_mut(n)) {
        let mut rows = x.chunks_exact(TOGETHER * i);
        let mut y = y.chunks_exact_mut(TOGETHER);
        for (rows, y) in rows.by_ref().zip(y.by_ref()) {
            let (first, second) = rows.split_at(2 * i);
            let ((a, b), (c, d)) = (first.split_at(i), second.split_at(i));
            y.copy_from_slice(&dot::<S, 4>(weight, [a, b, c, d]));
        }
        for (row, y) in rows.remainder().chunks_exact(i).zip(y.into_remainder()) {
            [*y] = dot::<S, 1>(weight, [row]);
        }
    }
}

/// Products of one vector with some others of its length. Whatever their number and the machine's vectors,
/// each is added in the same order.
#[inline(always)]
fn dot<S: Simd, const N: usize>(a: &[f32], others: [&[f32]; N]) -> [f32; N] {
    match f32::lanes::<S>() {
        16 => dot_in::<S, N, 1>(a, others),
        8 => dot_in::<S, N, 2>(a, others),
        4 => dot_in::<S, N, 4>(a, others),
        _ => dot_in::<S, N, 8>(a, others),
    }
}

/// The same with the lanes in P vectors of the machine.
#[inline(always)]
fn dot_in<S: Simd, const N: usize, const P: usize>(a: &[f32], others: [&[f32]; N]) -> [f32; N] {
    let (parts, rest) = a.as_chunks::<LANES>();
    let others = others.map(|other| {
        let (other, rest) = other.as_chunks::<LANES>();
        (&other[..parts.len()], rest)
    });
    let mut sums = [[0f32.splat::<S>(); P]; N];
    for (at, part) in parts.iter().enumerate() {
        for p in 0..P {
            let a = vector::<S, P>(part, p);
            for (sums, (other, _)) in sums.iter_mut().zip(&others) {
                sums[p] += a * vector::<S, P>(&other[at], p);
            }
        }
    }
    std::array::from_fn(|n| {
        let sum = total(std::array::from_fn(|lane| bytemuck::cast_slice::<_, f32>(&sums[n])[lane]));
        rest.iter().zip(others[n].1).fold(sum, |sum, (a, b)| sum + a * b)
    })
}

/// The p-th of P vectors.
#[inline(always)]
fn vector<S: Simd, const P: usize>(numbers: &[f32; LANES], p: usize) -> Vector<S, f32> {
    let lanes = LANES / P;
    bytemuck::pod_read_unaligned(bytemuck::cast_slice(&numbers[p * lanes..][..lanes]))
}

/// Attention of new tokens `[N, Q × D]` over the pools `[P, K × D]`: the token of row n attends to as many
/// of its sequence's slots as `rows` says. All are tensors that [`takes`] is true for.
pub(crate) fn attention(
    q_nq: &Tensor<2>,
    keys_pw: &Tensor<2>,
    values_pw: &Tensor<2>,
    heads: usize,
    kv_heads: usize,
    rows: &[(Slots, usize)],
) -> Tensor<2> {
    let [n, width] = q_nq.dims();
    let (d, group) = (width / heads, heads / kv_heads);
    let pools = [q_nq, keys_pw, values_pw].map(Rows::of);
    let [Some(q), Some(keys), Some(values)] = &pools else { unreachable!("a tensor of another device came to a kernel of the CPU") };
    let (q, keys, values) = (q.values(), keys.values(), values.values());
    let mut y = vec![0.0; n * width];
    y.par_chunks_mut(group * d).zip(q.par_chunks(group * d)).enumerate().for_each(|(at, (y, q))| {
        let ((slots, reach), head) = (&rows[at / kv_heads], at % kv_heads);
        let (slots, pool) = (&slots[..*reach], Pool { keys, values, kv_heads, head, d });
        AutoArch::new().dispatch(Attend { q, slots, pool, y });
    });
    Tensor::from_data(TensorData::new(y, [n, width]), &q_nq.device())
}

/// Keys and values of one head.
#[derive(Clone, Copy)]
struct Pool<'a> {
    keys: &'a [f32],
    values: &'a [f32],
    kv_heads: usize,
    head: usize,
    d: usize,
}

impl<'a> Pool<'a> {
    #[inline(always)]
    fn of(&self, pool: &'a [f32], slot: u32) -> &'a [f32] {
        &pool[(slot as usize * self.kv_heads + self.head) * self.d..][..self.d]
    }
}

/// The queries `[G, D]` that share a key-value head, over its keys and values at `slots`.
struct Attend<'a> {
    q: &'a [f32],
    slots: &'a [u32],
    pool: Pool<'a>,
    y: &'a mut [f32],
}

impl WithSimd for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let Self { q, slots, pool, y } = self;
        let d = pool.d;
        let scale = 1.0 / (d as f32).sqrt();
        let mut weights = vec![0.0; q.len() / d * slots.len()];
        for (at, &slot) in slots.iter().enumerate() {
            let key = pool.of(pool.keys, slot);
            for (q, weights) in q.chunks_exact(d).zip(weights.chunks_exact_mut(slots.len())) {
                let [score] = dot::<S, 1>(key, [q]);
                weights[at] = score * scale;
            }
        }
        for (weights, y) in weights.chunks_exact_mut(slots.len()).zip(y.chunks_exact_mut(d)) {
            let highest = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut sum = 0.0;
            for weight in &mut *weights {
                *weight = (*weight - highest).exp();
                sum += f64::from(*weight);
            }
            for (weight, &slot) in weights.iter().zip(slots) {
                let value = pool.of(pool.values, slot);
                y.iter_mut().zip(value).for_each(|(y, value)| *y += weight * value);
            }
            let share = 1.0 / sum as f32;
            y.iter_mut().for_each(|y| *y *= share);
        }
    }
}

#[cfg(test)]
mod tests;
