//! Matrices in four bits inside a Hugging Face folder: NF4 of bitsandbytes, and `pack-quantized` of
//! compressed-tensors. They are read as the numbers that their codes stand for.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Place;
use super::file::{Stored, WeightFile};
use super::folder::Weights;
use super::format::Format;
use super::hf_config::keys::{Keys, shorten};
use crate::error::{Error, Result};
use crate::quant::{int4, nf4};

/// Longest `quant_state`; those of bitsandbytes have two hundred bytes.
const MAX_STATE: u64 = 4096;
const ABSMAX: &str = ".absmax";
const NESTED_ABSMAX: &str = ".nested_absmax";
const NESTED_MAP: &str = ".nested_quant_map";
const MAP: &str = ".quant_map";
const STATE: &str = ".quant_state.bitsandbytes__nf4";

/// What `quantization_config` says of the matrices of a model's layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// `bitsandbytes` with `nf4`.
    Nf4,
    /// `compressed-tensors` with symmetric integers of four bits.
    Int4 {
        /// Numbers of a row that share a scale.
        group: usize,
    },
}

/// How one matrix is packed; its codes are where the matrix is said to be.
#[derive(Clone, Debug)]
pub(crate) enum Packed {
    /// Two levels a byte, and for each 64 numbers their absolute maximum, plain or quantized itself.
    Nf4 { absmax: Part, nested: Option<Nested> },
    /// Eight integers a word, and for each group of a row its scale.
    Int4 { scales: Part, group: usize },
}

/// Which of the files, and where in it.
pub(crate) type Part = (usize, Stored);

/// What turns indices into absolute maxima.
#[derive(Clone, Debug)]
pub(crate) struct Nested {
    absmax: Part,
    map: Part,
    offset: f32,
}

/// `quant_state` of bitsandbytes.
#[derive(Deserialize)]
struct State {
    quant_type: String,
    blocksize: usize,
    shape: Vec<usize>,
    nested_blocksize: Option<usize>,
    nested_offset: Option<f32>,
}

/// Reads `quantization_config`; forms that are not read are refused with the way out.
pub(crate) fn scheme(keys: &Keys<'_>) -> Result<Option<Scheme>> {
    const KEY: &str = "quantization_config";
    let Some(config) = keys.get(KEY) else { return Ok(None) };
    let refuse = |what: String| keys.refuse(KEY, format!("{what}: read are bitsandbytes nf4 and compressed-tensors pack-quantized int4"));
    let is = |pointer: &str, wanted: Value| config.pointer(pointer).is_none_or(|found| found.is_null() || *found == wanted);
    match config.get("quant_method").and_then(Value::as_str) {
        Some("bitsandbytes") => {
            let known = config.get("bnb_4bit_quant_type") == Some(&json!("nf4"))
                && config.get("load_in_4bit") == Some(&json!(true))
                && is("/bnb_4bit_quant_storage", json!("uint8"));
            if known { Ok(Some(Scheme::Nf4)) } else { refuse(format!("not in nf4, {}", shorten(config))) }
        }
        Some("compressed-tensors") => {
            let groups = config.get("config_groups").and_then(Value::as_object);
            let weights = match groups.map(|groups| groups.values().collect::<Vec<_>>()).as_deref() {
                Some([group]) if group.get("input_activations").is_none_or(Value::is_null) => group.get("weights"),
                _ => None,
            };
            let known = is("/format", json!("pack-quantized"));
            let group = weights.filter(|weights| {
                let wanted = [("num_bits", json!(4)), ("type", json!("int")), ("symmetric", json!(true)), ("strategy", json!("group"))];
                let ordered = weights.get("actorder").is_some_and(|order| !order.is_null() && *order != json!(false));
                wanted.iter().all(|(key, value)| weights.get(key) == Some(value)) && !ordered
            });
            match group.and_then(|weights| weights.get("group_size")?.as_u64()).and_then(|group| usize::try_from(group).ok()) {
                Some(group) if known && group > 0 && group.is_multiple_of(int4::WORD) => Ok(Some(Scheme::Int4 { group })),
                _ => refuse(format!("of another kind, {}", shorten(config))),
            }
        }
        method => refuse(format!("of {method:?}")),
    }
}

