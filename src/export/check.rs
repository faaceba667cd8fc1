//! Whether a merged model still is what was trained: both are asked about the same text.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;
use shards::{Batch, HeldOut, Manifest, Split, Tokenizer};
use trainer::{Base, DeviceSpec, Divergence, MergeBase, Outputs, WeightFormat};

use super::source::{Model, Run};
use crate::adapted::Adapted;
use crate::cli;
use crate::error::{Context, Error, Result};
use crate::layout;
use crate::report::{Ui, grouped};

/// Largest mean divergence at which a merged model is written, nats a token. Rounding to bfloat16
/// gave up to 5e-6 on small models, merging into the weights before they were in four bits 4e-5.
const MAX_KL: f64 = 0.01;
/// Tokens compared at, where none are asked for.
const TOKENS: u64 = 4096;
/// Most tokens of one window.
const WINDOW: usize = 512;

/// What is compared, and where.
pub(super) struct Merge<'a> {
    pub(super) adapted: &'a Adapted,
    pub(super) model: &'a Model,
    pub(super) into: MergeBase,
    /// The type of numbers that the merged model is written in.
    pub(super) format: WeightFormat,
    pub(super) device: &'a str,
}

/// Compares the adapted model with the merged one, tells how far apart they are, and refuses what is too far.
pub(super) fn check(merge: &Merge<'_>, asked: &cli::Check, ui: &Ui) -> Result<()> {
    let Merge { adapted, model, into, format, device } = *merge;
    let tokens = asked.check_tokens.unwrap_or(TOKENS);
    if tokens == 0 {
        return Ok(());
    }
    if model.weights.config().is_reward() {
        ui.warn("a reward model writes no text: the merged one was not compared with what was trained");
        return Ok(());
    }
    let (batches, what) = match (&asked.check_text, &model.run) {
        (Some(path), _) => (of_text(path, model, tokens)?, path.display().to_string()),
        (None, Some(Run { folder, recipe, .. })) => {
            let longest = recipe.train.as_ref().map_or(WINDOW, |train| train.sequence_length as usize);
            (of_run(folder, longest, tokens)?, "held-out text".to_owned())
        }
        (None, None) => (Vec::new(), String::new()),
    };
    if batches.iter().all(|batch| batch.trainable() == 0) {
        ui.warn("the merged model was not compared with what was trained: there is no held-out text; `--check-text FILE` names one");
        return Ok(());
    }
    let device = device.parse::<DeviceSpec>().and_then(DeviceSpec::open).map_err(Error::new)?;
    let before = {
        let trained = adapted.base()?.beside(&adapted.adapters()?, adapted.kept, &device).map_err(Error::new)?;
        Outputs::of(&trained, &batches).map_err(Error::new)?
    };
    // Of four bits both are of interest; the other one is told of and judges nothing.
    let other = match (adapted.kept, into) {
        (Base::Nf4, MergeBase::Trained) => Some(MergeBase::Original),
        (Base::Nf4, MergeBase::Original) => Some(MergeBase::Trained),
        _ => None,
    };
    let mut found = Vec::new();
    for into in [Some(into), other].into_iter().flatten() {
        let merged = adapted.merged(into)?.rounded_model(format, &device).map_err(Error::new)?;
        let after = Outputs::of(&merged, &batches).map_err(Error::new)?;
        let divergence = before.divergence(&after).map_err(Error::new)?;
        ui.say(format!("merge: into the {into} base ({}): {}, on {what}", kept(adapted.kept, into), told(&divergence)));
        ui.event(
            "merge",
            &json!({ "base": into.to_string(), "dtype": format.name(), "text": what, "limit": MAX_KL, "divergence": divergence }),
        );
        found.push(divergence);
    }
    let Some(first) = found.first() else { return Ok(()) };
    judge(first, asked.force).map(|warning| warning.into_iter().for_each(|warning| ui.warn(warning)))
}

