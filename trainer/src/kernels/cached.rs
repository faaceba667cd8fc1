//! Attention over cached keys and values.

use burn::tensor::{DType, Tensor};

use super::attention::attend;
use super::cpu::decode;
use crate::model::Reach;

/// Attention of new tokens, turned queries `[N, Q × D]` in 32-bit floats, over what is in the pools
/// `[P, K × D]`: gives `[N, Q × D]`.
pub(crate) fn cached_attention(
    q_nq: Tensor<2>,
    keys_pw: &Tensor<2>,
    values_pw: &Tensor<2>,
    heads: usize,
    kv_heads: usize,
    reach: &Reach,
) -> Tensor<2> {
    let [_, width] = q_nq.dims();
    let d = width / heads;
    let runs = match reach {
        Reach::Paged(rows) => return decode::attention(&q_nq, keys_pw, values_pw, heads, kv_heads, rows),
        Reach::Gathered(runs) => runs,
    };
    let mut first = 0;
    let outputs = runs.iter().map(|run| {
        let [b, t, s] = run.mask_bts.dims();
        let q_btqd = q_nq.clone().narrow(0, first, b * t).reshape([b, t, heads, d]);
        first += b * t;
        let [k_bskd, v_bskd] =
            [keys_pw, values_pw].map(|pool| pool.clone().select(0, run.slots.clone()).cast(DType::F32).reshape([b, s, kv_heads, d]));
        attend(q_btqd, k_bskd, v_bskd, run.mask_bts.clone())
    });
    Tensor::cat(outputs.collect(), 0)
}
