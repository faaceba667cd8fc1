//! What is served, as its own files say.

use std::path::{Path, PathBuf};

use shards::TemplateText;
use trainer::{ModelConfig, Packing, Pretrained, RopeScaling};

use crate::card::name_of;
use crate::cli::Server;
use crate::error::{Context, Error, Result};
use crate::layout;

/// An exported model.
pub(super) struct Subject {
    pub(super) config: ModelConfig,
    pub(super) vocab: usize,
    /// Bytes of its weights.
    pub(super) bytes: u64,
    /// Bytes of everything that is copied to a server.
    pub(super) copied: u64,
    /// Longest text in tokens; none of a GGUF file without one.
    pub(super) context: Option<u32>,
    /// Type of the numbers that are not packed: `BF16`.
    pub(super) stored: &'static str,
    pub(super) packing: Packing,
    /// Numbers of a row that share a scale, of integers of four bits.
    pub(super) group: Option<usize>,
    /// What its name is made of, where none is given.
    pub(super) called: String,
    /// What its users should know.
    pub(super) notes: Vec<String>,
}

impl Subject {
    /// Opens a model and checks that the server reads its form.
    pub(super) fn open(path: &Path, server: Server) -> Result<Self> {
        if path.join(layout::RECIPE).exists() {
            return Err(Error::new(format!("{} is a run folder, which no server reads", path.display()))
                .hint("`malmoi export` makes a model of it: --format hf or hf-w4a16 for vllm, gguf-q4_k_m for llama.cpp"));
        }
        let gguf = gguf_file(path)?;
        match (server, &gguf) {
            (Server::Vllm, Some(_)) => {
                return Err(Error::new(format!("{} is a GGUF file, which is for llama.cpp", path.display()))
                    .hint("say --target llama.cpp, or export with --format hf or hf-w4a16"));
            }
            (Server::LlamaCpp, None) => {
                return Err(Error::new(format!("{} has no GGUF file", path.display()))
                    .hint("export with --format gguf-q4_k_m or another gguf format, or say --target vllm"));
            }
            _ => {}
        }
        let weights = Pretrained::open(gguf.as_deref().unwrap_or(path)).map_err(Error::new)?;
        if weights.config().is_reward() {
            return Err(Error::new(format!("{} is a reward model, which says how good answers are and writes none", path.display()))
                .hint("deploy the model that was trained with it"));
        }
        let mut notes = Vec::new();
        if weights.packing() == Packing::Nf4 {
            return Err(Error::new(format!("{} is in NF4 of bitsandbytes, which vLLM 0.33 does not read", path.display()))
                .hint("export it with --format hf-w4a16, four bits that vLLM reads, or hf"));
        }
        if gguf.is_none() && !["tokenizer.json", "tokenizer.model"].iter().any(|name| path.join(name).is_file()) {
            return Err(Error::new(format!("{} has no tokenizer, without which vLLM does not start", path.display()))
                .hint("put its tokenizer.json or tokenizer.model there"));
        }
        let template = TemplateText::of_model(gguf.as_deref().unwrap_or(path)).map_err(Error::new)?;
        if template.is_none() {
            notes.push("the model has no chat template: the server continues texts and does not answer conversations".to_owned());
        }
        if weights.eos().is_empty() {
            notes.push("the model names no end token: its texts end at the limit of tokens alone".to_owned());
        }
        let copied = if gguf.is_some() { weights.file_bytes() } else { folder_bytes(path)? };
        let called = name_of(path).trim_end_matches(".gguf").to_owned();
        let config = weights.config().clone();
        Ok(Self {
            vocab: weights.vocab_size(),
            bytes: weights.file_bytes(),
            copied,
            context: context(&config),
            stored: weights.stored_type(),
            packing: weights.packing(),
            group: weights.group(),
            config,
            called,
            notes,
        })
    }
}

/// The file itself, or the only one of a folder.
fn gguf_file(path: &Path) -> Result<Option<PathBuf>> {
    let is_gguf = |path: &Path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf"));
    if !path.is_dir() {
        return Ok(is_gguf(path).then(|| path.to_path_buf()));
    }
    let cannot = || format!("cannot read {}", path.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).context(cannot)? {
        let entry = entry.context(cannot)?.path();
        if is_gguf(&entry) {
            found.push(entry);
        }
    }
    if found.len() > 1 {
        return Err(Error::new(format!("{} has {} GGUF files", path.display(), found.len())).hint("name the file"));
    }
    Ok(found.pop())
}

fn folder_bytes(folder: &Path) -> Result<u64> {
    let cannot = || format!("cannot read {}", folder.display());
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).context(cannot)? {
        let facts = entry.and_then(|entry| entry.path().metadata()).context(cannot)?;
        bytes += if facts.is_file() { facts.len() } else { 0 };
    }
    Ok(bytes)
}

/// What servers take for the longest text: where frequencies are stretched, what they are stretched to.
fn context(config: &ModelConfig) -> Option<u32> {
    match config.rope_scaling {
        Some(RopeScaling::Yarn { factor, original_positions, .. }) => Some((factor * f64::from(original_positions)) as u32),
        _ => config.max_positions,
    }
}
