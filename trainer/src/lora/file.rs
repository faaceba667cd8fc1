//! Adapters in files: those of a checkpoint, or a folder of the PEFT library.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use shards::Digest;

use super::{DOWN, Full, LoraConfig, MAGNITUDE, UP, module, peft};
use crate::error::{Error, Result};
use crate::load::{EMBEDDING, HEAD, Stored, WeightFile, open_floats};
use crate::model::{Model, ModelConfig, ScalarHead};
use crate::tensors::read_at_most;

/// Adapters in a file, whose header has been checked. Numbers are read when they are asked for.
#[derive(Debug)]
pub struct AdapterFile {
    /// The folder, or the file of a checkpoint.
    path: PathBuf,
    lora: LoraConfig,
    /// The name of the model that they belong to, where it is told.
    base_name: Option<String>,
    file: WeightFile,
    /// By the name that a model's parameter has.
    tensors: BTreeMap<String, Stored>,
}

/// The matrices of one adapter.
pub(crate) struct Matrices {
    /// A, `[rank, in]`.
    pub(crate) down: Vec<f32>,
    /// B, `[out, rank]`.
    pub(crate) up: Vec<f32>,
    /// `[out]` with DoRA.
    pub(crate) lengths: Option<Vec<f32>>,
}

impl AdapterFile {
    /// Opens a folder with `adapter_config.json` and `adapter_model.safetensors`.
    pub fn open(folder: &Path) -> Result<Self> {
        let config = folder.join(peft::CONFIG);
        if !config.exists() {
            return Err(Error::invalid(folder, format!("has no {}, so it is no folder of a PEFT adapter", peft::CONFIG)));
        }
        let config = peft::parse(&config, &read_at_most(&config, peft::MAX_CONFIG)?)?;
        let path = folder.join(peft::WEIGHTS);
        if !path.exists() {
            let detail = format!("has no {}; weights in other forms, pickle among them, are not read", peft::WEIGHTS);
            return Err(Error::invalid(folder, detail));
        }
        let (file, found) = open_floats(&path)?;
        let mut tensors = BTreeMap::new();
        for (name, stored) in found {
            match name.strip_prefix(peft::PREFIX) {
                Some(ours) => tensors.insert(ours.to_owned(), stored),
                None => return file.refuse(format!("tensor `{name}` is not named as PEFT names them: {}…", peft::PREFIX)),
            };
        }
        Ok(Self { path: folder.to_path_buf(), lora: config.lora, base_name: config.base_name, file, tensors })
    }

    /// The file of a checkpoint, which has the names of a model's parameters.
    pub(crate) fn of_checkpoint(path: &Path, lora: &LoraConfig) -> Result<Self> {
        let (file, tensors) = open_floats(path)?;
        Ok(Self { path: path.to_path_buf(), lora: lora.clone(), base_name: None, file, tensors })
    }

    /// Where they were opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What kind of adapters they are.
    pub fn lora(&self) -> &LoraConfig {
        &self.lora
    }

    /// What their folder calls the model that they belong to.
    pub fn base_name(&self) -> Option<&str> {
        self.base_name.as_deref()
    }

    /// Rows of the vocabulary, where a table of it was trained in full.
    pub fn rows(&self) -> Option<usize> {
        [EMBEDDING, HEAD].iter().find_map(|name| self.tensors.get(*name)?.shape.first().copied())
    }

    /// That the file has what belongs to a model of this shape and vocabulary, and nothing else.
    pub fn check(&self, model: &ModelConfig, vocab: usize) -> Result<()> {
        self.lora.validate(model).map_err(|error| Error::invalid(&self.path, error.to_string()))?;
        let mut left = self.tensors.clone();
        for (name, shape) in self.lora.tensors(model, vocab) {
            match left.remove(&name) {
                None => return self.file.refuse(format!("tensor `{name}` is missing")),
                Some(stored) if stored.shape != shape => {
                    return self.file.refuse(format!("tensor `{name}` is {:?}, not {shape:?}", stored.shape));
                }
                Some(_) => {}
            }
        }
        if model.tied_embeddings && self.lora.full.contains(&Full::EmbedTokens) {
            match left.remove(HEAD) {
                // PEFT stores a tied matrix twice.
                Some(_) if self.same(EMBEDDING, HEAD)? => {}
                Some(_) => {
                    let detail = format!("tensor `{HEAD}` is not `{EMBEDDING}`, but in this model they are one matrix");
                    return self.file.refuse(detail);
                }
                // PEFT without `ensure_weight_tying` trains a copy for the input and leaves the output as it was.
                None if self.base_name.is_some() => {
                    let detail = format!(
                        "tensor `{HEAD}` is missing: `{EMBEDDING}` was trained apart from the output matrix, but in this model they are one"
                    );
                    return self.file.refuse(detail);
                }
                None => {}
            }
        }
        match left.keys().next() {
            Some(name) => self.file.refuse(format!("tensor `{name}` is not one of these adapters'")),
            None => Ok(()),
        }
    }

    fn same(&self, one: &str, other: &str) -> Result<bool> {
        Ok(self.values(one)? == self.values(other)?)
    }

    /// Whether there is a tensor of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    fn stored(&self, name: &str) -> Result<&Stored> {
        self.tensors.get(name).ok_or_else(|| Error::invalid(self.file.path(), format!("tensor `{name}` is missing")))
    }

    /// The numbers of a tensor, finite ones.
    pub(crate) fn values(&self, name: &str) -> Result<Vec<f32>> {
        self.file.values(name, self.stored(name)?)
    }

    /// The same in pieces; memory is one piece.
    pub(crate) fn pieces(&self, name: &str, put: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()> {
        self.file.pieces(name, self.stored(name)?, put)
    }

    /// The adapter beside a weight, if it has one.
    pub(crate) fn beside(&self, weight: &str) -> Result<Option<Matrices>> {
        let name = |part: &str| format!("{}.{part}", module(weight));
        if !self.has(&name(DOWN)) {
            return Ok(None);
        }
        let lengths = self.lora.dora.then(|| self.values(&name(MAGNITUDE))).transpose()?;
        Ok(Some(Matrices { down: self.values(&name(DOWN))?, up: self.values(&name(UP))?, lengths }))
    }

    /// Puts all numbers into the model that they belong to. A folder without the model's head for numbers leaves that as it is:
    /// these are adapters of a model of text, of which another one is to be made.
    pub(crate) fn restore(&self, model: &mut Model) -> Result<()> {
        let (device, head) = (model.device(), model.config().scalar_head);
        let theirs = head.filter(|head| self.base_name.is_none() || self.has(head.tensor()));
        self.check(&model.config().with_scalar_head(theirs), model.vocab_size())?;
        let new = head.filter(|_| theirs.is_none()).map(ScalarHead::tensor);
        for parameter in model.parameters_mut().into_iter().filter(|parameter| new != Some(parameter.name())) {
            let values = self.values(parameter.name())?;
            parameter.set(Tensor::from_data(TensorData::new(values, parameter.value().dims()), &device));
        }
        Ok(())
    }

    /// BLAKE3 of what training goes on from: what kind of adapters, and every number. Reads every byte.
    pub fn digest(&self) -> Result<Digest> {
        let mut hasher = blake3::Hasher::new_derive_key("malmoi initial adapters, version 1");
        let config = serde_json::to_vec(&self.lora).map_err(|error| Error::invalid(&self.path, error.to_string()))?;
        hasher.update(&(config.len() as u64).to_le_bytes()).update(&config);
        self.file.hash(&mut hasher)?;
        Ok(Digest(*hasher.finalize().as_bytes()))
    }
}
