//! Adapters as the PEFT library loads them: `adapter_config.json` and `adapter_model.safetensors`.

use std::path::Path;

use super::WeightFormat;
use super::hf::pretty;
use super::staged::{staged_folder, write_file};
use crate::error::{Error, Result};
use crate::load::{EMBEDDING, HEAD, Pretrained};
use crate::lora::{AdapterFile, Full, peft};
use crate::model::ScalarHead;
use crate::tensors::Writer;

/// What is written.
#[derive(Debug)]
pub struct AdapterExport<'a> {
    /// The adapters.
    pub adapters: &'a AdapterFile,
    /// The model that they belong to, with its vocabulary as it was in training.
    pub base: &'a Pretrained,
    /// Where that model is found: a folder, or its name on a hub.
    pub base_name: String,
    /// Type of the numbers.
    pub format: WeightFormat,
    /// More files of the folder, by name: the tokenizer's.
    pub files: Vec<(String, Vec<u8>)>,
}

impl AdapterExport<'_> {
    /// Writes the folder, which must not be there yet. Gives the names of its files.
    pub fn write(&self, folder: &Path) -> Result<Vec<String>> {
        let (model, vocab) = (self.base.config(), self.base.vocab_size());
        self.adapters.check(model, vocab)?;
        let lora = self.adapters.lora();
        let trained = |full| lora.full.contains(&full);
        if self.base.has_new_rows() && !(trained(Full::EmbedTokens) && (model.tied_embeddings || trained(Full::LmHead))) {
            let detail =
                "do not hold the new rows of the vocabulary, which are frozen and nowhere but in the run: no adapter can say what they are";
            return Err(Error::invalid(self.adapters.path(), detail));
        }
        staged_folder(folder, |temporary| {
            self.write_weights(&temporary.join(peft::WEIGHTS))?;
            write_file(&temporary.join(peft::CONFIG), &pretty(&peft::config(lora, model, &self.base_name)))?;
            let mut names = vec![peft::WEIGHTS.to_owned(), peft::CONFIG.to_owned()];
            for (name, bytes) in &self.files {
                write_file(&temporary.join(name), bytes)?;
                names.push(name.clone());
            }
            Ok(names)
        })
    }

    fn write_weights(&self, path: &Path) -> Result<()> {
        let (model, vocab) = (self.base.config(), self.base.vocab_size());
        // By the name there: where its numbers are, and its shape.
        let mut tensors: Vec<(String, String, Vec<usize>)> = Vec::new();
        // A value head is for the run alone that trains it.
        let policy = self.adapters.lora().tensors(model, vocab).into_iter().filter(|(name, _)| name != ScalarHead::Value.tensor());
        for (name, shape) in policy {
            if name == EMBEDDING && model.tied_embeddings {
                // PEFT wants a tied matrix twice.
                tensors.push((format!("{}{HEAD}", peft::PREFIX), name.clone(), shape.clone()));
            }
            tensors.push((format!("{}{name}", peft::PREFIX), name, shape));
        }
        tensors.sort_unstable();
        let infos = tensors.iter().map(|(name, _, shape)| (name.as_str(), self.format.dtype(), shape.as_slice()));
        let mut out = Writer::create(path, infos)?;
        let mut bytes = Vec::new();
        for (_, name, _) in &tensors {
            let mut done = 0;
            self.adapters.pieces(name, &mut |values| {
                self.format.check(self.adapters.path(), name, done, values)?;
                bytes.clear();
                values.iter().for_each(|&value| self.format.encode(value, &mut bytes));
                done += values.len();
                out.put(&bytes)
            })?;
        }
        out.finish().map(drop)
    }
}
