//! The operations of a layer and the loss on the processor, each one pass over its numbers instead of one for
//! each sign in its formula. The plain forms beside this module are what the tests hold them against.
//!
//! What a tensor's rows, heads or fixed pieces give is computed by itself and, where it is added up, added in their order. How many
//! threads there are changes no bit of a result.

mod attention;
pub(crate) mod decode;
mod linear;
mod loops;
mod loss;
mod matmul;
mod norm;
mod optimizer;
mod product;
mod recompute;
mod swiglu;
mod tape;

pub(super) use attention::attention;
pub(super) use linear::linear;
pub(super) use loss::{linear_cross_entropy, token_log_probs, token_losses};
pub(super) use norm::rms_norm;
pub(crate) use optimizer::{adamw, scale, square_sum, sum};
pub(super) use recompute::recomputed;
pub(super) use swiglu::swiglu;

#[cfg(test)]
mod tests;
