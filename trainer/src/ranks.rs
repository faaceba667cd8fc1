//! One optimizer step, on one device or on several cards together.

use burn::tensor::{Device, Tensor};
use shards::Batch;

use crate::buckets::Buckets;
use crate::device::DeviceSpec;
use crate::error::{Error, Result};
use crate::gradients::{Counted, Gradients};
use crate::micro_batch::split;
#[cfg(feature = "cuda")]
use crate::model::Precision;
use crate::model::{Model, Parameter};
use crate::objective::{Loss, Objective, Tally};
use crate::optimizer::AdamW;

/// A model and its optimizer on one device, and what it is compared with.
#[derive(Clone, Debug)]
pub struct Replica {
    /// The model.
    pub model: Model,
    /// Its optimizer.
    pub optimizer: AdamW,
    /// The model as it was before the first step, frozen, where the objective wants it: see [`Model::reference`].
    pub reference: Option<Model>,
}

impl Replica {
    /// The same with nothing to be trained: to be measured.
    pub(crate) fn frozen(&self) -> Self {
        Self { model: self.model.frozen(), optimizer: self.optimizer.clone(), reference: self.reference.clone() }
    }

    /// A model and its optimizer, compared with nothing.
    pub fn new(model: Model, optimizer: AdamW) -> Self {
        Self { model, optimizer, reference: None }
    }

    /// The model as it was before the first step.
    ///
    /// # Errors
    /// Where none was kept.
    pub fn reference(&self) -> Result<&Model> {
        let missing = || Error::Batch("its objective compares with a reference, which this replica does not have".to_owned());
        self.reference.as_ref().ok_or_else(missing)
    }
}

/// A replica on each of several cards, or on one device. All have the same numbers: each adds up the gradients
/// of all and makes the same step.
#[derive(Debug)]
pub struct Ranks {
    first: Replica,
    others: Vec<Replica>,
}

/// How a step is made.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// Sequences that go through a model at a time.
    pub micro_batch: usize,
    /// What the optimizer moves weights by.
    pub learning_rate: f64,
    /// Longest gradient; 0 for no limit.
    pub clip_norm: f64,
    /// Where dropout takes its random numbers from.
    pub noise: u64,
}

/// What a step gave; its numbers stay on the device until they are read.
#[derive(Clone, Debug)]
pub struct Made {
    /// Sum of the loss over the units, `[1]`.
    pub loss: Tensor<1>,
    /// Units of the step: what the sum is divided by.
    pub units: u64,
    /// Length of the gradient before it was clipped, `[1]`.
    pub grad_norm: Tensor<1>,
    /// The numbers beside the loss.
    pub metrics: Tally,
}

impl Ranks {
    /// A replica that `make` makes on each device; several cards become a group.
    pub fn open(device: DeviceSpec, make: impl Fn(&Device) -> Result<Replica>) -> Result<Self> {
        let devices = device.open_all()?;
        let [first, others @ ..] = &devices[..] else {
            return Err(Error::Device { device: device.to_string(), detail: "no device".to_owned() });
        };
        let ranks = Self { first: make(first)?, others: others.iter().map(make).collect::<Result<_>>()? };
        device.join()?;
        Ok(ranks)
    }

    /// Model, optimizer and reference of the first device; those of the others are like them.
    pub fn replica(&self) -> &Replica {
        &self.first
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.first.model
    }

    /// Its optimizer.
    pub fn optimizer(&self) -> &AdamW {
        &self.first.optimizer
    }

