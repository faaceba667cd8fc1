//! The embedding.

use burn::tensor::{DType, Int, Tensor};

use super::engine::{Arg, Queue};
use super::source::Source;
use super::tape::{Input, empty, integers, matrix, record};

/// Rows of the table `[V, H]`, 32-bit or bfloat16, as bfloat16 `[N, H]`. The ids are below V. In the gradient, rows
/// of one id are added up in no fixed order.
pub(crate) fn embed(table: Tensor<2>, ids: Tensor<1, Int>) -> Tensor<2> {
    let table = Input::of(table);
    let ids = integers(ids);
    let [v, h] = matrix(&table.data);
    let n = ids.meta.shape()[0];
    let y = empty(&table.data, [n, h], DType::BF16);
    let kernel = if table.data.dtype == DType::BF16 { "embed_bf16" } else { "embed" };
    let mut queue = Queue::default();
    queue.add([&table.data, &ids, &y], move |engine, at| {
        let [table, ids, y] = at.map(Arg::Address);
        engine.launch(Source::Layer, kernel, (n as u32, 1, 1), 128, 0, &[table, ids, y, Arg::Int(h as i32)])
    });
    queue.submit();
    record([table], y, move |dy, _| {
        let gradient = empty(&dy, [v, h], DType::F32);
        let mut queue = Queue::default();
        queue.add([&dy, &ids, &gradient], move |engine, at| {
            engine.zero(at[2], v * h * size_of::<f32>())?;
            let [dy, ids, gradient] = at.map(Arg::Address);
            engine.launch(Source::Layer, "embed_backward", (n as u32, 1, 1), 128, 0, &[dy, ids, gradient, Arg::Int(h as i32)])
        });
        queue.submit();
        [Some(gradient)]
    })
}
