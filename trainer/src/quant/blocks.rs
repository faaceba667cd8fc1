//! ggml's blocks of 32 numbers: Q8_0, Q5_0 and Q5_1. Layouts are told in `load/format.rs`.

use burn::tensor::f16;

/// Numbers of a block.
pub(super) const BLOCK: usize = 32;

/// Appends a block of Q8_0.
pub(super) fn q8_0(values: &[f32; BLOCK], out: &mut Vec<u8>) {
    let most = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    let d = most / 127.0;
    let factor = inverse(d);
    out.extend(f16::from_f32(d).to_le_bytes());
    out.extend(values.map(|value| half_away(value * factor)));
}

/// Appends a block of Q5_0: the number of largest size becomes -16, whatever its sign.
pub(super) fn q5_0(values: &[f32; BLOCK], out: &mut Vec<u8>) {
    let peak = values.iter().fold(0.0f32, |peak, &value| if value.abs() > peak.abs() { value } else { peak });
    let d = peak / -16.0;
    let factor = inverse(d);
    out.extend(f16::from_f32(d).to_le_bytes());
    out.extend(fifths(values.map(|value| byte(value * factor + 16.5).min(31))));
}

/// Appends a block of Q5_1: from the least number on.
pub(super) fn q5_1(values: &[f32; BLOCK], out: &mut Vec<u8>) {
    let low = values.iter().fold(f32::MAX, |low, &value| if value < low { value } else { low });
    let high = values.iter().fold(-f32::MAX, |high, &value| if value > high { value } else { high });
    let d = (high - low) / 31.0;
    let factor = inverse(d);
    out.extend(f16::from_f32(d).to_le_bytes());
    out.extend(f16::from_f32(low).to_le_bytes());
    out.extend(fifths(values.map(|value| byte((value - low) * factor + 0.5))));
}

/// Codes of five bits: the fifth bits in four bytes, then the first half in the low, the second in the
/// high halves of sixteen.
fn fifths(codes: [u8; BLOCK]) -> impl Iterator<Item = u8> {
    let high = (0..BLOCK).fold(0u32, |bits, at| bits | u32::from(codes[at] >> 4 & 1) << at);
    high.to_le_bytes().into_iter().chain((0..16).map(move |at| codes[at] & 15 | codes[16 + at] << 4))
}

fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

/// The nearest whole number, of two the one farther from zero, of a number of at most eight bits.
fn half_away(value: f32) -> u8 {
    // The largest float below a half: with a half itself, 0.49999997 would be rounded up.
    byte(value + 0.499_999_97f32.copysign(value))
}

/// The lower eight bits of the whole part. Numbers so small that their scale has no inverse come as
/// infinite ones, and get what x86 processors make of these: 0.
fn byte(value: f32) -> u8 {
    if value.is_finite() { value as i32 as u8 } else { 0 }
}
