//! What training costs, by arithmetic: work, memory by part, time.

use serde::Serialize;

use crate::config::{OptimizerStates, WeightNumbers};
use crate::error::Result;
use crate::lora::{Base, Full, LoraConfig};
use crate::model::{ModelConfig, Precision, is_narrow};

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

/// Models by name, with rows of their embedding: facts of their published configurations.
pub fn known_model(name: &str) -> Option<(ModelConfig, usize)> {
    // hidden, layers, heads, kv heads, head size, intermediate, rows, tied, qkv bias, head norms
    let (hidden, layers, heads, kv_heads, head, intermediate, rows, tied_embeddings, qkv_bias, qk_norm) = match name {
        "qwen2.5-0.5b" => (896, 24, 14, 2, 64, 4864, 151_936, true, true, false),
        "qwen2.5-1.5b" => (1536, 28, 12, 2, 128, 8960, 151_936, true, true, false),
        "qwen2.5-3b" => (2048, 36, 16, 2, 128, 11_008, 151_936, true, true, false),
        "qwen2.5-7b" => (3584, 28, 28, 4, 128, 18_944, 152_064, false, true, false),
        "qwen2.5-14b" => (5120, 48, 40, 8, 128, 13_824, 152_064, false, true, false),
        "qwen2.5-32b" => (5120, 64, 40, 8, 128, 27_648, 152_064, false, true, false),
        "qwen3-0.6b" => (1024, 28, 16, 8, 128, 3072, 151_936, true, false, true),
        "qwen3-1.7b" => (2048, 28, 16, 8, 128, 6144, 151_936, true, false, true),
        "qwen3-4b" => (2560, 36, 32, 8, 128, 9728, 151_936, true, false, true),
        "qwen3-8b" => (4096, 36, 32, 8, 128, 12_288, 151_936, false, false, true),
        "llama-3.2-1b" => (2048, 16, 32, 8, 64, 8192, 128_256, true, false, false),
        "llama-3.2-3b" => (3072, 28, 24, 8, 128, 8192, 128_256, true, false, false),
        "llama-3.1-8b" => (4096, 32, 32, 8, 128, 14_336, 128_256, false, false, false),
        _ => return None,
    };
    let head_size = (hidden != heads * head).then_some(head);
    let config = ModelConfig {
        hidden,
        layers,
        heads,
        kv_heads,
        head_size,
        intermediate,
        tied_embeddings,
        qkv_bias,
        qk_norm,
        ..ModelConfig::default()
    };
    Some((config, rows))
}

