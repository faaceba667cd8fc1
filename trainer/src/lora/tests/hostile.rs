//! Damaged and lying adapters: each is one error that names the place, never a panic.

use std::fs;

use serde_json::{Value, json};

use super::*;
use safetensors::tensor::Dtype;

use crate::tensors::Writer;

/// A copy of a case that can be damaged.
struct Copy {
    folder: tempfile::TempDir,
    base: PathBuf,
}

impl Copy {
    fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in [peft::CONFIG, peft::WEIGHTS] {
            fs::copy(case(name).join(file), folder.path().join(file)).unwrap();
        }
        Self { folder, base: base(&AdapterFile::open(&case(name)).unwrap()) }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Opens, checks, and reads every number.
    fn open(&self) -> Result<()> {
        let adapters = AdapterFile::open(self.folder.path())?;
        let base = Pretrained::open(&self.base).unwrap().for_adapters(&adapters)?;
        base.merged(adapters, Base::F32, MergeBase::Original)?.model(&Device::flex()).map(drop)
    }

    fn refused(&self) -> String {
        self.open().unwrap_err().to_string()
    }

    fn set(&self, key: &str, value: Value) -> &Self {
        let mut config: Value = serde_json::from_slice(&fs::read(self.path(peft::CONFIG)).unwrap()).unwrap();
        config[key] = value;
        fs::write(self.path(peft::CONFIG), config.to_string()).unwrap();
        self
    }

    /// The weights again, changed tensor by tensor.
    fn change(&self, mut change: impl FnMut(&str, &mut Vec<usize>, &mut Vec<f32>) -> Option<String>) -> &Self {
        let path = self.path(peft::WEIGHTS);
        let (file, tensors) = crate::load::open_safetensors(&path).unwrap();
        let mut all = Vec::new();
        for (name, stored) in &tensors {
            let (mut shape, mut values) = (stored.shape.clone(), file.values(name, stored).unwrap());
            if let Some(name) = change(name, &mut shape, &mut values) {
                all.push((name, shape, values));
            }
        }
        let mut out = Writer::create(&path, all.iter().map(|(name, shape, _)| (name.as_str(), Dtype::F32, shape.as_slice()))).unwrap();
        for (_, _, values) in &all {
            out.put(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>()).unwrap();
        }
        out.finish().unwrap();
        self
    }
}

#[test]
fn tensors_that_are_not_what_the_config_says() {
    let here = |copy: &Copy, expected: &str| {
        let error = copy.refused();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(&*copy.folder.path().to_string_lossy()), "{error}");
    };
    let wrong = "base_model.model.model.layers.1.mlp.up_proj.lora_B.weight";
    let ours = "model.layers.1.mlp.up_proj.lora_B.weight";
    let same = |name: &str| Some(name.to_owned());
    let copy = Copy::of("lora");
    copy.open().unwrap();
    here(copy.change(|name, _, _| (name != wrong).then(|| name.to_owned())), &format!("tensor `{ours}` is missing"));
    let copy = Copy::of("lora");
    here(copy.set("r", json!(8)), "lora_A.weight` is [4, 16], not [8, 16]");
    let copy = Copy::of("lora");
    copy.change(|name, shape, _| {
        if name == wrong {
            shape.reverse();
        }
        same(name)
    });
    here(&copy, &format!("tensor `{ours}` is [4, 24], not [24, 4]"));
    for bad in [f32::NAN, f32::INFINITY] {
        let copy = Copy::of("lora");
        copy.change(|name, _, values| {
            if name == wrong {
                values[5] = bad;
            }
            same(name)
        });
        here(&copy, &format!("tensor `{ours}` has {bad} at element 5"));
    }
    let copy = Copy::of("lora");
    here(copy.change(|name, _, _| Some(name.replace("layers.1", "layers.2"))), "is missing");
    let copy = Copy::of("lora");
    here(copy.change(|name, _, _| Some(name.replace("base_model.", ""))), "is not named as PEFT names them");
    let copy = Copy::of("lora");
    here(copy.set("target_modules", json!(["q_proj"])), "is not one of these adapters'");
    // A tied matrix that was trained as two.
    let copy = Copy::of("tied");
    copy.open().unwrap();
    copy.change(|name, _, values| {
        if name.ends_with("lm_head.weight") {
            values[0] += 1.0;
        }
        same(name)
    });
    here(&copy, "in this model they are one matrix");
    let copy = Copy::of("tied");
    here(copy.change(|name, _, _| (!name.ends_with("lm_head.weight")).then(|| name.to_owned())), "trained apart from the output matrix");
    // Fewer rows than the model has, and more.
    let rows = |rows: usize, all: bool| {
        let copy = Copy::of("full");
        copy.change(|name, shape, values| {
            if name.ends_with("embed_tokens.weight") || all && name.ends_with("lm_head.weight") {
                shape[0] = rows;
                values.resize(rows * 16, 0.5);
            }
            same(name)
        });
        copy
    };
    here(&rows(39, true), "have 39 rows, those of the model");
    here(&rows(41, false), "tensor `lm_head.weight` is [40, 16], not [41, 16]");
    rows(41, true).open().unwrap();
}

