//! Grouped-query attention.

use burn::tensor::Tensor;

use super::rope::rotate;
use crate::model::Inputs;

/// Turns queries `[N, Q × D]` and keys `[N, K × D]` by their positions and lets every query attend to
/// the keys of its key-value head that are of its document and not later. Gives `[N, Q × D]`.
/// (Vaswani et al. 2017; groups: Ainslie et al. 2023.)
pub(crate) fn attention(q_nq: Tensor<2>, k_nk: Tensor<2>, v_nk: Tensor<2>, heads: usize, kv_heads: usize, inputs: &Inputs) -> Tensor<2> {
    #[cfg(feature = "cuda")]
    if let (Some(spans), true) = (&inputs.spans, super::gpu::takes(&q_nq)) {
        return super::gpu::attention(q_nq, k_nk, v_nk, heads, kv_heads, spans);
    }
    super::cpu::attention([&q_nq, &k_nk, &v_nk], heads, kv_heads, inputs)
        .unwrap_or_else(|| plain([q_nq, k_nk, v_nk], heads, kv_heads, inputs))
}

pub(super) fn plain([q_nq, k_nk, v_nk]: [Tensor<2>; 3], heads: usize, kv_heads: usize, inputs: &Inputs) -> Tensor<2> {
    let [b, t] = [inputs.rows, inputs.seq_len];
    let [q, k, v] = [(q_nq, heads), (k_nk, kv_heads), (v_nk, kv_heads)].map(|(x, heads)| {
        let d = x.dims()[1] / heads;
        x.reshape([b, t, heads, d])
    });
    let [q, k] = [q, k].map(|x| rotate(x, &inputs.cos, &inputs.sin));
    attend(q, k, v, inputs.mask_btt())
}

/// Softmax attention of T queries over S keys. What `mask` adds to a score is 0, or so low that the pair
/// does not attend.
///
/// The queries of a group are stacked, so that keys and values are never copied for them. Scores
/// are divided by their sum after the product with the values, on `D` instead of `S` numbers a row.
pub(super) fn attend(q_btqd: Tensor<4>, k_bskd: Tensor<4>, v_bskd: Tensor<4>, mask_bts: Tensor<3>) -> Tensor<2> {
    let [b, t, q, d] = q_btqd.dims();
    let [_, s, k, _] = k_bskd.dims();
    let g = q / k;
    let scale = 1.0 / (d as f64).sqrt();
    let q_bkxd = (q_btqd * scale).reshape([b, t, k, g, d]).permute([0, 2, 3, 1, 4]).reshape([b, k, g * t, d]);
    let k_bkds = k_bskd.permute([0, 2, 3, 1]);
    let v_bksd = v_bskd.swap_dims(1, 2);

    let scores_bkgts = q_bkxd.matmul(k_bkds).reshape([b, k, g, t, s]) + mask_bts.reshape([b, 1, 1, t, s]);
    let highest = scores_bkgts.clone().detach().max_dim(4);
    let weights_bkxs = (scores_bkgts - highest).exp().reshape([b, k, g * t, s]);
    let sums_bkx1 = weights_bkxs.clone().sum_dim(3);
    let y_bkxd = weights_bkxs.matmul(v_bksd) / sums_bkx1;
    y_bkxd.reshape([b, k, g, t, d]).permute([0, 3, 1, 2, 4]).reshape([b * t, q * d])
}
