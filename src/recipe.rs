//! The recipe: one TOML file that says everything about a run.
//!
//! Loading is three steps that a reader can follow: the text is parsed, `--set` overrides are put
//! in, and the result is checked as a whole. An error at any step points at the line.

mod check;
mod given;
mod import;
mod locate;
mod overrides;
mod paths;
mod preset;

use std::path::{Path, PathBuf};

use corpora::{Part, Source};
use filters::FilterSpec;
use filters::dedup::DedupConfig;
use serde::{Deserialize, Serialize};
use shards::{Compression, MixtureConfig, TokenizerConfig};
use trainer::{ObjectiveKind, Preset, TrainConfig};

use crate::chat::ChatConfig;
use crate::error::{Context, Error, Result};
use check::Problem;
use given::GivenKeys;
pub(crate) use import::Import;
use locate::Places;
pub(crate) use overrides::apply as set;
pub(crate) use paths::resolve;
pub(crate) use preset::expand_tokenizer;

/// The key of a file that is no recipe but several.
pub(crate) const STAGES: &str = "stages";

/// A run, as `recipe.toml` states it. Relative paths are relative to the recipe's folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Recipe {
    /// The run folder.
    pub(crate) output: PathBuf,
    /// Seed of everything random: held-out choice, mixture order, initial weights. Default 0.
    #[serde(default)]
    pub(crate) seed: u64,
    /// About how much text one part holds, in bytes of input. Default 256 MiB.
    #[serde(default = "default_part_bytes")]
    pub(crate) part_bytes: u64,
    /// How many unreadable rows a run may have before its result counts as bad. Default 100.
    #[serde(default = "default_max_bad_rows")]
    pub(crate) max_bad_rows: u64,
    /// Share of the documents of every bucket that is never trained on. Default 0.01.
    #[serde(default = "default_held_out")]
    pub(crate) held_out: f64,
    /// Where text comes from. May be empty where there are `imports`.
    #[serde(default)]
    pub(crate) sources: Vec<Source>,
    /// Token files that another program made. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) imports: Vec<Import>,
    /// What every document passes, in this order.
    #[serde(default)]
    pub(crate) filters: Vec<FilterSpec>,
    /// How duplicates are found. Default: exact only.
    #[serde(default)]
    pub(crate) dedup: DedupConfig,
    /// How text becomes tokens.
    pub(crate) tokenizer: TokenizerConfig,
    /// How shards are written.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) shards: ShardsConfig,
    /// How conversations are written out for the model. Default: with the model's own chat template.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) chat: ChatConfig,
    /// How the buckets are mixed. Default: Korean 42, English 51, code 7 percent.
    #[serde(default)]
    pub(crate) mixture: MixtureConfig,
    /// What is trained; absent: the run ends with the shards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) train: Option<TrainConfig>,
    /// The preset whose values are in `train` already.
    #[serde(skip)]
    pub(crate) preset: Option<Preset>,
    /// What `train` has itself of what may come from files.
    #[serde(skip)]
    pub(crate) given: GivenKeys,
}

/// `[shards]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ShardsConfig {
    /// `none`, or `zstd`: a fifth to two thirds of the size, for more work in reading. Default: none.
    #[serde(default)]
    pub(crate) compression: Compression,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
fn default_part_bytes() -> u64 {
    256 << 20
}
fn default_max_bad_rows() -> u64 {
    100
}
fn default_held_out() -> f64 {
    0.01
}

