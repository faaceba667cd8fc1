//! `tokenizer`: loaded from a file, trained on the kept documents, or plain bytes.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use corpora::Part;
use serde_json::json;
use shards::{LineCounts, SentencePieceConfig, Tokenizer, TokenizerConfig, TokenizerSource};
use xxhash_rust::xxh3::xxh3_64;

use super::tokenize::Unique;
use crate::error::{Context, Error, Result};
use crate::layout;
use crate::record::{KeptText, PartStats};
use crate::report::{Ui, Unit};

/// Makes the tokenizer of a run and saves it in the run folder.
pub(crate) fn make(folder: &Path, parts: &[Part], config: &TokenizerConfig, cancel: &AtomicBool, ui: &Ui) -> Result<Tokenizer> {
    let tokenizer = match config.source() {
        TokenizerSource::Train(train) => {
            let total = total_text(folder, parts)?;
            let share = (train.sample_bytes as f64 / total.max(1) as f64).min(1.0);
            if share < 1.0 {
                ui.say(format!(
                    "tokenizer: trains on {:.1}% of the text (`sample-bytes`), chosen by the hash of the document id",
                    100.0 * share
                ));
            }
            let progress = ui.progress("tokenizer", Unit::Bytes, total);
            let failed = Mutex::new(None);
            let texts =
                Texts { folder, parts: parts.iter(), current: None, share, cancel, failed: &failed, seen: &|bytes| progress.add(bytes) };
            let trained = Tokenizer::train(train, config.eos.as_deref(), folder, texts);
            if let Some(error) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
                return Err(error);
            }
            trained.context(|| "cannot train the tokenizer".to_owned())?
        }
        TokenizerSource::SentencePiece(sentencepiece) => {
            let progress = ui.progress("tokenizer", Unit::Bytes, total_text(folder, parts)?);
            let failed = Mutex::new(None);
            let texts = Texts {
                folder,
                parts: parts.iter(),
                current: None,
                share: 1.0,
                cancel,
                failed: &failed,
                seen: &|bytes| progress.add(bytes),
            };
            let trained = Tokenizer::train_sentencepiece(sentencepiece, config.eos.as_deref(), texts);
            if let Some(error) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
                return Err(error);
            }
            let (tokenizer, lines) = trained.context(|| "cannot train the tokenizer".to_owned())?;
            tell(lines, sentencepiece, ui);
            tokenizer
        }
        TokenizerSource::Load(_) | TokenizerSource::Bytes => Tokenizer::build(config, folder, std::iter::empty::<String>())?,
    };
    let path = layout::prepare(folder, &format!("{}/{}", layout::TOKENIZER, tokenizer.file_name()))?;
    // The folder holds one tokenizer: that of an earlier recipe must not be taken for this one.
    for other in FILES.map(|name| path.with_file_name(name)).iter().filter(|other| **other != path) {
        match std::fs::remove_file(other) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::new(format!("cannot remove the outdated {}: {cause}", other.display())));
            }
            _ => {}
        }
    }
    tokenizer.save(&path)?;
    layout::write_json(folder, layout::END_TOKEN, &tokenizer.eos_token())?;
    Ok(tokenizer)
}

/// Says what became of the lines that a SentencePiece model was trained on.
pub(crate) fn tell(counts: LineCounts, config: &SentencePieceConfig, ui: &Ui) {
    let LineCounts { lines, cut, reserved, used } = counts;
    ui.say(format!("tokenizer: trained on {used} lines, of {lines}"));
    if cut > 0 {
        ui.warn(format!("{cut} lines were longer than `max-sentence-length` = {} bytes and were cut", config.max_sentence_length));
    }
    if reserved > 0 {
        ui.warn(format!("{reserved} lines hold the reserved character U+2585 and were left out"));
    }
    ui.event("tokenizer-lines", &json!({ "lines": lines, "cut": cut, "reserved": reserved, "used": used }));
}

/// What a tokenizer's file can be called.
const FILES: [&str; 2] = ["tokenizer.json", "tokenizer.model"];

/// The tokenizer of a run folder.
pub(crate) fn open(folder: &Path, config: &TokenizerConfig) -> Result<Tokenizer> {
    let place = folder.join(layout::TOKENIZER);
    // Runs of before this file was written: a trained tokenizer's end token is the first special token it was trained with.
    let written = folder.join(layout::END_TOKEN).exists().then(|| layout::read_json::<String>(folder, layout::END_TOKEN)).transpose()?;
    let trained = || config.train.as_ref()?.special_tokens.first().cloned();
    let eos = written.or_else(|| config.eos.clone()).or_else(trained);
    match FILES.iter().map(|name| place.join(name)).find(|path| path.exists()) {
        Some(path) => Ok(Tokenizer::load(path, eos.as_deref())?),
        None => Err(Error::new(format!("there is no tokenizer in {}", place.display())).hint("`malmoi build` makes it")),
    }
}

fn total_text(folder: &Path, parts: &[Part]) -> Result<u64> {
    parts.iter().map(|part| Ok(layout::read_json::<PartStats>(folder, &layout::stats(&part.name))?.text_bytes)).sum()
}

/// Texts of the kept documents that are no duplicates, in part order; a sample of them when the
/// corpus is larger than what the training may read. An error ends the iteration and is left in
/// `failed`, because the trainer's iterator has no place for it.
struct Texts<'a> {
    folder: &'a Path,
    parts: std::slice::Iter<'a, Part>,
    /// A part's bucket and documents.
    current: Option<(Arc<str>, Unique)>,
    share: f64,
    cancel: &'a AtomicBool,
    failed: &'a Mutex<Option<Error>>,
    seen: &'a (dyn Fn(u64) + Sync),
}

impl Texts<'_> {
    fn step(&mut self) -> Result<Option<(Arc<str>, KeptText)>> {
        super::check(self.cancel)?;
        loop {
            if let Some((bucket, unique)) = &mut self.current
                && let Some(document) = unique.next()
            {
                return Ok(Some((bucket.clone(), document?)));
            }
            let Some(part) = self.parts.next() else { return Ok(None) };
            let stats: PartStats = layout::read_json(self.folder, &layout::stats(&part.name))?;
            self.current = Some((stats.bucket.into(), Unique::open(self.folder, &part.name)?));
        }
    }
}

impl Iterator for Texts<'_> {
    type Item = (Arc<str>, String);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step() {
                Ok(Some((bucket, document))) => {
                    (self.seen)(document.text.len() as u64);
                    // A fixed key: which documents are sampled must not depend on the run's seed.
                    let draw = xxh3_64(document.id.as_bytes()) as f64 / u64::MAX as f64;
                    if self.share >= 1.0 || draw < self.share {
                        return Some((bucket, document.text));
                    }
                }
                Ok(None) => return None,
                Err(error) => {
                    *self.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
                    return None;
                }
            }
        }
    }
}
