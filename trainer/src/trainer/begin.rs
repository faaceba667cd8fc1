//! What a run begins with, or goes on with.

use burn::tensor::Device;

use super::Run;
use crate::checkpoint::Checkpoint;
use crate::config::refuse;
use crate::error::{Error, Result};
use crate::load::Pretrained;
use crate::lora::AdapterFile;
use crate::model::{Adapters, Model, Precision};
use crate::optimizer::AdamW;
use crate::ranks::Replica;

/// Model and optimizer on one device: those of the checkpoint, where there is one. The reference is what training
/// began with, also where it goes on.
pub(super) fn replica(run: &Run, checkpoint: Option<&Checkpoint>, precision: Precision, device: &Device) -> Result<Replica> {
    let config = run.config;
    let begun = (checkpoint.is_none() || config.lora.is_some() || config.has_reference()).then(|| start(run, precision, device));
    let kept = |model: Model| Ok::<_, Error>(model.with_precision(precision)?.kept_as(config.weights));
    let begun = begun.transpose()?.map(kept).transpose()?;
    let adapters_to_go_on_from = config.lora.as_ref().is_some_and(|lora| lora.init.is_some());
    let reference = begun.as_ref().filter(|_| config.has_reference()).map(|model| model.reference(adapters_to_go_on_from));
    let model = match (checkpoint, begun) {
        (None, Some(model)) => model,
        (Some(checkpoint), Some(mut model)) if config.lora.is_some() => {
            checkpoint.restore(&mut model)?;
            model.kept_as(config.weights)
        }
        (Some(checkpoint), begun) => {
            drop(begun); // not beside another
            kept(checkpoint.model(device)?)?
        }
        (None, None) => kept(start(run, precision, device)?)?,
    };
    let model = model.with_recompute(config.activation_checkpointing);
    let mut optimizer = AdamW::new(config, &model, run.seed);
    if let Some(checkpoint) = checkpoint {
        checkpoint.optimizer(&model, &mut optimizer)?;
    }
    Ok(Replica { model, optimizer, reference })
}

/// The weights of `init` or random ones, with adapters where the config says so.
fn start(run: &Run, precision: Precision, device: &Device) -> Result<Model> {
    let (config, vocab) = (run.config, run.tokenizer.vocab_size() as usize);
    let adapters = config.lora.as_ref().map(|lora| Adapters { lora, base: lora.base(precision), seed: run.seed, device });
    let shape = config.shape();
    let Some(path) = &config.init else { return shape.init_with(device, vocab, run.seed, adapters) };
    let init = Pretrained::open(path)?.with_scalar_head(shape.scalar_head, run.seed)?;
    if *init.config() != shape {
        return refuse("model", "not that of `init`");
    }
    let mut model = init.for_tokenizer(run.tokenizer)?.adapted(adapters, device)?;
    if let Some(folder) = config.lora.as_ref().and_then(|lora| lora.init.as_ref()) {
        AdapterFile::open(folder)?.restore(&mut model)?;
    }
    Ok(model)
}
