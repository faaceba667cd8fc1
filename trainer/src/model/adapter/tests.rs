//! Adapters against the matrices that they stand for. What PEFT computes is in `lora/tests.rs`.

use std::collections::BTreeMap;

use shards::Batch;

use super::*;
use crate::lora::{Base, Full, Target};
use crate::model::{Adapters, Inputs, Model, ModelConfig};
use crate::objective::Cpt;

const VOCAB: usize = 17;

fn config() -> ModelConfig {
    ModelConfig { hidden: 12, layers: 2, heads: 2, kv_heads: 1, intermediate: 10, tied_embeddings: false, ..ModelConfig::default() }
}

fn batch() -> Batch {
    let ids = |seed: u32| (0..12u32).map(|i| (i * i + 3 * i + seed) % VOCAB as u32).collect::<Vec<_>>();
    let positions = (0..6).collect::<Vec<_>>().repeat(2);
    Batch {
        rows: 2,
        seq_len: 6,
        inputs: ids(1),
        targets: ids(5),
        positions,
        documents: vec![0; 12],
        mask: vec![true; 12],
        buckets: vec![0; 2],
        answers: Vec::new(),
    }
}

fn small() -> LoraConfig {
    LoraConfig { rank: 4, ..LoraConfig::default() }
}

fn adapted(lora: &LoraConfig) -> Model {
    let device = Device::flex();
    let adapters = Adapters { lora, base: lora.base.unwrap_or(Base::F32), seed: 3, device: &device };
    config().init_with(&device, VOCAB, 1, Some(adapters)).unwrap()
}

/// Adapters that change something.
fn trained(lora: &LoraConfig) -> Model {
    let mut model = adapted(lora);
    for parameter in model.parameters_mut() {
        let noise = Rng::new(8, parameter.name()).normal(parameter.len(), 0.3);
        let values = parameter.to_vec().unwrap().iter().zip(noise).map(|(value, noise)| value + noise).collect();
        parameter.fill(values);
    }
    model
}

impl Adapter {
    /// The matrix that computes alone what this one and the adapter compute together, `[out, in]` in 32-bit floats.
    fn merged(&self, weight: &Parameter) -> Tensor<2> {
        let whole = weight.value().inner().cast(DType::F32);
        let [a, b] = [&self.down, &self.up].map(|matrix| matrix.value().inner());
        let whole = whole + b.matmul(a) * self.scale;
        match &self.magnitude {
            None => whole,
            Some(magnitude) => {
                let factor = magnitude.length.value().inner() / self.lengths(magnitude, weight.value().inner());
                whole * factor.transpose()
            }
        }
    }
}

/// The same function without adapters; all its weights are trained.
fn merged(model: &Model) -> Model {
    let mut numbers: BTreeMap<String, Vec<f32>> = model.tensors().map(|p| (p.name().to_owned(), p.to_vec().unwrap())).collect();
    for linear in model.layers.iter().flat_map(|layer| layer.linears()) {
        if let Some(adapter) = &linear.adapter {
            numbers.insert(linear.weight.name().to_owned(), values(adapter.merged(&linear.weight)));
        }
    }
    Model::build(&config(), VOCAB, None, &mut |wanted| {
        let values = numbers[&wanted.name].clone();
        Ok(wanted.filled(values, &Device::flex()))
    })
    .unwrap()
}

fn logits(model: &Model) -> Vec<f32> {
    let x = model.forward(&Inputs::new(model, &batch()).unwrap());
    values(model.logits(x))
}

fn values(x: Tensor<2>) -> Vec<f32> {
    x.inner().try_into_vec_as::<f32>().unwrap()
}

fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1.0f32, |most, value| most.max(value.abs()));
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= 2e-5 * largest, "{what}: {a} {b}");
    }
}

#[test]
fn a_new_adapter_changes_nothing() {
    let whole = logits(&config().init(&Device::flex(), VOCAB, 1).unwrap());
    // Products with a frozen matrix are added up in another order, where rows are few.
    assert_close(&logits(&adapted(&small())), &whole, "LoRA");
    assert_close(&logits(&adapted(&LoraConfig { dora: true, ..small() })), &whole, "DoRA");
}

#[test]
fn an_adapter_computes_what_its_merged_matrix_does() {
    let some = LoraConfig { rank: 3, targets: vec![Target::QProj, Target::DownProj], alpha: Some(5.0), ..small() };
    let all = LoraConfig { rank: 4, rs_lora: true, ..small() };
    for lora in [some.clone(), all.clone(), LoraConfig { dora: true, ..some }, LoraConfig { dora: true, ..all }] {
        let model = trained(&lora);
        let found = logits(&model);
        assert_close(&found, &logits(&merged(&model)), &format!("{lora:?}"));
        let before = logits(&adapted(&lora));
        assert!(found.iter().zip(&before).any(|(a, b)| (a - b).abs() > 1e-3), "{lora:?}");
    }
}

