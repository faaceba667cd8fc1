//! `train`: shards and mixture → steps, checkpoints and curves.

mod aside;
mod console;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shards::{ChatEncoder, Digest, Manifest, MixturePlan, OrderRow, StreamConfig, TokenStream, Tokenizer};
use trainer::{
    AdapterFile, Best, Checkpoint, DeviceSpec, Event, Feedback, LoraConfig, Pretrained, RewardConfig, RowsEvent, State, TrainConfig,
    Trainer,
};

use crate::error::{Context, Error, Result};
use crate::lock::{Fingerprint, fingerprint};
use crate::recipe::Recipe;
use crate::report::{Ui, Unit};
use crate::{chat, export, layout};
use aside::{set_aside, take_back};
use console::Console;

/// Longest file that tells of a model: more than the trainings before, of which [`State::check_lineage`] knows how many are too many.
const MAX_INFO: u64 = 1 << 25;

/// The model that the recipe's training starts from, if it starts from one: its shape becomes the
/// recipe's, which must give no other one. It, and reward models, must be what the objective can use. Reads headers only.
pub(crate) fn take_init(recipe: &mut Recipe) -> Result<()> {
    let Some(train) = &mut recipe.train else { return Ok(()) };
    crate::reward::check_models(&train.reward)?;
    let Some(path) = train.init.clone() else {
        return match train.lora {
            Some(_) => Err(Error::new("train.lora: adapters stand beside a trained model, and `train.init` names none")
                .hint("`init` is a folder with config.json and safetensors, or a .gguf file")),
            None => Ok(()),
        };
    };
    let in_init = |error: trainer::Error| Error::new(format!("train.init: {error}"));
    let model = Pretrained::open(&path)
        .map_err(|error| in_init(error).hint("`init` is a folder with config.json and safetensors, or a .gguf file"))?;
    let model = model.with_scalar_head(train.objective.scalar_head(), recipe.seed).map_err(in_init)?;
    let in_train = |error: trainer::Error| Error::new(format!("train: {error}"));
    if let Some(lora) = &mut train.lora
        && let Some(folder) = lora.init.clone()
    {
        let adapters = AdapterFile::open(&folder).map_err(|error| {
            Error::new(format!("train.lora.init: {error}"))
                .hint("`lora.init` is a folder with adapter_config.json and adapter_model.safetensors")
        })?;
        lora.take(adapters.lora(), &recipe.given.lora).map_err(in_train)?;
    }
    train.take_shape(&model, &recipe.given.model).map_err(in_train)?;
    lineage(train).map(drop)
}

/// Hashes of what training starts from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Start {
    /// Of the weights; none where they are random.
    pub(crate) init: Option<Digest>,
    /// Of the adapters; none where they are new.
    pub(crate) adapters: Option<Digest>,
    /// Of the reward models; none where there are none.
    pub(crate) rewards: Option<Digest>,
}

impl Start {
    /// Reads every byte.
    pub(crate) fn of(recipe: &Recipe) -> Result<Self> {
        let Some(train) = &recipe.train else { return Ok(Self::default()) };
        let init = train.init.as_ref().map(|path| Pretrained::open(path)?.digest()).transpose().map_err(train_error)?;
        let adapters = train.lora.as_ref().and_then(|lora| lora.init.as_ref());
        let adapters = adapters.map(|path| AdapterFile::open(path)?.digest()).transpose().map_err(train_error)?;
        Ok(Self { init, adapters, rewards: reward_models(train).map_err(train_error)? })
    }
}

/// Hash of the reward models, in their order; none where there are none. Reads every byte.
fn reward_models(train: &TrainConfig) -> trainer::Result<Option<Digest>> {
    let mut hasher = blake3::Hasher::new_derive_key("malmoi reward models, version 1");
    let mut paths = train.reward.iter().filter_map(RewardConfig::path).peekable();
    if paths.peek().is_none() {
        return Ok(None);
    }
    for path in paths {
        hasher.update(&Pretrained::open(path)?.digest()?.0);
    }
    Ok(Some(Digest(*hasher.finalize().as_bytes())))
}

