//! Models from elsewhere: a Hugging Face folder, or a GGUF file of llama.cpp.
//!
//! Opening reads `config.json` and the headers alone. All that follows is checked there: every tensor
//! that the model needs is in the files in its shape, and no other. Then numbers are read and
//! converted tensor by tensor, so that memory holds the model and one tensor. No code of a model is
//! ever run and no pickle is read.

mod file;
pub(crate) mod folder;
mod format;
pub(crate) mod gguf;
pub(crate) mod hf_config;
mod merged;
mod packed;
mod safetensors;
mod vocabulary;

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use shards::Digest;

pub(crate) use file::{Stored, WeightFile};
pub(crate) use format::Format;
pub use merged::MergeBase;
use merged::Merged;
use packed::{Packed, Scheme};
pub(crate) use safetensors::{open as open_floats, open_own as open_safetensors};
use vocabulary::Extended;
pub use vocabulary::extend_vocabulary;

use crate::error::{Error, Result};
use crate::export::{Packing, WeightFormat};
use crate::model::{Adapters, Model, ModelConfig, ScalarHead};
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
    /// Where a GGUF file tells of its tokenizer; empty in other forms.
    tokenizer_keys: Vec<Range<u64>>,
    /// The vocabulary, where it is a larger one than that of the files.
    extended: Option<Extended>,
    /// What was trained beside these weights.
    merged: Option<Merged>,
    /// Seed of a scalar head that the files do not have.
    new_head: Option<u64>,
    /// How the matrices of its layers are packed, where they are.
    scheme: Option<Scheme>,
}

/// Where a tensor is, and what is done to its rows after reading.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Which of the files.
    pub(crate) file: usize,
    pub(crate) stored: Stored,
    /// Heads whose rows are interleaved, as in Llama's GGUF files; 0 where they are not.
    pub(crate) interleaved: usize,
    /// What its codes are scaled by, where it is packed.
    pub(crate) packed: Option<Packed>,
}

