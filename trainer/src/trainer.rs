//! The training loop.

mod step;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use shards::{Digest, HeldOut, Manifest, TokenStream, Tokenizer, TokenizerEntry, World};

use crate::checkpoint::{CHECKPOINT_VERSION, Checkpoint, State};
use crate::config::{ObjectiveKind, TrainConfig, refuse};
use crate::device::DeviceSpec;
use crate::error::{Error, Result};
use crate::evaluate::evaluate;
use crate::event::{EvalEvent, Event, SampleEvent, StepEvent};
use crate::generate::{Sampling, generate};
use crate::gradients::Gradients;
use crate::load::Pretrained;
use crate::metrics::Metrics;
use crate::micro_batch::split;
use crate::model::{Model, Precision};
use crate::objective::{Cpt, Objective};
use crate::optimizer::AdamW;
use crate::schedule::LearningRate;
use step::{Clock, Step};

/// Where checkpoints lie in the run folder.
pub const CHECKPOINTS_FOLDER: &str = "checkpoints";

/// What a trainer works on.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// The run folder: shards are read from it, checkpoints and metrics written to it.
    pub folder: &'a Path,
    /// The recipe's `[train]`.
    pub config: &'a TrainConfig,
    /// What made the tokens.
    pub tokenizer: &'a Tokenizer,
    /// The run's shards; the held-out ones are evaluated.
    pub manifest: &'a Manifest,
    /// The batches.
    pub stream: &'a TokenStream,
    /// Where to compute.
    pub device: DeviceSpec,
    /// Seed of the weights and of samples.
    pub seed: u64,
    /// Fingerprint of everything that the result depends on; a checkpoint of another one is refused.
    pub fingerprint: String,
}

/// How far training is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Position {
    /// Steps made.
    pub step: u64,
    /// Optimizer updates made: steps in which a target counted.
    pub updates: u64,
    /// Targets drawn: `trained + masked`.
    pub drawn: u64,
    /// Targets that counted in the loss.
    pub trained: u64,
    /// Targets that did not.
    pub masked: u64,
}

/// A model, its optimizer and a place in the stream.
pub struct Trainer<'a> {
    run: Run<'a>,
    objective: Box<dyn Objective>,
    model: Model,
    optimizer: AdamW,
    schedule: LearningRate,
    position: Position,
    /// The held-out text of each bucket; nothing where it is not evaluated.
    held_out: Vec<(&'a str, HeldOut)>,
    /// Steps whose numbers are still on the device.
    unread: Vec<Step>,
}

impl<'a> Trainer<'a> {
    /// Continues from the latest checkpoint of the run folder, or begins.
    pub fn open(run: Run<'a>) -> Result<Self> {
        match Checkpoint::latest(&run.folder.join(CHECKPOINTS_FOLDER))? {
            Some(checkpoint) => Self::resume(run, &checkpoint),
            None => Self::new(run),
        }
    }

    /// Begins with the weights of `init` or with random ones, in a folder without checkpoints.
    pub fn new(run: Run<'a>) -> Result<Self> {
        if let Some(path) = Checkpoint::latest(&run.folder.join(CHECKPOINTS_FOLDER))? {
            return Err(Error::invalid(&path, "is there already: continue from it, or remove the folder"));
        }
        let device = run.device.open()?;
        run.config.validate()?;
        let model = match &run.config.init {
            Some(path) => {
                let init = Pretrained::open(path)?;
                if *init.config() != run.config.model {
                    return refuse("model", "not that of `init`");
                }
                init.model_for(run.tokenizer, &device)?
            }
            None => run.config.model.init(&device, run.tokenizer.vocab_size() as usize, run.seed)?,
        };
        Self::with(run, model, None)
    }

    /// Continues from this checkpoint, which must be of the same run.
    pub fn resume(run: Run<'a>, checkpoint: &Path) -> Result<Self> {
        let checkpoint = Checkpoint::open(checkpoint)?;
        let state = checkpoint.state();
        if state.fingerprint != run.fingerprint {
            let [theirs, ours] = [&state.fingerprint, &run.fingerprint].map(String::clone);
            return Err(Error::OtherRun { path: checkpoint.folder().to_path_buf(), theirs, ours });
        }
        let wrong = |what: &str| Err(Error::invalid(checkpoint.folder(), format!("its {what} is not that of this run")));
        if state.model != run.config.model {
            return wrong("model");
        }
        // A model that came with more rows than its tokenizer has ids keeps them.
        let ids = run.tokenizer.vocab_size() as usize;
        let rows = if run.config.init.is_some() { state.vocab_size.max(ids) } else { ids };
        if state.tokenizer != Digest(run.tokenizer.fingerprint()) || state.vocab_size != rows {
            return wrong("tokenizer");
        }
        let position = state.position;
        let model = checkpoint.model(&run.device.open()?)?;
        let mut trainer = Self::with(run, model, Some(state.precision.unwrap_or(Precision::F32)))?;
        checkpoint.optimizer(&trainer.model, &mut trainer.optimizer)?;
        if position.step > trainer.steps() || position.updates > position.step {
            return Err(Error::invalid(checkpoint.folder(), format!("step {} of {}", position.step, trainer.steps())));
        }
        trainer.position = position;
        Ok(trainer)
    }

