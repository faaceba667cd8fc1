//! `estimate`: what training will cost, before it begins.

use std::path::Path;

use serde_json::json;
use shards::{Tokenizer, TokenizerSource};
use trainer::{
    CARDS, Card, Estimate, KNOWN_MODELS, Looks, LoraConfig, MEASURED_MFU, ModelConfig, OptimizerStates, POOL, Precision, Pretrained,
    WeightNumbers, Workload, known_model,
};

use crate::cli;
use crate::error::{Context, Error, Result};
use crate::recipe::Recipe;
use crate::report::{Ui, bytes};
use crate::stage;

/// What is to be trained, and how.
struct Job {
    name: String,
    model: ModelConfig,
    vocab: usize,
    sequence_length: u32,
    micro_batch: u32,
    activation_checkpointing: bool,
    /// Whether a step takes several micro-batches.
    accumulates: bool,
    tokens: Option<u64>,
    lora: Option<LoraConfig>,
    /// Whether the model is compared with what it was.
    reference: bool,
    looks: Looks,
    weights: WeightNumbers,
    optimizer_states: OptimizerStates,
    /// Whether it learns from answers of its own.
    answers: bool,
}

/// `malmoi estimate`.
pub(crate) fn estimate(arguments: &cli::Estimate, set: &[String], ui: &Ui) -> Result<()> {
    let card = card(&arguments.gpu)?;
    let job = job(arguments, set)?;
    let work = Workload {
        model: &job.model,
        vocab: job.vocab,
        sequence_length: job.sequence_length,
        micro_batch: job.micro_batch,
        activation_checkpointing: job.activation_checkpointing,
        accumulates: job.accumulates,
        lora: job.lora.as_ref(),
        reference: job.reference,
        looks: job.looks,
        weights: job.weights,
        optimizer_states: job.optimizer_states,
    };
    if let Err(reason) = Precision::Bf16.check_shape(&job.model) {
        ui.warn(format!("this shape trains in 32-bit floats, several times slower and in more memory than is said here: {reason}"));
    }
    if job.answers {
        ui.warn("this objective draws answers and learns from them: what is said here is of its updates alone. The keys and values of answers and reward models come to the memory, and the time that answers take is not known");
    }
    let estimate = Estimate::new(&work).map_err(Error::new)?;
    let mfu = match (arguments.mfu, arguments.tflops) {
        (Some(mfu), _) if !(mfu > 0.0 && mfu <= 1.0) => return Err(Error::new(format!("--mfu is {mfu}, above 0 and at most 1"))),
        (_, Some(tflops)) if !(tflops > 0.0 && tflops.is_finite()) => return Err(Error::new(format!("--tflops is {tflops}, above 0"))),
        (Some(mfu), _) => mfu,
        (None, Some(tflops)) => tflops / card.tflops,
        (None, None) => MEASURED_MFU,
    };
    if let Some(price) = arguments.price.filter(|price| !(price.is_finite() && *price >= 0.0)) {
        return Err(Error::new(format!("--price is {price}, not 0 or more")));
    }
    let gpus = f64::from(arguments.gpus);
    let rate = gpus * estimate.tokens_per_second(mfu * card.tflops);
    let sum = estimate.memory_sum();
    let [least, most] = [POOL.0, POOL.1].map(|factor| (sum as f64 * factor) as u64);
    let verdict = if most <= card.memory {
        "fits"
    } else if least <= card.memory {
        "may not fit"
    } else {
        "does not fit"
    };
    let tokens = arguments.tokens.or(job.tokens).filter(|_| !job.answers);
    let seconds = tokens.map(|tokens| tokens as f64 / rate);
    let cost = seconds.zip(arguments.price).map(|(seconds, price)| seconds / 3600.0 * price * gpus);

    ui.data(format!("model       {}, {} parameters, {} ids", job.name, count(estimate.parameters), count(job.vocab as u64)));
    if let Some(lora) = &job.lora {
        let base = lora.base.map_or("bf16".to_owned(), |base| base.to_string());
        ui.data(format!("adapters    rank {}, {} trained parameters, the rest frozen in {base}", lora.rank, count(estimate.trained)));
    }
    if job.lora.as_ref().is_some_and(|lora| lora.dora) {
        ui.data("            what DoRA holds besides is not counted: its layers keep more of every token, and whole matrices in 32 bits");
    }
    ui.data(format!(
        "work        {:.3e} FLOPs a token at {} tokens a sequence ({:.3e} in products, the rest in attention)",
        estimate.flops_per_token as f64, job.sequence_length, estimate.flops_of_products as f64
    ));
    match job.looks {
        Looks { reference: 0, .. } => {}
        Looks { model: 0, .. } => ui.data("            of it a forward pass through the reference, for each that learns"),
        _ => ui.data("            of it three forward passes for each that learns: through the reference, and of answers to other prompts through both"),
    }
    let weights = if job.weights == WeightNumbers::Bf16 { "bfloat16 throughout" } else { "bfloat16 over 32-bit weights" };
    let layers = if job.activation_checkpointing { ", activation checkpointing" } else { "" };
    ui.data(format!("memory      at {} x {} tokens at a time, {weights}{layers}:", job.micro_batch, job.sequence_length));
    for part in estimate.memory.iter().filter(|part| part.bytes > 0) {
        ui.data(format!("            {:>9}  {}", bytes(part.bytes), part.name));
    }
    ui.data(format!("            {:>9}  in all; up to {} were seen held for such a sum", bytes(sum), bytes(most)));
    ui.data(format!("            {verdict}: {} has {}", card.name, bytes(card.memory)));
    let source = match (arguments.mfu, arguments.tflops) {
        (None, None) => "measured on an H100 with the shape of qwen2.5-0.5b; small shapes reach far less",
        _ => "as given",
    };
    ui.data(format!(
        "speed       {} tokens/s on {} x {}: {:.1} TFLOP/s each, {:.1}% of {} ({source})",
        count(rate as u64),
        arguments.gpus,
        card.name,
        mfu * card.tflops,
        100.0 * mfu,
        card.tflops
    ));
    if arguments.gpus > 1 {
        ui.data("            as if cards lost nothing to each other; each holds the whole model, and what they add up waits for the backward pass");
    }
    match (tokens, seconds) {
        (Some(tokens), Some(seconds)) => {
            let days = seconds / 86_400.0;
            ui.data(format!("time        {} for {} tokens, {:.1} GPU-days", span(seconds), count(tokens), days * gpus));
        }
        _ if job.answers => ui.data("time        unknown: it depends on how long answers become, and on how fast they are drawn"),
        _ => ui.data("time        unknown: give --tokens"),
    }
    match cost {
        Some(cost) => ui.data(format!("cost        {cost:.2} at {} an hour and card", arguments.price.unwrap_or_default())),
        None if job.answers => ui.data("cost        unknown, as the time is"),
        None => ui.data("cost        unknown: give --price for an hour of a card, and --tokens"),
    }
    ui.event(
        "estimate",
        &json!({
            "model": job.name, "vocab": job.vocab, "estimate": estimate, "memory-sum": sum, "memory-most": most, "verdict": verdict, "card": card,
            "gpus": arguments.gpus, "mfu": mfu, "tokens-per-second": rate, "tokens": tokens, "seconds": seconds, "cost": cost,
        }),
    );
    Ok(())
}

