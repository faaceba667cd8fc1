//! The same operations on an NVIDIA card in bfloat16: cuBLASLt for matrix products, CUDA C++ of our
//! own (`gpu/cuda/`) for the rest, recorded in Burn's automatic differentiation.
//!
//! Parameters are 32-bit floats that are rounded where they are used, or bfloat16; gradients of parameters are 32-bit. Every operation here has its plain form in the parent module, which the tests hold it
//! against.

mod attention;
mod boxes;
mod decode;
mod embedding;
mod engine;
mod gemm;
mod graph;
mod group;
mod half;
mod linear;
mod loss;
mod low_rank;
mod nf4;
mod norm;
mod optimizer;
mod recompute;
mod source;
mod sums;
mod swiglu;
mod tape;

pub(crate) use attention::attention;
#[cfg(test)]
pub(crate) use decode::draw;
pub(crate) use decode::{Choice, Decoder, Drawn, Fresh, LayerParts, Limits, Parts};
pub(crate) use embedding::embed;
pub(crate) use engine::{end_profile, fault, start_profile};
pub(crate) use group::{join, on_streams_of, part};
pub(crate) use half::{AttentionHalf, FeedForwardHalf, attention_half, feed_forward_half};
pub(crate) use linear::{Projection, Weight, linear};
pub(crate) use loss::{linear_cross_entropy, token_entropies, token_log_probs, token_losses};
pub(crate) use low_rank::{Adapter, Dropout, dropout, low_rank};
pub(crate) use nf4::Nf4Matrix;
pub(crate) use norm::rms_norm;
pub(crate) use optimizer::{CardCodes, Moved, Slot, SlotMoments, adamw, clip};
pub(crate) use recompute::recomputed;
pub(crate) use sums::{Sums, counted};
pub(crate) use swiglu::swiglu;
pub(crate) use tape::{on_bf16_card, on_card};

use burn::tensor::{DType, Tensor};

/// Whether a tensor is of the kind that these operations take: activations in bfloat16 on a card.
pub(crate) fn takes(x: &Tensor<2>) -> bool {
    x.dtype() == DType::BF16 && tape::on_card(x)
}

#[cfg(test)]
mod tests;
