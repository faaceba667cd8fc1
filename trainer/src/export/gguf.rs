//! GGUF files, version 3, that llama.cpp and its relatives open.
//!
//! The header tells of every tensor, so sizes are computed first; then numbers go from file to file,
//! batch by batch, quantized on all threads and written in order. Memory is a batch, and for Llama
//! one matrix whose rows are put in llama.cpp's order.

mod keys;
mod mix;
mod vocabulary;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::str::FromStr;

use rayon::prelude::*;

pub use vocabulary::Vocabulary;

use super::config::{Texts, context_length};
use super::staged::staged_file;
use crate::config::refuse;
use crate::error::{Error, Result};
use crate::load::gguf::{interleaved, name_of, pairs};
use crate::load::hf_config::family;
use crate::load::{Format, Pretrained};
use crate::model::rope::Rope;
use crate::model::{ModelConfig, RopeScaling};
use crate::quant::encode;
use keys::Keys;

/// Where tensors begin: multiples of it.
const ALIGNMENT: u64 = 32;
/// Numbers in memory at a time, and of them those that one thread takes: multiples of every block.
const BATCH: usize = 1 << 22;
const SHARE: usize = 1 << 14;

/// How the weights of a GGUF file are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GgufFormat {
    /// 32-bit floats.
    F32,
    /// 16-bit floats of the IEEE; vectors stay in 32 bits.
    F16,
    /// The upper halves of 32-bit floats; vectors stay in 32 bits.
    Bf16,
    /// 8.5 bits a weight.
    Q8_0,
    /// About 4.8 bits a weight: Q4_K, and Q6_K where it matters most, as llama.cpp mixes them.
    Q4KM,
}

impl GgufFormat {
    /// Its name on the command line: `q4_k_m`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q8_0 => "q8_0",
            Self::Q4KM => "q4_k_m",
        }
    }

    /// `general.file_type`.
    fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => 7,
            Self::Q4KM => 15,
            Self::Bf16 => 32,
        }
    }
}

impl FromStr for GgufFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::F32, Self::F16, Self::Bf16, Self::Q8_0, Self::Q4KM];
        match all.into_iter().find(|format| format.name() == text) {
            Some(format) => Ok(format),
            None => refuse("format", format!("{text:?}, not f32, f16, bf16, q8_0 or q4_k_m")),
        }
    }
}

/// What is written.
#[derive(Clone, Debug)]
pub struct GgufExport<'a> {
    /// The model.
    pub weights: &'a Pretrained,
    /// How its weights are stored.
    pub format: GgufFormat,
    /// Length of texts, and what ends them.
    pub texts: &'a Texts,
    /// Its name, for people.
    pub name: &'a str,
    /// Tokens, merges and chat template.
    pub vocabulary: &'a Vocabulary,
}

/// A tensor in the file.
struct Tensor {
    /// Its name here.
    ours: String,
    /// Its name there.
    theirs: String,
    shape: Vec<usize>,
    format: Format,
}

impl Tensor {
    fn bytes(&self) -> u64 {
        (self.shape.iter().product::<usize>() / self.format.block_len()) as u64 * self.format.block_bytes() as u64
    }
}

