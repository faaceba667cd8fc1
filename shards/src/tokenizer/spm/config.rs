//! The recipe's `[tokenizer] sentencepiece`.

use serde::{Deserialize, Serialize};

use super::preset::SentencePiecePreset;
use crate::error::{Error, Result};

/// `[tokenizer] sentencepiece`: the options of `spm_train` by their own names, with `-` or `_` between
/// words. What is not here has the value that `spm_train` gives it.
///
/// The defaults keep what a text is: `spm_train`'s own normalize it, make one space of several, tabs and line breaks, and
/// lose characters without a piece, so that code cannot be written back. A preset has those of a guide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SentencePieceConfig {
    /// Values by name for the options that are left out, see [`SentencePiecePreset`]. Whoever reads a recipe
    /// puts them in. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<SentencePiecePreset>,
    /// `bpe` or `unigram`. Default `bpe`.
    #[serde(alias = "model_type")]
    pub model_type: SentencePieceModel,
    /// Pieces in all, the unknown one, control and user-defined symbols among them. Default 32000.
    #[serde(alias = "vocab_size")]
    pub vocab_size: u32,
    /// Share of the characters, by number of occurrences, that get a piece of their own. Default 0.9995.
    #[serde(alias = "character_coverage")]
    pub character_coverage: f64,
    /// How text is normalized: `nmt_nfkc`, `nmt_nfkc_cf` (the same in lower case) or `identity`. Default `identity`.
    #[serde(alias = "normalization_rule_name")]
    pub normalization_rule_name: NormalizationRule,
    /// Whether spaces at the ends, and all but one between words, are removed. Default false.
    #[serde(alias = "remove_extra_whitespaces")]
    pub remove_extra_whitespaces: bool,
    /// Whether a space is put before a text. Default false.
    #[serde(alias = "add_dummy_prefix")]
    pub add_dummy_prefix: bool,
    /// Train on so many lines; 0 is all. Default 0.
    #[serde(alias = "input_sentence_size")]
    pub input_sentence_size: u64,
    /// Whether these are spread over all lines, chosen by a hash, and not the first ones. Default true.
    #[serde(alias = "shuffle_input_sentence")]
    pub shuffle_input_sentence: bool,
    /// Pieces that text is never split inside of. Default: none.
    #[serde(alias = "user_defined_symbols")]
    pub user_defined_symbols: Vec<String>,
    /// What an unknown piece is decoded to. Default ` ⁇ `.
    #[serde(alias = "unk_surface")]
    pub unk_surface: String,
    /// Whether a character without a piece becomes its bytes, which then are 256 pieces. Default true.
    #[serde(alias = "byte_fallback")]
    pub byte_fallback: bool,
    /// Longest line in bytes; longer ones are cut, where `spm_train` leaves them out. Default 4192.
    #[serde(alias = "max_sentence_length")]
    pub max_sentence_length: u32,
    /// Longest piece in characters. Default 16.
    #[serde(alias = "max_sentencepiece_length")]
    pub max_sentencepiece_length: u32,
    /// Whether every digit is a piece of its own. Default false.
    #[serde(alias = "split_digits")]
    pub split_digits: bool,
    /// Whether several spaces may be a piece, as code is indented. Default true.
    #[serde(alias = "allow_whitespace_only_pieces")]
    pub allow_whitespace_only_pieces: bool,
    /// Unigram: with how many pieces training begins; 0 is 8 times `vocab-size`, and 100000 at least. Default 1000000.
    #[serde(alias = "seed_sentencepiece_size")]
    pub seed_sentencepiece_size: u32,
    /// Unigram: the share of the pieces that each pruning keeps. Default 0.75.
    #[serde(alias = "shrinking_factor")]
    pub shrinking_factor: f32,
    /// Unigram: rounds of expectation and maximization before each pruning. Default 2.
    #[serde(alias = "num_sub_iterations")]
    pub num_sub_iterations: u32,
}

/// The kind of model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SentencePieceModel {
    /// Byte-pair encoding of characters.
    #[default]
    Bpe,
    /// The likeliest pieces of a unigram language model.
    Unigram,
}

