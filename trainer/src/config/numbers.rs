//! What the optimizer's and the model's numbers are kept in between steps.

use serde::{Deserialize, Serialize};

use crate::optimizer::{BLOCK, has_codes};

/// Numbers of the optimizer's moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OptimizerStates {
    /// 32-bit floats: eight bytes for each weight.
    #[default]
    #[serde(rename = "32-bit")]
    Full,
    /// Blocks of 256 numbers as 8-bit codes with one scale (Dettmers et al. 2022): two bytes for each
    /// weight. The embedding and what has fewer than 4,096 numbers stay 32-bit.
    #[serde(rename = "8-bit")]
    EightBit,
}

impl OptimizerStates {
    /// Bytes of one moment of a parameter with so many numbers.
    pub(crate) fn bytes(self, name: &str, count: u64) -> u64 {
        match self {
            Self::EightBit if has_codes(name, count) => count + 4 * count.div_ceil(BLOCK as u64),
            _ => 4 * count,
        }
    }

    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Numbers of the weights between steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightNumbers {
    /// 32-bit floats, the master weights of a mixed-precision training.
    #[default]
    F32,
    /// bfloat16 without master weights: after a step each number of a matrix is rounded up or down by chance, so that steps smaller
    /// than half a unit are not lost on average. Norms, biases, adapters and scalar heads, few numbers, stay 32-bit.
    Bf16,
}

impl WeightNumbers {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
