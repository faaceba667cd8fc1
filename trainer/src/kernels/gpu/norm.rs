//! Root mean square norm.

use burn::tensor::{DType, Tensor};
use burn_cubecl::tensor::CubeTensor;

use super::engine::{Arg, Queue};
use super::linear::sum_rows;
use super::source::Source;
use super::tape::{Input, empty, matrix, record};

/// Blocks, and rows of the partial sums of a weight's gradient: four for each of an H100's 132
/// multiprocessors.
const BLOCKS: usize = 528;

/// `x / sqrt(mean(x²) + epsilon) × weight` for each row of `[N, H]`, H a multiple of 8; `weight` is
/// 32-bit `[1, H]`.
pub(crate) fn rms_norm(x: Tensor<2>, weight: Tensor<2>, epsilon: f64) -> Tensor<2> {
    let inputs = [x, weight].map(Input::of);
    let [x, w] = inputs.each_ref().map(|input| input.data.clone());
    let mut queue = Queue::default();
    let (y, scales) = forward(&mut queue, &x, &w, epsilon);
    queue.submit();
    record(inputs, y, move |dy, _| {
        let mut queue = Queue::default();
        let (dx, dw) = backward(&mut queue, &x, &w, &scales, &dy, None);
        queue.submit();
        [Some(dx), Some(dw)]
    })
}

/// The norm, and what each row was multiplied by.
pub(super) fn forward(queue: &mut Queue, x: &CubeTensor, weight: &CubeTensor, epsilon: f64) -> (CubeTensor, CubeTensor) {
    let [n, h] = matrix(x);
    let (y, scales) = (empty(x, [n, h], DType::BF16), empty(x, [n, 1], DType::F32));
    queue.add([x, weight, &y, &scales], move |engine, at| {
        let [x, w, y, scales] = at.map(Arg::Address);
        let args = [x, w, y, scales, Arg::Int(h as i32), Arg::Float(epsilon as f32)];
        engine.launch(Source::Layer, "rms_norm", (n as u32, 1, 1), threads(h), 0, &args)
    });
    (y, scales)
}

/// The gradients of `x` and the weight. `rest` is added to that of `x`: what comes to it past the norm.
pub(super) fn backward(
    queue: &mut Queue,
    x: &CubeTensor,
    weight: &CubeTensor,
    scales: &CubeTensor,
    dy: &CubeTensor,
    rest: Option<&CubeTensor>,
) -> (CubeTensor, CubeTensor) {
    let [n, h] = matrix(x);
    let blocks = n.min(BLOCKS);
    let (dx, dw) = (empty(x, [n, h], DType::BF16), empty(x, [1, h], DType::F32));
    let parts = empty(x, [blocks, h], DType::F32);
    let adds = rest.is_some();
    queue.add([x, weight, scales, dy, rest.unwrap_or(dy), &dx, &parts, &dw], move |engine, [x, w, scales, dy, rest, dx, parts, dw]| {
        let args = [x, w, scales, dy, if adds { rest } else { 0 }, dx, parts].map(Arg::Address);
        let args = [&args[..], &[Arg::Int(n as i32), Arg::Int(h as i32)]].concat();
        engine.launch(Source::Layer, "rms_norm_backward", (blocks as u32, 1, 1), threads(h), 0, &args)?;
        sum_rows(engine, parts, dw, blocks, h)
    });
    (dx, dw)
}

/// Threads of a block for rows of this width.
fn threads(width: usize) -> u32 {
    (width.div_ceil(8).next_multiple_of(32) as u32).min(1024)
}