/// A normalization that is part of SentencePiece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormalizationRule {
    /// NFKC with what neural translation wants of spaces.
    NmtNfkc,
    /// The same in lower case.
    NmtNfkcCf,
    /// None.
    #[default]
    Identity,
}

impl Default for SentencePieceConfig {
    fn default() -> Self {
        Self {
            preset: None,
            model_type: SentencePieceModel::Bpe,
            vocab_size: 32_000,
            character_coverage: 0.9995,
            normalization_rule_name: NormalizationRule::default(),
            remove_extra_whitespaces: false,
            add_dummy_prefix: false,
            input_sentence_size: 0,
            shuffle_input_sentence: true,
            user_defined_symbols: Vec::new(),
            unk_surface: " \u{2047} ".to_owned(),
            byte_fallback: true,
            max_sentence_length: 4192,
            max_sentencepiece_length: 16,
            split_digits: false,
            allow_whitespace_only_pieces: true,
            seed_sentencepiece_size: 1_000_000,
            shrinking_factor: 0.75,
            num_sub_iterations: 2,
        }
    }
}

/// Pieces every model has: unknown, beginning, end.
pub(super) const META: [&str; 3] = ["<unk>", "<s>", "</s>"];

impl SentencePieceConfig {
    /// Checks what can be known before any text is read; the message names the option.
    pub(crate) fn check(&self) -> Result<()> {
        let bad = |option, detail: String| Err(Error::Setting { option, detail });
        if self.preset.is_some() {
            return bad("preset", "a name, which is for whoever reads the recipe to fill in".to_owned());
        }
        let meta = META.len() + self.user_defined_symbols.len() + if self.byte_fallback { 256 } else { 0 };
        if (self.vocab_size as usize) <= meta || self.vocab_size > crate::tokenizer::MAX_VOCAB {
            return bad("vocab-size", format!("{}, not above the {meta} pieces that are given and at most 16777216", self.vocab_size));
        }
        if !(0.98..=1.0).contains(&self.character_coverage) {
            return bad("character-coverage", format!("{}, not from 0.98 to 1", self.character_coverage));
        }
        if self.max_sentence_length < 64 {
            return bad("max-sentence-length", format!("{}, at least 64", self.max_sentence_length));
        }
        if !(1..=512).contains(&self.max_sentencepiece_length) {
            return bad("max-sentencepiece-length", format!("{}, not from 1 to 512", self.max_sentencepiece_length));
        }
        if !(0.5..=0.95).contains(&self.shrinking_factor) {
            return bad("shrinking-factor", format!("{}, not from 0.5 to 0.95", self.shrinking_factor));
        }
        if !(1..=10).contains(&self.num_sub_iterations) {
            return bad("num-sub-iterations", format!("{}, not from 1 to 10", self.num_sub_iterations));
        }
        if self.seed_sentencepiece_size > 0 && self.seed_sentencepiece_size <= self.vocab_size {
            return bad("seed-sentencepiece-size", format!("{}, not above `vocab-size`", self.seed_sentencepiece_size));
        }
        let default = Self::default();
        let of_unigram = |config: &Self| (config.seed_sentencepiece_size, config.shrinking_factor, config.num_sub_iterations);
        if self.model_type == SentencePieceModel::Bpe && of_unigram(self) != of_unigram(&default) {
            let detail = "`seed-sentencepiece-size`, `shrinking-factor` and `num-sub-iterations` are for `unigram`".to_owned();
            return bad("model-type", detail);
        }
        for (index, symbol) in self.user_defined_symbols.iter().enumerate() {
            let taken = META.contains(&symbol.as_str()) || self.user_defined_symbols[..index].contains(symbol);
            if symbol.is_empty() || taken || (self.byte_fallback && crate::tokenizer::sentencepiece::byte_piece(symbol).is_some()) {
                return bad("user-defined-symbols", format!("`{symbol}` is empty, listed twice, or a piece of every model"));
            }
        }
        Ok(())
    }
}
