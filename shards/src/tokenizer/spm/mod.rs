//! Trains a SentencePiece model: the pieces, scores and ids of `spm_train`, of its types `bpe` and `unigram`.
//!
//! 1. [`lines`] cuts texts into lines and chooses those to train on.
//! 2. [`normal`] has the library normalize them.
//! 3. Here words and characters are counted.
//! 4. [`learn`] or [`unigram`] finds the pieces, [`pieces`] says which may be one.

mod config;
mod count;
mod learn;
mod lines;
mod normal;
mod pieces;
mod preset;
mod unigram;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use config::{NormalizationRule, SentencePieceConfig, SentencePieceModel};
pub use lines::LineCounts;
pub use preset::SentencePiecePreset;

use super::TrainText;
use super::proto::{self, PieceKind};
use crate::error::{Error, Result};
use config::META;
use count::{Bytes, Count, END};
use pieces::{Rules, SPACE};

/// A user's symbol in training text; no piece has it.
const BORDER: char = '\u{1f}';

/// The bytes of a model file, and what became of the lines.
pub(super) fn train(config: &SentencePieceConfig, texts: impl Iterator<Item = impl Into<TrainText>>) -> Result<(Vec<u8>, LineCounts)> {
    config.check()?;
    let table = config.normalization_rule_name.table()?;
    let processor = normal::normalizer(config, &table)?;
    let given = given(config);
    let mut corpus = Corpus::new(&given, config.allow_whitespace_only_pieces);
    let mut lines = lines::Lines::new(config);
    let mut failed = None;
    let mut take = |line: &str| match normal::normalize(&processor, line) {
        Ok(text) => corpus.add(&text),
        Err(error) => drop(failed.get_or_insert(error)),
    };
    for text in texts {
        lines.add(&text.into().text, &mut take);
        if lines.is_full() {
            break;
        }
    }
    let counts = lines.finish(&mut take);
    if let Some(error) = failed {
        return Err(error);
    }
    let characters = corpus.characters(config.character_coverage);
    let wanted = (config.vocab_size as usize).checked_sub(given.len() + characters.len()).ok_or_else(|| Error::Setting {
        option: "vocab-size",
        detail: format!(
            "{}, fewer than the {} characters that `character-coverage` asks for and {} other pieces",
            config.vocab_size,
            characters.len(),
            given.len()
        ),
    })?;
    let rules = Rules::new(config);
    let scored: Vec<(String, f32)> = match config.model_type {
        SentencePieceModel::Bpe => {
            let words = corpus.into_words().into_iter().map(|(word, count)| (word, count.all)).collect();
            let learnt = learn::learn(words, &characters, rules, wanted);
            let mut rest: Vec<(char, u64)> = characters.iter().map(|(&character, &count)| (character, count)).collect();
            rest.sort_by_key(|&(character, count)| (std::cmp::Reverse(count), character));
            let rest = rest.into_iter().map(|(character, _)| character.to_string());
            learnt.into_iter().chain(rest).enumerate().map(|(place, piece)| (piece, -(place as f32))).collect()
        }
        SentencePieceModel::Unigram => unigram::learn(corpus.into_words(), &characters, rules, config, wanted + characters.len()),
    };
    if scored.len() < wanted + characters.len() {
        let most = given.len() + scored.len();
        let detail = format!("{}, but the text gives {most} pieces", config.vocab_size);
        return Err(Error::Setting { option: "vocab-size", detail });
    }
    let scored = scored.iter().map(|(piece, score)| (piece.as_str(), *score, PieceKind::Normal));
    let given = given.iter().map(|(piece, kind)| (piece.as_str(), 0.0, *kind));
    let all: Vec<(&str, f32, PieceKind)> = given.chain(scored).collect();
    let trainer = proto::Trainer {
        unigram: config.model_type == SentencePieceModel::Unigram,
        unknown: 0,
        begin: Some(1),
        end: Some(2),
        byte_fallback: config.byte_fallback,
        user_defined: &config.user_defined_symbols,
        unknown_surface: Some(&config.unk_surface),
        split_digits: config.split_digits,
        pieces_of_spaces: config.allow_whitespace_only_pieces,
    };
    Ok((proto::model(&all, &trainer, &normal::spec(config, &table)), counts))
}

