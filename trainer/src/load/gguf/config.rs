//! The model's shape, from the keys of a GGUF file.

use super::header::{Header, Value};
use crate::error::{Error, Result};
use crate::model::rope::{Rope, beta_fast, beta_slow};
use crate::model::{ModelConfig, RopeScaling};

/// Keys of an architecture that are read here, and those that say nothing about the numbers.
const KNOWN: [&str; 22] = [
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.value_length",
    "block_count",
    "context_length",
    "embedding_length",
    "expert_count",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.attn_factor",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "rope.scaling.yarn_attn_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "rope.scaling.yarn_log_multiplier",
    "vocab_size",
];

/// Shape, rows of the embedding, and the id that ends a text.
pub(super) fn read(header: &Header) -> Result<(ModelConfig, usize, Vec<u32>)> {
    let file = &header.file;
    let name = match header.keys.get("general.architecture") {
        Some(Value::Text(name)) if matches!(name.as_str(), "llama" | "qwen2" | "qwen3") => name.as_str(),
        other => return file.refuse(format!("`general.architecture` is {other:?}; known are llama, qwen2 and qwen3")),
    };
    let keys = Keys { header, name };
    let prefix = format!("{name}.");
    for key in header.keys.keys().filter_map(|key| key.strip_prefix(&prefix)) {
        if !KNOWN.contains(&key) {
            return keys.refuse(key, "set, which this program does not compute with");
        }
    }
    if keys.count("expert_count")?.unwrap_or(0) > 0 {
        return keys.refuse("expert_count", "above 0: mixtures of experts are not known");
    }
    let Some(vocab) = header.tensors.get("token_embd.weight").and_then(|table| table.shape.first().copied()) else {
        return file.refuse("tensor `token_embd.weight` is missing");
    };
    if let Some(other) = keys.count("vocab_size")?.filter(|&size| size != vocab) {
        return keys.refuse("vocab_size", format!("{other}, but `token_embd.weight` has {vocab} rows"));
    }
    let hidden = keys.need("embedding_length")?;
    let heads = keys.need("attention.head_count")?;
    let head_size = keys.count("attention.key_length")?;
    let context = keys.count("context_length")?;
    let mut config = ModelConfig {
        hidden,
        layers: keys.need("block_count")?,
        heads,
        kv_heads: keys.count("attention.head_count_kv")?.unwrap_or(heads),
        head_size: head_size.filter(|&size| size.checked_mul(heads) != Some(hidden)),
        intermediate: keys.need("feed_forward_length")?,
        rope_theta: keys.float("rope.freq_base")?.unwrap_or(10_000.0),
        rope_scaling: scaling(&keys, context)?,
        max_positions: context.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
        norm_epsilon: keys
            .float("attention.layer_norm_rms_epsilon")?
            .map_or_else(|| keys.refuse("attention.layer_norm_rms_epsilon", "missing"), Ok)?,
        tied_embeddings: !header.tensors.contains_key("output.weight"),
        qkv_bias: name == "qwen2",
        qk_norm: name == "qwen3",
        scalar_head: None,
    };
    config.check(vocab).map_err(|error| Error::invalid(file.path(), error.to_string()))?;
    for key in ["attention.value_length", "rope.dimension_count"] {
        if let Some(size) = keys.count(key)?.filter(|&size| size != config.head_size()) {
            return keys.refuse(key, format!("{size}, not the head size {}", config.head_size()));
        }
    }
    if let Some(factors) = header.tensors.get("rope_freqs.weight") {
        if factors.shape != [config.head_size() / 2] {
            return file.refuse(format!("`rope_freqs.weight` has shape {:?}, not [{}]", factors.shape, config.head_size() / 2));
        }
        let factors = file.values("rope_freqs.weight", factors)?;
        config.rope_scaling =
            Some(llama3(&config, &factors).map_or_else(|| file.refuse("`rope_freqs.weight` is not the scaling of a Llama 3"), Ok)?);
    }
    let eos = match header.keys.get("tokenizer.ggml.eos_token_id") {
        Some(Value::Count(id)) => u32::try_from(*id).into_iter().collect(),
        _ => Vec::new(),
    };
    Ok((config, vocab, eos))
}

