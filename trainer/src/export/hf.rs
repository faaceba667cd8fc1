//! A folder that Hugging Face's libraries open: configs, weights in safetensors, a tokenizer.

use std::path::Path;

use safetensors::tensor::Dtype;
use serde_json::json;

use super::WeightFormat;
use super::config::{self, Texts};
use super::packed::{Content, Packing, Part};
use super::staged::{staged_folder, write_file};
use crate::error::Result;
use crate::load::Pretrained;
use crate::load::folder::{CONFIG, INDEX, SINGLE};
use crate::tensors::Writer;

/// What is written.
#[derive(Clone, Debug)]
pub struct Export<'a> {
    /// The model.
    pub weights: &'a Pretrained,
    /// Type of the numbers that are not packed.
    pub format: WeightFormat,
    /// How the matrices of the layers are stored.
    pub packing: Packing,
    /// Most bytes of one file of weights; a larger tensor has a file of its own.
    pub file_bytes: u64,
    /// What the configs say besides the shape.
    pub texts: Texts,
    /// More files of the folder, by name: the tokenizer's.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Export<'_> {
    /// Writes the folder, which must not be there yet. Gives the names of its files.
    pub fn write(&self, folder: &Path) -> Result<Vec<String>> {
        staged_folder(folder, |temporary| self.fill(temporary))
    }

    fn fill(&self, folder: &Path) -> Result<Vec<String>> {
        let mut config = config::config(self.weights, self.format, &self.texts)?;
        if let Some(how) = self.packing.config(self.weights)? {
            config["quantization_config"] = how;
        }
        let mut names = self.write_weights(folder)?;
        let texts = [(CONFIG, config), ("generation_config.json", config::generation(&self.texts))];
        let mut files: Vec<(String, Vec<u8>)> = texts.iter().map(|(name, value)| (name.to_string(), pretty(value))).collect();
        files.extend(self.files.iter().cloned());
        for (name, bytes) in files {
            write_file(&folder.join(&name), &bytes)?;
            names.push(name);
        }
        Ok(names)
    }

    /// The weights in one file, or in many with an index.
    fn write_weights(&self, folder: &Path) -> Result<Vec<String>> {
        let tensors = self.weights.config().tensors(self.weights.vocab_size());
        let mut files: Vec<Vec<&(String, Vec<usize>)>> = vec![Vec::new()];
        let mut filled = 0;
        for tensor in &tensors {
            let size = self.packing.bytes(&tensor.0, &tensor.1, self.format);
            if filled > 0 && filled + size > self.file_bytes {
                files.push(Vec::new());
                filled = 0;
            }
            filled += size;
            if let Some(last) = files.last_mut() {
                last.push(tensor);
            }
        }
        let single = files.len() == 1;
        let name = |index: usize| match single {
            true => SINGLE.to_owned(),
            false => format!("model-{:05}-of-{:05}.safetensors", index + 1, files.len()),
        };
        let mut names = Vec::new();
        let mut map = serde_json::Map::new();
        let mut total = 0;
        for (index, tensors) in files.iter().enumerate() {
            let parts = self.write_file(&folder.join(name(index)), tensors)?;
            total += parts.iter().map(Part::bytes).sum::<u64>();
            map.extend(parts.into_iter().map(|part| (part.name, name(index).into())));
            names.push(name(index));
        }
        if !single {
            let index = json!({ "metadata": { "total_size": total }, "weight_map": map });
            write_file(&folder.join(INDEX), &pretty(&index))?;
            names.push(INDEX.to_owned());
        }
        Ok(names)
    }

    /// Writes one file and gives what is in it.
    fn write_file(&self, path: &Path, tensors: &[&(String, Vec<usize>)]) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        for (name, shape) in tensors {
            parts.extend(self.packing.parts(self.weights, self.format, name, shape)?);
        }
        let size = |dtype: Dtype| dtype.bitsize();
        parts.sort_by_key(|part| std::cmp::Reverse(size(part.dtype)));
        let infos = parts.iter().map(|part| (part.name.as_str(), part.dtype, part.shape.as_slice()));
        let mut out = Writer::create(path, infos)?;
        for part in &parts {
            match &part.content {
                Content::Bytes(bytes) => out.put(bytes)?,
                Content::Plain => self.write_plain(&part.name, &mut out)?,
                Content::Codes(tensor) => self.packing.write_codes(self.weights, self.format, tensor, &mut out)?,
            }
        }
        out.finish()?;
        Ok(parts)
    }

    fn write_plain(&self, name: &str, out: &mut Writer<'_>) -> Result<()> {
        let mut bytes = Vec::new();
        let mut done = 0;
        self.weights.pieces(name, &mut |values| {
            self.format.check(self.weights.path(), name, done, values)?;
            bytes.clear();
            values.iter().for_each(|&value| self.format.encode(value, &mut bytes));
            done += values.len();
            out.put(&bytes)
        })
    }
}

pub(super) fn pretty(value: &serde_json::Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}
