use std::fs;
use std::path::PathBuf;

use burn::tensor::Device;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use super::*;
use crate::export::{Export, Packing, Texts, WeightFormat};
use crate::load::Pretrained;
use crate::load::tests::{fixture, random};
use crate::model::ModelConfig;

/// A tensor of a file, to be changed.
type Tensor = (Dtype, Vec<usize>, Vec<u8>);

/// The tiny Qwen2 with the weights that transformers saved in NF4 (`testdata/make_quantized.py`).
fn nf4_folder(root: &Path) -> PathBuf {
    let weights = Pretrained::open(&fixture("qwen2")).unwrap();
    let folder = root.join("nf4");
    let texts = Texts { max_positions: 64, eos: vec![2] };
    let (format, packing) = (WeightFormat::Bf16, Packing::Nf4);
    Export { weights: &weights, format, packing, file_bytes: u64::MAX, texts, files: Vec::new() }.write(&folder).unwrap();
    fs::copy(fixture("qwen2").join("nf4.safetensors"), folder.join("model.safetensors")).unwrap();
    folder
}

/// Rewrites a folder's tensors.
fn change(folder: &Path, how: impl FnOnce(&mut BTreeMap<String, Tensor>)) {
    let path = folder.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: BTreeMap<String, Tensor> =
        file.tensors().into_iter().map(|(name, view)| (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()))).collect();
    how(&mut tensors);
    let views = tensors.iter().map(|(name, (dtype, shape, data))| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    fs::write(&path, serialize(views, None).unwrap()).unwrap();
}

fn refused(folder: &Path) -> String {
    Pretrained::open(folder).and_then(|model| model.model(&Device::flex())).unwrap_err().to_string()
}

const MATRIX: &str = "model.layers.0.mlp.down_proj.weight";

#[test]
fn matrices_of_bitsandbytes_are_what_their_codes_stand_for() {
    let root = tempfile::tempdir().unwrap();
    let folder = nf4_folder(root.path());
    let (plain, packed) = (Pretrained::open(&fixture("qwen2")).unwrap(), Pretrained::open(&folder).unwrap());
    assert_eq!((packed.packing(), packed.stored_type(), packed.group()), (Packing::Nf4, "BF16", None));
    for (name, shape) in packed.config().tensors(packed.vocab_size()) {
        let mut expected: Vec<f32> = plain.values(&name).unwrap().iter().map(|value| WeightFormat::Bf16.rounded(*value)).collect();
        if shape.len() == 2 && name.starts_with("model.layers.") {
            // Held against bitsandbytes' own decoding in `quant/nf4/tests.rs`.
            nf4::Nf4::quantize(&expected).dequantize(0, &mut expected);
        }
        assert!(packed.values(&name).unwrap() == expected, "{name}");
    }
    packed.model(&Device::flex()).unwrap();
    let numbers = packed.values(MATRIX).unwrap();

    // Without double quantization, absolute maxima are floats; the numbers are the same.
    change(&folder, |tensors| {
        let names: Vec<String> = tensors.keys().filter_map(|name| name.strip_suffix(STATE).map(str::to_owned)).collect();
        let floats = |(_, _, bytes): Tensor| bytes.as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect::<Vec<_>>();
        for name in names {
            let mut take = |end: &str| tensors.remove(&format!("{name}{end}")).unwrap();
            let (indices, outer, map) = (take(ABSMAX).2, floats(take(NESTED_ABSMAX)), floats(take(NESTED_MAP)));
            let mut state: Value = serde_json::from_slice(&take(STATE).2).unwrap();
            let offset = state["nested_offset"].as_f64().unwrap() as f32;
            let plain = indices.iter().enumerate().map(|(at, index)| map[usize::from(*index)] * outer[at / nf4::NESTED] + offset);
            let bytes = plain.flat_map(f32::to_le_bytes).collect();
            tensors.insert(format!("{name}{ABSMAX}"), (Dtype::F32, vec![indices.len()], bytes));
            state.as_object_mut().unwrap().retain(|key, _| !key.starts_with("nested"));
            let state = state.to_string().into_bytes();
            tensors.insert(format!("{name}{STATE}"), (Dtype::U8, vec![state.len()], state));
        }
    });
    assert_eq!(Pretrained::open(&folder).unwrap().values(MATRIX).unwrap(), numbers);
}

