//! Models from elsewhere: a Hugging Face folder, or a GGUF file of llama.cpp.
//!
//! Opening reads `config.json` and the headers alone. All that follows is checked there: every tensor
//! that the model needs is in the files in its shape, and no other. Then numbers are read and
//! converted tensor by tensor, so that memory holds the model and one tensor. No code of a model is
//! ever run and no pickle is read.

mod file;
pub(crate) mod folder;
mod format;
mod gguf;
pub(crate) mod hf_config;
mod safetensors;
mod vocabulary;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use shards::Digest;

pub(crate) use file::{Stored, WeightFile};
pub use gguf::GgufVocabulary;
pub(crate) use safetensors::open as open_safetensors;
pub use vocabulary::extend_vocabulary;

use crate::error::{Error, Result};
use crate::model::{Model, ModelConfig, Parameter, Wanted};
use crate::tensors::read_at_most;

/// A model in files, checked as far as their headers go.
#[derive(Debug)]
pub struct Pretrained {
    path: PathBuf,
    config: ModelConfig,
    vocab: usize,
    eos: Vec<u32>,
    files: Vec<WeightFile>,
    /// Each tensor of the model by its Hugging Face name.
    tensors: BTreeMap<String, Place>,
}

/// Where a tensor is, and what is done to its rows after reading.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Which of the files.
    pub(crate) file: usize,
    pub(crate) stored: Stored,
    /// Heads whose rows are interleaved, as in Llama's GGUF files; 0 where they are not.
    pub(crate) interleaved: usize,
}

