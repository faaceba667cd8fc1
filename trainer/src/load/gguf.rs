//! GGUF files of llama.cpp: Llama, Qwen2 and Qwen3, quantized or not.
//!
//! Quantized weights are decoded to 32-bit floats; training goes on from these.

mod config;
mod header;
mod input;
mod vocabulary;

use std::collections::BTreeMap;
use std::path::Path;

use super::{Place, Pretrained};
use crate::error::Result;
use header::Header;
pub use vocabulary::GgufVocabulary;

/// Opens a file: header, keys and places of tensors are checked, no number is read but those of the
/// rotary scaling.
pub(crate) fn open(path: &Path) -> Result<Pretrained> {
    let header = Header::read(path)?;
    let (config, vocab, eos) = config::read(&header)?;
    let Header { file, tensors, .. } = header;
    let mut places = BTreeMap::new();
    for (name, stored) in tensors {
        let Some(ours) = renamed(&name) else {
            return file.refuse(format!("tensor `{name}` is not one that is known"));
        };
        // Only the Llama converter rearranges rows, for llama.cpp's other way to rotate.
        let interleaved = match (config.qkv_bias || config.qk_norm, ours.split('.').rev().nth(1)) {
            (false, Some("q_proj")) => config.heads,
            (false, Some("k_proj")) => config.kv_heads,
            _ => 0,
        };
        places.insert(ours, Place { file: 0, stored, interleaved });
    }
    places.remove(DERIVED);
    Ok(Pretrained { path: path.to_path_buf(), config, vocab, eos, files: vec![file], tensors: places })
}

/// What follows from the config, in which its content is by now.
const DERIVED: &str = "rope_freqs";

/// The Hugging Face name of a tensor.
fn renamed(name: &str) -> Option<String> {
    let whole = match name {
        "token_embd.weight" => super::EMBEDDING,
        "output_norm.weight" => "model.norm.weight",
        "output.weight" => super::HEAD,
        "rope_freqs.weight" => DERIVED,
        _ => "",
    };
    if !whole.is_empty() {
        return Some(whole.to_owned());
    }
    let (layer, part) = name.strip_prefix("blk.")?.split_once('.')?;
    let (part, kind) = part.rsplit_once('.')?;
    let part = match part {
        "attn_norm" => "input_layernorm",
        "attn_q" => "self_attn.q_proj",
        "attn_k" => "self_attn.k_proj",
        "attn_v" => "self_attn.v_proj",
        "attn_output" => "self_attn.o_proj",
        "attn_q_norm" => "self_attn.q_norm",
        "attn_k_norm" => "self_attn.k_norm",
        "ffn_norm" => "post_attention_layernorm",
        "ffn_gate" => "mlp.gate_proj",
        "ffn_up" => "mlp.up_proj",
        "ffn_down" => "mlp.down_proj",
        _ => return None,
    };
    // "007" would be another name for the same tensor.
    let number: usize = layer.parse().ok().filter(|number: &usize| number.to_string() == layer)?;
    matches!(kind, "weight" | "bias").then(|| format!("model.layers.{number}.{part}.{kind}"))
}

/// Rows of a Llama file put back: there, element pairs that turn together are neighbours, rows 2 i and
/// 2 i + 1 of a head; here they are rows i and i + D / 2.
pub(super) fn halves(values: &[f32], heads: usize, shape: &[usize]) -> Vec<f32> {
    let columns: usize = shape[1..].iter().product();
    let size = shape[0] / heads;
    let mut all = Vec::with_capacity(values.len());
    for row in 0..shape[0] {
        let (head, within) = (row / size, row % size);
        let (half, pair) = (within / (size / 2), within % (size / 2));
        all.extend_from_slice(&values[(head * size + 2 * pair + half) * columns..][..columns]);
    }
    all
}

/// The tensors of a file that need not be a model.
#[cfg(test)]
pub(super) fn open_tensors(path: &Path) -> Result<(super::WeightFile, BTreeMap<String, super::Stored>)> {
    Header::read(path).map(|header| (header.file, header.tensors))
}
