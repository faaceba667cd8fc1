//! Adapters against the PEFT library; see `testdata/make_adapters.py`.

mod hostile;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::Deserialize;
use serde_json::json;
use shards::Batch;

use super::*;
use crate::config::TrainConfig;
use crate::export::{AdapterExport, WeightFormat};
use crate::gradients::Gradients;
use crate::load::tests::{batch, expected, fixture, largest_difference, logits};
use crate::load::{EMBEDDING, HEAD, MergeBase, Pretrained};
use crate::model::Model;
use crate::objective::{Cpt, read};
use crate::optimizer::AdamW;

const CASES: [&str; 7] = ["lora", "full", "rslora", "tied", "dora", "dora-norms", "nf4"];

fn case(name: &str) -> PathBuf {
    fixture("adapters").join(name)
}

/// The folder of the model that a case belongs to.
fn base(adapters: &AdapterFile) -> PathBuf {
    fixture(adapters.base_name().unwrap())
}

/// How the frozen matrices of a case are kept.
fn kept(name: &str) -> Base {
    if name == "nf4" { Base::Nf4 } else { Base::F32 }
}

/// The model of a case with its adapters beside it.
fn adapted(name: &str) -> Model {
    let adapters = AdapterFile::open(&case(name)).unwrap();
    Pretrained::open(&base(&adapters)).unwrap().beside(&adapters, kept(name), &Device::flex()).unwrap()
}

fn ids(name: &str) -> Batch {
    batch(&base(&AdapterFile::open(&case(name)).unwrap()).join("ids.json"))
}

#[test]
fn logits_are_those_of_peft() {
    for name in CASES {
        let found = logits(&adapted(name), &ids(name));
        let difference = largest_difference(&found, &expected(&case(name).join("expected.safetensors"), "logits"));
        assert!(difference <= 1e-4, "{name}: {difference}");
    }
}

/// The length of the difference of each gradient, relative to the gradient's length.
#[test]
fn gradients_are_those_of_peft() {
    for name in CASES {
        let model = adapted(name);
        let grads = Cpt::default().of(&model, &ids(name)).unwrap().sum.backward();
        for parameter in model.parameters() {
            let found = parameter.value().grad(&grads).unwrap().try_into_vec_as::<f32>().unwrap();
            let expected = expected(&case(name).join("expected.safetensors"), parameter.name());
            let length = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            let apart = length(&mut found.iter().zip(&expected).map(|(a, b)| a - b));
            let relative = apart / length(&mut expected.iter().copied());
            assert!(relative <= 1e-4, "{name}, {}: {relative}", parameter.name());
        }
    }
}

#[test]
fn the_merged_model_has_the_logits_of_peft() {
    for name in CASES {
        let adapters = AdapterFile::open(&case(name)).unwrap();
        let merged = Pretrained::open(&base(&adapters)).unwrap().merged(adapters, kept(name), MergeBase::Trained).unwrap();
        let found = logits(&merged.model(&Device::flex()).unwrap(), &ids(name));
        let difference = largest_difference(&found, &expected(&case(name).join("expected.safetensors"), "logits"));
        assert!(difference <= 1e-4, "{name}: {difference}");
    }
}

/// Four bits are another model than the one that they were made of.
#[test]
fn adapters_of_four_bits_can_go_into_the_original() {
    let open = || Pretrained::open(&fixture("llama")).unwrap();
    let merged = |into| open().merged(AdapterFile::open(&case("nf4")).unwrap(), Base::Nf4, into).unwrap();
    let name = "model.layers.0.mlp.up_proj.weight";
    let [trained, original] = [MergeBase::Trained, MergeBase::Original].map(|into| merged(into).values(name).unwrap());
    let mut rounded = open().values(name).unwrap();
    let whole = rounded.clone();
    Base::Nf4.round(&mut rounded);
    // What was added is the same: the difference is that of the two bases.
    for at in 0..whole.len() {
        assert!((trained[at] - rounded[at] - (original[at] - whole[at])).abs() < 1e-6, "{at}");
    }
    assert_ne!(rounded, whole);
    let table = |into| merged(into).values(EMBEDDING).unwrap();
    let mut halves = table(MergeBase::Original);
    Base::Bf16.round(&mut halves);
    assert_eq!(table(MergeBase::Trained), halves);
}

#[derive(Deserialize)]
struct Trajectory {
    ids: Vec<Vec<Vec<u32>>>,
    steps: Vec<(f64, f64)>,
}

