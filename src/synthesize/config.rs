//! What synthetic data is made of.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shards::ChatTemplate;

use super::template::Kind;
use crate::chat;
use crate::cli::SamplingArgs;
use crate::error::{Context, Error, Result};
use crate::recipe::resolve;

/// Longest file.
const MAX_FILE: u64 = 1 << 20;

/// The whole file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Config {
    /// A run folder, a Hugging Face folder or a .gguf file.
    pub(super) model: PathBuf,
    /// The folder to write.
    pub(super) output: PathBuf,
    /// Another seed gives other texts.
    #[serde(default)]
    pub(super) seed: u64,
    /// Texts at a time.
    #[serde(default = "batch")]
    pub(super) batch: u32,
    /// The prompts are questions of a user, written with the model's chat template. Default true.
    #[serde(default = "yes")]
    pub(super) chat: bool,
    /// Another chat template than the model's own: a name, or a file or folder with one.
    pub(super) chat_template: Option<String>,
    pub(super) seeds: Seeds,
    #[serde(default)]
    pub(super) sampling: Sampling,
    pub(super) templates: Vec<Template>,
}

/// What texts are about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Seeds {
    /// A finished run: its documents that are no duplicates.
    pub(super) run: Option<PathBuf>,
    /// Or JSON lines with `text` and, if wanted, `id`.
    pub(super) file: Option<PathBuf>,
    /// The first so many. Default: all.
    pub(super) limit: Option<u64>,
    /// Characters of each, at most: its beginning.
    #[serde(default = "max_chars")]
    pub(super) max_chars: usize,
}

/// How tokens are drawn; the options of `malmoi generate`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Sampling {
    /// New tokens, at most.
    pub(super) tokens: u32,
    pub(super) temperature: f64,
    pub(super) top_k: u32,
    pub(super) top_p: f64,
    pub(super) min_p: f64,
    pub(super) repetition_penalty: f64,
}

/// One way to ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Template {
    pub(super) kind: Kind,
    /// Texts of each document.
    #[serde(default = "once")]
    pub(super) count: u32,
    /// What the model is asked, with `{text}` where the document goes. Default: the kind's own.
    pub(super) prompt: Option<String>,
}

fn batch() -> u32 {
    16
}
fn yes() -> bool {
    true
}
fn max_chars() -> usize {
    2000
}
fn once() -> u32 {
    1
}

impl Default for Sampling {
    fn default() -> Self {
        Self { tokens: 512, temperature: 0.8, top_k: 50, top_p: 1.0, min_p: 0.0, repetition_penalty: 1.0 }
    }
}

impl Sampling {
    pub(super) fn arguments(self) -> SamplingArgs {
        let Self { tokens: _, temperature, top_k, top_p, min_p, repetition_penalty } = self;
        SamplingArgs { temperature, top_k, top_p, min_p, repetition_penalty }
    }
}

impl Template {
    pub(super) fn prompt(&self) -> &str {
        self.prompt.as_deref().unwrap_or_else(|| self.kind.prompt())
    }
}

impl Config {
    /// Reads and checks a file; its paths are relative to its folder.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let cannot = || format!("cannot read {}", path.display());
        if path.metadata().context(cannot)?.len() > MAX_FILE {
            return Err(Error::new(format!("{} is longer than {MAX_FILE} bytes", path.display())));
        }
        let text = std::fs::read_to_string(path).context(cannot)?;
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            Error::new(format!("{}: {}", path.display(), error.to_string().trim_end())).hint("recipes/synthesize.toml has every key")
        })?;
        config.check().map_err(|error| Error::new(format!("{}: {}", path.display(), error.message)))?;
        let folder = std::path::absolute(path).context(cannot)?;
        let folder = folder.parent().unwrap_or(Path::new("/"));
        let absolute = |path: &mut PathBuf| -> Result<()> {
            *path = resolve(folder, &path.to_string_lossy()).map_err(Error::new)?.into();
            Ok(())
        };
        absolute(&mut config.model)?;
        absolute(&mut config.output)?;
        config.seeds.run.iter_mut().chain(&mut config.seeds.file).try_for_each(absolute)?;
        if let Some(template) = config.chat_template.as_mut().filter(|template| ChatTemplate::preset(template).is_none()) {
            *template = resolve(folder, template).map_err(Error::new)?;
        }
        Ok(config)
    }

    /// What prompts are written out with; none where they are continued.
    pub(super) fn chat_template(&self) -> Result<Option<ChatTemplate>> {
        let template = self.chat.then(|| chat::of_model(&self.model, self.chat_template.as_deref(), "`chat-template`"));
        template
            .transpose()
            .map_err(|error| Error { hint: error.hint.map(|hint| format!("{hint}; or `chat = false`, to continue the prompts")), ..error })
    }

    fn check(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::new(what));
        if self.seeds.run.is_some() == self.seeds.file.is_some() {
            return refuse("`seeds` wants one of `run` and `file`".to_owned());
        }
        if self.templates.is_empty() {
            return refuse("`templates` is empty".to_owned());
        }
        for (at, template) in self.templates.iter().enumerate() {
            if template.prompt().matches("{text}").count() != 1 {
                return refuse(format!("`templates[{at}].prompt` has no `{{text}}`, or several"));
            }
            if template.count == 0 {
                return refuse(format!("`templates[{at}].count` is 0"));
            }
        }
        if !(1..=4096).contains(&self.batch) {
            return refuse(format!("`batch` is {}, not 1 to 4096", self.batch));
        }
        if self.sampling.tokens == 0 || self.seeds.max_chars == 0 || self.seeds.limit == Some(0) {
            return refuse("`sampling.tokens`, `seeds.max-chars` and `seeds.limit` are at least 1".to_owned());
        }
        let Sampling { tokens: _, temperature, top_k, top_p, min_p, repetition_penalty } = self.sampling;
        let sampling = trainer::Sampling { repetition_penalty, temperature, top_k, top_p, min_p };
        sampling.check().map_err(|error| match error {
            trainer::Error::Setting { option, detail } => Error::new(format!("`sampling.{option}` is {detail}")),
            error => Error::new(error),
        })?;
        if self.chat_template.is_some() && !self.chat {
            return refuse("`chat-template` without `chat`".to_owned());
        }
        Ok(())
    }
}
