//! The command line: what can be asked, as clap reads it. Every doc comment here is help text.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Replace one value of the recipe; may be given several times.
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
    /// Continue a text with a model: one prompt, a file of prompts, or what is typed.
    Generate(Generate),
    /// Evaluate a model on tasks whose files are here: KMMLU, CLIcK, IFEval, KITE, KorQuAD, KLUE, HRM8K.
    Eval(Eval),
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

/// What is estimated, and on which cards.
#[derive(Args, Debug)]
pub(crate) struct Estimate {
    /// A recipe, a model's folder or .gguf file, or a known shape such as qwen2.5-7b.
    pub(crate) source: String,
    /// Tokens to train on, as a number or with k, M, G or T [default: the recipe's].
    #[arg(long, value_name = "N", value_parser = amount)]
    pub(crate) tokens: Option<u64>,
    /// The card: h100, h200, b200, a100, l40s, rtx4090, rtx3090.
    #[arg(long, default_value = "h100")]
    pub(crate) gpu: String,
    /// How many of them.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) gpus: u32,
    /// Share of the card's peak that is reached [default: what was measured].
    #[arg(long, conflicts_with = "tflops")]
    pub(crate) mfu: Option<f64>,
    /// The same in TFLOP/s of one card.
    #[arg(long)]
    pub(crate) tflops: Option<f64>,
    /// Price of one card for an hour.
    #[arg(long)]
    pub(crate) price: Option<f64>,
    /// Tokens of one sequence [default: the recipe's, or 4096].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    pub(crate) sequence_length: Option<u32>,
    /// Sequences at a time [default: the recipe's, or 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) micro_batch: Option<u32>,
    /// Layers keep nothing but their inputs.
    #[arg(long)]
    pub(crate) activation_checkpointing: bool,
    /// Train adapters of this rank beside all matrices, and freeze the model [default: the recipe's].
    #[arg(long, value_name = "N")]
    pub(crate) lora_rank: Option<u32>,
    /// How the frozen matrices are kept [default: bf16].
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) lora_base: Option<LoraBase>,
}

/// How frozen matrices are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoraBase {
    /// 32-bit floats.
    F32,
    /// bfloat16.
    Bf16,
    /// Four bits with double quantization (QLoRA).
    Nf4,
}

impl From<LoraBase> for trainer::Base {
    fn from(base: LoraBase) -> Self {
        match base {
            LoraBase::F32 => Self::F32,
            LoraBase::Bf16 => Self::Bf16,
            LoraBase::Nf4 => Self::Nf4,
        }
    }
}

/// `1.5T` → 1,500,000,000,000.
fn amount(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1e3),
        Some((at, 'm' | 'M')) => (&text[..at], 1e6),
        Some((at, 'g' | 'G' | 'b' | 'B')) => (&text[..at], 1e9),
        Some((at, 't' | 'T')) => (&text[..at], 1e12),
        _ => (text, 1.0),
    };
    let value = digits.replace(['_', ','], "").parse::<f64>().map_err(|error| error.to_string())? * factor;
    if (1.0..=1e18).contains(&value) { Ok(value as u64) } else { Err("not 1 to 10^18".to_owned()) }
}

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

/// What is exported, where to and how.
#[derive(Args, Debug)]
pub(crate) struct Export {
    /// A run folder; or a Hugging Face folder or .gguf file, to be converted.
    pub(crate) source: PathBuf,
    /// The folder to write, or for gguf formats a .gguf file; it must not be there yet.
    pub(crate) target: PathBuf,
    /// Which form.
    #[arg(long, value_enum, default_value_t = Format::Hf)]
    pub(crate) format: Format,
    /// Type of the numbers that are not quantized in hf formats: bf16, f16 or f32 [default: bf16; of adapters f32].
    #[arg(long, value_name = "TYPE")]
    pub(crate) dtype: Option<String>,
    /// The run's checkpoint of this step, or `best`, that of the best evaluation [default: the latest].
    #[arg(long, value_name = "N|best")]
    pub(crate) step: Option<Step>,
    /// Most bytes of one file of weights in hf formats.
    #[arg(long, value_name = "BYTES", default_value_t = 5_000_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) file_bytes: u64,
    /// The model's name in its card and in GGUF files [default: the name of the source].
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Write a run's adapters alone, as the PEFT library loads them.
    #[arg(long)]
    pub(crate) adapter: bool,
    /// What PEFT is to find the adapters' model by: a folder, or a name on a hub [default: `train.init`].
    #[arg(long, value_name = "NAME", requires = "adapter")]
    pub(crate) base_name: Option<String>,
    /// A folder with adapters of the PEFT library, which become part of the model.
    #[arg(long, value_name = "FOLDER", conflicts_with = "step")]
    pub(crate) lora: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) check: Check,
}

