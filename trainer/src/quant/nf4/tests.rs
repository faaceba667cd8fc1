//! Against bitsandbytes' own bytes; see `testdata/make_quantized.py`.

use safetensors::SafeTensors;

use super::*;
use crate::load::tests::fixture;

const CASES: [&str; 8] = ["long", "normal", "outliers", "sixteen-bit", "zeros", "equal", "tiny", "odd"];

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let tensor = file.tensor(name).unwrap();
    tensor.data().as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

/// Numbers from 0 to below 1, as the script makes them.
fn ramp(length: u64) -> impl Iterator<Item = f32> {
    (0..length).map(|i| (i * 2_654_435_761 % 16_777_216) as f32 / 16_777_216.0)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn bytes_are_those_of_bitsandbytes() {
    let bytes = std::fs::read(fixture("nf4.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(bits(&dynamic_map()), bits(&floats(&file, "map")));
    assert_eq!(bits(&LEVELS), bits(&floats(&file, "levels")));
    for case in CASES {
        let of = |part: &str| format!("{case}.{part}");
        let values = match case {
            "long" => ramp(64 * 280).map(|x| (x - 0.5) * (x - 0.5) * (x - 0.5)).collect(),
            _ => floats(&file, &of("values")),
        };
        let found = Nf4::quantize(&values);
        assert_eq!(found.codes, file.tensor(&of("codes")).unwrap().data(), "{case}");
        assert_eq!(found.offset.to_bits(), floats(&file, &of("offset"))[0].to_bits(), "{case}");
        assert_eq!(bits(&found.nested_absmax), bits(&floats(&file, &of("nested_absmax"))), "{case}");
        assert_eq!(found.absmax, file.tensor(&of("absmax")).unwrap().data(), "{case}");
        let expected = floats(&file, &of("back"));
        let mut back = vec![0.0; expected.len()];
        found.dequantize(found.len() - expected.len(), &mut back);
        assert_eq!(bits(&back), bits(&expected), "{case}");
    }
}

/// The mean of `absmax` that PyTorch gave, for lengths at which its cascade has one to four levels.
#[test]
fn means_are_those_of_pytorch() {
    let bytes = std::fs::read(fixture("nf4.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let expected = floats(&file, "means");
    let lengths = [1, 3, 7, 8, 9, 100, 1000, 4097, 70_000, 300_001, 3_000_003];
    assert_eq!(expected.len(), lengths.len());
    for (length, expected) in lengths.into_iter().zip(expected) {
        let values: Vec<f32> = ramp(length).collect();
        assert_eq!(mean(&values).to_bits(), expected.to_bits(), "{length}: {} {expected}", mean(&values));
    }
}

#[test]
fn pieces_and_rows_make_no_difference() {
    let values: Vec<f32> = (0..1037).map(|i: i32| (i * i % 97 - 48) as f32 / 100.0).collect();
    let whole = Nf4::quantize(&values);
    for size in [1, 63, 64, 65, 700] {
        let mut encoder = Encoder::default();
        values.chunks(size).for_each(|piece| encoder.push(piece));
        assert_eq!(encoder.finish(), whole, "{size}");
    }
    let mut all = vec![0.0; 1037];
    whole.dequantize(0, &mut all);
    for (row, expected) in all.chunks(61).enumerate() {
        let mut found = vec![0.0; expected.len()];
        whole.dequantize(row * 61, &mut found);
        assert_eq!(found, expected);
    }
    let empty = Nf4::quantize(&[]);
    assert_eq!((empty.codes.len(), empty.absmax.len(), empty.len()), (0, 0, 0));
}
