//! `train`: shards and mixture → steps, checkpoints and curves.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shards::{Digest, Manifest, MixturePlan, StreamConfig, TokenStream, Tokenizer};
use trainer::{BucketLoss, Checkpoint, DeviceSpec, Event, ObjectiveKind, Pretrained, TrainConfig, Trainer};

use crate::error::{Context, Error, Result};
use crate::layout;
use crate::lock::{Fingerprint, fingerprint};
use crate::recipe::Recipe;
use crate::report::{Ui, Unit};

/// The model that the recipe's training starts from, if it starts from one: its shape becomes the
/// recipe's. Reads headers only.
pub(crate) fn take_init(recipe: &mut Recipe) -> Result<()> {
    let Some(train) = &mut recipe.train else { return Ok(()) };
    let Some(path) = train.init.clone() else { return Ok(()) };
    let model = Pretrained::open(&path).map_err(|error| {
        Error::new(format!("train.init: {error}")).hint("`init` is a folder with config.json and safetensors, or a .gguf file")
    })?;
    train.take_shape(&model).map_err(|error| Error::new(format!("train: {error}")))
}

/// Hash of the weights that training starts from; none where they are random.
pub(crate) fn init_digest(recipe: &Recipe) -> Result<Option<Digest>> {
    let init = recipe.train.as_ref().and_then(|train| train.init.as_ref());
    init.map(|path| Pretrained::open(path)?.digest()).transpose().map_err(train_error)
}

/// Facts for a fingerprint. Weights to start from count by their content, not by where they lie.
fn facts(mut facts: Value, train: Option<TrainConfig>, init: Option<Digest>) -> Value {
    facts["train"] = json!(train.map(|train| TrainConfig { init: None, ..train }));
    if let Some(init) = init {
        facts["init"] = json!(init);
    }
    facts
}

/// Everything the weights depend on, as one fingerprint. `tokens` and the schedule are in it: a
/// longer run is another run, because its learning rate was another at every step. How often is
/// looked or saved is not.
fn identity(recipe: &Recipe, manifest: &Manifest, plan: &MixturePlan, init: Option<Digest>) -> Result<Fingerprint> {
    let train = recipe.train.as_ref().map(TrainConfig::identity);
    let rest = json!({ "train": null, "seed": recipe.seed, "manifest": manifest, "mixture": plan });
    fingerprint("train", &facts(rest, train, init))
}

/// Fingerprint of the finished unit: what is looked at on the way does not change the weights, but
/// it changes the curve and the samples.
pub(crate) fn unit(recipe: &Recipe, manifest: &Manifest, plan: &MixturePlan, init: Option<Digest>) -> Result<Fingerprint> {
    let rest = json!({ "weights": identity(recipe, manifest, plan, init)?, "train": null });
    fingerprint("training", &facts(rest, recipe.train.clone(), init))
}

/// What a training starts from.
pub(crate) struct Training<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) recipe: &'a Recipe,
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) manifest: &'a Manifest,
    pub(crate) plan: &'a MixturePlan,
    pub(crate) device: DeviceSpec,
    /// Hash of the weights it starts from.
    pub(crate) init: Option<Digest>,
}

/// Trains to the end, from the last checkpoint if there is one. Gives the files written.
pub(crate) fn train(training: &Training<'_>, cancel: &AtomicBool, ui: &Ui) -> Result<Vec<String>> {
    let Training { folder, recipe, tokenizer, manifest, plan, device, init } = *training;
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
        fingerprint: identity(recipe, manifest, plan, init)?,
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
    if let Some(most) = config.model.max_positions.filter(|&most| most < config.sequence_length) {
        ui.warn(format!(
            "`sequence-length` {} is longer than the {most} tokens that the model of `init` is made for",
            config.sequence_length
        ));
    }
    let facts = Facts { device: device.to_string(), parameters: trainer.num_params(), steps: stream.steps(), init };
    layout::write_json(folder, layout::TRAINING, &facts)?;
    ui.say(format!(
        "train: {} parameters{}, {} steps of {} tokens on {device} in {}{}",
        trainer.num_params(),
        config.init.as_ref().map_or(String::new(), |path| format!(" from {}", path.display())),
        stream.steps(),
        config.batch * config.sequence_length,
        trainer.model().precision(),
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
                Event::Eval(eval) => {
                    // Questions are in the bytes of a conversation and not in its loss.
                    let (what, decimals) = if config.objective == ObjectiveKind::Sft { ("loss", 4) } else { ("bits per byte", 3) };
                    let value = |bucket: &BucketLoss| if what == "loss" { bucket.loss } else { bucket.bits_per_byte };
                    let buckets: Vec<String> =
                        eval.buckets.iter().map(|bucket| format!("{} {:.decimals$}", bucket.bucket, value(bucket))).collect();
                    ui.say(format!("train: step {} held-out {what} {}", eval.step, buckets.join("  ")));
                }
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
    /// Hash of the weights that training started from; none where they were random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) init: Option<Digest>,
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
