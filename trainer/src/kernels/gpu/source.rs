//! The texts of the kernels.

use super::attention::hopper;

const COMMON: &str = include_str!("cuda/common.cuh");
const STEP: &str = include_str!("cuda/decode/step.cuh");

/// A text that is compiled as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// Attention for one size of head.
    Attention { head: usize },
    /// The same on Hopper's own instructions.
    HopperAttention { head: usize },
    /// Norms, activations, rotation, embedding.
    Layer,
    /// Cross entropy.
    Loss,
    /// AdamW and the gradient norm.
    Optimizer,
    /// A layer's parts in a step of decoding, beside its products.
    DecodeLayer { head: usize },
    /// Attention over the cache, for heads of this size of which so many share a head of keys and values.
    DecodeAttention { head: usize, group: usize },
    /// Products of few rows.
    FewRows,
    /// From logits to tokens.
    Draw,
}

impl Source {
    pub(super) fn text(self) -> String {
        let own: &[&str] = match self {
            Self::Attention { .. } => &[include_str!("cuda/attention.cuh"), include_str!("cuda/attention.cu")],
            Self::HopperAttention { .. } => &[
                include_str!("cuda/attention.cuh"),
                include_str!("cuda/hopper/instructions.cuh"),
                include_str!("cuda/hopper/tiles.cuh"),
                include_str!("cuda/hopper/forward.cu"),
                include_str!("cuda/hopper/backward_queries.cu"),
                include_str!("cuda/hopper/backward_keys.cu"),
            ],
            Self::Layer => &[include_str!("cuda/layer.cu")],
            Self::Loss => &[include_str!("cuda/loss.cu")],
            Self::Optimizer => &[include_str!("cuda/optimizer.cu")],
            Self::DecodeLayer { .. } => &[STEP, include_str!("cuda/decode/layer.cu")],
            Self::DecodeAttention { .. } => &[STEP, include_str!("cuda/decode/attention.cu")],
            Self::FewRows => &[include_str!("cuda/decode/few.cu")],
            Self::Draw => &[STEP, include_str!("cuda/decode/draw.cu")],
        };
        [&[COMMON][..], own].concat().concat()
    }

    pub(super) fn defines(self) -> Vec<String> {
        match self {
            Self::Attention { head } | Self::DecodeLayer { head } => vec![format!("-DHEAD={head}")],
            Self::DecodeAttention { head, group } => vec![format!("-DHEAD={head}"), format!("-DGROUP={group}")],
            Self::HopperAttention { head } => hopper::defines(head),
            _ => Vec::new(),
        }
    }
}
