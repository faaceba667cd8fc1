//! What is learned: from a batch to a loss.

mod answers;
mod dpo;
mod kto;
mod next_token;
mod orpo;
mod reward;
mod tally;

use burn::tensor::Tensor;
use shards::Batch;

pub use answers::{Preference, Rewarded};
pub use dpo::Dpo;
pub use kto::Kto;
pub use next_token::Cpt;
pub use orpo::Orpo;
pub use reward::Pairwise;
pub use tally::{Metric, Tally};

use crate::error::{Error, Result};
use crate::kernels::check;
use crate::ranks::Replica;

/// The loss of a batch as a sum and a count. The mean is formed once, over all micro-batches and
/// ranks of a step; the mean of means would weigh units by how full their batch is.
#[derive(Clone, Debug)]
pub struct Loss {
    /// Sum over the units, `[1]`; it carries the gradient.
    pub sum: Tensor<1>,
    /// Units of this batch: what [`Objective::units`] says.
    pub units: u64,
    /// Numbers beside the loss, in the order of [`Objective::metrics`].
    pub metrics: Vec<Metric>,
}

impl Loss {
    /// The loss of a unit, read from the device; 0 where there is none.
    pub fn mean(&self) -> Result<f64> {
        let sum = read(self.sum.clone().inner(), "read the loss")?;
        Ok(if self.units == 0 { 0.0 } else { sum / self.units as f64 })
    }
}

/// Something to learn from batches.
pub trait Objective: Sync {
    /// What the sum of a batch is divided by: targets that count, pairs, answers. It adds up over the pieces of
    /// a step, and is asked once for the whole of it.
    fn units(&self, batch: &Batch) -> u64;

    /// Names of the numbers beside the loss, as they stand in `metrics.jsonl`. Those with the same first part,
    /// up to a `/`, are drawn together.
    fn metrics(&self) -> &'static [&'static str] {
        &[]
    }

    /// What it is for one step, where something of the whole step must be known before its pieces: asked for once, with
    /// the step's whole batch, of which `rows` rows fit the device at a time. None where nothing need be known.
    fn of_step(&self, _replica: &Replica, _batch: &Batch, _rows: usize) -> Result<Option<Box<dyn Objective>>> {
        Ok(None)
    }

    /// The same as an objective of judged answers, if it is one.
    fn preference(&self) -> Option<&dyn Preference> {
        None
    }

    /// The loss of one batch, whose [`Batch::mask`] says which targets count. Nothing in it may depend on how a step is split.
    fn loss(&self, replica: &Replica, batch: &Batch) -> Result<Loss>;

    /// Whether the weights may move, after the loss of the whole step is known. Asked on one device only, and waits for it
    /// where it looks at numbers.
    fn permits(&self) -> Result<bool> {
        Ok(true)
    }
}

/// One number from the device.
pub(crate) fn read(value: Tensor<1>, operation: &'static str) -> Result<f64> {
    let value = value.try_into_scalar::<f32>().map(f64::from).map_err(Error::backend(operation))?;
    check(operation)?;
    Ok(value)
}

#[cfg(test)]
mod preference_tests;
#[cfg(test)]
pub(crate) mod tests;
