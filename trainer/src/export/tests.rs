//! There and back; that transformers opens the result is the matter of `verify_export.py`.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::load::Pretrained;
use crate::load::tests::{fixture, largest_difference};
use burn::tensor::Device;

const FAMILIES: [&str; 5] = ["llama", "qwen2", "qwen2-untied", "qwen3", "yarn"];

fn export(weights: &Pretrained, format: WeightFormat, file_bytes: u64, folder: &Path) -> Result<Vec<String>> {
    let texts = Texts { max_positions: 64, eos: weights.eos().to_vec() };
    Export { weights, format, packing: Packing::Plain, file_bytes, texts, files: vec![("tokenizer.json".to_owned(), b"{}".to_vec())] }
        .write(folder)
}

#[test]
fn what_is_exported_is_loaded_again() {
    let root = tempfile::tempdir().unwrap();
    for name in FAMILIES {
        let weights = Pretrained::open(&fixture(name)).unwrap();
        for (format, tolerance) in [(WeightFormat::F32, 0.0), (WeightFormat::F16, 1e-3), (WeightFormat::Bf16, 8e-3)] {
            let folder = root.path().join(format!("{name}-{}", format.name()));
            let names = export(&weights, format, 6000, &folder).unwrap();
            assert!(names[0].starts_with("model-00001-of-0000"), "{names:?}");
            assert!(names.contains(&"tokenizer.json".to_owned()) && folder.join("generation_config.json").exists());
            let again = Pretrained::open(&folder).unwrap();
            assert_eq!((again.config(), again.vocab_size(), again.eos()), (weights.config(), weights.vocab_size(), weights.eos()));
            for (tensor, _) in weights.config().tensors(weights.vocab_size()) {
                let [before, after] = [&weights, &again].map(|weights| weights.values(&tensor).unwrap());
                assert!(largest_difference(&before, &after) <= tolerance, "{name} {tensor}");
            }
        }
    }
}

#[test]
fn gguf_files_become_folders() {
    let root = tempfile::tempdir().unwrap();
    let weights = Pretrained::open(&fixture("llama.gguf")).unwrap();
    let folder = root.path().join("llama");
    let names = export(&weights, WeightFormat::F32, u64::MAX, &folder).unwrap();
    assert_eq!(names, ["model.safetensors", "config.json", "generation_config.json", "tokenizer.json"]);
    let again = Pretrained::open(&folder).unwrap();
    let [before, after] = [&weights, &again].map(|weights| weights.model(&Device::flex()).unwrap());
    assert_eq!(before.parameters()[3].to_vec().unwrap(), after.parameters()[3].to_vec().unwrap());
    assert!(export(&weights, WeightFormat::F32, u64::MAX, &folder).unwrap_err().to_string().contains("is there already"));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
}

#[test]
fn numbers_too_large_for_the_type_are_refused_by_name() {
    let root = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(fixture("qwen2").join(file), root.path().join(file)).unwrap();
    }
    // The file ends with its last tensor's last number.
    let path = root.path().join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&1e6f32.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let weights = Pretrained::open(root.path()).unwrap();
    let error = export(&weights, WeightFormat::F16, u64::MAX, &root.path().join("out")).unwrap_err().to_string();
    assert!(error.contains("has 1000000 at element") && error.contains("too large for float16"), "{error}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2, "nothing is left of it");
    assert!(export(&weights, WeightFormat::Bf16, u64::MAX, &root.path().join("out")).is_ok());
}

#[test]
fn both_dialects_are_written() {
    let weights = Pretrained::open(&fixture("yarn")).unwrap();
    let config = config::config(&weights, WeightFormat::Bf16, &Texts { max_positions: 1, eos: vec![7] }).unwrap();
    assert_eq!(config["rope_theta"], config["rope_parameters"]["rope_theta"]);
    assert_eq!(config["rope_scaling"]["factor"], config["rope_parameters"]["factor"]);
    assert_eq!((&config["dtype"], &config["torch_dtype"]), (&json!("bfloat16"), &json!("bfloat16")));
    // The model's own length is kept.
    assert_eq!((&config["max_position_embeddings"], &config["eos_token_id"]), (&json!(64), &json!(7)));
}

#[test]
fn numbers_are_rounded_to_the_nearest() {
    let encoded = |format: WeightFormat, value: f32| {
        let mut bytes = Vec::new();
        format.encode(value, &mut bytes);
        u16::from_le_bytes([bytes[0], bytes[1]])
    };
    // 1 + 2^-8 lies between two bf16 numbers, of which 1 is even; 1 + 3 × 2^-8 between odd and even.
    assert_eq!(encoded(WeightFormat::Bf16, 1.0 + 1.0 / 256.0), 0x3f80);
    assert_eq!(encoded(WeightFormat::Bf16, 1.0 + 3.0 / 256.0), 0x3f82);
    assert_eq!(encoded(WeightFormat::F16, 65_504.0), 0x7bff);
    assert!(WeightFormat::F16.overflows(65_520.0) && !WeightFormat::F16.overflows(65_519.0));
    assert!("int8".parse::<WeightFormat>().is_err());
}

