//! The operations inside a layer and the loss, in plain Burn: what runs on the CPU, and what a
//! faster form for another device is held against.
//!
//! Sums that decide a result never go over a whole large tensor at once: the CPU backend adds such
//! a tensor's parts in the order threads finish. Rows first, then the rows' sums, is the same on
//! every run.

mod attention;
mod loss;
mod norm;
mod rope;

pub(crate) use attention::attention;
pub(crate) use loss::{linear_cross_entropy, token_losses};
pub(crate) use norm::rms_norm;
pub(crate) use rope::rotate;
