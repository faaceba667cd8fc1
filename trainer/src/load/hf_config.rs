//! `config.json` of Hugging Face, in the dialects of transformers 4 and 5.
//!
//! Version 4 writes `rope_theta` and `rope_scaling`, version 5 `rope_parameters` that has both. Either
//! is read; where both stand there they must agree. Keys that a known model does not compute with
//! are left alone; keys that would change what is computed, and that this crate does not know, are
//! refused by name.

pub(crate) mod keys;
mod rope;

use std::path::Path;

use serde_json::{Map, Value};

use super::packed::{self, Scheme};
use crate::error::{Error, Result};
use crate::model::ModelConfig;
use keys::{Keys, shorten};
use rope::rope;

/// What a `config.json` says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HfConfig {
    pub(crate) model: ModelConfig,
    /// Rows of the embedding: ids of the tokenizer and padding.
    pub(crate) vocab: usize,
    /// Ids that end a text; the first is the usual one.
    pub(crate) eos: Vec<u32>,
    /// How the matrices of the layers are packed, where they are.
    pub(crate) packed: Option<Scheme>,
}

/// Keys of relatives of the known models, and the values at which they change nothing.
const NEUTRAL: [(&str, &[&str]); 24] = [
    ("attention_bias", &["false"]),
    ("mlp_bias", &["false"]),
    ("use_qk_norm", &["false"]),
    ("attention_dropout", &["0.0", "0"]),
    ("hidden_dropout", &["0.0", "0"]),
    ("resid_pdrop", &["0.0", "0"]),
    ("embd_pdrop", &["0.0", "0"]),
    ("partial_rotary_factor", &["1.0", "1"]),
    ("rope_interleaved", &["false"]),
    ("use_mrope", &["false"]),
    ("no_rope_layers", &["[]"]),
    ("num_experts", &["0"]),
    ("num_local_experts", &["0"]),
    ("n_routed_experts", &["0"]),
    ("embedding_multiplier", &["1.0", "1"]),
    ("residual_multiplier", &["1.0", "1"]),
    ("attention_multiplier", &[]),
    ("logits_scaling", &["1.0", "1"]),
    ("logit_scale", &["1.0", "1"]),
    ("final_logit_softcapping", &[]),
    ("attn_logit_softcapping", &[]),
    ("is_encoder_decoder", &["false"]),
    ("add_cross_attention", &["false"]),
    ("auto_map", &[]),
];

/// The models that are known: `model_type`, class, whether q, k and v have biases, and q and k norms.
const FAMILIES: [(&str, &str, bool, bool); 3] =
    [("llama", "LlamaForCausalLM", false, false), ("qwen2", "Qwen2ForCausalLM", true, false), ("qwen3", "Qwen3ForCausalLM", false, true)];

/// The family whose formulas a model follows: its `model_type` and class.
pub(crate) fn family(model: &ModelConfig) -> (&'static str, &'static str) {
    let fits = |(_, _, bias, norm): &&(&str, &str, bool, bool)| (*bias, *norm) == (model.qkv_bias, model.qk_norm);
    // A checked model has at most one of the two.
    FAMILIES.iter().find(fits).map_or(("llama", "LlamaForCausalLM"), |(kind, class, ..)| (kind, class))
}

/// Reads the text of a `config.json`; `path` is for messages.
pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<HfConfig> {
    let table: Map<String, Value> = serde_json::from_slice(text).map_err(|error| Error::invalid(path, error.to_string()))?;
    let keys = Keys { path, table: &table, place: "" };
    let kind = keys.text("model_type")?.unwrap_or_default();
    let Some((_, class, qkv_bias, qk_norm)) = FAMILIES.iter().find(|(name, ..)| *name == kind) else {
        return keys.refuse("model_type", format!("{kind:?}; known are llama, qwen2 and qwen3"));
    };
    if let Some(found) = keys.get("architectures").filter(|found| **found != serde_json::json!([class])) {
        return keys.refuse("architectures", format!("{found}; of {kind}, {class} is known"));
    }
    for (key, neutral) in NEUTRAL {
        if let Some(value) = keys.get(key).filter(|value| !neutral.contains(&value.to_string().as_str())) {
            return keys.refuse(key, format!("{}, which this program does not compute with", shorten(value)));
        }
    }
    let activation = keys.text("hidden_act")?.unwrap_or("silu");
    if !matches!(activation, "silu" | "swish") {
        return keys.refuse("hidden_act", format!("{activation:?}; known is silu"));
    }
    let layers = keys.need("num_hidden_layers")?;
    check_windows(&keys, layers)?;

    let heads = keys.need("num_attention_heads")?;
    let hidden = keys.need("hidden_size")?;
    let max_positions = keys.count("max_position_embeddings")?.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let (rope_theta, rope_scaling) = rope(&keys, max_positions)?;
    let head_size = match keys.count("head_dim")? {
        None if kind == "qwen3" => Some(128), // the default of its config class
        given => given,
    };
    let model = ModelConfig {
        hidden,
        layers,
        heads,
        kv_heads: keys.count("num_key_value_heads")?.unwrap_or(heads),
        head_size: head_size.filter(|&size| size.checked_mul(heads) != Some(hidden)),
        intermediate: keys.need("intermediate_size")?,
        rope_theta,
        rope_scaling,
        max_positions,
        norm_epsilon: keys.float("rms_norm_eps")?.unwrap_or(1e-6),
        tied_embeddings: keys.flag("tie_word_embeddings")?.unwrap_or(false),
        qkv_bias: *qkv_bias,
        qk_norm: *qk_norm,
    };
    let vocab = keys.need("vocab_size")?;
    model.check(vocab).map_err(|error| Error::invalid(path, error.to_string()))?;
    Ok(HfConfig { model, vocab, eos: keys.ids("eos_token_id")?, packed: packed::scheme(&keys)? })
}

/// Sliding windows limit what a layer sees; switched off, the other keys mean nothing.
fn check_windows(keys: &Keys<'_>, layers: usize) -> Result<()> {
    if let Some(types) = keys.get("layer_types")
        && types.as_array().is_none_or(|types| types.iter().any(|kind| kind != "full_attention"))
    {
        return keys.refuse("layer_types", format!("{}; known is full_attention", shorten(types)));
    }
    let used = match keys.flag("use_sliding_window")? {
        Some(used) => used,
        // Llama has no such switch; the Qwens' is off by default.
        None => keys.text("model_type")? == Some("llama"),
    };
    let first = keys.count("max_window_layers")?.unwrap_or(0);
    match keys.get("sliding_window") {
        Some(window) if used && first < layers => keys.refuse("sliding_window", format!("{window} and in use; attention here is full")),
        _ => Ok(()),
    }
}
