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
    let tokenizer = Tokenizer::load_with(from, eos, hints)?;
    let refuse = |what: &str, why: &str| Err(Error::new(format!("{} is {what}: {why}", from.display())));
    let (bytes, lacks) = match (out.extension().and_then(|name| name.to_str()), tokenizer.kind()) {
        (Some("tiktoken"), _) => tokenizer.to_tiktoken()?,
        (Some("json"), "sentencepiece") => {
            return refuse(
                "a SentencePiece model",
                "a tokenizer.json spells its rules out in other parts, which would not encode every text equally",
            );
        }
        (Some("json"), _) | (Some("model"), "sentencepiece") => (tokenizer.published(), Vec::new()),
        (Some("model"), _) => {
            return refuse("a byte-level BPE", "a SentencePiece model has no such splitting into words, and would give other ids");
        }
        _ => return Err(Error::new(format!("{}: the name says no format", out.display())).hint("known are .json, .tiktoken and .model")),
    };
    let folder = super::folder_of(out)?;
    let Some(name) = out.file_name().and_then(|name| name.to_str()) else {
        return Err(Error::new(format!("{} is not the name of a file", out.display())));
    };
    layout::write(&folder, name, &bytes)?;
    let (size, end) = (tokenizer.vocab_size(), tokenizer.eos_token());
    ui.data(format!("{}: {size} ids, ends documents with {end}, encoded by {}", out.display(), tokenizer.encoder()));
    if !lacks.is_empty() {
        ui.warn(format!("{} gives the same ids with what it cannot hold: {}", out.display(), lacks.join(", ")));
    }
    ui.event("converted", &json!({ "from": from, "path": out, "vocab-size": size, "eos": end, "lacks": lacks }));
    Ok(())
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
