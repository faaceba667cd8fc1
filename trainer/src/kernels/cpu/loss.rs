//! Cross-entropy of the output matrix, a piece of the rows at a time.

use burn::tensor::{Int, Tensor};
use macerator::{AutoArch, Simd, WithSimd};
use rayon::prelude::*;

use super::loops::{exponential_sum, exponentials, highest};
use super::matmul::{Matrix, multiply};
use super::tape::{Array, Input, array, plain, record, tensor, values, values_mut};
use crate::kernels::token_log_probs::gradients;

/// Logits held at a time: 2 MiB, so that they stay in a processor's cache.
const LOGITS: usize = 1 << 19;

/// Rows whose logits are held at a time; depends on the vocabulary alone, so that the order of additions does too.
fn rows(vocab: usize) -> usize {
    (LOGITS / vocab.max(1)).clamp(16, 4096)
}

/// As [`crate::kernels::linear_cross_entropy`]: gradients are formed with the loss, and scaled in the backward pass. None where a
/// tensor is not one for it.
pub(in crate::kernels) fn linear_cross_entropy(
    x_nh: &Tensor<2>,
    w_vh: &Tensor<2>,
    targets_n: &Tensor<1, Int>,
    mask_n: &Tensor<1>,
    z_loss: f64,
) -> Option<Tensor<1>> {
    let ([n, h], [v, _]) = (x_nh.dims(), w_vh.dims());
    let [x, w] = both(x_nh, w_vh)?;
    let (targets, mask) = (targets_n.clone().try_into_vec_as::<i32>().ok()?, mask_n.clone().try_into_vec_as::<f32>().ok()?);
    let (mut dx, mut dw) = (vec![0.0; n * h], w_vh.is_require_grad().then(|| vec![0.0; v * h]));
    let (step, w_matrix, mut total) = (rows(v), Matrix::new(w.values(), [v, h]), 0.0);
    let mut logits = vec![0.0; step.min(n) * v];
    for start in (0..n).step_by(step) {
        let count = step.min(n - start);
        let (x, logits) = (Matrix::new(&x.values()[start * h..][..count * h], [count, h]), &mut logits[..count * v]);
        multiply(x, w_matrix.transposed(), logits, false);
        let rows = logits.par_chunks_exact_mut(v).zip(&targets[start..start + count]).zip(&mask[start..start + count]);
        let losses = rows.map(|((logits, target), mask)| {
            AutoArch::new().dispatch(Falling { logits, target: *target as usize, mask: *mask, z_loss: z_loss as f32 })
        });
        total += losses.collect::<Vec<f32>>().into_iter().map(f64::from).sum::<f64>();
        let falling = Matrix::new(logits, [count, v]);
        multiply(falling, w_matrix, &mut dx[start * h..][..count * h], false);
        if let Some(dw) = &mut dw {
            multiply(falling.transposed(), x, dw, start > 0);
        }
    }
    let (dx, dw) = (array(dx, [n, h]), dw.map(|dw| array(dw, [v, h])));
    Some(record([x, w], array(vec![total as f32], [1]), move |grad, [to_x, to_w]| {
        let factor = values(&grad).first().copied().unwrap_or(0.0);
        [to_x.then(|| scaled(&dx, factor)), dw.as_ref().filter(|_| to_w).map(|dw| scaled(dw, factor))]
    }))
}

/// As [`crate::kernels::token_losses`]; none where a tensor is not one for it.
pub(in crate::kernels) fn token_losses(x_nh: &Tensor<2>, w_vh: &Tensor<2>, targets_n: &Tensor<1, Int>) -> Option<Tensor<1>> {
    let ([n, h], [v, _]) = (x_nh.dims(), w_vh.dims());
    if x_nh.device().is_autodiff() || w_vh.device().is_autodiff() {
        return None;
    }
    let ([x, w], targets) = (both(x_nh, w_vh)?, targets_n.clone().try_into_vec_as::<i32>().ok()?);
    let (step, w) = (rows(v), Matrix::new(w.values(), [v, h]).transposed());
    let (mut losses, mut logits) = (Vec::with_capacity(n), vec![0.0; step.min(n) * v]);
    for start in (0..n).step_by(step) {
        let count = step.min(n - start);
        let logits = &mut logits[..count * v];
        multiply(Matrix::new(&x.values()[start * h..][..count * h], [count, h]), w, logits, false);
        let rows = logits.par_chunks_exact(v).zip(&targets[start..start + count]);
        losses.extend(rows.map(|(logits, target)| AutoArch::new().dispatch(Loss { logits, target: *target as usize })).collect::<Vec<_>>());
    }
    Some(tensor(array(losses, [n])))
}

/// As [`crate::kernels::token_log_probs`], of 32-bit floats on the processor.
pub(in crate::kernels) fn token_log_probs(x_nh: &Tensor<2>, w_vh: &Tensor<2>, targets_n: Tensor<1, Int>) -> Tensor<1> {
    let [x, w] = [x_nh, w_vh].map(|tensor| tensor.clone().inner());
    let log_probs = crate::kernels::token_losses(x.clone(), w.clone(), targets_n.clone()).neg();
    let (Some(inputs), Some(value)) = (both(x_nh, w_vh), plain(log_probs.clone())) else { return log_probs };
    record(inputs, value, move |weights, wanted| {
        gradients([&x, &w], &targets_n, tensor(weights), wanted).map(|found| found.and_then(plain))
    })
}

fn both(x: &Tensor<2>, w: &Tensor<2>) -> Option<[Input; 2]> {
    Some([Input::of(x)?, Input::of(w)?])
}

/// The loss of a row: ln Z - target's logit. The highest logit is subtracted from both first, so that of two large numbers the
/// small difference stays.
struct Loss<'a> {
    logits: &'a [f32],
    target: usize,
}

impl WithSimd for Loss<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self) -> f32 {
        let most = highest(self.logits);
        (most - self.logits[self.target]) + exponential_sum(self.logits, most).ln()
    }
}

/// The loss of a row times its mask; logits become its gradient by them.
struct Falling<'a> {
    logits: &'a mut [f32],
    target: usize,
    mask: f32,
    z_loss: f32,
}

impl WithSimd for Falling<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self) -> f32 {
        let Self { logits, target, mask, z_loss } = self;
        if mask == 0.0 {
            logits.fill(0.0);
            return 0.0;
        }
        let (most, own) = (highest(logits), logits[target]);
        let sum = exponentials(logits, most);
        let log = sum.ln();
        // d(z ln²Z)/dlogit = 2 z lnZ × softmax.
        let factor = mask * (1.0 + 2.0 * z_loss * (most + log)) / sum;
        logits.iter_mut().for_each(|x| *x *= factor);
        logits[target] -= mask;
        mask * ((most - own) + log)
    }
}

fn scaled(x: &Array, factor: f32) -> Array {
    let mut x = x.clone();
    values_mut(&mut x).iter_mut().for_each(|x| *x *= factor);
    x
}
