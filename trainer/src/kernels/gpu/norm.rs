//! Root mean square norm.

use burn::tensor::{DType, Tensor};

use super::engine::{Arg, submit};
use super::linear::sum_rows;
use super::source::Source;
use super::tape::{Input, empty, matrix, record};

/// Blocks, and rows of the partial sums of a weight's gradient: two for each of an H100's 132
/// multiprocessors.
const BLOCKS: usize = 264;
const THREADS: u32 = 128;

/// `x / sqrt(mean(x²) + epsilon) × weight` for each row of `[N, H]`, H a multiple of 8; `weight` is
/// 32-bit `[1, H]`.
pub(crate) fn rms_norm(x: Tensor<2>, weight: Tensor<2>, epsilon: f64) -> Tensor<2> {
    let inputs = [x, weight].map(Input::of);
    let [x, w] = inputs.each_ref().map(|input| input.data.clone());
    let [n, h] = matrix(&x);
    let (y, scales) = (empty(&x, [n, h], DType::BF16), empty(&x, [n, 1], DType::F32));
    submit(&[&x, &w, &y, &scales], move |engine, at| {
        let [x, w, y, scales] = [at[0], at[1], at[2], at[3]].map(Arg::Address);
        let args = [x, w, y, scales, Arg::Int(h as i32), Arg::Float(epsilon as f32)];
        engine.launch(Source::Layer, "rms_norm", (n as u32, 1, 1), THREADS, 0, &args)
    });
    record(inputs, y, move |dy, _| {
        let blocks = n.min(BLOCKS);
        let (dx, dw) = (empty(&x, [n, h], DType::BF16), empty(&x, [1, h], DType::F32));
        let parts = empty(&x, [blocks, h], DType::F32);
        submit(&[&x, &w, &scales, &dy, &dx, &parts, &dw], move |engine, at| {
            let [x, w, scales, dy, dx, parts] = [at[0], at[1], at[2], at[3], at[4], at[5]].map(Arg::Address);
            let args = [x, w, scales, dy, dx, parts, Arg::Int(n as i32), Arg::Int(h as i32)];
            engine.launch(Source::Layer, "rms_norm_backward", (blocks as u32, 1, 1), THREADS, 0, &args)?;
            sum_rows(engine, at[5], at[6], blocks, h)
        });
        [Some(dx), Some(dw)]
    })
}
