//! `[train.lora]`: low-rank adapters instead of all weights.

mod file;
mod parts;
pub(crate) mod peft;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use file::AdapterFile;
pub(crate) use file::Matrices;
pub use parts::{Base, Full, Target};

use crate::config::{Given, agree, at_least_one, refuse, within};
use crate::error::Result;
use crate::model::{ModelConfig, Precision, ScalarHead};

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
    /// A folder with adapters to go on from, as the PEFT library writes one. Rank, alpha, targets and what is
    /// trained in full come from there. Default: new adapters, which change nothing yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
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
            init: None,
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

    /// Whether embedding and output matrix are trained; where they are tied, both are one.
    pub(crate) fn moves_tables(&self, model: &ModelConfig) -> [bool; 2] {
        let embedding = self.full.contains(&Full::EmbedTokens);
        [embedding, if model.tied_embeddings { embedding } else { self.full.contains(&Full::LmHead) }]
    }

    /// What `full` lacks for new rows of a vocabulary to learn, as it is written in a recipe.
    pub fn frozen_tables(&self, model: &ModelConfig) -> Vec<&'static str> {
        let moves = self.moves_tables(model);
        let tables = [("embed-tokens", !moves[0]), ("lm-head", !moves[1] && !model.tied_embeddings)];
        tables.into_iter().filter_map(|(name, frozen)| frozen.then_some(name)).collect()
    }

    /// The tensors that are trained of a model with a vocabulary of `vocab` ids: names, and shapes in files, in
    /// the order of [`crate::Model::parameters`].
    pub(crate) fn tensors(&self, model: &ModelConfig, vocab: usize) -> Vec<(String, Vec<usize>)> {
        let rank = self.rank as usize;
        let scalar = model.scalar_head.map(ScalarHead::tensor);
        let mut all = Vec::new();
        for (name, shape) in model.tensors(vocab) {
            if scalar == Some(&name) || Full::of(&name).is_some_and(|full| self.full.contains(&full)) {
                all.push((name, shape));
            } else if let (Some(target), [out, input]) = (Target::of(&name), shape.as_slice())
                && self.targets.contains(&target)
            {
                let module = module(&name);
                all.push((format!("{module}.{DOWN}"), vec![rank, *input]));
                all.push((format!("{module}.{UP}"), vec![*out, rank]));
                if self.dora {
                    all.push((format!("{module}.{MAGNITUDE}"), vec![*out]));
                }
            }
        }
        all
    }

    /// Takes over what adapters to go on from are. What the recipe gives of it must be the same: it would be ignored.
    pub fn take(&mut self, theirs: &Self, given: &Given) -> Result<()> {
        let (dropout, base, init) = (self.dropout, self.base, self.init.take());
        *self = Self { dropout, base, init, ..theirs.clone() };
        // Where they lie may be written in several ways.
        let normal =
            |lora: Self| Self { alpha: Some(lora.alpha()), targets: sorted(&lora.targets), full: sorted(&lora.full), init: None, ..lora };
        agree(given, self, normal, ["lora", "the adapters of `lora.init`"])
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
        if self.full.contains(&Full::LmHead) && model.is_reward() {
            return refuse("lora.full", "to hold `lm-head`, which a reward model does not have");
        }
        if self.full.contains(&Full::LmHead) && model.tied_embeddings {
            return refuse("lora.full", "to hold `lm-head`, but in this model that is the embedding: say `embed-tokens`");
        }
        Ok(())
    }
}

/// What follows the name of a matrix without its `.weight`, as in PEFT.
pub(crate) const DOWN: &str = "lora_A.weight";
pub(crate) const UP: &str = "lora_B.weight";
pub(crate) const MAGNITUDE: &str = "lora_magnitude_vector";

/// The name of the module that a weight belongs to.
pub(crate) fn module(weight: &str) -> &str {
    weight.strip_suffix(".weight").unwrap_or(weight)
}

fn sorted<T: Ord + Clone>(list: &[T]) -> Vec<T> {
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    sorted
}

fn has_twice<T: Ord + Clone>(list: &[T]) -> bool {
    sorted(list).windows(2).any(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests;
