//! The embedding.

use burn::tensor::{Int, Tensor};

/// Rows of the table `[V, H]`: `[N, H]`. `narrow` asks for bfloat16 activations, which only a card has.
pub(crate) fn embed(table_vh: Tensor<2>, ids_n: Tensor<1, Int>, narrow: bool) -> Tensor<2> {
    #[cfg(feature = "cuda")]
    if narrow {
        return super::gpu::embed(table_vh, ids_n);
    }
    debug_assert!(!narrow || cfg!(feature = "cuda"));
    table_vh.select(0, ids_n)
}