/// Fifty steps of AdamW, from PEFT's own adapters.
#[test]
fn the_loss_falls_as_with_peft() {
    let text = std::fs::read(case("trajectory").join("trajectory.json")).unwrap();
    let Trajectory { ids, steps } = serde_json::from_slice(&text).unwrap();
    let mut model = adapted("trajectory");
    let config = TrainConfig { weight_decay: 0.01, clip_norm: 1.0, ..TrainConfig::default() };
    let mut optimizer = AdamW::new(&config, &model, 0);
    let file = tempfile::tempdir().unwrap();
    let mut sum = 0.0;
    for (step, (ids, (loss, norm))) in ids.iter().zip(&steps).enumerate() {
        let path = file.path().join("ids.json");
        std::fs::write(&path, serde_json::to_vec(ids).unwrap()).unwrap();
        let batch = batch(&path);
        let trained = batch.trainable();
        let mut gradients = Gradients::new(&model);
        gradients.add(&model, Cpt::default().of(&model, &batch).unwrap().sum, trained).unwrap();
        let found_loss = read(gradients.loss(), "read").unwrap() / trained as f64;
        let found_norm = read(gradients.clip(config.clip_norm), "read").unwrap();
        optimizer.step(&mut model, &gradients, 3e-3).unwrap();
        assert!((found_loss - loss).abs() <= 1e-3, "step {step}: loss {found_loss}, not {loss}");
        assert!((found_norm - norm).abs() <= 1e-3 * norm, "step {step}: norm {found_norm}, not {norm}");
        sum += found_loss - loss;
    }
    // No drift to one side.
    assert!((sum / steps.len() as f64).abs() <= 1e-4, "{sum}");
}

#[test]
fn tensors_are_those_that_a_model_trains() {
    for name in CASES {
        let model = adapted(name);
        let named: Vec<_> = model.parameters().iter().map(|p| (p.name().to_owned(), p.shape().to_vec())).collect();
        assert_eq!(AdapterFile::open(&case(name)).unwrap().lora().tensors(model.config(), model.vocab_size()), named, "{name}");
    }
}

fn written(name: &str, folder: &Path, format: WeightFormat) -> PathBuf {
    let adapters = AdapterFile::open(&case(name)).unwrap();
    let model = Pretrained::open(&base(&adapters)).unwrap();
    let base_name = adapters.base_name().unwrap().to_owned();
    let target = folder.join(name);
    AdapterExport { adapters: &adapters, base: &model, base_name, format, files: Vec::new() }.write(&target).unwrap();
    target
}

/// What PEFT says of its adapters is what is written of them, and every number.
#[test]
fn there_and_back() {
    let folder = tempfile::tempdir().unwrap();
    for name in CASES {
        let path = written(name, folder.path(), WeightFormat::F32);
        let [theirs, ours] = [case(name), path].map(|path| AdapterFile::open(&path).unwrap());
        assert_eq!(ours.lora(), theirs.lora(), "{name}");
        let model = adapted(name);
        ours.check(model.config(), model.vocab_size()).unwrap();
        for parameter in model.parameters() {
            assert_eq!(ours.values(parameter.name()).unwrap(), theirs.values(parameter.name()).unwrap(), "{name} {}", parameter.name());
        }
        assert_eq!(ours.has(HEAD), theirs.has(HEAD), "{name}");
        let json = |path: &Path| serde_json::from_slice::<serde_json::Value>(&std::fs::read(path).unwrap()).unwrap();
        let (ours, theirs) = (json(&folder.path().join(name).join(peft::CONFIG)), json(&case(name).join(peft::CONFIG)));
        for key in
            ["r", "lora_alpha", "use_rslora", "use_dora", "peft_type", "task_type", "base_model_name_or_path", "lora_dropout", "bias"]
        {
            assert_eq!(ours[key], theirs[key], "{name} {key}");
        }
    }
}

