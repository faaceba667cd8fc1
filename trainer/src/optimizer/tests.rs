//! AdamW and clipping, by hand.

use burn::tensor::Device;

use super::*;
use crate::model::ModelConfig;

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
    let mut adam = AdamW::new(&config, &model);
    // Step 1, gradient 0.5: both moments corrected are 0.5 and 0.25, so a whole learning rate.
    // A matrix decays by 0.1 × 0.5 first: 1 × 0.95 - 0.1.
    let gradients = even(&model, 0.5);
    adam.step(&mut model, &gradients, 0.1);
    close(&model, 0.85, 0.9);
    // Step 2, gradient -1: mean 0.9 × 0.05 - 0.1 = -0.055, corrected by 0.19; square 0.95 × 0.0125 +
    // 0.05 = 0.061875, corrected by 0.0975. -0.289474 / sqrt(0.634615) = -0.363374.
    let gradients = even(&model, -1.0);
    adam.step(&mut model, &gradients, 0.1);
    close(&model, 0.85 * 0.95 + 0.036_337_4, 0.9 + 0.036_337_4);
    assert_eq!(adam.steps(), 2);
}

#[test]
fn epsilon_is_added_to_the_corrected_root() {
    let mut model = model();
    let config = TrainConfig { weight_decay: 0.0, epsilon: 0.5, ..Default::default() };
    let mut adam = AdamW::new(&config, &model);
    let gradients = even(&model, 0.5);
    adam.step(&mut model, &gradients, 0.1);
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
