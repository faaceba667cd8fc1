//! Trains a byte-level BPE: counts words, leaves rare characters out, and lets the tokenizers
//! crate find the merges.

use std::cmp::Reverse;

use ahash::{AHashMap, AHashSet};
use compact_str::CompactString;
use rayon::prelude::*;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::pattern::Pattern;
use tokenizers::{AddedToken, PreTokenizerWrapper, SplitDelimiterBehavior};

use super::config::{TrainConfig, TrainModel};
use super::{byte_level, cut};
use crate::error::{Error, Result};

/// How text is split into words that merges stay inside of: Qwen2's pattern, unchanged, so that
/// every engine that knows Qwen (llama.cpp, vLLM and others) also runs a tokenizer trained here.
/// A word is a run of letters with the one space or mark before it, so an eojeol keeps its leading
/// space and its particles, `ㅋㅋㅋ` is a word, and digits stand alone.
pub const SPLIT_PATTERN: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Text taken up before it is counted on all threads.
const ROUND_BYTES: usize = 16 << 20;
const MAX_TRAINED_VOCAB: u32 = 1 << 20;
/// The trainer adds up pair counts in `i32`; no pair is commoner than there are bytes.
const MAX_SAMPLE_BYTES: u64 = i32::MAX as u64;

type Words = AHashMap<CompactString, u64>;

fn fail(detail: impl ToString) -> Error {
    Error::Tokenizer { operation: "train the tokenizer", detail: detail.to_string() }
}

/// The trained tokenizer as a tokenizer.json.
pub(crate) fn train(config: &TrainConfig, eos: Option<&str>, texts: impl Iterator<Item = String> + Send) -> Result<String> {
    let split = split()?;
    check_with(config, eos, &split)?;
    let TrainModel::Bpe = config.model;
    let words = count(&split, texts, config.sample_bytes)?;
    if words.is_empty() {
        return Err(fail("there is no text to train on"));
    }
    let words = covered(words, config.character_coverage);
    let special = |token: &String| AddedToken::from(token.clone(), true);
    let special: Vec<AddedToken> = config.special_tokens.iter().map(special).collect();
    let trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(config.vocab_size as usize)
        .min_frequency(config.min_frequency)
        .special_tokens(special.clone())
        .initial_alphabet((0..=255).map(byte_level::char_of).collect())
        .build();
    let mut model = BPE::default();
    trainer.do_train(&words, &mut model).map_err(fail)?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    let bytes = ByteLevel::new(false, false, false);
    tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![PreTokenizerWrapper::Split(split), PreTokenizerWrapper::ByteLevel(bytes)])));
    tokenizer.with_decoder(Some(bytes));
    tokenizer.add_special_tokens(special).map_err(fail)?;
    tokenizer.to_string(false).map_err(fail)
}

fn split() -> Result<Split> {
    Split::new(SplitPattern::Regex(SPLIT_PATTERN.to_owned()), SplitDelimiterBehavior::Isolated, false).map_err(fail)
}

/// Checks the settings alone, before any text is read.
pub(crate) fn check(config: &TrainConfig, eos: Option<&str>) -> Result<()> {
    check_with(config, eos, &split()?)
}

fn check_with(config: &TrainConfig, eos: Option<&str>, split: &Split) -> Result<()> {
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
    if config.sample_bytes == 0 || config.sample_bytes > MAX_SAMPLE_BYTES {
        let detail = format!("{}, not 1 to {MAX_SAMPLE_BYTES}", config.sample_bytes);
        return bad("sample-bytes", detail);
    }
    if special.is_empty() {
        return bad("special-tokens", "none; a token must end documents".to_owned());
    }
    for (index, token) in special.iter().enumerate() {
        if special[..index].contains(token) {
            return bad("special-tokens", format!("`{token}` is listed twice"));
        }
        if (&split.regex).find_matches(token).map_err(fail)?.len() < 2 {
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

/// Counts the words of the first `limit` bytes of the texts. The sums do not depend on threads.
fn count(split: &Split, mut texts: impl Iterator<Item = String> + Send, limit: u64) -> Result<Words> {
    let mut words = Words::new();
    let mut left = limit;
    while left > 0 {
        let mut round = Vec::new();
        let mut size = 0;
        while left > 0 && size < ROUND_BYTES {
            let Some(mut text) = texts.next() else {
                left = 0;
                break;
            };
            if text.len() as u64 > left {
                text.truncate(text.floor_char_boundary(left as usize));
                left = 0;
            } else {
                left -= text.len() as u64;
            }
            size += text.len();
            round.push(text);
        }
        let parts: Vec<&str> = round.iter().flat_map(|text| cut::parts(text, cut::PART_BYTES)).collect();
        let counted = parts
            .par_iter()
            .try_fold(Words::new, |mut words, part| {
                let found = (&split.regex).find_matches(part).map_err(fail)?;
                for ((start, end), _) in found {
                    *words.entry(CompactString::from(&part[start..end])).or_default() += 1;
                }
                Ok::<_, Error>(words)
            })
            .try_reduce(Words::new, |a, b| Ok(merge(a, b)))?;
        words = merge(words, counted);
    }
    Ok(words)
}

fn merge(a: Words, b: Words) -> Words {
    let (mut into, from) = if a.len() < b.len() { (b, a) } else { (a, b) };
    from.into_iter().for_each(|(word, count)| *into.entry(word).or_default() += count);
    into
}

/// Cuts words at the rarest characters, those beyond `coverage` of all characters, and writes
/// what remains in the byte alphabet.
fn covered(words: Words, coverage: f64) -> Words {
    let mut counts: AHashMap<char, u64> = AHashMap::new();
    words.iter().for_each(|(word, count)| {
        word.chars().for_each(|c| *counts.entry(c).or_default() += count);
    });
    let mut counts: Vec<(char, u64)> = counts.into_iter().collect();
    counts.sort_unstable_by_key(|&(c, count)| (Reverse(count), c));
    let total: u64 = counts.iter().map(|(_, count)| count).sum();
    let mut before = 0;
    let kept: AHashSet<char> = counts
        .into_iter()
        .take_while(|(_, count)| {
            let needed = (before as f64) < coverage * total as f64;
            before += count;
            needed
        })
        .map(|(c, _)| c)
        .collect();
    let mut out = Words::new();
    words.into_iter().for_each(|(word, count)| {
        let runs = word.split(|c| !kept.contains(&c));
        for run in runs.filter(|run| !run.is_empty()) {
            let run: CompactString = run.bytes().map(byte_level::char_of).collect();
            *out.entry(run).or_default() += count;
        }
    });
    out
}
