//! Models for elsewhere: a folder that Hugging Face's libraries open, or a GGUF file for llama.cpp.
//!
//! Weights go piece by piece from file to file, so that memory holds a few megabytes whatever the
//! model, or one matrix of it in four bits. What is written has another name until it is whole.

mod adapter;
mod config;
mod gguf;
mod hf;
mod packed;
mod staged;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use burn::tensor::{bf16, f16};
use safetensors::tensor::Dtype;

pub use adapter::AdapterExport;
pub use config::Texts;
pub use gguf::{GgufExport, GgufFormat, Vocabulary};
pub use hf::Export;
pub use packed::Packing;
pub use staged::{staged_folder, write_file};

use crate::config::refuse;
use crate::error::{Error, Result};

/// How numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightFormat {
    /// The upper half of a 32-bit float: its range, eight bits of precision.
    #[default]
    Bf16,
    /// IEEE half: eleven bits of precision, largest number 65504.
    F16,
    /// As they were trained.
    F32,
}

impl WeightFormat {
    /// Its name in config.json.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "bfloat16",
            Self::F16 => "float16",
            Self::F32 => "float32",
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Self::Bf16 => Dtype::BF16,
            Self::F16 => Dtype::F16,
            Self::F32 => Dtype::F32,
        }
    }

    fn size(self) -> u64 {
        if self == Self::F32 { 4 } else { 2 }
    }

    /// Bytes of a number, rounded to the nearest one, of two to the even one.
    fn encode(self, value: f32, out: &mut Vec<u8>) {
        match self {
            Self::Bf16 => out.extend(bf16::from_f32(value).to_le_bytes()),
            Self::F16 => out.extend(f16::from_f32(value).to_le_bytes()),
            Self::F32 => out.extend(value.to_le_bytes()),
        }
    }

    /// The number that is read back.
    pub(crate) fn rounded(self, value: f32) -> f32 {
        match self {
            Self::Bf16 => bf16::from_f32(value).to_f32(),
            Self::F16 => f16::from_f32(value).to_f32(),
            Self::F32 => value,
        }
    }

    /// Refuses numbers of a tensor, from element `start` on, that become infinite.
    fn check(self, path: &Path, name: &str, start: usize, values: &[f32]) -> Result<()> {
        match values.iter().position(|&value| self.overflows(value)) {
            None => Ok(()),
            Some(at) => {
                let detail = format!("tensor `{name}` has {} at element {}, too large for {}", values[at], start + at, self.name());
                Err(Error::invalid(path, detail))
            }
        }
    }

    /// Whether a finite number becomes infinite.
    fn overflows(self, value: f32) -> bool {
        match self {
            Self::Bf16 => bf16::from_f32(value).is_infinite(),
            Self::F16 => f16::from_f32(value).is_infinite(),
            Self::F32 => false,
        }
    }
}

impl fmt::Display for WeightFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
            Self::F32 => "f32",
        })
    }
}

impl FromStr for WeightFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "bf16" => Ok(Self::Bf16),
            "f16" => Ok(Self::F16),
            "f32" => Ok(Self::F32),
            other => refuse("dtype", format!("{other:?}, not bf16, f16 or f32")),
        }
    }
}

#[cfg(test)]
mod tests;
