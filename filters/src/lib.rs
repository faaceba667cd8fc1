//! Decide what is kept: filters over documents, each pure, each giving a reason that can be read.
//!
//! In the order a document meets them:
//! 1. [`FilterSpec`]: one entry of the recipe's `[[filters]]`, checked by [`FilterSpec::validate`];
//! 2. [`Chain`]: the built filters, applied in order until the first one drops the document;
//! 3. [`Metrics`]: every number a filter measured, and the word and line tables they share;
//! 4. [`Verdict`]: keep, or drop with a [`Reason`] such as `repetition/top-2-gram 0.31 > 0.282`.
//!
//! Each filter has a page, [`explain`], that is documentation and test at once.
//!
//! ```
//! use corpora::Document;
//! use filters::{Chain, FilterSpec, Verdict};
//!
//! let spec: FilterSpec = toml::from_str("length = { min-chars = 20 }")?;
//! let chain = Chain::new(&[spec])?;
//! let mut document = Document::new("1", "너무 짧은 글", "web", "korean");
//! let (verdict, metrics) = chain.apply(&mut document);
//! assert_eq!(metrics.get("chars"), Some(7.0));
//! match verdict {
//!     Verdict::Drop(reason) => assert_eq!(reason.to_string(), "length/chars 7 < 20"),
//!     Verdict::Keep => unreachable!(),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

/// Raised whenever a filter decides, measures or rewrites otherwise with the same options: runs of before are filtered
/// again.
pub const REVISION: u32 = 1;

mod bytes;
mod c4_lines;
mod c4_quality;
mod chain;
mod chars;
mod classifier;
mod code_quality;
mod decontaminate;
pub mod dedup;
mod edit;
mod encoding;
mod filter;
mod fineweb_quality;
mod gopher_dclm;
mod gopher_quality;
mod gopher_repetition;
mod hangul_ratio;
mod judge;
mod korean;
mod korean_quality;
mod language;
mod length;
mod lexicon;
mod madlad;
mod mask;
mod metrics;
mod ngrams;
mod normalize;
mod pages;
#[cfg(test)]
mod parity;
mod perplexity;
mod pii;
mod polynomial;
mod profanity;
mod punycode;
mod rules;
mod sealed;
mod secrets;
mod segmentation;
mod spam;
mod spec;
#[cfg(test)]
mod speed;
mod table;
mod url;
mod word_list;
mod words;

pub use c4_quality::{C4Preset, C4QualityConfig};
pub use chain::{Chain, MAX_TEXT_BYTES};
pub use classifier::{ClassifierConfig, Model, ModelError, Sample, Scores, Trainer, TrainerConfig};
pub use code_quality::{CodePreset, CodeQualityConfig};
pub use decontaminate::{Contaminated, DecontaminateConfig, EvalFiles, EvalSet, Finding, ItemSearch, Unit};
pub use encoding::EncodingConfig;
pub use filter::{Filter, Reason, Sign, Verdict};
pub use fineweb_quality::{FinewebPreset, FinewebQualityConfig};
pub use gopher_quality::{GopherQualityConfig, QualityPreset};
pub use gopher_repetition::{GopherRepetitionConfig, RepetitionPreset};
pub use hangul_ratio::HangulRatioConfig;
pub use korean::{Part, Piece, split_eojeol};
pub use korean_quality::KoreanQualityConfig;
pub use language::{LanguageConfig, LineMode};
pub use length::LengthConfig;
pub use madlad::MadladConfig;
pub use mask::Action;
pub use metrics::Metrics;
pub use normalize::{Form, NormalizeConfig, NormalizePreset, Tags, Whitespace, Width};
pub use pages::{NAMES, explain, filter_of_rule};
pub use perplexity::{Alphabet, CharCounts, LanguageModel, LanguageModelConfig, NgramCounts, PerplexityConfig};
pub use pii::PiiConfig;
pub use profanity::ProfanityConfig;
pub use rules::{Effect, Rule};
pub use secrets::SecretsConfig;
pub use segmentation::Segmentation;
pub use spam::SpamConfig;
pub use spec::{FilterSpec, SpecError};
pub use url::UrlConfig;
pub use words::{Lines, Word, Words};
