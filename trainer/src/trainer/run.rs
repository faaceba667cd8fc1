//! Many steps: what is told, measured, written and saved between them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use shards::{ChatEncoder, Digest, Message};

use super::step::{Clock, Step};
use super::{CHECKPOINTS_FOLDER, Run, Trainer};
use crate::checkpoint::{CHECKPOINT_VERSION, Checkpoint, State};
use crate::error::{Error, Result};
use crate::evaluate::evaluate;
use crate::evaluate::preference::evaluate_answers;
use crate::event::{BestLostEvent, EvalEvent, Event, SampleEvent, StepEvent, StopEvent};
use crate::generate::{GenerateConfig, Generator, Request, Sampling};
use crate::journal::Journal;
use crate::load::Pretrained;
use crate::lora::LoraConfig;
use crate::rl::Learner;
use crate::rows::Moved;
use crate::watch::{Best, Watch};

type Tell<'a> = dyn FnMut(Event) + 'a;

impl Trainer<'_> {
    /// Trains to the end of the stream, or until `early-stop` ends it, telling `on` what happens. When
    /// `cancel` is set, the step at hand is finished, a checkpoint written, and [`Error::Interrupted`]
    /// given.
    pub fn run(&mut self, cancel: &AtomicBool, on: &mut Tell<'_>) -> Result<()> {
        let config = self.run.config;
        let told = self.position.step - self.unread.len() as u64;
        let mut journal = Journal::open(self.run.folder, config, told)?;
        self.watch = Watch::replay(config, journal.evaluations());
        let mut saved = told;
        if self.unread.is_empty() && told > 0 {
            self.give_up_best(&mut journal, on)?;
            let evaluated = journal.evaluations().last().is_some_and(|last| last.step == told);
            if self.due(config.eval_every) && !evaluated {
                // It failed before the checkpoint was written, which does not know it.
                self.evaluate(&mut journal, on)?;
                self.save(&mut journal, on)?;
            }
            if self.sample_due() {
                self.sample(&mut journal, on)?;
            } else if !self.ended() {
                journal.cut_samples(told)?; // it was the end for a recipe that stops earlier
            }
        }
        let mut clock = Clock::start(self.position);
        while !self.ended() {
            if cancel.load(Ordering::Relaxed) {
                self.tell(&mut journal, &mut clock, on)?;
                if saved < self.position.step {
                    self.save(&mut journal, on)?;
                }
                return Err(Error::Interrupted);
            }
            self.step()?;
            let [log, eval, save] = [config.log_every, config.eval_every, config.checkpoint_every].map(|every| self.due(every));
            let sample = self.sample_due();
            if log || eval || save || sample {
                self.tell(&mut journal, &mut clock, on)?;
            }
            let evaluated = if eval { self.evaluate(&mut journal, on) } else { Ok(false) };
            // An evaluation that failed costs no step, unless it found the weights to be broken.
            let broken = matches!(evaluated, Err(Error::NonFinite { .. }));
            if sample && evaluated.is_ok() && !self.ended() {
                self.sample(&mut journal, on)?;
            }
            if eval {
                self.answers(&mut journal, on)?;
            }
            let best = config.keep_best && matches!(evaluated, Ok(true));
            if (save || best || self.ended() || evaluated.is_err()) && !broken {
                self.save(&mut journal, on)?;
                saved = self.position.step;
            }
            evaluated?;
            if eval || save || sample {
                clock.skip();
            }
        }
        if self.position.step < self.steps() {
            let (step, stale, best) = (self.position.step, self.watch.stale(), self.watch.best());
            on(Event::Stopped(StopEvent { step, stale, best }));
        }
        self.sample(&mut journal, on)?;
        journal.sync()?;
        self.tell_rows(on)
    }

    /// Where the best checkpoint is to be kept and was not, keeps the best that is left. The checkpoint that training goes on
    /// from knows of it from then on, so this is told once.
    fn give_up_best(&mut self, journal: &mut Journal, on: &mut Tell<'_>) -> Result<()> {
        if !self.run.config.keep_best {
            return Ok(());
        }
        let root = self.run.folder.join(CHECKPOINTS_FOLDER);
        let lost = self.watch.give_up(journal.evaluations(), |step| Checkpoint::is_there(&root, step));
        let best = self.watch.best();
        let step = |best: Option<Best>| best.map(|best| best.step);
        if step(Checkpoint::best_known(&root, self.position.step)?) == step(best) {
            return Ok(());
        }
        if let Some(lost) = lost {
            on(Event::BestLost(BestLostEvent { lost, best }));
        }
        self.save(journal, on).map(drop)
    }

    /// Whether there is nothing left to train.
    fn ended(&self) -> bool {
        self.position.step == self.steps() || self.watch.finished()
    }

    /// Whether something that is done every so many steps is due; at the end everything is.
    fn due(&self, every: u64) -> bool {
        self.position.step == self.steps() || (every > 0 && self.position.step.is_multiple_of(every))
    }

    /// Whether samples are due on the way; those of the end come by themselves.
    fn sample_due(&self) -> bool {
        !self.ended() && self.run.config.sample.as_ref().is_some_and(|sample| self.due(sample.every))
    }

    /// Reads the numbers of the steps made since the last time, and tells them.
    fn tell(&mut self, journal: &mut Journal, clock: &mut Clock, on: &mut Tell<'_>) -> Result<()> {
        let events: Vec<Result<StepEvent>> = self.unread.drain(..).map(Step::read).collect(); // waits
        let (seconds, tokens_per_second) = clock.read(self.position);
        let told = events.into_iter().try_for_each(|event| {
            let event = StepEvent { seconds, tokens_per_second, ..event.map_err(|error| self.with_documents(error))? };
            journal.step(&event)?;
            on(Event::Step(event));
            Ok(())
        });
        journal.flush()?;
        told
    }

    /// Names the documents of a step that gave no number.
    fn with_documents(&self, error: Error) -> Error {
        match error {
            Error::NonFinite { step, what, value, .. } => match self.run.stream.order(step - 1) {
                Ok(rows) => Error::NonFinite { step, what, value, rows },
                Err(error) => error.into(),
            },
            error => error,
        }
    }

    /// Measures the held-out text of every bucket of the mixture; whether it is the best so far.
    fn evaluate(&mut self, journal: &mut Journal, on: &mut Tell<'_>) -> Result<bool> {
        let config = self.run.config;
        if config.eval_tokens == 0 {
            return Ok(false);
        }
        let (mut buckets, mut preferences) = (Vec::new(), Vec::new());
        let (rows, tokens) = (config.micro_batch(), config.eval_tokens);
        for (bucket, held_out) in &self.held_out {
            if config.objective.is_of_answers() {
                let (replica, rows) = (self.ranks.replica(), [config.batch, rows]);
                preferences.extend(evaluate_answers(&*self.objective, replica, held_out, bucket, rows, tokens)?);
            } else {
                buckets.extend(evaluate(self.ranks.model(), held_out, self.run.tokenizer, bucket, rows, tokens)?);
            }
        }
        let losses = buckets.iter().map(|bucket| bucket.loss).chain(preferences.iter().map(|bucket| bucket.loss));
        if let Some(value) = losses.into_iter().find(|loss| !loss.is_finite()) {
            return Err(Error::NonFinite { step: self.position.step, what: "held-out loss".to_owned(), value, rows: Vec::new() });
        }
        let event = EvalEvent { step: self.position.step, buckets, preferences };
        journal.eval(&event)?;
        let best = self.watch.see(&event);
        on(Event::Eval(event));
        journal.flush()?;
        Ok(best)
    }

    /// Writes a checkpoint and removes those that are too old. Curve and samples are on the disk before.
    fn save(&self, journal: &mut Journal, on: &mut Tell<'_>) -> Result<PathBuf> {
        journal.sync()?;
        let config = self.run.config;
        let root = self.run.folder.join(CHECKPOINTS_FOLDER);
        let state = State {
            version: CHECKPOINT_VERSION,
            position: self.position,
            seed: self.run.seed,
            fingerprint: self.run.fingerprint.clone(),
            tokenizer: Digest(self.run.tokenizer.fingerprint()),
            vocab_size: self.ranks.model().vocab_size(),
            model: self.ranks.model().config().clone(),
            precision: Some(self.ranks.model().precision()),
            // Where they began is no part of what they are.
            lora: self.run.config.lora.clone().map(|lora| LoraConfig { init: None, ..lora }),
            best: self.watch.best(),
            stale: self.watch.stale(),
            lineage: self.run.lineage.clone(),
            kl_coefficient: self.learner.as_ref().and_then(Learner::coefficient),
        };
        let path = Checkpoint::save(&root, &state, self.ranks.model(), self.ranks.optimizer())?;
        let best = self.watch.best().filter(|_| config.keep_best).map(|best| best.step);
        Checkpoint::prune(&root, config.keep_checkpoints as usize, best)?;
        on(Event::Checkpoint(path.clone()));
        Ok(path)
    }

    /// Writes some of the answers that the last step has learned from.
    fn answers(&self, journal: &mut Journal, on: &mut Tell<'_>) -> Result<()> {
        let Some(learner) = &self.learner else { return Ok(()) };
        journal.answers(self.position.step, learner.shown())?;
        learner.shown().iter().for_each(|answer| on(Event::Answer(answer.clone())));
        Ok(())
    }

    /// Writes the recipe's samples.
    fn sample(&self, journal: &mut Journal, on: &mut Tell<'_>) -> Result<()> {
        let Some(config) = &self.run.config.sample else { return Ok(()) };
        let (tokenizer, step) = (self.run.tokenizer, self.position.step);
        let context = (self.run.config.sequence_length as usize).max(2);
        // A text is never longer than those that were trained on; of a long beginning the end is taken.
        let kept = context.saturating_sub(config.tokens as usize).max(context / 2);
        let options = GenerateConfig { context, ids: Some(tokenizer.vocab_size()), seed: self.run.seed, ..GenerateConfig::default() };
        let mut generator = Generator::new(self.ranks.model(), options)?;
        let sampling = Sampling { temperature: config.temperature, top_k: config.top_k, ..Sampling::default() };
        let chat = self.run.chat.filter(|_| config.chat).map(|template| ChatEncoder::new(template, tokenizer)).transpose()?;
        let ends = chat.as_ref().map_or_else(|| Ok(vec![tokenizer.eos()]), ChatEncoder::stops)?;
        for (id, prompt) in (0..).zip(&config.prompts) {
            let mut prompt = match &chat {
                Some(chat) => chat.prompt(&[Message::new("user", prompt)])?,
                None => tokenizer.encode(prompt)?,
            };
            prompt.drain(..prompt.len().saturating_sub(kept));
            generator.push(Request { id, prompt, tokens: config.tokens, sampling, ends: ends.clone() })?;
        }
        let mut events = Vec::with_capacity(config.prompts.len());
        for (prompt, completion) in config.prompts.iter().zip(generator.run()?) {
            events.push(SampleEvent { step, prompt: prompt.clone(), text: tokenizer.decode(&completion.ids)? });
        }
        journal.samples(step, &events)?;
        journal.flush()?;
        events.into_iter().for_each(|event| on(Event::Sample(event)));
        Ok(())
    }

    /// Tells which rows of the vocabulary no step has reached.
    fn tell_rows(&mut self, on: &mut Tell<'_>) -> Result<()> {
        if self.learner.is_some() {
            return Ok(()); // which ids answers had is not kept
        }
        self.rows.add_steps(self.run.stream, 0..std::mem::take(&mut self.began))?;
        let Run { config, tokenizer, .. } = &self.run;
        // The model it began with may be gone by now; then it is not known which ids were new.
        let new = config.init.as_ref().and_then(|path| Pretrained::open(path).and_then(|init| init.new_ids(tokenizer)).ok());
        let [inputs, targets] = match &config.lora {
            None => [true; 2],
            Some(lora) => lora.moves_tables(&config.model),
        };
        on(Event::Rows(self.rows.summary(tokenizer, new.as_deref(), Moved { inputs, targets })));
        Ok(())
    }
}
