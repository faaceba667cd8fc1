//! NF4 with double quantization, as bitsandbytes makes and stores it (Dettmers et al. 2023, QLoRA).
//!
//! Each 64 numbers, counted through the whole tensor, share the largest absolute value among them; a
//! number divided by it becomes the nearest of sixteen levels. The absolute maxima themselves, less
//! their mean, are stored in eight bits, 256 of them to a float. A weight takes 4.127 bits.

use rayon::prelude::*;

use super::dynamic_map::dynamic_map;
use super::mean::mean;

/// Numbers that share an absolute maximum.
pub(crate) const BLOCK: usize = 64;
/// Absolute maxima that share one of their own.
pub(crate) const NESTED: usize = 256;

/// Numbers that one thread encodes at a time; whole blocks.
const PIECE: usize = BLOCK << 10;

/// The sixteen levels: quantiles of the normal distribution, scaled to ±1, zero among them.
pub(crate) const LEVELS: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// Least divisor, so that a block of zeros has one.
const LEAST: f32 = 1e-38;

/// A tensor in NF4.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Nf4 {
    /// Two levels a byte, the first in the high half; a last half without a number is level 7, zero.
    pub(crate) codes: Vec<u8>,
    /// For each block, its absolute maximum less `offset`, as an index into `map`.
    pub(crate) absmax: Vec<u8>,
    /// What indices of each 256 blocks are scaled by.
    pub(crate) nested_absmax: Vec<f32>,
    /// Mean of the absolute maxima.
    pub(crate) offset: f32,
    /// The 256 numbers that `absmax` counts through, `nested_quant_map` in files.
    pub(crate) map: Vec<f32>,
    /// Numbers of the tensor.
    len: usize,
}

#[cfg_attr(not(test), allow(dead_code, reason = "exporters encode alone; training on quantized weights decodes"))]
impl Nf4 {
    /// Finite numbers in row-major order.
    pub(crate) fn quantize(values: &[f32]) -> Self {
        let pieces: Vec<Encoder> = values
            .par_chunks(PIECE)
            .map(|piece| {
                let mut encoder = Encoder::default();
                encoder.push(piece);
                encoder
            })
            .collect();
        let mut whole = Encoder::default();
        for piece in pieces {
            whole.codes.extend(piece.codes);
            whole.absmax.extend(piece.absmax);
            whole.open = piece.open; // of the last one alone
            whole.len += piece.len;
        }
        whole.finish()
    }

    /// Numbers of the tensor.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The numbers from `start` on, as many as `out` takes; panics where they are not in the tensor.
    pub(crate) fn dequantize(&self, start: usize, out: &mut [f32]) {
        assert!(out.len() <= self.len.saturating_sub(start), "{} numbers from {start} on, of {}", out.len(), self.len);
        let mut at = start;
        let mut left = out;
        while !left.is_empty() {
            let here = (BLOCK - at % BLOCK).min(left.len());
            let (now, later) = left.split_at_mut(here);
            let scale = self.scale(at / BLOCK);
            for (value, at) in now.iter_mut().zip(at..) {
                let pair = self.codes[at / 2];
                let level = if at % 2 == 0 { pair >> 4 } else { pair & 15 };
                *value = LEVELS[usize::from(level)] * scale;
            }
            at += here;
            left = later;
        }
    }

    /// The absolute maximum of a block, as it is after double quantization.
    fn scale(&self, block: usize) -> f32 {
        self.map[usize::from(self.absmax[block])] * self.nested_absmax[block / NESTED] + self.offset
    }
}

/// Appends `count` numbers of codes that begin with a block; `scales` are the absolute maxima of the blocks.
pub(crate) fn decode(codes: &[u8], scales: &[f32], count: usize, out: &mut Vec<f32>) {
    let levels = codes.iter().flat_map(|pair| [pair >> 4, pair & 15]).take(count);
    out.extend(levels.enumerate().map(|(at, level)| LEVELS[usize::from(level)] * scales[at / BLOCK]));
}