    /// Checks that what the run consists of belongs together, and what is used at its end only: at
    /// once, not after days of training.
    fn with(run: Run<'a>, model: Model, begun: Option<Precision>) -> Result<Self> {
        let Run { folder, config, tokenizer, manifest, stream, .. } = run;
        config.validate()?;
        if TokenizerEntry::of(tokenizer) != manifest.tokenizer {
            return Err(Error::invalid(folder, "its manifest lists shards of another tokenizer than the one given"));
        }
        let shape = stream.config();
        for (option, ours, theirs) in [("sequence-length", config.sequence_length, shape.seq_len), ("batch", config.batch, shape.batch)] {
            if ours != theirs {
                return refuse(option, format!("{ours}, but the stream was opened with {theirs}"));
            }
        }
        let objective = match config.objective {
            ObjectiveKind::Cpt | ObjectiveKind::Sft => Box::new(Cpt),
        };
        let mut held_out = Vec::new();
        for bucket in stream.buckets().iter().filter(|_| config.eval_tokens > 0) {
            let shards = HeldOut::new(folder, manifest, bucket, config.sequence_length)?;
            shards.verify()?;
            let shards = if stream.packs(bucket) { shards.packed()? } else { shards };
            held_out.push((bucket.as_str(), shards));
        }
        for prompt in config.sample.iter().flat_map(|sample| &sample.prompts) {
            if tokenizer.encode(prompt)?.is_empty() {
                return refuse("sample.prompts", format!("{prompt:?}, in which the tokenizer finds no token"));
            }
        }
        // A run that was begun in one precision goes on in it, wherever it goes on.
        let precision = config.precision.or(begun).unwrap_or_else(|| Precision::best(model.config(), &model.device()));
        let model = model.with_precision(precision)?.with_recompute(config.activation_checkpointing)?;
        let schedule = LearningRate::new(config, stream.steps())?;
        let optimizer = AdamW::new(config, &model);
        Ok(Self { run, objective, model, optimizer, schedule, position: Position::default(), held_out, unread: Vec::new() })
    }

    /// One optimizer step, and the one place where everything meets. Its loss stays on the device
    /// until [`Trainer::run`] tells it.
    pub fn step(&mut self) -> Result<()> {
        let batch = self.run.stream.at(self.position.step, World::ONE)?;
        let trained = batch.trainable();
        let learning_rate = self.schedule.at(self.position.step);

        let mut gradients = Gradients::new(&self.model);
        for micro_batch in split(&batch, self.run.config.micro_batch() as usize) {
            let loss = self.objective.loss(&self.model, &micro_batch)?;
            gradients.add(&self.model, loss, trained)?;
        }
        let grad_norm = gradients.clip(self.run.config.clip_norm);
        if trained > 0 {
            self.optimizer.step(&mut self.model, &gradients, learning_rate);
        }

        let drawn = batch.mask.len() as u64;
        self.position.step += 1;
        self.position.updates = self.optimizer.steps();
        self.position.drawn += drawn;
        self.position.trained += trained;
        self.position.masked += drawn - trained;
        let loss = gradients.loss();
        self.unread.push(Step { position: self.position, drawn, trained, learning_rate, loss, grad_norm });
        Ok(())
    }

    /// Trains to the end of the stream, telling `on` what happens. When `cancel` is set, the step at
    /// hand is finished, a checkpoint written, and [`Error::Interrupted`] given.
    pub fn run(&mut self, cancel: &AtomicBool, on: &mut dyn FnMut(Event)) -> Result<()> {
        let config = self.run.config;
        let told = self.position.step - self.unread.len() as u64;
        let mut metrics = Metrics::open(self.run.folder, told)?;
        let mut clock = Clock::start(self.position);
        let mut saved = told;
        if self.unread.is_empty() && told > 0 && self.due(config.eval_every) && !metrics.evaluated {
            self.evaluate(&mut metrics, on)?; // it failed before the checkpoint was written
        }
        while self.position.step < self.steps() {
            if cancel.load(Ordering::Relaxed) {
                self.tell(&mut metrics, &mut clock, on)?;
                if saved < self.position.step {
                    self.save(&mut metrics, on)?;
                }
                return Err(Error::Interrupted);
            }
            self.step()?;
            let [log, eval, save] = [config.log_every, config.eval_every, config.checkpoint_every].map(|every| self.due(every));
            if log || eval || save {
                self.tell(&mut metrics, &mut clock, on)?;
            }
            let evaluated = if eval { self.evaluate(&mut metrics, on) } else { Ok(()) };
            // An evaluation that failed costs no step, unless it found the weights to be broken.
            let broken = matches!(evaluated, Err(Error::NonFinite { .. }));
            if (save || evaluated.is_err()) && !broken {
                self.save(&mut metrics, on)?;
                saved = self.position.step;
            }
            evaluated?;
            if eval || save {
                clock.skip();
            }
        }
        self.sample(on)
    }

