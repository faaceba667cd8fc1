//! Checkpoints: a folder that holds all that training needs to go on as if it had never stopped.
//!
//! `step-000123/` has `model.safetensors` (names and shapes of Hugging Face), `optimizer.safetensors`
//! (each name with `.exp_avg` and `.exp_avg_sq`; of 8-bit moments the codes, with `.absmax` the scales), `state.json`, and `BLAKE3SUMS` over these, in the
//! form that `b3sum --check` reads. The folder is written under another name, synced, and renamed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use shards::Digest;

use crate::config::refuse;
use crate::error::{Error, Result};
use crate::load::Pretrained;
use crate::lora::{AdapterFile, Base, LoraConfig};
use crate::model::{Model, ModelConfig, Parameter, Precision};
use crate::optimizer::{AdamW, Codes, Moments};
use crate::tensors::{self, Data, Entry, Tensors, read_at_most};
use crate::trainer::Position;
use crate::watch::Best;

/// Version of the folder's layout; another one is refused.
pub const CHECKPOINT_VERSION: u32 = 1;

const MODEL: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const STATE: &str = "state.json";
const SUMS: &str = "BLAKE3SUMS";
/// What follows a parameter's name in the optimizer's file, as in PyTorch.
const MEAN: &str = "exp_avg";
const SQUARE: &str = "exp_avg_sq";
/// What follows that for the scales of codes.
const SCALES: &str = "absmax";
/// Longest text file of a checkpoint, bytes.
const MAX_TEXT: u64 = 1 << 24;
/// Of that, what is for everything but the trainings before; it takes a few thousand.
const OWN_TEXT: u64 = 1 << 16;

/// `state.json`: everything that is not a tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct State {
    /// Version of the layout, [`CHECKPOINT_VERSION`].
    pub version: u32,
    /// How far training is.
    pub position: Position,
    /// Seed of the run.
    pub seed: u64,
    /// Fingerprint of everything the run depends on, as the caller gave it.
    pub fingerprint: String,
    /// Fingerprint of the tokenizer whose ids the model knows.
    pub tokenizer: Digest,
    /// Ids the model knows.
    pub vocab_size: usize,
    /// The model's shape.
    pub model: ModelConfig,
    /// Numbers that activations consisted of; none in a checkpoint of an older program, which knew
    /// 32-bit floats alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// The adapters that the weights belong to; without, they are a whole model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    /// The best evaluation so far; none before the first one, or in a checkpoint of an older program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Best>,
    /// Evaluations since the last progress, as `early-stop` counts them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stale: u32,
    /// The trainings that the weights it began with have behind them, as whoever began it told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lineage: Vec<serde_json::Value>,
    /// The coefficient of the divergence in the reward of the next step; of PPO alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kl_coefficient: Option<f32>,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl State {
    /// That trainings before leave room for the rest of a state, so that what will be written can be read again.
    ///
    /// # Errors
    /// A list that is too long, which no training should find out at its first checkpoint.
    pub fn check_lineage(lineage: &[serde_json::Value]) -> Result<()> {
        let text = serde_json::to_vec_pretty(&serde_json::json!({ "lineage": lineage })).unwrap_or_default();
        let (size, most) = (text.len() as u64, MAX_TEXT - OWN_TEXT);
        if size > most {
            let detail = format!("a model whose `training_stages` in model_info.json take {size} bytes, at most {most}: shorten them");
            return refuse("init", detail);
        }
        Ok(())
    }

    /// How the frozen matrices beside adapters were kept; none where all was trained.
    pub fn kept(&self) -> Option<Base> {
        self.lora.as_ref().map(|lora| lora.base(self.precision.unwrap_or(Precision::F32)))
    }
}

/// A checkpoint on disk, its state read and checked, its tensors not yet.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    state: State,
    sums: BTreeMap<String, Digest>,
}