fn card(name: &str) -> Result<Card> {
    let known = || CARDS.map(|card| card.name).join(", ");
    let found = CARDS.into_iter().find(|card| card.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| Error::new(format!("--gpu: no card is known as `{name}`")).hint(format!("known are {}", known())))
}

/// A recipe's training, a model in files, or a known shape.
fn job(arguments: &cli::Estimate, set: &[String]) -> Result<Job> {
    let source = &arguments.source;
    let path = Path::new(source);
    let (sequence_length, micro_batch) = (arguments.sequence_length.unwrap_or(4096), arguments.micro_batch.unwrap_or(1));
    if arguments.lora_base.is_some() && arguments.lora_rank.is_none() {
        return Err(Error::new("--lora-base is for adapters").hint("give --lora-rank too"));
    }
    let lora = arguments.lora_rank.map(|rank| LoraConfig { rank, base: arguments.lora_base.map(Into::into), ..LoraConfig::default() });
    let weights = arguments.weights.map(WeightNumbers::from);
    let optimizer_states = arguments.optimizer_states.map(OptimizerStates::from);
    let alone = |model, vocab| Job {
        name: source.clone(),
        model,
        vocab,
        sequence_length,
        micro_batch,
        activation_checkpointing: arguments.activation_checkpointing,
        accumulates: false,
        tokens: None,
        lora: lora.clone(),
        reference: false,
        looks: Looks::default(),
        weights: weights.unwrap_or_default(),
        optimizer_states: optimizer_states.unwrap_or_default(),
        answers: false,
    };
    let is_model = path.is_dir() || path.extension().is_some_and(|extension| extension == "gguf");
    let known = known_model(&source.to_ascii_lowercase());
    if let (true, Some(set)) = (is_model || known.is_some(), set.first()) {
        return Err(Error::new(format!("--set {set}: {source} is a model and no recipe, whose values could be replaced"))
            .hint("options of `estimate` say how a model is trained"));
    }
    if let Some((model, vocab)) = known {
        return Ok(alone(model, vocab));
    }
    if is_model {
        let model = Pretrained::open(path).map_err(Error::new)?;
        return Ok(alone(model.config().clone(), model.vocab_size()));
    }
    if !path.exists() {
        return Err(Error::new(format!("`{source}` is neither a file nor a known model")).hint(format!(
            "give a recipe, a folder with config.json and safetensors, a .gguf file, or one of {}",
            KNOWN_MODELS.join(", ")
        )));
    }
    let mut recipe = Recipe::load(path, set)?;
    stage::train::take_init(&mut recipe)?;
    let Some(train) = &recipe.train else { return Err(Error::new(format!("{source} has no [train]"))) };
    if train.precision == Some(Precision::F32) {
        return Err(Error::new(format!("{source} trains with `precision` = \"f32\", of which no speed on a card was measured"))
            .hint("estimates are for bf16: `--set train.precision=bf16`"));
    }
    let micro_batch = arguments.micro_batch.unwrap_or(train.micro_batch());
    let ids = match recipe.tokenizer.source() {
        TokenizerSource::Train(train) => train.vocab_size as usize,
        TokenizerSource::SentencePiece(config) => config.vocab_size as usize,
        TokenizerSource::Load(_) | TokenizerSource::Bytes => {
            let tokenizer = Tokenizer::build(&recipe.tokenizer, Path::new("."), std::iter::empty::<String>())
                .context(|| "cannot open the tokenizer".to_owned())?;
            tokenizer.vocab_size() as usize
        }
    };
    // New tokens get rows of their own; padding rows stay.
    let rows = train.init.as_ref().map_or(Ok(0), |init| Pretrained::open(init).map(|init| init.vocab_size())).map_err(Error::new)?;
    Ok(Job {
        name: source.clone(),
        model: train.shape(),
        vocab: ids.max(rows),
        sequence_length: arguments.sequence_length.unwrap_or(train.sequence_length),
        micro_batch,
        accumulates: micro_batch < train.batch,
        activation_checkpointing: arguments.activation_checkpointing || train.activation_checkpointing,
        tokens: train.tokens,
        lora: lora.or_else(|| train.lora.clone()),
        reference: train.has_reference(),
        looks: train.looks(),
        weights: weights.unwrap_or(train.weights),
        optimizer_states: optimizer_states.unwrap_or(train.optimizer_states),
        answers: train.objective.draws_answers(),
    })
}

/// `1234567` → `1,234,567`.
fn count(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
    groups.join(",")
}

/// Seconds as the largest unit that gives more than one and a half.
fn span(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 90.0 => (s, "seconds"),
        s if s < 5400.0 => (s / 60.0, "minutes"),
        s if s < 129_600.0 => (s / 3600.0, "hours"),
        s => (s / 86_400.0, "days"),
    };
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_they_are_read() {
        assert_eq!(["7", "1,234", "1,234,567"].map(str::to_owned), [7, 1234, 1_234_567].map(count));
        assert_eq!(span(45.0), "45.0 seconds");
        assert_eq!(span(7200.0), "2.0 hours");
        assert_eq!(span(864_000.0), "10.0 days");
    }
}