#[test]
fn integers_are_multiplied_by_the_scale_of_their_group() {
    let mut out = Vec::new();
    // Nibbles 0 to 15, the first in the lowest bits of the first byte.
    int4::decode(&[0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe], |at| if at < 8 { 0.5 } else { 2.0 }, &mut out);
    assert_eq!(out, [-4.0, -3.5, -3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0]);

    let root = tempfile::tempdir().unwrap();
    // More numbers in a matrix than in a piece.
    let config = ModelConfig { hidden: 64, layers: 1, heads: 2, kv_heads: 1, intermediate: 16_448, ..ModelConfig::default() };
    let weights = random(root.path(), &config, 20);
    let folder = root.path().join("int4");
    let texts = Texts { max_positions: 64, eos: Vec::new() };
    let (format, packing) = (WeightFormat::Bf16, Packing::Int4);
    Export { weights: &weights, format, packing, file_bytes: u64::MAX, texts, files: Vec::new() }.write(&folder).unwrap();
    let packed = Pretrained::open(&folder).unwrap();
    assert_eq!((packed.packing(), packed.group(), packed.stored_type()), (Packing::Int4, Some(64), "BF16"));
    for (name, shape) in config.tensors(20) {
        let (original, back) = (weights.values(&name).unwrap(), packed.values(&name).unwrap());
        for (original, back) in original.chunks(64).zip(back.chunks(64)) {
            let most = original.iter().fold(0.0f32, |most, value| most.max(value.abs()));
            // Half a step of a fifteenth of the range, and what is cut off at 7 of 7.5.
            let step = if shape.len() == 2 && name.starts_with("model.layers.") { most / 7.5 * 0.55 } else { most / 256.0 };
            assert!(original.iter().zip(back).all(|(a, b)| (a - b).abs() <= step), "{name}");
        }
    }

    change(&folder, |tensors| drop(tensors.remove(&format!("{MATRIX}_scale"))));
    assert!(refused(&folder).contains("down_proj.weight_scale` is missing"), "{}", refused(&folder));
}

#[test]
fn packed_files_that_lie_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let state = |text: &str| (Dtype::U8, vec![text.len()], text.as_bytes().to_vec());
    let name = |end: &str| format!("{MATRIX}{end}");
    let with = |how: &dyn Fn(&mut BTreeMap<String, Tensor>)| {
        let folder = nf4_folder(root.path());
        change(&folder, |tensors| how(tensors));
        let error = refused(&folder);
        fs::remove_dir_all(folder).unwrap();
        error
    };
    let states = [
        (r#"{"quant_type": "nf4", "blocksize": 64, "shape": [4294967296, 4294967296]}"#, "which is of no matrix"),
        (r#"{"quant_type": "nf4", "blocksize": 64, "shape": [0, 4]}"#, "which is of no matrix"),
        (r#"{"quant_type": "nf4", "blocksize": 64, "shape": [1048576, 1048576]}"#, "numbers, not"),
        (r#"{"quant_type": "fp4", "blocksize": 64, "shape": [4, 16]}"#, "tells of fp4"),
        (r#"{"quant_type": "nf4", "blocksize": 0, "shape": [4, 16]}"#, "blocks of 0"),
        ("[[[[", "is no quantization state"),
    ];
    for (text, message) in states {
        // With plain absolute maxima, so that the shape alone decides.
        let error = with(&|tensors| {
            tensors.insert(name(STATE), state(text));
            tensors.insert(name(ABSMAX), (Dtype::F32, vec![1], vec![0; 4]));
        });
        assert!(error.contains(message) && error.contains("model.safetensors"), "{text}: {error}");
    }
    let long = " ".repeat(5000);
    assert!(with(&|tensors| drop(tensors.insert(name(STATE), state(&long)))).contains("more than 4096"));
    assert!(with(&|tensors| drop(tensors.remove(&name(MAP)))).contains(".quant_map` is missing"));
    assert!(with(&|tensors| tensors.get_mut(&name(MAP)).unwrap().2[0] ^= 1).contains("other levels than nf4"));
    assert!(with(&|tensors| tensors.get_mut(&name(NESTED_ABSMAX)).unwrap().2.fill(0xff)).contains("NaN"));
    let bytes = (Dtype::U8, vec![2], vec![0; 2]);
    assert!(with(&|tensors| drop(tensors.insert("model.norm.extra".to_owned(), bytes.clone()))).contains("no part of a packed matrix"));
    // Tables are not packed: new rows could not be added to them.
    let error = with(&|tensors| {
        for (old, tensor) in tensors.clone().into_iter().filter(|(old, _)| old.starts_with(MATRIX)) {
            tensors.insert(old.replace(MATRIX, "lm_head.weight"), tensor);
        }
    });
    assert!(error.contains("`lm_head.weight` is packed"), "{error}");
}
