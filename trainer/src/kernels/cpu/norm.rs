//! Root mean square norm.

use burn::tensor::Tensor;
use macerator::{AutoArch, Simd, WithSimd};
use rayon::prelude::*;

use super::loops::dot;
use super::tape::{Array, Input, array, record, values};

/// Rows that one thread takes at a time.
const PIECE: usize = 64;

/// As [`crate::kernels::rms_norm`]; none where a tensor is not one for it.
pub(in crate::kernels) fn rms_norm(x_nh: &Tensor<2>, weight_1h: &Tensor<2>, epsilon: f64) -> Option<Tensor<2>> {
    let [n, h] = x_nh.dims();
    let (x, weight) = (Input::of(x_nh)?, Input::of(weight_1h)?);
    if n * h == 0 {
        return None;
    }
    let (mut y, mut scales) = (vec![0.0; n * h], vec![0.0; n]);
    let (from, factors) = (x.values(), weight.values());
    let pieces = y.par_chunks_mut(PIECE * h).zip(scales.par_chunks_mut(PIECE)).zip(from.par_chunks(PIECE * h));
    pieces.for_each(|((y, scales), x)| AutoArch::new().dispatch(Forward { x, weight: factors, epsilon: epsilon as f32, y, scales }));

    let (x_data, w_data) = (x.data.clone(), weight.data.clone());
    Some(record([x, weight], array(y, [n, h]), move |dy, wanted| backward(&x_data, &w_data, &scales, &dy, wanted)))
}

struct Forward<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    epsilon: f32,
    y: &'a mut [f32],
    /// One over the root of each row's mean square.
    scales: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let h = self.weight.len();
        for ((x, y), scale) in self.x.chunks_exact(h).zip(self.y.chunks_exact_mut(h)).zip(self.scales) {
            *scale = 1.0 / (dot(x, x) / h as f32 + self.epsilon).sqrt();
            for ((y, x), weight) in y.iter_mut().zip(x).zip(self.weight) {
                *y = x * *scale * weight;
            }
        }
    }
}

/// With y = s x w and s = (mean(x²) + ε)^(-1/2): dx = s w dy - x s³ / H Σ(dy w x), and dw = Σ over rows of dy s x.
fn backward(x: &Array, weight: &Array, scales: &[f32], dy: &Array, [to_x, to_w]: [bool; 2]) -> [Option<Array>; 2] {
    let (x, weight, dy) = (values(x), values(weight), values(dy));
    let (n, h) = (scales.len(), weight.len());
    let (mut dx, mut parts) = (vec![0.0; n * h], vec![0.0; n.div_ceil(PIECE) * h]);
    let inputs = x.par_chunks(PIECE * h).zip(dy.par_chunks(PIECE * h)).zip(scales.par_chunks(PIECE));
    let pieces = dx.par_chunks_mut(PIECE * h).zip(parts.par_chunks_mut(h)).zip(inputs);
    pieces.for_each(|((dx, dw), ((x, dy), scales))| AutoArch::new().dispatch(Falling { x, weight, scales, dy, dx, dw }));
    let dw = to_w.then(|| {
        let mut dw = vec![0.0; h];
        for part in parts.chunks_exact(h) {
            dw.iter_mut().zip(part).for_each(|(dw, part)| *dw += part);
        }
        array(dw, [1, h])
    });
    [to_x.then(|| array(dx, [n, h])), dw]
}

struct Falling<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    scales: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
    /// Sum over the rows.
    dw: &'a mut [f32],
}

impl WithSimd for Falling<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let h = self.weight.len();
        let rows = self.x.chunks_exact(h).zip(self.dy.chunks_exact(h)).zip(self.dx.chunks_exact_mut(h));
        for (((x, dy), dx), scale) in rows.zip(self.scales) {
            for (((dx, dw), (x, dy)), weight) in dx.iter_mut().zip(&mut *self.dw).zip(x.iter().zip(dy)).zip(self.weight) {
                *dx = dy * weight;
                *dw += dy * (x * scale);
            }
            let factor = dot(dx, x) * scale * scale / h as f32;
            for (dx, x) in dx.iter_mut().zip(x) {
                *dx = (*dx - x * factor) * scale;
            }
        }
    }
}
