//! The training loop.

mod begin;
mod run;
mod step;

use std::path::Path;

use serde::{Deserialize, Serialize};
use shards::{ChatTemplate, Digest, HeldOut, JudgedCounts, Manifest, TokenStream, Tokenizer, TokenizerEntry, World};

use crate::checkpoint::{Checkpoint, State};
use crate::config::{ObjectiveKind, TrainConfig, refuse};
use crate::device::DeviceSpec;
use crate::error::{Error, Result};
use crate::model::{Model, Precision};
use crate::objective::{Cpt, Dpo, Kto, Objective, Orpo, Pairwise};
use crate::ranks::{Ranks, Update};
use crate::rl::{Feedback, Learner};
use crate::rng::Rng;
use crate::rows::TrainedRows;
use crate::schedule::LearningRate;
use crate::watch::{Best, Watch};
use step::{Numbers, Step};

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
    /// How conversations are written, for samples that are answers.
    pub chat: Option<&'a ChatTemplate>,
    /// Where to compute.
    pub device: DeviceSpec,
    /// Seed of the weights and of samples.
    pub seed: u64,
    /// Fingerprint of everything that the result depends on; a checkpoint of another one is refused.
    pub fingerprint: String,
    /// The trainings that the weights of `init` have behind them, the first one first. It goes into every checkpoint as it
    /// is, and nothing follows from it.
    pub lineage: Vec<serde_json::Value>,
    /// What answers are judged by; for objectives that draw some.
    pub feedback: Option<Feedback<'a>>,
}

