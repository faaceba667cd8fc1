//! A model to be used, with its tokenizer: a run's checkpoint, a Hugging Face folder or a .gguf file.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use shards::{ChatEncoder, Digest, Tokenizer};
use trainer::{Checkpoint, DeviceSpec, MergeBase, Model, Precision, Pretrained};

use crate::adapted::Adapted;
use crate::cli::Step;
use crate::error::{Context, Error, Result};
use crate::recipe::Recipe;
use crate::{chat, layout, stage};

const TOKENIZERS: [&str; 2] = ["tokenizer.json", "tokenizer.model"];
/// Longest `generation_config.json`.
const MAX_CONFIG: u64 = 1 << 20;

/// What [`open`] is asked for.
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    /// Which checkpoint of a run.
    pub(crate) step: Option<Step>,
    /// A tokenizer in place of the model's own.
    pub(crate) tokenizer: Option<&'a Path>,
    /// Adapters of the PEFT library that become part of a model in files.
    pub(crate) lora: Option<&'a Path>,
    pub(crate) device: &'a str,
}

/// A model with what belongs to it.
pub(crate) struct Opened {
    pub(crate) model: Model,
    pub(crate) tokenizer: Tokenizer,
    /// Ids that end a text.
    pub(crate) ends: Vec<u32>,
    /// Ids before a text that is no conversation; none of a run, whose documents have none.
    pub(crate) start: Vec<u32>,
}

impl Opened {
    /// Ids of a text as the model reads its beginning.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok([self.start.clone(), self.tokenizer.encode(text)?].concat())
    }

    /// Ids that end a text, or an answer by a chat template.
    pub(crate) fn ends(&self, chat: Option<&ChatEncoder<'_>>) -> Result<Vec<u32>> {
        let mut ends = self.ends.clone();
        if let Some(chat) = chat {
            ends.extend(chat.stops()?);
            ends.sort_unstable();
            ends.dedup();
        }
        Ok(ends)
    }
}

/// What belongs together, before anything is computed.
struct Found {
    weights: Pretrained,
    tokenizer: Tokenizer,
    /// Ids that end a text, beside those that tokenizer and config name.
    ends: Vec<u32>,
    start: Vec<u32>,
}

/// Opens a model, ready to be used.
pub(crate) fn open(source: &Source<'_>) -> Result<Opened> {
    let hint = |error: trainer::Error| Error::new(error).hint("`malmoi doctor` lists the devices");
    let device: DeviceSpec = source.device.parse().map_err(hint)?;
    let Found { weights, tokenizer, ends: more, start } = find(source)?;
    let (rows, ids) = (weights.vocab_size(), tokenizer.vocab_size() as usize);
    if ids > rows {
        return Err(Error::new(format!("the model has {rows} rows, the tokenizer {ids} ids: they do not belong together"))
            .hint("name the model's own tokenizer with --tokenizer"));
    }
    let mut ends = vec![tokenizer.eos()];
    ends.extend(weights.eos());
    ends.extend(more);
    ends.sort_unstable();
    ends.dedup();
    let device = device.open().map_err(hint)?;
    let model = weights.model(&device).map_err(Error::new)?;
    let precision = Precision::best(model.config(), &device);
    Ok(Opened { model: model.with_precision(precision).map_err(Error::new)?, tokenizer, ends, start })
}

/// Hash of everything that the model's answers follow from: weights, their config, the tokenizer. Reads every byte.
pub(crate) fn identity(source: &Source<'_>) -> Result<Digest> {
    let Found { weights, tokenizer, start, .. } = find(source)?;
    let mut hasher = blake3::Hasher::new_derive_key("malmoi model with its tokenizer, version 1");
    hasher.update(&weights.digest().map_err(Error::new)?.0).update(&tokenizer.fingerprint());
    for id in start {
        hasher.update(&id.to_le_bytes());
    }
    Ok(Digest(*hasher.finalize().as_bytes()))
}

fn find(source: &Source<'_>) -> Result<Found> {
    match source.path.join(layout::RECIPE).exists() {
        true if source.lora.is_some() => Err(Error::new(format!("--lora is for models in files, and {} is a run", source.path.display()))
            .hint("a run's own adapters are merged without it")),
        true => of_run(source),
        false if source.step.is_some() => Err(Error::new(format!("--step is for run folders, which {} is not", source.path.display()))),
        false => of_files(source),
    }
}

fn load(path: &Path) -> Result<Tokenizer> {
    Ok(Tokenizer::load(path, None)?)
}

