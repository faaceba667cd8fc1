//! What is exported: a run's checkpoint with the run's tokenizer, or a model in files.

use std::path::{Path, PathBuf};

use serde_json::json;
use shards::{ChatEncoder, Digest, Tokenizer};
use trainer::{MergeBase, Pretrained, State, Texts};

use crate::adapted::Adapted;
use crate::cli::Step;
use crate::error::{Context, Error, Result};
use crate::recipe::Recipe;
use crate::report::Ui;
use crate::{chat, layout, model, stage};

/// What stands beside a tokenizer's file and belongs to it.
const BESIDE: [&str; 6] =
    ["tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt"];
const CONFIG: &str = BESIDE[0];
const TEMPLATE: &str = BESIDE[1];
const TOKENIZERS: [&str; 2] = ["tokenizer.json", "tokenizer.model"];
/// Card and licence of a model in files.
const CARDS: [&str; 3] = ["README.md", "LICENSE", "LICENSE.txt"];

/// A model and what is written beside its weights.
pub(super) struct Model {
    pub(super) weights: Pretrained,
    pub(super) texts: Texts,
    /// The tokenizer's files by name.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// Where it was trained here; none of a model in files.
    pub(super) run: Option<Run>,
    /// What the weights were merged of, where there are adapters.
    pub(super) adapted: Option<Adapted>,
    /// Card and licence of a model in files.
    pub(super) cards: Vec<(String, Vec<u8>)>,
}

/// The run that a model comes from.
pub(super) struct Run {
    pub(super) folder: PathBuf,
    pub(super) recipe: Recipe,
    pub(super) state: State,
    pub(super) tokenizer: &'static str,
}

impl Model {
    /// A run folder, or a model in files; `step` is a checkpoint of a run, the latest where none is named.
    pub(super) fn open(source: &Path, step: Option<Step>, into: MergeBase, ui: &Ui) -> Result<Self> {
        match source.join(layout::RECIPE).exists() {
            true => of_run(source, step, into, ui),
            false if step.is_some() => Err(Error::new(format!("--step is for run folders, which {} is not", source.display()))),
            false => of_files(source),
        }
    }

    /// A model in files with adapters of the PEFT library. A tokenizer beside the adapters is theirs, and comes before
    /// that of the model.
    pub(super) fn of_adapters(source: &Path, folder: &Path) -> Result<Self> {
        if source.join(layout::RECIPE).exists() {
            return Err(Error::new(format!("--lora is for models in files, and {} is a run", source.display()))
                .hint("a run's own adapters are merged without it"));
        }
        let adapted = Adapted::of_files(source, folder);
        let mut model = of_files(source)?;
        model.weights = adapted.merged(MergeBase::Original)?;
        let theirs = read(folder, &TOKENIZERS)?;
        if !theirs.is_empty() {
            model.files = read(folder, &BESIDE)?;
            model.files.extend(theirs);
        }
        model.adapted = Some(adapted);
        Ok(model)
    }
}