/// Puts the parts of each packed matrix together; what is not packed stays as it is.
pub(crate) fn gather(scheme: Scheme, weights: &mut Weights) -> Result<BTreeMap<String, Place>> {
    let Weights { files, tensors } = weights;
    let end = match scheme {
        Scheme::Nf4 => STATE,
        Scheme::Int4 { .. } => "_packed",
    };
    let names: Vec<String> = tensors.keys().filter_map(|name| name.strip_suffix(end).map(str::to_owned)).collect();
    let mut places = BTreeMap::new();
    for name in names {
        if !name.starts_with("model.layers.") {
            let path = files.first().map_or(Path::new(""), WeightFile::path);
            return Err(Error::invalid(path, format!("tensor `{name}` is packed; read are packed matrices of layers alone")));
        }
        let parts = Parts { files, tensors, name: &name };
        let place = match scheme {
            Scheme::Nf4 => parts.nf4()?,
            Scheme::Int4 { group } => parts.int4(group)?,
        };
        places.insert(name, place);
    }
    for (name, (file, stored)) in std::mem::take(tensors) {
        if !stored.format.is_float() {
            return files[file]
                .refuse(format!("tensor `{name}` is {}, not F32, F16 or BF16, and no part of a packed matrix", stored.format.name()));
        }
        places.insert(name, Place { file, stored, interleaved: 0, packed: None });
    }
    Ok(places)
}

/// The tensors that one matrix is made of.
struct Parts<'a> {
    files: &'a [WeightFile],
    tensors: &'a mut BTreeMap<String, Part>,
    name: &'a str,
}

impl Parts<'_> {
    /// Takes a tensor, which must have one of these types and this many numbers.
    fn take(&mut self, end: &str, formats: &[Format], numbers: Option<usize>) -> Result<Part> {
        let name = format!("{}{end}", self.name);
        let Some((file, stored)) = self.tensors.remove(&name) else {
            let path = self.files.first().map_or(Path::new(""), WeightFile::path);
            return Err(Error::invalid(path, format!("tensor `{name}` is missing, of the packed matrix `{}`", self.name)));
        };
        let found = stored.shape.iter().product::<usize>();
        if !formats.contains(&stored.format) {
            return self.files[file].refuse(format!("tensor `{name}` is {}, not {}", stored.format.name(), formats[0].name()));
        }
        match numbers {
            Some(wanted) if wanted != found => self.files[file].refuse(format!("tensor `{name}` has {found} numbers, not {wanted}")),
            _ => Ok((file, stored)),
        }
    }

    fn nf4(mut self) -> Result<Place> {
        let (at, stored) = self.take(STATE, &[Format::U8], None)?;
        let refuse = |detail: String| self.files[at].refuse(format!("tensor `{}{STATE}` {detail}", self.name));
        if stored.length > MAX_STATE {
            return refuse(format!("has {} bytes, more than {MAX_STATE}", stored.length));
        }
        let state: State = match serde_json::from_slice(&self.files[at].bytes(stored.start, stored.length as usize)?) {
            Ok(state) => state,
            Err(error) => return refuse(format!("is no quantization state: {error}")),
        };
        let State { quant_type, blocksize, shape, nested_blocksize, nested_offset } = state;
        if quant_type != "nf4" || blocksize != nf4::BLOCK || nested_blocksize.is_some_and(|size| size != nf4::NESTED) {
            return refuse(format!("tells of {quant_type} in blocks of {blocksize} and {nested_blocksize:?}; read is nf4 in 64 and 256"));
        }
        let numbers = match shape.iter().try_fold(1usize, |all, &size| all.checked_mul(size)) {
            Some(numbers) if shape.len() == 2 && numbers > 0 => numbers,
            _ => return refuse(format!("tells of the shape {shape:?}, which is of no matrix")),
        };
        let blocks = numbers.div_ceil(nf4::BLOCK);
        let map = self.take(MAP, &[Format::F32], Some(nf4::LEVELS.len()))?;
        if self.files[map.0].values(MAP, &map.1)? != nf4::LEVELS {
            return self.files[map.0].refuse(format!("tensor `{}{MAP}` has other levels than nf4", self.name));
        }
        let (absmax, nested) = match nested_offset {
            None => (self.take(ABSMAX, &[Format::F32], Some(blocks))?, None),
            Some(offset) => {
                let absmax = self.take(NESTED_ABSMAX, &[Format::F32], Some(blocks.div_ceil(nf4::NESTED)))?;
                let map = self.take(NESTED_MAP, &[Format::F32], Some(256))?;
                (self.take(ABSMAX, &[Format::U8], Some(blocks))?, Some(Nested { absmax, map, offset }))
            }
        };
        let (file, stored) = self.take("", &[Format::U8], Some(numbers.div_ceil(2)))?;
        Ok(Place { file, stored: Stored { shape, ..stored }, interleaved: 0, packed: Some(Packed::Nf4 { absmax, nested }) })
    }

    fn int4(mut self, group: usize) -> Result<Place> {
        let (file, codes) = self.take("_packed", &[Format::I32], None)?;
        let (told_in, told) = self.take("_shape", &[Format::I64], Some(2))?;
        let told = self.files[told_in].values("_shape", &told)?;
        let &[rows, words] = codes.shape.as_slice() else {
            return self.files[file].refuse(format!("tensor `{}_packed` is {:?}, of no matrix", self.name, codes.shape));
        };
        // The header is checked: a file of so many words has fewer bytes than a usize counts.
        let columns = words * int4::WORD;
        if told != [rows as f32, columns as f32] || !columns.is_multiple_of(group) {
            let detail =
                format!("tensor `{}_packed` holds {rows} × {columns} numbers in groups of {group}, `_shape` tells of {told:?}", self.name);
            return self.files[file].refuse(detail);
        }
        let scales = self.take("_scale", &[Format::Bf16, Format::F16, Format::F32], Some(rows * columns / group))?;
        let stored = Stored { shape: vec![rows, columns], ..codes };
        Ok(Place { file, stored, interleaved: 0, packed: Some(Packed::Int4 { scales, group }) })
    }
}

