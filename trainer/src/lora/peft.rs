//! `adapter_config.json` of the PEFT library.
//!
//! What this program computes with is read; a key that would change what is computed, and that is not known, is
//! refused by name.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Full, LoraConfig, Target};
use crate::error::{Error, Result};
use crate::load::hf_config::keys::{Keys, shorten};
use crate::model::ModelConfig;

pub(crate) const CONFIG: &str = "adapter_config.json";
pub(crate) const WEIGHTS: &str = "adapter_model.safetensors";
/// What stands before the name of every tensor.
pub(crate) const PREFIX: &str = "base_model.model.";
/// Longest `adapter_config.json`.
pub(super) const MAX_CONFIG: u64 = 1 << 20;

/// Keys and the values at which they change nothing.
const NEUTRAL: [(&str, &[&str]); 21] = [
    ("bias", &["\"none\""]),
    ("lora_bias", &["false"]),
    ("fan_in_fan_out", &["false"]),
    ("rank_pattern", &["{}"]),
    ("alpha_pattern", &["{}"]),
    ("layers_to_transform", &["[]"]),
    ("layer_replication", &["[]"]),
    ("exclude_modules", &["[]"]),
    ("target_parameters", &["[]"]),
    ("trainable_token_indices", &["[]", "{}"]),
    ("alora_invocation_tokens", &["[]"]),
    ("use_qalora", &["false"]),
    ("use_bdlora", &["false"]),
    ("arrow_config", &["{}"]),
    ("kasa_config", &["{}"]),
    ("velora_config", &["{}"]),
    ("monteclora_config", &["{}"]),
    ("corda_config", &["{}"]),
    ("lora_ga_config", &["{}"]),
    ("auto_mapping", &["{}"]),
    // Others take something away from the model that the adapters belong to.
    ("init_lora_weights", &["true", "false", "\"gaussian\""]),
];

/// The task of a model that gives numbers.
const REWARD_TASK: &str = "SEQ_CLS";

/// Names of all norms.
const NORMS: [&str; 5] = ["input_layernorm", "post_attention_layernorm", "norm", "q_norm", "k_norm"];

/// What a folder says of its adapters.
#[derive(Debug)]
pub(super) struct PeftConfig {
    pub(super) lora: LoraConfig,
    pub(super) base_name: Option<String>,
}

/// Reads the text of an `adapter_config.json`; `path` is for messages.
pub(super) fn parse(path: &Path, text: &[u8]) -> Result<PeftConfig> {
    let table: Map<String, Value> = serde_json::from_slice(text).map_err(|error| Error::invalid(path, error.to_string()))?;
    let keys = Keys { path, table: &table, place: "" };
    let kind = keys.text("peft_type")?;
    if kind != Some("LORA") {
        return keys.refuse("peft_type", format!("{kind:?}; known is LORA"));
    }
    let is_reward = match keys.text("task_type")? {
        None | Some("CAUSAL_LM") => false,
        Some(REWARD_TASK) => true,
        other => return keys.refuse("task_type", format!("{other:?}; known are CAUSAL_LM and, for reward models, {REWARD_TASK}")),
    };
    for (key, neutral) in NEUTRAL {
        if let Some(value) = keys.get(key).filter(|value| !neutral.contains(&value.to_string().as_str())) {
            return keys.refuse(key, format!("{}, which this program does not compute with", shorten(value)));
        }
    }
    let rank = keys.need("r")?;
    let rank = u32::try_from(rank).or_else(|_| keys.refuse("r", rank))?;
    let targets = names(&keys, "target_modules")?.into_iter().map(|name| match Target::named(&name) {
        Some(target) => Ok(target),
        None => keys.refuse("target_modules", format!("a list with {name:?}; known are {}", Target::ALL.map(Target::name).join(", "))),
    });
    let mut full: Vec<Full> = Vec::new();
    for name in names(&keys, "modules_to_save")? {
        full.push(match name.strip_prefix("model.").unwrap_or(&name) {
            "embed_tokens" => Full::EmbedTokens,
            "lm_head" => Full::LmHead,
            norm if NORMS.contains(&norm) => Full::Norms,
            // The head of a reward model; that library adds the names of all heads that it knows.
            "score" | "classifier" if is_reward => continue,
            _ => return keys.refuse("modules_to_save", format!("a list with {name:?}; known are embed_tokens, lm_head and norms")),
        });
    }
    full.sort_unstable();
    full.dedup();
    let lora = LoraConfig {
        rank,
        alpha: Some(keys.need_float("lora_alpha")?),
        rs_lora: keys.flag("use_rslora")?.unwrap_or(false),
        dropout: keys.float("lora_dropout")?.unwrap_or(0.0),
        targets: targets.collect::<Result<_>>()?,
        dora: keys.flag("use_dora")?.unwrap_or(false),
        full,
        base: None,
        init: None,
    };
    Ok(PeftConfig { lora, base_name: Some(keys.text("base_model_name_or_path")?.unwrap_or_default().to_owned()) })
}

/// A list of names; an absent one is empty.
fn names(keys: &Keys<'_>, key: &str) -> Result<Vec<String>> {
    let names = |list: &Vec<Value>| list.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
    match keys.get(key) {
        None => Ok(Vec::new()),
        Some(value) => match value.as_array().and_then(names) {
            Some(names) => Ok(names),
            None => keys.refuse(key, format!("{}, not a list of names", shorten(value))),
        },
    }
}

/// The config of these adapters over a model that is found under `base`.
pub(crate) fn config(lora: &LoraConfig, model: &ModelConfig, base: &str) -> Value {
    let mut saved: Vec<&str> = Vec::new();
    for full in &lora.full {
        match full {
            Full::EmbedTokens => saved.push("embed_tokens"),
            Full::LmHead => saved.push("lm_head"),
            Full::Norms => saved.extend(NORMS.iter().filter(|name| model.qk_norm || !matches!(**name, "q_norm" | "k_norm"))),
        }
    }
    if model.is_reward() {
        saved.push("score");
    }
    let mut config = json!({
        "peft_type": "LORA",
        "task_type": if model.is_reward() { REWARD_TASK } else { "CAUSAL_LM" },
        "base_model_name_or_path": base,
        "revision": null,
        "inference_mode": true,
        "r": lora.rank,
        "lora_alpha": lora.alpha(),
        "lora_dropout": lora.dropout,
        "use_rslora": lora.rs_lora,
        "use_dora": lora.dora,
        "target_modules": lora.targets.iter().map(|target| target.name()).collect::<Vec<_>>(),
        "modules_to_save": if saved.is_empty() { Value::Null } else { json!(saved) },
        "bias": "none",
        "fan_in_fan_out": false,
        "init_lora_weights": true,
        "rank_pattern": {},
        "alpha_pattern": {},
        "layers_to_transform": null,
    });
    // Whole numbers as such: some readers take no others.
    if lora.alpha().fract() == 0.0 && lora.alpha() < f64::from(u32::MAX) {
        config["lora_alpha"] = json!(lora.alpha() as u64);
    }
    if model.tied_embeddings && lora.full.contains(&Full::EmbedTokens) {
        config["ensure_weight_tying"] = json!(true);
    }
    config
}