impl Checkpoint {
    /// The files of a checkpoint, besides the list of their checksums.
    pub const FILES: [&'static str; 3] = [MODEL, OPTIMIZER, STATE];
    /// The list of their checksums.
    pub const SUMS: &'static str = SUMS;

    /// Reads every byte and compares it with the checksums.
    pub fn verify(&self) -> Result<()> {
        for file in Self::FILES {
            tensors::check_digest(&self.folder.join(file), self.sum(file)?)?;
        }
        Ok(())
    }

    /// Writes `root/step-NNNNNN` and gives its path. An older folder of that name is replaced.
    pub(crate) fn save(root: &Path, state: &State, model: &Model, optimizer: &AdamW) -> Result<PathBuf> {
        fs::create_dir_all(root).map_err(Error::io("create", root))?;
        let path = root.join(name(state.position.step));
        let temporary = root.join(format!(".{}.tmp", name(state.position.step)));
        remove(&temporary)?;
        fs::create_dir(&temporary).map_err(Error::io("create", &temporary))?;

        let mut sums = String::new();
        for (file, entries) in [(MODEL, weights(model)), (OPTIMIZER, moments(model, optimizer))] {
            let digest = tensors::write(&temporary.join(file), &entries)?;
            sums += &format!("{digest}  {file}\n");
        }
        let mut text = serde_json::to_vec_pretty(state).map_err(|error| Error::invalid(&path, error.to_string()))?;
        text.push(b'\n');
        sums += &format!("{}  {STATE}\n", Digest(*blake3::hash(&text).as_bytes()));
        write(&temporary.join(STATE), &text)?;
        write(&temporary.join(SUMS), sums.as_bytes())?;
        sync(&temporary)?;

        // An older one gives its name up whole: no half removed one is ever read under it.
        let old = root.join(format!(".{}.old.tmp", name(state.position.step)));
        remove(&old)?;
        if path.exists() {
            fs::rename(&path, &old).map_err(Error::io("rename", &path))?;
        }
        fs::rename(&temporary, &path).map_err(Error::io("rename to", &path))?;
        sync(root)?;
        remove(&old)?;
        Ok(path)
    }

    /// The folders of the finished checkpoints in `root`, by step; none where there is no such folder.
    pub fn all(root: &Path) -> Result<Vec<(u64, PathBuf)>> {
        list(root)
    }

    /// The checkpoint of the latest step in `root`; none when there is none, or no such folder.
    pub fn latest(root: &Path) -> Result<Option<PathBuf>> {
        Ok(list(root)?.pop().map(|(_, path)| path))
    }

    /// Whether there is a checkpoint of this step in `root`.
    pub(crate) fn is_there(root: &Path, step: u64) -> bool {
        root.join(name(step)).is_dir()
    }

    /// The best evaluation that the checkpoint of a step knows of.
    pub(crate) fn best_known(root: &Path, step: u64) -> Result<Option<Best>> {
        Ok(Self::open(&root.join(name(step)))?.state.best)
    }

    /// The checkpoint of the best evaluation that the latest one knows of; none where it is not kept.
    pub fn best(root: &Path) -> Result<Option<PathBuf>> {
        let Some(latest) = Self::latest(root)? else { return Ok(None) };
        let best = Self::open(&latest)?.state.best.map(|best| root.join(name(best.step)));
        Ok(best.filter(|path| path.is_dir()))
    }

    /// Removes all but the `keep` latest ones and that of step `best`, and what a killed run left half
    /// written.
    pub(crate) fn prune(root: &Path, keep: usize, best: Option<u64>) -> Result<()> {
        let all = list(root)?;
        let old = &all[..all.len().saturating_sub(keep)];
        for (_, path) in old.iter().filter(|(step, _)| Some(*step) != best) {
            // Under the name of an unfinished one first, so that no half removed one is ever read.
            let unfinished = root.join(format!(".{}.tmp", path.file_name().unwrap_or_default().to_string_lossy()));
            remove(&unfinished)?;
            fs::rename(path, &unfinished).map_err(Error::io("rename", path))?;
        }
        for name in names(root)?.iter().filter(|name| name.starts_with(".step-") && name.ends_with(".tmp")) {
            remove(&root.join(name))?;
        }
        Ok(())
    }

    /// Reads the state and the checksums.
    pub fn open(folder: &Path) -> Result<Self> {
        let sums = read_sums(&folder.join(SUMS))?;
        let path = folder.join(STATE);
        let text = read_at_most(&path, MAX_TEXT)?;
        if sums.get(STATE) != Some(&Digest(*blake3::hash(&text).as_bytes())) {
            return Err(Error::invalid(&path, format!("its BLAKE3 hash is not the one in {SUMS}: the file is damaged")));
        }
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let parsed = |error: serde_json::Error| Error::invalid(&path, error.to_string());
        let Version { version } = serde_json::from_slice(&text).map_err(parsed)?;
        if version != CHECKPOINT_VERSION {
            return Err(Error::invalid(&path, format!("version {version}, this program reads version {CHECKPOINT_VERSION}")));
        }
        let state: State = serde_json::from_slice(&text).map_err(parsed)?;
        state.model.check(state.vocab_size)?;
        Ok(Self { folder: folder.to_path_buf(), state, sums })
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything that is not a tensor.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The model. Every name, shape and byte is checked. A checkpoint of adapters is no model by itself.
    pub fn model(&self, device: &Device) -> Result<Model> {
        self.whole()?;
        let State { model, vocab_size, .. } = &self.state;
        self.read(MODEL, |file| {
            Model::build(model, *vocab_size, None, &mut |wanted| {
                let values = file.take(&wanted.name, &wanted.shape)?;
                Ok(wanted.filled(values, device))
            })
        })
    }

    /// Puts the trained tensors of a model where they were: of one with adapters, whose frozen weights are no
    /// part of a checkpoint.
    pub(crate) fn restore(&self, model: &mut Model) -> Result<()> {
        match self.adapters()? {
            Some(adapters) => adapters.restore(model),
            None => Err(Error::invalid(&self.folder, "holds a whole model and no adapters")),
        }
    }

    /// The adapters that were trained, every byte compared with its checksum; none where it was a whole model.
    pub fn adapters(&self) -> Result<Option<AdapterFile>> {
        let Some(lora) = &self.state.lora else { return Ok(None) };
        let path = self.folder.join(MODEL);
        tensors::check_digest(&path, self.sum(MODEL)?)?;
        AdapterFile::of_checkpoint(&path, lora).map(Some)
    }

    /// Puts the optimizer, new for this model, where it was.
    pub(crate) fn optimizer(&self, model: &Model, optimizer: &mut AdamW) -> Result<()> {
        let device = model.device();
        let like: Vec<bool> = optimizer.moments().iter().map(Moments::is_coded).collect();
        let moments = self.read(OPTIMIZER, |file| {
            let of = |(parameter, coded): (&Parameter, bool)| {
                let name = |moment: &str| format!("{}.{moment}", parameter.name());
                let mut coded_moment = |moment: &str| -> Result<Codes> {
                    let codes = file.take_bytes(&name(moment), &[parameter.len()])?;
                    let scales = file.take(&format!("{}.{SCALES}", name(moment)), &[Codes::blocks(parameter.len())])?;
                    Ok(Codes { codes, scales })
                };
                if coded {
                    return Ok(Moments::coded([coded_moment(MEAN)?, coded_moment(SQUARE)?], &device));
                }
                let mut moment = |moment: &str| -> Result<Tensor<2>> {
                    let values = file.take(&name(moment), parameter.shape())?;
                    Ok(Tensor::from_data(TensorData::new(values, parameter.value().dims()), &device))
                };
                Ok(Moments::Full([moment(MEAN)?, moment(SQUARE)?]))
            };
            model.parameters().into_iter().zip(like).map(of).collect()
        })?;
        optimizer.restore(self.state.position.updates, moments);
        Ok(())
    }

    /// The weights alone, every byte compared with its checksum, to be read tensor by tensor. Of adapters,
    /// [`Pretrained::merged`] makes a whole model.
    pub fn weights(&self) -> Result<Pretrained> {
        self.whole()?;
        let path = self.folder.join(MODEL);
        tensors::check_digest(&path, self.sum(MODEL)?)?;
        Pretrained::of_file(&path, self.state.model.clone(), self.state.vocab_size)
    }

    /// That the weights are a whole model's.
    fn whole(&self) -> Result<()> {
        match self.state.lora {
            None => Ok(()),
            Some(_) => Err(Error::invalid(&self.folder, "holds adapters: the model follows from them and from what they were trained on")),
        }
    }

    fn read<T>(&self, file: &str, take: impl FnOnce(&mut Tensors) -> Result<T>) -> Result<T> {
        tensors::read(&self.folder.join(file), self.sum(file)?, take)
    }

    fn sum(&self, file: &str) -> Result<Digest> {
        let missing = || Error::invalid(&self.folder.join(SUMS), format!("has no line for {file}"));
        self.sums.get(file).copied().ok_or_else(missing)
    }
}

fn weights(model: &Model) -> Vec<Entry<'static>> {
    let entry = |p: &Parameter| Entry { name: p.name().to_owned(), shape: p.shape().to_vec(), data: Data::Tensor(p.value()) };
    model.parameters().into_iter().map(entry).collect()
}

/// Two for each parameter: mean gradient, mean square. Codes stand at the end of the file, where they
/// move no float off its alignment, and their scales with the floats.
fn moments<'a>(model: &Model, optimizer: &'a AdamW) -> Vec<Entry<'a>> {
    let (mut floats, mut codes) = (Vec::new(), Vec::new());
    for (parameter, moments) in model.parameters().into_iter().zip(optimizer.moments()) {
        let name = |moment: &str| format!("{}.{moment}", parameter.name());
        match moments {
            Moments::Full(values) => floats.extend([MEAN, SQUARE].into_iter().zip(values).map(|(moment, value)| Entry {
                name: name(moment),
                shape: parameter.shape().to_vec(),
                data: Data::Tensor(value.clone()),
            })),
            Moments::Coded(coded) => {
                for (moment, coded) in [MEAN, SQUARE].into_iter().zip(coded) {
                    let scales = Data::Floats(&coded.scales);
                    floats.push(Entry { name: format!("{}.{SCALES}", name(moment)), shape: vec![coded.scales.len()], data: scales });
                    codes.push(Entry { name: name(moment), shape: vec![coded.codes.len()], data: Data::Bytes(&coded.codes) });
                }
            }
            #[cfg(feature = "cuda")]
            Moments::OnCard(coded) => {
                for (moment, coded) in [MEAN, SQUARE].into_iter().zip(coded) {
                    let shape = vec![Codes::blocks(parameter.len())];
                    floats.push(Entry { name: format!("{}.{SCALES}", name(moment)), shape, data: Data::CardScales(coded) });
                    codes.push(Entry { name: name(moment), shape: vec![parameter.len()], data: Data::CardCodes(coded) });
                }
            }
        }
    }
    floats.extend(codes);
    floats
}