impl Pretrained {
    /// Opens a Hugging Face folder, or a file that ends in `.gguf`.
    pub fn open(path: &Path) -> Result<Self> {
        let opened = if path.is_dir() {
            Self::open_folder(path)?
        } else if has_gguf_name(path) {
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
        let mut weights = folder::Weights::open(folder, config.packed.is_some())?;
        let place = |(name, (file, stored))| (name, Place { file, stored, interleaved: 0, packed: None });
        let tensors = match config.packed {
            Some(scheme) => packed::gather(scheme, &mut weights)?,
            None => weights.tensors.into_iter().map(place).collect(),
        };
        let opened = Self::new(folder, config.model, config.vocab, config.eos, weights.files, tensors);
        Ok(Self { scheme: config.packed, ..opened })
    }

    /// One safetensors file with the weights of a model of this shape.
    pub(crate) fn of_file(path: &Path, config: ModelConfig, vocab: usize) -> Result<Self> {
        let (file, tensors) = safetensors::open(path)?;
        let place = |(name, stored)| (name, Place { file: 0, stored, interleaved: 0, packed: None });
        let tensors = tensors.into_iter().map(place).collect();
        Self::new(path, config, vocab, Vec::new(), vec![file], tensors).checked()
    }

    fn new(
        path: &Path,
        config: ModelConfig,
        vocab: usize,
        eos: Vec<u32>,
        files: Vec<WeightFile>,
        tensors: BTreeMap<String, Place>,
    ) -> Self {
        let path = path.to_path_buf();
        Self {
            path,
            config,
            vocab,
            eos,
            files,
            tensors,
            tokenizer_keys: Vec::new(),
            extended: None,
            merged: None,
            new_head: None,
            scheme: None,
        }
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
        if one.packed.is_some() || (one.stored.format, &one.stored.shape) != (other.stored.format, &other.stored.shape) {
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
        self.extended.as_ref().map_or(self.vocab, |extended| extended.vocab)
    }

    /// Ids that its config says end a text, the usual one first.
    pub fn eos(&self) -> &[u32] {
        &self.eos
    }

    /// How the matrices of its layers are packed in a Hugging Face folder.
    pub fn packing(&self) -> Packing {
        match self.scheme {
            None => Packing::Plain,
            Some(Scheme::Nf4) => Packing::Nf4,
            Some(Scheme::Int4 { .. }) => Packing::Int4,
        }
    }

    /// Numbers of a row that share a scale, where the matrices are integers of four bits.
    pub fn group(&self) -> Option<usize> {
        match self.scheme {
            Some(Scheme::Int4 { group }) => Some(group),
            _ => None,
        }
    }

    /// The type that the embedding has in the files, as `BF16` or `Q4_K`: that of all that is not packed.
    pub fn stored_type(&self) -> &'static str {
        self.tensors.get(EMBEDDING).map_or("", |place| place.stored.format.name())
    }

    /// Bytes of the files of weights.
    pub fn file_bytes(&self) -> u64 {
        self.files.iter().map(WeightFile::length).sum()
    }

    /// The keys about the tokenizer of a GGUF file, each as its bytes stand there.
    pub(crate) fn tokenizer_keys(&self) -> Result<Vec<Vec<u8>>> {
        let Some(file) = self.files.first() else { return Ok(Vec::new()) };
        // In the header, so not longer than the file.
        self.tokenizer_keys.iter().map(|range| file.bytes(range.start, (range.end - range.start) as usize)).collect()
    }

    fn place(&self, name: &str) -> Result<&Place> {
        self.tensors.get(name).ok_or_else(|| Error::invalid(&self.path, format!("tensor `{name}` is missing")))
    }

    /// The numbers of a tensor in row-major order; finite ones.
    pub(crate) fn values(&self, name: &str) -> Result<Vec<f32>> {
        let mut all = Vec::new();
        self.pieces(name, &mut |values| {
            all.extend_from_slice(values);
            Ok(())
        })?;
        Ok(all)
    }

    /// The same in pieces, so that memory is one piece; tensors with interleaved rows are one, and so are tables
    /// that have more rows than in the files.
    pub(crate) fn pieces(&self, name: &str, put: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()> {
        match &self.merged {
            None => self.own_pieces(name, put),
            Some(merged) => match merged.full(name) {
                Some(adapters) => adapters.pieces(name, put),
                None => merged.pieces(name, &self.place(name)?.stored.shape, &|put| self.own_pieces(name, put), put),
            },
        }
    }

    /// Without what was trained beside it.
    fn own_pieces(&self, name: &str, put: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let place = self.place(name)?;
        let file = &self.files[place.file];
        if let Some(packed) = &place.packed {
            return packed.pieces(name, &(place.file, place.stored.clone()), &self.files, put);
        }
        match &self.extended {
            _ if place.interleaved > 0 => put(&gguf::halves(&file.values(name, &place.stored)?, place.interleaved, &place.stored.shape)),
            Some(extended) if name == EMBEDDING || name == HEAD => {
                put(&extended.table(file.values(name, &place.stored)?, self.config.hidden))
            }
            _ => file.pieces(name, &place.stored, put),
        }
    }

    /// The model on a device, in 32-bit floats.
    pub fn model(&self, device: &Device) -> Result<Model> {
        self.build(device, None, |_| ())
    }

    /// The same with every number as it is read back from a file of this format.
    pub fn rounded_model(&self, format: WeightFormat, device: &Device) -> Result<Model> {
        self.build(device, None, |values| values.iter_mut().for_each(|value| *value = format.rounded(*value)))
    }

    /// The same frozen, with new adapters, where these are given.
    pub(crate) fn adapted(&self, adapters: Option<Adapters>, device: &Device) -> Result<Model> {
        self.build(device, adapters, |_| ())
    }

    fn build(&self, device: &Device, adapters: Option<Adapters>, change: impl Fn(&mut [f32])) -> Result<Model> {
        let vocab = self.vocab_size();
        self.config.check(vocab)?;
        Model::build(&self.config, vocab, adapters, &mut |wanted| {
            let mut values = match self.new_head {
                Some(seed) if self.lacks(&wanted.name) => wanted.first(seed),
                _ => self.values(&wanted.name)?,
            };
            change(&mut values);
            Ok(wanted.filled(values, device))
        })
    }

    /// The same model with this head for numbers. Where the files have none, `seed` gives its first numbers; a
    /// [`ScalarHead::Score`] takes the place of the output matrix.
    ///
    /// # Errors
    /// A model that has another one: its numbers would be lost.
    pub fn with_scalar_head(mut self, head: Option<ScalarHead>, seed: u64) -> Result<Self> {
        if let Some(theirs) = self.config.scalar_head.filter(|theirs| Some(*theirs) != head) {
            let detail = match theirs {
                ScalarHead::Score => "is a reward model, which is for `objective` = \"reward\" alone",
                ScalarHead::Value => "has a value head, which belongs to the run that trained it",
            };
            return Err(Error::invalid(&self.path, detail));
        }
        if self.config.scalar_head != head {
            self.config.scalar_head = head;
            self.new_head = Some(seed);
        }
        Ok(self)
    }

    /// The model without a value head, which is for the run alone that trains it.
    pub fn without_value_head(mut self) -> Self {
        if self.config.scalar_head == Some(ScalarHead::Value) {
            self.config.scalar_head = None;
        }
        self
    }

    /// Whether this is the tensor of a head that neither the files nor the adapters merged into them have.
    fn lacks(&self, name: &str) -> bool {
        let merged = self.merged.as_ref().is_some_and(|merged| merged.full(name).is_some());
        self.config.scalar_head.is_some_and(|head| head.tensor() == name) && !self.tensors.contains_key(name) && !merged
    }

    /// Whether it is one GGUF file, which holds its vocabulary too.
    fn is_gguf(&self) -> bool {
        !self.path.is_dir() && has_gguf_name(&self.path)
    }

    /// BLAKE3 of everything that the model follows from: its config, the tokenizer that new rows are
    /// made by, and the files of its weights (of GGUF, the tokenizer is in the file). Their names and places are not part of it. Reads every byte.
    pub fn digest(&self) -> Result<Digest> {
        let mut hasher = blake3::Hasher::new_derive_key("malmoi initial weights, version 1");
        if self.path.is_dir() {
            let config = read_at_most(&self.path.join(folder::CONFIG), folder::MAX_CONFIG)?;
            hasher.update(&(config.len() as u64).to_le_bytes()).update(&config);
        }
        if let Some(tokenizer) = self.tokenizer_file() {
            let mut hash = blake3::Hasher::new();
            let file = File::open(&tokenizer).map_err(Error::io("open", &tokenizer))?;
            hash.update_reader(file).map_err(Error::io("read", &tokenizer))?;
            hasher.update(hash.finalize().as_bytes());
        }
        self.files.iter().try_for_each(|file| file.hash(&mut hasher))?;
        if self.merged.is_some() {
            // Of adapters there is no file here: what they made of the weights counts.
            for (name, _) in self.config.tensors(self.vocab_size()) {
                self.pieces(&name, &mut |values| {
                    for value in values {
                        hasher.update(&value.to_le_bytes());
                    }
                    Ok(())
                })?;
            }
        }
        Ok(Digest(*hasher.finalize().as_bytes()))
    }
}

fn has_gguf_name(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf"))
}

pub(crate) const EMBEDDING: &str = "model.embed_tokens.weight";
pub(crate) const HEAD: &str = "lm_head.weight";

#[cfg(test)]
pub(crate) mod tests;
