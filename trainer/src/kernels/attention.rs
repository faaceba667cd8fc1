//! Grouped-query attention.

use burn::tensor::Tensor;

/// Attention of every query to the keys of its key-value head that the mask, added to the scores,
/// lets it see. Gives `[N, Q × D]`. (Vaswani et al. 2017; groups: Ainslie et al. 2023.)
///
/// The queries of a group are stacked, so that keys and values are never copied for them. Scores
/// are divided by their sum after the product with the values, on `D` instead of `T` numbers a row.
pub(crate) fn attention(q_btqd: Tensor<4>, k_btkd: Tensor<4>, v_btkd: Tensor<4>, mask_btt: Tensor<3>) -> Tensor<2> {
    let [b, t, q, d] = q_btqd.dims();
    let k = k_btkd.dims()[2];
    let g = q / k;
    let scale = 1.0 / (d as f64).sqrt();
    let q_bkxd = (q_btqd * scale).reshape([b, t, k, g, d]).permute([0, 2, 3, 1, 4]).reshape([b, k, g * t, d]);
    let k_bkdt = k_btkd.permute([0, 2, 3, 1]);
    let v_bktd = v_btkd.swap_dims(1, 2);

    let scores_bkgtt = q_bkxd.matmul(k_bkdt).reshape([b, k, g, t, t]) + mask_btt.reshape([b, 1, 1, t, t]);
    let highest = scores_bkgtt.clone().detach().max_dim(4);
    let weights_bkxt = (scores_bkgtt - highest).exp().reshape([b, k, g * t, t]);
    let sums_bkx1 = weights_bkxt.clone().sum_dim(3);
    let y_bkxd = weights_bkxt.matmul(v_bktd) / sums_bkx1;
    y_bkxd.reshape([b, k, g, t, d]).permute([0, 3, 1, 2, 4]).reshape([b * t, q * d])
}
