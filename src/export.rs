//! `export`: a model as other programs open it.

mod check;
mod facts;
mod source;

use std::path::Path;
use std::str::FromStr;

use serde_json::json;
use trainer::{AdapterExport, GgufExport, GgufFormat, MergeBase, Packing, Vocabulary, WeightFormat, staged_folder};

use crate::card::name_of;
use crate::cli;
use crate::error::{Error, Result};
use crate::report::Ui;
use check::Merge;
use facts::Facts;
use source::Model;

/// What an exported model is, for programs.
pub(crate) const MODEL_INFO: &str = "model_info.json";

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
pub(crate) fn export(arguments: &cli::Export, common: &cli::Common, ui: &Ui) -> Result<()> {
    let given: Option<WeightFormat> = parse("--dtype", arguments.dtype.as_deref())?;
    let into: Option<MergeBase> = parse("--merge-base", arguments.check.merge_base.as_deref())?;
    let is_file = arguments.target.extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf"));
    let form = form(arguments.format);
    match form {
        Form::Folder(_) if is_file => {
            return Err(Error::new(format!("{} is named like a GGUF file, but the format is one of a folder", arguments.target.display()))
                .hint("add `--format gguf-q4_k_m` or another gguf format"));
        }
        Form::Gguf(_) if given.is_some() => {
            return Err(Error::new("--dtype is for hf formats").hint("the type of a GGUF file is in its format: gguf-f16, gguf-f32"));
        }
        _ => {}
    }
    let model = match &arguments.lora {
        Some(adapters) => Model::of_adapters(&arguments.source, adapters)?,
        None => Model::open(&arguments.source, arguments.step, into.unwrap_or_default(), ui)?,
    };
    if arguments.adapter {
        return adapters(arguments, &model, given.unwrap_or(WeightFormat::F32), ui);
    }
    let dtype = given.unwrap_or_default();
    match &model.adapted {
        Some(adapted) => {
            let merge = Merge {
                adapted,
                model: &model,
                into: into.unwrap_or_default(),
                format: merged_format(form, dtype),
                device: &common.device,
            };
            check::check(&merge, &arguments.check, ui)?;
        }
        None if arguments.check != cli::Check::default() => {
            return Err(Error::new(
                "--merge-base, --check-tokens, --check-text and --force are for adapters, which this model has none of",
            ));
        }
        None => {}
    }
    let name = arguments.name.clone().unwrap_or_else(|| name_of(&arguments.source).trim_end_matches(".gguf").to_owned());
    let facts = Facts { model: &model, name: &name, source: &arguments.source, format: &format_name(arguments, dtype), lang: common.lang };
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

/// A value of the command line.
fn parse<T: FromStr<Err = trainer::Error>>(option: &str, text: Option<&str>) -> Result<Option<T>> {
    text.map(str::parse).transpose().map_err(|error: trainer::Error| Error::new(format!("{option}: {error}")))
}

/// The numbers that merged matrices are rounded to; what quantizing makes of them then is not the merging's doing.
fn merged_format(form: Form, dtype: WeightFormat) -> WeightFormat {
    match form {
        Form::Folder(_) => dtype,
        Form::Gguf(GgufFormat::F16) => WeightFormat::F16,
        Form::Gguf(GgufFormat::Bf16) => WeightFormat::Bf16,
        Form::Gguf(_) => WeightFormat::F32,
    }
}

/// A run's adapters as a folder of the PEFT library.
fn adapters(arguments: &cli::Export, model: &Model, format: WeightFormat, ui: &Ui) -> Result<()> {
    let Some(adapted) = &model.adapted else {
        return Err(Error::new(format!("{} has no adapters", arguments.source.display()))
            .hint("`--adapter` is for runs with `[train.lora]`; without it the whole model is written"));
    };
    if arguments.format != cli::Format::Hf {
        return Err(Error::new("--adapter writes the form of the PEFT library alone").hint("leave --format out"));
    }
    let (base, adapters) = (adapted.base()?, adapted.adapters()?);
    let base_name = arguments.base_name.clone().unwrap_or_else(|| adapted.path().display().to_string());
    if base.has_new_rows() {
        ui.say(format!(
            "export: the vocabulary grew: whoever loads the adapters calls `resize_token_embeddings({})` on the base first",
            base.vocab_size()
        ));
    }
    let export = AdapterExport { adapters: &adapters, base: &base, base_name, format, files: model.files.clone() };
    let files = export.write(&arguments.target).map_err(|error| Error::new(error).hint("without --adapter the whole model is written"))?;
    ui.say(format!("export: adapters of {} for {}: {}", adapters.path().display(), export.base_name, files.join(" ")));
    let (source, target) = (adapters.path(), &arguments.target);
    ui.event("export", &json!({ "source": source, "target": target, "format": "peft", "dtype": format.name(), "files": files }));
    ui.data(arguments.target.display());
    Ok(())
}

/// The format as the command line spells it, with the type of numbers where it has a choice.
fn format_name(arguments: &cli::Export, dtype: WeightFormat) -> String {
    let name = clap::ValueEnum::to_possible_value(&arguments.format).map(|value| value.get_name().to_owned()).unwrap_or_default();
    match form(arguments.format) {
        Form::Folder(_) => format!("{name} ({dtype})"),
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
