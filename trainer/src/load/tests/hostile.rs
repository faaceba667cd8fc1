//! Damaged and lying files: each is an error or a model, never a panic, and never memory that a
//! header only claims to need.

use std::fs;

use serde_json::{Value, json};

use super::*;

/// A copy of a fixture that can be damaged.
struct Copy {
    folder: tempfile::TempDir,
}

impl Copy {
    fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(fixture(name)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        Self { folder }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn refused(&self) -> String {
        Pretrained::open(self.folder.path()).and_then(|model| model.model(&Device::flex())).unwrap_err().to_string()
    }
}

/// Opens and loads a damaged file in every way that damage can have come about; how it ends does not
/// matter, only that it does.
fn damage(file: &Path, model: &Path, header: usize) {
    let good = fs::read(file).unwrap();
    let open = || Pretrained::open(model).and_then(|model| model.model(&Device::flex()));
    open().unwrap();
    let cuts = (0..good.len().min(header)).step_by(7).chain((header..good.len()).step_by(1999));
    for cut in cuts {
        fs::write(file, &good[..cut]).unwrap();
        assert!(open().is_err(), "{} cut at {cut}", file.display());
    }
    let mut refused = 0;
    for place in 0..good.len().min(header) {
        let mut bad = good.clone();
        bad[place] ^= 1 << (place % 8);
        fs::write(file, &bad).unwrap();
        refused += usize::from(open().is_err());
    }
    assert!(refused > header / 2, "{refused} of {header}");
    for at in (0..good.len().min(header).saturating_sub(8)).step_by(9) {
        for value in [u64::MAX, 1 << 62, 1 << 40, 0] {
            let mut bad = good.clone();
            bad[at..at + 8].copy_from_slice(&value.to_le_bytes());
            fs::write(file, &bad).unwrap();
            drop(open());
        }
    }
    fs::write(file, &good).unwrap();
    open().unwrap();
}

#[test]
fn damaged_files_are_errors() {
    let copy = Copy::of("qwen2");
    damage(&copy.path("model.safetensors"), copy.folder.path(), 1200);
    damage(&copy.path("config.json"), copy.folder.path(), 700);
    let copy = Copy::of("qwen2-untied");
    damage(&copy.path("model.safetensors.index.json"), copy.folder.path(), 1200);
    damage(&copy.path("model-00002-of-00004.safetensors"), copy.folder.path(), 600);
    for name in ["llama.gguf", "qwen3.gguf"] {
        let file = copy.path(name);
        fs::copy(fixture(name), &file).unwrap();
        damage(&file, &file, 1500);
    }
}

/// Writes a safetensors file with this header and so many bytes of zeros.
fn write(path: &Path, header: &Value, data: usize) {
    let text = header.to_string();
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.bytes());
    bytes.resize(bytes.len() + data, 0);
    fs::write(path, bytes).unwrap();
}

#[test]
fn headers_that_lie_are_refused() {
    let copy = Copy::of("qwen2");
    let path = copy.path("model.safetensors");
    let one = |shape: Value, offsets: Value, data: usize| {
        write(&path, &json!({ "a": { "dtype": "F32", "shape": shape, "data_offsets": offsets } }), data);
        copy.refused()
    };
    assert!(one(json!([1u64 << 40]), json!([0, 1u64 << 42]), 8).contains("not a safetensors file"));
    assert!(one(json!([1u64 << 63, 4]), json!([0, 8]), 8).contains("not a safetensors file"));
    assert!(one(json!([2]), json!([4, 12]), 12).contains("not a safetensors file"), "a hole");
    assert!(one(json!([2]), json!([0, 8]), 9).contains("not a safetensors file"), "a byte too many");
    assert!(one(json!([2]), json!([0, 8]), 8).contains("`model.embed_tokens.weight` is missing"));
    write(&path, &json!({ "a": { "dtype": "I64", "shape": [1], "data_offsets": [0, 8] } }), 8);
    assert!(copy.refused().contains("tensor `a` is I64, not F32, F16 or BF16"));
    fs::write(&path, (1u64 << 60).to_le_bytes()).unwrap();
    assert!(copy.refused().contains("its header has 1152921504606846976 bytes"));
    // No weights but a pickle.
    fs::remove_file(&path).unwrap();
    fs::write(copy.path("pytorch_model.bin"), b"\x80\x04.").unwrap();
    assert!(copy.refused().contains("pickle among them, are not read"));
}

