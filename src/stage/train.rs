//! `train`: shards and mixture → steps, checkpoints and curves.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shards::{Manifest, MixturePlan, ShardReader, StreamConfig, TokenStream, Tokenizer};
use trainer::{DeviceSpec, Event, Trainer};

use crate::error::{Context, Error, Result};
use crate::layout;
use crate::lock::{Fingerprint, fingerprint};
use crate::recipe::Recipe;
use crate::report::{Ui, Unit};

/// Everything training depends on, as one fingerprint. `tokens` and the schedule are in it: a
/// longer run is another run, because its learning rate was another at every step.
pub(crate) fn identity(recipe: &Recipe, manifest: &Manifest, plan: &MixturePlan) -> Result<Fingerprint> {
    fingerprint("train", &json!({ "train": recipe.train, "seed": recipe.seed, "manifest": manifest, "mixture": plan }))
}

/// What a training starts from.
pub(crate) struct Training<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) recipe: &'a Recipe,
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) manifest: &'a Manifest,
    pub(crate) plan: &'a MixturePlan,
    pub(crate) device: DeviceSpec,
}

/// Trains to the end, from the last checkpoint if there is one. Gives the files written.
pub(crate) fn train(training: &Training<'_>, cancel: &AtomicBool, ui: &Ui) -> Result<Vec<String>> {
    let Training { folder, recipe, tokenizer, manifest, plan, device } = *training;
    let Some(config) = &recipe.train else { return Ok(Vec::new()) };
    verify(folder, manifest)?;
    let stream = TokenStream::with_manifest(
        folder,
        manifest,
        plan,
        StreamConfig { seq_len: config.sequence_length, batch: config.batch, seed: recipe.seed },
    )?;
    let run = trainer::Run {
        folder,
        config,
        tokenizer,
        manifest,
        stream: &stream,
        device,
        seed: recipe.seed,
        fingerprint: identity(recipe, manifest, plan)?,
    };
    let mut trainer = match Trainer::open(run.clone()) {
        Err(trainer::Error::OtherRun { theirs, .. }) => {
            set_aside(folder, &theirs, ui)?;
            Trainer::open(run)
        }
        opened => opened,
    }
    .map_err(train_error)?;
    let facts = Facts { device: device.to_string(), parameters: trainer.num_params(), steps: stream.steps() };
    layout::write_json(folder, layout::TRAINING, &facts)?;
    ui.say(format!(
        "train: {} parameters, {} steps of {} tokens on {device}{}",
        trainer.num_params(),
        stream.steps(),
        config.batch * config.sequence_length,
        if trainer.step_number() > 0 { format!(", continuing at step {}", trainer.step_number()) } else { String::new() },
    ));
    let progress = ui.progress("train", Unit::Steps, stream.steps());
    progress.set(trainer.step_number());
    let mut samples = Vec::new();
    trainer
        .run(cancel, &mut |event| {
            match &event {
                Event::Step(step) => {
                    progress.set(step.step);
                    ui.detail(format!(
                        "train: step {} loss {:.4} lr {:.2e} grad-norm {:.3} {:.0} tokens/s",
                        step.step, step.loss, step.learning_rate, step.grad_norm, step.tokens_per_second
                    ));
                }
                Event::Eval(eval) => ui.say(format!(
                    "train: step {} held-out bits per byte {}",
                    eval.step,
                    eval.buckets
                        .iter()
                        .map(|bucket| format!("{} {:.3}", bucket.bucket, bucket.bits_per_byte))
                        .collect::<Vec<_>>()
                        .join("  ")
                )),
                Event::Checkpoint(path) => ui.detail(format!("train: wrote {}", path.display())),
                Event::Sample(sample) => {
                    ui.say(format!("sample: {:?} → {:?}", sample.prompt, sample.text));
                    samples.push(sample.clone());
                }
            }
            ui.event("train", &event);
        })
        .map_err(train_error)?;
    let mut lines = Vec::new();
    for sample in &samples {
        serde_json::to_writer(&mut lines, sample).context(|| "cannot write a sample".to_owned())?;
        lines.write_all(b"\n").context(|| "cannot write a sample".to_owned())?;
    }
    layout::write(folder, layout::SAMPLES, &lines)?;
    Ok(vec![layout::METRICS.to_owned(), layout::SAMPLES.to_owned()])
}

/// What the report says about a training beside its curve.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) device: String,
    pub(crate) parameters: u64,
    pub(crate) steps: u64,
}

/// Moves the checkpoints and the curve of another recipe out of the way. They may have cost days,
/// so they are kept.
fn set_aside(folder: &Path, fingerprint: &str, ui: &Ui) -> Result<()> {
    let name: String = fingerprint.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    for (from, to) in
        [(layout::CHECKPOINTS.to_owned(), format!("checkpoints.{name}")), (layout::METRICS.to_owned(), format!("metrics.{name}.jsonl"))]
    {
        match std::fs::rename(folder.join(&from), folder.join(&to)) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                return Err(
                    Error::new(format!("cannot move {from} to {to} in {}: {cause}", folder.display())).hint("move or remove it by hand")
                );
            }
            _ => {}
        }
    }
    ui.warn(format!(
        "the recipe or its data changed since the last training: its checkpoints are now in {}",
        folder.join(format!("checkpoints.{name}")).display()
    ));
    Ok(())
}

/// Checks every shard against its checksums before a token of it is trained on.
pub(crate) fn verify(folder: &Path, manifest: &Manifest) -> Result<()> {
    for shard in &manifest.shards {
        let reader = ShardReader::open(folder.join(&shard.path)).map_err(damaged)?;
        reader.verify().map_err(damaged)?;
    }
    Ok(())
}

fn damaged(error: shards::Error) -> Error {
    Error::bad_result(error).hint("remove the damaged file and run the recipe again: only that part is made again")
}

fn train_error(error: trainer::Error) -> Error {
    match error {
        trainer::Error::Interrupted => Error::interrupted(),
        error @ trainer::Error::NonFinite { .. } => {
            Error::bad_result(error).hint("lower `train.learning-rate`, or look at the step's batch")
        }
        error => Error::new(error),
    }
}
