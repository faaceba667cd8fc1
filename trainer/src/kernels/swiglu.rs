//! The gated activation.

use burn::tensor::{Tensor, activation};

/// `silu(gate) × up` (Shazeer 2020).
pub(crate) fn swiglu(gate_ni: Tensor<2>, up_ni: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "cuda")]
    if super::gpu::takes(&gate_ni) {
        return super::gpu::swiglu(gate_ni, up_ni);
    }
    super::cpu::swiglu(&gate_ni, &up_ni).unwrap_or_else(|| plain(gate_ni, up_ni))
}

pub(super) fn plain(gate_ni: Tensor<2>, up_ni: Tensor<2>) -> Tensor<2> {
    activation::silu(gate_ni) * up_ni
}