/// With W' = W + s B A, the chain rule gives dA = s Bᵀ dW' and dB = s dW' Aᵀ.
#[test]
fn gradients_follow_from_those_of_the_merged_matrix() {
    let lora = LoraConfig { rank: 3, alpha: Some(4.0), full: vec![Full::LmHead, Full::Norms], ..small() };
    let model = trained(&lora);
    let whole = merged(&model);
    let [ours, theirs] = [&model, &whole].map(|model| Cpt::default().of(model, &batch()).unwrap().sum.backward());
    let gradients: BTreeMap<&str, Tensor<2>> = whole.parameters().iter().map(|p| (p.name(), p.value().grad(&theirs).unwrap())).collect();
    let mut checked = 0;
    for linear in model.layers.iter().flat_map(|layer| layer.linears()) {
        let Some(adapter) = &linear.adapter else { panic!("{}", linear.weight.name()) };
        let dw = gradients[linear.weight.name()].clone();
        let [a, b] = [&adapter.down, &adapter.up].map(|p| p.value().inner());
        for (parameter, expected) in [(&adapter.down, b.transpose().matmul(dw.clone())), (&adapter.up, dw.matmul(a.transpose()))] {
            let found = values(parameter.value().grad(&ours).unwrap());
            assert_close(&found, &values(expected * adapter.scale), parameter.name());
            checked += 1;
        }
        assert!(!linear.weight.is_trained());
    }
    for parameter in model.parameters().iter().filter(|p| !p.name().contains("lora_")) {
        assert_close(&values(parameter.value().grad(&ours).unwrap()), &values(gradients[parameter.name()].clone()), parameter.name());
        checked += 1;
    }
    assert_eq!(checked, 2 * 2 * 7 + 1 + 2 * 2 + 1); // two matrices of each adapter, the output, all norms
}

#[test]
fn what_is_trained_is_what_the_config_says() {
    let names = |lora: &LoraConfig| adapted(lora).parameters().iter().map(|p| p.name().to_owned()).collect::<Vec<_>>();
    let lora = LoraConfig { rank: 2, targets: vec![Target::VProj], dora: true, full: vec![Full::EmbedTokens], ..small() };
    let layer = |layer: usize| {
        ["lora_A.weight", "lora_B.weight", "lora_magnitude_vector"].map(|part| format!("model.layers.{layer}.self_attn.v_proj.{part}"))
    };
    let expected = [vec!["model.embed_tokens.weight".to_owned()], layer(0).to_vec(), layer(1).to_vec()].concat();
    assert_eq!(names(&lora), expected);
    let model = adapted(&lora);
    assert_eq!(model.num_params(), (17 * 12 + 2 * (2 * 12 + 6 * 2 + 6)) as u64);
    assert_eq!(model.size(), config().num_params(VOCAB).unwrap() + 2 * (2 * 12 + 6 * 2 + 6));
}

#[test]
fn a_base_of_fewer_bits_is_close() {
    let exact = logits(&trained(&small()));
    let narrow = logits(&trained(&LoraConfig { base: Some(Base::Bf16), ..small() }));
    let apart = exact.iter().zip(&narrow).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart > 0.0 && apart < 0.02, "{apart}");
}

#[test]
fn impossible_settings_are_refused() {
    let refused = |lora: LoraConfig| lora.validate(&config()).unwrap_err().to_string();
    assert!(refused(LoraConfig { rank: 0, ..small() }).contains("lora.rank"));
    assert!(refused(LoraConfig { rank: 13, ..small() }).contains("at most 12"));
    assert!(refused(LoraConfig { alpha: Some(-1.0), ..small() }).contains("lora.alpha"));
    assert!(refused(LoraConfig { dropout: 1.0, ..small() }).contains("lora.dropout"));
    assert!(refused(LoraConfig { targets: vec![], ..small() }).contains("nothing would be trained"));
    assert!(refused(LoraConfig { targets: vec![Target::QProj; 2], ..small() }).contains("twice"));
    let tied = ModelConfig { tied_embeddings: true, ..config() };
    let lora = LoraConfig { full: vec![Full::LmHead], ..small() };
    assert!(lora.validate(&tied).unwrap_err().to_string().contains("embed-tokens"));
}

/// The reference of a model with new adapters is the model without them, and shares its matrices; of one whose adapters
/// training goes on from it is the model with these. Neither moves with what is trained.
#[test]
fn a_reference_stays_what_the_model_was() {
    let inputs = |model: &Model| Inputs::new(model, &batch()).unwrap();
    // Outside of a graph, few rows are multiplied by a kernel of their own.
    let hidden = |model: &Model| model.frozen().forward(&inputs(model)).try_into_vec_as::<f32>().unwrap();
    let lora = LoraConfig { full: vec![Full::Norms, Full::EmbedTokens], ..small() };
    for (mut model, keep) in [(adapted(&lora), false), (trained(&lora), true)] {
        let before = hidden(&model);
        let reference = model.reference(keep);
        assert!(reference.parameters().is_empty(), "something of the reference is trained");
        assert_eq!(reference.tensors().any(|tensor| tensor.name().contains("lora_")), keep);
        assert_eq!(hidden(&reference), before);
        for parameter in model.parameters_mut() {
            let values = parameter.to_vec().unwrap().iter().map(|value| value + 0.1).collect();
            parameter.fill(values);
        }
        assert_ne!(hidden(&model), before);
        assert_eq!(hidden(&reference), before);
    }
    let without = trained(&small()).without_adapters();
    assert_eq!(hidden(&without), hidden(&adapted(&small()).without_adapters()));
}
