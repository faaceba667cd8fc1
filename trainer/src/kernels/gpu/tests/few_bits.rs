//! AdamW on the card with 8-bit moments and with weights in bfloat16, against the same on the processor.

use super::*;
use crate::kernels::gpu::CardCodes;
use crate::optimizer::{Codes, Moments};
use crate::{OptimizerStates, WeightNumbers};

/// How many of so many numbers may be another: a sum that the card rounds otherwise can lie on the other side of a border.
const OTHERS: f64 = 5e-3;

fn assert_mostly<T: PartialEq>(what: &str, found: &[T], expected: &[T]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let others = found.iter().zip(expected).filter(|(found, expected)| found != expected).count();
    assert!(others as f64 <= OTHERS * found.len() as f64, "{what}: {others} of {} differ", found.len());
}

fn read(codes: &CardCodes) -> Codes {
    Codes { codes: codes.codes().unwrap(), scales: codes.scales().unwrap() }
}

fn codes(moments: &Moments) -> Option<[Codes; 2]> {
    match moments {
        Moments::Full(_) => None,
        Moments::Coded(codes) => Some(codes.clone()),
        Moments::OnCard(codes) => Some(codes.each_ref().map(read)),
    }
}

#[test]
fn gpu_codes_come_back() {
    let Some(card) = card() else { return };
    for count in [1, 255, 4099] {
        let codes = Codes { codes: (0..count).map(|at| (at * 7) as u8).collect(), scales: vec![0.25; Codes::blocks(count)] };
        assert_eq!(read(&CardCodes::new(&codes, &card)), codes);
    }
}

#[test]
fn gpu_few_bits_are_those_of_the_processor() {
    let Some(card) = card() else { return };
    let both = [OptimizerStates::Full, OptimizerStates::EightBit];
    for (optimizer_states, weights) in both.into_iter().flat_map(|states| [(states, WeightNumbers::F32), (states, WeightNumbers::Bf16)]) {
        let config = TrainConfig { optimizer_states, weights, ..TrainConfig::default() };
        let [expected, found] = [(Device::flex(), Precision::F32), (card.clone(), Precision::Bf16)].map(|(device, precision)| {
            let mut model = model(64, &device).with_precision(precision).unwrap();
            for parameter in model.parameters_mut() {
                let values = values(Tensor::<2>::from_data(random(parameter.name(), [1, parameter.len()]), &Device::flex()));
                parameter.fill(values);
            }
            let mut model = model.kept_as(weights);
            let mut optimizer = AdamW::new(&config, &model, 7);
            for step in 0..3 {
                let gradient = |parameter: &&crate::Parameter| {
                    let shape = parameter.value().dims();
                    Some(Tensor::from_data(random(&format!("{} {step}", parameter.name()), shape), &device))
                };
                let gradients = Gradients::from_values(&model, model.parameters().iter().map(gradient).collect());
                optimizer.step(&mut model, &gradients, 1e-3).unwrap();
            }
            for parameter in model.parameters() {
                if let Some(copy) = parameter.copy() {
                    assert_eq!(values(copy), values(parameter.value().inner().cast(DType::BF16)), "{}", parameter.name());
                }
            }
            let copies = model.parameters().into_iter().filter(|parameter| parameter.copy().is_some()).count();
            assert_eq!(copies > 0, precision == Precision::Bf16 && weights == WeightNumbers::F32);
            let parameters: Vec<_> = model.parameters().into_iter().map(|p| (p.name().to_owned(), p.to_vec().unwrap())).collect();
            (parameters, optimizer.moments().iter().map(codes).collect::<Vec<_>>())
        });
        for ((name, expected), (_, found)) in expected.0.iter().zip(&found.0) {
            let what = format!("{name}, {optimizer_states:?} {weights:?}");
            assert_close(&what, found, expected, 1e-4);
            // What is not rounded may differ in its last bit.
            if weights == WeightNumbers::Bf16 && crate::model::is_narrow(name) {
                assert_mostly(&what, found, expected);
            }
        }
        let coded = optimizer_states == OptimizerStates::EightBit;
        assert_eq!(found.1.iter().flatten().count() > 0, coded);
        for (expected, found) in expected.1.iter().flatten().zip(found.1.iter().flatten()) {
            for (expected, found) in expected.iter().zip(found) {
                assert_mostly("codes", &found.codes, &expected.codes);
                assert_close("scales", &found.scales, &expected.scales, 1e-5);
            }
        }
        assert!(crate::kernels::gpu::fault().is_none(), "{:?}", crate::kernels::gpu::fault());
    }
}

/// Weights in bfloat16 are read as they are in the forward pass, and their gradients are formed as those of others are.
#[test]
fn gpu_training_in_few_bits_learns() {
    let Some(card) = card() else { return };
    let full = TrainConfig { clip_norm: 0.5, ..TrainConfig::default() };
    let few = TrainConfig { optimizer_states: OptimizerStates::EightBit, weights: WeightNumbers::Bf16, ..full.clone() };
    let [expected, found] = [full, few].map(|config| curve(&config, &card, Precision::Bf16));
    assert!(expected[19] < 0.7 * expected[0], "{expected:?}");
    for (a, b) in found.iter().zip(&expected) {
        assert!((a - b).abs() <= 0.03 * b, "{found:?}\n{expected:?}");
    }
}
