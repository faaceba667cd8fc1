//! `[train.lora]`: low-rank adapters instead of all weights.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::{at_least_one, refuse, within};
use crate::error::Result;
use crate::model::{ModelConfig, Precision};

/// Highest rank: no narrower than any layer of a useful model.
const MAX_RANK: u32 = 4096;

/// The recipe's `[train.lora]`: beside each chosen matrix W of a frozen model, `scale × B A` of a low rank is
/// trained (Hu et al. 2021). Names and meanings are those of the PEFT library.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LoraConfig {
    /// Rows of A and columns of B. Default 16; on a card with bfloat16 a multiple of 8.
    pub rank: u32,
    /// The update is scaled by `alpha / rank`. Default: twice the rank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Scale by `alpha / √rank` instead, so that high ranks learn as fast as low ones (rsLoRA, Kalajdzievski
    /// 2023). Default false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rs_lora: bool,
    /// Share of the adapter's inputs that are left out at each step. Default 0.
    pub dropout: f64,
    /// The matrices that get an adapter. Default: all seven of a layer.
    pub targets: Vec<Target>,
    /// Train the length of each row of W by itself, and let the adapter turn its direction (DoRA, Liu et al.
    /// 2024). Default false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dora: bool,
    /// Tensors that are trained in full beside the adapters. New rows of a vocabulary learn only if
    /// `embed-tokens` (and `lm-head` where it is not tied) is among them. Default: none.
    pub full: Vec<Full>,
    /// How the frozen matrices are kept: `f32`, `bf16`, or `nf4`, four bits each (QLoRA, Dettmers et al. 2023).
    /// Default: as the activations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
}

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

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: 16,
            alpha: None,
            rs_lora: false,
            dropout: 0.0,
            targets: Target::ALL.to_vec(),
            dora: false,
            full: Vec::new(),
            base: None,
        }
    }
}

impl LoraConfig {
    /// `alpha`, the default filled in.
    pub fn alpha(&self) -> f64 {
        self.alpha.unwrap_or(2.0 * f64::from(self.rank))
    }

    /// What `B A` is multiplied by.
    pub fn scale(&self) -> f64 {
        let rank = f64::from(self.rank);
        self.alpha() / if self.rs_lora { rank.sqrt() } else { rank }
    }

    /// How frozen matrices are kept beside activations of this precision.
    pub(crate) fn base(&self, precision: Precision) -> Base {
        self.base.unwrap_or(match precision {
            Precision::F32 => Base::F32,
            Precision::Bf16 => Base::Bf16,
        })
    }

    /// Checks every value against its range, and against the model.
    pub fn validate(&self, model: &ModelConfig) -> Result<()> {
        at_least_one("lora.rank", self.rank.into())?;
        let narrowest = MAX_RANK.min(u32::try_from(model.hidden).unwrap_or(MAX_RANK));
        if self.rank > narrowest {
            return refuse("lora.rank", format!("{}, at most {narrowest}: a higher one is more than the whole matrix", self.rank));
        }
        within("lora.alpha", self.alpha(), self.alpha() > 0.0, "above 0")?;
        within("lora.dropout", self.dropout, (0.0..1.0).contains(&self.dropout), "0 to below 1")?;
        if self.targets.is_empty() && self.full.is_empty() {
            return refuse("lora.targets", "empty, and so is `lora.full`: nothing would be trained");
        }
        for (option, twice) in [("lora.targets", has_twice(&self.targets)), ("lora.full", has_twice(&self.full))] {
            if twice {
                return refuse(option, "a list that names something twice");
            }
        }
        if self.full.contains(&Full::LmHead) && model.tied_embeddings {
            return refuse("lora.full", "to hold `lm-head`, but in this model that is the embedding: say `embed-tokens`");
        }
        Ok(())
    }
}

fn has_twice<T: Ord + Clone>(list: &[T]) -> bool {
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}
