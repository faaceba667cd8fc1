//! Where the time of a card goes.

use crate::kernels::gpu;

/// Runs `work` and gives, beside its result, the card's kernels by name with the milliseconds they
/// took and how often they ran; Burn's own kernels are not among them. `work` ends by reading a number
/// from the card, and something ran there before.
pub fn profile<T>(work: impl FnOnce() -> T) -> (T, Vec<(String, f64, u64)>) {
    gpu::start_profile();
    let result = work();
    (result, gpu::end_profile())
}