/// How far training is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Position {
    /// Steps made.
    pub step: u64,
    /// Optimizer updates made: steps in which something counted.
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
    /// What draws answers and learns from them, in place of the objective.
    learner: Option<Learner<'a>>,
    ranks: Ranks,
    schedule: LearningRate,
    position: Position,
    /// The held-out text of each bucket; nothing where it is not evaluated.
    held_out: Vec<(&'a str, HeldOut)>,
    /// Steps whose numbers are still on the device.
    unread: Vec<Step>,
    /// What the evaluations say.
    watch: Watch,
    /// The rows of the vocabulary that this process has trained.
    rows: TrainedRows,
    /// The first step of this process; those before are not in `rows` yet.
    began: u64,
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
        run.config.validate()?;
        let precision = Self::precision(&run, None)?;
        Self::with(run, None, precision)
    }

    /// The numbers of activations. A run that was begun in one precision goes on in it, wherever it goes on.
    fn precision(run: &Run, begun: Option<Precision>) -> Result<Precision> {
        let (model, device) = (&run.config.model, run.device.open()?);
        Ok(run.config.precision.or(begun).unwrap_or_else(|| Precision::best(model, &device)))
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
        if state.model != run.config.shape() {
            return wrong("model");
        }
        // A model that came with more rows than its tokenizer has ids keeps them.
        let ids = run.tokenizer.vocab_size() as usize;
        let rows = if run.config.init.is_some() { state.vocab_size.max(ids) } else { ids };
        if state.tokenizer != Digest(run.tokenizer.fingerprint()) || state.vocab_size != rows {
            return wrong("tokenizer");
        }
        let position = state.position;
        let precision = Self::precision(&run, Some(state.precision.unwrap_or(Precision::F32)))?;
        let mut trainer = Self::with(run, Some(&checkpoint), precision)?;
        let updates = trainer.learner.as_ref().map_or(1, Learner::updates);
        if position.step > trainer.steps() || position.updates > position.step.saturating_mul(updates) {
            return Err(Error::invalid(checkpoint.folder(), format!("step {} of {}", position.step, trainer.steps())));
        }
        if let Some(learner) = &mut trainer.learner {
            learner.restore(checkpoint.state().kl_coefficient);
        }
        trainer.position = position;
        trainer.began = position.step;
        Ok(trainer)
    }

    /// Checks that what the run consists of belongs together, and what is used at its end only: at
    /// once, not after days of training.
    fn with(run: Run<'a>, checkpoint: Option<&Checkpoint>, precision: Precision) -> Result<Self> {
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
        for bucket in stream.buckets() {
            check_answers(config.objective, bucket, stream.judged(bucket))?;
        }
        let objective: Box<dyn Objective> = match config.objective {
            // Answers that are drawn have a loss of their own; this one measures held-out text.
            ObjectiveKind::Cpt | ObjectiveKind::Sft | ObjectiveKind::Grpo | ObjectiveKind::Ppo => Box::new(Cpt { z_loss: config.z_loss }),
            ObjectiveKind::Dpo => Box::new(Dpo(config.dpo())),
            ObjectiveKind::Orpo => Box::new(Orpo(config.orpo.clone().unwrap_or_default())),
            ObjectiveKind::Kto => Box::new(Kto::new(config.kto.clone().unwrap_or_default())),
            ObjectiveKind::Reward => Box::new(Pairwise(config.reward_model.clone().unwrap_or_default())),
        };
        let learner = Learner::new(config, run.feedback, tokenizer, run.seed)?;
        if learner.is_some() && run.device.count() > 1 {
            return refuse("objective", "one that draws answers, which works on one device so far: give one with `--device`");
        }
        let mut held_out = Vec::new();
        for bucket in stream.buckets().iter().filter(|_| config.eval_tokens > 0) {
            let shards = HeldOut::new(folder, manifest, bucket, config.sequence_length)?;
            shards.verify()?;
            let shards = if stream.packs(bucket) { shards.packed()? } else { shards };
            if shards.windows() > 0 {
                check_answers(config.objective, bucket, shards.judged())?;
            }
            held_out.push((bucket.as_str(), shards));
        }
        let measured: Vec<&str> = held_out.iter().filter(|(_, shards)| shards.windows() > 0).map(|(bucket, _)| *bucket).collect();
        if let Some(bucket) = config.best_by.as_deref().filter(|bucket| !measured.contains(bucket)) {
            return refuse("best-by", format!("\"{bucket}\", which has no held-out text; {} have some", measured.join(", ")));
        }
        if (config.keep_best || config.early_stop.is_some()) && measured.is_empty() {
            return refuse(
                if config.keep_best { "keep-best" } else { "early-stop" },
                "set, but no bucket has held-out text: see `held-out`",
            );
        }
        for prompt in config.sample.iter().flat_map(|sample| &sample.prompts) {
            if config.sample.as_ref().is_some_and(|sample| sample.chat) && run.chat.is_none() {
                return refuse("sample.chat", "true, but there is no chat template");
            }
            if tokenizer.encode(prompt)?.is_empty() {
                return refuse("sample.prompts", format!("{prompt:?}, in which the tokenizer finds no token"));
            }
        }
        State::check_lineage(&run.lineage)?;
        let schedule = LearningRate::new(config, stream.steps())?;
        let ranks = Ranks::open(run.device, |device| begin::replica(&run, checkpoint, precision, device))?;
        let (watch, rows) = (Watch::replay(config, &[]), TrainedRows::new(ranks.model().vocab_size()));
        let (position, unread) = (Position::default(), Vec::new());
        Ok(Self { run, objective, learner, ranks, schedule, position, held_out, unread, watch, rows, began: 0 })
    }

    /// One step: the batch of this step through [`Ranks::step`], or answers to its prompts through
    /// the learner's own step. Its loss stays on the device until [`Trainer::run`] tells it.
    pub fn step(&mut self) -> Result<()> {
        let step = self.position.step;
        let learning_rate = self.schedule.at(step);
        let update = Update {
            micro_batch: self.run.config.micro_batch() as usize,
            learning_rate,
            clip_norm: self.run.config.clip_norm,
            noise: noise_seed(self.run.seed, step),
        };
        let (numbers, drawn, trained) = match &mut self.learner {
            None => {
                let batch = self.run.stream.at(step, World::ONE)?;
                let made = self.ranks.step(&*self.objective, &batch, &update)?;
                self.rows.add(&batch);
                (Numbers::OnDevice(Box::new(made)), batch.mask.len() as u64, batch.trainable())
            }
            Some(learner) => {
                let examples = self.run.stream.examples(step)?;
                let outcome = learner.step(&mut self.ranks, &examples, step, &update)?;
                // Of the text itself nothing is learned.
                let shape = self.run.stream.config();
                (Numbers::Read(outcome), u64::from(shape.batch) * u64::from(shape.seq_len), 0)
            }
        };
        self.position.step += 1;
        self.position.updates = self.ranks.optimizer().steps();
        self.position.drawn += drawn;
        self.position.trained += trained;
        self.position.masked += drawn - trained;
        let of_tokens = self.run.config.objective.is_next_token();
        self.unread.push(Step { position: self.position, drawn, trained, learning_rate, of_tokens, numbers });
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

    /// The best evaluation that [`Trainer::run`] knows of.
    pub fn best(&self) -> Option<Best> {
        self.watch.best()
    }

    /// The model as it is now.
    pub fn model(&self) -> &Model {
        self.ranks.model()
    }

    /// Trained numbers in all.
    pub fn num_params(&self) -> u64 {
        self.ranks.model().num_params()
    }
}

/// That a bucket has what the objective learns from.
fn check_answers(objective: ObjectiveKind, bucket: &str, judged: Option<JudgedCounts>) -> Result<()> {
    let name = objective.name();
    match judged {
        None if objective.is_of_answers() => refuse("objective", format!("\"{name}\", but bucket `{bucket}` has no judged answers")),
        Some(_) if !objective.is_of_answers() => {
            refuse("objective", format!("\"{name}\", which would learn from the rejected answers of bucket `{bucket}` too"))
        }
        Some(JudgedCounts { desirable, undesirable, .. }) if desirable + undesirable > 0 && objective != ObjectiveKind::Kto => refuse(
            "objective",
            format!(
                "\"{name}\", which learns from pairs, but {} answers of bucket `{bucket}` are judged by themselves: see \"kto\"",
                desirable + undesirable
            ),
        ),
        _ => Ok(()),
    }
}

/// Where a step's dropout takes its random numbers from.
fn noise_seed(seed: u64, step: u64) -> u64 {
    Rng::new(seed, &format!("dropout of step {step}")).next()
}

#[cfg(test)]
mod tests;