impl GgufExport<'_> {
    /// Writes the file, which must not be there yet. Gives how many tensors have which type.
    pub fn write(&self, path: &Path) -> Result<BTreeMap<&'static str, usize>> {
        if self.weights.config().is_reward() {
            return Err(Error::invalid(self.weights.path(), "is a reward model, which is written as a Hugging Face folder alone"));
        }
        let (header, tensors) = self.header()?;
        staged_file(path, |temporary| {
            let file = File::create(temporary).map_err(Error::io("create", temporary))?;
            let mut out = BufWriter::with_capacity(1 << 20, file);
            let mut put = |bytes: &[u8]| out.write_all(bytes).map_err(Error::io("write", temporary));
            put(&header)?;
            if let Some(divisors) = rope_divisors(self.weights.config()) {
                put(&padded(divisors.iter().flat_map(|divisor| divisor.to_le_bytes()).collect()))?;
            }
            for tensor in &tensors {
                self.write_tensor(tensor, &mut put)?;
            }
            out.flush().map_err(Error::io("write", temporary))
        })?;
        let mut types = BTreeMap::new();
        tensors.iter().for_each(|tensor| *types.entry(tensor.format.name()).or_insert(0) += 1);
        Ok(types)
    }

    /// Keys and places of tensors, filled up to where the first tensor begins.
    fn header(&self) -> Result<(Vec<u8>, Vec<Tensor>)> {
        let tensors = self.tensors()?;
        let keys = self.keys()?;
        let divisors = rope_divisors(self.weights.config());
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((tensors.len() as u64 + u64::from(divisors.is_some())).to_le_bytes());
        out.extend(keys.count().to_le_bytes());
        out.extend(keys.bytes());
        let mut offset = 0u64;
        let mut tell = |name: &str, shape: &[usize], format: Format, bytes: u64| {
            keys::text(&mut out, name);
            out.extend((shape.len() as u32).to_le_bytes());
            // The fastest dimension comes first.
            shape.iter().rev().for_each(|&size| out.extend((size as u64).to_le_bytes()));
            out.extend(format.gguf().to_le_bytes());
            out.extend(offset.to_le_bytes());
            offset += bytes.next_multiple_of(ALIGNMENT);
        };
        if let Some(divisors) = &divisors {
            tell("rope_freqs.weight", &[divisors.len()], Format::F32, 4 * divisors.len() as u64);
        }
        tensors.iter().for_each(|tensor| tell(&tensor.theirs, &tensor.shape, tensor.format, tensor.bytes()));
        Ok((padded(out), tensors))
    }

    /// The tensors with their types, in the order of the model.
    fn tensors(&self) -> Result<Vec<Tensor>> {
        let config = self.weights.config();
        let mut tensors = Vec::new();
        for (ours, shape) in config.tensors(self.weights.vocab_size()) {
            let Some(theirs) = name_of(&ours) else {
                return Err(Error::invalid(self.weights.path(), format!("tensor `{ours}` has no name in GGUF files")));
            };
            let format = mix::format(self.format, config, &theirs, &shape);
            tensors.push(Tensor { ours, theirs, shape, format });
        }
        Ok(tensors)
    }

    fn keys(&self) -> Result<Keys> {
        let config = self.weights.config();
        let (arch, _) = family(config);
        let mut keys = Keys::default();
        keys.text("general.architecture", arch);
        keys.text("general.type", "model");
        keys.text("general.name", self.name);
        keys.u32("general.file_type", self.format.file_type());
        keys.u32("general.quantization_version", 2);
        let mut count = |key: &str, value: usize| keys.u32(&format!("{arch}.{key}"), u32::try_from(value).unwrap_or(u32::MAX));
        count("block_count", config.layers);
        count("context_length", context_length(config, self.texts) as usize);
        count("embedding_length", config.hidden);
        count("feed_forward_length", config.intermediate);
        count("attention.head_count", config.heads);
        count("attention.head_count_kv", config.kv_heads);
        count("attention.key_length", config.head_size());
        count("attention.value_length", config.head_size());
        count("rope.dimension_count", config.head_size());
        count("vocab_size", self.weights.vocab_size());
        keys.f32(&format!("{arch}.rope.freq_base"), config.rope_theta as f32);
        keys.f32(&format!("{arch}.attention.layer_norm_rms_epsilon"), config.norm_epsilon as f32);
        self.scaling(arch, &mut keys)?;
        self.vocabulary.append_to(&mut keys);
        Ok(keys)
    }

    /// YaRN is told by keys; what Llama 3 does is a tensor of divisors.
    fn scaling(&self, arch: &str, keys: &mut Keys) -> Result<()> {
        let refuse = |detail: &str| Err(Error::invalid(self.weights.path(), format!("{detail}; export it in a Hugging Face format")));
        match self.weights.config().rope_scaling {
            None => Ok(()),
            Some(RopeScaling::Llama3 { .. }) if arch == "llama" => Ok(()),
            Some(RopeScaling::Llama3 { .. }) => {
                refuse("has the rotary scaling of Llama 3 in another architecture, which llama.cpp ignores")
            }
            Some(RopeScaling::Yarn { truncate: false, .. }) => refuse("has YaRN with exact ends of the blend, which llama.cpp rounds"),
            Some(RopeScaling::Yarn { attention_factor: Some(_), .. }) => {
                refuse("has YaRN with a factor of attention, of which llama.cpp computes its own")
            }
            Some(RopeScaling::Yarn { factor, original_positions, beta_fast, beta_slow, .. }) => {
                keys.text(&format!("{arch}.rope.scaling.type"), "yarn");
                keys.f32(&format!("{arch}.rope.scaling.factor"), factor as f32);
                keys.u32(&format!("{arch}.rope.scaling.original_context_length"), original_positions);
                keys.f32(&format!("{arch}.rope.scaling.yarn_beta_fast"), beta_fast as f32);
                keys.f32(&format!("{arch}.rope.scaling.yarn_beta_slow"), beta_slow as f32);
                Ok(())
            }
        }
    }

    fn write_tensor(&self, tensor: &Tensor, put: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut done = 0;
        let mut batch = |values: &[f32]| {
            if let Some(at) = values.iter().position(|&value| too_large(tensor.format, value)) {
                let detail = format!("tensor `{}` has {} at element {}, too large for 16 bits", tensor.ours, values[at], done + at);
                return Err(Error::invalid(self.weights.path(), detail));
            }
            done += values.len();
            let encoded = |share: &[f32]| {
                let mut bytes = Vec::with_capacity(share.len() / tensor.format.block_len() * tensor.format.block_bytes());
                encode(tensor.format, share, &mut bytes);
                bytes
            };
            let encoded: Vec<Vec<u8>> = values.par_chunks(SHARE).map(encoded).collect();
            encoded.iter().try_for_each(|bytes| put(bytes))
        };
        match interleaved(self.weights.config(), &tensor.ours) {
            0 => {
                let mut open: Vec<f32> = Vec::new();
                self.weights.pieces(&tensor.ours, &mut |values| {
                    open.extend_from_slice(values);
                    let whole = open.len() / BATCH * BATCH;
                    open[..whole].chunks(BATCH).try_for_each(&mut batch)?;
                    open.drain(..whole);
                    Ok(())
                })?;
                batch(&open)?;
            }
            heads => batch(&pairs(&self.weights.values(&tensor.ours)?, heads, &tensor.shape))?,
        }
        let end = tensor.bytes();
        put(&vec![0; (end.next_multiple_of(ALIGNMENT) - end) as usize])
    }
}

/// Whether a number, or the scale of a block with it, is beyond 16-bit floats.
fn too_large(format: Format, value: f32) -> bool {
    !matches!(format, Format::F32 | Format::Bf16) && value.abs() >= 65_520.0
}

/// Zeros up to the next multiple.
fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT as usize), 0);
    bytes
}

/// What frequencies are divided by in a Llama 3, the tensor `rope_freqs.weight`.
fn rope_divisors(config: &ModelConfig) -> Option<Vec<f32>> {
    matches!(config.rope_scaling, Some(RopeScaling::Llama3 { .. })).then(|| {
        let plain = Rope::of(&ModelConfig { rope_scaling: None, ..config.clone() });
        let scaled = Rope::of(config);
        plain.frequencies.iter().zip(&scaled.frequencies).map(|(plain, scaled)| (plain / scaled) as f32).collect()
    })
}

#[cfg(test)]
mod tests;