impl Packed {
    /// The numbers of a matrix, in pieces; memory is one piece and the scales.
    pub(crate) fn pieces(&self, name: &str, codes: &Part, files: &[WeightFile], put: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let numbers: usize = codes.1.shape.iter().product();
        let file = &files[codes.0];
        let values = |(file, stored): &Part| files[*file].values(name, stored);
        let scales = match self {
            Self::Int4 { scales, .. } => values(scales)?,
            Self::Nf4 { absmax, nested: None } => values(absmax)?,
            Self::Nf4 { absmax, nested: Some(Nested { absmax: outer, map, offset }) } => {
                let (map, outer) = (values(map)?, values(outer)?);
                let indices = files[absmax.0].bytes(absmax.1.start, absmax.1.length as usize)?;
                indices.iter().enumerate().map(|(at, index)| map[usize::from(*index)] * outer[at / nf4::NESTED] + offset).collect()
            }
        };
        // Whole words and blocks.
        const PIECE: usize = 1 << 20;
        let mut out = Vec::new();
        for start in (0..numbers).step_by(PIECE) {
            let count = (numbers - start).min(PIECE);
            let bytes = file.bytes(codes.1.start + start as u64 / 2, count.div_ceil(2))?;
            out.clear();
            match self {
                Self::Nf4 { .. } => nf4::decode(&bytes, &scales[start / nf4::BLOCK..], count, &mut out),
                // The group's own piece of the scales: groups may begin before a piece does.
                Self::Int4 { group, .. } => int4::decode(&bytes, |at| scales[(start + at) / group], &mut out),
            }
            if let Some(at) = out.iter().position(|value| !value.is_finite()) {
                return file.refuse(format!("tensor `{name}` has {} at element {}", out[at], start + at));
            }
            put(&out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
