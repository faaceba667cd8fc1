//! Trains a byte-level BPE.
//!
//! 1. [`count`] counts the words of a stream of texts: in [`words`], and in sorted [`runs`] on disk
//!    where memory does not suffice.
//! 2. [`coverage`] leaves rare characters out, [`alphabet`] makes the first [`tokens`].
//! 3. [`corpus`] lays all words out in one array.
//! 4. [`learn`] finds the merges, with the [`pairs`] of neighbours in a [`queue`]; [`sides`] is what
//!    stands around the places of a merge.
//! 5. [`file`] writes the tokenizer.json.
//!
//! [`extend`] does the same with an existing vocabulary to begin with.

mod alphabet;
mod corpus;
mod count;
mod coverage;
mod extend;
mod file;
mod learn;
mod pairs;
mod queue;
mod runs;
mod sides;
mod tokens;
mod words;

#[cfg(test)]
mod tests;

use std::path::Path;

pub(crate) use self::extend::extend;
pub use self::extend::{ExtendConfig, Extended};

use self::alphabet::Alphabet;
use self::corpus::{Corpus, Pieces};
use self::count::Counts;
use self::coverage::Coverage;
use self::learn::{Limits, Merge};
use self::tokens::Tokens;
use super::config::{TrainConfig, TrainModel};
use super::engine::Scanner;
use crate::error::{Error, Result};

const MAX_TRAINED_VOCAB: u32 = 1 << 20;

fn fail(detail: impl ToString) -> Error {
    Error::Tokenizer { operation: "train the tokenizer", detail: detail.to_string() }
}

/// The trained tokenizer as a tokenizer.json. Word counts that memory does not hold are spilled into
/// unnamed files in `folder`.
pub(crate) fn train(config: &TrainConfig, eos: Option<&str>, folder: &Path, texts: impl Iterator<Item = String>) -> Result<String> {
    check(config, eos)?;
    let TrainModel::Bpe = config.model;
    let scanner = Scanner::new(config.pattern.rules());
    let counts = count::count(&scanner, texts, config.sample_bytes, config.memory_bytes, folder)?;
    if counts.is_empty() {
        return Err(fail("there is no text to train on"));
    }
    let limits = Limits {
        tokens: config.vocab_size as usize,
        min_frequency: config.min_frequency,
        length: config.max_token_bytes.map_or(usize::MAX, |most| most as usize + 1),
        first_new: 0,
    };
    let (tokens, merges) = from_bytes(counts, Alphabet::ALL, config.character_coverage, &config.special_tokens, limits)?;
    Ok(file::write(config.pattern.regex(), &config.special_tokens, &tokens, &merges).to_string())
}

/// Tokens and merges learnt on counted words, with nothing but special tokens and bytes to begin with.
fn from_bytes(counts: Counts, alphabet: Alphabet, coverage: f64, special: &[String], limits: Limits) -> Result<(Tokens, Vec<Merge>)> {
    let coverage = Coverage::new(&counts, coverage)?;
    let mut tokens = alphabet.tokens(special, &counts)?;
    let ids = std::array::from_fn(|byte| tokens.id(&[byte as u8]));
    let corpus = Corpus::new(&ByBytes { counts: &counts, coverage, ids }, |_| 1)?;
    drop(counts);
    let merges = learn::learn(corpus, &mut tokens, limits)?;
    Ok((tokens, merges))
}

/// Words as their bytes.
struct ByBytes<'c> {
    counts: &'c Counts,
    coverage: Coverage,
    /// None for a byte that is left out.
    ids: [Option<u32>; 256],
}

impl Pieces for ByBytes<'_> {
    fn for_each(&self, sink: &mut dyn FnMut(&[u32], u64) -> Result<()>) -> Result<()> {
        let mut ids = Vec::new();
        self.counts.for_each(|word, count| {
            self.coverage.runs(word, |run| {
                ids.clear();
                ids.extend(run.iter().filter_map(|&byte| self.ids[usize::from(byte)]));
                sink(&ids, count)
            })
        })
    }
}

/// Checks the settings alone, before any text is read.
pub(crate) fn check(config: &TrainConfig, eos: Option<&str>) -> Result<()> {
    let bad = |option, detail: String| Err(Error::Setting { option, detail });
    let special = &config.special_tokens;
    let least = 256 + special.len() as u64;
    let size = config.vocab_size;
    if u64::from(size) < least || size > MAX_TRAINED_VOCAB {
        let detail = format!("{size}, not {least} (bytes and special tokens) to {MAX_TRAINED_VOCAB}");
        return bad("vocab-size", detail);
    }
    let coverage = config.character_coverage;
    if !(coverage > 0.0 && coverage <= 1.0) {
        return bad("character-coverage", format!("{coverage}, not above 0 and at most 1"));
    }
    if config.sample_bytes == 0 {
        return bad("sample-bytes", "0, not at least 1".to_owned());
    }
    if config.max_token_bytes.is_some_and(|most| most < 2) {
        return bad("max-token-bytes", "less than 2, the length of the shortest merge".to_owned());
    }
    if special.is_empty() {
        return bad("special-tokens", "none; a token must end documents".to_owned());
    }
    let scanner = Scanner::new(config.pattern.rules());
    for (index, token) in special.iter().enumerate() {
        if special[..index].contains(token) {
            return bad("special-tokens", format!("`{token}` is listed twice"));
        }
        if token.is_empty() || scanner.end(token.as_bytes(), 0) == token.len() {
            let detail = format!("`{token}` may be a word of a text; write it as `<|{token}|>`");
            return bad("special-tokens", detail);
        }
    }
    match eos {
        Some(name) if !special.iter().any(|token| token == name) => {
            Err(Error::MissingEos { wanted: Some(name.to_owned()), candidates: special.clone() })
        }
        _ => Ok(()),
    }
}