#[test]
fn an_index_names_files_of_its_folder_alone_and_tells_what_is_in_them() {
    let copy = Copy::of("qwen2-untied");
    let path = copy.path("model.safetensors.index.json");
    let index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut index = index.clone();
        change(&mut index["weight_map"]);
        fs::write(&path, index.to_string()).unwrap();
        copy.refused()
    };
    let outside = copy.folder.path().join("model-00001-of-00004.safetensors");
    for name in [
        "../x.safetensors",
        "/etc/x.safetensors",
        "a/../model-00001-of-00004.safetensors",
        "./model-00001-of-00004.safetensors",
        "a\\b.safetensors",
        "model.bin",
        "",
        "..",
        outside.to_str().unwrap(),
    ] {
        let error = refused(&|map| map["model.norm.weight"] = json!(name));
        assert!(error.contains("is not the name of a safetensors file"), "{name}: {error}");
    }
    let swapped = refused(&|map| map["model.norm.weight"] = json!("model-00001-of-00004.safetensors"));
    assert!(swapped.contains("tensor `model.norm.weight` is"), "{swapped}");
    let absent = refused(&|map| map["model.norm.weight"] = json!("model-00009-of-00004.safetensors"));
    assert!(absent.contains("not in model-00009-of-00004.safetensors"), "{absent}");
    let untold = refused(&|map| drop(map.as_object_mut().unwrap().remove("model.norm.weight")));
    assert!(untold.contains("tensor `model.norm.weight` is in") && untold.contains("not in the index"), "{untold}");
    let more = refused(&|map| map["model.more.weight"] = json!("model-00001-of-00004.safetensors"));
    assert!(more.contains("tensor `model.more.weight` is not in model-00001"), "{more}");
    let many = refused(&|map| (0..600).for_each(|i| map[format!("t{i}")] = json!(format!("f{i}.safetensors"))));
    assert!(many.contains("at most 512"), "{many}");
    fs::remove_file(copy.path("model-00004-of-00004.safetensors")).unwrap();
    let lost = refused(&|_| {});
    assert!(lost.contains("cannot open") && lost.contains("model-00004"), "{lost}");
}

#[test]
fn numbers_that_are_none_are_refused_with_their_place() {
    let copy = Copy::of("qwen2");
    let path = copy.path("model.safetensors");
    let good = fs::read(&path).unwrap();
    let (_, tensors) = safetensors::open(&path).unwrap();
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut bad = good.clone();
        let at = tensors["model.norm.weight"].start as usize + 4 * 5;
        bad[at..at + 4].copy_from_slice(&value.to_le_bytes());
        fs::write(&path, &bad).unwrap();
        assert!(copy.refused().contains(&format!("tensor `model.norm.weight` has {value} at element 5")));
    }
}

