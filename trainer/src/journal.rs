//! What a run writes down while it goes on.

use std::path::Path;

use crate::config::TrainConfig;
use crate::error::Result;
use crate::event::{AnswerEvent, EvalEvent, SampleEvent, StepEvent};
use crate::metrics::{Metrics, Told};
use crate::samples::{ANSWERS_FILE, SAMPLES_FILE, Samples};
use crate::tensorboard::EventFile;

/// The files of a run that grow: curve, samples, and events for TensorBoard.
#[derive(Debug)]
pub(crate) struct Journal {
    metrics: Metrics,
    samples: Samples,
    /// Of objectives that draw answers.
    answers: Option<Samples>,
    events: Option<EventFile>,
}

impl Journal {
    /// Opens those of a run folder to continue after `step`.
    pub(crate) fn open(folder: &Path, config: &TrainConfig, step: u64) -> Result<Self> {
        let metrics = Metrics::open(folder, step)?;
        let samples = Samples::open(folder, SAMPLES_FILE, step)?;
        let answers = config.objective.draws_answers().then(|| Samples::open(folder, ANSWERS_FILE, step)).transpose()?;
        let events = config.tensorboard.then(|| events(folder, &metrics, step)).transpose()?;
        Ok(Self { metrics, samples, answers, events })
    }

    /// The evaluations before and at the step that it was opened for.
    pub(crate) fn evaluations(&self) -> &[EvalEvent] {
        self.metrics.evaluations()
    }

    pub(crate) fn step(&mut self, event: &StepEvent) -> Result<()> {
        self.metrics.step(event)?;
        self.events.as_mut().map_or(Ok(()), |events| events.step(event))
    }

    pub(crate) fn eval(&mut self, event: &EvalEvent) -> Result<()> {
        self.metrics.eval(event)?;
        self.events.as_mut().map_or(Ok(()), |events| events.eval(event))
    }

    /// Cuts off the samples of a step, and later ones.
    pub(crate) fn cut_samples(&mut self, step: u64) -> Result<()> {
        self.samples.cut(step.saturating_sub(1))
    }

    /// All samples of a step, in the order of their prompts. They take the place of those that an
    /// interrupted process may have left.
    pub(crate) fn samples(&mut self, step: u64, events: &[SampleEvent]) -> Result<()> {
        self.cut_samples(step)?;
        for (number, event) in events.iter().enumerate() {
            self.samples.put(event)?;
            self.events.as_mut().map_or(Ok(()), |events| events.sample(number, event))?;
        }
        Ok(())
    }

    /// Some answers of a step, in place of those that an interrupted process may have left.
    pub(crate) fn answers(&mut self, step: u64, events: &[AnswerEvent]) -> Result<()> {
        let Some(answers) = &mut self.answers else { return Ok(()) };
        answers.cut(step.saturating_sub(1))?;
        events.iter().try_for_each(|event| answers.put(event))
    }

    /// Hands what was written to the system, so that others can read it.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.metrics.flush()?;
        self.events.as_mut().map_or(Ok(()), EventFile::flush)
    }

    /// Waits until curve and samples are on the disk; done before a checkpoint takes its name.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.flush()?;
        self.metrics.sync()?;
        self.answers.as_mut().map_or(Ok(()), Samples::sync)?;
        self.samples.sync()
    }
}

/// Events of steps after `step`; where there were none before, those of the curve so far come first.
fn events(folder: &Path, metrics: &Metrics, step: u64) -> Result<EventFile> {
    if step == 0 || EventFile::is_there(folder)? {
        return EventFile::create(folder, step);
    }
    let mut events = EventFile::create(folder, 0)?;
    metrics.replay(&mut |told| match told {
        Told::Step(event) => events.step(&event),
        Told::Eval(event) => events.eval(&event),
    })?;
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensorboard::TENSORBOARD_FOLDER;

    /// Records in each event file, in the order of names: length, checksum, data, checksum.
    fn records(folder: &Path) -> Vec<usize> {
        let mut files: Vec<_> = std::fs::read_dir(folder.join(TENSORBOARD_FOLDER)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let count = |path| {
            let (bytes, mut at, mut count) = (std::fs::read(path).unwrap(), 0, 0);
            while at < bytes.len() {
                at += 16 + usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap();
                count += 1;
            }
            count
        };
        files.iter().map(count).collect()
    }

    #[test]
    fn events_that_are_asked_for_later_begin_with_the_curve() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = TrainConfig::default();
        let mut journal = Journal::open(folder.path(), &config, 0).unwrap();
        (1..=3).for_each(|number| journal.step(&StepEvent::example(number)).unwrap());
        journal.eval(&EvalEvent { step: 3, buckets: Vec::new(), preferences: Vec::new() }).unwrap();
        journal.sync().unwrap();

        // Each file begins with two records: its version, and the step that it goes on from.
        config.tensorboard = true;
        let mut journal = Journal::open(folder.path(), &config, 3).unwrap();
        journal.step(&StepEvent::example(4)).unwrap();
        journal.sync().unwrap();
        assert_eq!(records(folder.path()), [2 + 3 + 1 + 1]);
        drop(Journal::open(folder.path(), &config, 4).unwrap());
        assert_eq!(records(folder.path()), [7, 2]);
    }
}
