//! Models for elsewhere: a folder that Hugging Face's libraries open.
//!
//! Weights go piece by piece from file to file, so that memory holds a few megabytes whatever the
//! model. The folder is made under another name and renamed when it is whole.

mod config;

use std::fs::{self, File};
use std::path::Path;
use std::str::FromStr;

use burn::tensor::{bf16, f16};
use safetensors::tensor::Dtype;
use serde_json::json;

pub use config::Texts;

use crate::config::refuse;
use crate::error::{Error, Result};
use crate::load::Pretrained;
use crate::load::folder::{CONFIG, INDEX, SINGLE};
use crate::tensors::Writer;

/// How numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightFormat {
    /// The upper half of a 32-bit float: its range, eight bits of precision.
    #[default]
    Bf16,
    /// IEEE half: eleven bits of precision, largest number 65504.
    F16,
    /// As they were trained.
    F32,
}

impl WeightFormat {
    /// Its name in config.json.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "bfloat16",
            Self::F16 => "float16",
            Self::F32 => "float32",
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Self::Bf16 => Dtype::BF16,
            Self::F16 => Dtype::F16,
            Self::F32 => Dtype::F32,
        }
    }

    fn size(self) -> u64 {
        if self == Self::F32 { 4 } else { 2 }
    }

    /// Bytes of a number, rounded to the nearest one, of two to the even one.
    fn encode(self, value: f32, out: &mut Vec<u8>) {
        match self {
            Self::Bf16 => out.extend(bf16::from_f32(value).to_le_bytes()),
            Self::F16 => out.extend(f16::from_f32(value).to_le_bytes()),
            Self::F32 => out.extend(value.to_le_bytes()),
        }
    }

    /// Whether a finite number becomes infinite.
    fn overflows(self, value: f32) -> bool {
        match self {
            Self::Bf16 => bf16::from_f32(value).is_infinite(),
            Self::F16 => f16::from_f32(value).is_infinite(),
            Self::F32 => false,
        }
    }
}

impl FromStr for WeightFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "bf16" => Ok(Self::Bf16),
            "f16" => Ok(Self::F16),
            "f32" => Ok(Self::F32),
            other => refuse("dtype", format!("{other:?}, not bf16, f16 or f32")),
        }
    }
}

/// What is written.
#[derive(Clone, Debug)]
pub struct Export<'a> {
    /// The model.
    pub weights: &'a Pretrained,
    /// Type of the numbers.
    pub format: WeightFormat,
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
        if folder.exists() {
            return Err(Error::invalid(folder, "is there already: remove it, or choose another folder"));
        }
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let (Some(name), Some(parent)) = (name, folder.parent()) else {
            return Err(Error::invalid(folder, "is not the name of a folder"));
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        let temporary = parent.join(format!(".{name}.tmp"));
        match fs::remove_dir_all(&temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::io("remove", &temporary)(error)),
            _ => {}
        }
        fs::create_dir(&temporary).map_err(Error::io("create", &temporary))?;

        let names = match self.fill(&temporary) {
            Ok(names) => names,
            Err(error) => {
                // What went wrong matters more than that its remains cannot be removed.
                drop(fs::remove_dir_all(&temporary));
                return Err(error);
            }
        };
        sync(&temporary)?;
        fs::rename(&temporary, folder).map_err(Error::io("rename to", folder))?;
        sync(parent)?;
        Ok(names)
    }

    fn fill(&self, folder: &Path) -> Result<Vec<String>> {
        let mut names = self.write_weights(folder)?;
        let config = config::config(self.weights, self.format, &self.texts)?;
        let texts = [(CONFIG, config), ("generation_config.json", config::generation(&self.texts))];
        let mut files: Vec<(String, Vec<u8>)> = texts.iter().map(|(name, value)| (name.to_string(), pretty(value))).collect();
        files.extend(self.files.iter().cloned());
        for (name, bytes) in files {
            let path = folder.join(&name);
            fs::write(&path, bytes).map_err(Error::io("write", &path))?;
            sync(&path)?;
            names.push(name);
        }
        Ok(names)
    }

    /// The weights in one file, or in many with an index.
    fn write_weights(&self, folder: &Path) -> Result<Vec<String>> {
        let tensors = self.weights.config().tensors(self.weights.vocab_size());
        let bytes = |shape: &[usize]| shape.iter().product::<usize>() as u64 * self.format.size();
        let mut files: Vec<Vec<&(String, Vec<usize>)>> = vec![Vec::new()];
        let mut filled = 0;
        for tensor in &tensors {
            let size = bytes(&tensor.1);
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
        for (index, tensors) in files.iter().enumerate() {
            self.write_file(&folder.join(name(index)), tensors)?;
            map.extend(tensors.iter().map(|(tensor, _)| (tensor.clone(), name(index).into())));
            names.push(name(index));
        }
        if !single {
            let total: u64 = tensors.iter().map(|(_, shape)| bytes(shape)).sum();
            let path = folder.join(INDEX);
            let index = json!({ "metadata": { "total_size": total }, "weight_map": map });
            fs::write(&path, pretty(&index)).map_err(Error::io("write", &path))?;
            sync(&path)?;
            names.push(INDEX.to_owned());
        }
        Ok(names)
    }

    fn write_file(&self, path: &Path, tensors: &[&(String, Vec<usize>)]) -> Result<()> {
        let infos = tensors.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()));
        let mut out = Writer::create(path, self.format.dtype(), infos)?;
        let mut bytes = Vec::new();
        for (name, _) in tensors {
            let mut done = 0;
            self.weights.pieces(name, &mut |values| {
                if let Some(at) = values.iter().position(|&value| self.format.overflows(value)) {
                    let place = done + at;
                    let detail = format!("tensor `{name}` has {} at element {place}, too large for {}", values[at], self.format.name());
                    return Err(Error::invalid(self.weights.path(), detail));
                }
                bytes.clear();
                values.iter().for_each(|&value| self.format.encode(value, &mut bytes));
                done += values.len();
                out.put(&bytes)
            })?;
        }
        out.finish().map(drop)
    }
}

fn pretty(value: &serde_json::Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// Makes a file or folder durable.
fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::io("sync", path))
}

#[cfg(test)]
mod tests;