/// How adapters become part of a model, and what is checked then.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub(crate) struct Check {
    /// What adapters are merged into: `trained`, the base's numbers as training kept them (of nf4 what the four bits
    /// stand for), or `original`, those of its files [default: trained].
    #[arg(long, value_name = "BASE", conflicts_with = "adapter")]
    pub(crate) merge_base: Option<String>,
    /// Held-out tokens at which the merged model is compared with what was trained; 0: none [default: 4096].
    #[arg(long, value_name = "N", conflicts_with = "adapter")]
    pub(crate) check_tokens: Option<u64>,
    /// A text to compare at, in place of the run's held-out one.
    #[arg(long, value_name = "FILE", conflicts_with = "adapter")]
    pub(crate) check_text: Option<PathBuf>,
    /// Write a merged model that is too far from what was trained.
    #[arg(long, conflicts_with = "adapter")]
    pub(crate) force: bool,
}

/// What is continued, with which model and how.
#[derive(Args, Clone, Debug)]
pub(crate) struct Generate {
    /// A run folder, a Hugging Face folder or a .gguf file.
    pub(crate) model: PathBuf,
    /// A folder with adapters of the PEFT library, which become part of a model in files.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) lora: Option<PathBuf>,
    /// The text to continue [default: stdin; on a terminal each line typed].
    pub(crate) prompt: Option<String>,
    /// A file of JSON lines, each with a `prompt` and, if wanted, an `id`: writes JSON lines in their order.
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    pub(crate) prompts: Option<PathBuf>,
    /// Continuations of each prompt.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1 << 16))]
    pub(crate) samples: u32,
    /// New tokens of a continuation, at most.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    pub(crate) tokens: u32,
    #[command(flatten)]
    pub(crate) sampling: SamplingArgs,
    /// Text that ends a continuation and is no part of it; may be given several times.
    #[arg(long, value_name = "TEXT")]
    pub(crate) stop: Vec<String>,
    /// Go on after tokens that end a text, as measurements do.
    #[arg(long)]
    pub(crate) ignore_end: bool,
    /// Another seed gives other draws.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Continuations made at a time, at most.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) batch: u32,
    /// Tokens of a prompt and its continuation together [default: what the model is made for, at most 32768].
    #[arg(long, value_name = "N")]
    pub(crate) context: Option<u32>,
    /// Memory for keys and values [default: what is needed, at most 1 GiB].
    #[arg(long, value_name = "BYTES")]
    pub(crate) cache_bytes: Option<u64>,
    /// The tokenizer.json or SentencePiece model [default: the one beside the model].
    #[arg(long, value_name = "FILE")]
    pub(crate) tokenizer: Option<PathBuf>,
    /// The run's checkpoint of this step, or `best`, that of the best evaluation [default: the latest].
    #[arg(long, value_name = "N|best")]
    pub(crate) step: Option<Step>,
}

