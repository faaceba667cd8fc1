//! The gated activation.

use burn::tensor::{DType, Tensor};

use super::engine::{Arg, submit};
use super::source::Source;
use super::tape::{Input, empty, matrix, record};

/// `silu(gate) × up`, both `[N, I]`, I a multiple of 8 (Shazeer 2020).
pub(crate) fn swiglu(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    let inputs = [gate, up].map(Input::of);
    let [gate, up] = inputs.each_ref().map(|input| input.data.clone());
    let shape = matrix(&gate);
    let y = empty(&gate, shape, DType::BF16);
    let chunks = shape[0] * shape[1] / 8;
    let grid = (chunks.div_ceil(256) as u32, 1, 1);
    submit(&[&gate, &up, &y], move |engine, at| {
        let args = [Arg::Address(at[0]), Arg::Address(at[1]), Arg::Address(at[2]), Arg::Long(chunks as i64)];
        engine.launch(Source::Layer, "swiglu", grid, 256, 0, &args)
    });
    record(inputs, y, move |dy, _| {
        let [d_gate, d_up] = [(); 2].map(|()| empty(&gate, shape, DType::BF16));
        submit(&[&gate, &up, &dy, &d_gate, &d_up], move |engine, at| {
            let [gate, up, dy, d_gate, d_up] = [at[0], at[1], at[2], at[3], at[4]].map(Arg::Address);
            engine.launch(Source::Layer, "swiglu_backward", grid, 256, 0, &[gate, up, dy, d_gate, d_up, Arg::Long(chunks as i64)])
        });
        [Some(d_gate), Some(d_up)]
    })
}
