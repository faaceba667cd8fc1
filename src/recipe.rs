//! The recipe: one TOML file that says everything about a run.
//!
//! Loading is three steps that a reader can follow: the text is parsed, `--set` overrides are put
//! in, and the result is checked as a whole. An error at any step points at the line.

mod import;
mod locate;
mod overrides;
mod paths;
mod preset;

use std::path::{Path, PathBuf};

use corpora::Source;
use filters::FilterSpec;
use filters::dedup::DedupConfig;
use serde::{Deserialize, Serialize};
use shards::{Balance, MixtureConfig, TokenizerConfig};
use trainer::{ObjectiveKind, Preset, TrainConfig};

use crate::chat::ChatConfig;
use crate::error::{Context, Error, Result};
pub(crate) use import::Import;
use locate::Places;
pub(crate) use overrides::apply as set;
pub(crate) use paths::resolve;

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
}

fn is_default(chat: &ChatConfig) -> bool {
    *chat == ChatConfig::default()
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

/// Something wrong with a recipe that parses: where (a path of keys), what, and what to do.
struct Problem {
    place: String,
    message: String,
    hint: Option<String>,
}

impl Problem {
    fn new(place: impl Into<String>, message: impl ToString) -> Self {
        Self { place: place.into(), message: message.to_string(), hint: None }
    }
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
        let preset = preset::expand(&mut table);
        let mut recipe: Self = if set.is_empty() && preset.is_none() {
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
        recipe.preset = preset;
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
            chat: ChatConfig::default(),
            mixture,
            train: None,
            preset: None,
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

    fn check(&self) -> Result<(), Problem> {
        if self.sources.is_empty() && self.imports.is_empty() {
            return Err(Problem::new("sources", "a recipe needs at least one source"));
        }
        if self.sources.is_empty() && (self.tokenizer.train.is_some() || self.tokenizer.sentencepiece.is_some()) {
            return Err(Problem::new(
                "tokenizer.train",
                "without sources there is no text to train a tokenizer on; `load` the imports' own",
            ));
        }
        for (index, source) in self.sources.iter().enumerate() {
            source.validate().map_err(|cause| Problem::new(format!("sources.{index}"), cause))?;
            if self.sources[..index].iter().any(|earlier| earlier.name == source.name) {
                return Err(Problem::new(format!("sources.{index}.name"), format!("two sources are named `{}`", source.name)));
            }
        }
        for (index, import) in self.imports.iter().enumerate() {
            import.validate().map_err(|cause| Problem::new(format!("imports.{index}"), cause))?;
            let mut earlier = self.sources.iter().map(|source| &source.name).chain(self.imports[..index].iter().map(|import| &import.name));
            if earlier.any(|name| *name == import.name) {
                return Err(Problem::new(
                    format!("imports.{index}.name"),
                    format!("`{}` is the name of another source or import", import.name),
                ));
            }
        }
        let buckets = self.buckets();
        for (index, filter) in self.filters.iter().enumerate() {
            filter.validate(&buckets).map_err(|cause| Problem {
                place: format!("filters.{index}.{}", filter.name()),
                message: cause.to_string(),
                hint: Some(format!("`malmoi explain {}` lists the options", filter.name())),
            })?;
        }
        self.dedup.validate().map_err(|cause| Problem::new("dedup", cause))?;
        let lines = self.dedup.lines.iter().flat_map(|lines| lines.buckets.keys()).map(|bucket| ("lines", bucket));
        let substrings = self.dedup.substrings.iter().flat_map(|substrings| substrings.buckets.keys()).map(|bucket| ("substrings", bucket));
        for (table, bucket) in lines.chain(substrings) {
            if !buckets.contains(&bucket.as_str()) {
                return Err(Problem {
                    place: format!("dedup.{table}.buckets.{bucket}"),
                    message: format!("`{table}.buckets` names `{bucket}`, which no source fills"),
                    hint: Some(format!("the sources fill: {}", buckets.join(", "))),
                });
            }
        }
        if let Some(metric) = &self.dedup.prefer {
            let names = self.filters.iter().map(FilterSpec::metric_names).collect::<Result<Vec<_>, _>>();
            let mut names = names.map_err(|cause| Problem::new("filters", cause))?.concat();
            names.sort_unstable();
            names.dedup();
            if !names.contains(&metric.as_str()) {
                return Err(Problem {
                    place: "dedup.prefer".to_owned(),
                    message: format!("`prefer` names `{metric}`, which no filter of the recipe measures"),
                    hint: Some(format!("the filters measure: {}", names.join(", "))),
                });
            }
        }
        self.check_chat()?;
        self.tokenizer.check().map_err(|cause| Problem::new("tokenizer.train", cause))?;
        if self.part_bytes == 0 {
            return Err(Problem::new("part-bytes", "`part-bytes` must be at least 1"));
        }
        if !(0.0..=0.5).contains(&self.held_out) {
            return Err(Problem::new("held-out", format!("`held-out` is a share from 0 to 0.5, not {}", self.held_out)));
        }
        if let Some(train) = &self.train {
            train.validate().map_err(|cause| {
                let place = match &cause {
                    trainer::Error::Setting { option, .. } => format!("train.{option}"),
                    _ => "train".to_owned(),
                };
                Problem::new(place, cause)
            })?;
            crate::reward::check(&train.reward).map_err(|(index, detail)| Problem::new(format!("train.reward.{index}"), detail))?;
            if train.epochs.is_some() && self.mixture.balance == Balance::UniMax {
                return Err(Problem {
                    place: "train.epochs".to_owned(),
                    message: "`epochs` counts how often the scarcest bucket is gone through at stated ratios, and `unimax` states none"
                        .to_owned(),
                    hint: Some("set `train.tokens`; `mixture.max-epochs` says how often a bucket may repeat".to_owned()),
                });
            }
        }
        for bucket in self.tokenizer.train.iter().flat_map(|train| train.shares.keys()) {
            if !buckets.contains(&bucket.as_str()) {
                return Err(Problem {
                    place: format!("tokenizer.train.shares.{bucket}"),
                    message: format!("the tokenizer has a share for bucket `{bucket}`, which no source fills"),
                    hint: Some(format!("the sources fill: {}", buckets.join(", "))),
                });
            }
        }
        if self.train.is_some() || self.mixture != MixtureConfig::default() {
            self.mixture.check().map_err(|cause| Problem::new("mixture", cause))?;
            if let Some(bucket) = self.mixture.epochs.keys().find(|bucket| !buckets.contains(&bucket.as_str())) {
                return Err(Problem {
                    place: format!("mixture.epochs.{bucket}"),
                    message: format!("`mixture.epochs` names `{bucket}`, which no source fills"),
                    hint: Some(format!("the sources fill: {}", buckets.join(", "))),
                });
            }
            for bucket in self.mixture.named() {
                if !buckets.contains(&bucket) {
                    return Err(Problem {
                        place: format!("mixture.{bucket}"),
                        message: format!("the mixture asks for bucket `{bucket}`, which no source fills"),
                        hint: Some(format!("the sources fill: {}", buckets.join(", "))),
                    });
                }
            }
        }
        Ok(())
    }

    /// Whether a bucket holds conversations.
    pub(crate) fn is_chat(&self, bucket: &str) -> bool {
        self.sources.iter().any(|source| source.bucket == bucket && source.is_chat())
    }

    /// Whether conversations are learned from, and in them the answers only.
    pub(crate) fn learns_answers(&self) -> bool {
        self.train.as_ref().is_some_and(|train| train.objective == ObjectiveKind::Sft || train.objective.draws_answers())
    }

    fn check_chat(&self) -> Result<(), Problem> {
        for (index, filter) in self.filters.iter().enumerate().filter(|(_, filter)| filter.removes_lines()) {
            if let Some(source) = self.sources.iter().find(|source| source.is_chat() && filter.concerns(&source.bucket)) {
                return Err(Problem {
                    place: format!("filters.{index}.{}", filter.name()),
                    message: format!(
                        "filter `{}` takes lines out of texts, and source `{}` has conversations, whose messages cannot lose any",
                        filter.name(),
                        source.name
                    ),
                    hint: Some(format!("add `except-buckets = [\"{}\"]` to it", source.bucket)),
                });
            }
        }
        for (index, source) in self.sources.iter().enumerate() {
            if !source.is_chat() && self.is_chat(&source.bucket) {
                let message = format!(
                    "source `{}` has plain text, but bucket `{}` has conversations too; they are put into rows otherwise, so give it another bucket",
                    source.name, source.bucket
                );
                return Err(Problem::new(format!("sources.{index}.bucket"), message));
            }
        }
        for (index, source) in self.sources.iter().enumerate().filter(|(_, source)| source.preference.is_some()) {
            if let Some(other) = self.sources.iter().find(|other| other.bucket == source.bucket && other.preference.is_none()) {
                let message = format!(
                    "source `{}` has preference data, but bucket `{}` has the conversations of `{}` too; give it another bucket",
                    source.name, source.bucket, other.name
                );
                return Err(Problem::new(format!("sources.{index}.bucket"), message));
            }
        }
        if let Some((index, import)) =
            self.imports.iter().enumerate().find(|(_, import)| self.is_chat(&import.bucket) && !import.can_have_loss())
        {
            let message = format!(
                "import `{}` fills bucket `{}`, which has conversations; these are put into rows otherwise, so give it another bucket",
                import.name, import.bucket
            );
            return Err(Problem::new(format!("imports.{index}.bucket"), message));
        }
        let chat = self.sources.iter().any(|source| source.is_chat());
        if !chat && self.chat != ChatConfig::default() {
            return Err(Problem::new("chat", "`[chat]` is set, but no source has conversations (`chat = { messages = \"messages\" }`)"));
        }
        self.check_preference()?;
        match self.train.as_ref().map(|train| train.objective) {
            // Whether files have a loss mask is seen when they are read.
            Some(ObjectiveKind::Sft | ObjectiveKind::Grpo | ObjectiveKind::Ppo)
                if !chat && !self.imports.iter().any(Import::can_have_loss) =>
            {
                Err(Problem {
                    place: "train.objective".to_owned(),
                    message: "objectives other than `cpt` learn from conversations, and no source has any".to_owned(),
                    hint: Some(
                        "give a source `chat = { messages = \"messages\" }`, or `{ instruction = .., input = .., output = .. }`".to_owned(),
                    ),
                })
            }
            Some(ObjectiveKind::Cpt) if chat => Err(Problem::new(
                "train.objective",
                "objective `cpt` learns from plain text, but a source has conversations: they need `sft`",
            )),
            _ => Ok(()),
        }
    }

    /// That objectives of judged answers have nothing else, and others none of them.
    fn check_preference(&self) -> Result<(), Problem> {
        let Some(objective) = self.train.as_ref().map(|train| train.objective) else { return Ok(()) };
        let wrong =
            |message: String, hint: &str| Err(Problem { place: "train.objective".to_owned(), message, hint: Some(hint.to_owned()) });
        let name = objective.name();
        match self.sources.iter().find(|source| source.preference.is_some() != objective.is_of_answers()) {
            Some(source) if objective.is_of_answers() => wrong(
                format!("objective `{name}` learns from judged answers, and source `{}` has none", source.name),
                "give it `preference = { prompt = .., chosen = .., rejected = .. }`, or take it out",
            ),
            Some(source) => wrong(
                format!("objective `{name}` would learn from the rejected answers of source `{}` too", source.name),
                "preference data is for `dpo`, `orpo`, `kto` and `reward`",
            ),
            None if objective.is_of_answers() && !self.imports.is_empty() => {
                wrong(format!("objective `{name}` learns from judged answers, which imports do not have"), "take `[[imports]]` out")
            }
            None => self.check_margin(),
        }
    }

    /// That there are margins where a reward model is to keep them.
    fn check_margin(&self) -> Result<(), Problem> {
        let wanted = self.train.as_ref().and_then(|train| train.reward_model.as_ref()).is_some_and(|reward| reward.margin);
        if !wanted || self.sources.iter().any(|source| source.preference.as_ref().is_some_and(|fields| fields.margin.is_some())) {
            return Ok(());
        }
        Err(Problem {
            place: "train.reward-model".to_owned(),
            message: "`margin` is set, but no source names a field with margins".to_owned(),
            hint: Some("give a source `preference = { .., margin = .. }`, or leave `margin` out".to_owned()),
        })
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
