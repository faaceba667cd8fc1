//! What a run begins with, or goes on with.

use burn::tensor::Device;

use super::Run;
use crate::checkpoint::Checkpoint;
use crate::config::refuse;
use crate::error::Result;
use crate::load::Pretrained;
use crate::lora::AdapterFile;
use crate::model::{Adapters, Model, Precision};
use crate::optimizer::AdamW;
use crate::ranks::Replica;

/// Model and optimizer on one device: those of the checkpoint, where there is one.
pub(super) fn replica(run: &Run, checkpoint: Option<&Checkpoint>, precision: Precision, device: &Device) -> Result<Replica> {
    let config = run.config;
    let model = match (checkpoint, &config.lora) {
        (None, _) => start(run, precision, device)?,
        (Some(checkpoint), None) => checkpoint.model(device)?,
        (Some(checkpoint), Some(_)) => {
            let mut model = start(run, precision, device)?;
            checkpoint.restore(&mut model)?;
            model
        }
    };
    let model = model.with_precision(precision)?.with_recompute(config.activation_checkpointing)?;
    let mut optimizer = AdamW::new(config, &model, run.seed)?;
    if let Some(checkpoint) = checkpoint {
        checkpoint.optimizer(&model, &mut optimizer)?;
    }
    Ok(Replica { model, optimizer })
}

/// The weights of `init` or random ones, with adapters where the config says so.
fn start(run: &Run, precision: Precision, device: &Device) -> Result<Model> {
    let (config, vocab) = (run.config, run.tokenizer.vocab_size() as usize);
    let adapters = config.lora.as_ref().map(|lora| Adapters { lora, base: lora.base(precision), seed: run.seed, device });
    let Some(path) = &config.init else { return config.model.init_with(device, vocab, run.seed, adapters) };
    let init = Pretrained::open(path)?;
    if *init.config() != config.model {
        return refuse("model", "not that of `init`");
    }
    let mut model = init.for_tokenizer(run.tokenizer)?.adapted(adapters, device)?;
    if let Some(folder) = config.lora.as_ref().and_then(|lora| lora.init.as_ref()) {
        AdapterFile::open(folder)?.restore(&mut model)?;
    }
    Ok(model)
}
