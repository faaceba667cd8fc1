//! `mix`: what the shards hold and the target ratios → `manifest.json` and `mixture.json`.

use std::collections::BTreeMap;
use std::path::Path;

use corpora::Part;
use serde_json::json;
use shards::{HeldOut, Lost, Manifest, MixturePlan, Packed, ShardEntry, Supply, Tokenizer};

use super::import;
use super::tokenize::PartShards;
use crate::error::{Error, Result};
use crate::layout;
use crate::recipe::Recipe;
use crate::report::Ui;

/// Writes the manifest over all shards that hold a document.
pub(crate) fn manifest(folder: &Path, recipe: &Recipe, parts: &[Part], tokenizer: &Tokenizer) -> Result<Manifest> {
    let manifest = Manifest::new(tokenizer, listed(folder, recipe, parts)?);
    manifest.save(layout::prepare(folder, layout::MANIFEST)?)?;
    Ok(manifest)
}

/// The shards that hold a document, in the order of the manifest, with how often each is repeated.
pub(crate) fn listed(folder: &Path, recipe: &Recipe, parts: &[Part]) -> Result<Vec<ShardEntry>> {
    let mut all = Vec::new();
    for part in parts {
        let bucket = recipe.bucket_of(part)?;
        let left: PartShards = layout::read_json(folder, &layout::shard_info(bucket, &part.name))?;
        for (documents, shard) in left.classes() {
            all.push((documents, ShardEntry { repeats: recipe.mixture.repeats_of(bucket, documents), ..shard.clone() }));
        }
    }
    for unit in import::Unit::all(recipe) {
        all.extend(unit.left(folder)?.shards.into_iter().map(|shard| (1, shard)));
    }
    // By class first: how the input is cut into parts then says nothing about the order of documents.
    all.sort_by_key(|(documents, _)| *documents);
    Ok(all.into_iter().map(|(_, shard)| shard).filter(|shard| shard.documents > 0).collect())
}

/// What a recipe asks of these shards; None without `[train]`.
pub(crate) fn planned(folder: &Path, recipe: &Recipe, manifest: &Manifest) -> Result<Option<MixturePlan>> {
    let Some(train) = &recipe.train else { return Ok(None) };
    let there = manifest.available();
    let supply = |bucket: &str| {
        let found = there.iter().find(|supply| supply.bucket == bucket).cloned();
        found.unwrap_or_else(|| Supply { bucket: bucket.to_owned(), ..Supply::default() })
    };
    let available: Vec<Supply> = recipe.buckets().into_iter().map(supply).collect();
    let mut packed = BTreeMap::new();
    for Supply { bucket, tokens, .. } in &available {
        if !is_packed(folder, recipe, manifest, bucket)? {
            continue;
        }
        let rows = Packed::of(folder, manifest, bucket, train.sequence_length, train.objective.draws_answers())?;
        if rows.rows == 0 && *tokens > 0 {
            return Err(Error::new(format!(
                "every conversation of bucket `{bucket}` has more than `train.sequence-length` = {} tokens",
                train.sequence_length
            ))
            .hint("raise `train.sequence-length`: conversations are never cut"));
        }
        packed.insert(bucket.clone(), rows);
    }
    let plan = |tokens| {
        MixturePlan::with_packed(&recipe.mixture, &available, &packed, tokens, train.sequence_length).map_err(|error| {
            let less = if train.epochs.is_some() { "epochs" } else { "tokens" };
            let staged = !recipe.mixture.stages.is_empty();
            let hint = match &error {
                shards::Error::Shortage(_) if staged => {
                    "lower `train.tokens`, raise `mixture.max-epochs`, or set `mixture.on-shortage` to \"repeat\"".to_owned()
                }
                shards::Error::Shortage(_) => {
                    format!("lower `train.{less}`, raise `mixture.max-epochs`, or set `mixture.on-shortage` to \"reduce\" or \"repeat\"")
                }
                _ if staged => "`[[mixture.stages]]` follow one another by tokens: set `train.tokens`, beyond the last `until`".to_owned(),
                _ => return Error::new(error),
            };
            Error::new(error).hint(hint)
        })
    };
    let tokens = match train.epochs {
        // Without a count of tokens, the scarcest bucket is drawn once.
        Some(epochs) => Some(((plan(None)?.windows as f64 * epochs).ceil() as u64).saturating_mul(train.sequence_length.into())),
        None => train.tokens,
    };
    plan(tokens).map(Some)
}

/// Whether documents of the bucket are put into rows whole: conversations, and in `sft` imports with a loss mask.
fn is_packed(folder: &Path, recipe: &Recipe, manifest: &Manifest, bucket: &str) -> Result<bool> {
    if recipe.is_chat(bucket) || !recipe.learns_answers() {
        return Ok(recipe.is_chat(bucket));
    }
    let first = manifest.shards.iter().find(|shard| shard.bucket == bucket);
    first.map_or(Ok(false), |shard| Ok(manifest.open_shard(folder, shard)?.has_loss()))
}