#[test]
fn configs_that_would_compute_something_else() {
    let refused = |key: &str, value: Value, expected: &str| {
        let copy = Copy::of("lora");
        let error = copy.set(key, value).refused();
        assert!(error.contains(&format!("`{key}` is")) && error.contains(expected) && error.contains(peft::CONFIG), "{error}");
    };
    refused("peft_type", json!("IA3"), "known is LORA");
    refused("peft_type", json!(null), "known is LORA");
    refused("task_type", json!("TOKEN_CLS"), "known are CAUSAL_LM");
    refused("r", json!(null), "missing");
    refused("r", json!(-1), "not a count");
    refused("r", json!(1u64 << 40), "1099511627776");
    refused("lora_alpha", json!("8"), "not a number");
    refused("target_modules", json!(["q_proj", "embed_tokens"]), "known are q_proj");
    refused("target_modules", json!(".*_proj"), "not a list of names");
    refused("modules_to_save", json!(["score"]), "known are embed_tokens");
    refused("bias", json!("all"), "does not compute with");
    refused("rank_pattern", json!({ "q_proj": 8 }), "does not compute with");
    refused("trainable_token_indices", json!([5, 6]), "does not compute with");
    refused("init_lora_weights", json!("pissa"), "does not compute with");
    refused("use_qalora", json!(true), "does not compute with");
    let copy = Copy::of("lora");
    let error = copy.set("lora_alpha", json!(0)).refused();
    assert!(error.contains("`lora.alpha` is 0, not above 0"), "{error}");
    let error = copy.set("lora_alpha", json!(8)).set("r", json!(0)).refused();
    assert!(error.contains("`lora.rank` is 0"), "{error}");
    for text in ["", "[]", "{", "\u{0}"] {
        fs::write(copy.path(peft::CONFIG), text).unwrap();
        assert!(copy.refused().contains(peft::CONFIG));
    }
    fs::remove_file(copy.path(peft::CONFIG)).unwrap();
    assert!(copy.refused().contains("no folder of a PEFT adapter"));
    let copy = Copy::of("lora");
    fs::remove_file(copy.path(peft::WEIGHTS)).unwrap();
    assert!(copy.refused().contains("pickle among them"));
}

/// Cut, flipped and lying headers.
#[test]
fn damage_is_an_error_or_a_model() {
    let copy = Copy::of("lora");
    let path = copy.path(peft::WEIGHTS);
    let good = fs::read(&path).unwrap();
    for cut in (0..good.len()).step_by(211) {
        fs::write(&path, &good[..cut]).unwrap();
        assert!(copy.refused().contains("not a safetensors file"), "cut at {cut}");
    }
    let mut refused = 0;
    for place in (0..2000).step_by(3) {
        let mut bad = good.clone();
        bad[place] ^= 1 << (place % 8);
        fs::write(&path, &bad).unwrap();
        refused += usize::from(copy.open().is_err());
    }
    assert!(refused > 300, "{refused}");
    for claim in [u64::MAX, 1 << 62, 1 << 33, 0] {
        let mut bad = good.clone();
        bad[..8].copy_from_slice(&claim.to_le_bytes());
        fs::write(&path, &bad).unwrap();
        assert!(copy.refused().contains("not a safetensors file"));
    }
}
