//! Projections.

use burn::tensor::{DType, Tensor};
use burn_cubecl::tensor::CubeTensor;

use super::engine::{Arg, Engine, Work, submit};
use super::gemm::Product;
use super::source::Source;
use super::tape::{Input, empty, matrix, record};

/// Blocks that a bias gradient is added up in.
const PARTS: usize = 64;

/// `x wᵀ + bias`: `x` bfloat16 `[N, I]`, `w` 32-bit `[O, I]`, `bias` 32-bit `[1, O]`. I and O are
/// multiples of 8.
pub(crate) fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<2>>) -> Tensor<2> {
    let [x, weight] = [x, weight].map(Input::of);
    let bias = bias.map(Input::of);
    let narrow = narrowed(&weight.data);
    let y = forward(&x.data, &narrow, bias.as_ref().map(|bias| &bias.data));
    let saved = (x.data.clone(), narrow);
    match bias {
        None => record([x, weight], y, move |dy, [want_x, want_w]| {
            let (x, w) = &saved;
            [want_x.then(|| of_input(&dy, w)), want_w.then(|| of_weight(&dy, x))]
        }),
        Some(bias) => record([x, weight, bias], y, move |dy, [want_x, want_w, want_b]| {
            let (x, w) = &saved;
            [want_x.then(|| of_input(&dy, w)), want_w.then(|| of_weight(&dy, x)), want_b.then(|| of_bias(&dy))]
        }),
    }
}

/// The bfloat16 form of a parameter.
pub(super) fn narrowed(value: &CubeTensor) -> CubeTensor {
    let shape = matrix(value);
    let narrow = empty(value, shape, DType::BF16);
    let count = shape[0] * shape[1];
    submit(&[value, &narrow], move |engine, at| {
        let grid = (count.div_ceil(8 * 256) as u32, 1, 1);
        engine.launch(Source::Layer, "to_bf16", grid, 256, 0, &[Arg::Address(at[0]), Arg::Address(at[1]), Arg::Long(count as i64)])
    });
    narrow
}

fn forward(x: &CubeTensor, weight: &CubeTensor, bias: Option<&CubeTensor>) -> CubeTensor {
    let ([n, i], [o, _]) = (matrix(x), matrix(weight));
    let y = empty(x, [n, o], DType::BF16);
    let product = Product::forward(n, i, o);
    match bias {
        None => submit(&[x, weight, &y], move |engine, at| engine.multiply(product, at[0], at[1], at[2])),
        Some(bias) => submit(&[x, weight, &y, bias], move |engine, at| {
            engine.multiply(product, at[0], at[1], at[2])?;
            add_bias(engine, at[2], at[3], n, o)
        }),
    }
    y
}

fn add_bias(engine: &mut Engine, y: u64, bias: u64, rows: usize, width: usize) -> Work {
    let chunks = rows * width / 8;
    let args = [Arg::Address(y), Arg::Address(bias), Arg::Long(chunks as i64), Arg::Int(width as i32)];
    engine.launch(Source::Layer, "add_bias", (chunks.div_ceil(256) as u32, 1, 1), 256, 0, &args)
}

fn of_input(dy: &CubeTensor, weight: &CubeTensor) -> CubeTensor {
    let ([n, o], [_, i]) = (matrix(dy), matrix(weight));
    let dx = empty(dy, [n, i], DType::BF16);
    let product = Product::of_input(n, i, o);
    submit(&[dy, weight, &dx], move |engine, at| engine.multiply(product, at[0], at[1], at[2]));
    dx
}

fn of_weight(dy: &CubeTensor, x: &CubeTensor) -> CubeTensor {
    let ([n, o], [_, i]) = (matrix(dy), matrix(x));
    let dw = empty(dy, [o, i], DType::F32);
    let product = Product::of_weight(n, i, o);
    submit(&[dy, x, &dw], move |engine, at| engine.multiply(product, at[0], at[1], at[2]));
    dw
}

fn of_bias(dy: &CubeTensor) -> CubeTensor {
    let [n, o] = matrix(dy);
    let (db, parts) = (empty(dy, [1, o], DType::F32), empty(dy, [PARTS, o], DType::F32));
    submit(&[dy, &parts, &db], move |engine, at| {
        let args = [Arg::Address(at[0]), Arg::Address(at[1]), Arg::Int(n as i32), Arg::Int(o as i32)];
        engine.launch(Source::Layer, "sum_slices", (o.div_ceil(128) as u32, PARTS as u32, 1), 128, 0, &args)?;
        sum_rows(engine, at[1], at[2], PARTS, o)
    });
    db
}

/// The sum of `rows` rows of 32-bit floats.
pub(super) fn sum_rows(engine: &mut Engine, parts: u64, out: u64, rows: usize, width: usize) -> Work {
    let args = [Arg::Address(parts), Arg::Address(out), Arg::Int(rows as i32), Arg::Int(width as i32)];
    engine.launch(Source::Layer, "sum_rows", (width.div_ceil(256) as u32, 1, 1), 256, 0, &args)
}