/// Facts for a fingerprint. Weights to start from count by their content, not by where they lie.
fn facts(mut facts: Value, train: Option<TrainConfig>, start: Start) -> Value {
    let new = |lora| LoraConfig { init: None, ..lora };
    facts["train"] = json!(train.map(|train| {
        let mut reward = train.reward;
        reward.iter_mut().filter_map(RewardConfig::path_mut).for_each(std::path::PathBuf::clear);
        TrainConfig { init: None, lora: train.lora.map(new), reward, ..train }
    }));
    if let Some(init) = start.init {
        facts["init"] = json!(init);
    }
    if let Some(adapters) = start.adapters {
        facts["adapters"] = json!(adapters);
    }
    if let Some(rewards) = start.rewards {
        facts["rewards"] = json!(rewards);
    }
    facts
}

/// Everything the weights depend on, as one fingerprint. `tokens` and the schedule are in it: a
/// longer run is another run, because its learning rate was another at every step. How often is
/// looked or saved is not, see [`TrainConfig::identity`].
pub(crate) fn identity(recipe: &Recipe, manifest: &Manifest, plan: &MixturePlan, start: Start) -> Result<Fingerprint> {
    let train = recipe.train.as_ref().map(TrainConfig::identity);
    let rest = json!({ "train": null, "seed": recipe.seed, "manifest": manifest, "mixture": plan });
    fingerprint("train", &facts(rest, train, start))
}

/// Fingerprint of the finished unit: what is looked at on the way does not change the weights, but
/// it changes the curve and the samples.
pub(crate) fn unit(recipe: &Recipe, manifest: &Manifest, plan: &MixturePlan, start: Start) -> Result<Fingerprint> {
    let rest = json!({ "weights": identity(recipe, manifest, plan, start)?, "train": null });
    fingerprint("training", &facts(rest, recipe.train.clone(), start))
}

/// What a training starts from.
pub(crate) struct Training<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) recipe: &'a Recipe,
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) manifest: &'a Manifest,
    pub(crate) plan: &'a MixturePlan,
    pub(crate) device: DeviceSpec,
    pub(crate) start: Start,
}

