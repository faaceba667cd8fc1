//! `export`: a model as other programs open it.

mod facts;
mod source;

use std::path::Path;

use serde_json::json;
use trainer::{GgufExport, GgufFormat, Packing, Vocabulary, WeightFormat, staged_folder};

use crate::card::name_of;
use crate::cli::{self, Language};
use crate::error::{Error, Result};
use crate::report::Ui;
use facts::Facts;
use source::Model;

/// What a format is made of.
#[derive(Clone, Copy)]
enum Form {
    Folder(Packing),
    Gguf(GgufFormat),
}

fn form(format: cli::Format) -> Form {
    match format {
        cli::Format::Hf => Form::Folder(Packing::Plain),
        cli::Format::HfNf4 => Form::Folder(Packing::Nf4),
        cli::Format::HfW4a16 => Form::Folder(Packing::Int4),
        cli::Format::GgufF32 => Form::Gguf(GgufFormat::F32),
        cli::Format::GgufF16 => Form::Gguf(GgufFormat::F16),
        cli::Format::GgufBf16 => Form::Gguf(GgufFormat::Bf16),
        cli::Format::GgufQ8_0 => Form::Gguf(GgufFormat::Q8_0),
        cli::Format::GgufQ4KM => Form::Gguf(GgufFormat::Q4KM),
    }
}

/// `malmoi export`.
pub(crate) fn export(arguments: &cli::Export, lang: Language, ui: &Ui) -> Result<()> {
    let dtype: WeightFormat = arguments.dtype.parse().map_err(|error: trainer::Error| Error::new(format!("--dtype: {error}")))?;
    let is_file = arguments.target.extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf"));
    let form = form(arguments.format);
    match form {
        Form::Folder(_) if is_file => {
            return Err(Error::new(format!("{} is named like a GGUF file, but the format is one of a folder", arguments.target.display()))
                .hint("add `--format gguf-q4_k_m` or another gguf format"));
        }
        Form::Gguf(_) if dtype != WeightFormat::Bf16 => {
            return Err(Error::new("--dtype is for hf formats").hint("the type of a GGUF file is in its format: gguf-f16, gguf-f32"));
        }
        _ => {}
    }
    let model = Model::open(&arguments.source, arguments.step, ui)?;
    let name = arguments.name.clone().unwrap_or_else(|| name_of(&arguments.source).trim_end_matches(".gguf").to_owned());
    let facts = Facts { model: &model, name: &name, source: &arguments.source, format: &format_name(arguments), lang };
    let files = match form {
        Form::Folder(packing) => folder(arguments, packing, dtype, &model, &facts, ui)?,
        Form::Gguf(format) => gguf(&arguments.target, format, &model, &facts, is_file, ui)?,
    };
    let (from, eos) = (model.weights.path().display(), &model.texts.eos);
    ui.say(format!("export: {from} as {}, end ids {eos:?}: {}", facts.format, files.join(" ")));
    let (source, target) = (model.weights.path(), &arguments.target);
    ui.event("export", &json!({ "source": source, "target": target, "format": facts.format, "dtype": dtype.name(), "files": files }));
    ui.data(arguments.target.display());
    Ok(())
}

/// The format as the command line spells it, with the type of numbers where it has a choice.
fn format_name(arguments: &cli::Export) -> String {
    let name = clap::ValueEnum::to_possible_value(&arguments.format).map(|value| value.get_name().to_owned()).unwrap_or_default();
    match form(arguments.format) {
        Form::Folder(_) => format!("{name} ({})", arguments.dtype),
        Form::Gguf(_) => name,
    }
}

/// A Hugging Face folder.
fn folder(
    arguments: &cli::Export,
    packing: Packing,
    format: WeightFormat,
    model: &Model,
    facts: &Facts<'_>,
    ui: &Ui,
) -> Result<Vec<String>> {
    if model.files.is_empty() {
        ui.warn("no tokenizer stands beside the model: the folder has none");
    }
    let mut files = model.files.clone();
    files.extend(facts.files()?);
    let (weights, texts, file_bytes) = (&model.weights, model.texts.clone(), arguments.file_bytes);
    trainer::Export { weights, format, packing, file_bytes, texts, files }.write(&arguments.target).map_err(Error::new)
}

/// A GGUF file, alone or in a folder with its card.
fn gguf(target: &Path, format: GgufFormat, model: &Model, facts: &Facts<'_>, is_file: bool, ui: &Ui) -> Result<Vec<String>> {
    let weights = &model.weights;
    let vocabulary = match Vocabulary::of_model(weights).map_err(Error::new)? {
        Some(vocabulary) => vocabulary,
        None => Vocabulary::of_files(weights.path(), &model.files, weights.vocab_size(), &model.texts.eos)
            .map_err(|error| Error::new(error).hint("`--format hf` writes a Hugging Face folder of any model"))?,
    };
    vocabulary.notes().iter().for_each(|note| ui.say(format!("export: {note}")));
    let export = GgufExport { weights, format, texts: &model.texts, name: facts.name, vocabulary: &vocabulary };
    let write = |path: &Path| -> trainer::Result<()> {
        let types = export.write(path)?;
        let types: Vec<String> = types.iter().map(|(name, count)| format!("{count} {name}")).collect();
        ui.say(format!("export: tensors {}", types.join(", ")));
        Ok(())
    };
    let file = format!("{}-{}.gguf", facts.name.replace(['/', '\\'], "-"), format.name().to_uppercase());
    if is_file {
        write(target).map_err(Error::new)?;
        return Ok(vec![name_of(target)]);
    }
    let others = facts.files()?;
    staged_folder(target, |temporary| {
        write(&temporary.join(&file))?;
        others.iter().try_for_each(|(name, bytes)| trainer::write_file(&temporary.join(name), bytes))
    })
    .map_err(Error::new)?;
    Ok(std::iter::once(file).chain(others.into_iter().map(|(name, _)| name)).collect())
}