/// A run's checkpoint of a step; the latest where none is named.
pub(crate) fn checkpoint(run: &Path, step: Option<Step>) -> Result<Checkpoint> {
    let root = run.join(layout::CHECKPOINTS);
    let path = match step {
        Some(Step::Number(step)) => Some(root.join(format!("step-{step:06}"))).filter(|path| path.exists()),
        Some(Step::Best) => Checkpoint::best(&root).map_err(Error::new)?,
        None => Checkpoint::latest(&root).map_err(Error::new)?,
    };
    let Some(path) = path else {
        return Err(Error::new(format!("{} has no such checkpoint", root.display()))
            .hint("`malmoi run` makes one; `keep-checkpoints` are kept, and with `keep-best` the best one"));
    };
    Checkpoint::open(&path).map_err(Error::new)
}

/// A checkpoint, the run's tokenizer, and the end ids of the model that training started from and of the
/// answers that it learned.
fn of_run(source: &Source<'_>) -> Result<Found> {
    let run = source.path;
    let recipe = Recipe::load(&run.join(layout::RECIPE), &[])?;
    let checkpoint = checkpoint(run, source.step)?;
    let tokenizer = match source.tokenizer {
        Some(path) => load(path)?,
        None => stage::tokenizer::open(run, &recipe.tokenizer)?,
    };
    if checkpoint.state().tokenizer != Digest(tokenizer.fingerprint()) {
        return Err(
            Error::new(format!("{} was trained with another tokenizer", checkpoint.folder().display())).hint("run the recipe again")
        );
    }
    let init = recipe.train.as_ref().and_then(|train| train.init.as_deref());
    let mut ends = init.and_then(|init| ends(init, &Pretrained::open(init).ok()?).ok()).unwrap_or_default();
    if let Some(template) = chat::open(run)? {
        ends.extend(ChatEncoder::new(&template, &tokenizer)?.stops()?);
    }
    let weights = match Adapted::of_run(run, &recipe, &checkpoint, stage::tokenizer::open(run, &recipe.tokenizer)?)? {
        Some(adapted) => adapted.merged(MergeBase::default())?,
        None => checkpoint.weights().map_err(Error::new)?,
    };
    Ok(Found { weights: weights.without_value_head(), tokenizer, ends, start: Vec::new() })
}

/// A model's files, the tokenizer that is in them or stands beside them, and the end ids of its
/// generation_config.json.
fn of_files(source: &Source<'_>) -> Result<Found> {
    let weights = Pretrained::open(source.path)
        .map_err(|error| Error::new(error).hint("give a run folder, a folder with config.json and safetensors, or a .gguf file"))?;
    let ends = ends(source.path, &weights)?;
    let weights = match source.lora {
        Some(adapters) => Adapted::of_files(source.path, adapters).merged(MergeBase::Original)?,
        None => weights,
    };
    let folder = if source.path.is_dir() { source.path } else { source.path.parent().unwrap_or(Path::new("")) };
    // A tokenizer beside the adapters is theirs.
    let named = source.tokenizer.map(PathBuf::from).or_else(|| source.lora.and_then(tokenizer_in));
    let is_gguf = source.path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf"));
    if let (true, None) = (is_gguf, &named) {
        let tokenizer = load(source.path)?;
        return Ok(Found { weights, start: tokenizer.start(source.path)?, tokenizer, ends });
    }
    let Some(path) = named.or_else(|| tokenizer_in(folder)) else {
        return Err(Error::new(format!("no tokenizer stands beside {}", source.path.display())).hint("name its file with --tokenizer"));
    };
    let tokenizer = load(&path)?;
    Ok(Found { weights, start: tokenizer.start(&path)?, tokenizer, ends })
}

/// The tokenizer's file of a folder.
pub(crate) fn tokenizer_in(folder: &Path) -> Option<PathBuf> {
    TOKENIZERS.iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Ids {
    One(u32),
    Many(Vec<u32>),
}

#[derive(Deserialize)]
struct GenerationConfig {
    eos_token_id: Option<Ids>,
}

/// What a model in files ends texts with: the ids of its config, then others of its generation_config.json, if a folder
/// has one.
pub(crate) fn ends(model: &Path, weights: &Pretrained) -> Result<Vec<u32>> {
    let mut ends = weights.eos().to_vec();
    for id in if model.is_dir() { generation_ends(&model.join("generation_config.json"))? } else { Vec::new() } {
        if !ends.contains(&id) {
            ends.push(id);
        }
    }
    Ok(ends)
}

fn generation_ends(path: &Path) -> Result<Vec<u32>> {
    let Ok(facts) = path.metadata() else { return Ok(Vec::new()) };
    if facts.len() > MAX_CONFIG {
        return Err(Error::new(format!("{} is longer than {MAX_CONFIG} bytes", path.display())));
    }
    let text = std::fs::read(path).context(|| format!("cannot read {}", path.display()))?;
    let GenerationConfig { eos_token_id } = serde_json::from_slice(&text).context(|| format!("cannot read {}", path.display()))?;
    Ok(match eos_token_id {
        None => Vec::new(),
        Some(Ids::One(id)) => vec![id],
        Some(Ids::Many(ids)) => ids,
    })
}
