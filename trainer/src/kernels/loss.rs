//! Cross-entropy of the output matrix, without ever holding all logits.

use burn::tensor::{DType, IndexingUpdateOp, Int, Tensor, activation};

/// Logits held at a time: 2^22 numbers, 16 MiB.
const CHUNK: usize = 1 << 22;

/// Rows whose logits are held at a time; depends on the vocabulary alone, so that the order of
/// additions does too.
pub(super) fn chunk_rows(vocab: usize) -> usize {
    (CHUNK / vocab).clamp(16, 4096)
}

/// The sum of `mask × -ln softmax(x W^T)[target]` over all rows, `[1]`, with its gradient. With
/// `z_loss` above 0 the gradient, and it alone, is that of the sum with `mask × z_loss × ln²Z` added, where
/// Z is the softmax's divisor (Chowdhery et al. 2022, section 5): the loss stays comparable.
///
/// A piece of the rows at a time, the gradient of logits is formed and multiplied into those of `x`
/// and `W` at once, instead of keeping the logits (rows × vocabulary) until the backward pass. What
/// is handed to automatic differentiation is a sum with exactly these gradients, in place of whose
/// value stands the loss.
pub(crate) fn linear_cross_entropy(
    x_nh: Tensor<2>,
    w_vh: Tensor<2>,
    targets_n: Tensor<1, Int>,
    mask_n: Tensor<1>,
    z_loss: f64,
) -> Tensor<1> {
    #[cfg(feature = "cuda")]
    if super::gpu::takes(&x_nh) {
        return super::gpu::linear_cross_entropy(x_nh, w_vh, targets_n, mask_n, z_loss);
    }
    let w_vh = if w_vh.dtype() == DType::F32 { w_vh } else { w_vh.cast(DType::F32) };
    if let Some(loss) = super::cpu::linear_cross_entropy(&x_nh, &w_vh, &targets_n, &mask_n, z_loss) {
        return loss;
    }
    let step = chunk_rows(w_vh.dims()[0]);
    in_pieces(x_nh, w_vh, targets_n, mask_n, z_loss, step)
}

pub(super) fn in_pieces(
    x_nh: Tensor<2>,
    w_vh: Tensor<2>,
    targets_n: Tensor<1, Int>,
    mask_n: Tensor<1>,
    z_loss: f64,
    step: usize,
) -> Tensor<1> {
    let [rows, _] = x_nh.dims();
    let trained = w_vh.is_require_grad();
    let weights = w_vh.clone().inner().cast(DType::F32);
    let mut total = Tensor::<1>::zeros([1], &weights.device());
    let mut dx = Vec::with_capacity(rows.div_ceil(step));
    let mut dw_vh = if trained { weights.zeros_like() } else { Tensor::zeros([1, 1], &weights.device()) };
    for start in (0..rows).step_by(step) {
        let count = step.min(rows - start);
        let x_ch = x_nh.clone().inner().narrow(0, start, count);
        let targets_c1 = targets_n.clone().narrow(0, start, count).unsqueeze_dim::<2>(1);
        let mask_c1 = mask_n.clone().narrow(0, start, count).unsqueeze_dim::<2>(1);

        let Forward { losses_c1, divisors_c1, softmax_cv } = forward(x_ch.clone(), weights.clone(), targets_c1.clone());
        total = total + (losses_c1 * mask_c1.clone()).sum();
        // d(z ln²Z)/dlogit = 2 z lnZ × softmax.
        let softmax_cv = if z_loss > 0.0 { softmax_cv * (divisors_c1 * (2.0 * z_loss) + 1.0) } else { softmax_cv };
        let minus_one = mask_c1.zeros_like().sub_scalar(1.0);
        let dlogits_cv = softmax_cv.scatter(1, targets_c1, minus_one, IndexingUpdateOp::Add);
        if trained {
            dw_vh = dw_vh + dlogits_cv.clone().transpose().matmul(x_ch * mask_c1.clone());
        }
        dx.push(dlogits_cv.matmul(weights.clone()) * mask_c1);
    }
    let mut carrier = (x_nh * Tensor::cat(dx, 0)).sum();
    if trained {
        carrier = carrier + (w_vh * dw_vh).sum();
    }
    // The difference is exactly 0, whatever the carrier's value.
    (carrier.clone() - carrier.inner()) + total
}

/// The loss of every row, `[N]`, without a gradient.
pub(crate) fn token_losses(x_nh: Tensor<2>, w_vh: Tensor<2>, targets_n: Tensor<1, Int>) -> Tensor<1> {
    #[cfg(feature = "cuda")]
    if super::gpu::takes(&x_nh) {
        return super::gpu::token_losses(x_nh, w_vh, targets_n).squeeze_dim(1);
    }
    let w_vh = if w_vh.dtype() == DType::F32 { w_vh } else { w_vh.cast(DType::F32) };
    super::cpu::token_losses(&x_nh, &w_vh, &targets_n).unwrap_or_else(|| plain_losses(x_nh, w_vh, targets_n))
}

