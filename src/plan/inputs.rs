//! What a run is made of that lies outside its folder.

use std::path::Path;

use corpora::{Identity, Part};
use filters::FilterSpec;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shards::TokenizerSource;

use crate::error::{Error, Result};
use crate::recipe::Recipe;
use crate::stage;
use crate::stage::import::Unit;

/// Every fact of files outside the run folder that goes into a fingerprint, as it was when the run
/// began. It is kept beside the plan: what the run was made of can be told from it when these files
/// have changed or are gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Inputs {
    /// By part, the files of its slices.
    pub(super) slices: Vec<Vec<Identity>>,
    /// By filter, hashes of the files that it reads: what they hold matters, not only where they lie.
    pub(super) lists: Vec<Vec<String>>,
    /// Of the runs of `dedup.against`, as [`stage::dedup::identities`] has them.
    pub(super) against: Vec<String>,
    /// Hash of the tokenizer's file, where one is loaded.
    pub(super) tokenizer: Option<String>,
    /// By file of the imports, what it consists of.
    pub(super) imports: Vec<Vec<Value>>,
}

impl Inputs {
    /// As they are now.
    pub(super) fn of(recipe: &Recipe, parts: &[Part]) -> Result<Self> {
        let slices = |part: &Part| part.slices.iter().map(|slice| Ok(slice.identity()?)).collect::<Result<_>>();
        let tokenizer = match recipe.tokenizer.source() {
            TokenizerSource::Load(path) => Some(tokenizer(path)?),
            TokenizerSource::Train(_) | TokenizerSource::SentencePiece(_) | TokenizerSource::Bytes => None,
        };
        Ok(Self {
            slices: parts.iter().map(slices).collect::<Result<_>>()?,
            lists: recipe.filters.iter().map(lists).collect::<Result<_>>()?,
            against: stage::dedup::identities(&recipe.dedup)?,
            tokenizer,
            imports: Unit::all(recipe).iter().map(Unit::identities).collect::<Result<_>>()?,
        })
    }

    /// Refuses what was made of a part one of whose files is not what it was when the run began: records of both
    /// would be in it, and the journal would call it current.
    pub(crate) fn check_unchanged(&self, part: &Part) -> Result<()> {
        let before = self.slices.get(part.index).into_iter().flatten();
        for (slice, before) in part.slices.iter().zip(before) {
            let now = slice.identity()?;
            if now != *before {
                let bytes = if now.len == before.len { String::new() } else { format!(" ({} bytes, and {} now)", before.len, now.len) };
                return Err(Error::new(format!("{} changed during the run{bytes}", before.path.display()))
                    .hint("run the same command again when nothing writes to it any more"));
            }
        }
        Ok(())
    }

    /// Whether they can be those of these parts and this recipe.
    pub(super) fn fit(&self, recipe: &Recipe, parts: &[Part]) -> bool {
        let slices = parts.iter().map(|part| part.slices.len());
        slices.eq(self.slices.iter().map(Vec::len))
            && self.lists.len() == recipe.filters.len()
            && self.imports.len() == Unit::all(recipe).len()
            && parts.iter().all(|part| part.source < recipe.sources.len())
    }
}

fn tokenizer(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|cause| {
        Error::new(format!("cannot read the tokenizer {}: {cause}", path.display()))
            .hint("`tokenizer.load` is a tokenizer.json or a SentencePiece .model")
    })?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

fn lists(filter: &FilterSpec) -> Result<Vec<String>> {
    let name = filter.name();
    let hash = |path: &String| {
        let mut hasher = blake3::Hasher::new();
        let hashed = std::fs::File::open(path).and_then(|file| hasher.update_reader(file).map(|_| ()));
        hashed.map_err(|cause| Error::new(format!("filter `{name}`: cannot read the file {path}: {cause}")))?;
        Ok(hasher.finalize().to_hex().to_string())
    };
    filter.files().map_err(Error::new)?.iter().map(hash).collect()
}