/// Trains to the end, from the last checkpoint if there is one. Gives the files written.
pub(crate) fn train(training: &Training<'_>, cancel: &AtomicBool, ui: &Ui) -> Result<Vec<String>> {
    let Training { folder, recipe, tokenizer, manifest, plan, device, start } = *training;
    let Some(config) = &recipe.train else { return Ok(Vec::new()) };
    // Only what is listed: tokens and tables are checked when they are first read.
    manifest.check_headers(folder).map_err(damaged)?;
    let stream = TokenStream::with_manifest(
        folder,
        manifest,
        plan,
        StreamConfig { seq_len: config.sequence_length, batch: config.batch, seed: recipe.seed },
    )?;
    let rewards = crate::reward::rewards(config, tokenizer, device)?;
    let ends = ends(folder, config, tokenizer)?;
    let template =
        config.sample.as_ref().filter(|sample| sample.chat).map(|_| chat::of_model(folder, None, "`chat.template`")).transpose()?;
    let run = trainer::Run {
        folder,
        config,
        tokenizer,
        manifest,
        stream: &stream,
        chat: template.as_ref(),
        device,
        seed: recipe.seed,
        fingerprint: identity(recipe, manifest, plan, start)?,
        lineage: lineage(config)?,
        feedback: config.objective.draws_answers().then_some(Feedback { rewards: &rewards, ends: &ends }),
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
    warn_of_vocabulary(config, tokenizer, ui)?;
    let mut facts = Facts {
        device: device.to_string(),
        parameters: trainer.num_params(),
        steps: stream.steps(),
        init: start.init,
        adapters: start.adapters,
        rewards: start.rewards,
        best: None,
        stopped: None,
        rows: None,
    };
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
    forget(folder)?;
    let progress = ui.progress("train", Unit::Steps, stream.steps());
    progress.set_before(trainer.step_number());
    let mut console = Console::new(stream.steps(), config.objective);
    trainer
        .run(cancel, &mut |event| {
            match &event {
                Event::Step(step) => progress.set(step.step),
                Event::Stopped(stop) => facts.stopped = Some(stop.step),
                Event::Rows(rows) => facts.rows = Some(rows.clone()),
                Event::Eval(_) | Event::BestLost(_) | Event::Checkpoint(_) | Event::Sample(_) | Event::Answer(_) => {}
            }
            console.tell(&event, ui);
            ui.event("train", &event);
        })
        .map_err(|error| failed(error, folder))?;
    if config.objective.draws_answers() {
        check_answers(folder, ui)?;
    }
    facts.best = trainer.best();
    layout::write_json(folder, layout::TRAINING, &facts)?;
    let mut files = vec![layout::METRICS.to_owned(), layout::SAMPLES.to_owned(), layout::TRAINING.to_owned()];
    files.extend(config.objective.draws_answers().then(|| layout::ANSWERS.to_owned()));
    // Without its last checkpoint a training is not done, whatever the journal says.
    if let Some(checkpoint) = Checkpoint::latest(&folder.join(layout::CHECKPOINTS)).map_err(train_error)? {
        let name = checkpoint.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.extend(Checkpoint::FILES.into_iter().chain([Checkpoint::SUMS]).map(|file| format!("{}/{name}/{file}", layout::CHECKPOINTS)));
    }
    Ok(files)
}

/// What became of the prompts, over all interruptions: a training in which none was answered has learned nothing.
fn check_answers(folder: &Path, ui: &Ui) -> Result<()> {
    let path = folder.join(layout::METRICS);
    let (mut skipped, mut answered) = (0.0, false);
    for (number, line) in layout::read_lines(&path)?.lines().enumerate() {
        let line: Value = serde_json::from_str(line).context(|| format!("{}:{}", path.display(), number + 1))?;
        skipped += line["metrics"]["prompts/skipped"].as_f64().unwrap_or(0.0);
        answered |= line["metrics"].get("reward/mean").is_some();
    }
    let hint = "raise `train.sequence-length`, or lower `train.rollout.max-new-tokens`";
    if !answered {
        let what = format!("none of {skipped} prompts left room for an answer: no answer was drawn, and nothing was learned");
        return Err(Error::bad_result(what).hint(hint));
    }
    if skipped > 0.0 {
        ui.warn(format!("{skipped} prompts left no room for an answer and were skipped: {hint}"));
    }
    Ok(())
}

/// What the model of `init` says of the trainings behind it: an exported one has a list of them.
fn lineage(config: &TrainConfig) -> Result<Vec<Value>> {
    let Some(path) = config.init.as_ref().map(|init| init.join(export::MODEL_INFO)).filter(|path| path.is_file()) else {
        return Ok(Vec::new());
    };
    let what = || format!("cannot read {}", path.display());
    let mut text = Vec::new();
    File::open(&path).and_then(|file| file.take(MAX_INFO + 1).read_to_end(&mut text)).context(what)?;
    if text.len() as u64 > MAX_INFO {
        return Err(Error::new(format!("{} is longer than {MAX_INFO} bytes", path.display())).hint("shorten its `training_stages`"));
    }
    let info: Value = serde_json::from_slice(&text).context(what)?;
    let lineage = info["training_stages"].as_array().cloned().unwrap_or_default();
    State::check_lineage(&lineage).map_err(|error| Error::new(format!("train: {error}")))?;
    Ok(lineage)
}

/// Ids that end an answer: of the tokenizer, the model that training starts from, and the chat template.
fn ends(folder: &Path, config: &TrainConfig, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    let mut ends = vec![tokenizer.eos()];
    if let Some(init) = &config.init {
        ends.extend(Pretrained::open(init).map_err(train_error)?.eos().iter().filter(|&&id| id < tokenizer.vocab_size()));
    }
    if let Some(template) = chat::open(folder)? {
        ends.extend(ChatEncoder::new(&template, tokenizer)?.stops()?);
    }
    ends.sort_unstable();
    ends.dedup();
    Ok(ends)
}

/// Says what is wrong with the vocabulary of the model that training starts from, where that is no error.
fn warn_of_vocabulary(config: &TrainConfig, tokenizer: &Tokenizer, ui: &Ui) -> Result<()> {
    let Some(path) = &config.init else { return Ok(()) };
    let init = Pretrained::open(path).map_err(train_error)?;
    if let Some(why) = init.unread_vocabulary(tokenizer).map_err(train_error)? {
        ui.warn(format!(
            "whether the tokenizer is that of {} is not known, because the vocabulary of that file cannot be read: {why}",
            path.display()
        ));
    }
    let Some(frozen) = config.lora.as_ref().map(|lora| lora.frozen_tables(&config.model)).filter(|frozen| !frozen.is_empty()) else {
        return Ok(());
    };
    let new = init.new_ids(tokenizer).map_err(train_error)?.len();
    if new > 0 {
        let missing = frozen.join("\", \"");
        ui.warn(format!(
            "{new} tokens are new to the model of `init`, and beside adapters their rows are frozen: put \"{missing}\" into `train.lora.full` for them to learn"
        ));
    }
    Ok(())
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
    /// The best evaluation; none where nothing was evaluated, or before the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) best: Option<Best>,
    /// The step at which early stopping ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stopped: Option<u64>,
    /// Which ids no text of the training has reached; none before the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rows: Option<RowsEvent>,
    /// Hash of the adapters that training went on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) adapters: Option<Digest>,
    /// Hash of the reward models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rewards: Option<Digest>,
}

impl Facts {
    /// What training started from.
    pub(crate) fn start(&self) -> Start {
        Start { init: self.init, adapters: self.adapters, rewards: self.rewards }
    }

    /// Whether it came to its end: until then nothing is said of the result.
    pub(crate) fn is_finished(&self) -> bool {
        self.best.is_some() || self.stopped.is_some() || self.rows.is_some()
    }
}

/// Checks every byte of every shard against its checksums.
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
        trainer::Error::Shards(error @ shards::Error::Corrupt { .. }) => damaged(error),
        error @ trainer::Error::NonFinite { .. } => Error::bad_result(error).hint("lower `train.learning-rate`"),
        error => Error::new(error),
    }
}