    /// Whether something that is done every so many steps is due; at the end everything is.
    fn due(&self, every: u64) -> bool {
        self.position.step == self.steps() || (every > 0 && self.position.step.is_multiple_of(every))
    }

    /// Reads the numbers of the steps made since the last time, and tells them.
    fn tell(&mut self, metrics: &mut Metrics, clock: &mut Clock, on: &mut dyn FnMut(Event)) -> Result<()> {
        let events: Vec<Result<StepEvent>> = self.unread.drain(..).map(Step::read).collect(); // waits
        let (seconds, tokens_per_second) = clock.read(self.position);
        let told = events.into_iter().try_for_each(|event| {
            let event = StepEvent { seconds, tokens_per_second, ..event? };
            metrics.step(&event)?;
            on(Event::Step(event));
            Ok(())
        });
        metrics.flush()?;
        told
    }

    /// Measures the held-out text of every bucket of the mixture.
    fn evaluate(&self, metrics: &mut Metrics, on: &mut dyn FnMut(Event)) -> Result<()> {
        let config = self.run.config;
        if config.eval_tokens == 0 {
            return Ok(());
        }
        let mut buckets = Vec::new();
        for (bucket, held_out) in &self.held_out {
            buckets.extend(evaluate(&self.model, held_out, bucket, config.micro_batch(), config.eval_tokens)?);
        }
        if let Some(bad) = buckets.iter().find(|bucket| !bucket.loss.is_finite()) {
            return Err(Error::NonFinite { step: self.position.step, what: "held-out loss", value: bad.loss });
        }
        let event = EvalEvent { step: self.position.step, buckets };
        metrics.eval(&event)?;
        on(Event::Eval(event));
        metrics.flush()
    }

    /// Writes a checkpoint and removes those that are too old. The curve is on the disk before.
    fn save(&self, metrics: &mut Metrics, on: &mut dyn FnMut(Event)) -> Result<PathBuf> {
        metrics.sync()?;
        let root = self.run.folder.join(CHECKPOINTS_FOLDER);
        let state = State {
            version: CHECKPOINT_VERSION,
            position: self.position,
            seed: self.run.seed,
            fingerprint: self.run.fingerprint.clone(),
            tokenizer: Digest(self.run.tokenizer.fingerprint()),
            vocab_size: self.model.vocab_size(),
            model: self.model.config().clone(),
            precision: Some(self.model.precision()),
        };
        let path = Checkpoint::save(&root, &state, &self.model, &self.optimizer)?;
        Checkpoint::prune(&root, self.run.config.keep_checkpoints as usize)?;
        on(Event::Checkpoint(path.clone()));
        Ok(path)
    }

    /// Writes the recipe's samples.
    fn sample(&self, on: &mut dyn FnMut(Event)) -> Result<()> {
        let Some(config) = &self.run.config.sample else { return Ok(()) };
        let tokenizer = self.run.tokenizer;
        for prompt in &config.prompts {
            let sampling = Sampling {
                tokens: config.tokens,
                temperature: config.temperature,
                top_k: config.top_k,
                context: self.run.config.sequence_length,
                end: Some(tokenizer.eos()),
                ids: Some(tokenizer.vocab_size()),
                seed: self.run.seed,
            };
            let ids = generate(&self.model, &tokenizer.encode(prompt)?, &sampling)?;
            on(Event::Sample(SampleEvent { prompt: prompt.clone(), text: tokenizer.decode(&ids)? }));
        }
        Ok(())
    }

    /// Steps made.
    pub fn step_number(&self) -> u64 {
        self.position.step
    }

    /// Steps in all.
    pub fn steps(&self) -> u64 {
        self.run.stream.steps()
    }

    /// How far training is.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The model as it is now.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Trained numbers in all.
    pub fn num_params(&self) -> u64 {
        self.model.num_params()
    }
}

#[cfg(test)]
mod tests;