/// Whether a merged model is to be written; with `force` any is, with a warning. No number is too far as well.
fn judge(found: &Divergence, force: bool) -> Result<Option<String>> {
    if found.kl <= MAX_KL {
        return Ok(None);
    }
    let detail = format!("the merged model is {:.2e} nats a token from what was trained, more than {MAX_KL}", found.kl);
    if force {
        return Ok(Some(detail));
    }
    Err(Error::bad_result(format!("{detail}: it would be another model"))
        .hint("try another --merge-base or --dtype; `--adapter` writes the adapters alone; `--force` writes the model all the same"))
}

/// What is merged into, in words.
fn kept(kept: Base, into: MergeBase) -> String {
    match into {
        MergeBase::Trained => format!("its numbers as of {kept}"),
        MergeBase::Original => "its numbers as in its files".to_owned(),
    }
}

fn told(found: &Divergence) -> String {
    let Divergence { tokens, kl, largest_kl, perplexity_before, perplexity_after } = found;
    format!(
        "KL {kl:.2e} nats a token (largest {largest_kl:.2e}), perplexity {perplexity_before:.4} → {perplexity_after:.4} at {} tokens",
        grouped(*tokens)
    )
}

/// Held-out windows of every bucket of a run that has any, none longer than this, about so many tokens in all.
fn of_run(folder: &Path, longest: usize, tokens: u64) -> Result<Vec<Batch>> {
    let manifest = Manifest::load(folder.join(layout::MANIFEST))?;
    let held_out = manifest.shards.iter().filter(|shard| shard.split == Split::HeldOut);
    let buckets: BTreeSet<&str> = held_out.map(|shard| shard.bucket.as_str()).collect();
    let share = tokens.div_ceil(buckets.len().max(1) as u64);
    let window = longest.min(WINDOW).min(usize::try_from(share).unwrap_or(WINDOW)) as u32;
    let mut batches = Vec::new();
    for bucket in buckets {
        let held_out = HeldOut::new(folder, &manifest, bucket, window)?;
        held_out.verify()?;
        batches.extend(held_out.batches(1, share.div_ceil(window.into())).collect::<shards::Result<Vec<_>>>()?);
    }
    Ok(batches)
}

/// The beginning of a text in windows.
fn of_text(path: &Path, model: &Model, tokens: u64) -> Result<Vec<Batch>> {
    let text = std::fs::read_to_string(path).context(|| format!("cannot read {}", path.display()))?;
    let Some((name, file)) = model.files.iter().find(|(name, _)| name == "tokenizer.json" || name == "tokenizer.model") else {
        return Err(Error::new("no tokenizer stands beside the model, so the text of --check-text cannot be read"));
    };
    let tokenizer = Tokenizer::from_content(file.clone(), None).context(|| format!("cannot read {name}"))?;
    let ids = tokenizer.encode(&text)?;
    let ids = &ids[..ids.len().min(usize::try_from(tokens).unwrap_or(usize::MAX).saturating_add(1))];
    // A window's last target is the first input of the next one.
    let starts = (0..ids.len().saturating_sub(1)).step_by(WINDOW);
    Ok(starts.map(|start| window(&ids[start..ids.len().min(start + WINDOW + 1)])).collect())
}

fn window(ids: &[u32]) -> Batch {
    let length = ids.len() - 1;
    Batch {
        rows: 1,
        seq_len: length,
        inputs: ids[..length].to_vec(),
        targets: ids[1..].to_vec(),
        positions: (0..length as u32).collect(),
        documents: vec![0; length],
        mask: vec![true; length],
        buckets: vec![0],
        answers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_far_is_refused() {
        let found = |kl| Divergence { tokens: 100, kl, largest_kl: 1.0, perplexity_before: 2.0, perplexity_after: 2.0 };
        for kl in [-1e-9, 0.0, MAX_KL] {
            assert_eq!([true, false].map(|force| judge(&found(kl), force).unwrap()), [None, None], "{kl}");
        }
        for kl in [MAX_KL * 1.001, f64::INFINITY, f64::NAN] {
            let refused = judge(&found(kl), false).unwrap_err();
            assert!(refused.message.ends_with("it would be another model"), "{}", refused.message);
            assert!(judge(&found(kl), true).unwrap().unwrap().contains("nats a token"));
        }
    }
}