fn name(step: u64) -> String {
    format!("step-{step:06}")
}

fn names(root: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", root)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(Error::io("list", root))?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// Finished checkpoints by step.
fn list(root: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut all: Vec<(u64, PathBuf)> = Vec::new();
    for found in names(root)? {
        // What this program would not have named so is not its own.
        let step = found.strip_prefix("step-").and_then(|digits| digits.parse().ok());
        all.extend(step.filter(|&step| name(step) == found).map(|step| (step, root.join(found))));
    }
    all.sort_unstable();
    Ok(all)
}

fn read_sums(path: &Path) -> Result<BTreeMap<String, Digest>> {
    let bytes = read_at_most(path, MAX_TEXT)?;
    let mut sums = BTreeMap::new();
    for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
        let entry = line.split_once("  ").and_then(|(digest, file)| Some((digest.parse().ok()?, file)));
        match entry.filter(|(_, file)| Checkpoint::FILES.contains(file)) {
            Some((digest, file)) => drop(sums.insert(file.to_owned(), digest)),
            None => return Err(Error::invalid(path, format!("line {} is not a hash and a file of a checkpoint", number + 1))),
        }
    }
    Ok(sums)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create(path).map_err(Error::io("create", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(Error::io("write", path))
}

/// Makes a folder's entries durable.
fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io("sync folder", folder))
}

/// Removes a folder if it is there.
fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", folder)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
