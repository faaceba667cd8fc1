//! What `preview`, `sample` and `filters` are asked for.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use filters::dedup::ByteSize;

/// What is previewed.
#[derive(Args, Debug)]
pub(crate) struct PreviewArgs {
    /// The recipe.
    pub(crate) recipe: PathBuf,
    /// Only documents of this source [default: of every source].
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// How many documents of a source, from its beginning.
    #[arg(long, short = 'n', value_name = "K", default_value_t = 3)]
    pub(crate) rows: usize,
    /// One line for each token: position, id, `+` if it is learned, text.
    #[arg(long)]
    pub(crate) tokens: bool,
}

/// What `sample` is asked for.
#[derive(Args, Clone, Debug)]
pub(crate) struct SampleArgs {
    /// The run folder.
    pub(crate) run: PathBuf,
    /// Only documents that stayed.
    #[arg(long, conflicts_with_all = ["dropped", "reason"])]
    pub(crate) kept: bool,
    /// Only documents that were dropped, duplicates and unreadable records among them.
    #[arg(long)]
    pub(crate) dropped: bool,
    /// Only what this dropped or shortened: a filter (gopher-repetition, dedup) or one rule of it
    /// (gopher-repetition/top-2-gram, dedup/substrings).
    #[arg(long, value_name = "REASON")]
    pub(crate) reason: Option<String>,
    /// Only documents of this bucket.
    #[arg(long, value_name = "BUCKET")]
    pub(crate) bucket: Option<String>,
    /// How many documents for each reason.
    #[arg(short = 'k', long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) documents: u16,
    /// Another seed gives other documents.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FiltersCommand {
    /// Train the model of the filter `classifier`, and say how good it is on texts it never saw.
    Train(ClassifierTraining),
    /// Train the model of the filter `perplexity`, and say how surprising it finds texts it never saw.
    TrainLm(LanguageModelTraining),
}

/// What a language model is trained on.
#[derive(Args, Debug)]
pub(crate) struct LanguageModelTraining {
    /// Texts as they should be: files, folders, globs or run folders.
    #[arg(required = true, value_name = "TEXT")]
    pub(crate) texts: Vec<String>,
    /// Where to write the model.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Longest run of characters, 2 to 5.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) order: u32,
    /// Leave out runs of three and more characters that occur no more often than this.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) prune: u32,
    /// Learn from about so many characters, of texts chosen by their hash.
    #[arg(long, value_name = "N", default_value_t = 50_000_000)]
    pub(crate) chars: u64,
    /// What counting may hold at once, besides the model itself; more goes to disk beside it, with the same result.
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub(crate) memory: ByteSize,
    /// Share of the texts, by hash, to measure on and not to learn from.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub(crate) held_out: f64,
}

/// What a classifier is trained on.
#[derive(Args, Debug)]
pub(crate) struct ClassifierTraining {
    /// Texts to be kept: files, folders, globs or run folders.
    #[arg(long, required = true, num_args = 1.., value_name = "TEXT")]
    pub(crate) positive: Vec<String>,
    /// Texts to be told from them.
    #[arg(long, required = true, num_args = 1.., value_name = "TEXT")]
    pub(crate) negative: Vec<String>,
    /// Where to write the model.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Share of the texts, by hash, to measure on and not to learn from.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(crate) held_out: f64,
    /// Times that every text is learnt from.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) epochs: u32,
    /// The model has 2^BITS weights of four bytes.
    #[arg(long, value_name = "BITS", default_value_t = 22)]
    pub(crate) bits: u32,
    /// Learning rate at the beginning.
    #[arg(long, value_name = "RATE", default_value_t = 4.0)]
    pub(crate) rate: f64,
    /// Another seed gives another order of the texts.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}