#[test]
fn tensors_must_be_the_models() {
    let copy = Copy::of("qwen2");
    let path = copy.path("config.json");
    let config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let refused = |key: &str, value: Value| {
        let mut config = config.clone();
        config[key] = value;
        fs::write(&path, config.to_string()).unwrap();
        copy.refused()
    };
    assert!(refused("tie_word_embeddings", json!(false)).contains("tensor `lm_head.weight` is missing"));
    assert!(refused("vocab_size", json!(41)).contains("tensor `model.embed_tokens.weight` is [40, 16], not [41, 16]"));
    let mut fewer = config.clone();
    (fewer["num_hidden_layers"], fewer["layer_types"]) = (json!(1), Value::Null);
    fs::write(&path, fewer.to_string()).unwrap();
    assert!(copy.refused().contains("tensor `model.layers.1.input_layernorm.weight` is not one of a qwen2 model"));
    // An output matrix beside tied embeddings: fine where it is the same, else two answers.
    let tied = Copy::of("qwen2-untied");
    let path = tied.path("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config["tie_word_embeddings"] = json!(true);
    fs::write(&path, config.to_string()).unwrap();
    assert!(tied.refused().contains("tensor `lm_head.weight` is not one of"));
}

/// A GGUF header of these keys and tensors, each already in bytes.
fn gguf(keys: &[Vec<u8>], tensors: &[Vec<u8>], counts: Option<(u64, u64)>) -> Vec<u8> {
    let (tensor_count, key_count) = counts.unwrap_or((tensors.len() as u64, keys.len() as u64));
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(tensor_count.to_le_bytes());
    bytes.extend(key_count.to_le_bytes());
    bytes.extend(keys.concat());
    bytes.extend(tensors.concat());
    bytes
}

fn text(value: &str) -> Vec<u8> {
    [&(value.len() as u64).to_le_bytes()[..], value.as_bytes()].concat()
}

fn tensor(name: &str, dimensions: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let mut bytes = text(name);
    bytes.extend((dimensions.len() as u32).to_le_bytes());
    dimensions.iter().for_each(|size| bytes.extend(size.to_le_bytes()));
    bytes.extend(kind.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

#[test]
fn gguf_headers_that_lie_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    let refused = |bytes: Vec<u8>| {
        fs::write(&path, bytes).unwrap();
        Pretrained::open(&path).unwrap_err().to_string()
    };
    let key = |name: &str, kind: u32, value: &[u8]| [&text(name), &kind.to_le_bytes()[..], value].concat();
    let padded = |mut bytes: Vec<u8>| {
        bytes.resize(bytes.len() + 4096, 0);
        bytes
    };
    assert!(refused(b"GGML\x03\0\0\0".to_vec()).contains("not a GGUF file"));
    assert!(refused(b"GGUF\0\0\0\x03".to_vec()).contains("big-endian"));
    assert!(refused(b"GGUF\x09\0\0\0".to_vec()).contains("version 9"));
    assert!(refused(gguf(&[], &[], Some((u64::MAX, 0)))).contains("18446744073709551615 tensors"));
    assert!(refused(gguf(&[], &[], Some((0, 1 << 50)))).contains("keys, for which it is too short"));
    let array = |kind: u32, count: u64| [&kind.to_le_bytes()[..], &count.to_le_bytes()].concat();
    assert!(refused(padded(gguf(&[key("a", 9, &array(4, 1 << 61))], &[], None))).contains("2305843009213693952 values"));
    assert!(refused(padded(gguf(&[key("a", 9, &array(8, 1 << 61))], &[], None))).contains("texts"));
    let nested = array(9, 1).repeat(6);
    assert!(refused(padded(gguf(&[key("a", 9, &nested)], &[], None))).contains("array of type 9"));
    assert!(refused(padded(gguf(&[key("a", 8, &u64::MAX.to_le_bytes())], &[], None))).contains("asks for 18446744073709551615 bytes"));
    assert!(refused(padded(gguf(&[key("a", 77, &[])], &[], None))).contains("value of type 77"));
    let twice = key("a", 7, &[1]);
    assert!(refused(padded(gguf(&[twice.clone(), twice], &[], None))).contains("`a` twice"));
    assert!(refused(padded(gguf(&[key("general.alignment", 4, &3u32.to_le_bytes())], &[], None))).contains("power of two"));
    let one = |dimensions: &[u64], kind, offset| refused(padded(gguf(&[], &[tensor("t", dimensions, kind, offset)], None)));
    assert!(one(&[1 << 40, 1 << 40], 0, 0).contains("does not fit"));
    assert!(one(&[1 << 33], 2, 0).contains("does not fit"));
    assert!(one(&[33], 2, 0).contains("blocks of 32"));
    assert!(one(&[0], 0, 0).contains("does not fit"));
    assert!(one(&[1, 1, 1], 0, 0).contains("3 dimensions"));
    assert!(one(&[8], 10, 0).contains("type 10"));
    assert!(one(&[8], 0, 4).contains("out of place"));
    assert!(one(&[8], 0, 1 << 63).contains("out of place"));
    assert!(one(&[1024], 0, 4064).contains("out of place"));
    let overlap = gguf(&[], &[tensor("t", &[16], 0, 0), tensor("u", &[16], 0, 32)], None);
    assert!(refused(padded(overlap)).contains("tensor `u` has 64 bytes at 32: out of place"));
    let same = gguf(&[], &[tensor("t", &[8], 0, 0), tensor("t", &[8], 0, 32)], None);
    assert!(refused(padded(same)).contains("the tensor `t` twice"));
    assert!(refused(padded(gguf(&[key("general.architecture", 8, &text("gemma"))], &[], None))).contains("gemma"));
    let window = [key("general.architecture", 8, &text("llama")), key("llama.attention.sliding_window", 4, &8u32.to_le_bytes())];
    assert!(refused(padded(gguf(&window, &[], None))).contains("`llama.attention.sliding_window` is set"));
}
