//! The numbers that activations consist of.

use std::fmt;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::ModelConfig;
use crate::config::refuse;
use crate::device::has_bf16;
use crate::error::Result;

/// Widest row that a norm's backward pass keeps in registers: 1024 threads, four chunks of eight each.
const MAX_HIDDEN: usize = 32_768;

/// Numbers of activations. Gradients of parameters are 32-bit in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// bfloat16: on an NVIDIA card (compute capability 8.0 or more), on its tensor cores.
    Bf16,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        })
    }
}

impl Precision {
    /// What is fastest for a model on a device: bfloat16 where it can be had.
    pub fn best(config: &ModelConfig, device: &Device) -> Self {
        if Self::Bf16.check(config, device).is_ok() { Self::Bf16 } else { Self::F32 }
    }

    /// Whether a model on a device can have it.
    pub(crate) fn check(self, config: &ModelConfig, device: &Device) -> Result<()> {
        if self == Self::F32 {
            return Ok(());
        }
        if !has_bf16(device) {
            return refuse("precision", "bf16, which only an NVIDIA card of compute capability 8.0 or more computes with here".to_owned());
        }
        self.check_shape(config)
    }

    /// Whether adapters of a rank can have it.
    pub(crate) fn check_rank(self, rank: usize) -> Result<()> {
        if self == Self::Bf16 && !rank.is_multiple_of(8) {
            return refuse("lora.rank", format!("{rank}, not a multiple of 8, which bfloat16 on a card needs"));
        }
        Ok(())
    }

    /// Whether a model can have it on some device.
    pub fn check_shape(self, config: &ModelConfig) -> Result<()> {
        if self == Self::F32 {
            return Ok(());
        }
        let head = config.head_size();
        if ![64, 128].contains(&head) {
            return refuse("precision", format!("bf16, which is for heads of 64 or 128 numbers, not {head}"));
        }
        if let Some(width) = [config.hidden, config.intermediate].iter().find(|width| !width.is_multiple_of(8)) {
            return refuse("precision", format!("bf16, which is for widths that are multiples of 8, not {width}"));
        }
        if config.hidden > MAX_HIDDEN {
            return refuse("precision", format!("bf16, which is for hidden sizes up to {MAX_HIDDEN}, not {}", config.hidden));
        }
        Ok(())
    }
}
