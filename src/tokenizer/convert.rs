//! `tokenizer convert`: the same ids in another program's format.

use std::path::Path;

use serde::Deserialize;
use serde_json::json;
use shards::{Pattern, Tokenizer, VocabularyHints};

use crate::error::{Context, Error, Result};
use crate::layout;
use crate::report::Ui;

/// `malmoi tokenizer convert`.
pub(super) fn convert(from: &Path, out: &Path, hints: &VocabularyHints, eos: Option<&str>, ui: &Ui) -> Result<()> {
    let format = Format::of(out)?;
    let tokenizer = Tokenizer::load_with(from, eos, hints)?;
    let refuse = |what: &str, why: &str| Err(Error::new(format!("{} is {what}: {why}", from.display())));
    let (bytes, lacks) = match (format, tokenizer.kind()) {
        (Format::Tiktoken, _) => tokenizer.to_tiktoken()?,
        (Format::Json, "sentencepiece") => {
            return refuse(
                "a SentencePiece model",
                "a tokenizer.json spells its rules out in other parts, which would not encode every text equally",
            );
        }
        (Format::Json, _) | (Format::Model, "sentencepiece") => (tokenizer.published(), Vec::new()),
        (Format::Model, _) => {
            return refuse("a byte-level BPE", "a SentencePiece model has no such splitting into words, and would give other ids");
        }
    };
    let folder = super::folder_of(out)?;
    layout::write(&folder, super::file_name(out)?, &bytes)?;
    let (size, end) = (tokenizer.vocab_size(), tokenizer.eos_token());
    ui.data(format!("{}: {size} ids, ends documents with {end}, encoded by {}", out.display(), tokenizer.encoder()));
    if !lacks.is_empty() {
        ui.warn(format!("{} gives the same ids with what it cannot hold: {}", out.display(), lacks.join(", ")));
    }
    ui.event("converted", &json!({ "from": from, "path": out, "vocab-size": size, "eos": end, "lacks": lacks }));
    Ok(())
}

/// What a tokenizer's file is, by the end of its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Model,
    Tiktoken,
}

impl Format {
    pub(super) fn of(out: &Path) -> Result<Self> {
        match out.extension().and_then(|name| name.to_str()) {
            Some("json") => Ok(Self::Json),
            Some("model") => Ok(Self::Model),
            Some("tiktoken") => Ok(Self::Tiktoken),
            _ => Err(Error::new(format!("{}: the name says no format", out.display())).hint("known are .json, .tiktoken and .model")),
        }
    }
}

/// What the command line says of a file that does not say it.
pub(super) fn hints(pattern: Option<&str>, special: &[String]) -> Result<VocabularyHints> {
    let pattern = pattern.map(|name| Pattern::deserialize(toml::Value::from(name)).context(|| format!("--pattern {name}"))).transpose()?;
    let special = special.iter().map(|text| {
        let pair = text.rsplit_once('=').and_then(|(token, id)| Some((token.to_owned(), id.parse().ok()?)));
        pair.filter(|(token, _)| !token.is_empty()).ok_or_else(|| Error::new(format!("--special {text} is not TOKEN=ID")))
    });
    Ok(VocabularyHints { pattern, special: special.collect::<Result<_>>()? })
}