fn scaling(keys: &Keys<'_>, context: Option<usize>) -> Result<Option<RopeScaling>> {
    let factor = keys.float("rope.scaling.factor")?.unwrap_or(1.0);
    let attention = keys.float("rope.scaling.attn_factor")?.or(keys.float("rope.scaling.yarn_attn_factor")?);
    if let Some(value) = attention.filter(|&value| value != 1.0) {
        return keys.refuse("rope.scaling.attn_factor", format!("{value}; known is 1"));
    }
    match keys.text("rope.scaling.type")? {
        None | Some("none") => Ok(None),
        Some("linear") if factor == 1.0 => Ok(None),
        Some("yarn") => {
            if let Some(value) = keys.float("rope.scaling.yarn_log_multiplier")?.filter(|&value| value != 0.0) {
                return keys.refuse("rope.scaling.yarn_log_multiplier", format!("{value}; known is 0"));
            }
            let original = keys.count("rope.scaling.original_context_length")?.or(context);
            let Some(original_positions) = original.and_then(|count| u32::try_from(count).ok()) else {
                return keys.refuse("rope.scaling.original_context_length", "missing or too large");
            };
            Ok(Some(RopeScaling::Yarn {
                factor,
                original_positions,
                attention_factor: None,
                beta_fast: keys.float("rope.scaling.yarn_beta_fast")?.unwrap_or_else(beta_fast),
                beta_slow: keys.float("rope.scaling.yarn_beta_slow")?.unwrap_or_else(beta_slow),
                truncate: true,
            }))
        }
        Some(other) => keys.refuse("rope.scaling.type", format!("{other:?} with factor {factor}; known are none and yarn")),
    }
}

/// The scaling that a Llama 3 file holds as one divisor for each frequency. All published models were
/// first trained on 8192 tokens, with the frequency factors 1 and 4; what they differ in is the
/// largest divisor.
fn llama3(config: &ModelConfig, divisors: &[f32]) -> Option<RopeScaling> {
    let factor = divisors.iter().copied().fold(1.0, f32::max).into();
    let found = RopeScaling::Llama3 { factor, low_freq_factor: 1.0, high_freq_factor: 4.0, original_positions: 8192 };
    let plain = Rope::of(&ModelConfig { rope_scaling: None, ..config.clone() });
    let scaled = Rope::of(&ModelConfig { rope_scaling: Some(found.clone()), ..config.clone() });
    let same = |((plain, scaled), divisor): ((&f64, &f64), &f32)| (plain / scaled / f64::from(*divisor) - 1.0).abs() < 1e-4;
    let pairs = plain.frequencies.iter().zip(&scaled.frequencies).zip(divisors);
    (divisors.len() == plain.frequencies.len() && pairs.into_iter().all(same)).then_some(found)
}

/// Keys of the file's architecture.
struct Keys<'a> {
    header: &'a Header,
    name: &'a str,
}

impl<'a> Keys<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.header.keys.get(&format!("{}.{key}", self.name))
    }

    fn refuse<T>(&self, key: &str, detail: impl std::fmt::Display) -> Result<T> {
        self.header.file.refuse(format!("`{}.{key}` is {detail}", self.name))
    }

    fn count(&self, key: &str) -> Result<Option<usize>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Count(count)) => Ok(Some(usize::try_from(*count).unwrap_or(usize::MAX))),
            Some(other) => self.refuse(key, format!("{other:?}, not one count")),
        }
    }

    fn need(&self, key: &str) -> Result<usize> {
        self.count(key)?.map_or_else(|| self.refuse(key, "missing"), Ok)
    }

    fn float(&self, key: &str) -> Result<Option<f64>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Float(value)) => Ok(Some(*value)),
            Some(other) => self.refuse(key, format!("{other:?}, not a number")),
        }
    }

    fn text(&self, key: &str) -> Result<Option<&'a str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => self.refuse(key, format!("{other:?}, not a text")),
        }
    }
}
