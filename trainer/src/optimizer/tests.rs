//! AdamW and clipping, by hand.

use burn::tensor::Device;

use super::*;
use crate::lora::{Full, LoraConfig};
use crate::model::{ModelConfig, Precision};

fn model() -> Model {
    let config = ModelConfig { hidden: 2, layers: 1, heads: 1, kv_heads: 1, intermediate: 1, ..Default::default() };
    let mut model = config.init(&Device::flex(), 2, 0).unwrap();
    for parameter in model.parameters_mut() {
        let length = parameter.len();
        parameter.fill(vec![1.0; length]);
    }
    model
}

/// The same gradient for every number of the model.
fn even(model: &Model, gradient: f64) -> Gradients {
    let values = model.parameters().into_iter().map(|p| Some(p.value().inner().full_like(gradient)));
    Gradients::from_values(model, values.collect())
}

fn close(model: &Model, matrices: f32, vectors: f32) {
    for parameter in model.parameters() {
        let expected = if parameter.is_matrix() { matrices } else { vectors };
        for value in parameter.to_vec().unwrap() {
            assert!((value - expected).abs() < 2e-6, "{}: {value} {expected}", parameter.name());
        }
    }
}

#[test]
fn two_steps_by_hand() {
    let mut model = model();
    let config = TrainConfig { weight_decay: 0.5, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, ..Default::default() };
    let mut adam = AdamW::new(&config, &model, 0);
    // Step 1, gradient 0.5: both moments corrected are 0.5 and 0.25, so a whole learning rate.
    // A matrix decays by 0.1 × 0.5 first: 1 × 0.95 - 0.1.
    let gradients = even(&model, 0.5);
    adam.step(&mut model, &gradients, 0.1).unwrap();
    close(&model, 0.85, 0.9);
    // Step 2, gradient -1: mean 0.9 × 0.05 - 0.1 = -0.055, corrected by 0.19; square 0.95 × 0.0125 +
    // 0.05 = 0.061875, corrected by 0.0975. -0.289474 / sqrt(0.634615) = -0.363374.
    let gradients = even(&model, -1.0);
    adam.step(&mut model, &gradients, 0.1).unwrap();
    close(&model, 0.85 * 0.95 + 0.036_337_4, 0.9 + 0.036_337_4);
    assert_eq!(adam.steps(), 2);
}

/// The first step moves every number by its learning rate (see above), after decay by rate × 0.5.
#[test]
fn embedding_and_head_have_rates_of_their_own() {
    let config = ModelConfig { hidden: 2, layers: 1, heads: 1, kv_heads: 1, intermediate: 1, tied_embeddings: false, ..Default::default() };
    let mut model = config.init(&Device::flex(), 2, 0).unwrap();
    for parameter in model.parameters_mut() {
        let length = parameter.len();
        parameter.fill(vec![1.0; length]);
    }
    let config = TrainConfig {
        learning_rate: 0.2, // the highest; the step's own is half of it
        embedding_learning_rate: Some(0.04),
        head_learning_rate: Some(0.4),
        weight_decay: 0.5,
        ..Default::default()
    };
    let gradients = even(&model, 0.5);
    AdamW::new(&config, &model, 0).step(&mut model, &gradients, 0.1).unwrap();
    for parameter in model.parameters() {
        let expected = match (parameter.name(), parameter.is_matrix()) {
            (EMBEDDING, _) => 0.99 - 0.02,
            (HEAD, _) => 0.9 - 0.2,
            (_, true) => 0.95 - 0.1,
            (_, false) => 0.9,
        };
        for value in parameter.to_vec().unwrap() {
            assert!((value - expected).abs() < 2e-6, "{}: {value} {expected}", parameter.name());
        }
    }
}

#[test]
fn epsilon_is_added_to_the_corrected_root() {
    let mut model = model();
    let config = TrainConfig { weight_decay: 0.0, epsilon: 0.5, ..Default::default() };
    let mut adam = AdamW::new(&config, &model, 0);
    let gradients = even(&model, 0.5);
    adam.step(&mut model, &gradients, 0.1).unwrap();
    close(&model, 0.95, 0.95); // 0.1 × 0.5 / (0.5 + 0.5)
}

#[test]
fn clipping_by_hand() {
    let model = model();
    let numbers = model.num_params() as f64;
    let norm = |gradients: &Gradients| f64::from(gradients.norm().into_scalar::<f32>());
    let mut gradients = even(&model, 3.0);
    let before = f64::from(gradients.clip(2.0).into_scalar::<f32>());
    assert!((before - 3.0 * numbers.sqrt()).abs() < 1e-4, "{before}");
    assert!((norm(&gradients) - 2.0).abs() < 1e-5);

    for limit in [0.0, 1e9] {
        let mut untouched = even(&model, 3.0);
        untouched.clip(limit);
        assert_eq!(untouched.get(0).unwrap().into_data(), even(&model, 3.0).get(0).unwrap().into_data());
    }
}

