//! Goes on training where an existing vocabulary ends.
//!
//! New merges rank after all old ones and join old tokens as they are found in text, so the new
//! tokenizer's tokens are the old one's, some of them joined. New ids follow the highest that is in use.

use std::path::Path;

use serde_json::Value;

use super::corpus::{Corpus, Pieces};
use super::count::{self, Counts};
use super::file;
use super::learn::{self, Limits, Merge};
use super::tokens::Tokens;
use crate::atomic;
use crate::error::{Error, Result};
use crate::tokenizer::engine::Engine;
use crate::tokenizer::huggingface::HuggingFace;

/// Most tokens that can be added.
const MOST: u32 = 1 << 20;

/// How to extend a tokenizer.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtendConfig {
    /// Tokens to add. Default 8000.
    pub new_tokens: u32,
    /// A pair must occur this often in the text. Default 2.
    pub min_frequency: u64,
    /// Longest token that is added, in bytes of UTF-8. Default: any length.
    pub max_token_bytes: Option<u32>,
    /// Bytes of text to read at most. Default: all.
    pub sample_bytes: u64,
    /// Memory for counting different words, in bytes. Default 1 GiB.
    pub memory_bytes: u64,
}

impl Default for ExtendConfig {
    fn default() -> Self {
        Self { new_tokens: 8000, min_frequency: 2, max_token_bytes: None, sample_bytes: u64::MAX, memory_bytes: 1 << 30 }
    }
}

/// A tokenizer with more tokens.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Extended {
    /// The tokenizer.json.
    pub file: String,
    /// The first new id.
    pub first: u32,
    /// Of each new id in turn, the old ids that it stands for: what its embedding can start from.
    pub parts: Vec<Vec<u32>>,
}

impl Extended {
    /// Rows that an embedding needs that has `rows` now, rounded up to `multiple`; never fewer than now.
    pub fn rows(&self, rows: u32, multiple: u32) -> u32 {
        let used = self.first.saturating_add(self.parts.len() as u32);
        if used <= rows { rows } else { used.checked_next_multiple_of(multiple.max(1)).unwrap_or(used) }
    }

    /// Writes the tokenizer.json; [`crate::Tokenizer::load`] reads it.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        atomic::write(path.as_ref(), self.file.as_bytes())
    }
}

fn fail(detail: impl ToString) -> Error {
    Error::Tokenizer { operation: "extend the tokenizer", detail: detail.to_string() }
}

pub(crate) fn extend(
    tokenizer: &HuggingFace,
    config: &ExtendConfig,
    folder: &Path,
    texts: impl Iterator<Item = String>,
) -> Result<Extended> {
    let bad = |option, detail: String| Err(Error::Setting { option, detail });
    if config.new_tokens == 0 || config.new_tokens > MOST {
        return bad("new-tokens", format!("{}, not 1 to {MOST}", config.new_tokens));
    }
    if config.max_token_bytes.is_some_and(|most| most < 2) {
        return bad("max-token-bytes", "less than 2, the length of the shortest merge".to_owned());
    }
    let engine = tokenizer.byte_level_engine().map_err(fail)?;
    let mut file: Value = serde_json::from_slice(&tokenizer.json).map_err(fail)?;
    keep_added(tokenizer, engine, &mut file)?;

    let texts = texts.map(|text| (0, text));
    let counts = count::count(engine, texts, 1, config.sample_bytes, config.memory_bytes, folder)?;
    let Some(counts) = counts.into_iter().next().filter(|counts| matches!(counts.is_empty(), Ok(false))) else {
        return Err(fail("there is no text to learn from"));
    };
    let mut tokens = Tokens::new();
    for entry in &tokenizer.vocab {
        match &entry.token {
            Some(token) => tokens.push_spelled(token),
            None => tokens.push_opaque(),
        }
    }
    let first = tokens.len() as u32;
    let limits = Limits {
        tokens: tokens.len() + config.new_tokens as usize,
        min_frequency: config.min_frequency,
        length: config.max_token_bytes.map_or(usize::MAX, |most| most as usize + 1),
        first_new: first,
    };
    let corpus = Corpus::new(&ByEngine { counts: &counts, engine }, |id| tokens.length(id))?;
    drop(counts);
    let merges = learn::learn(vec![(corpus, 1.0)], &mut tokens, limits)?;
    let parts = parts(&merges, first, &tokens);
    write(&mut file, first, &tokens, &merges)?;
    Ok(Extended { file: file.to_string(), first, parts })
}

/// Words as the tokens that the old vocabulary makes of them.
struct ByEngine<'c> {
    counts: &'c Counts,
    engine: &'c Engine,
}

impl Pieces for ByEngine<'_> {
    fn for_each(&self, sink: &mut dyn FnMut(&[u32], u64) -> Result<()>) -> Result<()> {
        let mut ids = Vec::new();
        self.counts.for_each(|word, count| {
            ids.clear();
            self.engine.encode_word(word, &mut ids);
            sink(&ids, count)
        })
    }
}

/// Enters added tokens into the model's vocabulary: the library numbers those that are not in it after
/// the vocabulary, so they would move when it grows.
fn keep_added(tokenizer: &HuggingFace, engine: &Engine, file: &mut Value) -> Result<()> {
    let added: Vec<String> =
        file["added_tokens"].as_array().into_iter().flatten().filter_map(|token| token["content"].as_str()).map(str::to_owned).collect();
    let whole_words = file["model"]["ignore_merges"] == true;
    let Some(vocab) = file["model"]["vocab"].as_object_mut() else { return Err(fail("it has no vocabulary")) };
    for token in added.iter().filter(|token| !token.is_empty()) {
        let Some(id) = tokenizer.id_of(token).filter(|_| !vocab.contains_key(token)) else { continue };
        if whole_words && engine.is_word(token) {
            return Err(fail(format!("text would become its added token {token:?} where it is a word")));
        }
        vocab.insert(token.clone(), id.into());
    }
    Ok(())
}

/// The old ids that each new one stands for.
fn parts(merges: &[Merge], first: u32, tokens: &Tokens) -> Vec<Vec<u32>> {
    let mut parts: Vec<Vec<u32>> = vec![Vec::new(); tokens.len() - first as usize];
    for &(left, right, id) in merges {
        let of = |id: u32| id.checked_sub(first).map_or_else(|| vec![id], |new| parts[new as usize].clone());
        let both = [of(left), of(right)].concat();
        // The first way to make it is the one that made the id.
        let new = &mut parts[(id - first) as usize];
        if new.is_empty() {
            *new = both;
        }
    }
    parts
}

fn write(file: &mut Value, first: u32, tokens: &Tokens, learnt: &[Merge]) -> Result<()> {
    let model = file["model"].as_object_mut().ok_or_else(|| fail("it has no model"))?;
    if let Some(vocab) = model.get_mut("vocab").and_then(Value::as_object_mut) {
        for id in first..tokens.len() as u32 {
            vocab.insert(file::spell(tokens.get(id)), id.into());
        }
    }
    let Some(merges) = model.get_mut("merges").and_then(Value::as_array_mut) else { return Err(fail("it has no merges")) };
    let as_lines = merges.iter().any(Value::is_string);
    for &(left, right, _) in learnt {
        let [left, right] = [left, right].map(|id| file::spell(tokens.get(id)));
        merges.push(if as_lines { format!("{left} {right}").into() } else { vec![left, right].into() });
    }
    Ok(())
}
