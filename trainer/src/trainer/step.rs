//! A step that was made and has not been told: its numbers, and what the wall clock says.

use std::f64::consts::LN_2;
use std::time::Instant;

use super::Position;
use crate::error::{Error, Result};
use crate::event::StepEvent;
use crate::objective::read;
use crate::ranks::Made;
use crate::rl::Outcome;

/// A step that was made. Its numbers stay on the device until someone asks.
pub(super) struct Step {
    pub(super) position: Position,
    pub(super) drawn: u64,
    pub(super) trained: u64,
    pub(super) learning_rate: f64,
    /// Whether the units of the loss are tokens.
    pub(super) of_tokens: bool,
    pub(super) numbers: Numbers,
}

/// What a step gave.
pub(super) enum Numbers {
    /// Not waited for yet.
    OnDevice(Box<Made>),
    /// Waited for, to decide what comes next.
    Read(Outcome),
}

impl Numbers {
    fn read(self) -> Result<Outcome> {
        let Made { loss, units, grad_norm, metrics } = match self {
            Self::OnDevice(made) => *made,
            Self::Read(outcome) => return Ok(outcome),
        };
        let loss = if units == 0 { 0.0 } else { read(loss, "read the loss")? / units as f64 };
        Ok(Outcome { loss, grad_norm: read(grad_norm, "read the gradient norm")?, metrics: metrics.read()? })
    }
}

impl Step {
    /// Reads the numbers from the device. The clock is the caller's.
    pub(super) fn read(self) -> Result<StepEvent> {
        let Outcome { loss, grad_norm, metrics } = self.numbers.read()?;
        let beside = metrics.iter().map(|(name, value)| (name.as_str(), *value));
        for (what, value) in [("loss", loss), ("gradient norm", grad_norm)].into_iter().chain(beside) {
            if !value.is_finite() {
                return Err(Error::NonFinite { step: self.position.step, what: what.to_owned(), value, rows: Vec::new() });
            }
        }
        Ok(StepEvent {
            step: self.position.step,
            loss,
            bits_per_token: self.of_tokens.then_some(loss / LN_2),
            learning_rate: self.learning_rate,
            grad_norm,
            drawn: self.drawn,
            trained: self.trained,
            masked: self.drawn - self.trained,
            tokens: self.position.drawn,
            metrics,
            seconds: 0.0,
            tokens_per_second: 0.0,
        })
    }
}

/// The speed between two reads, without the time of evaluations and checkpoints.
pub(super) struct Clock {
    start: Instant,
    last: Instant,
    drawn: u64,
}

impl Clock {
    pub(super) fn start(position: Position) -> Self {
        let now = Instant::now();
        Self { start: now, last: now, drawn: position.drawn }
    }

    /// Seconds since the start, and tokens per second since the last read.
    pub(super) fn read(&mut self, position: Position) -> (f64, f64) {
        let now = Instant::now();
        let seconds = (now - self.last).as_secs_f64();
        let drawn = position.drawn - self.drawn;
        (self.last, self.drawn) = (now, position.drawn);
        (round((now - self.start).as_secs_f64(), 1e3), round(drawn as f64 / seconds.max(1e-9), 1e1))
    }

    pub(super) fn skip(&mut self) {
        self.last = Instant::now();
    }
}

fn round(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}
