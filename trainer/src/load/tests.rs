//! Loaded models against transformers; see `testdata/make_fixtures.py`.

mod configs;
mod hostile;
mod real;

use burn::tensor::Tensor;
use shards::Batch;

use super::*;
use crate::model::{Inputs, RopeScaling};
use crate::objective::Cpt;

const FAMILIES: [&str; 5] = ["llama", "qwen2", "qwen2-untied", "qwen3", "yarn"];

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// Rows of ids, all but the last as inputs, all but the first as targets.
pub(crate) fn batch(ids: &Path) -> Batch {
    let rows: Vec<Vec<u32>> = serde_json::from_slice(&std::fs::read(ids).unwrap()).unwrap();
    let seq_len = rows[0].len() - 1;
    let cells = |first: usize| rows.iter().flat_map(|row| row[first..first + seq_len].to_vec()).collect::<Vec<_>>();
    Batch {
        rows: rows.len(),
        seq_len,
        inputs: cells(0),
        targets: cells(1),
        positions: (0..seq_len as u32).collect::<Vec<_>>().repeat(rows.len()),
        documents: vec![0; rows.len() * seq_len],
        mask: vec![true; rows.len() * seq_len],
        buckets: vec![0; rows.len()],
        answers: Vec::new(),
    }
}

pub(crate) fn expected(path: &Path, name: &str) -> Vec<f32> {
    let (file, tensors) = safetensors::open(path).unwrap();
    file.values(name, &tensors[name]).unwrap()
}

pub(crate) fn logits(model: &Model, batch: &Batch) -> Vec<f32> {
    let x: Tensor<2> = model.forward(&Inputs::new(model, batch).unwrap());
    model.logits(x).inner().try_into_vec_as::<f32>().unwrap()
}

/// A model of this shape in a file, its numbers evenly from -0.5 to 0.5.
pub(crate) fn random(folder: &Path, config: &ModelConfig, vocab: usize) -> Pretrained {
    let path = folder.join("random.safetensors");
    let tensors = config.tensors(vocab);
    let infos = tensors.iter().map(|(name, shape)| (name.as_str(), ::safetensors::Dtype::F32, shape.as_slice()));
    let mut out = crate::tensors::Writer::create(&path, infos).unwrap();
    let mut rng = crate::rng::Rng::new(7, "random");
    for (_, shape) in &tensors {
        let bytes: Vec<u8> = (0..shape.iter().product()).flat_map(|_| (rng.uniform() as f32 - 0.5).to_le_bytes()).collect();
        out.put(&bytes).unwrap();
    }
    out.finish().unwrap();
    Pretrained::of_file(&path, config.clone(), vocab).unwrap()
}

pub(crate) fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn load(path: &Path) -> Model {
    Pretrained::open(path).unwrap().model(&Device::flex()).unwrap()
}

#[test]
fn logits_are_those_of_transformers() {
    for name in FAMILIES {
        let folder = fixture(name);
        let found = logits(&load(&folder), &batch(&folder.join("ids.json")));
        let difference = largest_difference(&found, &expected(&folder.join("expected.safetensors"), "logits"));
        assert!(difference <= 1e-4, "{name}: {difference}");
    }
}

/// The length of the difference of each parameter's gradient, relative to the gradient's length.
#[test]
fn gradients_are_those_of_transformers() {
    for name in FAMILIES {
        let folder = fixture(name);
        let model = load(&folder);
        let grads = Cpt::default().of(&model, &batch(&folder.join("ids.json"))).unwrap().sum.backward();
        for parameter in model.parameters() {
            let found = parameter.value().grad(&grads).unwrap().try_into_vec_as::<f32>().unwrap();
            let expected = expected(&folder.join("expected.safetensors"), parameter.name());
            let length = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            let apart = length(&mut found.iter().zip(&expected).map(|(a, b)| a - b));
            let relative = apart / length(&mut expected.iter().copied());
            assert!(relative <= 1e-4, "{name}, {}: {relative}", parameter.name());
        }
    }
}

#[test]
fn packed_rows_have_the_logits_of_single_ones() {
    for name in FAMILIES {
        let folder = fixture(name);
        let apart = batch(&folder.join("ids.json"));
        let packed = Batch {
            rows: 1,
            seq_len: apart.rows * apart.seq_len,
            documents: (0..apart.rows as u32).flat_map(|row| vec![row; apart.seq_len]).collect(),
            buckets: vec![0],
            answers: Vec::new(),
            ..apart.clone()
        };
        let model = load(&folder);
        let difference = largest_difference(&logits(&model, &packed), &logits(&model, &apart));
        assert!(difference <= 1e-5, "{name}: {difference}");
    }
}

#[test]
fn gguf_files_have_the_logits_of_transformers() {
    for name in ["llama.gguf", "qwen3.gguf"] {
        let found = logits(&load(&fixture(name)), &batch(&fixture(&format!("{name}.ids.json"))));
        let difference = largest_difference(&found, &expected(&fixture(&format!("{name}.expected.safetensors")), "logits"));
        assert!(difference <= 1e-4, "{name}: {difference}");
    }
    let llama = Pretrained::open(&fixture("llama.gguf")).unwrap();
    let scaling = RopeScaling::Llama3 { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_positions: 8192 };
    assert_eq!(llama.config().rope_scaling, Some(scaling));
    assert_eq!((llama.config().norm_epsilon, llama.config().rope_theta, llama.eos()), (1e-5, 500_000.0, &[3][..]));
}

/// Every quantized type, bit by bit, against the gguf package's values in the same file.
#[test]
fn blocks_are_decoded_as_by_the_gguf_package() {
    let tensors = gguf::open_tensors(&fixture("dequantize.gguf")).unwrap();
    let (file, tensors) = (tensors.0, tensors.1);
    let mut compared = 0;
    for (name, stored) in tensors.iter().filter(|(name, _)| !name.ends_with(".expected")) {
        let found = file.values(name, stored).unwrap();
        let expected = file.values(name, &tensors[&format!("{name}.expected")]).unwrap();
        assert_eq!(found.len(), 1024);
        for (at, (a, b)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(a.to_bits(), b.to_bits(), "{name} at {at}: {a} {b}");
        }
        compared += 1;
    }
    assert_eq!(compared, 8);
}

#[test]
fn the_digest_is_of_content() {
    let copy = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(fixture("qwen2").join(file), copy.path().join(file)).unwrap();
    }
    let digest = |path: &Path| Pretrained::open(path).unwrap().digest().unwrap();
    assert_eq!(digest(copy.path()), digest(&fixture("qwen2")));
    let mut bytes = std::fs::read(copy.path().join("model.safetensors")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(copy.path().join("model.safetensors"), bytes).unwrap();
    assert_ne!(digest(copy.path()), digest(&fixture("qwen2")));
}