/// The pieces that are not learnt, in the order of their ids.
fn given(config: &SentencePieceConfig) -> Vec<(String, PieceKind)> {
    let kinds = [PieceKind::Unknown, PieceKind::Control, PieceKind::Control];
    let meta = META.iter().map(|piece| (*piece).to_owned()).zip(kinds);
    let user = config.user_defined_symbols.iter().map(|symbol| (symbol.clone(), PieceKind::UserDefined));
    let bytes = (0..=255u8).filter(|_| config.byte_fallback).map(|byte| (format!("<0x{byte:02X}>"), PieceKind::Byte));
    meta.chain(user).chain(bytes).collect()
}

/// Words and characters of the normalized lines.
struct Corpus {
    /// Given pieces, longest first: where text spells one, words end.
    given: Vec<String>,
    /// The characters that these begin with.
    first: BTreeSet<char>,
    /// Whether a word begins with all the spaces before it, and not with the last one.
    spaces_together: bool,
    words: HashMap<String, Count, ahash::RandomState>,
    /// The last word of the last line.
    before: Option<String>,
}

impl Corpus {
    fn new(given: &[(String, PieceKind)], spaces_together: bool) -> Self {
        let mut given: Vec<String> = given.iter().map(|(piece, _)| piece.clone()).collect();
        given.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
        let first = given.iter().filter_map(|piece| piece.chars().next()).collect();
        Self { given, first, spaces_together, words: HashMap::default(), before: None }
    }

    fn add(&mut self, line: &str) {
        let line = self.bordered(line);
        if let Some(&byte) = line.as_bytes().first() {
            self.follow(byte);
        }
        let mut start = 0;
        let begins = |at: usize| at > 0 && !(self.spaces_together && line[..at].ends_with(SPACE));
        for (at, _) in line.match_indices(SPACE).filter(|(at, _)| begins(*at)).chain([(line.len(), "")]) {
            if at > start {
                match self.words.get_mut(&line[start..at]) {
                    Some(count) => count.all += 1,
                    None => drop(self.words.insert(line[start..at].to_owned(), Count { all: 1, ..Count::default() })),
                }
                if at == line.len() {
                    self.before = Some(line[start..at].to_owned());
                }
            }
            start = at;
        }
    }

    /// Notes what comes after the line before: the first byte of a line, or the end of all.
    fn follow(&mut self, byte: u8) {
        if let Some(count) = self.before.take().and_then(|word| self.words.get_mut(&word)) {
            count.last += 1;
            count.next.insert(byte);
        }
    }

    /// The line with a border in place of every given piece.
    fn bordered(&self, line: &str) -> String {
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(character) = rest.chars().next() {
            let begins = self.first.contains(&character);
            let piece = self.given.iter().find(|piece| begins && rest.starts_with(piece.as_str()));
            match piece {
                Some(piece) => {
                    out.push(BORDER);
                    rest = &rest[piece.len()..];
                }
                None => {
                    out.push(character);
                    rest = &rest[character.len_utf8()..];
                }
            }
        }
        out
    }

    /// Words in the order of their letters, with their numbers.
    fn into_words(mut self) -> Vec<(String, Count)> {
        self.follow(END);
        let mut words: Vec<(String, Count)> = self.words.into_iter().collect();
        words.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        words
    }

    /// The commonest characters, until so large a share of all is covered.
    fn characters(&self, coverage: f64) -> BTreeMap<char, u64> {
        let mut counts: BTreeMap<char, u64> = BTreeMap::new();
        let words: BTreeMap<&String, u64> = self.words.iter().map(|(word, count)| (word, count.all)).collect();
        for (word, count) in words {
            for character in word.chars().filter(|&character| character != '\0') {
                *counts.entry(character).or_default() += count;
            }
        }
        let all: u64 = counts.values().sum();
        let mut order: Vec<(char, u64)> = counts.into_iter().collect();
        order.sort_by_key(|&(character, count)| (std::cmp::Reverse(count), character));
        let mut covered = 0u64;
        let mut wanted = BTreeMap::new();
        for (character, count) in order {
            // In 32 bits, as SentencePiece compares them.
            if (covered as f64 / all as f64) as f32 >= coverage as f32 {
                break;
            }
            covered += count;
            if character != BORDER {
                wanted.insert(character, count);
            }
        }
        wanted
    }
}
