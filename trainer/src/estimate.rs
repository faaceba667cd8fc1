//! What training costs, by arithmetic: work, memory by part, time.

mod known;

use serde::Serialize;

use crate::config::{OptimizerStates, WeightNumbers};
use crate::error::Result;
use crate::lora::{Base, Full, LoraConfig};
use crate::model::{ModelConfig, Precision, is_narrow};
pub use known::{KNOWN_MODELS, known_model};

/// Numbers in a piece of logits, as in `kernels/gpu/loss.rs`.
const LOGITS: u64 = 1 << 29;

/// A card by what its maker says of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Card {
    /// Name, lower case.
    pub name: &'static str,
    /// Dense bfloat16 products, TFLOP/s.
    pub tflops: f64,
    /// Memory in bytes.
    pub memory: u64,
}

/// The cards that are known by name.
pub const CARDS: [Card; 7] = [
    Card { name: "h100", tflops: 989.0, memory: 80_000_000_000 },
    Card { name: "h200", tflops: 989.0, memory: 141_000_000_000 },
    Card { name: "b200", tflops: 2250.0, memory: 192_000_000_000 },
    Card { name: "a100", tflops: 312.0, memory: 80_000_000_000 },
    Card { name: "l40s", tflops: 362.0, memory: 48_000_000_000 },
    Card { name: "rtx4090", tflops: 165.0, memory: 24_000_000_000 },
    Card { name: "rtx3090", tflops: 71.0, memory: 24_000_000_000 },
];

/// Model FLOPs utilization measured on an H100 with the shape of Qwen2.5-0.5B (`benches/train/RESULTS.md`).
pub const MEASURED_MFU: f64 = 0.38;

/// How much more memory a process was seen to hold than the sum of its parts, at least and at most:
/// the pool keeps buffers of sizes that are not asked for again.
pub const POOL: (f64, f64) = (1.0, 1.6);

/// Forward passes over as many tokens as those that are learned from, which nothing is learned from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    /// Through the model that is trained.
    pub model: u32,
    /// Through the one it is compared with.
    pub reference: u32,
}

/// A step as the estimate sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload<'a> {
    /// The model's shape.
    pub model: &'a ModelConfig,
    /// Rows of its embedding.
    pub vocab: usize,
    /// Tokens of one sequence.
    pub sequence_length: u32,
    /// Sequences that go through the model at a time.
    pub micro_batch: u32,
    /// Whether layers keep nothing but their inputs.
    pub activation_checkpointing: bool,
    /// Whether a step has several such pieces, whose gradients are added up.
    pub accumulates: bool,
    /// Adapters that are trained in place of all weights.
    pub lora: Option<&'a LoraConfig>,
    /// Whether a copy of the model as it was is kept. With adapters it is the model without them, and what is trained whole
    /// beside them alone is copied.
    pub reference: bool,
    /// What goes through them forward alone.
    pub looks: Looks,
    /// Numbers of the weights between steps.
    pub weights: WeightNumbers,
    /// Numbers of the optimizer's moments.
    pub optimizer_states: OptimizerStates,
}

/// One part of a card's memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MemoryPart {
    /// What lies there.
    pub name: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What one card has to do and to hold.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Estimate {
    /// Numbers of the model, without adapters.
    pub parameters: u64,
    /// Trained numbers.
    pub trained: u64,
    /// Floating-point operations for a token that is learned from, forward and backward: 6 P of them in products with
    /// trained parameters and 4 P with frozen ones, which have no gradient; 2 P more for each of the [`Looks`]; the rest in attention.
    pub flops_per_token: u64,
    /// Those in products with parameters.
    pub flops_of_products: u64,
    /// Memory by part, with activations in bfloat16.
    pub memory: Vec<MemoryPart>,
}

