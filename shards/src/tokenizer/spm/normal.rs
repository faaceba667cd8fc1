//! Normalization of training text, by the library itself: a model of one piece that has the rules.

use std::io::Read;

use ::sentencepiece::SentencePieceProcessor;
use flate2::read::GzDecoder;

use super::config::{META, NormalizationRule, SentencePieceConfig};
use crate::error::{Error, Result};
use crate::tokenizer::proto::{self, Normalizer, PieceKind};

fn fail(error: impl std::fmt::Display) -> Error {
    Error::Tokenizer { operation: "normalize text", detail: error.to_string() }
}

impl NormalizationRule {
    /// Its name in a model file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NmtNfkc => "nmt_nfkc",
            Self::NmtNfkcCf => "nmt_nfkc_cf",
            Self::Identity => "identity",
        }
    }

    /// The table of a model file.
    pub(super) fn table(self) -> Result<Vec<u8>> {
        let packed: &[u8] = match self {
            Self::NmtNfkc => include_bytes!("../../../data/nmt_nfkc.charsmap.gz"),
            Self::NmtNfkcCf => include_bytes!("../../../data/nmt_nfkc_cf.charsmap.gz"),
            Self::Identity => return Ok(Vec::new()),
        };
        let mut table = Vec::new();
        GzDecoder::new(packed).read_to_end(&mut table).map_err(fail)?;
        Ok(table)
    }
}

/// What a model file says of normalization.
pub(super) fn spec<'a>(config: &SentencePieceConfig, table: &'a [u8]) -> Normalizer<'a> {
    Normalizer {
        name: config.normalization_rule_name.name(),
        table,
        add_dummy_prefix: config.add_dummy_prefix,
        remove_extra_spaces: config.remove_extra_whitespaces,
    }
}

/// A model that can only normalize. It knows the user's symbols, which normalization leaves as they are.
pub(super) fn normalizer(config: &SentencePieceConfig, table: &[u8]) -> Result<SentencePieceProcessor> {
    let kinds = [PieceKind::Unknown, PieceKind::Control, PieceKind::Control];
    let given = META.iter().copied().zip(kinds).chain(config.user_defined_symbols.iter().map(|s| (s.as_str(), PieceKind::UserDefined)));
    let mut pieces: Vec<(&str, f32, PieceKind)> = given.map(|(text, kind)| (text, 0.0, kind)).collect();
    if !pieces.iter().any(|piece| piece.0 == "\u{2581}") {
        pieces.push(("\u{2581}", 0.0, PieceKind::Normal));
    }
    let trainer = proto::Trainer { unknown: 0, begin: Some(1), end: Some(2), ..proto::Trainer::default() };
    let model = proto::model(&pieces, &trainer, &spec(config, table));
    SentencePieceProcessor::from_serialized_proto(&model).map_err(fail)
}

/// A line as the trainer sees it: spaces are `▁`.
pub(super) fn normalize(processor: &SentencePieceProcessor, line: &str) -> Result<String> {
    processor.normalize(line).map_err(fail)
}
