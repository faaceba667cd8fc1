//! Log-probabilities of given tokens one by one, for objectives that weigh them against each other.

use burn::tensor::{DType, IndexingUpdateOp, Int, Tensor};

use super::loss::{Forward, chunk_rows, forward};

/// `ln softmax(x Wᵀ)[target]` of every row, `[N]` in 32 bits, with the gradients of `x` `[N, H]` and `W` `[V, H]`.
///
/// What multiplies a row's gradient is known in the backward pass alone, so that the logits are computed again there,
/// a piece of the rows at a time, instead of being kept (rows × vocabulary).
pub(crate) fn token_log_probs(x_nh: Tensor<2>, w_vh: Tensor<2>, targets_n: Tensor<1, Int>) -> Tensor<1> {
    #[cfg(feature = "cuda")]
    if super::gpu::on_card(&x_nh) {
        return super::gpu::token_log_probs(x_nh, w_vh, targets_n);
    }
    let w_vh = if w_vh.dtype() == DType::F32 { w_vh } else { w_vh.cast(DType::F32) };
    super::cpu::token_log_probs(&x_nh, &w_vh, targets_n)
}

/// The entropy of the distribution after every row, `[N]` in nats, without a gradient.
pub(crate) fn token_entropies(x_nh: Tensor<2>, w_vh: Tensor<2>) -> Tensor<1> {
    #[cfg(feature = "cuda")]
    if super::gpu::on_card(&x_nh) && x_nh.dtype() == DType::BF16 {
        return super::gpu::token_entropies(x_nh, w_vh);
    }
    let [x_nh, w_vh] = [x_nh, w_vh].map(|tensor| tensor.inner().cast(DType::F32));
    let [rows, _] = x_nh.dims();
    let step = chunk_rows(w_vh.dims()[0]);
    let pieces = (0..rows).step_by(step).map(|start| {
        let count = step.min(rows - start);
        let x_ch = x_nh.clone().narrow(0, start, count);
        let none = Tensor::zeros([count, 1], &x_ch.device());
        let Forward { divisors_c1, softmax_cv, .. } = forward(x_ch.clone(), w_vh.clone(), none);
        // The mean logit is the state times the mean row of the matrix.
        let mean_ch = softmax_cv.matmul(w_vh.clone());
        divisors_c1 - (mean_ch * x_ch).sum_dim(1)
    });
    Tensor::cat(pieces.collect(), 0).squeeze_dim(1)
}

/// The gradients of `Σ weights × ln softmax(x Wᵀ)[target]`, those that are wanted.
pub(crate) fn gradients(
    [x_nh, w_vh]: [&Tensor<2>; 2],
    targets_n: &Tensor<1, Int>,
    weights_n: Tensor<1>,
    wanted: [bool; 2],
) -> [Option<Tensor<2>>; 2] {
    in_pieces([x_nh, w_vh], targets_n, weights_n, wanted, chunk_rows(w_vh.dims()[0]))
}

fn in_pieces(
    [x_nh, w_vh]: [&Tensor<2>; 2],
    targets_n: &Tensor<1, Int>,
    weights_n: Tensor<1>,
    wanted: [bool; 2],
    step: usize,
) -> [Option<Tensor<2>>; 2] {
    let (x, w) = (x_nh.clone().cast(DType::F32), w_vh.clone().cast(DType::F32));
    let [rows, _] = x.dims();
    let mut dx = Vec::with_capacity(rows.div_ceil(step));
    let mut dw_vh = wanted[1].then(|| w.zeros_like());
    for start in (0..rows).step_by(step) {
        let count = step.min(rows - start);
        let x_ch = x.clone().narrow(0, start, count);
        let targets_c1 = targets_n.clone().narrow(0, start, count).unsqueeze_dim::<2>(1);
        let weights_c1 = weights_n.clone().narrow(0, start, count).unsqueeze_dim::<2>(1);
        let Forward { softmax_cv, .. } = forward(x_ch.clone(), w.clone(), targets_c1.clone());
        let minus_one = weights_c1.zeros_like().sub_scalar(1.0);
        let falling_cv = softmax_cv.scatter(1, targets_c1, minus_one, IndexingUpdateOp::Add);
        let weights_c1 = weights_c1.neg();
        dw_vh = dw_vh.map(|dw_vh| dw_vh + falling_cv.clone().transpose().matmul(x_ch * weights_c1.clone()));
        if wanted[0] {
            dx.push(falling_cv.matmul(w.clone()) * weights_c1);
        }
    }
    let dx_nh = wanted[0].then(|| Tensor::cat(dx, 0).cast(x_nh.dtype()));
    [dx_nh, dw_vh.map(|dw_vh| dw_vh.cast(w_vh.dtype()))]
}

#[cfg(test)]
mod tests;
