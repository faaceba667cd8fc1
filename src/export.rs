//! `export`: a model as a folder that Hugging Face's libraries open.

use std::path::{Path, PathBuf};

use serde_json::json;
use shards::{ChatEncoder, Digest, Tokenizer};
use trainer::{Checkpoint, Pretrained, Texts, WeightFormat};

use crate::cli;
use crate::error::{Context, Error, Result};
use crate::recipe::Recipe;
use crate::report::Ui;
use crate::{chat, layout, stage};

/// What stands beside a tokenizer's file and belongs to it.
const BESIDE: [&str; 6] =
    ["tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt"];
const CONFIG: &str = BESIDE[0];
const TEMPLATE: &str = BESIDE[1];
const TOKENIZERS: [&str; 2] = ["tokenizer.json", "tokenizer.model"];

/// A model and what is written beside its weights.
struct Model {
    weights: Pretrained,
    texts: Texts,
    /// The tokenizer's files by name.
    files: Vec<(String, Vec<u8>)>,
}

/// `malmoi export`.
pub(crate) fn export(arguments: &cli::Export, ui: &Ui) -> Result<()> {
    let cli::Export { source, folder, format: cli::Format::Hf, dtype, step, file_bytes } = arguments;
    let format: WeightFormat = dtype.parse().map_err(|error: trainer::Error| Error::new(format!("--dtype: {error}")))?;
    let model = match source.join(layout::RECIPE).exists() {
        true => of_run(source, *step, ui)?,
        false if step.is_some() => return Err(Error::new(format!("--step is for run folders, which {} is not", source.display()))),
        false => of_files(source, ui)?,
    };
    let export = trainer::Export { weights: &model.weights, format, file_bytes: *file_bytes, texts: model.texts, files: model.files };
    let files = export.write(folder).map_err(Error::new)?;
    ui.say(format!("export: {} in {}, end ids {:?}: {}", model.weights.path().display(), format.name(), export.texts.eos, files.join(" ")));
    ui.event("export", &json!({ "source": model.weights.path(), "folder": folder, "dtype": format.name(), "files": files }));
    ui.data(folder.display());
    Ok(())
}

/// A checkpoint of a run, with the run's tokenizer.
fn of_run(run: &Path, step: Option<u64>, ui: &Ui) -> Result<Model> {
    let recipe = Recipe::load(&run.join(layout::RECIPE), &[])?;
    let Some(train) = &recipe.train else { return Err(Error::new(format!("{} has no training", run.display()))) };
    let root = run.join(layout::CHECKPOINTS);
    let path = match step {
        Some(step) => Some(root.join(format!("step-{step:06}"))).filter(|path| path.exists()),
        None => Checkpoint::latest(&root).map_err(Error::new)?,
    };
    let Some(path) = path else {
        return Err(
            Error::new(format!("{} has no such checkpoint", root.display())).hint("`malmoi run` makes one; `keep-checkpoints` are kept")
        );
    };
    let checkpoint = Checkpoint::open(&path).map_err(Error::new)?;
    let tokenizer = stage::tokenizer::open(run, &recipe.tokenizer)?;
    if checkpoint.state().tokenizer != Digest(tokenizer.fingerprint()) {
        return Err(Error::new(format!("{} was trained with another tokenizer than the one in the run folder", path.display()))
            .hint("run the recipe again, then export"));
    }
    let weights = checkpoint.weights().map_err(Error::new)?;
    let mut eos = vec![tokenizer.eos()];
    // What the first model stopped at, this one may write too.
    match train.init.as_ref().map(|init| Pretrained::open(init)) {
        Some(Ok(init)) => eos.extend(init.eos().iter().filter(|&&id| id != tokenizer.eos())),
        Some(Err(error)) => ui.warn(format!("the end ids of the model that training started from are not known any more: {error}")),
        None => {}
    }
    let max_positions = train.sequence_length;
    let mut files = tokenizer_files(&tokenizer, recipe.tokenizer.load.as_deref(), weights.config().max_positions.unwrap_or(max_positions))?;
    if let Some(template) = chat::open(run)? {
        // It is served with what it was trained with, and stops where it learned to.
        files.retain(|(name, _)| name != TEMPLATE);
        files.push((TEMPLATE.to_owned(), template.text().template.clone().into_bytes()));
        eos.extend(ChatEncoder::new(&template, &tokenizer)?.stops()?);
        let mut seen = Vec::new();
        eos.retain(|id| {
            !seen.contains(id) && {
                seen.push(*id);
                true
            }
        });
    }
    Ok(Model { weights, texts: Texts { max_positions, eos }, files })
}

/// The run's tokenizer. Where it was loaded, and its file still is what it was, the files beside it
/// come along: a chat template, names of special tokens.
fn tokenizer_files(tokenizer: &Tokenizer, loaded: Option<&Path>, max_positions: u32) -> Result<Vec<(String, Vec<u8>)>> {
    let own = tokenizer.published();
    let mut files = match loaded {
        Some(path) if path.ends_with(tokenizer.file_name()) && std::fs::read(path).is_ok_and(|bytes| bytes == own) => {
            beside(path.parent().unwrap_or(Path::new(".")))?
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
fn of_files(source: &Path, ui: &Ui) -> Result<Model> {
    let weights = Pretrained::open(source)
        .map_err(|error| Error::new(error).hint("give a run folder, a folder with config.json and safetensors, or a .gguf file"))?;
    let mut files = Vec::new();
    if source.is_dir() {
        files = beside(source)?;
        files.extend(read(source, &TOKENIZERS)?);
    }
    if files.is_empty() {
        ui.warn("no tokenizer stands beside the model: the folder has none");
    }
    // A GGUF file without a length is of no known model; the number then limits nothing.
    let texts = Texts { max_positions: weights.config().max_positions.unwrap_or(u32::MAX), eos: weights.eos().to_vec() };
    Ok(Model { weights, texts, files })
}

fn beside(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    read(folder, &BESIDE)
}

/// Those of the files that are there.
fn read(folder: &Path, names: &[&str]) -> Result<Vec<(String, Vec<u8>)>> {
    let there = names.iter().map(|name| (name.to_string(), folder.join(name))).filter(|(_, path)| path.is_file());
    let read = |(name, path): (String, PathBuf)| Ok((name, std::fs::read(&path).context(|| format!("cannot read {}", path.display()))?));
    there.map(read).collect()
}