/// Says what the tokenizer could not write of the texts: nothing is trained on that.
pub(crate) fn tell_lost(folder: &Path, recipe: &Recipe, parts: &[Part], ui: &Ui) -> Result<()> {
    let of_parts =
        parts.iter().map(|part| layout::read_json::<PartShards>(folder, &layout::shard_info(recipe.bucket_of(part)?, &part.name)));
    let mut buckets = BTreeMap::<String, (Lost, u64)>::new();
    for left in of_parts.chain(import::Unit::all(recipe).into_iter().map(|unit| unit.left(folder))) {
        let left = left?;
        let (lost, bytes) = buckets.entry(left.bucket).or_default();
        lost.add(left.lost.unwrap_or_default());
        *bytes += left.encoded.bytes;
    }
    for (bucket, (lost, bytes)) in buckets.iter().filter(|(_, (lost, _))| !lost.is_none()) {
        ui.warn(format!("bucket `{bucket}`: {}", lost_text(*lost, *bytes)));
        ui.event("lost", &json!({ "bucket": bucket, "unknown-tokens": lost.unknown_tokens, "lost-bytes": lost.bytes, "bytes": bytes }));
    }
    Ok(())
}

/// What of so many bytes of text was lost, in words.
pub(crate) fn lost_text(lost: Lost, bytes: u64) -> String {
    let share = 100.0 * lost.bytes as f64 / bytes.max(1) as f64;
    format!("the tokenizer cannot write {} bytes of the text ({share:.3} %), and gives {} unknown tokens", lost.bytes, lost.unknown_tokens)
}

/// Plans the mixture and writes it; says what repeats, what is left out, and what was reduced.
pub(crate) fn mixture(folder: &Path, recipe: &Recipe, manifest: &Manifest, ui: &Ui) -> Result<Option<MixturePlan>> {
    let Some(plan) = planned(folder, recipe, manifest)? else {
        // One of an earlier recipe would be shown in the report as if it were this one's.
        match std::fs::remove_file(folder.join(layout::MIXTURE)) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::new(format!("cannot remove the outdated {}: {cause}", layout::MIXTURE)));
            }
            _ => return Ok(None),
        }
    };
    if plan.reduced {
        ui.warn(format!(
            "the mixture is reduced to {} tokens of {} asked for: more would exceed `mixture.max-epochs`",
            plan.tokens,
            plan.requested_tokens.unwrap_or(plan.tokens)
        ));
    }
    for bucket in plan.buckets.iter().filter(|bucket| bucket.windows == 0 && bucket.available_tokens > 0) {
        let why = if recipe.mixture.asks_for(&bucket.bucket) {
            format!("gets none of the {} windows of {} tokens, so small is its share", plan.windows, plan.seq_len)
        } else {
            "has no ratio in the mixture".to_owned()
        };
        ui.warn(format!("bucket `{}` {why}: its {} tokens are not trained on", bucket.bucket, bucket.available_tokens));
    }
    for bucket in plan.buckets.iter().filter(|bucket| bucket.copied_tokens > 0) {
        ui.say(format!(
            "mix: bucket `{}` has documents again that stand for copies: of the {} tokens of an epoch {} are such repeats (`mixture.rehydrate`)",
            bucket.bucket, bucket.available_tokens, bucket.copied_tokens
        ));
    }
    for bucket in &plan.buckets {
        if bucket.epochs > 1.0 {
            ui.warn(format!(
                "bucket `{}` repeats: {} tokens wanted, {} available, so {:.2} epochs ({} tokens are seen again)",
                bucket.bucket,
                bucket.tokens,
                bucket.epoch_tokens(),
                bucket.epochs,
                bucket.repeated_tokens
            ));
        }
    }
    for (bucket, packed) in plan.buckets.iter().filter_map(|bucket| Some((&bucket.bucket, bucket.packed?))) {
        if packed.too_long_documents > 0 {
            ui.warn(format!(
                "bucket `{bucket}`: {} of its conversations, {} tokens in all, are longer than `train.sequence-length` = {} and left out, not cut",
                packed.too_long_documents, packed.too_long_tokens, plan.seq_len
            ));
        }
        let held_out = HeldOut::new(folder, manifest, bucket, plan.seq_len)?.packed()?.packed_rows().unwrap_or_default();
        if held_out.too_long_documents > 0 {
            ui.warn(format!(
                "bucket `{bucket}`: {} of its held-out conversations, {} tokens in all, are longer than `train.sequence-length` = {} and not measured",
                held_out.too_long_documents, held_out.too_long_tokens, plan.seq_len
            ));
        }
    }
    for bucket in plan.buckets.iter().filter(|bucket| bucket.packed.is_none() && bucket.padding_tokens * 20 > bucket.tokens) {
        ui.warn(format!(
            "bucket `{}` has only {} tokens: in windows of {}, {} places stay empty and its share of the tokens is smaller than its ratio",
            bucket.bucket, bucket.available_tokens, plan.seq_len, bucket.padding_tokens
        ));
    }
    plan.save(layout::prepare(folder, layout::MIXTURE)?)?;
    Ok(Some(plan))
}
