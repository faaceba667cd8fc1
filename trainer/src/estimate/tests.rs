//! Work and memory against hand-computed and measured values.

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
    let [plain, scored] = [&tied, &tied.with_scalar_head(Some(ScalarHead::Score))].map(|model| Estimate::new(&work(model, vocab)).unwrap());
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
