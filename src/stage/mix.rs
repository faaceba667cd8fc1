//! `mix`: what the shards hold and the target ratios → `manifest.json` and `mixture.json`.

use std::path::Path;

use corpora::Part;
use shards::{Manifest, MixturePlan, Split, Tokenizer};

use super::tokenize::PartShards;
use crate::error::{Error, Result};
use crate::layout;
use crate::recipe::Recipe;
use crate::report::Ui;

/// Writes the manifest over all shards that hold a document.
pub(crate) fn manifest(folder: &Path, recipe: &Recipe, parts: &[Part], tokenizer: &Tokenizer) -> Result<Manifest> {
    let mut shards = Vec::new();
    for part in parts {
        let bucket = &recipe.sources[part.source].bucket;
        let left: PartShards = layout::read_json(folder, &layout::shard_info(bucket, &part.name))?;
        shards.extend(left.shards.into_iter().filter(|shard| shard.documents > 0));
    }
    let manifest = Manifest::new(tokenizer, shards);
    manifest.save(layout::prepare(folder, layout::MANIFEST)?)?;
    Ok(manifest)
}

/// Plans the mixture and writes it; says what repeats.
pub(crate) fn mixture(folder: &Path, recipe: &Recipe, manifest: &Manifest, ui: &Ui) -> Result<Option<MixturePlan>> {
    let Some(train) = &recipe.train else { return Ok(None) };
    let tokens_of = |bucket: &str| {
        manifest.shards.iter().filter(|shard| shard.split == Split::Train && shard.bucket == bucket).map(|shard| shard.tokens).sum()
    };
    let available: Vec<(String, u64)> = recipe.buckets().into_iter().map(|bucket| (bucket.to_owned(), tokens_of(bucket))).collect();
    let plan = MixturePlan::new(&recipe.mixture, &available, train.tokens, train.sequence_length).map_err(|error| {
        Error::new(error).hint("lower `train.tokens`, raise `mixture.max-epochs`, or set `mixture.on-shortage` to \"reduce\" or \"repeat\"")
    })?;
    for bucket in &plan.buckets {
        if bucket.repeated_tokens > 0 {
            ui.warn(format!(
                "bucket `{}` repeats: {} tokens wanted, {} available, so {:.2} epochs ({} tokens are seen again)",
                bucket.bucket, bucket.tokens, bucket.available_tokens, bucket.epochs, bucket.repeated_tokens
            ));
        }
    }
    plan.save(layout::prepare(folder, layout::MIXTURE)?)?;
    Ok(Some(plan))
}