impl Recipe {
    /// Reads a recipe file, applies `section.key=value` overrides, checks it, and resolves paths.
    pub(crate) fn load(path: &Path, set: &[String]) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|cause| {
            Error::new(format!("cannot read recipe {}: {cause}", path.display())).hint("`malmoi init` writes a recipe to start from")
        })?;
        let folder = std::path::absolute(path)
            .context(|| format!("cannot resolve {}", path.display()))?
            .parent()
            .map(Path::to_path_buf)
            .unwrap_or_default();
        Self::parse(&text, &path.display().to_string(), &folder, set)
    }

    /// A recipe in this text; `name` is what errors call it, paths are relative to `folder`.
    pub(crate) fn parse(text: &str, name: &str, folder: &Path, set: &[String]) -> Result<Self> {
        let places = Places::new(text, name);
        let mut table: toml::Table = toml::from_str(text).map_err(|error| places.parse_error(&error))?;
        if table.contains_key(STAGES) {
            return Err(Error::new(format!("{name} has stages, each a recipe of its own"))
                .hint("`malmoi run` and `malmoi plan` take it; other commands take the run folder of a stage"));
        }
        for assignment in set {
            overrides::apply(&mut table, assignment)?;
        }
        let given = GivenKeys::of(&table);
        let preset = preset::expand(&mut table);
        let expanded = expand_tokenizer(&mut table) || preset.is_some();
        let mut recipe: Self = if set.is_empty() && !expanded {
            toml::from_str(text).map_err(|error| places.parse_error(&error))?
        } else {
            toml::Value::Table(table).try_into().map_err(|error: toml::de::Error| {
                // A wrong key that stands in the file is shown there; else an override is at fault.
                match toml::from_str::<Self>(text) {
                    Err(in_file) => places.parse_error(&in_file),
                    Ok(_) => Error::new(format!("--set {}: {}", set.join(" --set "), error.message())),
                }
            })?
        };
        (recipe.preset, recipe.given) = (preset, given);
        recipe.resolve_lists(folder).map_err(|problem| places.problem(&problem))?;
        recipe.check().map_err(|problem| places.problem(&problem))?;
        recipe.resolve(folder).map_err(|problem| places.problem(&problem))?;
        Ok(recipe)
    }

    /// What is to be said about the recipe's preset; for people.
    pub(crate) fn notes(&self) -> Vec<String> {
        let notes = |preset: Preset| preset.notes().iter().map(move |note| format!("preset {}: {note}", preset.name()));
        self.preset.into_iter().flat_map(notes).collect()
    }

    /// A recipe of nothing but imports, whose paths are absolute, with overrides put in.
    pub(crate) fn of_imports(
        output: PathBuf,
        imports: Vec<Import>,
        tokenizer: TokenizerConfig,
        mixture: MixtureConfig,
        set: &[String],
    ) -> Result<Self> {
        let recipe = Self {
            output,
            seed: 0,
            part_bytes: default_part_bytes(),
            max_bad_rows: default_max_bad_rows(),
            held_out: default_held_out(),
            sources: Vec::new(),
            imports,
            filters: Vec::new(),
            dedup: DedupConfig::default(),
            tokenizer,
            shards: ShardsConfig::default(),
            chat: ChatConfig::default(),
            mixture,
            train: None,
            preset: None,
            given: GivenKeys::default(),
        };
        recipe.check().map_err(|problem| Error::new(problem.message))?;
        Self::parse(&recipe.to_toml()?, "the import", Path::new("/"), set)
    }

    /// The resolved recipe of a run folder.
    pub(crate) fn of_run(folder: &Path) -> Result<Self> {
        let path = folder.join(crate::layout::RECIPE);
        if !path.exists() {
            return Err(Error::new(format!("{} is no run folder: it has no {}", folder.display(), crate::layout::RECIPE))
                .hint("a run folder is the `output` of a recipe"));
        }
        Self::load(&path, &[])
    }

    /// Names of the buckets that sources and imports fill, sorted.
    pub(crate) fn buckets(&self) -> Vec<&str> {
        let imported = self.imports.iter().map(|import| import.bucket.as_str());
        let mut buckets: Vec<&str> = self.sources.iter().map(|source| source.bucket.as_str()).chain(imported).collect();
        buckets.sort_unstable();
        buckets.dedup();
        buckets
    }

    /// The bucket that a part's documents are of; an error where the part is of another recipe.
    pub(crate) fn bucket_of(&self, part: &Part) -> Result<&str> {
        let nobody = || Error::new(format!("part {} is of a source that the recipe does not have", part.name));
        self.sources.get(part.source).map(|source| source.bucket.as_str()).ok_or_else(nobody)
    }

    /// Whether a bucket holds conversations.
    pub(crate) fn is_chat(&self, bucket: &str) -> bool {
        self.sources.iter().any(|source| source.bucket == bucket && source.is_chat())
    }

    /// Whether conversations are learned from, and in them the answers only.
    pub(crate) fn learns_answers(&self) -> bool {
        self.train.as_ref().is_some_and(|train| train.objective == ObjectiveKind::Sft || train.objective.draws_answers())
    }

    fn resolve(&mut self, folder: &Path) -> Result<(), Problem> {
        self.output = paths::resolve(folder, &self.output.to_string_lossy()).map_err(|cause| Problem::new("output", cause))?.into();
        for (index, source) in self.sources.iter_mut().enumerate() {
            for pattern in source.files.iter_mut() {
                *pattern = paths::resolve(folder, pattern).map_err(|cause| Problem::new(format!("sources.{index}.files"), cause))?;
            }
        }
        for run in &mut self.dedup.against {
            *run = paths::resolve(folder, run).map_err(|cause| Problem::new("dedup.against", cause))?;
            if Path::new(run) == self.output {
                return Err(Problem::new("dedup.against", "`against` names the run's own `output`"));
            }
        }
        for (index, import) in self.imports.iter_mut().enumerate() {
            for file in &mut import.files {
                *file = paths::resolve(folder, file).map_err(|cause| Problem::new(format!("imports.{index}.files"), cause))?;
            }
        }
        for (index, reward) in self.train.iter_mut().flat_map(|train| train.reward.iter_mut().enumerate()) {
            if let Some(path) = reward.path_mut() {
                *path = paths::resolve(folder, &path.to_string_lossy())
                    .map_err(|cause| Problem::new(format!("train.reward.{index}.path"), cause))?
                    .into();
            }
        }
        if let Some(path) = self.chat.path_mut() {
            *path = paths::resolve(folder, path).map_err(|cause| Problem::new("chat.template", cause))?;
        }
        if let Some(load) = &mut self.tokenizer.load {
            *load = paths::resolve(folder, &load.to_string_lossy()).map_err(|cause| Problem::new("tokenizer.load", cause))?.into();
        }
        if let Some(init) = self.train.as_mut().and_then(|train| train.init.as_mut()) {
            *init = paths::resolve(folder, &init.to_string_lossy()).map_err(|cause| Problem::new("train.init", cause))?.into();
        }
        if let Some(init) = self.train.as_mut().and_then(|train| train.lora.as_mut()).and_then(|lora| lora.init.as_mut()) {
            *init = paths::resolve(folder, &init.to_string_lossy()).map_err(|cause| Problem::new("train.lora.init", cause))?.into();
        }
        Ok(())
    }

    /// Paths of the files that filters read; checks build filters, so these come before them.
    fn resolve_lists(&mut self, folder: &Path) -> Result<(), Problem> {
        for (index, filter) in self.filters.iter_mut().enumerate() {
            let place = format!("filters.{index}.{}", filter.name());
            for path in filter.files_mut() {
                *path = paths::resolve(folder, path).map_err(|cause| Problem::new(&place, cause))?;
            }
        }
        Ok(())
    }

    /// The recipe as TOML with every default and path filled in.
    pub(crate) fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context(|| "cannot write the resolved recipe".to_owned())
    }
}

#[cfg(test)]
mod tests;
