//! The texts of the kernels.

const COMMON: &str = include_str!("cuda/common.cuh");

/// A text that is compiled as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// Attention for one size of head.
    Attention { head: usize },
    /// Norms, activations, rotation, embedding.
    Layer,
    /// Cross entropy.
    Loss,
    /// AdamW and the gradient norm.
    Optimizer,
}

impl Source {
    pub(super) fn text(self) -> String {
        let own = match self {
            Self::Attention { .. } => include_str!("cuda/attention.cu"),
            Self::Layer => include_str!("cuda/layer.cu"),
            Self::Loss => include_str!("cuda/loss.cu"),
            Self::Optimizer => include_str!("cuda/optimizer.cu"),
        };
        [COMMON, own].concat()
    }

    pub(super) fn defines(self) -> Vec<String> {
        match self {
            Self::Attention { head } => vec![format!("-DHEAD={head}")],
            _ => Vec::new(),
        }
    }
}
