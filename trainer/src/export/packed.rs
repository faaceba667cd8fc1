//! Matrices in four bits inside a Hugging Face folder.

use std::fmt::Write as _;

use safetensors::tensor::Dtype;
use serde_json::{Value, json};

use super::WeightFormat;
use crate::error::{Error, Result};
use crate::load::Pretrained;
use crate::quant::{int4, nf4};
use crate::tensors::Writer;

/// How the matrices of a model's layers are stored. Its tables, norms and biases stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// As numbers.
    #[default]
    Plain,
    /// NF4 with double quantization, as bitsandbytes stores it: transformers loads it, QLoRA trains on it.
    Nf4,
    /// Integers of four bits with a scale for each group of a row: `pack-quantized` of compressed-tensors,
    /// which vLLM reads.
    Int4,
}

/// A tensor of a safetensors file.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) content: Content,
}

/// Where a tensor's bytes come from.
pub(super) enum Content {
    /// They are here.
    Bytes(Vec<u8>),
    /// The numbers of the model's tensor of this name.
    Plain,
    /// The codes of this tensor of the model.
    Codes(String),
}

impl Part {
    pub(super) fn bytes(&self) -> u64 {
        self.shape.iter().product::<usize>() as u64 * self.dtype.bitsize() as u64 / 8
    }
}

impl Packing {
    /// Whether a tensor is packed.
    fn packs(self, name: &str, shape: &[usize]) -> bool {
        self != Self::Plain && shape.len() == 2 && name.starts_with("model.layers.")
    }

    /// About how many bytes a tensor takes.
    pub(super) fn bytes(self, name: &str, shape: &[usize], format: WeightFormat) -> u64 {
        let numbers = shape.iter().product::<usize>() as u64;
        // Codes and scales take at most 4.5 bits.
        if self.packs(name, shape) { numbers * 9 / 16 } else { numbers * format.size() }
    }

    /// `quantization_config` of config.json.
    pub(super) fn config(self, weights: &Pretrained) -> Result<Option<Value>> {
        Ok(match self {
            Self::Plain => None,
            Self::Nf4 => Some(json!({
                "quant_method": "bitsandbytes",
                "load_in_4bit": true,
                "load_in_8bit": false,
                "_load_in_4bit": true,
                "_load_in_8bit": false,
                "bnb_4bit_quant_type": "nf4",
                "bnb_4bit_use_double_quant": true,
                "bnb_4bit_compute_dtype": "bfloat16",
                "bnb_4bit_quant_storage": "uint8",
                "llm_int8_enable_fp32_cpu_offload": false,
                "llm_int8_has_fp16_weight": false,
                "llm_int8_skip_modules": null,
                "llm_int8_threshold": 6.0,
            })),
            Self::Int4 => Some(json!({
                "quant_method": "compressed-tensors",
                "format": "pack-quantized",
                "quantization_status": "compressed",
                "config_groups": { "group_0": {
                    "targets": ["Linear"],
                    "weights": {
                        "num_bits": 4,
                        "type": "int",
                        "symmetric": true,
                        "strategy": "group",
                        "group_size": self.group(weights)?,
                        "dynamic": false,
                    },
                    "input_activations": null,
                    "output_activations": null,
                } },
                "ignore": ["lm_head"],
            })),
        })
    }

    /// Numbers of a row that share a scale: the largest usual count that divides every row.
    fn group(self, weights: &Pretrained) -> Result<usize> {
        let config = weights.config();
        let rows = [config.hidden, config.heads * config.head_size(), config.intermediate];
        match [128, 64, 32].into_iter().find(|&group| rows.iter().all(|row| row.is_multiple_of(group))) {
            Some(group) => Ok(group),
            None => {
                let detail = format!("has rows of {rows:?} numbers, which no group of 128, 64 or 32 divides; export it as hf or hf-nf4");
                Err(Error::invalid(weights.path(), detail))
            }
        }
    }

