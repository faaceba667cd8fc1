//! What adapters stand beside, and how the rest is kept.

use std::fmt;

use burn::tensor::bf16;
use serde::{Deserialize, Serialize};

use crate::load::{EMBEDDING, HEAD};
use crate::quant::nf4::Nf4;

/// A matrix of a layer by its Hugging Face name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the names say it
pub enum Target {
    QProj,
    KProj,
    VProj,
    OProj,
    GateProj,
    UpProj,
    DownProj,
}

/// What can be trained in full beside adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Full {
    /// The embedding; with tied matrices it is the output too.
    EmbedTokens,
    /// The output matrix of a model whose matrices are not tied.
    LmHead,
    /// All norms.
    Norms,
}

/// How frozen matrices are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// 32-bit floats.
    F32,
    /// bfloat16.
    Bf16,
    /// The matrices of layers in 4-bit NormalFloat with double quantization, the tables in bfloat16.
    Nf4,
}

impl Target {
    /// All of them, in the order of a layer.
    pub const ALL: [Self; 7] = [Self::QProj, Self::KProj, Self::VProj, Self::OProj, Self::GateProj, Self::UpProj, Self::DownProj];

    /// As in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::QProj => "q_proj",
            Self::KProj => "k_proj",
            Self::VProj => "v_proj",
            Self::OProj => "o_proj",
            Self::GateProj => "gate_proj",
            Self::UpProj => "up_proj",
            Self::DownProj => "down_proj",
        }
    }

    /// The target of this name in files.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// What the weight of this name is.
    pub(crate) fn of(weight: &str) -> Option<Self> {
        let module = weight.strip_prefix("model.layers.")?.strip_suffix(".weight")?;
        Self::named(module.rsplit('.').next()?)
    }
}

impl Full {
    /// What the weight of this name is.
    pub(crate) fn of(weight: &str) -> Option<Self> {
        match weight {
            EMBEDDING => Some(Self::EmbedTokens),
            HEAD => Some(Self::LmHead),
            _ if weight.ends_with("norm.weight") => Some(Self::Norms),
            _ => None,
        }
    }
}

impl Base {
    /// How tables are kept: they are looked up row by row, and stay in whole numbers.
    pub(crate) fn of_tables(self) -> Self {
        if self == Self::Nf4 { Self::Bf16 } else { self }
    }

    /// The numbers that are computed with, of a whole matrix in row-major order.
    pub(crate) fn round(self, values: &mut [f32]) {
        match self {
            Self::F32 => {}
            Self::Bf16 => values.iter_mut().for_each(|value| *value = bf16::from_f32(*value).to_f32()),
            Self::Nf4 => Nf4::quantize(values).dequantize(0, values),
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Nf4 => "nf4",
        })
    }
}