/// A model whose query and feed-forward matrices are large enough for codes.
fn large() -> Model {
    let config = ModelConfig { hidden: 64, layers: 1, heads: 2, kv_heads: 1, intermediate: 96, ..Default::default() };
    config.init(&Device::flex(), 100, 3).unwrap()
}

/// Beside adapters a table that is trained whole is rounded; adapters, in 32 bits, keep steps far below half a unit.
#[test]
fn adapters_are_not_rounded() {
    let lora = LoraConfig { rank: 2, full: vec![Full::EmbedTokens, Full::Norms], ..LoraConfig::default() };
    let shape = ModelConfig { hidden: 8, layers: 1, heads: 2, kv_heads: 1, intermediate: 8, ..Default::default() };
    let mut model = shape.init_lora(&Device::flex(), 16, 3, &lora, Precision::F32).unwrap();
    for parameter in model.parameters_mut() {
        let length = parameter.len();
        parameter.fill(vec![1.0; length]);
    }
    let config = TrainConfig { weights: WeightNumbers::Bf16, lora: Some(lora), weight_decay: 0.0, ..Default::default() };
    let gradients = even(&model, 1.0);
    AdamW::new(&config, &model, 7).step(&mut model, &gradients, 1e-4).unwrap();
    for parameter in model.parameters() {
        let values = parameter.to_vec().unwrap();
        let rounded = values.iter().all(|value| value.to_bits() & 0xffff == 0);
        assert_eq!(rounded, parameter.name() == EMBEDDING, "{}", parameter.name());
        assert!(rounded || values.iter().all(|value| (value - 0.9999).abs() < 1e-6), "{}", parameter.name());
    }
}

fn bits(model: &Model) -> Vec<Vec<u32>> {
    model.parameters().iter().map(|p| p.to_vec().unwrap().into_iter().map(f32::to_bits).collect()).collect()
}

/// Gradients that change from step to step: half of the weights themselves.
fn pull(model: &Model, times: f64) -> Gradients {
    let values = model.parameters().into_iter().map(|p| Some(p.value().inner() * times));
    Gradients::from_values(model, values.collect())
}

#[test]
fn large_matrices_are_coded_and_follow_the_full_ones() {
    let [full, coded] = [OptimizerStates::Full, OptimizerStates::EightBit].map(|optimizer_states| {
        let config = TrainConfig { optimizer_states, ..Default::default() };
        let mut model = large();
        let mut adam = AdamW::new(&config, &model, 0);
        for number in 0..20 {
            let gradients = pull(&model, 0.5 - 0.02 * f64::from(number));
            adam.step(&mut model, &gradients, 1e-3).unwrap();
        }
        (model, adam)
    });
    for (index, (a, b)) in full.0.parameters().into_iter().zip(coded.0.parameters()).enumerate() {
        let [a_values, b_values] = [a, b].map(|parameter| parameter.to_vec().unwrap());
        let far = a_values.iter().zip(&b_values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let is_coded = matches!(coded.1.moments()[index], Moments::Coded(_));
        assert_eq!(is_coded, a.len() >= 4096 && a.name() != EMBEDDING, "{}", a.name());
        // Twenty steps move a weight by at most 0.02; codes are two or three digits of a moment.
        assert!(far <= if is_coded { 4e-3 } else { 0.0 }, "{}: {far}", a.name());
        assert!(!is_coded || far > 0.0, "{}", a.name());
    }
}

#[test]
fn rounded_weights_are_bfloat16_and_depend_on_seed_and_step_alone() {
    let config = TrainConfig { weights: WeightNumbers::Bf16, ..Default::default() };
    let run = |seed| {
        let mut model = large();
        let mut adam = AdamW::new(&config, &model, seed);
        let mut all = Vec::new();
        for _ in 0..3 {
            let gradients = pull(&model, 0.5);
            adam.step(&mut model, &gradients, 1e-4).unwrap();
            all.push(bits(&model));
        }
        all
    };
    let all = run(1);
    // What is few numbers is kept in 32 bits.
    for (at, parameter) in large().parameters().into_iter().enumerate() {
        let rounded = all.iter().all(|step| step[at].iter().all(|bits| bits & 0xffff == 0));
        let (zeros, name) = (all[2][at].iter().all(|&bits| bits == 0), parameter.name());
        assert_eq!(rounded, parameter.is_matrix() || zeros, "{name}");
        assert!(!zeros || name.ends_with("bias"), "{name}");
    }
    assert_ne!(all[0], all[2], "steps below half a unit are not lost");
    assert_eq!(all, run(1));
    assert_ne!(all, run(2));
}
