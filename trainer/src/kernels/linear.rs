//! Projections.

use burn::tensor::{DType, Tensor};

use super::cpu::decode;

/// `x wᵀ + bias`: `x` `[N, I]`, `w` `[O, I]`, `bias` `[1, O]`; `w` may be kept in fewer bits than `x`.
pub(crate) fn linear(x_ni: Tensor<2>, weight_oi: Tensor<2>, bias_1o: Option<Tensor<2>>) -> Tensor<2> {
    #[cfg(feature = "cuda")]
    if super::gpu::takes(&x_ni) {
        return super::gpu::linear(x_ni, weight_oi, bias_1o);
    }
    if x_ni.dims()[0] <= decode::FEW
        && let Some(y_no) = decode::linear(&x_ni, &weight_oi, bias_1o.as_ref())
    {
        return y_no;
    }
    let weight_oi = if weight_oi.dtype() == DType::F32 { weight_oi } else { weight_oi.cast(DType::F32) };
    super::cpu::linear(&x_ni, &weight_oi, bias_1o.as_ref()).unwrap_or_else(|| plain(x_ni, weight_oi, bias_1o))
}

pub(super) fn plain(x_ni: Tensor<2>, weight_oi: Tensor<2>, bias_1o: Option<Tensor<2>>) -> Tensor<2> {
    let y_no = x_ni.matmul(weight_oi.transpose());
    match bias_1o {
        Some(bias_1o) => y_no + bias_1o,
        None => y_no,
    }
}
