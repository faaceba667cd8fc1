//! How numbers are stored: floats, and the blocks of GGUF files.
//!
//! A block has one or two scales and small integers. The layouts are those of ggml's
//! `ggml-quants.h`; the arithmetic is in 32-bit floats in the order of its reference code, so that
//! results are equal bit by bit.

use burn::tensor::f16;

/// A way to store numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    F32,
    F16,
    Bf16,
    /// Bytes, which are not numbers of a model; nor are the integers.
    U8,
    I32,
    I64,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

/// Numbers in one block of the K formats.
const SUPER: usize = 256;
/// Numbers in one block of the older formats.
const BLOCK: usize = 32;

impl Format {
    /// The format with this number in GGUF files.
    pub(crate) fn from_gguf(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            30 => Self::Bf16,
            _ => return None,
        })
    }

    /// Whether its numbers are floats, each by itself.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::Bf16)
    }

    /// Its number in GGUF files; panics for integers, which have none.
    pub(crate) fn gguf(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q4K => 12,
            Self::Q5K => 13,
            Self::Q6K => 14,
            Self::Bf16 => 30,
            Self::U8 | Self::I32 | Self::I64 => panic!("integers are not a format of GGUF files"),
        }
    }

    /// Its name in ggml.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::U8 => "U8",
            Self::I32 => "I32",
            Self::I64 => "I64",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// Numbers of a block.
    pub(crate) fn block_len(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 | Self::U8 | Self::I32 | Self::I64 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => BLOCK,
            Self::Q4K | Self::Q5K | Self::Q6K => SUPER,
        }
    }

    /// Bytes of a block.
    pub(crate) fn block_bytes(self) -> usize {
        match self {
            Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::U8 => 1,
            Self::Q4_0 => 2 + 16,
            Self::Q4_1 => 4 + 16,
            Self::Q5_0 => 2 + 4 + 16,
            Self::Q5_1 => 4 + 4 + 16,
            Self::Q8_0 => 2 + 32,
            Self::Q4K => 4 + 12 + 128,
            Self::Q5K => 4 + 12 + 32 + 128,
            Self::Q6K => 128 + 64 + 16 + 2,
        }
    }

    /// Appends the numbers of whole blocks.
    pub(crate) fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        let blocks = bytes.chunks_exact(self.block_bytes());
        match self {
            Self::F32 => out.extend(bytes.as_chunks().0.iter().map(|word| f32::from_le_bytes(*word))),
            Self::F16 => out.extend(bytes.as_chunks().0.iter().map(|half| f16::from_le_bytes(*half).to_f32())),
            Self::Bf16 => out.extend(bytes.as_chunks().0.iter().map(|half| f32::from_bits(u32::from(u16::from_le_bytes(*half)) << 16))),
            Self::U8 => out.extend(bytes.iter().map(|byte| f32::from(*byte))),
            Self::I32 => out.extend(bytes.as_chunks().0.iter().map(|word| i32::from_le_bytes(*word) as f32)),
            Self::I64 => out.extend(bytes.as_chunks().0.iter().map(|word| i64::from_le_bytes(*word) as f32)),
            Self::Q8_0 => blocks.for_each(|block| {
                let d = half(block, 0);
                out.extend(block[2..].iter().map(|&q| f32::from(q as i8) * d));
            }),
            Self::Q4_0 => blocks.for_each(|block| {
                let d = half(block, 0);
                out.extend(nibbles(&block[2..]).map(|q| f32::from(q as i8 - 8) * d));
            }),
            Self::Q4_1 => blocks.for_each(|block| {
                let [d, m] = [half(block, 0), half(block, 2)];
                out.extend(nibbles(&block[4..]).map(|q| f32::from(q) * d + m));
            }),
            Self::Q5_0 => blocks.for_each(|block| {
                let d = half(block, 0);
                out.extend(fifths(&block[2..]).map(|q| f32::from(q as i8 - 16) * d));
            }),
            Self::Q5_1 => blocks.for_each(|block| {
                let [d, m] = [half(block, 0), half(block, 2)];
                out.extend(fifths(&block[4..]).map(|q| f32::from(q) * d + m));
            }),
            Self::Q4K => blocks.for_each(|block| {
                let (scales, low) = (&block[4..16], &block[16..]);
                for group in 0..8 {
                    let (d, m) = scale(block, scales, group);
                    let packed = &low[group / 2 * 32..][..32];
                    out.extend(packed.iter().map(|byte| f32::from(nibble(*byte, group)) * d - m));
                }
            }),
            Self::Q5K => blocks.for_each(|block| {
                let (scales, high, low) = (&block[4..16], &block[16..48], &block[48..]);
                for group in 0..8 {
                    let (d, m) = scale(block, scales, group);
                    let packed = low[group / 2 * 32..][..32].iter().zip(high);
                    out.extend(packed.map(|(low, high)| {
                        let q = nibble(*low, group) | (high >> group & 1) << 4;
                        f32::from(q) * d - m
                    }));
                }
            }),
            Self::Q6K => blocks.for_each(|block| {
                let (low, high, scales, d) = (&block[..128], &block[128..192], &block[192..208], half(block, 208));
                for at in 0..SUPER {
                    // Each half of the block has four groups of 32: two in the low nibbles of its
                    // 64 bytes, two in the high ones; their upper two bits are in its 32 bytes.
                    let (side, group, place) = (at / 128, at % 128 / 32, at % 32);
                    let low = nibble(low[side * 64 + group % 2 * 32 + place], group / 2);
                    let high = high[side * 32 + place] >> (2 * group) & 3;
                    let q = (low | high << 4) as i8 - 32;
                    out.push(d * f32::from(scales[at / 16] as i8) * f32::from(q));
                }
            }),
        }
    }
}

/// The 16-bit float at byte `at` of a block.
fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// The low nibble for even groups, the high one for odd ones.
fn nibble(byte: u8, group: usize) -> u8 {
    byte >> (4 * (group % 2)) & 15
}

/// 32 numbers of four bits: first all low nibbles, then all high ones.
fn nibbles(bytes: &[u8]) -> impl Iterator<Item = u8> {
    (0..BLOCK).map(|at| nibble(bytes[at % 16], at / 16))
}

/// 32 numbers of five bits: the fifth bits in four bytes, then nibbles.
fn fifths(bytes: &[u8]) -> impl Iterator<Item = u8> {
    nibbles(&bytes[4..]).enumerate().map(|(at, low)| low | (bytes[at / 8] >> (at % 8) & 1) << 4)
}

/// Scale and minimum of one of the eight groups of a K block: six bits each, in twelve bytes.
fn scale(block: &[u8], packed: &[u8], group: usize) -> (f32, f32) {
    let (scale, least) = match group {
        0..4 => (packed[group] & 63, packed[group + 4] & 63),
        _ => {
            let both = packed[group + 4];
            (both & 15 | packed[group - 4] >> 6 << 4, both >> 4 | packed[group] >> 6 << 4)
        }
    };
    (half(block, 0) * f32::from(scale), half(block, 2) * f32::from(least))
}