/// What is evaluated, on what and how.
#[derive(Args, Clone, Debug)]
pub(crate) struct Eval {
    /// A run folder, a Hugging Face folder or a .gguf file.
    pub(crate) model: PathBuf,
    /// A task and its file or folder in the published format; may be given several times. Tasks are kmmlu, click,
    /// ifeval, kite, korquad, klue-nli, klue-sts, hrm8k and arithmetic. Nothing is downloaded.
    #[arg(long, value_name = "TASK=FILE")]
    pub(crate) task: Vec<String>,
    /// Examples before each question: the first of its subject.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) shots: usize,
    /// Where a task's examples are [default: for kmmlu, the dev files beside its test files].
    #[arg(long, value_name = "TASK=FILE")]
    pub(crate) examples: Vec<String>,
    /// Let the model write the letter of a choice, instead of comparing the choices' likelihoods.
    #[arg(long)]
    pub(crate) generate: bool,
    /// Form of KMMLU's questions.
    #[arg(long, value_enum, default_value_t = KmmluPrompt::Default)]
    pub(crate) kmmlu_prompt: KmmluPrompt,
    /// Questions of each subject, at most: the first.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    /// New tokens of an answer, at most [default: the task's, 32 to 2048].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) tokens: Option<u32>,
    /// Answers written at a time, at most.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) batch: u32,
    /// Also measure bits per byte of the run's held-out text, by bucket.
    #[arg(long)]
    pub(crate) held_out: bool,
    /// Tokens of held-out text to measure, of each bucket.
    #[arg(long, value_name = "N", default_value_t = 65_536, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) held_out_tokens: u64,
    /// Limits that the numbers have to keep, in TOML; exit code 1 when one does not.
    #[arg(long, value_name = "FILE")]
    pub(crate) gate: Option<PathBuf>,
    /// Folder for the outputs of every item, the summary and the history; what is there is not asked again.
    #[arg(long, value_name = "FOLDER", default_value = "eval")]
    pub(crate) out: PathBuf,
    /// The tokenizer.json or SentencePiece model [default: the one beside the model].
    #[arg(long, value_name = "FILE")]
    pub(crate) tokenizer: Option<PathBuf>,
    /// The run's checkpoint of this step, or `best`, that of the best evaluation [default: the latest].
    #[arg(long, value_name = "N|best")]
    pub(crate) step: Option<Step>,
}

/// Form of KMMLU's questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KmmluPrompt {
    /// lm-eval's: 정답： with a full-width colon.
    Default,
    /// With an instruction before and headings.
    Seed,
}

/// How tokens are drawn.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct SamplingArgs {
    /// 0 takes the likeliest token, 1 draws as the model says, more is wilder.
    #[arg(long, default_value_t = 0.8)]
    pub(crate) temperature: f64,
    /// Draw among this many likeliest tokens; 0: among all.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) top_k: u32,
    /// Draw among the fewest tokens that are this likely together.
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    pub(crate) top_p: f64,
    /// Draw among tokens at least this share as likely as the likeliest.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) min_p: f64,
    /// Make tokens that are there already less likely; 1 changes nothing.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub(crate) repetition_penalty: f64,
}

/// Which checkpoint of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Number(u64),
    Best,
}

impl std::str::FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "best" => Ok(Self::Best),
            _ => text.parse().map(Self::Number).map_err(|_| "neither a number nor `best`".to_owned()),
        }
    }
}

/// Form of an exported model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Hugging Face: config.json, safetensors, tokenizer.
    Hf,
    /// The same in NF4 with double quantization, as bitsandbytes stores it: for transformers and QLoRA.
    HfNf4,
    /// The same in four-bit integers of compressed-tensors (W4A16): for vLLM.
    HfW4a16,
    /// GGUF for llama.cpp, 32-bit floats.
    GgufF32,
    /// GGUF, 16-bit floats.
    GgufF16,
    /// GGUF, bfloat16.
    GgufBf16,
    /// GGUF, 8.5 bits a weight.
    #[value(name = "gguf-q8_0")]
    GgufQ8_0,
    /// GGUF, about 4.8 bits a weight, in llama.cpp's mixture of types.
    #[value(name = "gguf-q4_k_m")]
    GgufQ4KM,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FiltersCommand {
    /// Train the model of the filter `classifier`, and say how good it is on texts it never saw.
    Train(ClassifierTraining),
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

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Name the documents that a step trains on, in the order of its rows.
    Order {
        /// The run folder.
        run: PathBuf,
        /// The step, as metrics.jsonl counts it: from 1.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        step: u64,
    },
}

