//! Trains a byte-level BPE.
//!
//! 1. [`count`] counts the words of a stream of texts: in [`words`], and in sorted [`runs`] on disk
//!    where memory does not suffice.
//! 2. [`coverage`] leaves rare characters out, [`alphabet`] makes the first [`tokens`].
//! 3. [`corpus`] lays all words out in one array.
//! 4. [`learn`] finds the merges, with the [`pairs`] of neighbours in a [`queue`]; [`sides`] is what
//!    stands around the places of a merge, [`turns`] deal merges to buckets.
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
mod turns;
mod words;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

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

/// A text to train on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainText {
    /// Its bucket, where `shares` are given.
    pub bucket: Option<Arc<str>>,
    /// The text.
    pub text: String,
}

impl From<String> for TrainText {
    fn from(text: String) -> Self {
        Self { bucket: None, text }
    }
}

impl From<(Arc<str>, String)> for TrainText {
    fn from((bucket, text): (Arc<str>, String)) -> Self {
        Self { bucket: Some(bucket), text }
    }
}

/// The trained tokenizer as a tokenizer.json. Word counts that memory does not hold are spilled into
/// unnamed files in `folder`.
pub(crate) fn train(
    config: &TrainConfig,
    eos: Option<&str>,
    folder: &Path,
    texts: impl Iterator<Item = impl Into<TrainText>>,
) -> Result<String> {
    check(config, eos)?;
    let TrainModel::Bpe = config.model;
    let scanner = Scanner::new(config.pattern.rules());
    let counts = count_shared(config, &scanner, folder, texts)?;
    let limits = Limits {
        tokens: config.vocab_size as usize,
        min_frequency: config.min_frequency,
        length: config.max_token_bytes.map_or(usize::MAX, |most| most as usize + 1),
        first_new: 0,
    };
    let shares: Vec<f64> = if config.shares.is_empty() { vec![1.0] } else { config.shares.values().copied().collect() };
    let (tokens, merges) = from_bytes(counts, &shares, Alphabet::ALL, config.character_coverage, &config.special_tokens, limits)?;
    file::write(config.pattern.regex(), &config.special_tokens, &tokens, &merges).map_err(fail)
}

/// Word counts of each bucket that has a share, or of all texts together.
fn count_shared(
    config: &TrainConfig,
    scanner: &Scanner,
    folder: &Path,
    texts: impl Iterator<Item = impl Into<TrainText>>,
) -> Result<Vec<Counts>> {
    let names: Vec<&str> = config.shares.keys().map(String::as_str).collect();
    let mut stray = None;
    let texts = texts.map_while(|text| {
        let TrainText { bucket, text } = text.into();
        if names.is_empty() {
            return Some((0, text));
        }
        let found = names.iter().position(|name| bucket.as_deref() == Some(name));
        if found.is_none() {
            stray = Some(bucket);
        }
        Some((found?, text))
    });
    let counts = count::count(scanner, texts, names.len().max(1), config.sample_bytes, config.memory_bytes, folder)?;
    if let Some(bucket) = stray {
        let bucket = bucket.map_or("a text without a bucket".to_owned(), |bucket| format!("bucket `{bucket}`"));
        return Err(Error::Setting { option: "shares", detail: format!("{bucket} has no share") });
    }
    for (at, counts) in counts.iter().enumerate() {
        if counts.is_empty()? {
            let of = names.get(at).map_or(String::new(), |name| format!(" in bucket `{name}`"));
            return Err(fail(format!("there is no text to train on{of}")));
        }
    }
    Ok(counts)
}

/// Tokens and merges learnt on counted words, with nothing but special tokens and bytes to begin with.
/// Each of `counts` has its share of the merges.
fn from_bytes(
    counts: Vec<Counts>,
    shares: &[f64],
    alphabet: Alphabet,
    coverage: f64,
    special: &[String],
    limits: Limits,
) -> Result<(Tokens, Vec<Merge>)> {
    let coverage = Coverage::new(&counts, coverage)?;
    let mut tokens = alphabet.tokens(special, &counts)?;
    let ids = std::array::from_fn(|byte| tokens.id(&[byte as u8]));
    let lay_out = |(counts, &share): (&Counts, &f64)| Ok((Corpus::new(&ByBytes { counts, coverage: &coverage, ids }, |_| 1)?, share));
    let corpora = counts.iter().zip(shares).map(lay_out).collect::<Result<_>>()?;
    drop(counts);
    let merges = learn::learn(corpora, &mut tokens, limits)?;
    Ok((tokens, merges))
}

/// Words as their bytes.
struct ByBytes<'c> {
    counts: &'c Counts,
    coverage: &'c Coverage,
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
    let shares = &config.shares;
    if !shares.is_empty() {
        let sum: f64 = shares.values().sum();
        if shares.values().any(|&share| share.is_nan() || share <= 0.0) || (sum - 1.0).abs() > 1e-6 {
            return bad("shares", format!("shares of the merges are above 0 and sum to 1, not {sum}"));
        }
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
