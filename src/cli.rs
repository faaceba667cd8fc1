//! The command line: what can be asked, as clap reads it. Every doc comment here is help text.

mod answers;
mod deploy;
mod estimate;
mod export;
mod feedback;
mod texts;
mod tokens;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use answers::{Eval, Generate, KmmluPrompt, SamplingArgs};
pub(crate) use deploy::{Deploy, Exposure, Server};
pub(crate) use estimate::Estimate;
pub(crate) use export::{Check, Export, Format, Step};
pub(crate) use feedback::{Feedback, Synthesize};
pub(crate) use texts::{ClassifierTraining, FiltersCommand, LanguageModelTraining, PreviewArgs, SampleArgs};
pub(crate) use tokens::{CompressionName, DataCommand, DocumentFormat, LayoutName, ShardsCommand, TokenizerCommand};

/// Raw Korean, English and code text to a trained language model, in one binary.
#[derive(Debug, Parser)]
#[command(name = "malmoi", version, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// Replace one value of the recipe, for commands that read one; may be given several times.
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Threads to use [default: all cores].
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) jobs: Option<u16>,
    /// Where to compute: cpu, cuda, cuda:INDEX, or to train cuda:FIRST-LAST, several cards of this machine.
    #[arg(long, global = true, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: String,
    /// Print one JSON object a line on stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say less.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// No progress lines on stderr.
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
    /// Language of labels in reports.
    #[arg(long, global = true, value_enum, default_value_t = Language::En)]
    pub(crate) lang: Language,
}

/// Language of the labels in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// English
    En,
    /// 한국어
    Ko,
}

