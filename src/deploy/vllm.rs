//! vLLM: its configuration, and how it divides a model.

use serde_json::{Value, json};
use trainer::Packing;

use super::memory::{BATCHED_TOKENS, UTILIZATION};
use super::plan::Plan;
use super::subject::Subject;
use crate::error::{Error, Result};

/// The version whose arguments and quantizations are known.
pub(super) const IMAGE: &str = "vllm/vllm-openai:v0.33.0";
/// The file of the configuration.
pub(super) const CONFIG: &str = "vllm.yaml";

/// What `vllm serve --config` reads: names of its arguments, less the dashes before them.
pub(super) fn config(plan: &Plan) -> Value {
    let mut config = json!({
        "model": plan.folder(),
        "served-model-name": plan.name,
        "dtype": plan.dtype,
        "max-model-len": plan.context,
        "tensor-parallel-size": plan.gpus,
        "gpu-memory-utilization": UTILIZATION,
        "enable-chunked-prefill": true,
        "max-num-batched-tokens": BATCHED_TOKENS,
    });
    if let Some(method) = plan.quantization {
        config["quantization"] = json!(method);
    }
    config
}

pub(super) fn arguments(plan: &Plan) -> Vec<String> {
    ["serve".to_owned(), "--config".to_owned(), format!("/etc/{}/{CONFIG}", plan.name)].into()
}

/// Type of the numbers, and the quantization's name in vLLM.
pub(super) fn numbers(subject: &Subject, notes: &mut Vec<String>) -> Result<(&'static str, Option<&'static str>)> {
    let dtype = match subject.stored {
        "F16" => "float16",
        "BF16" => "bfloat16",
        "F32" => {
            notes.push("the model is stored in 32-bit floats and served in bfloat16".to_owned());
            "bfloat16"
        }
        other => return Err(Error::new(format!("the model's numbers are {other}, which vLLM does not compute with"))),
    };
    Ok((dtype, (subject.packing == Packing::Int4).then_some("compressed-tensors")))
}

/// Whether each of these cards gets an equal part of every matrix.
pub(super) fn splits(subject: &Subject, cards: u32) -> std::result::Result<(), String> {
    let config = &subject.config;
    let cards = cards as usize;
    if cards == 0 {
        return Err("vLLM's images compute on cards".to_owned());
    }
    let whole = |what: &str, count: usize| match count.is_multiple_of(cards) {
        true => Ok(()),
        false => Err(format!("{cards} does not divide the model's {count} {what}")),
    };
    whole("attention heads", config.heads)?;
    // Heads of keys are divided, or each is on several cards.
    if !config.kv_heads.is_multiple_of(cards) && !cards.is_multiple_of(config.kv_heads) {
        return Err(format!("{cards} and the model's {} heads of keys do not divide one another", config.kv_heads));
    }
    whole("rows of a feed-forward layer", config.intermediate)?;
    match subject.group {
        Some(group) => {
            let part = |width: usize| (width / cards).is_multiple_of(group);
            match part(config.intermediate) && part(config.heads * config.head_size()) {
                true => Ok(()),
                false => Err(format!("a part of a row would not be whole groups of {group} numbers, which share a scale")),
            }
        }
        None => Ok(()),
    }
}