pub(super) fn plain_losses(x_nh: Tensor<2>, w_vh: Tensor<2>, targets_n: Tensor<1, Int>) -> Tensor<1> {
    let [rows, _] = x_nh.dims();
    let step = chunk_rows(w_vh.dims()[0]);
    let pieces = (0..rows).step_by(step).map(|start| {
        let count = step.min(rows - start);
        let targets_c1 = targets_n.clone().narrow(0, start, count).unsqueeze_dim::<2>(1);
        forward(x_nh.clone().narrow(0, start, count), w_vh.clone(), targets_c1).losses_c1
    });
    Tensor::cat(pieces.collect(), 0).squeeze_dim(1)
}

/// What a piece of rows gives.
pub(super) struct Forward {
    pub(super) losses_c1: Tensor<2>,
    /// Logarithm of the softmax's divisor, ln Z.
    pub(super) divisors_c1: Tensor<2>,
    pub(super) softmax_cv: Tensor<2>,
}

/// The loss is ln Z - target logit, and ln Z is highest logit - ln(highest probability): unlike
/// ln(softmax[target]) that cannot underflow. The highest and the target's logit are subtracted first,
/// so that of two large numbers the small difference stays.
pub(super) fn forward(x_ch: Tensor<2>, w_vh: Tensor<2>, targets_c1: Tensor<2, Int>) -> Forward {
    let logits_cv = x_ch.matmul(w_vh.cast(DType::F32).transpose());
    let highest_c1 = logits_cv.clone().max_dim(1);
    let target_c1 = logits_cv.clone().gather(1, targets_c1);
    let softmax_cv = activation::softmax(logits_cv, 1);
    let rest_c1 = softmax_cv.clone().max_dim(1).log();
    let losses_c1 = highest_c1.clone() - target_c1 - rest_c1.clone();
    Forward { losses_c1, divisors_c1: highest_c1 - rest_c1, softmax_cv }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use burn::tensor::{Device, TensorData};

    const ROWS: usize = 7;
    const WIDTH: usize = 5;
    const VOCAB: usize = 11;

    fn random(name: &str, shape: [usize; 2]) -> Tensor<2> {
        let values = Rng::new(1, name).normal(shape[0] * shape[1], 1.5);
        Tensor::<2>::from_data(TensorData::new(values, shape), &Device::flex()).autodiff().require_grad()
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.inner().try_into_vec_as::<f32>().unwrap()
    }

    /// Loss and gradients of `x` and `w`.
    fn measure(loss: impl Fn(Tensor<2>, Tensor<2>, Tensor<1, Int>, Tensor<1>) -> Tensor<1>) -> Vec<f32> {
        let device = Device::flex();
        let (x, w) = (random("x", [ROWS, WIDTH]), random("w", [VOCAB, WIDTH]));
        let targets = Tensor::from_ints([0, 10, 3, 3, 7, 1, 9], &device);
        let mask = Tensor::from_floats([1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0], &device);
        let loss = loss(x.clone(), w.clone(), targets, mask);
        let grads = (loss.clone() * 0.25).backward();
        [values(loss), values(x.grad(&grads).unwrap()), values(w.grad(&grads).unwrap())].concat()
    }

    #[test]
    fn pieces_give_the_gradient_of_the_whole() {
        let whole = measure(|x, w, targets, mask| {
            let log_softmax = activation::log_softmax(x.matmul(w.transpose()), 1);
            (log_softmax.gather(1, targets.unsqueeze_dim::<2>(1)).squeeze_dim::<1>(1) * mask).sum().neg()
        });
        for step in [1, 3, 7, 100] {
            let pieces = measure(|x, w, targets, mask| in_pieces(x, w, targets, mask, 0.0, step));
            close(&pieces, &whole);
        }
    }

    fn close(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a} {b}");
        }
    }

    /// The gradient is that of cross entropy and z ln²Z together, by automatic differentiation of the
    /// formula; the value is the cross entropy alone.
    #[test]
    fn z_loss_has_the_gradient_of_its_formula() {
        let z = 0.3; // large enough to be most of the gradient
        let formula = |z: f64| {
            measure(move |x, w, targets, mask| {
                let logits = x.matmul(w.transpose());
                let divisors = logits.clone().exp().sum_dim(1).log();
                let target = logits.gather(1, targets.unsqueeze_dim::<2>(1));
                let losses = divisors.clone() - target + divisors.clone() * divisors * z;
                (losses.squeeze_dim::<1>(1) * mask).sum()
            })
        };
        let (with, without) = (formula(z), formula(0.0));
        assert!(with.iter().zip(&without).skip(1).any(|(a, b)| (a - b).abs() > 0.1));
        for step in [2, 100] {
            let found = measure(|x, w, targets, mask| in_pieces(x, w, targets, mask, z, step));
            close(&found[..1], &without[..1]);
            close(&found[1..], &with[1..]);
        }
    }

    #[test]
    fn unlikely_targets_do_not_underflow() {
        let device = Device::flex();
        let x = Tensor::<2>::from_floats([[1000.0], [1000.0]], &device);
        let w = Tensor::<2>::from_floats([[1.0], [-1.0]], &device);
        let losses = token_losses(x, w, Tensor::from_ints([1, 0], &device));
        assert_eq!(values(losses), [2000.0, 0.0]);
    }
}
