//! `filters train-lm`: the model of the filter `perplexity`, from texts.
//!
//! Texts are read three times: to count their characters, their runs of characters, and to measure those held out. A
//! text is learnt from when its hash says so, and counts add up in any order: the model depends on neither the order of
//! the texts, nor the number of threads, nor how much of the runs fits the memory.

use std::path::Path;

use filters::{Alphabet, CharCounts, LanguageModel, LanguageModelConfig, NgramCounts};
use rayon::prelude::*;
use serde_json::json;

use crate::cli::LanguageModelTraining;
use crate::error::{Context, Error, Result};
use crate::report::{Ui, grouped};
use crate::tokenizer::texts::{Bad, Texts, is_held_out};

/// Most texts, and most bytes of them, that are counted at a time.
const CHUNK: usize = 8192;
const CHUNK_BYTES: usize = 8 << 20;
/// Shares of the held-out texts below the perplexities that are told.
const QUANTILES: [f64; 9] = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99];

/// `malmoi filters train-lm`.
pub(crate) fn train(args: &LanguageModelTraining, ui: &Ui) -> Result<()> {
    if !(0.0..=0.9).contains(&args.held_out) {
        return Err(Error::new(format!("`--held-out` is a share from 0 to 0.9, not {}", args.held_out)));
    }
    let config = LanguageModelConfig { order: args.order, prune: args.prune };
    config.validate().map_err(Error::new)?;
    let texts = Texts::open(&args.texts)?;
    let held_out = |text: &str| is_held_out(text, args.held_out);

    let bad = Bad::default();
    let mut chars = CharCounts::default();
    each_chunk(texts.iter(&bad).map(|(_, text)| text).filter(|text| !held_out(text)), |chunk| {
        chunk.iter().for_each(|text| chars.add(text));
        Ok(())
    })?;
    bad.tell(ui);
    // What is held out are the lowest hashes; of the rest the lowest again, as many as are wanted.
    let share = if chars.total() > args.chars { args.chars as f64 / chars.total() as f64 } else { 1.0 };
    let learnt = |text: &str| !held_out(text) && is_held_out(text, args.held_out + (1.0 - args.held_out) * share);
    let alphabet = Alphabet::new(&chars);

    let bad = Bad::default();
    let folder = args.out.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).context(|| format!("cannot create {}", folder.display()))?;
    let (mut counts, mut count) = (NgramCounts::new(&config, args.memory.0, &args.out), 0_u64);
    each_chunk(texts.iter(&bad).map(|(_, text)| text).filter(|text| learnt(text)), |chunk| {
        count += chunk.len() as u64;
        chunk.iter().try_for_each(|text| counts.add(text, &alphabet)).map_err(Error::new)
    })?;
    let model = config.estimate(counts, alphabet, count).map_err(Error::new)?;

    let bad = Bad::default();
    let mut found: Vec<f64> = Vec::new();
    each_chunk(texts.iter(&bad).map(|(_, text)| text).filter(|text| held_out(text)), |chunk| {
        found.par_extend(chunk.par_iter().filter_map(|text| model.perplexity(text)));
        Ok(())
    })?;
    model.save(&args.out).map_err(Error::new)?;
    tell(&model, found, &args.out, ui);
    Ok(())
}

/// Calls `take` with the texts, some at a time.
fn each_chunk(texts: impl Iterator<Item = String>, mut take: impl FnMut(&[String]) -> Result<()>) -> Result<()> {
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    for text in texts {
        bytes += text.len();
        chunk.push(text);
        if chunk.len() >= CHUNK || bytes >= CHUNK_BYTES {
            crate::stage::check(&crate::CANCEL)?;
            take(&chunk)?;
            chunk.clear();
            bytes = 0;
        }
    }
    take(&chunk)
}

fn tell(model: &LanguageModel, mut found: Vec<f64>, out: &Path, ui: &Ui) {
    let [texts, characters] = model.learnt();
    ui.data(format!("learnt from {} texts, {} characters", grouped(texts), grouped(characters)));
    let ngrams = model.ngrams();
    let shown: Vec<String> = ngrams.iter().map(|count| grouped(*count as u64)).collect();
    ui.data(format!("runs of 1 to {} characters: {}", ngrams.len(), shown.join(", ")));
    ui.data(format!("held out: {} texts", grouped(found.len() as u64)));
    found.sort_unstable_by(f64::total_cmp);
    let mut rows = Vec::new();
    if !found.is_empty() {
        ui.data("share of texts below  perplexity");
        for share in QUANTILES {
            let value = found[((found.len() - 1) as f64 * share).round() as usize];
            ui.data(format!("{share:<21}  {value:.2}"));
            rows.push(json!({ "share": share, "perplexity": value }));
        }
    }
    ui.data(out.display());
    let facts =
        json!({ "model": out, "texts": texts, "characters": characters, "ngrams": ngrams, "held-out": found.len(), "quantiles": rows });
    ui.event("language-model", &facts);
}
