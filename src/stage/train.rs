//! `train`: shards and mixture → steps, checkpoints and curves.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shards::{Manifest, MixturePlan, StreamConfig, TokenStream, Tokenizer};
use trainer::{Checkpoint, DeviceSpec, Event, TrainConfig, Trainer};

use crate::error::{Context, Error, Result};
use crate::layout;
use crate::lock::{Fingerprint, fingerprint};
use crate::recipe::Recipe;
use crate::report::{Ui, Unit};

/// Everything the weights depend on, as one fingerprint. `tokens` and the schedule are in it: a
/// longer run is another run, because its learning rate was another at every step. How often is
/// looked or saved is not.
fn identity(recipe: &Recipe, manifest: &Manifest, plan: &MixturePlan) -> Result<Fingerprint> {
    let train = recipe.train.as_ref().map(TrainConfig::identity);
    fingerprint("train", &json!({ "train": train, "seed": recipe.seed, "manifest": manifest, "mixture": plan }))
}

/// Fingerprint of the finished unit: what is looked at on the way does not change the weights, but
/// it changes the curve and the samples.
pub(crate) fn unit(recipe: &Recipe, manifest: &Manifest, plan: &MixturePlan) -> Result<Fingerprint> {
    fingerprint("training", &json!({ "weights": identity(recipe, manifest, plan)?, "train": recipe.train }))
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
    verify(folder, manifest, cancel)?;
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
    take_back(folder, &run.fingerprint)?;
    let mut trainer = match Trainer::open(run.clone()) {
        Err(trainer::Error::OtherRun { theirs, .. }) => {
            set_aside(folder, &theirs, ui)?;
            take_back(folder, &run.fingerprint)?;
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
    progress.set_before(trainer.step_number());
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
    let mut files = vec![layout::METRICS.to_owned(), layout::SAMPLES.to_owned()];
    // Without its last checkpoint a training is not done, whatever the journal says.
    if let Some(checkpoint) = Checkpoint::latest(&folder.join(layout::CHECKPOINTS)).map_err(train_error)? {
        let name = checkpoint.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.extend(Checkpoint::FILES.map(|file| format!("{}/{name}/{file}", layout::CHECKPOINTS)));
    }
    Ok(files)
}

/// What the report says about a training beside its curve.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) device: String,
    pub(crate) parameters: u64,
    pub(crate) steps: u64,
}

/// What a training leaves, and its name while another recipe's training is in the run folder. The
/// checkpoints come last: as long as they are in their place, a move that was cut short is repeated.
fn set_aside_names(fingerprint: &str) -> [(&'static str, String); 3] {
    let short: String = fingerprint.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    [
        (layout::METRICS, format!("metrics.{short}.jsonl")),
        (layout::SAMPLES, format!("samples.{short}.jsonl")),
        (layout::CHECKPOINTS, format!("checkpoints.{short}")),
    ]
}

/// Moves what another recipe's training left out of the way. It may have cost days, so it is kept.
fn set_aside(folder: &Path, fingerprint: &str, ui: &Ui) -> Result<()> {
    for (name, aside) in set_aside_names(fingerprint) {
        rename(&folder.join(name), &folder.join(aside))?;
    }
    let [.., (_, checkpoints)] = set_aside_names(fingerprint);
    ui.warn(format!(
        "the recipe or its data changed since the last training: its checkpoints are now in {}",
        folder.join(checkpoints).display()
    ));
    Ok(())
}

/// Puts back what was set aside of this very training, when its recipe comes back.
fn take_back(folder: &Path, fingerprint: &str) -> Result<()> {
    let names = set_aside_names(fingerprint);
    if names.iter().all(|(_, aside)| !folder.join(aside).exists()) || folder.join(layout::CHECKPOINTS).exists() {
        return Ok(());
    }
    names.iter().try_for_each(|(name, aside)| rename(&folder.join(aside), &folder.join(name)))
}

/// Renames what is there; what is not there needs no new name.
fn rename(from: &Path, to: &Path) -> Result<()> {
    match std::fs::rename(from, to) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::new(format!("cannot move {} to {}: {cause}", from.display(), to.display())).hint("move or remove it by hand"))
        }
        _ => Ok(()),
    }
}

/// Checks every shard against its checksums before a token of it is trained on.
pub(crate) fn verify(folder: &Path, manifest: &Manifest, cancel: &AtomicBool) -> Result<()> {
    for shard in &manifest.shards {
        super::check(cancel)?;
        manifest.open_shard(folder, shard).and_then(|reader| reader.verify()).map_err(damaged)?;
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
