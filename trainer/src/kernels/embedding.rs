//! The embedding.

use burn::tensor::{DType, Int, Tensor};

use crate::model::Precision;

/// Rows of the table `[V, H]` as activations of this precision: `[N, H]`. bfloat16 ones are for a card.
pub(crate) fn embed(table_vh: Tensor<2>, ids_n: Tensor<1, Int>, precision: Precision) -> Tensor<2> {
    #[cfg(feature = "cuda")]
    if precision == Precision::Bf16 {
        return super::gpu::embed(table_vh, ids_n);
    }
    debug_assert!(precision == Precision::F32 || cfg!(feature = "cuda"));
    table_vh.select(0, ids_n).cast(DType::F32)
}