impl Language {
    /// The text of this language.
    pub(crate) fn pick<'a>(self, english: &'a str, korean: &'a str) -> &'a str {
        match self {
            Self::En => english,
            Self::Ko => korean,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented recipe to start from.
    Init {
        /// Where to write it.
        #[arg(default_value = "recipe.toml")]
        path: PathBuf,
    },
    /// Show what a run would do, with counts and fingerprints; does nothing.
    Plan {
        /// The recipe.
        recipe: PathBuf,
    },
    /// Show documents as the model will see them: tokens, and which of them are learned.
    Preview(PreviewArgs),
    /// Do everything in the recipe that is not current: clean, dedup, tokenize, mix, train, report.
    Run {
        /// The recipe.
        recipe: PathBuf,
    },
    /// Like run, but stop at the shards: no training.
    Build {
        /// The recipe.
        recipe: PathBuf,
    },
    /// Train from shards that are current.
    Train {
        /// The recipe.
        recipe: PathBuf,
    },
    /// Run one unit of one stage, exactly as `run` would (for job arrays and clusters).
    Stage {
        /// Which stage.
        #[arg(value_enum)]
        stage: StageName,
        /// The recipe.
        recipe: PathBuf,
        /// Which part, for the stages that work part by part [default: all parts].
        #[arg(long, value_name = "N")]
        part: Option<usize>,
    },
    /// Turn a run's files into readable text: a run folder, shard, manifest, documents, rejects...
    Inspect {
        /// A file or folder of a run.
        path: PathBuf,
        /// How many records to show.
        #[arg(long, short = 'n', default_value_t = 5)]
        records: usize,
    },
    /// Explain a filter, or with --doc why one document was kept or dropped.
    Explain {
        /// Name of a filter (or `dedup`); without it, all are listed.
        #[arg(conflicts_with = "doc")]
        filter: Option<String>,
        /// Id of a document.
        #[arg(long, value_name = "ID", requires = "run")]
        doc: Option<String>,
        /// The run folder that saw the document.
        #[arg(long, value_name = "RUN", requires = "doc")]
        run: Option<PathBuf>,
    },
    /// Say what training costs before it begins: work, memory by part, time, money.
    Estimate(Estimate),
    /// Write a model for other programs: a Hugging Face folder, whole or in four bits, or a GGUF file.
    Export(Export),
    /// Write what serves an exported model: configuration, image, Kubernetes, compose, systemd.
    Deploy(Deploy),
    /// Continue a text with a model: one prompt, a file of prompts, or what is typed.
    Generate(Generate),
    /// Evaluate a model on tasks whose files are here: KMMLU, CLIcK, IFEval, KITE, KorQuAD, KLUE, HRM8K.
    Eval(Eval),
    /// Make data of what users said: ratings and corrections become examples and preferences.
    Feedback(Feedback),
    /// Let a model write conversations about documents, for the data stage to filter.
    Synthesize(Synthesize),
    /// Recompute the ledger of a run from its files; exit code 1 when something does not add up.
    Audit {
        /// The run folder.
        run: PathBuf,
        /// Also read the sources again and encode every document again.
        #[arg(long)]
        deep: bool,
    },
    /// Write report.html of a run again (for example with --lang ko), or compare it with another run.
    Report {
        /// The run folder.
        run: PathBuf,
        /// An earlier run folder: print what differs from it in recipe, funnel, documents and tokens.
        #[arg(long, value_name = "OTHER")]
        against: Option<PathBuf>,
    },
    /// Print the data card of a run as Markdown: sources, licences, filters, counts and hashes.
    Card {
        /// The run folder.
        run: PathBuf,
    },
    /// Show random documents of a run: of those that stayed, and of those dropped for each reason.
    Sample(SampleArgs),
    /// Say what other limits of filters would keep and drop, from the metrics that a run stored.
    Whatif {
        /// The run folder.
        run: PathBuf,
        /// The limit and its value, as the recipe spells them: gopher-repetition.top-2-gram=0.25
        #[arg(required = true, value_name = "FILTER.OPTION=VALUE")]
        settings: Vec<String>,
        /// How many documents that change side to name, for each kind of change.
        #[arg(long, short = 'n', value_name = "N", default_value_t = 5)]
        examples: u16,
    },
    /// Train what filters need.
    #[command(subcommand)]
    Filters(FiltersCommand),
    /// Answer questions about what a training sees.
    #[command(subcommand)]
    Data(DataCommand),
    /// Bring token shards to and from the layouts of other trainers.
    #[command(subcommand)]
    Shards(ShardsCommand),
    /// Train, extend, compare and convert tokenizers, on texts and without a recipe.
    #[command(subcommand)]
    Tokenizer(TokenizerCommand),
    /// Say what machine this is, which backends it has, and what is missing.
    Doctor,
}

impl Command {
    /// Whether it reads a recipe, whose values `--set` replaces.
    pub(crate) fn takes_settings(&self) -> bool {
        match self {
            Self::Plan { .. }
            | Self::Preview(_)
            | Self::Run { .. }
            | Self::Build { .. }
            | Self::Train { .. }
            | Self::Stage { .. }
            | Self::Estimate(_)
            | Self::Shards(ShardsCommand::Import { .. })
            | Self::Tokenizer(TokenizerCommand::Train { .. }) => true,
            Self::Init { .. }
            | Self::Inspect { .. }
            | Self::Explain { .. }
            | Self::Export(_)
            | Self::Deploy(_)
            | Self::Generate(_)
            | Self::Eval(_)
            | Self::Feedback(_)
            | Self::Synthesize(_)
            | Self::Audit { .. }
            | Self::Report { .. }
            | Self::Card { .. }
            | Self::Sample(_)
            | Self::Whatif { .. }
            | Self::Filters(_)
            | Self::Data(_)
            | Self::Shards(ShardsCommand::Export { .. })
            | Self::Tokenizer(TokenizerCommand::Extend { .. } | TokenizerCommand::Convert { .. } | TokenizerCommand::Report { .. })
            | Self::Doctor => false,
        }
    }
}

/// The stages that can be run one unit at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StageName {
    /// Read and filter one part.
    Clean,
    /// Find duplicates over all parts.
    Dedup,
    /// Train or load the tokenizer.
    Tokenizer,
    /// Encode one part into shards.
    Tokenize,
    /// Read the files of `[[imports]]` into shards.
    Import,
    /// Write manifest and mixture.
    Mix,
}
