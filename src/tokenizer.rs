//! `tokenizer`: train one, extend one, convert one, compare several.

mod chart;
mod convert;
mod measure;
pub(crate) mod texts;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use shards::{ExtendConfig, Tokenizer, TokenizerConfig, TokenizerSource};
use toml::{Table, Value};

use crate::cli::{Common, TokenizerCommand};
use crate::error::{Context, Error, Result};
use crate::report::{Ui, bytes};
use crate::{layout, recipe, stage};
use convert::Format;
pub(crate) use measure::syllables;
use measure::{Measured, show};
use texts::{Bad, Texts};

/// `malmoi tokenizer ...`.
pub(crate) fn run(command: &TokenizerCommand, common: &Common, ui: &Ui) -> Result<()> {
    match command {
        TokenizerCommand::Train { texts, out, vocab_size } => train(texts, out, *vocab_size, common, ui),
        TokenizerCommand::Extend { tokenizer, texts, out, tokens, rows, held_out } => {
            let config = ExtendConfig { new_tokens: *tokens, ..ExtendConfig::default() };
            extend(tokenizer, texts, out, &config, *rows, *held_out, ui)
        }
        TokenizerCommand::Convert { tokenizer, out, pattern, special, eos } => {
            convert::convert(tokenizer, out, &convert::hints(pattern.as_deref(), special)?, eos.as_deref(), ui)
        }
        TokenizerCommand::Report { texts, tokenizer, chart } => report(texts, tokenizer, chart.as_deref(), ui),
    }
}

/// The part of a recipe that `--set` reaches here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    tokenizer: TokenizerConfig,
}

fn train(texts: &[String], out: &Path, vocab_size: Option<u32>, common: &Common, ui: &Ui) -> Result<()> {
    let mut settings = Table::new();
    let sentencepiece = match Format::of(out)? {
        Format::Json => false,
        Format::Model => true,
        Format::Tiktoken => {
            return Err(Error::new(format!("{}: a .tiktoken file has no place for the special tokens before the ranks", out.display()))
                .hint("name it .json, or .model for SentencePiece"));
        }
    };
    let kind = if sentencepiece { "sentencepiece" } else { "train" };
    if sentencepiece {
        recipe::set(&mut settings, "tokenizer.sentencepiece.model-type=bpe")?;
    } else {
        // All the text that is named, unless `--set` says otherwise.
        recipe::set(&mut settings, &format!("tokenizer.train.sample-bytes={}", i64::MAX))?;
    }
    if let Some(size) = vocab_size {
        recipe::set(&mut settings, &format!("tokenizer.{kind}.vocab-size={size}"))?;
    }
    common.set.iter().try_for_each(|assignment| recipe::set(&mut settings, assignment))?;
    recipe::expand_tokenizer(&mut settings);
    let Settings { tokenizer } = Settings::deserialize(Value::Table(settings)).map_err(|error| {
        Error::new(format!("cannot train: {}", error.message()))
            .hint(format!("options of `[tokenizer] {kind}` are set by --set tokenizer.{kind}.KEY=VALUE"))
    })?;
    tokenizer.check()?;
    let texts = Texts::open(texts)?;
    let bad = Bad::default();
    let eos = tokenizer.eos.as_deref();
    let buckets: Vec<Arc<str>> = texts.buckets().iter().map(|bucket| bucket.as_str().into()).collect();
    let read = texts.iter(&bad).map(|(bucket, text)| (buckets[bucket].clone(), text));
    let folder = folder_of(out)?;
    let trained = match tokenizer.source() {
        TokenizerSource::Train(config) => Tokenizer::train(config, eos, &folder, read),
        TokenizerSource::SentencePiece(config) => Tokenizer::train_sentencepiece(config, eos, read).map(|(trained, lines)| {
            stage::tokenizer::tell(lines, config, ui);
            trained
        }),
        _ => return Err(Error::new("`tokenizer train` trains; `tokenizer.load` and `tokenizer.bytes` have no place here")),
    };
    // Also where nothing could be learnt, and this is why.
    bad.tell(ui);
    let trained = trained.context(|| "cannot train the tokenizer".to_owned())?;
    trained.save(out)?;
    ui.data(format!("{}: {} tokens, ends documents with {}", out.display(), trained.vocab_size(), trained.eos_token()));
    ui.event(
        "tokenizer",
        &json!({ "path": out, "vocab-size": trained.vocab_size(), "eos": trained.eos_token(), "unreadable": bad.count() }),
    );
    Ok(())
}

/// The folder of a file that is to be written, which takes spilled counts meanwhile.
fn folder_of(out: &Path) -> Result<PathBuf> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder.to_path_buf())
}