/// A tensor on its way to NF4, piece by piece; memory is what the result takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encoder {
    codes: Vec<u8>,
    absmax: Vec<f32>,
    /// Numbers that do not fill a block yet.
    open: Vec<f32>,
    len: usize,
}

impl Encoder {
    /// Appends finite numbers; where pieces end makes no difference.
    pub(crate) fn push(&mut self, values: &[f32]) {
        self.len += values.len();
        let fill = if self.open.is_empty() { 0 } else { (BLOCK - self.open.len()).min(values.len()) };
        let (first, rest) = values.split_at(fill);
        self.open.extend_from_slice(first);
        if self.open.len() == BLOCK {
            let block = std::mem::take(&mut self.open);
            self.block(&block);
        }
        let (blocks, tail) = rest.as_chunks::<BLOCK>();
        blocks.iter().for_each(|block| self.block(block));
        self.open.extend_from_slice(tail);
    }

    fn block(&mut self, block: &[f32]) {
        let most = largest(block);
        let factor = 1.0 / most.max(LEAST);
        self.levels(block, |value| value * factor);
        self.absmax.push(most);
    }

    /// Quantizes the absolute maxima too.
    pub(crate) fn finish(mut self) -> Nf4 {
        if !self.open.is_empty() {
            // What is left over is divided where full blocks are multiplied; it is no full block's zero either.
            let block = std::mem::take(&mut self.open);
            let most = largest(&block).max(LEAST);
            self.levels(&block, |value| value / most);
            self.absmax.push(most);
        }
        let offset = mean(&self.absmax);
        let map = dynamic_map();
        let mut absmax = Vec::with_capacity(self.absmax.len());
        let mut nested_absmax = Vec::new();
        for group in self.absmax.chunks(NESTED) {
            let centred: Vec<f32> = group.iter().map(|most| most - offset).collect();
            let most = largest(&centred);
            nested_absmax.push(most);
            // bitsandbytes writes index 0 here; times zero it is as good as any.
            let index = |value: f32| if most == 0.0 { 0 } else { nearest(&map, on_grid(value * (1.0 / most))) };
            absmax.extend(centred.into_iter().map(index));
        }
        Nf4 { codes: self.codes, absmax, nested_absmax, offset, map, len: self.len }
    }

    /// Appends the levels of one block.
    fn levels(&mut self, block: &[f32], scaled: impl Fn(f32) -> f32) {
        let mut levels = [7; BLOCK];
        for (level, value) in levels.iter_mut().zip(block) {
            let value = scaled(*value);
            *level = MIDPOINTS.iter().map(|middle| u8::from(value > *middle)).sum();
        }
        let used = block.len().next_multiple_of(2);
        self.codes.extend(levels[..used].as_chunks().0.iter().map(|[first, second]| first << 4 | second));
    }
}

/// Between two levels; exactly there, the lower one is taken.
const MIDPOINTS: [f32; 15] = {
    let mut all = [0.0; 15];
    let mut at = 0;
    while at < 15 {
        all[at] = (LEVELS[at] + LEVELS[at + 1]) / 2.0;
        at += 1;
    }
    all
};

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

/// The point nearest to a number of ±1 on bitsandbytes' grid of 65536, which its CPU code looks
/// indices up by: near the middle of two numbers of the map, it decides which of them is taken.
fn on_grid(value: f32) -> f32 {
    let point = ((value.clamp(-1.0, 1.0) + 1.0) * 32767.5 + 0.5).floor();
    point / 32767.5 - 1.0
}

/// Index of the nearest number of a rising list; of two equally near, the lower one.
fn nearest(map: &[f32], value: f32) -> u8 {
    let above = map.partition_point(|&entry| entry < value).clamp(1, map.len() - 1);
    let index = if map[above] - value < value - map[above - 1] { above } else { above - 1 };
    index as u8
}

#[cfg(test)]
mod tests;
