//! The numbers that activations consist of.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::ModelConfig;
use crate::config::refuse;
use crate::device::is_cuda;
use crate::error::Result;

/// Numbers of activations. Parameters, their gradients and the optimizer are 32-bit in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// bfloat16: on an NVIDIA card (compute capability 8.0 or more), on its tensor cores.
    Bf16,
}

impl Precision {
    /// What is fastest for a model on a device: bfloat16 where it can be had.
    pub fn best(config: &ModelConfig, device: &Device) -> Self {
        if Self::Bf16.check(config, device).is_ok() { Self::Bf16 } else { Self::F32 }
    }

    /// Whether a model on a device can have it.
    pub(super) fn check(self, config: &ModelConfig, device: &Device) -> Result<()> {
        if self == Self::F32 {
            return Ok(());
        }
        if !is_cuda(device) {
            return refuse("precision", "bf16, which only an NVIDIA card computes with here".to_owned());
        }
        let head = config.head_size();
        if ![64, 128].contains(&head) {
            return refuse("precision", format!("bf16, which is for heads of 64 or 128 numbers, not {head}"));
        }
        if let Some(width) = [config.hidden, config.intermediate].iter().find(|width| !width.is_multiple_of(8)) {
            return refuse("precision", format!("bf16, which is for widths that are multiples of 8, not {width}"));
        }
        Ok(())
    }
}
