//! The gated activation.

use burn::tensor::Tensor;
use macerator::{AutoArch, Simd, WithSimd};
use rayon::prelude::*;

use super::loops::exp;
use super::tape::{Array, Input, array, record, values};

/// Numbers that one thread takes at a time.
const PIECE: usize = 1 << 14;

/// As [`crate::kernels::swiglu`]; none where a tensor is not one for it.
pub(in crate::kernels) fn swiglu(gate_ni: &Tensor<2>, up_ni: &Tensor<2>) -> Option<Tensor<2>> {
    let shape = gate_ni.dims();
    let (gate, up) = (Input::of(gate_ni)?, Input::of(up_ni)?);
    let mut y = vec![0.0; gate.values().len()];
    let pieces = y.par_chunks_mut(PIECE).zip(gate.values().par_chunks(PIECE)).zip(up.values().par_chunks(PIECE));
    pieces.for_each(|((y, gate), up)| AutoArch::new().dispatch(Forward { gate, up, y }));

    let (g, u) = (gate.data.clone(), up.data.clone());
    Some(record([gate, up], array(y, shape), move |dy, wanted| {
        let [d_gate, d_up] = backward(&g, &u, &dy).map(|numbers| array(numbers, shape));
        [wanted[0].then_some(d_gate), wanted[1].then_some(d_up)]
    }))
}

struct Forward<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        for ((y, gate), up) in self.y.iter_mut().zip(self.gate).zip(self.up) {
            *y = gate * up / (1.0 + exp(-gate));
        }
    }
}

/// With σ the logistic function: dgate = dy up σ(gate) (1 + gate (1 - σ(gate))), dup = dy gate σ(gate).
fn backward(gate: &Array, up: &Array, dy: &Array) -> [Vec<f32>; 2] {
    let (gate, up, dy) = (values(gate), values(up), values(dy));
    let [mut d_gate, mut d_up] = [vec![0.0; gate.len()], vec![0.0; gate.len()]];
    let inputs = gate.par_chunks(PIECE).zip(up.par_chunks(PIECE)).zip(dy.par_chunks(PIECE));
    let pieces = d_gate.par_chunks_mut(PIECE).zip(d_up.par_chunks_mut(PIECE)).zip(inputs);
    pieces.for_each(|((d_gate, d_up), ((gate, up), dy))| AutoArch::new().dispatch(Falling { gate, up, dy, d_gate, d_up }));
    [d_gate, d_up]
}

struct Falling<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    dy: &'a [f32],
    d_gate: &'a mut [f32],
    d_up: &'a mut [f32],
}

impl WithSimd for Falling<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let outputs = self.d_gate.iter_mut().zip(self.d_up);
        for ((d_gate, d_up), ((gate, up), dy)) in outputs.zip(self.gate.iter().zip(self.up).zip(self.dy)) {
            let share = 1.0 / (1.0 + exp(-gate));
            *d_up = dy * gate * share;
            *d_gate = dy * up * share * (1.0 + gate * (1.0 - share));
        }
    }
}
