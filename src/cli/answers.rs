//! What `generate` and `eval` are asked for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Step;

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
    /// Hold a conversation: a prompt is what a user says, written out with the model's chat template. What is typed
    /// goes on with what was said before; in a file, `messages` can stand in place of `prompt`.
    #[arg(long)]
    pub(crate) chat: bool,
    /// Another chat template: `alpaca-ko`, `chatml`, `gemma`, `llama3`, `qwen2.5`, or a file or folder with one.
    #[arg(long, value_name = "NAME|FILE", requires = "chat")]
    pub(crate) template: Option<String>,
    /// What the system says before the conversation.
    #[arg(long, value_name = "TEXT", requires = "chat")]
    pub(crate) system: Option<String>,
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
    /// Ask by the model's chat template, or by this one: a name, or a file or folder with one.
    #[arg(long, value_name = "NAME|FILE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) chat_template: Option<String>,
    /// What the system says before the question.
    #[arg(long, value_name = "TEXT", requires = "chat_template")]
    pub(crate) system: Option<String>,
    /// With a chat template, put examples and question into one message, not each into one of its own.
    #[arg(long, requires = "chat_template")]
    pub(crate) one_turn: bool,
    /// Say which questions stand in the documents of this run folder, and what the scores are without them.
    #[arg(long, value_name = "RUN")]
    pub(crate) contamination: Option<PathBuf>,
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