    /// What a tensor of the model becomes. Scales are computed here, codes when they are written: for all
    /// tensors of a file, scales take a thirty-second of it.
    pub(super) fn parts(self, weights: &Pretrained, format: WeightFormat, name: &str, shape: &[usize]) -> Result<Vec<Part>> {
        let part = |end: &str, dtype, shape: Vec<usize>, content| Part { name: format!("{name}{end}"), dtype, shape, content };
        if !self.packs(name, shape) {
            return Ok(vec![part("", format.dtype(), shape.to_vec(), Content::Plain)]);
        }
        let codes = Content::Codes(name.to_owned());
        Ok(match self {
            Self::Plain => Vec::new(),
            Self::Nf4 => {
                let found = nf4(weights, format, name)?;
                let map = le_bytes(&found.map);
                let state = quant_state(format, shape, found.offset);
                vec![
                    part("", Dtype::U8, vec![found.codes.len(), 1], codes),
                    part(".absmax", Dtype::U8, vec![found.absmax.len()], Content::Bytes(found.absmax)),
                    part(".nested_absmax", Dtype::F32, vec![found.nested_absmax.len()], Content::Bytes(le_bytes(&found.nested_absmax))),
                    part(".nested_quant_map", Dtype::F32, vec![found.map.len()], Content::Bytes(map)),
                    part(".quant_map", Dtype::F32, vec![nf4::LEVELS.len()], Content::Bytes(le_bytes(&nf4::LEVELS))),
                    part(".quant_state.bitsandbytes__nf4", Dtype::U8, vec![state.len()], Content::Bytes(state.into_bytes())),
                ]
            }
            Self::Int4 => {
                let group = self.group(weights)?;
                let mut scales = Vec::new();
                rounded(weights, format, name, group, &mut |values| {
                    values.chunks_exact(group).for_each(|group| format.encode(int4::scale(group), &mut scales));
                    Ok(())
                })?;
                let [rows, columns] = [shape[0], shape[1]];
                let told = [rows, columns].iter().flat_map(|&size| (size as i64).to_le_bytes()).collect();
                vec![
                    part("_packed", Dtype::I32, vec![rows, columns / int4::WORD], codes),
                    part("_scale", format.dtype(), vec![rows, columns / group], Content::Bytes(scales)),
                    part("_shape", Dtype::I64, vec![2], Content::Bytes(told)),
                ]
            }
        })
    }

    /// Writes the codes of a tensor.
    pub(super) fn write_codes(self, weights: &Pretrained, format: WeightFormat, name: &str, out: &mut Writer<'_>) -> Result<()> {
        match self {
            Self::Plain => Ok(()),
            Self::Nf4 => out.put(&nf4(weights, format, name)?.codes),
            Self::Int4 => {
                let group = self.group(weights)?;
                let mut bytes = Vec::new();
                rounded(weights, format, name, group, &mut |values| {
                    bytes.clear();
                    for group in values.chunks_exact(group) {
                        let scale = format.rounded(int4::scale(group));
                        int4::encode(group, scale, &mut bytes);
                    }
                    out.put(&bytes)
                })
            }
        }
    }
}

/// A tensor in NF4.
fn nf4(weights: &Pretrained, format: WeightFormat, name: &str) -> Result<nf4::Nf4> {
    let mut encoder = nf4::Encoder::default();
    rounded(weights, format, name, 1, &mut |values| {
        encoder.push(values);
        Ok(())
    })?;
    Ok(encoder.finish())
}

/// The numbers of a tensor as they would be stored plainly, which is what other programs quantize; in
/// pieces of multiples of `multiple`.
fn rounded(
    weights: &Pretrained,
    format: WeightFormat,
    name: &str,
    multiple: usize,
    put: &mut dyn FnMut(&[f32]) -> Result<()>,
) -> Result<()> {
    let mut open: Vec<f32> = Vec::new();
    let mut done = 0;
    weights.pieces(name, &mut |values| {
        format.check(weights.path(), name, done, values)?;
        done += values.len();
        open.extend(values.iter().map(|&value| format.rounded(value)));
        let whole = open.len() / multiple * multiple;
        put(&open[..whole])?;
        open.drain(..whole);
        Ok(())
    })
}

fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// What bitsandbytes keeps beside the codes, spelled as Python's `json` does.
fn quant_state(format: WeightFormat, shape: &[usize], offset: f32) -> String {
    let mut text = format!(
        r#"{{"quant_type": "nf4", "blocksize": {}, "dtype": "{}", "shape": [{}, {}], "#,
        nf4::BLOCK,
        format.name(),
        shape[0],
        shape[1]
    );
    let _ = write!(text, r#""nested_blocksize": {}, "nested_dtype": "float32", "nested_offset": {}}}"#, nf4::NESTED, python(offset.into()));
    text
}

/// A number as Python prints it: with a point, or with an exponent of two digits below 1e-4.
fn python(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-4 {
        let text = format!("{value:e}");
        return match text.split_once("e-") {
            Some((digits, exponent)) => format!("{digits}e-{exponent:0>2}"),
            None => text,
        };
    }
    format!("{value:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_spelled_as_by_python() {
        let state = quant_state(WeightFormat::Bf16, &[128, 64], 0.051_816_94);
        let expected = concat!(
            r#"{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [128, 64], "#,
            r#""nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.05181694030761719}"#
        );
        assert_eq!(state, expected);
        assert_eq!([0.0, 1.0, 0.0001, 0.000_012_5, 9e-10].map(python), ["0.0", "1.0", "0.0001", "1.25e-05", "9e-10"]);
    }
}
