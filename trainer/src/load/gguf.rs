//! GGUF files of llama.cpp: Llama, Qwen2 and Qwen3, quantized or not.
//!
//! Quantized weights are decoded to 32-bit floats; training goes on from these.

mod config;
mod header;
mod input;

use std::collections::BTreeMap;
use std::path::Path;

use super::{Place, Pretrained};
use crate::error::Result;
use crate::model::ModelConfig;
use header::Header;

/// Opens a file: header, keys and places of tensors are checked, no number is read but those of the
/// rotary scaling.
pub(crate) fn open(path: &Path) -> Result<Pretrained> {
    let header = Header::read(path)?;
    let (config, vocab, eos) = config::read(&header)?;
    let Header { file, tensors, tokenizer, .. } = header;
    let mut places = BTreeMap::new();
    for (name, stored) in tensors {
        let Some(ours) = renamed(&name) else {
            return file.refuse(format!("tensor `{name}` is not one that is known"));
        };
        let interleaved = interleaved(&config, &ours);
        places.insert(ours, Place { file: 0, stored, interleaved, packed: None });
    }
    places.remove(DERIVED);
    Ok(Pretrained { tokenizer_keys: tokenizer, ..Pretrained::new(path, config, vocab, eos, vec![file], places) })
}

/// What follows from the config, in which its content is by now.
const DERIVED: &str = "rope_freqs";

/// Tensors outside of layers: the name in GGUF files, and in Hugging Face's.
const WHOLE: [(&str, &str); 4] = [
    ("token_embd.weight", super::EMBEDDING),
    ("output_norm.weight", "model.norm.weight"),
    ("output.weight", super::HEAD),
    ("rope_freqs.weight", DERIVED),
];

/// The same of what is in each layer, without `.weight` and `.bias`.
const PARTS: [(&str, &str); 11] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// The Hugging Face name of a tensor.
fn renamed(name: &str) -> Option<String> {
    if let Some((_, ours)) = WHOLE.iter().find(|(theirs, _)| *theirs == name) {
        return Some((*ours).to_owned());
    }
    let (layer, part) = name.strip_prefix("blk.")?.split_once('.')?;
    let (part, kind) = part.rsplit_once('.')?;
    let (_, part) = PARTS.iter().find(|(theirs, _)| *theirs == part)?;
    // "007" would be another name for the same tensor.
    let number: usize = layer.parse().ok().filter(|number: &usize| number.to_string() == layer)?;
    matches!(kind, "weight" | "bias").then(|| format!("model.layers.{number}.{part}.{kind}"))
}

/// The name in GGUF files of a tensor of [`ModelConfig::tensors`](crate::ModelConfig).
pub(crate) fn name_of(ours: &str) -> Option<String> {
    if let Some((theirs, _)) = WHOLE.iter().find(|(_, name)| *name == ours) {
        return Some((*theirs).to_owned());
    }
    let (layer, part) = ours.strip_prefix("model.layers.")?.split_once('.')?;
    let (part, kind) = part.rsplit_once('.')?;
    let (part, _) = PARTS.iter().find(|(_, name)| *name == part)?;
    Some(format!("blk.{layer}.{part}.{kind}"))
}

/// How many heads' rows of a tensor are interleaved in GGUF files; 0 where they are as they are here.
/// Only the Llama converter rearranges rows, for llama.cpp's other way to rotate.
pub(crate) fn interleaved(config: &ModelConfig, ours: &str) -> usize {
    match (config.qkv_bias || config.qk_norm, ours.split('.').rev().nth(1)) {
        (false, Some("q_proj")) => config.heads,
        (false, Some("k_proj")) => config.kv_heads,
        _ => 0,
    }
}

/// Rows of a Llama file put back: there, element pairs that turn together are neighbours, rows 2 i and
/// 2 i + 1 of a head; here they are rows i and i + D / 2.
pub(super) fn halves(values: &[f32], heads: usize, shape: &[usize]) -> Vec<f32> {
    let half = shape[0] / heads / 2;
    reordered(values, heads, shape, |within| 2 * (within % half) + within / half)
}

/// The other way: rows as a Llama file has them.
pub(crate) fn pairs(values: &[f32], heads: usize, shape: &[usize]) -> Vec<f32> {
    let half = shape[0] / heads / 2;
    reordered(values, heads, shape, |within| within % 2 * half + within / 2)
}

/// Rows of each head in another order: `from` gives for a row of the result the one that it was.
fn reordered(values: &[f32], heads: usize, shape: &[usize], from: impl Fn(usize) -> usize) -> Vec<f32> {
    let columns: usize = shape[1..].iter().product();
    let size = shape[0] / heads;
    let mut all = Vec::with_capacity(values.len());
    for row in 0..shape[0] {
        let (head, within) = (row / size, row % size);
        all.extend_from_slice(&values[(head * size + from(within)) * columns..][..columns]);
    }
    all
}

/// The tensors of a file that need not be a model.
#[cfg(test)]
pub(super) fn open_tensors(path: &Path) -> Result<(super::WeightFile, BTreeMap<String, super::Stored>)> {
    Header::read(path).map(|header| (header.file, header.tensors))
}