/// The matrices of the layers as bitsandbytes stores them, byte by byte; all else as it is.
#[test]
fn nf4_folders_are_those_that_transformers_saves() {
    let root = tempfile::tempdir().unwrap();
    let weights = Pretrained::open(&fixture("qwen2")).unwrap();
    let folder = root.path().join("nf4");
    let texts = Texts { max_positions: 64, eos: vec![2] };
    let export =
        Export { weights: &weights, format: WeightFormat::Bf16, packing: Packing::Nf4, file_bytes: u64::MAX, texts, files: Vec::new() };
    export.write(&folder).unwrap();
    let [ours, theirs] = [folder.join("model.safetensors"), fixture("qwen2").join("nf4.safetensors")].map(|path| fs::read(path).unwrap());
    let [ours, theirs] = [&ours, &theirs].map(|bytes| safetensors::SafeTensors::deserialize(bytes).unwrap());
    let sorted = |file: &safetensors::SafeTensors<'_>| {
        let mut names: Vec<String> = file.names().into_iter().map(str::to_owned).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(sorted(&ours), sorted(&theirs));
    for (name, theirs) in theirs.tensors() {
        let ours = ours.tensor(&name).unwrap();
        assert_eq!((ours.dtype(), ours.shape()), (theirs.dtype(), theirs.shape()), "{name}");
        assert!(ours.data() == theirs.data(), "{name}: {:?} {:?}", ours.data(), theirs.data());
    }
    let config: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["quantization_config"]["bnb_4bit_quant_type"], "nf4");
    // In many files, all is in the index.
    let many = root.path().join("many");
    let names = Export { file_bytes: 600, ..export }.write(&many).unwrap();
    assert!(names.len() > 5, "{names:?}");
    let index: serde_json::Value = serde_json::from_slice(&fs::read(many.join("model.safetensors.index.json")).unwrap()).unwrap();
    assert_eq!(index["weight_map"].as_object().unwrap().len(), sorted(&ours).len());
}

#[test]
fn rows_that_no_group_divides_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let weights = Pretrained::open(&fixture("qwen2")).unwrap();
    let texts = Texts { max_positions: 64, eos: Vec::new() };
    let export =
        Export { weights: &weights, format: WeightFormat::Bf16, packing: Packing::Int4, file_bytes: u64::MAX, texts, files: Vec::new() };
    let error = export.write(&root.path().join("x")).unwrap_err().to_string();
    assert!(error.contains("no group of 128, 64 or 32 divides"), "{error}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn packed_integers_give_the_numbers_back() {
    let root = tempfile::tempdir().unwrap();
    let config = crate::ModelConfig { hidden: 64, layers: 1, heads: 2, kv_heads: 1, intermediate: 192, ..crate::ModelConfig::default() };
    let weights = crate::load::tests::random(root.path(), &config, 20);
    let texts = Texts { max_positions: 64, eos: Vec::new() };
    let export =
        Export { weights: &weights, format: WeightFormat::Bf16, packing: Packing::Int4, file_bytes: u64::MAX, texts, files: Vec::new() };
    let folder = root.path().join("int4");
    export.write(&folder).unwrap();
    let bytes = fs::read(folder.join("model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let name = "model.layers.0.mlp.down_proj.weight";
    let packed = file.tensor(&format!("{name}_packed")).unwrap();
    let scales = file.tensor(&format!("{name}_scale")).unwrap();
    assert_eq!((packed.shape(), scales.shape()), (&[64, 24][..], &[64, 3][..]));
    assert_eq!(file.tensor(&format!("{name}_shape")).unwrap().data(), [64u64.to_le_bytes(), 192u64.to_le_bytes()].concat());
    for (at, value) in weights.values(name).unwrap().into_iter().enumerate() {
        let byte = packed.data()[at / 2];
        let code = f32::from(if at % 2 == 0 { byte & 15 } else { byte >> 4 }) - 8.0;
        let half = [scales.data()[at / 64 * 2], scales.data()[at / 64 * 2 + 1]];
        let scale = bf16::from_le_bytes(half).to_f32();
        // Half a step, and what is cut off at 7 of 7.5 with a rounded scale.
        assert!((code * scale - value).abs() <= 0.55 * scale, "{at}: {code} × {scale}, {value}");
    }
    let config: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["quantization_config"]["config_groups"]["group_0"]["weights"]["group_size"], 64);
    assert!(file.tensor("model.layers.0.self_attn.q_proj.bias").is_ok() && file.tensor("model.embed_tokens.weight").is_ok());
}