/// The error of a training that has begun. Where a step gave no number, its documents are left in a
/// file, for whoever looks for the cause among them.
fn failed(error: trainer::Error, folder: &Path) -> Error {
    let lines = match &error {
        trainer::Error::NonFinite { rows, .. } if !rows.is_empty() => rows.iter().flat_map(lines).collect::<String>(),
        _ => return train_error(error),
    };
    match layout::write(folder, layout::NON_FINITE, lines.as_bytes()) {
        Ok(()) => train_error(error).hint(format!(
            "lower `train.learning-rate`, or look at the step's documents: {} lists them, `malmoi explain --doc ID --run {}` shows one",
            folder.join(layout::NON_FINITE).display(),
            folder.display()
        )),
        Err(unwritten) => train_error(error).hint(format!("its documents could not be written down: {}", unwritten.message)),
    }
}

/// A line of JSON for each document of a row.
fn lines(row: &OrderRow) -> impl Iterator<Item = String> {
    row.drawn.iter().flat_map(|window| {
        window.documents.iter().map(|document| {
            let (bucket, tokens) = (&window.bucket, document.tokens.end - document.tokens.start);
            format!("{}\n", json!({ "row": row.row, "bucket": bucket, "source": document.source, "id": document.id, "tokens": tokens }))
        })
    })
}

/// Removes the list of an earlier failure.
fn forget(folder: &Path) -> Result<()> {
    match std::fs::remove_file(folder.join(layout::NON_FINITE)) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::new(format!("cannot remove the outdated {}: {cause}", layout::NON_FINITE)))
        }
        _ => Ok(()),
    }
}
