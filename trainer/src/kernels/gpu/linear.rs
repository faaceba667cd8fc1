//! Projections.

use burn::tensor::{DType, Tensor};
use burn_cubecl::tensor::CubeTensor;

use super::engine::{Arg, Engine, Queue, Work};
use super::gemm::Product;
use super::source::Source;
use super::tape::{Input, empty, matrix, record};

/// Blocks that a bias gradient is added up in.
const PARTS: usize = 256;

/// `x wᵀ + bias`: `x` bfloat16 `[N, I]`, `w` 32-bit `[O, I]`, `bias` 32-bit `[1, O]`. I and O are
/// multiples of 8.
pub(crate) fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<2>>) -> Tensor<2> {
    let x = Input::of(x);
    let projection = Projection::of(weight, bias);
    let mut queue = Queue::default();
    let narrow = projection.narrowed(&mut queue);
    let y = forward(&mut queue, &x.data, &narrow, projection.bias(), None);
    queue.submit();
    let saved = (x.data.clone(), narrow);
    let [weight, bias] = projection.inputs(&x);
    record([x, weight, bias], y, move |dy, [want_x, want_w, want_b]| {
        let (x, w) = &saved;
        let mut queue = Queue::default();
        let dx = want_x.then(|| of_input(&mut queue, &dy, w, None));
        let dw = want_w.then(|| of_weight(&mut queue, &dy, x));
        let db = want_b.then(|| of_bias(&mut queue, &dy));
        queue.submit();
        [dx, dw, db]
    })
}

/// The parameters of a projection: 32-bit `[O, I]` and `[1, O]`.
pub(super) struct Projection {
    weight: Input,
    bias: Option<Input>,
}

impl Projection {
    pub(super) fn of(weight: Tensor<2>, bias: Option<Tensor<2>>) -> Self {
        Self { weight: Input::of(weight), bias: bias.map(Input::of) }
    }

    /// The weights in bfloat16.
    pub(super) fn narrowed(&self, queue: &mut Queue) -> CubeTensor {
        narrowed(queue, &self.weight.data)
    }

    pub(super) fn bias(&self) -> Option<&CubeTensor> {
        self.bias.as_ref().map(|bias| &bias.data)
    }

    /// What is recorded: weight and bias; something without a gradient stands for no bias.
    pub(super) fn inputs(self, beside: &Input) -> [Input; 2] {
        [self.weight, self.bias.unwrap_or_else(|| beside.constant())]
    }
}

/// The bfloat16 form of a 32-bit matrix.
pub(super) fn narrowed(queue: &mut Queue, value: &CubeTensor) -> CubeTensor {
    let shape = matrix(value);
    let narrow = empty(value, shape, DType::BF16);
    let count = shape[0] * shape[1];
    queue.add([value, &narrow], move |engine, [from, to]| {
        let grid = (count.div_ceil(8 * 256) as u32, 1, 1);
        engine.launch(Source::Layer, "to_bf16", grid, 256, 0, &[Arg::Address(from), Arg::Address(to), Arg::Long(count as i64)])
    });
    narrow
}

/// `x wᵀ + bias + residual`.
pub(super) fn forward(
    queue: &mut Queue,
    x: &CubeTensor,
    weight: &CubeTensor,
    bias: Option<&CubeTensor>,
    residual: Option<&CubeTensor>,
) -> CubeTensor {
    let ([n, i], [o, _]) = (matrix(x), matrix(weight));
    let y = empty(x, [n, o], DType::BF16);
    let product = Product::forward(n, i, o).added(residual.is_some());
    queue.add([x, weight, residual.unwrap_or(&y), &y], move |engine, [x, w, addend, y]| engine.multiply_and_add(product, x, w, addend, y));
    if let Some(bias) = bias {
        queue.add([&y, bias], move |engine, [y, bias]| {
            let chunks = n * o / 8;
            let args = [Arg::Address(y), Arg::Address(bias), Arg::Long(chunks as i64), Arg::Int(o as i32)];
            engine.launch(Source::Layer, "add_bias", (chunks.div_ceil(256) as u32, 1, 1), 256, 0, &args)
        });
    }
    y
}

/// `dy w`: the gradient of the input; added to `to`, where it is given.
pub(super) fn of_input(queue: &mut Queue, dy: &CubeTensor, weight: &CubeTensor, to: Option<&CubeTensor>) -> CubeTensor {
    let ([n, o], [_, i]) = (matrix(dy), matrix(weight));
    let dx = to.cloned().unwrap_or_else(|| empty(dy, [n, i], DType::BF16));
    let product = Product::of_input(n, i, o).added(to.is_some());
    queue.add([dy, weight, &dx], move |engine, [dy, w, dx]| engine.multiply(product, dy, w, dx));
    dx
}

/// `dyᵀ x`: the gradient of the weights, 32-bit.
pub(super) fn of_weight(queue: &mut Queue, dy: &CubeTensor, x: &CubeTensor) -> CubeTensor {
    let ([n, o], [_, i]) = (matrix(dy), matrix(x));
    let dw = empty(dy, [o, i], DType::F32);
    let product = Product::of_weight(n, i, o);
    queue.add([dy, x, &dw], move |engine, [dy, x, dw]| engine.multiply(product, dy, x, dw));
    dw
}

/// The sum of the rows of `dy`, 32-bit `[1, O]`.
pub(super) fn of_bias(queue: &mut Queue, dy: &CubeTensor) -> CubeTensor {
    let [n, o] = matrix(dy);
    let (db, parts) = (empty(dy, [1, o], DType::F32), empty(dy, [PARTS, o], DType::F32));
    queue.add([dy, &parts, &db], move |engine, [dy, parts, db]| {
        let args = [Arg::Address(dy), Arg::Address(parts), Arg::Int(n as i32), Arg::Int(o as i32)];
        engine.launch(Source::Layer, "sum_slices", ((o / 8).div_ceil(128) as u32, PARTS as u32, 1), 128, 0, &args)?;
        sum_rows(engine, parts, db, PARTS, o)
    });
    db
}

/// The sum of `rows` rows of 32-bit floats.
pub(super) fn sum_rows(engine: &mut Engine, parts: u64, out: u64, rows: usize, width: usize) -> Work {
    let args = [Arg::Address(parts), Arg::Address(out), Arg::Int(rows as i32), Arg::Int(width as i32)];
    engine.launch(Source::Layer, "sum_rows", (width.div_ceil(32) as u32, 1, 1), 256, 0, &args)
}