/// A checkpoint of a run, with the run's tokenizer.
fn of_run(run: &Path, step: Option<Step>, into: MergeBase, ui: &Ui) -> Result<Model> {
    let recipe = Recipe::load(&run.join(layout::RECIPE), &[])?;
    let Some(train) = &recipe.train else { return Err(Error::new(format!("{} has no training", run.display()))) };
    let checkpoint = model::checkpoint(run, step)?;
    let tokenizer = stage::tokenizer::open(run, &recipe.tokenizer)?;
    if checkpoint.state().tokenizer != Digest(tokenizer.fingerprint()) {
        return Err(Error::new(format!(
            "{} was trained with another tokenizer than the one in the run folder",
            checkpoint.folder().display()
        ))
        .hint("run the recipe again, then export"));
    }
    let adapted = Adapted::of_run(run, &recipe, &checkpoint, stage::tokenizer::open(run, &recipe.tokenizer)?)?;
    let weights = match &adapted {
        Some(adapted) => adapted.merged(into)?,
        None => checkpoint.weights().map_err(Error::new)?,
    };
    let weights = weights.without_value_head();
    let mut eos = vec![tokenizer.eos()];
    // What the first model stopped at, this one may write too.
    let ends = |init: &Path| model::ends(init, &Pretrained::open(init).map_err(Error::new)?);
    match train.init.as_deref().map(ends) {
        Some(Ok(ends)) => eos.extend(ends.iter().filter(|&&id| id != tokenizer.eos())),
        Some(Err(error)) => {
            ui.warn(format!("the end ids of the model that training started from are not known any more: {}", error.message))
        }
        None => {}
    }
    let max_positions = train.sequence_length;
    let mut files = tokenizer_files(&tokenizer, recipe.tokenizer.load.as_deref(), weights.config().max_positions.unwrap_or(max_positions))?;
    if let Some(template) = chat::open(run)? {
        // It is served with what it was trained with, and stops where it learned to.
        files.retain(|(name, _)| name != TEMPLATE);
        files.push((TEMPLATE.to_owned(), template.text().template.clone().into_bytes()));
        for stop in ChatEncoder::new(&template, &tokenizer)?.stops()? {
            if !eos.contains(&stop) {
                eos.push(stop);
            }
        }
    }
    let state = checkpoint.state().clone();
    let run = Run { folder: run.to_path_buf(), state, tokenizer: tokenizer.kind(), recipe };
    Ok(Model { weights, texts: Texts { max_positions, eos }, files, run: Some(run), adapted, cards: Vec::new() })
}

/// The run's tokenizer. Where it was loaded, and its file still is what it was, the files beside it
/// come along: a chat template, names of special tokens.
fn tokenizer_files(tokenizer: &Tokenizer, loaded: Option<&Path>, max_positions: u32) -> Result<Vec<(String, Vec<u8>)>> {
    let own = tokenizer.published();
    let mut files = match loaded {
        Some(path) if path.ends_with(tokenizer.file_name()) && std::fs::read(path).is_ok_and(|bytes| bytes == own) => {
            read(path.parent().unwrap_or(Path::new(".")), &BESIDE)?
        }
        _ => Vec::new(),
    };
    if files.iter().all(|(name, _)| name != CONFIG) {
        let class = if tokenizer.kind() == "sentencepiece" { "LlamaTokenizer" } else { "PreTrainedTokenizerFast" };
        let mut config = json!({
            "tokenizer_class": class,
            "eos_token": tokenizer.eos_token(),
            "model_max_length": max_positions,
            "clean_up_tokenization_spaces": false,
        });
        if tokenizer.kind() == "sentencepiece" {
            // As this program encodes: no token that the text does not contain.
            (config["add_bos_token"], config["add_eos_token"]) = (json!(false), json!(false));
        }
        files.push((CONFIG.to_owned(), format!("{config:#}\n").into_bytes()));
    }
    files.push((tokenizer.file_name().to_owned(), own));
    Ok(files)
}

/// A model that is not a run's, with the tokenizer that stands beside it.
fn of_files(source: &Path) -> Result<Model> {
    let weights = Pretrained::open(source)
        .map_err(|error| Error::new(error).hint("give a run folder, a folder with config.json and safetensors, or a .gguf file"))?;
    let (mut files, mut cards) = (Vec::new(), Vec::new());
    if source.is_dir() {
        files = read(source, &BESIDE)?;
        files.extend(read(source, &TOKENIZERS)?);
        cards = read(source, &CARDS)?;
    }
    // A GGUF file without a length is of no known model; the number then limits nothing.
    let texts = Texts { max_positions: weights.config().max_positions.unwrap_or(u32::MAX), eos: model::ends(source, &weights)? };
    Ok(Model { weights, texts, files, run: None, adapted: None, cards })
}

/// Those of the files that are there.
fn read(folder: &Path, names: &[&str]) -> Result<Vec<(String, Vec<u8>)>> {
    let there = names.iter().map(|name| (name.to_string(), folder.join(name))).filter(|(_, path)| path.is_file());
    let read = |(name, path): (String, PathBuf)| Ok((name, std::fs::read(&path).context(|| format!("cannot read {}", path.display()))?));
    there.map(read).collect()
}
