//! One optimizer step, on one device or on several cards together.

mod workers;

use burn::tensor::{Device, Tensor};
use shards::Batch;

use crate::buckets::Buckets;
use crate::device::{DeviceSpec, is_cuda};
use crate::error::{Error, Result};
use crate::gradients::{Counted, Gradients};
use crate::micro_batch::split;
#[cfg(feature = "cuda")]
use crate::model::Precision;
use crate::model::{Model, Parameter};
use crate::objective::{Loss, Objective, Tally};
use crate::optimizer::AdamW;
use workers::Workers;

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

    /// The same, whose backward pass has nothing to do with that of this one.
    fn apart(&self) -> Self {
        Self { model: self.model.apart(), optimizer: self.optimizer.bare(), reference: self.reference.clone() }
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
    /// Those of the processor.
    workers: Workers,
}

/// How a step is made.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// Most sequences that go through a model at a time.
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
        let ranks = Self { first: make(first)?, others: others.iter().map(make).collect::<Result<_>>()?, workers: Workers::default() };
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
    /// turn; which card has which makes no difference. On the processor they are short pieces, some worked on at a time and
    /// added up in their order: how many at a time makes no difference. Without a unit of the loss nothing moves.
    pub fn step(&mut self, objective: &dyn Objective, batch: &Batch, update: &Update) -> Result<Made> {
        let units = objective.units(batch);
        let ranks: Vec<&mut Replica> = std::iter::once(&mut self.first).chain(&mut self.others).collect();
        let count = ranks.len();
        let on_cards = ranks.first().is_some_and(|first| is_cuda(&first.model.device()));
        let rows = if on_cards { update.micro_batch.min(batch.rows.div_ceil(count)) } else { workers::rows(batch, update.micro_batch) };
        let pieces: Vec<Batch> = split(batch, rows).collect();
        let own = match ranks.first() {
            Some(first) => at_home(home(&first.model), || objective.of_step(first, batch, rows))?,
            None => None,
        };
        let objective = own.as_deref().unwrap_or(objective);
        if !on_cards {
            self.workers.prepare(pieces.len())?;
        }

        let shares = on_each(ranks, |rank, replica| {
            at_home(home(&replica.model), || {
                replica.model.set_noise(update.noise);
                let mut share = Share { sums: Sums::new(objective, &replica.model), replica, last: None };
                if on_cards {
                    let mut own = pieces.iter().skip(rank).step_by(count).peekable();
                    while let Some(piece) = own.next() {
                        let is_last = count > 1 && own.peek().is_none();
                        share.learn(objective, piece, units, is_last)?;
                    }
                } else {
                    let Share { replica, sums, .. } = &mut share;
                    let piece = |piece: &Batch| {
                        let (replica, mut sums) = (replica.apart(), Sums::new(objective, &replica.model));
                        sums.add(&replica, objective.loss(&replica, piece)?, units).map(|()| sums)
                    };
                    self.workers.each(&pieces, piece, |own| sums.merge(own))?;
                }
                Ok(share)
            })
        })?;
        // From here on cards wait for each other. What can go wrong in a batch has not, on any of them.
        let buckets = buckets(&shares);
        let made =
            on_each(shares, |_, Share { replica: Replica { model, optimizer, .. }, sums: Sums { mut gradients, mut tally }, last }| {
                at_home(home(model), || {
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
    sums: Sums,
    /// Of several cards, the last micro-batch is left for a backward pass in which they add up their gradients.
    last: Option<Counted>,
}

impl Share<'_> {
    fn learn(&mut self, objective: &dyn Objective, piece: &Batch, units: u64, is_last: bool) -> Result<()> {
        if !is_last {
            return self.sums.add(self.replica, objective.loss(self.replica, piece)?, units);
        }
        let (loss, uses) = counted(&self.replica.model, || objective.loss(self.replica, piece));
        let Loss { sum, metrics, .. } = loss?;
        self.last = Some(Counted { sum, uses });
        self.sums.tally.add(metrics)
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

/// What the pieces of a step add up to.
struct Sums {
    gradients: Gradients,
    tally: Tally,
}

impl Sums {
    fn new(objective: &dyn Objective, model: &Model) -> Self {
        Self { gradients: Gradients::new(model), tally: Tally::new(objective.metrics(), &model.device()) }
    }

    fn add(&mut self, replica: &Replica, loss: Loss, units: u64) -> Result<()> {
        self.gradients.add(&replica.model, loss.sum, units)?;
        self.tally.add(loss.metrics)
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        self.tally.merge(other.tally);
        self.gradients.merge(other.gradients)
    }
}

fn lost() -> Error {
    Error::Backend { operation: "make a step", detail: "one of its threads panicked".to_owned() }
}

/// A tensor that lies where a model on a card was made; none on the processor.
fn home(model: &Model) -> Option<Tensor<2>> {
    let vector = || model.tensors().find(|tensor| !tensor.is_matrix()).map(Parameter::value);
    is_cuda(&model.device()).then(vector).flatten()
}

/// Does `work` on the streams of a card that a model was made on, on whatever thread this is.
fn at_home<T>(home: Option<Tensor<2>>, work: impl FnOnce() -> T) -> T {
    #[cfg(feature = "cuda")]
    if let Some(vector) = home {
        return crate::kernels::gpu::on_streams_of(vector, work);
    }
    #[cfg(not(feature = "cuda"))]
    drop(home);
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