/// The layouts of other trainers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LayoutName {
    /// Megatron-LM, GPT-NeoX: NAME.bin and NAME.idx
    Megatron,
    /// datatrove, nanotron: NAME.ds, .ds.index, .ds.loss and .ds.metadata
    Datatrove,
    /// OLMo, dolma: NAME.npy without a header, and NAME.csv.gz
    Olmo,
    /// llm.c: NAME.bin with a header of 1024 bytes
    LlmC,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ShardsCommand {
    /// Write every shard of a run in another trainer's layout.
    Export {
        /// The run folder.
        run: PathBuf,
        /// The folder to write; files of the same names are replaced.
        folder: PathBuf,
        /// The layout.
        #[arg(long, value_enum, value_name = "LAYOUT")]
        to: LayoutName,
        /// Leave out the end token that every document of a shard has.
        #[arg(long)]
        without_end_tokens: bool,
        /// The tokenizer's name in datatrove's .metadata [default: its fingerprint].
        #[arg(long, value_name = "NAME")]
        tokenizer_name: Option<String>,
    },
    /// Make a run folder from files that another program tokenized.
    ///
    /// A recipe does the same with `[[imports]]`; this writes the recipe too.
    Import {
        /// Files: NAME.bin (with NAME.idx: Megatron, else llm.c), NAME.ds, NAME.npy.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The run folder to make.
        folder: PathBuf,
        /// The tokenizer that made the ids.
        #[arg(long, short, value_name = "FILE")]
        tokenizer: PathBuf,
        /// Name of the end token [default: the usual names].
        #[arg(long, value_name = "TOKEN")]
        eos: Option<String>,
        /// The bucket that the documents go into.
        #[arg(long, value_name = "NAME", default_value = "imported")]
        bucket: String,
        /// The layout [default: what the name of each file says].
        #[arg(long, value_enum, value_name = "LAYOUT")]
        from: Option<LayoutName>,
        /// Bytes of a token, for .npy and for .ds without .index and .metadata [default: 2 up to 65,536 ids, else 4].
        #[arg(long, value_name = "2|4", value_parser = clap::value_parser!(u32).range(2..=4))]
        token_bytes: Option<u32>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenizerCommand {
    /// Train a byte-level BPE (the merges and ids of Hugging Face's trainer) or a SentencePiece model.
    ///
    /// All options of a recipe's `[tokenizer] train` can be set, for example
    /// `--set tokenizer.train.pattern=llama3`. A name that ends in .model asks for SentencePiece, whose
    /// options are set by `--set tokenizer.sentencepiece.KEY=VALUE`.
    Train {
        /// Texts: [BUCKET=]PATH of a file, folder, glob or run folder.
        #[arg(required = true, value_name = "TEXT")]
        texts: Vec<String>,
        /// Where to write the tokenizer.json or SentencePiece .model.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
        /// Ids in all [default: 32000].
        #[arg(long, value_name = "N")]
        vocab_size: Option<u32>,
    },
    /// Add tokens to a byte-level BPE such as Qwen's or Llama 3's; its own ids and merges stay.
    ///
    /// Prints what the new tokenizer makes of texts that it was not learnt on.
    Extend {
        /// The tokenizer.json to extend.
        tokenizer: PathBuf,
        /// Texts: [BUCKET=]PATH of a file, folder, glob or run folder.
        #[arg(required = true, value_name = "TEXT")]
        texts: Vec<String>,
        /// Where to write the new tokenizer.json.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
        /// Tokens to add.
        #[arg(long, value_name = "N", default_value_t = 8000)]
        tokens: u32,
        /// Rows of the model's embedding, `vocab_size` in its config.json.
        #[arg(long, value_name = "N")]
        rows: Option<u32>,
        /// Share of the texts, by hash, to measure on and not to learn from.
        #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
        held_out: f64,
    },
    /// Convert between tokenizer formats, where the ids stay the same to the last one.
    ///
    /// Reads a tokenizer.json, tekken.json, .tiktoken, .gguf or SentencePiece .model; writes what the name
    /// of the new file says: .json, .tiktoken or .model.
    Convert {
        /// The file to convert.
        tokenizer: PathBuf,
        /// The file to write.
        out: PathBuf,
        /// How a .tiktoken file's text is split: gpt2, qwen2, llama3, qwen3.5, o200k or tekken [default: known by the number of ranks].
        #[arg(long, value_name = "PATTERN")]
        pattern: Option<String>,
        /// A special token that a .tiktoken file lacks; may be given several times.
        #[arg(long, value_name = "TOKEN=ID")]
        special: Vec<String>,
        /// Name of the end token [default: the usual names].
        #[arg(long, value_name = "TOKEN")]
        eos: Option<String>,
    },
    /// Compare tokenizers on texts: length, fertility, partial characters, unused ids, Hangul.
    Report {
        /// Texts: [BUCKET=]PATH of a file, folder, glob or run folder.
        #[arg(required = true, value_name = "TEXT")]
        texts: Vec<String>,
        /// A tokenizer.json, SentencePiece model, .tiktoken, tekken.json or .gguf file; may be given several times.
        #[arg(long, short, required = true, value_name = "[NAME=]FILE")]
        tokenizer: Vec<String>,
    },
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
    /// Only what this dropped: a filter (gopher-repetition, dedup) or one rule of it (gopher-repetition/top-2-gram).
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