impl Estimate {
    /// Adds everything up. The sizes are those of what `kernels/gpu` keeps.
    ///
    /// # Errors
    /// Adapters, or numbers of weights, that a training refuses too.
    pub fn new(work: &Workload) -> Result<Self> {
        let Workload { model, vocab, sequence_length, micro_batch, activation_checkpointing, accumulates, lora, .. } = *work;
        let parameters = model.num_params(vocab)?;
        let parts = Parts::of(work)?;
        // A pass forward is a third of one that learns.
        let products = model.flops_per_token(vocab, 0)? / 6;
        let attention = (model.flops_per_token(vocab, sequence_length)? - 6 * products) / 3;
        let learned = match lora {
            None => 6 * products,
            Some(_) => 4 * products + 2 * parts.full_products + 6 * parts.adapters,
        };
        let [own, others] = [work.looks.model, work.looks.reference].map(u64::from);
        let of_reference = if parts.kept_adapters { parts.adapters } else { 0 };
        let flops_of_products = learned + 2 * (own * (products + parts.adapters) + others * (products + of_reference));
        let flops_per_token = flops_of_products + (3 + own + others) * attention;
        let tokens = u64::from(sequence_length) * u64::from(micro_batch);
        let [hidden, layers, vocab, inner] = [model.hidden, model.layers, vocab, model.intermediate].map(|n| n as u64);
        let [queries, keys] = [model.heads, model.kv_heads].map(|heads| (heads * model.head_size()) as u64);
        let table = vocab * hidden;

        // Bytes of a token: bfloat16 rows, the norm's scale, the softmax's divisors.
        let scales = 4;
        let attention = 2 * (2 * hidden + 2 * queries + 2 * keys) + scales + 4 * model.heads as u64;
        let head_norms = if model.qk_norm { 2 * (queries + keys) + 4 * (model.heads + model.kv_heads) as u64 } else { 0 };
        let feed_forward = 2 * (2 * hidden + 3 * inner) + scales;
        let whole = attention + head_norms + feed_forward;
        let kept = if activation_checkpointing { 4 * hidden * layers + feed_forward } else { whole * layers };
        // A reward model has no logits.
        let both = if model.tied_embeddings && !model.is_reward() && parts.embedding { 8 * table } else { 0 };
        let logits = if model.is_reward() { 0 } else { tokens.min((LOGITS / vocab).max(1)) * vocab * 2 };
        let part = |name, bytes| MemoryPart { name, bytes };
        let memory = vec![
            part("frozen weights", parts.frozen_bytes),
            part("weights", parts.weights),
            part("gradients", 4 * parts.trained),
            part("moments", parts.moments),
            part("reference", if work.reference { parts.compared } else { 0 }),
            part("weights in bfloat16", parts.copies),
            part("gradients of a piece", if accumulates { 4 * parts.trained } else { 0 }),
            part("activations", kept.saturating_mul(tokens)),
            part("activations of adapters", (2 * parts.adapter_rows * layers).saturating_mul(tokens)),
            part("a piece of logits", logits),
            part("both gradients of a tied embedding", both),
            part("the backward pass of one layer", (6 * inner).saturating_mul(tokens)),
        ];
        Ok(Self { parameters, trained: parts.trained, flops_per_token, flops_of_products, memory })
    }

    /// The sum of the parts, bytes.
    pub fn memory_sum(&self) -> u64 {
        self.memory.iter().fold(0, |sum, part| sum.saturating_add(part.bytes))
    }

    /// Tokens per second at so many TFLOP/s of model work.
    pub fn tokens_per_second(&self, tflops: f64) -> f64 {
        tflops * 1e12 / self.flops_per_token as f64
    }
}

/// The numbers of a model by what is done with them.
struct Parts {
    /// Trained numbers.
    trained: u64,
    /// Those of adapters.
    adapters: u64,
    /// Whether the reference has adapters too, those that training goes on from.
    kept_adapters: bool,
    /// Those trained in full that stand in a product.
    full_products: u64,
    /// Whether the embedding is trained.
    embedding: bool,
    /// Bytes of what is frozen.
    frozen_bytes: u64,
    /// Bytes of what is trained.
    weights: u64,
    /// Those of it that a reference has a copy of.
    compared: u64,
    /// Bytes of its moments.
    moments: u64,
    /// Bytes of bfloat16 copies of 32-bit weights.
    copies: u64,
    /// Numbers that the adapters of a layer keep of a token.
    adapter_rows: u64,
}

