//! What `export` is asked for, and which checkpoint of a run.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

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

impl Export {
    /// A run's whole model in 32 bits, which loses nothing.
    pub(crate) fn whole(source: PathBuf, target: PathBuf) -> Self {
        Self {
            source,
            target,
            format: Format::Hf,
            dtype: Some("f32".to_owned()),
            step: None,
            file_bytes: 5_000_000_000,
            name: None,
            adapter: false,
            base_name: None,
            lora: None,
            check: Check::default(),
        }
    }
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