/// The names that [`known_model`] knows.
pub const KNOWN_MODELS: [&str; 13] = [
    "qwen2.5-0.5b",
    "qwen2.5-1.5b",
    "qwen2.5-3b",
    "qwen2.5-7b",
    "qwen2.5-14b",
    "qwen2.5-32b",
    "qwen3-0.6b",
    "qwen3-1.7b",
    "qwen3-4b",
    "qwen3-8b",
    "llama-3.2-1b",
    "llama-3.2-3b",
    "llama-3.1-8b",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ScalarHead;

    fn estimate(name: &str, micro_batch: u32, sequence_length: u32, activation_checkpointing: bool) -> Estimate {
        let (model, vocab) = known_model(name).unwrap();
        Estimate::new(&Workload { sequence_length, micro_batch, activation_checkpointing, ..work(&model, vocab) }).unwrap()
    }

    fn work(model: &ModelConfig, vocab: usize) -> Workload<'_> {
        Workload {
            model,
            vocab,
            sequence_length: 4096,
            micro_batch: 1,
            activation_checkpointing: true,
            accumulates: false,
            lora: None,
            reference: false,
            looks: Looks::default(),
            weights: WeightNumbers::F32,
            optimizer_states: OptimizerStates::Full,
        }
    }

    fn bytes(estimate: &Estimate, name: &str) -> u64 {
        estimate.memory.iter().find(|part| part.name == name).unwrap().bytes
    }

    /// All of Qwen2.5-7B: 2 bytes a weight of a matrix, 2 + 8/256 a pair of moments, 8 a pair of the embedding's.
    #[test]
    fn few_bits_by_hand() {
        let (model, vocab) = known_model("qwen2.5-7b").unwrap();
        let few = Workload { weights: WeightNumbers::Bf16, optimizer_states: OptimizerStates::EightBit, ..work(&model, vocab) };
        let found = Estimate::new(&few).unwrap();
        let vectors: u64 = 28 * (2 * 3584 + 3584 + 2 * 512) + 3584;
        let table = 152_064 * 3584;
        let coded = found.parameters - vectors - table;
        assert_eq!(bytes(&found, "weights"), 2 * (found.parameters - vectors) + 4 * vectors);
        assert_eq!(bytes(&found, "moments"), coded * 2 + coded / 256 * 8 + 8 * (vectors + table));
        assert_eq!(bytes(&found, "weights in bfloat16"), 0);
        assert_eq!(bytes(&found, "gradients"), 4 * found.parameters);
        assert_eq!(bytes(&found, "reference"), 0);
        let compared = Estimate::new(&Workload { reference: true, ..few }).unwrap();
        assert_eq!(bytes(&compared, "reference"), bytes(&found, "weights"));
    }

    /// Rank 64 beside all matrices of Qwen2.5-7B: 161.5 million trained numbers, as PEFT counts them.
    #[test]
    fn adapters_cost_two_thirds_of_the_work_and_little_memory() {
        let (model, vocab) = known_model("qwen2.5-7b").unwrap();
        let of = |lora: &LoraConfig| Estimate::new(&Workload { accumulates: true, lora: Some(lora), ..work(&model, vocab) }).unwrap();
        let lora = LoraConfig { rank: 64, ..LoraConfig::default() };
        let found = of(&lora);
        // q 7168, k and v 4096 each, o 7168, gate, up and down 22528 each, of 28 layers.
        assert_eq!(found.trained, 64 * 28 * (7168 + 4096 + 4096 + 7168 + 3 * 22_528));
        assert_eq!(found.trained, 161_480_704);
        let whole = estimate("qwen2.5-7b", 1, 4096, true);
        assert_eq!(found.flops_of_products, whole.flops_of_products / 6 * 4 + 6 * found.trained);
        assert_eq!(found.flops_per_token - found.flops_of_products, whole.flops_per_token - whole.flops_of_products);
        // Two bytes of a matrix, four of a norm or bias.
        let vectors: u64 = 28 * (2 * 3584 + 3584 + 2 * 512) + 3584;
        assert_eq!(bytes(&found, "frozen weights"), 2 * (whole.parameters - vectors) + 4 * vectors);
        assert_eq!(bytes(&found, "moments"), 8 * found.trained);
        assert_eq!(bytes(&found, "weights in bfloat16"), 2 * found.trained);
        let four_bits = of(&LoraConfig { base: Some(Base::Nf4), ..lora.clone() });
        let tables = 2 * 152_064 * 3584;
        let matrices = (whole.parameters - vectors - tables) as f64;
        let expected = matrices * 0.515_869_140_625 + (2 * tables + 4 * vectors) as f64;
        assert!((bytes(&four_bits, "frozen weights") as f64 - expected).abs() < 100.0);
        // The output trained too: its gradient is two more operations for each number.
        let full = of(&LoraConfig { full: vec![Full::LmHead], ..lora });
        assert_eq!(full.flops_of_products - found.flops_of_products, 2 * 152_064 * 3584);
        assert_eq!(full.trained - found.trained, 152_064 * 3584);
    }

    /// `dpo` takes each answer through the reference too: 2 P and a third of attention more. `kto` takes as many mismatched answers
    /// through both besides. Qwen2.5-0.5B has P = 494,032,768, all of it in products, and 24 layers of 896.
    #[test]
    fn what_is_only_looked_at_costs_a_third() {
        let (model, vocab) = known_model("qwen2.5-0.5b").unwrap();
        let of = |looks, lora| Estimate::new(&Workload { reference: true, looks, lora, ..work(&model, vocab) }).unwrap();
        let (p, attention) = (494_032_768, 24 * 896 * 4096);
        let [dpo, kto] = [Looks { model: 0, reference: 1 }, Looks { model: 1, reference: 2 }];
        for (looks, times) in [(Looks::default(), 6), (dpo, 8), (kto, 12)] {
            let found = of(looks, None);
            assert_eq!((found.flops_of_products, found.flops_per_token), (times * p, times * (p + attention)));
        }
        // Beside adapters, of rank 8: q 1792, k and v 1024 each, o 1792, gate, up and down 5760 each, of 24 layers. The reference is
        // the model without them, or, where training goes on from some, with those.
        let new = LoraConfig { rank: 8, ..LoraConfig::default() };
        let gone_on_from = LoraConfig { init: Some("peft".into()), ..new.clone() };
        let a = 8 * 24 * (2 * 1792 + 2 * 1024 + 3 * 5760);
        assert_eq!(of(dpo, Some(&new)).flops_of_products, 6 * p + 6 * a);
        assert_eq!(of(kto, Some(&new)).flops_of_products, 10 * p + 8 * a);
        assert_eq!(of(kto, Some(&gone_on_from)).flops_of_products, 10 * p + 12 * a);
        assert_eq!([&new, &gone_on_from].map(|lora| bytes(&of(kto, Some(lora)), "reference")), [0, 4 * a]);
    }

    /// Qwen2.5-7B with one row of 3,584 numbers in place of its output matrix: no product with it, no logits, no gradient.
    #[test]
    fn a_reward_model_has_no_output_matrix() {
        let (model, vocab) = known_model("qwen2.5-7b").unwrap();
        let reward = model.with_scalar_head(Some(ScalarHead::Score));
        let [whole, scored] = [&model, &reward].map(|model| Estimate::new(&work(model, vocab)).unwrap());
        let table = 152_064 * 3584;
        assert_eq!(scored.parameters, whole.parameters - table + 3584);
        assert_eq!(scored.flops_of_products, 6 * (whole.parameters - 2 * table + 3584));
        assert_eq!((bytes(&scored, "a piece of logits"), bytes(&scored, "weights")), (0, 4 * scored.parameters));
        assert_eq!(bytes(&scored, "weights in bfloat16"), 2 * (scored.parameters - table));
        // Beside adapters the row alone is trained whole.
        let lora = LoraConfig { rank: 64, ..LoraConfig::default() };
        let [plain, scored] = [&model, &reward].map(|model| Estimate::new(&Workload { lora: Some(&lora), ..work(model, vocab) }).unwrap());
        assert_eq!(scored.trained, plain.trained + 3584);
        assert_eq!(scored.flops_of_products, plain.flops_of_products - 4 * table + 6 * 3584);
        assert_eq!(bytes(&scored, "frozen weights"), bytes(&plain, "frozen weights") - 2 * table);
        // Tied, the table is looked up and stands in no product.
        let (tied, vocab) = known_model("qwen2.5-0.5b").unwrap();
        let [plain, scored] =
            [&tied, &tied.with_scalar_head(Some(ScalarHead::Score))].map(|model| Estimate::new(&work(model, vocab)).unwrap());
        assert_eq!(bytes(&scored, "weights in bfloat16"), bytes(&plain, "weights in bfloat16") - 2 * (151_936 - 1) * 896);
        assert_eq!(bytes(&scored, "both gradients of a tied embedding"), 0);
    }

    #[test]
    fn what_a_training_refuses_is_refused() {
        let (model, vocab) = known_model("qwen2.5-0.5b").unwrap();
        let refused = |rank, weights| {
            let lora = LoraConfig { rank, ..LoraConfig::default() };
            Estimate::new(&Workload { lora: Some(&lora), weights, ..work(&model, vocab) }).map(drop).map_err(|error| error.to_string())
        };
        assert!(refused(3, WeightNumbers::F32).unwrap_err().starts_with("`lora.rank` is 3, not a multiple of 8"));
        assert!(refused(8, WeightNumbers::Bf16).unwrap_err().starts_with("`weights` is bf16, but adapters"));
        refused(8, WeightNumbers::F32).unwrap();
        // Heads of 32 numbers train in 32 bits, where any rank will do.
        let small = ModelConfig { hidden: 64, heads: 2, kv_heads: 1, ..model.clone() };
        let lora = LoraConfig { rank: 3, ..LoraConfig::default() };
        Estimate::new(&Workload { lora: Some(&lora), ..work(&small, vocab) }).unwrap();
    }

    /// The counts that the model cards give.
    #[test]
    fn known_models_have_their_published_sizes() {
        for (name, parameters) in [
            ("qwen2.5-0.5b", 494_032_768),
            ("qwen2.5-1.5b", 1_543_714_304),
            ("qwen2.5-7b", 7_615_616_512),
            ("qwen2.5-14b", 14_770_033_664),
            ("qwen3-0.6b", 596_049_920),
            ("qwen3-8b", 8_190_735_360),
            ("llama-3.2-1b", 1_235_814_400),
            ("llama-3.1-8b", 8_030_261_248),
        ] {
            assert_eq!(estimate(name, 1, 1, false).parameters, parameters, "{name}");
        }
        for name in KNOWN_MODELS {
            assert!(known_model(name).is_some(), "{name}");
        }
        assert!(known_model("gpt-2").is_none());
    }

    /// 6 × 7,070,619,136 × 10^12 ÷ (4 × 10^14 × 86,400) days: the looked-up table is in no product.
    #[test]
    fn a_trillion_tokens_on_seven_billion_parameters() {
        let estimate = estimate("qwen2.5-7b", 1, 4096, false);
        let days = estimate.flops_of_products as f64 * 1e12 / 400e12 / 86_400.0;
        assert!((days - 1227.5).abs() < 0.1, "{days}");
        // Attention over 4,096 tokens adds 6 × 28 × 3,584 × 4,096.
        assert_eq!(estimate.flops_per_token - estimate.flops_of_products, 6 * 28 * 3584 * 4096);
    }

    /// Against what nvidia-smi showed on an H100 (benches/train/RESULTS.md).
    #[test]
    fn memory_is_what_was_seen() {
        for (name, rows, length, again, seen) in [
            ("qwen2.5-0.5b", 4, 2048, false, 26.7e9),
            ("qwen2.5-0.5b", 4, 2048, true, 13.1e9),
            ("qwen2.5-0.5b", 16, 4096, true, 31.8e9),
            ("qwen2.5-1.5b", 2, 4096, false, 62.5e9),
        ] {
            let sum = estimate(name, rows, length, again).memory_sum() as f64;
            assert!(sum * POOL.0 <= seen && seen <= sum * POOL.1, "{name} {rows} x {length}: {sum:.3e}, seen {seen:.3e}");
        }
    }
}
