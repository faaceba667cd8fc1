//! A folder as Hugging Face's libraries write one: `config.json`, and weights in one safetensors file
//! or in many with an index.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::file::{Stored, WeightFile};
use super::safetensors;
use crate::error::{Error, Result};
use crate::tensors::read_at_most;

pub(crate) const CONFIG: &str = "config.json";
pub(crate) const SINGLE: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";
/// Longest `config.json`.
pub(crate) const MAX_CONFIG: u64 = 1 << 20;
/// Longest index; one of a hundred thousand tensors has about ten megabytes.
const MAX_INDEX: u64 = 16 << 20;
/// Most files of one model; each stays open.
const MAX_FILES: usize = 512;

/// The weights of a folder: every tensor's file and place.
#[derive(Debug)]
pub(crate) struct Weights {
    pub(crate) files: Vec<WeightFile>,
    /// By name: which of the files, and where in it.
    pub(crate) tensors: BTreeMap<String, (usize, Stored)>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Weights {
    /// Opens every file and checks its header, and that index and headers tell the same. Where matrices are packed,
    /// tensors may hold integers.
    pub(crate) fn open(folder: &Path, packed: bool) -> Result<Self> {
        let single = folder.join(SINGLE);
        if single.exists() {
            let mut weights = Self { files: Vec::new(), tensors: BTreeMap::new() };
            weights.add(&single, packed, &mut |_| Ok(()))?;
            return Ok(weights);
        }
        let path = folder.join(INDEX);
        if !path.exists() {
            let detail = format!("has neither {SINGLE} nor {INDEX}; weights in other forms, pickle among them, are not read");
            return Err(Error::invalid(folder, detail));
        }
        let text = read_at_most(&path, MAX_INDEX)?;
        let Index { mut weight_map } = serde_json::from_slice(&text).map_err(|error| Error::invalid(&path, error.to_string()))?;
        let mut names: Vec<String> = weight_map.values().cloned().collect();
        names.sort_unstable();
        names.dedup();
        if names.len() > MAX_FILES {
            return Err(Error::invalid(&path, format!("names {} files, at most {MAX_FILES} are read", names.len())));
        }
        let place = |name: &String| {
            inside(folder, name).ok_or_else(|| Error::invalid(&path, format!("{name:?} is not the name of a safetensors file")))
        };
        let places: Vec<PathBuf> = names.iter().map(place).collect::<Result<_>>()?;
        let mut weights = Self { files: Vec::new(), tensors: BTreeMap::new() };
        for (name, file) in names.iter().zip(places) {
            weights.add(&file, packed, &mut |tensor| match weight_map.remove(tensor) {
                Some(told) if told == *name => Ok(()),
                Some(told) => Err(Error::invalid(&path, format!("tensor `{tensor}` is in {name}, not in {told}"))),
                None => Err(Error::invalid(&path, format!("tensor `{tensor}` is in {name}, but not in the index"))),
            })?;
        }
        match weight_map.pop_first() {
            Some((tensor, name)) => Err(Error::invalid(&path, format!("tensor `{tensor}` is not in {name}"))),
            None => Ok(weights),
        }
    }

    fn add(&mut self, path: &Path, packed: bool, check: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let (file, tensors) = if packed { safetensors::open_own(path)? } else { safetensors::open(path)? };
        for (name, stored) in tensors {
            check(&name)?;
            self.tensors.insert(name, (self.files.len(), stored));
        }
        self.files.push(file);
        Ok(())
    }
}

/// A file of the folder itself: a plain name, no path.
fn inside(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut parts = Path::new(name).components();
    let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
    (plain && name.ends_with(".safetensors") && !name.contains(['\\', '\0', ':'])).then(|| folder.join(name))
}
