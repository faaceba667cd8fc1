//! Against ggml's own bytes; see `testdata/make_blocks.py`.

use safetensors::SafeTensors;

use super::*;
use crate::load::tests::fixture;

const FORMATS: [(&str, Format); 6] = [
    ("q8_0", Format::Q8_0),
    ("q5_0", Format::Q5_0),
    ("q5_1", Format::Q5_1),
    ("q4_k", Format::Q4K),
    ("q5_k", Format::Q5K),
    ("q6_k", Format::Q6K),
];

fn encoded(format: Format, values: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(format, values, &mut bytes);
    bytes
}

#[test]
fn blocks_are_those_of_ggml() {
    let bytes = std::fs::read(fixture("blocks.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let values: Vec<f32> = file.tensor("values").unwrap().data().as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
    for (name, format) in FORMATS {
        let expected = file.tensor(name).unwrap();
        let size = format.block_bytes();
        let found = encoded(format, &values);
        assert_eq!(found.len(), expected.data().len());
        for (at, (found, expected)) in found.chunks(size).zip(expected.data().chunks(size)).enumerate() {
            assert_eq!(found, expected, "{name}, block {at}: {:?}", &values[at * format.block_len()..][..format.block_len()]);
        }
    }
}

/// A million numbers; the script leaves the BLAKE3 hash of ggml's bytes.
#[test]
fn a_million_numbers_are_those_of_ggml() {
    let bytes = std::fs::read(fixture("blocks.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let ramp = (0..1u64 << 20).map(|i| (i * 2_654_435_761 % 16_777_216) as f32 / 16_777_216.0 - 0.5);
    let values: Vec<f32> = ramp.map(|x| x * x * x * 0.25).collect();
    for (name, format) in FORMATS {
        let hash = blake3::hash(&encoded(format, &values));
        assert_eq!(hash.as_bytes(), file.tensor(&format!("{name}.hash")).unwrap().data(), "{name}");
    }
}

/// What is decoded and encoded again has the same codes: a scale of ours is one of theirs.
#[test]
fn there_and_back() {
    let values: Vec<f32> = (0..2048).map(|i: i32| ((i * 7919 % 2003) as f32 / 1001.5 - 1.0).powi(3) * 0.1).collect();
    let spread = (values.iter().map(|value| value * value).sum::<f32>() / values.len() as f32).sqrt();
    // Root of the mean squared error, relative to the numbers' own.
    for (format, most) in [(Format::Q8_0, 0.01), (Format::Q6K, 0.03), (Format::Q5K, 0.06), (Format::Q4K, 0.12)] {
        let mut back = Vec::new();
        format.decode(&encoded(format, &values), &mut back);
        let apart = values.iter().zip(&back).map(|(a, b)| (a - b) * (a - b)).sum::<f32>() / values.len() as f32;
        assert!(apart.sqrt() < most * spread, "{format:?}: {}", apart.sqrt() / spread);
    }
    // Eight bits are the same again.
    let once = encoded(Format::Q8_0, &values);
    let mut back = Vec::new();
    Format::Q8_0.decode(&once, &mut back);
    assert_eq!(encoded(Format::Q8_0, &back), once);
}

#[test]
fn integers_are_those_of_compressed_tensors() {
    let bytes = std::fs::read(fixture("int4.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let values: Vec<f32> = file.tensor("values").unwrap().data().as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
    for size in [128, 32] {
        let (mut scales, mut packed) = (Vec::new(), Vec::new());
        for group in values.chunks(size) {
            let scale = bf16::from_f32(int4::scale(group));
            scales.extend(scale.to_le_bytes());
            int4::encode(group, scale.to_f32(), &mut packed);
        }
        assert_eq!(scales, file.tensor(&format!("scale.{size}")).unwrap().data(), "{size}");
        assert_eq!(packed, file.tensor(&format!("packed.{size}")).unwrap().data(), "{size}");
    }
}
