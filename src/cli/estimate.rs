//! What `estimate` is asked for.

use clap::{Args, ValueEnum};

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
    /// What trained weights are between steps [default: the recipe's, or f32].
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) weights: Option<Weights>,
    /// What the optimizer's moments are [default: the recipe's, or 32-bit].
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) optimizer_states: Option<States>,
}

/// What trained weights are between steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Weights {
    /// 32-bit floats.
    F32,
    /// bfloat16, rounded by chance.
    Bf16,
}

impl From<Weights> for trainer::WeightNumbers {
    fn from(weights: Weights) -> Self {
        match weights {
            Weights::F32 => Self::F32,
            Weights::Bf16 => Self::Bf16,
        }
    }
}

/// What the optimizer's moments are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum States {
    /// 32-bit floats.
    #[value(name = "32-bit")]
    Full,
    /// Codes in blocks with one scale.
    #[value(name = "8-bit")]
    EightBit,
}

impl From<States> for trainer::OptimizerStates {
    fn from(states: States) -> Self {
        match states {
            States::Full => Self::Full,
            States::EightBit => Self::EightBit,
        }
    }
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
