//! What was trained against what was planned.

use std::path::Path;

use corpora::Part;
use serde_json::Value;
use shards::{Manifest, MixturePlan, Split, StreamConfig, TokenStream, Tokenizer, TokenizerEntry};
use trainer::Checkpoint;

use super::ledger::{Ledger, Totals};
use crate::error::{Context, Error, Result};
use crate::lock::Snapshot;
use crate::recipe::Recipe;
use crate::stage::train::Facts;
use crate::{layout, stage};

/// The manifest, the mixture and the training curve against the shards.
pub(super) fn token_ledger(
    folder: &Path,
    recipe: &Recipe,
    parts: &[Part],
    tokenizer: Option<&Tokenizer>,
    totals: &Totals,
    ledger: &mut Ledger<'_>,
) -> Result<()> {
    let manifest = Manifest::load(folder.join(layout::MANIFEST))?;
    ledger.take(manifest.verify(folder));
    if let Some(tokenizer) = tokenizer {
        ledger.equal("manifest: tokenizer", &manifest.tokenizer, &TokenizerEntry::of(tokenizer));
    }
    // How often each is repeated is part of it.
    let listed = stage::mix::listed(folder, recipe, parts)?;
    ledger.check(manifest.shards == listed, || format!("{} does not list what the parts left, as the recipe repeats it", layout::MANIFEST));
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
    ledger.equal("stream: buckets", &account.buckets.len(), &plan.buckets.len());
    for (bucket, drawn) in plan.buckets.iter().zip(&account.buckets) {
        ledger.equal("stream: windows drawn of a bucket", &(&drawn.bucket, drawn.windows), &(&bucket.bucket, bucket.windows));
        // Which windows an epoch that is not finished has drawn is in no plan.
        let whole = bucket.windows / bucket.available_windows.max(1) * bucket.copied_tokens;
        ledger.check((whole..=whole + bucket.copied_tokens).contains(&drawn.copied), || {
            format!("stream: {} tokens of copies drawn of `{}`, whose epoch has {}", drawn.copied, drawn.bucket, bucket.copied_tokens)
        });
        if drawn.copied > 0 {
            let (name, copied, tokens) = (&drawn.bucket, drawn.copied, drawn.tokens);
            ledger.ui.data(format!("of {tokens} tokens drawn of {name}, {copied} are of documents repeated for their clusters"));
        }
    }
    let path = folder.join(layout::METRICS);
    let root = folder.join(layout::CHECKPOINTS);
    let checkpoints = Checkpoint::all(&root).map_err(Error::new)?;
    let journal = Snapshot::read(folder)?;
    // The weights it started from may be gone by now; what they were is on record.
    let facts: Option<Facts> = folder.join(layout::TRAINING).exists().then(|| layout::read_json(folder, layout::TRAINING)).transpose()?;
    if !path.exists() {
        // Facts alone are what a training leaves that was killed before its first step.
        let unit = facts.map(|facts| stage::train::unit(recipe, &manifest, &plan, facts.start())).transpose()?;
        let begun = !checkpoints.is_empty() || journal.finished_as("train", unit.as_deref());
        ledger.check(!begun, || format!("training has begun, but {} is not there", layout::METRICS));
        if !begun {
            ledger.ui.say("training has not begun: its part of the ledger was not checked");
        }
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
    let facts = facts.ok_or_else(|| Error::new(format!("training has begun, but {} is not there", layout::TRAINING)))?;
    ledger.equal(&format!("{}: steps", layout::TRAINING), &facts.steps, &stream.steps());
    if let Some(stopped) = facts.stopped {
        ledger.equal(&format!("{}: step at which training stopped", layout::TRAINING), &stopped, &steps);
    }
    if steps == stream.steps() || facts.is_finished() {
        ledger.checks += 1;
        let unit = stage::train::unit(recipe, &manifest, &plan, facts.start())?;
        journal.faults("train", &unit).into_iter().for_each(|fault| ledger.fault(fault));
    }
    let identity = stage::train::identity(recipe, &manifest, &plan, facts.start())?;
    ledger
        .check(steps == 0 || !checkpoints.is_empty() || !facts.is_finished(), || "training is finished, but has no checkpoint".to_owned());
    for (step, folder) in checkpoints {
        let Some(checkpoint) = ledger.take(Checkpoint::open(&folder)) else { continue };
        ledger.take(checkpoint.verify());
        let state = checkpoint.state();
        ledger.check(state.fingerprint == identity, || {
            format!("{}: is a checkpoint of another training than the recipe's", folder.display())
        });
        ledger.check(state.position.step == step && step <= steps, || {
            format!("{}: holds step {}, and {} has {steps}", folder.display(), state.position.step, layout::METRICS)
        });
    }
    Ok(())
}
