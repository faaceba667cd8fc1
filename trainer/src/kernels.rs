//! The operations inside a layer and the loss. Each has a plain form in Burn, which the faster ones are held against: one for
//! 32-bit floats on the processor (`cpu`), one for bfloat16 on an NVIDIA card (`gpu`). Nothing outside this module knows
//! which runs.
//!
//! Sums that decide a result never go over a whole large tensor at once: Burn's CPU backend adds such
//! a tensor's parts in the order threads finish. Rows first, then the rows' sums, is the same on
//! every run.

mod attention;
mod cached;
pub(crate) mod cpu;
mod embedding;
#[cfg(feature = "cuda")]
pub(crate) mod gpu;
mod linear;
mod loss;
mod low_rank;
mod norm;
mod recompute;
mod rope;
mod swiglu;
mod token_log_probs;

use crate::error::Result;

pub(crate) use attention::attention;
pub(crate) use cached::cached_attention;
pub(crate) use embedding::embed;
pub(crate) use linear::linear;
pub(crate) use loss::{linear_cross_entropy, token_losses};
#[cfg(feature = "cuda")]
pub(crate) use low_rank::noise_limit;
pub(crate) use low_rank::{Noise, dropout, low_rank};
pub(crate) use norm::rms_norm;
pub(crate) use recompute::recomputed;
pub(crate) use rope::rotate;
pub(crate) use swiglu::swiglu;
#[cfg(feature = "cuda")]
pub(crate) use token_log_probs::gradients as token_log_prob_gradients;
pub(crate) use token_log_probs::{token_entropies, token_log_probs};

/// Fails if anything failed on a card since the program began. Work there is asynchronous: this is
/// asked whenever a number has been read, whose `operation` the error names.
pub(crate) fn check(operation: &'static str) -> Result<()> {
    #[cfg(feature = "cuda")]
    if let Some(detail) = gpu::fault() {
        return Err(crate::error::Error::Backend { operation, detail });
    }
    let _ = operation;
    Ok(())
}