/// The last part of the path of a file that is to be written.
fn file_name(out: &Path) -> Result<&str> {
    let name = out.file_name().and_then(|name| name.to_str());
    name.ok_or_else(|| Error::new(format!("{} is not the name of a file", out.display())))
}

fn extend(path: &Path, texts: &[String], out: &Path, config: &ExtendConfig, rows: Option<u32>, held_out: f64, ui: &Ui) -> Result<()> {
    /// Embeddings are kept at multiples of this many rows.
    const MULTIPLE: u32 = 128;
    if !(0.0..=0.5).contains(&held_out) {
        return Err(Error::new(format!("--held-out {held_out} is not from 0 to 0.5")));
    }
    let old = Tokenizer::load(path, None)?;
    let texts = Texts::open(texts)?;
    let bad = Bad::default();
    let learnt = texts.iter(&bad).map(|(_, text)| text).filter(|text| !texts::is_held_out(text, held_out));
    let extended = old.extend(config, &folder_of(out)?, learnt);
    bad.tell(ui);
    let extended = extended?;
    let added = extended.parts.len() as u32;
    extended.save(out)?;
    let new = Tokenizer::load(out, Some(old.eos_token()))?;
    ui.data(format!("{}: {added} new tokens, ids {} to {}", out.display(), extended.first, new.vocab_size() - 1));
    if added < config.new_tokens {
        ui.warn(format!("the text gave {added} new tokens, not {}", config.new_tokens));
    }
    let needed = extended.rows(rows.unwrap_or(0), MULTIPLE);
    match rows {
        Some(rows) if needed == rows => ui.data(format!("embedding: {rows} rows suffice")),
        Some(rows) => ui.data(format!(
            "embedding: {needed} rows, from {rows}; {} new ids are in rows that were padding",
            rows.saturating_sub(extended.first).min(added)
        )),
        None => ui.data(format!("embedding: {needed} rows, unless it has more (--rows says how many it has)")),
    }
    ui.event(
        "extended",
        &json!({ "path": out, "first-id": extended.first, "new-tokens": added, "rows-before": rows, "rows": needed, "unreadable": bad.count() }),
    );
    if held_out > 0.0 {
        let seen = Bad::default(); // told already
        let held = texts.iter(&seen).filter(|(_, text)| texts::is_held_out(text, held_out));
        let names = ["before".to_owned(), "after".to_owned()];
        let measured = measure::measure(&[&old, &new], texts.buckets(), held)?;
        if measured.iter().all(|bucket| bucket.documents == 0) {
            ui.warn("no text was held out, so nothing is measured: name more texts, or a larger --held-out");
        } else {
            show(&names, &[&old, &new], &measured, ui);
        }
    }
    Ok(())
}

fn report(texts: &[String], tokenizers: &[String], chart: Option<&Path>, ui: &Ui) -> Result<()> {
    let mut names = Vec::new();
    let mut loaded = Vec::new();
    for argument in tokenizers {
        let (name, path) = match argument.split_once('=') {
            Some((name, path)) => (name.to_owned(), Path::new(path)),
            None => (name_of(Path::new(argument)), Path::new(argument)),
        };
        if names.contains(&name) {
            return Err(Error::new(format!("two tokenizers are called `{name}`")).hint("name them: --tokenizer NAME=FILE"));
        }
        let tokenizer = Tokenizer::load(path, None)?;
        if let Some(reason) = tokenizer.slow_because() {
            ui.detail(format!("{name}: encoded by the tokenizers library, slowly: {reason}"));
        }
        names.push(name);
        loaded.push(tokenizer);
    }
    let loaded: Vec<&Tokenizer> = loaded.iter().collect();
    let texts = Texts::open(texts)?;
    let bad = Bad::default();
    let measured: Vec<Measured> = measure::measure(&loaded, texts.buckets(), texts.iter(&bad))?;
    bad.tell(ui);
    ui.detail(format!("read {} of text", bytes(measured.iter().map(|bucket| bucket.bytes).sum())));
    show(&names, &loaded, &measured, ui);
    if let Some(chart) = chart {
        let name = file_name(chart)?;
        layout::write(&folder_of(chart)?, name, chart::svg(&names, &measured).as_bytes())?;
        ui.say(format!("tokenizer: {} shows characters per token", chart.display()));
        ui.event("chart", &json!({ "path": chart }));
    }
    Ok(())
}

/// `tokenizer.json` says nothing, the name of its folder does.
fn name_of(path: &Path) -> String {
    let part = |name: Option<&std::ffi::OsStr>| name.map(|name| name.to_string_lossy().into_owned());
    let stem = part(path.file_stem()).unwrap_or_default();
    let folder = path.parent().and_then(|folder| part(folder.file_name()));
    if stem == "tokenizer" { folder.unwrap_or(stem) } else { stem }
}
