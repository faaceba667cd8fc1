//! What was trained against what was planned.

use std::path::Path;

use serde_json::Value;
use shards::{Manifest, MixturePlan, Split, StreamConfig, TokenStream, Tokenizer, TokenizerEntry};
use trainer::Checkpoint;

use super::ledger::{Ledger, Totals};
use crate::error::{Context, Error, Result};
use crate::lock::Snapshot;
use crate::recipe::Recipe;
use crate::{layout, stage};

/// The manifest, the mixture and the training curve against the shards.
pub(super) fn token_ledger(
    folder: &Path,
    recipe: &Recipe,
    tokenizer: Option<&Tokenizer>,
    totals: &Totals,
    ledger: &mut Ledger<'_>,
) -> Result<()> {
    let manifest = Manifest::load(folder.join(layout::MANIFEST))?;
    ledger.take(manifest.verify(folder));
    if let Some(tokenizer) = tokenizer {
        ledger.equal("manifest: tokenizer", &manifest.tokenizer, &TokenizerEntry::of(tokenizer));
    }
    let of = |split: Split| manifest.shards.iter().filter(|shard| shard.split == split).map(|shard| shard.tokens).sum::<u64>();
    ledger.equal("manifest: tokens to train on", &of(Split::Train), &totals.tokens);
    ledger.equal("manifest: held-out tokens", &of(Split::HeldOut), &totals.held_out_tokens);
    let Some(train) = &recipe.train else { return Ok(()) };
    let answers = train.objective.draws_answers();
    let plan = MixturePlan::load(folder.join(layout::MIXTURE))?;
    let again = stage::mix::planned(folder, recipe, &manifest)?;
    ledger.check(again.as_ref() == Some(&plan), || format!("{} is not what the recipe and the shards give", layout::MIXTURE));
    let stream = TokenStream::with_manifest(
        folder,
        &manifest,
        &plan,
        StreamConfig { seq_len: train.sequence_length, batch: train.batch, seed: recipe.seed },
    )?;
    let account = stream.account(0..stream.steps())?;
    for (bucket, drawn) in plan.buckets.iter().filter(|bucket| bucket.windows > 0).zip(&account.buckets) {
        ledger.equal("stream: windows drawn of a bucket", &(&drawn.bucket, drawn.windows), &(&bucket.bucket, bucket.windows));
    }
    let path = folder.join(layout::METRICS);
    if !path.exists() {
        ledger.ui.say("training has not begun: its part of the ledger was not checked");
        return Ok(());
    }
    let text = layout::read_lines(&path)?;
    let (mut drawn, mut trained, mut masked, mut steps) = (0, 0, 0, 0);
    for (number, line) in text.lines().enumerate() {
        let line: Value = serde_json::from_str(line).context(|| format!("{}:{}", path.display(), number + 1))?;
        if line["reason"] != "step" {
            continue;
        }
        steps += 1;
        let field = |name: &str| line[name].as_u64().unwrap_or_default();
        ledger.equal("metrics: steps are numbered without a gap", &field("step"), &steps);
        let batch = stream.account(steps - 1..steps)?;
        // Where answers are drawn, nothing of the text itself is learned.
        let (trained_of, masked_of) = if answers { (0, batch.drawn) } else { (batch.trainable, batch.masked) };
        ledger.equal(
            &format!("step {steps}: drawn, trained and masked tokens"),
            &(field("drawn"), field("trained"), field("masked")),
            &(batch.drawn, trained_of, masked_of),
        );
        drawn += field("drawn");
        trained += field("trained");
        masked += field("masked");
    }
    ledger.equal("training: trained + masked = drawn tokens", &(trained + masked), &drawn);
    if steps == stream.steps() {
        ledger.equal("training: drawn tokens", &drawn, &account.drawn);
        ledger.equal("training: trained tokens", &trained, &if answers { 0 } else { account.trainable });
    } else {
        ledger.ui.say(format!("training stands at step {steps} of {}", stream.steps()));
    }
    let journal = Snapshot::read(folder)?;
    // The weights it started from may be gone by now; what they were is on record.
    let facts: stage::train::Facts = layout::read_json(folder, layout::TRAINING)?;
    let changed = journal.changed_files("train", &stage::train::unit(recipe, &manifest, &plan, facts.start())?);
    ledger.check(changed.is_empty(), || format!("training is finished, but not as it was left: {}", changed.join(", ")));
    if let Some(checkpoint) = Checkpoint::latest(&folder.join(layout::CHECKPOINTS)).map_err(Error::new)? {
        ledger.take(Checkpoint::open(&checkpoint).and_then(|checkpoint| checkpoint.verify()));
    }
    Ok(())
}
