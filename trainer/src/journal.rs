//! What a run writes down while it goes on.

use std::path::Path;

use crate::config::TrainConfig;
use crate::error::Result;
use crate::event::{EvalEvent, SampleEvent, StepEvent};
use crate::metrics::Metrics;
use crate::samples::Samples;
use crate::tensorboard::EventFile;

/// The files of a run that grow: curve, samples, and events for TensorBoard.
#[derive(Debug)]
pub(crate) struct Journal {
    metrics: Metrics,
    samples: Samples,
    events: Option<EventFile>,
}

impl Journal {
    /// Opens those of a run folder to continue after `step`.
    pub(crate) fn open(folder: &Path, config: &TrainConfig, step: u64) -> Result<Self> {
        let metrics = Metrics::open(folder, step)?;
        let samples = Samples::open(folder, step)?;
        let events = if config.tensorboard { Some(EventFile::create(folder, step)?) } else { None };
        Ok(Self { metrics, samples, events })
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

    /// All samples of a step, in the order of their prompts. They take the place of those that an
    /// interrupted process may have left.
    pub(crate) fn samples(&mut self, step: u64, events: &[SampleEvent]) -> Result<()> {
        self.samples.cut(step.saturating_sub(1))?;
        for (number, event) in events.iter().enumerate() {
            self.samples.put(event)?;
            self.events.as_mut().map_or(Ok(()), |events| events.sample(number, event))?;
        }
        Ok(())
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
        self.samples.sync()
    }
}
