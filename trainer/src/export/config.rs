//! `config.json` and `generation_config.json`, in the dialects of transformers 4 and 5 at once.

use serde_json::{Value, json};

use super::WeightFormat;
use crate::error::{Error, Result};
use crate::load::Pretrained;
use crate::load::hf_config::{family, reward_class};
use crate::model::{ModelConfig, RopeScaling};

/// What the configs say besides the model's shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// Longest text in tokens, where the model itself does not say.
    pub max_positions: u32,
    /// Ids that end a text; the first is the usual one.
    pub eos: Vec<u32>,
}

impl Texts {
    /// One id, a list of many, null for none.
    fn eos(&self) -> Value {
        match self.eos.as_slice() {
            [] => Value::Null,
            [one] => json!(one),
            many => json!(many),
        }
    }
}

/// Version 4 reads `rope_theta`, `rope_scaling` and `torch_dtype`, version 5 `rope_parameters` and
/// `dtype`; without its own keys, version 4 would take a base of 10000 and say nothing.
pub(super) fn config(weights: &Pretrained, format: WeightFormat, texts: &Texts) -> Result<Value> {
    let model = weights.config();
    let (kind, class) = family(model);
    if kind == "llama" && !model.hidden.is_multiple_of(model.heads) {
        let detail =
            format!("its hidden size {} is no multiple of {} heads, which transformers refuses for a llama", model.hidden, model.heads);
        return Err(Error::invalid(weights.path(), detail));
    }
    let max_positions = context_length(model, texts);
    let scaling = model.rope_scaling.as_ref().map(scaling);
    let mut parameters = scaling.clone().unwrap_or_else(|| json!({ "rope_type": "default" }));
    parameters["rope_theta"] = json!(model.rope_theta);
    let mut config = json!({
        "architectures": [class],
        "model_type": kind,
        "vocab_size": weights.vocab_size(),
        "hidden_size": model.hidden,
        "intermediate_size": model.intermediate,
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.kv_heads,
        "head_dim": model.head_size(),
        "hidden_act": "silu",
        "max_position_embeddings": max_positions,
        "rms_norm_eps": model.norm_epsilon,
        "tie_word_embeddings": model.tied_embeddings,
        "rope_theta": model.rope_theta,
        "rope_scaling": scaling,
        "rope_parameters": parameters,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "use_cache": true,
        "bos_token_id": null,
        "eos_token_id": texts.eos(),
        "torch_dtype": format.name(),
        "dtype": format.name(),
    });
    if model.is_reward() {
        config["architectures"] = json!([reward_class(class)]);
        // One label: its logit is the reward of the text up to its last token.
        config["id2label"] = json!({ "0": "LABEL_0" });
        config["label2id"] = json!({ "LABEL_0": 0 });
    }
    match kind {
        "qwen2" => config["use_sliding_window"] = json!(false),
        "qwen3" => {
            config["use_sliding_window"] = json!(false);
            config["attention_bias"] = json!(false);
        }
        _ => {
            config["attention_bias"] = json!(false);
            config["mlp_bias"] = json!(false);
        }
    }
    Ok(config)
}

/// Longest text in tokens: what the model says; or what it was trained at, or what its frequencies were
/// stretched for.
pub(super) fn context_length(model: &ModelConfig, texts: &Texts) -> u32 {
    let stretched = match model.rope_scaling {
        Some(RopeScaling::Yarn { factor, original_positions, .. }) => (factor * f64::from(original_positions)) as u32,
        _ => 0,
    };
    model.max_positions.unwrap_or(texts.max_positions.max(stretched))
}

fn scaling(scaling: &RopeScaling) -> Value {
    match *scaling {
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_positions } => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low_freq_factor,
            "high_freq_factor": high_freq_factor,
            "original_max_position_embeddings": original_positions,
        }),
        RopeScaling::Yarn { factor, original_positions, attention_factor, beta_fast, beta_slow, truncate } => {
            let mut table = json!({
                "rope_type": "yarn",
                "factor": factor,
                "original_max_position_embeddings": original_positions,
                "beta_fast": beta_fast,
                "beta_slow": beta_slow,
                "truncate": truncate,
            });
            if let Some(factor) = attention_factor {
                table["attention_factor"] = json!(factor);
            }
            table
        }
    }
}

/// What generation stops at; inference servers read it here.
pub(super) fn generation(texts: &Texts) -> Value {
    json!({ "bos_token_id": null, "eos_token_id": texts.eos() })
}
