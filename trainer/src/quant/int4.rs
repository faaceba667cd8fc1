//! Integers of four bits with one scale for each group, as compressed-tensors packs them for vLLM.
//!
//! Symmetric, rounded to nearest, without calibration: the scale is the group's largest absolute value
//! over 7.5, half the range from -8 to 7.

/// Numbers in one 32-bit word: the first in the lowest bits.
pub(crate) const WORD: usize = 8;

/// What the integers of a group are multiplied by.
pub(crate) fn scale(group: &[f32]) -> f32 {
    let scale = group.iter().fold(0.0f32, |most, value| most.max(value.abs())) / 7.5;
    // Of zeros alone, any scale is right but zero.
    if scale == 0.0 { f32::EPSILON } else { scale }
}

/// Appends the numbers of whole words; `scale` tells that of the number at a place.
pub(crate) fn decode(words: &[u8], scale: impl Fn(usize) -> f32, out: &mut Vec<f32>) {
    let codes = words.iter().flat_map(|byte| [byte & 15, byte >> 4]); // little-endian: the first is in the lowest bits
    out.extend(codes.enumerate().map(|(at, code)| f32::from(code as i8 - 8) * scale(at)));
}

/// Appends a group as words; `scale` is the one that is stored.
pub(crate) fn encode(group: &[f32], scale: f32, out: &mut Vec<u8>) {
    for word in group.as_chunks::<WORD>().0 {
        let codes = word.iter().map(|value| (value / scale).round_ties_even().clamp(-8.0, 7.0) as i32 + 8);
        let word = codes.rev().fold(0, |word, code| word << 4 | code as u32);
        out.extend(word.to_le_bytes());
    }
}
