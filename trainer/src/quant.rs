//! Weights in few bits: the formats that other programs read, and their numbers back.
//!
//! Plain arithmetic on slices, without tensors. Each codec gives the bytes of the program it is named
//! after, and its tests hold it against that program's own.

pub(crate) mod int4;
pub(crate) mod nf4;

mod blocks;
mod dynamic_map;
mod k_blocks;
mod mean;
mod search;

use burn::tensor::{bf16, f16};

use crate::load::Format;

/// Appends numbers in a format of GGUF files: the bytes of ggml's reference code, which quantizes
/// without a matrix of importance. Panics where they do not fill whole blocks, or where the format is
/// one that is only read.
pub(crate) fn encode(format: Format, values: &[f32], out: &mut Vec<u8>) {
    match format {
        Format::F32 => out.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Format::F16 => out.extend(values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes())),
        Format::Bf16 => out.extend(values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes())),
        Format::Q8_0 => blockwise(values, blocks::q8_0, out),
        Format::Q5_0 => blockwise(values, blocks::q5_0, out),
        Format::Q5_1 => blockwise(values, blocks::q5_1, out),
        Format::Q4K => blockwise(values, k_blocks::q4_k, out),
        Format::Q5K => blockwise(values, k_blocks::q5_k, out),
        Format::Q6K => blockwise(values, k_blocks::q6_k, out),
        Format::U8 | Format::I32 | Format::I64 | Format::Q4_0 | Format::Q4_1 => panic!("{format:?} is only read"),
    }
}

fn blockwise<const N: usize>(values: &[f32], block: impl Fn(&[f32; N], &mut Vec<u8>), out: &mut Vec<u8>) {
    let (blocks, rest) = values.as_chunks::<N>();
    assert!(rest.is_empty(), "{} numbers after the last block of {N}", rest.len());
    blocks.iter().for_each(|values| block(values, out));
}

#[cfg(test)]
mod tests;
