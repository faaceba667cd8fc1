//! The gated activation.

use burn::tensor::{DType, Tensor};
use burn_cubecl::tensor::CubeTensor;

use super::engine::{Arg, Queue};
use super::source::Source;
use super::tape::{Input, empty, matrix, record};

/// `silu(gate) × up`, both `[N, I]`, I a multiple of 8 (Shazeer 2020).
pub(crate) fn swiglu(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    let inputs = [gate, up].map(Input::of);
    let [gate, up] = inputs.each_ref().map(|input| input.data.clone());
    let mut queue = Queue::default();
    let y = forward(&mut queue, &gate, &up);
    queue.submit();
    record(inputs, y, move |dy, _| {
        let mut queue = Queue::default();
        let gradients = backward(&mut queue, &gate, &up, &dy);
        queue.submit();
        gradients.map(Some)
    })
}

pub(super) fn forward(queue: &mut Queue, gate: &CubeTensor, up: &CubeTensor) -> CubeTensor {
    let y = empty(gate, matrix(gate), DType::BF16);
    let chunks = chunks(gate);
    queue.add([gate, up, &y], move |engine, at| {
        let [gate, up, y] = at.map(Arg::Address);
        engine.launch(Source::Layer, "swiglu", (chunks.div_ceil(256) as u32, 1, 1), 256, 0, &[gate, up, y, Arg::Long(chunks as i64)])
    });
    y
}

/// The gradients of gate and up.
pub(super) fn backward(queue: &mut Queue, gate: &CubeTensor, up: &CubeTensor, dy: &CubeTensor) -> [CubeTensor; 2] {
    let [d_gate, d_up] = [(); 2].map(|()| empty(gate, matrix(gate), DType::BF16));
    let chunks = chunks(gate);
    queue.add([gate, up, dy, &d_gate, &d_up], move |engine, at| {
        let [gate, up, dy, d_gate, d_up] = at.map(Arg::Address);
        let args = [gate, up, dy, d_gate, d_up, Arg::Long(chunks as i64)];
        engine.launch(Source::Layer, "swiglu_backward", (chunks.div_ceil(256) as u32, 1, 1), 256, 0, &args)
    });
    [d_gate, d_up]
}

fn chunks(x: &CubeTensor) -> usize {
    matrix(x).iter().product::<usize>() / 8
}