impl Parts {
    fn of(work: &Workload) -> Result<Self> {
        let Workload { model, vocab, lora, .. } = *work;
        let table = (vocab * model.hidden) as u64;
        let looked_up = !model.tied_embeddings || model.is_reward();
        let size = |shape: &[usize]| shape.iter().product::<usize>() as u64;
        let narrow = |name: &str| work.weights == WeightNumbers::Bf16 && is_narrow(name);
        let kept_adapters = lora.is_some_and(|lora| lora.init.is_some());
        let kept = |tensors: &[(String, Vec<usize>)]| {
            let bytes = |(name, shape): &(String, Vec<usize>)| size(shape) * if narrow(name) { 2 } else { 4 };
            let weights: u64 = tensors.iter().map(bytes).sum();
            let compared = tensors.iter().filter(|(name, _)| kept_adapters || !name.contains(".lora_")).map(bytes).sum();
            let moments = tensors.iter().map(|(name, shape)| 2 * work.optimizer_states.bytes(name, size(shape))).sum();
            (weights, compared, moments)
        };
        let Some(lora) = lora else {
            let (weights, compared, moments) = kept(&model.tensors(vocab));
            let trained = model.num_params(vocab)?;
            let copies = if work.weights == WeightNumbers::Bf16 { 0 } else { 2 * (trained - if looked_up { table } else { 0 }) };
            let full_products = 0; // counted with the model's
            let (adapters, frozen_bytes, adapter_rows) = (0, 0, 0);
            return Ok(Self {
                trained,
                adapters,
                kept_adapters,
                full_products,
                embedding: true,
                frozen_bytes,
                weights,
                compared,
                moments,
                copies,
                adapter_rows,
            });
        };
        lora.validate(model)?;
        work.weights.check(lora)?;
        if Precision::Bf16.check_shape(model).is_ok() {
            Precision::Bf16.check_rank(lora.rank as usize)?;
        }
        let trains = |full| lora.full.contains(&full);
        let all = lora.tensors(model, vocab);
        let (weights, compared, moments) = kept(&all);
        let trained = all.iter().map(|(_, shape)| size(shape)).sum();
        let adapters = all.iter().filter(|(name, _)| name.contains(".lora_")).map(|(_, shape)| size(shape)).sum();
        let output = !model.is_reward() && trains(if model.tied_embeddings { Full::EmbedTokens } else { Full::LmHead });
        let scalar = if model.scalar_head.is_some() { model.hidden as u64 } else { 0 };
        let base = lora.base(Precision::Bf16);
        // Four bits a number, eight for the scale of 64 of them, 32 for that of 256 scales.
        let bits = |base| match base {
            Base::F32 => 32.0,
            Base::Bf16 => 16.0,
            Base::Nf4 => 4.0 + 8.0 / 64.0 + 32.0 / (64.0 * 256.0),
        };
        let (mut frozen_bytes, mut copies) = (0.0, 2 * adapters);
        for (name, shape) in model.tensors(vocab) {
            let full = Full::of(&name);
            let count = size(&shape);
            if model.scalar_head.is_some_and(|head| name == head.tensor()) {
                continue; // trained, in 32 bits
            }
            let is_product = shape.len() == 2 && (full != Some(Full::EmbedTokens) || !looked_up);
            if full.is_some_and(trains) {
                copies += if is_product && !narrow(&name) { 2 * count } else { 0 };
                continue;
            }
            let kept = if full.is_some() { base.of_tables() } else { base };
            let bits = if shape.len() == 2 { bits(kept) } else { 32.0 };
            frozen_bytes += count as f64 * bits / 8.0;
            copies += if is_product && kept == Base::F32 { 2 * count } else { 0 };
        }
        Ok(Self {
            trained,
            adapters,
            kept_adapters,
            full_products: if output { table + scalar } else { scalar },
            embedding: trains(Full::EmbedTokens),
            frozen_bytes: frozen_bytes as u64,
            weights,
            compared,
            moments,
            copies,
            adapter_rows: u64::from(lora.rank) * lora.targets.len() as u64,
        })
    }
}

#[cfg(test)]
mod tests;
