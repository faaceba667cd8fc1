//! The model and its optimizer on each of several cards.

use burn::tensor::Device;

use super::Run;
use crate::checkpoint::Checkpoint;
use crate::config::refuse;
use crate::error::{Error, Result};
use crate::load::Pretrained;
use crate::model::{Adapters, Model, Precision};
use crate::optimizer::AdamW;

/// What one card has. All of them have the same numbers: each adds up all gradients and makes the same step.
pub(super) struct Replica {
    pub(super) model: Model,
    pub(super) optimizer: AdamW,
}

/// The first card's, and those of all others, which are in a group then.
pub(super) fn all(run: &Run, checkpoint: Option<&Checkpoint>, precision: Precision) -> Result<(Replica, Vec<Replica>)> {
    let [first, others @ ..] = &run.device.open_all()?[..] else {
        return Err(Error::Device { device: run.device.to_string(), detail: "no device".to_owned() });
    };
    let replica = |device| Replica::new(run, checkpoint, device, precision);
    let all = (replica(first)?, others.iter().map(replica).collect::<Result<Vec<_>>>()?);
    if !others.is_empty() {
        run.device.join()?;
    }
    Ok(all)
}

impl Replica {
    fn new(run: &Run, checkpoint: Option<&Checkpoint>, device: &Device, precision: Precision) -> Result<Self> {
        let config = run.config;
        let model = match (checkpoint, &config.lora) {
            (None, _) => start(run, device, precision)?,
            (Some(checkpoint), None) => checkpoint.model(device)?,
            (Some(checkpoint), Some(_)) => {
                let mut model = start(run, device, precision)?;
                checkpoint.restore(&mut model)?;
                model
            }
        };
        let model = model.with_precision(precision)?.with_recompute(config.activation_checkpointing)?;
        let mut optimizer = AdamW::new(config, &model, run.seed)?;
        if let Some(checkpoint) = checkpoint {
            checkpoint.optimizer(&model, &mut optimizer)?;
        }
        Ok(Self { model, optimizer })
    }
}

/// What a run begins with: the weights of `init` or random ones, with adapters where the config says so.
fn start(run: &Run, device: &Device, precision: Precision) -> Result<Model> {
    let (config, vocab) = (run.config, run.tokenizer.vocab_size() as usize);
    let adapters = config.lora.as_ref().map(|lora| Adapters { lora, base: lora.base(precision), seed: run.seed, device });
    let Some(path) = &config.init else { return config.model.init_with(device, vocab, run.seed, adapters) };
    let init = Pretrained::open(path)?;
    if *init.config() != config.model {
        return refuse("model", "not that of `init`");
    }
    init.adapted(run.tokenizer, device, adapters)
}

/// Does `work` with each of these, a thread for each; one alone is worked on here.
pub(super) fn on_each<T: Send, U: Send>(each: Vec<T>, work: impl Fn(usize, T) -> Result<U> + Sync) -> Result<Vec<U>> {
    if each.len() == 1 {
        return each.into_iter().map(|one| work(0, one)).collect();
    }
    let lost = |_| Err(Error::Backend { operation: "train on a card", detail: "its thread panicked".to_owned() });
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = each.into_iter().enumerate().map(|(rank, one)| scope.spawn(move || work(rank, one))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(lost)).collect()
    })
}
