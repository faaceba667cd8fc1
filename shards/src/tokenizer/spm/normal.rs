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

/// A model that can only normalize. It does not know the user's symbols: `spm_train` normalizes them in
/// training text too, and looks for them afterwards.
pub(super) fn normalizer(config: &SentencePieceConfig, table: &[u8]) -> Result<SentencePieceProcessor> {
    let kinds = [PieceKind::Unknown, PieceKind::Control, PieceKind::Control, PieceKind::Normal];
    let texts = META.into_iter().chain(["\u{2581}"]);
    let pieces: Vec<(&str, f32, PieceKind)> = texts.zip(kinds).map(|(text, kind)| (text, 0.0, kind)).collect();
    let trainer = proto::Trainer { unknown: 0, begin: Some(1), end: Some(2), ..proto::Trainer::default() };
    let model = proto::model(&pieces, &trainer, &spec(config, table));
    SentencePieceProcessor::from_serialized_proto(&model).map_err(fail)
}

/// A line as the trainer sees it: spaces are `▁`.
pub(super) fn normalize(processor: &SentencePieceProcessor, line: &str) -> Result<String> {
    processor.normalize(line).map_err(fail)
}