impl Pretrained {
    /// Opens a Hugging Face folder, or a file that ends in `.gguf`.
    pub fn open(path: &Path) -> Result<Self> {
        let opened = if path.is_dir() {
            Self::open_folder(path)?
        } else if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf")) {
            gguf::open(path)?
        } else if path.exists() {
            return Err(Error::invalid(path, "is neither a folder with config.json nor a .gguf file"));
        } else {
            return Err(Error::io("open", path)(std::io::ErrorKind::NotFound.into()));
        };
        opened.checked()
    }

    fn open_folder(folder: &Path) -> Result<Self> {
        let path = folder.join(folder::CONFIG);
        let config = hf_config::parse(&path, &read_at_most(&path, folder::MAX_CONFIG)?)?;
        let weights = folder::Weights::open(folder)?;
        let place = |(name, (file, stored))| (name, Place { file, stored, interleaved: 0 });
        let tensors = weights.tensors.into_iter().map(place).collect();
        let (config, vocab, eos) = (config.model, config.vocab, config.eos);
        Ok(Self { path: folder.to_path_buf(), config, vocab, eos, files: weights.files, tensors })
    }

    /// One safetensors file with the weights of a model of this shape.
    pub(crate) fn of_file(path: &Path, config: ModelConfig, vocab: usize) -> Result<Self> {
        let (file, tensors) = safetensors::open(path)?;
        let place = |(name, stored)| (name, Place { file: 0, stored, interleaved: 0 });
        let tensors = tensors.into_iter().map(place).collect();
        Self { path: path.to_path_buf(), config, vocab, eos: Vec::new(), files: vec![file], tensors }.checked()
    }

    /// The files hold what the model needs, and nothing else.
    fn checked(mut self) -> Result<Self> {
        let refuse = |detail: String| Err(Error::invalid(&self.path, detail));
        let wanted = self.config.tensors(self.vocab);
        let mut left = self.tensors.clone();
        for (name, shape) in &wanted {
            match left.remove(name) {
                None => return refuse(format!("tensor `{name}` is missing")),
                Some(place) if place.stored.shape != *shape => {
                    return refuse(format!("tensor `{name}` is {:?}, not {shape:?}", place.stored.shape));
                }
                Some(_) => {}
            }
        }
        for name in left.keys() {
            // Old files hold the rotary frequencies too; they follow from the config.
            let derived = name.ends_with(".self_attn.rotary_emb.inv_freq");
            // Some files hold a tied output matrix twice.
            let twice = name == HEAD && self.config.tied_embeddings && self.same(EMBEDDING, HEAD)?;
            if !derived && !twice {
                return refuse(format!("tensor `{name}` is not one of a {} model", hf_config::family(&self.config).0));
            }
            self.tensors.remove(name);
        }
        Ok(self)
    }

    /// Whether two tensors are stored as the same bytes.
    fn same(&self, one: &str, other: &str) -> Result<bool> {
        let (Some(one), Some(other)) = (self.tensors.get(one), self.tensors.get(other)) else { return Ok(false) };
        if (one.stored.format, &one.stored.shape) != (other.stored.format, &other.stored.shape) {
            return Ok(false);
        }
        let step = 1 << 20;
        for at in (0..one.stored.length).step_by(step) {
            let length = (one.stored.length - at).min(step as u64) as usize;
            let bytes = |place: &Place| self.files[place.file].bytes(place.stored.start + at, length);
            if bytes(one)? != bytes(other)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Rows of the embedding: ids of its tokenizer, and padding after them.
    pub fn vocab_size(&self) -> usize {
        self.vocab
    }

    /// Ids that its config says end a text, the usual one first.
    pub fn eos(&self) -> &[u32] {
        &self.eos
    }

    fn place(&self, name: &str) -> Result<&Place> {
        self.tensors.get(name).ok_or_else(|| Error::invalid(&self.path, format!("tensor `{name}` is missing")))
    }

    /// The numbers of a tensor in row-major order; finite ones.
    pub(crate) fn values(&self, name: &str) -> Result<Vec<f32>> {
        let place = self.place(name)?;
        let values = self.files[place.file].values(name, &place.stored)?;
        Ok(if place.interleaved > 0 { gguf::halves(&values, place.interleaved, &place.stored.shape) } else { values })
    }

    /// The same in pieces, so that memory is one piece; tensors with interleaved rows are one.
    pub(crate) fn pieces(&self, name: &str, put: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()> {
        match self.place(name)? {
            place if place.interleaved > 0 => put(&self.values(name)?),
            place => self.files[place.file].pieces(name, &place.stored, put),
        }
    }

    /// The model on a device, in 32-bit floats.
    pub fn model(&self, device: &Device) -> Result<Model> {
        self.model_with(device, self.vocab, |_, values| Ok(values))
    }

    /// The model with `vocab` ids: `table` gets the name and numbers of each table of the vocabulary,
    /// and gives that many rows.
    pub(crate) fn model_with(&self, device: &Device, vocab: usize, table: impl Fn(&str, Vec<f32>) -> Result<Vec<f32>>) -> Result<Model> {
        self.config.check(vocab)?;
        Model::build(&self.config, vocab, &mut |Wanted { name, shape, .. }| {
            let values = self.values(&name)?;
            let values = if name == EMBEDDING || name == HEAD { table(&name, values)? } else { values };
            Ok(Parameter::new(name, shape, values, device))
        })
    }

    /// BLAKE3 of everything that the model follows from: its config, the tokenizer that new rows are
    /// made by, and the files of its weights. Their names and places are not part of it. Reads every byte.
    pub fn digest(&self) -> Result<Digest> {
        let mut hasher = blake3::Hasher::new_derive_key("malmoi initial weights, version 1");
        if self.path.is_dir() {
            let config = read_at_most(&self.path.join(folder::CONFIG), folder::MAX_CONFIG)?;
            hasher.update(&(config.len() as u64).to_le_bytes()).update(&config);
        }
        if let Some(tokenizer) = self.tokenizer() {
            let mut hash = blake3::Hasher::new();
            let file = File::open(&tokenizer).map_err(Error::io("open", &tokenizer))?;
            hash.update_reader(file).map_err(Error::io("read", &tokenizer))?;
            hasher.update(hash.finalize().as_bytes());
        }
        self.files.iter().try_for_each(|file| file.hash(&mut hasher))?;
        Ok(Digest(*hasher.finalize().as_bytes()))
    }
}

pub(crate) const EMBEDDING: &str = "model.embed_tokens.weight";
pub(crate) const HEAD: &str = "lm_head.weight";

#[cfg(test)]
pub(crate) mod tests;