/// Adapters of a model of text are gone on from with a head that they do not have; those of a reward model bring theirs, and are
/// written and read as PEFT has them.
#[test]
fn heads_beside_adapters() {
    let folder = tempfile::tempdir().unwrap();
    let text = AdapterFile::open(&case("lora")).unwrap();
    let open = |head| Pretrained::open(&base(&text)).unwrap().with_scalar_head(head, 1).unwrap();
    let beside = |head, adapters: &AdapterFile| open(head).beside(adapters, Base::F32, &Device::flex());
    for head in [ScalarHead::Score, ScalarHead::Value] {
        let model = beside(Some(head), &text).unwrap();
        for parameter in model.parameters().iter().filter(|parameter| parameter.name() != head.tensor()) {
            assert_eq!(parameter.to_vec().unwrap(), text.values(parameter.name()).unwrap(), "{}", parameter.name());
        }
        assert!(model.parameters().iter().any(|parameter| parameter.name() == head.tensor()));
    }

    // As a run's checkpoint would have them.
    let mut reward = beside(Some(ScalarHead::Score), &text).unwrap();
    let numbers: Vec<f32> = (0..reward.config().hidden).map(|at| at as f32 / 8.0).collect();
    reward.parameters_mut().pop().unwrap().fill(numbers.clone());
    let values: Vec<(String, Vec<usize>, Vec<f32>)> =
        reward.parameters().iter().map(|p| (p.name().to_owned(), p.shape().to_vec(), p.to_vec().unwrap())).collect();
    let path = folder.path().join("checkpoint.safetensors");
    let infos = values.iter().map(|(name, shape, _)| (name.as_str(), safetensors::Dtype::F32, shape.as_slice()));
    let mut out = crate::tensors::Writer::create(&path, infos).unwrap();
    for (.., numbers) in &values {
        out.put(&numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    }
    out.finish().unwrap();
    let checkpoint = AdapterFile::of_checkpoint(&path, text.lora()).unwrap();
    let (base_name, target) = (text.base_name().unwrap().to_owned(), folder.path().join("peft"));
    let model = open(Some(ScalarHead::Score));
    let export = AdapterExport { adapters: &checkpoint, base: &model, base_name, format: WeightFormat::F32, files: Vec::new() };
    export.write(&target).unwrap();

    let read = AdapterFile::open(&target).unwrap();
    assert_eq!(read.lora(), text.lora());
    let again = beside(Some(ScalarHead::Score), &read).unwrap();
    assert_eq!(again.parameters().last().unwrap().to_vec().unwrap(), numbers);
    assert!(beside(None, &read).unwrap_err().to_string().contains("`score.weight` is not one of these adapters'"));
    // Merged, the numbers are the trained ones as well.
    let merged = open(None).for_adapters(&read).unwrap().merged(read, Base::F32, MergeBase::Trained).unwrap();
    let merged = merged.model(&Device::flex()).unwrap();
    assert_eq!(merged.parameters().last().unwrap().to_vec().unwrap(), numbers);
    // A checkpoint without its head is a broken one.
    let broken = AdapterFile::of_checkpoint(&case("lora").join(peft::WEIGHTS), text.lora()).unwrap();
    assert!(broken.restore(&mut reward).is_err());
}

#[test]
fn what_is_given_must_be_what_the_adapters_are() {
    let theirs = AdapterFile::open(&case("dora")).unwrap().lora().clone();
    let taken = |given: serde_json::Value| {
        let mut ours: LoraConfig = serde_json::from_value(given.clone()).unwrap();
        ours.take(&theirs, given.as_object().unwrap()).map(|()| ours)
    };
    let own = json!({ "dropout": 0.3, "base": "bf16", "init": "peft" });
    let expected = LoraConfig { dropout: 0.3, base: Some(Base::Bf16), init: Some("peft".into()), ..theirs.clone() };
    assert_eq!(taken(own).unwrap(), expected);
    assert_eq!(taken(json!(theirs)).unwrap(), theirs);
    assert_eq!(taken(json!({ "rank": 4, "alpha": 8, "rs-lora": false, "dora": true })).unwrap(), theirs);
    assert_eq!(taken(json!({ "targets": ["down-proj", "q-proj", "gate-proj"] })).unwrap().targets, theirs.targets);
    for (wrong, field) in [
        (json!({ "rank": 8 }), "`lora.rank` is 8, but 4 in the adapters of `lora.init`; leave it out"),
        // Also where it is what is left out elsewhere.
        (json!({ "rank": 16 }), "`lora.rank` is 16, but 4 in the adapters of `lora.init`; leave it out"),
        (json!({ "dora": false }), "`lora.dora` is false, but true in the adapters"),
        (json!({ "targets": Target::ALL }), "`lora.targets` is [\"q-proj\","),
        (json!({ "alpha": 9.0 }), "`lora.alpha` is 9.0, but 8.0 in the adapters of `lora.init`"),
        (json!({ "rs-lora": true }), "`lora.rs-lora` is true, but not set in the adapters"),
        (json!({ "targets": ["q-proj"] }), "`lora.targets` is [\"q-proj\"]"),
        (json!({ "full": ["norms"] }), "`lora.full` is [\"norms\"]"),
    ] {
        let error = taken(wrong).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
}