    /// One optimizer step, and the one place where everything meets. Micro-batches are dealt to the cards in
    /// turn; which card has which makes no difference. Without a unit of the loss nothing moves.
    pub fn step(&mut self, objective: &dyn Objective, batch: &Batch, update: &Update) -> Result<Made> {
        let units = objective.units(batch);
        let ranks: Vec<&mut Replica> = std::iter::once(&mut self.first).chain(&mut self.others).collect();
        let count = ranks.len();
        let rows = update.micro_batch.min(batch.rows.div_ceil(count));
        let pieces: Vec<Batch> = split(batch, rows).collect();
        let own = match ranks.first() {
            Some(first) => at_home(&first.model, || objective.of_step(first, batch, rows))?,
            None => None,
        };
        let objective = own.as_deref().unwrap_or(objective);

        let shares = on_each(ranks, |rank, replica| {
            at_home(&replica.model.clone(), || {
                replica.model.set_noise(update.noise);
                let mut share = Share::of(replica, objective.metrics());
                let mut own = pieces.iter().skip(rank).step_by(count).peekable();
                while let Some(micro_batch) = own.next() {
                    let is_last = count > 1 && own.peek().is_none();
                    share.learn(objective, micro_batch, units, is_last)?;
                }
                Ok(share)
            })
        })?;
        // From here on cards wait for each other. What can go wrong in a batch has not, on any of them.
        let buckets = buckets(&shares);
        let made = on_each(shares, |_, Share { replica: Replica { model, optimizer, .. }, mut gradients, mut tally, last }| {
            at_home(&model.clone(), || {
                let work = || {
                    if count > 1 {
                        gradients.add_up(model, last, units, buckets.clone(), &mut tally)?;
                    }
                    let grad_norm = gradients.clip(update.clip_norm);
                    if units > 0 && objective.permits()? {
                        optimizer.step(model, &gradients, update.learning_rate)?;
                    }
                    Ok(Made { loss: gradients.loss(), units, grad_norm, metrics: tally })
                };
                if count > 1 { together(work) } else { work() }
            })
        })?;
        let mut made = made.into_iter();
        let mut first = made.next().ok_or_else(lost)?;
        made.for_each(|other| first.metrics.count(&other.metrics));
        Ok(first)
    }
}

/// What one device makes of its part of a step.
struct Share<'a> {
    replica: &'a mut Replica,
    gradients: Gradients,
    tally: Tally,
    /// Of several cards, the last micro-batch is left for a backward pass in which they add up their gradients.
    last: Option<Counted>,
}

impl<'a> Share<'a> {
    fn of(replica: &'a mut Replica, metrics: &'static [&'static str]) -> Self {
        let (gradients, tally) = (Gradients::new(&replica.model), Tally::new(metrics, &replica.model.device()));
        Self { replica, gradients, tally, last: None }
    }

    fn learn(&mut self, objective: &dyn Objective, micro_batch: &Batch, units: u64, is_last: bool) -> Result<()> {
        let model = &self.replica.model;
        let (loss, uses) = if is_last {
            counted(model, || objective.loss(self.replica, micro_batch))
        } else {
            (objective.loss(self.replica, micro_batch), Vec::new())
        };
        let Loss { sum, metrics, .. } = loss?;
        self.tally.add(metrics)?;
        match is_last {
            true => self.last = Some(Counted { sum, uses }),
            false => self.gradients.add(model, sum, units)?,
        }
        Ok(())
    }
}

/// What `forward` gives, and how often it uses each parameter in an operation of a card: always, where at all, in bfloat16.
fn counted<T>(model: &Model, forward: impl FnOnce() -> T) -> (T, Vec<u32>) {
    #[cfg(feature = "cuda")]
    if model.precision() == Precision::Bf16 {
        return crate::kernels::gpu::counted(model.parameters().into_iter().map(Parameter::value).collect(), forward);
    }
    (forward(), vec![0; model.parameters().len()])
}

/// Does a card's part of what several do. Where that fails, the others no longer wait for it.
fn together<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    #[cfg(feature = "cuda")]
    return crate::kernels::gpu::part(work);
    #[cfg(not(feature = "cuda"))]
    work()
}

/// The buckets in which the cards of these shares add up their gradients.
fn buckets(shares: &[Share<'_>]) -> Buckets {
    let lengths = shares.first().map(|share| share.replica.model.parameters().into_iter().map(Parameter::len).collect::<Vec<_>>());
    let uses: Vec<&[u32]> = shares.iter().filter_map(|share| Some(&*share.last.as_ref()?.uses)).collect();
    Buckets::new(&lengths.unwrap_or_default(), &uses)
}

fn lost() -> Error {
    Error::Backend { operation: "train on a card", detail: "its thread panicked".to_owned() }
}

/// Does `work` on the streams of a card that the model was made on, on whatever thread this is.
fn at_home<T>(model: &Model, work: impl FnOnce() -> T) -> T {
    #[cfg(feature = "cuda")]
    if let (true, Some(vector)) = (crate::device::is_cuda(&model.device()), model.tensors().find(|tensor| !tensor.is_matrix())) {
        return crate::kernels::gpu::on_streams_of(vector.value(), work);
    }
    let _ = model;
    work()
}

/// Does `work` with each of these, a thread for each; one alone is worked on here.
fn on_each<T: Send, U: Send>(each: Vec<T>, work: impl Fn(usize, T) -> Result<U> + Sync) -> Result<Vec<U>> {
    if each.len() == 1 {
        return each.into_iter().map(|one| work(0, one)).collect();
    }
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = each.into_iter().enumerate().map(|(rank, one)| scope.spawn(move || work(rank, one))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(lost()))).collect()
    })
}
