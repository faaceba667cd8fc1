//! ggml's K blocks of 256 numbers: Q4_K and Q5_K (eight groups, each with a scale and a minimum of six
//! bits), Q6_K (sixteen groups, each with a scale of eight bits). Layouts are told in `load/format.rs`.

use burn::tensor::f16;

use super::search::{Groups, Trials, affine, side_by_side, symmetric};

/// Numbers of a block.
pub(super) const SUPER: usize = 256;

/// Appends a block of Q4_K.
pub(super) fn q4_k(values: &[f32; SUPER], out: &mut Vec<u8>) {
    let codes = groups_of_32(values, Trials { most: 15.0, first: -1.0, steps: 20 }, out);
    out.extend(nibbles(&codes));
}

/// Appends a block of Q5_K: the fifth bits of each group are one bit of 32 bytes.
pub(super) fn q5_k(values: &[f32; SUPER], out: &mut Vec<u8>) {
    let codes = groups_of_32(values, Trials { most: 31.0, first: -0.5, steps: 15 }, out);
    out.extend((0..32).map(|place| (0..8).fold(0, |bits, group| bits | codes[group * 32 + place] >> 4 << group)));
    out.extend(nibbles(&codes));
}

/// Two groups in 32 bytes: the first in the low halves.
fn nibbles(codes: &[u8; SUPER]) -> impl Iterator<Item = u8> {
    codes.chunks_exact(64).flat_map(|pair| (0..32).map(|place| pair[place] & 15 | pair[32 + place] << 4))
}

/// Appends scales and minima, and gives the codes.
fn groups_of_32(values: &[f32; SUPER], trials: Trials, out: &mut Vec<u8>) -> [u8; SUPER] {
    let x: Groups<8, 32> = side_by_side(values);
    let mut squares = [0.0; 8];
    x.iter().for_each(|x| (0..8).for_each(|k| squares[k] += x[k] * x[k]));
    let typical = squares.map(|sum: f32| (sum / 32.0).sqrt());
    let w: Groups<8, 32> = x.map(|x| std::array::from_fn(|k| typical[k] + x[k].abs()));
    let found = affine(&x, &w, trials);

    let minima = found.least.map(|least| -least);
    let (most_scale, most_minimum) = (largest(&found.scale), largest(&minima));
    let [scales, minima] = [(&found.scale, most_scale), (&minima, most_minimum)].map(|(values, most)| {
        let factor = if most > 0.0 { 63.0 / most } else { 0.0 };
        values.map(|value| (nearest(factor * value) as u8).min(63))
    });
    let halves = [most_scale / 63.0, most_minimum / 63.0].map(f16::from_f32);
    halves.iter().for_each(|half| out.extend(half.to_le_bytes()));
    out.extend(packed(scales, minima));

    let [d, dmin] = halves.map(f16::to_f32);
    let mut codes = [0; SUPER];
    for (group, (codes, values)) in codes.as_chunks_mut::<32>().0.iter_mut().zip(values.as_chunks::<32>().0).enumerate() {
        let (d, minimum) = (d * f32::from(scales[group]), dmin * f32::from(minima[group]));
        for (code, &value) in codes.iter_mut().zip(values) {
            let exact = match d == 0.0 {
                // Of no scale the codes do not matter; the reference leaves those of its search.
                true => found.factor[group] * (value - found.from[group]),
                false => (value + minimum) / d,
            };
            *code = nearest(exact).clamp(0, trials.most as i32) as u8;
        }
    }
    codes
}

/// Eight scales and eight minima of six bits in twelve bytes: the first four of each are whole, the
/// upper two bits above them are those of the last four.
fn packed(scales: [u8; 8], minima: [u8; 8]) -> [u8; 12] {
    std::array::from_fn(|at| match at {
        0..4 => scales[at] | scales[at + 4] >> 4 << 6,
        4..8 => minima[at - 4] | minima[at] >> 4 << 6,
        _ => scales[at - 4] & 15 | minima[at - 4] << 4,
    })
}

/// Appends a block of Q6_K.
pub(super) fn q6_k(values: &[f32; SUPER], out: &mut Vec<u8>) {
    let x: Groups<16, 16> = side_by_side(values);
    let found = symmetric(&x, 32.0);
    let most = found.scale.iter().fold(0.0f32, |most, &scale| if scale.abs() > most.abs() { scale } else { most });
    if most.abs() < 1e-15 {
        out.extend([0; 128 + 64 + 16 + 2]);
        return;
    }
    let factor = -128.0 / most;
    let scales = found.scale.map(|scale| nearest(factor * scale).min(127) as i8);
    let half = f16::from_f32(1.0 / factor);
    let mut codes = [0; SUPER];
    for (group, (codes, values)) in codes.as_chunks_mut::<16>().0.iter_mut().zip(values.as_chunks::<16>().0).enumerate() {
        let d = half.to_f32() * f32::from(scales[group]);
        for (code, &value) in codes.iter_mut().zip(values) {
            *code = match d == 0.0 {
                true if found.factor[group] == 0.0 => 0,
                true => (nearest(found.factor[group] * value).clamp(-32, 31) + 32) as u8,
                false => (nearest(value / d).clamp(-32, 31) + 32) as u8,
            };
        }
    }
    // Four groups of 32 in each half of the block: two in the low and two in the high half of 64
    // bytes, their upper bits in 32 bytes.
    let sides = codes.as_chunks::<128>().0;
    for side in sides {
        out.extend((0..64).map(|place| side[place] & 15 | side[64 + place] << 4));
    }
    for side in sides {
        out.extend((0..32).map(|place| (0..4).fold(0, |bits, group| bits | side[group * 32 + place] >> 4 << (2 * group))));
    }
    out.extend(scales.map(|scale| scale as u8));
    out.extend(half.to_le_bytes());
}

/// The largest, and nothing below 0.
fn largest(values: &[f32; 8]) -> f32 {
    values.iter().fold(0.0, |most, &value| if value > most { value } else { most })
}

/// The nearest whole number, of two the even one; beyond 2^22, what the reference's arithmetic on bits
/// makes of it.
fn nearest(value: f32) -> i32 {
    (((value + 12_582_912.0).to_bits() & 0x7f_ffff) as i32) - 0x40_0000
}
