//! Projections.

use std::sync::Arc;

use burn::tensor::{DType, Tensor};
use burn_cubecl::tensor::CubeTensor;

use super::engine::{Arg, Engine, Queue, Work};
use super::gemm::Product;
use super::low_rank::{Adapter, LowRank};
use super::nf4::Nf4Matrix;
use super::source::Source;
use super::tape::{Input, empty, matrix, record};

/// Blocks that a bias gradient is added up in.
const PARTS: usize = 256;

/// `x wᵀ + bias`: `x` bfloat16 `[N, I]`, `w` `[O, I]` in 32 bits or bfloat16, `bias` 32-bit `[1, O]`. I and O
/// are multiples of 8.
pub(crate) fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<2>>) -> Tensor<2> {
    let x = Input::of(x);
    let mut queue = Queue::default();
    let (ready, [weight, bias, ..]) =
        Projection { weight: Weight::Whole { value: Box::new(weight), copy: None }, bias, adapter: None }.ready(&mut queue, &x);
    let (y, _) = ready.forward(&mut queue, &x.data, None);
    queue.submit();
    let saved = x.data.clone();
    record([x, weight, bias], y, move |dy, [want_x, want_w, want_b]| {
        let mut queue = Queue::default();
        let (dx, [dw, db, ..]) = ready.backward(&mut queue, &saved, &dy, None, None, [want_x, want_w, want_b, false, false]);
        queue.submit();
        [dx, dw, db]
    })
}

/// A matrix as the model has it, `[O, I]`.
pub(crate) enum Weight {
    /// In 32 bits, with a copy in bfloat16 where one is kept, or in bfloat16.
    Whole { value: Box<Tensor<2>>, copy: Option<Box<Tensor<2>>> },
    /// Frozen, in four bits.
    Nf4(Arc<Nf4Matrix>),
}

/// A projection as the model has it; the bias is 32-bit `[1, O]`.
pub(crate) struct Projection {
    pub(crate) weight: Weight,
    pub(crate) bias: Option<Tensor<2>>,
    pub(crate) adapter: Option<Adapter>,
}

/// A projection as it is computed with.
pub(super) struct Ready {
    weight: ReadyWeight,
    bias: Option<CubeTensor>,
    adapter: Option<LowRank>,
}

enum ReadyWeight {
    /// In bfloat16.
    Whole(Box<CubeTensor>),
    /// Made whole at every use, which is quick beside the product.
    Nf4(Arc<Nf4Matrix>),
}

impl ReadyWeight {
    fn whole(&self, queue: &mut Queue) -> CubeTensor {
        match self {
            Self::Whole(whole) => (**whole).clone(),
            Self::Nf4(packed) => packed.whole(queue),
        }
    }
}

impl Projection {
    /// What is computed with, and what is recorded: weight, bias, and the two matrices of the adapter.
    /// Something without a gradient stands for what is not there.
    pub(super) fn ready(self, queue: &mut Queue, beside: &Input) -> (Ready, [Input; 4]) {
        let (ready_weight, weight) = match self.weight {
            Weight::Whole { value, copy } => {
                let weight = Input::of(*value);
                let narrow = copy.map_or_else(|| narrowed(queue, &weight.data), |copy| Input::of(*copy).data);
                (ReadyWeight::Whole(Box::new(narrow)), weight)
            }
            Weight::Nf4(packed) => (ReadyWeight::Nf4(packed), beside.constant()),
        };
        let bias = self.bias.map(Input::of);
        let (adapter, inputs) = self.adapter.map(|adapter| adapter.ready(queue)).unzip();
        let ready = Ready { weight: ready_weight, bias: bias.as_ref().map(|bias| bias.data.clone()), adapter };
        let [down, up] = inputs.unwrap_or_else(|| [beside.constant(), beside.constant()]);
        (ready, [weight, bias.unwrap_or_else(|| beside.constant()), down, up])
    }
}

impl Ready {
    /// `x wᵀ + bias + residual`, and what the adapter keeps for the backward pass.
    pub(super) fn forward(&self, queue: &mut Queue, x: &CubeTensor, residual: Option<&CubeTensor>) -> (CubeTensor, Option<CubeTensor>) {
        let weight = self.weight.whole(queue);
        let ([n, i], [o, _]) = (matrix(x), matrix(&weight));
        let y = empty(x, [n, o], DType::BF16);
        let product = Product::forward(n, i, o).added(residual.is_some());
        let buffers = [x, &weight, residual.unwrap_or(&y), &y];
        queue.add(buffers, move |engine, [x, w, addend, y]| engine.multiply_and_add(product, 1.0, x, w, addend, y));
        let kept = self.adapter.as_ref().map(|adapter| adapter.forward(queue, x, &y));
        if let Some(bias) = &self.bias {
            queue.add([&y, bias], move |engine, [y, bias]| {
                let chunks = n * o / 8;
                let args = [Arg::Address(y), Arg::Address(bias), Arg::Long(chunks as i64), Arg::Int(o as i32)];
                engine.launch(Source::Layer, "add_bias", (chunks.div_ceil(256) as u32, 1, 1), 256, 0, &args)
            });
        }
        (y, kept)
    }

    /// The gradients that are wanted: of the input, added to `to` where that is given, and of weight, bias and
    /// the two matrices of the adapter.
    pub(super) fn backward(
        &self,
        queue: &mut Queue,
        x: &CubeTensor,
        dy: &CubeTensor,
        kept: Option<&CubeTensor>,
        to: Option<&CubeTensor>,
        wanted: [bool; 5],
    ) -> (Option<CubeTensor>, [Option<CubeTensor>; 4]) {
        let [want_x, want_weight, want_bias, ..] = wanted;
        let dx = want_x.then(|| {
            let weight = self.weight.whole(queue);
            of_input(queue, dy, &weight, to)
        });
        let d_weight = want_weight.then(|| of_weight(queue, dy, x));
        let d_bias = want_bias.then(|| of_bias(queue, dy));
        let [d_down, d_up] = match (&self.adapter, kept) {
            (Some(adapter), Some(kept)) => adapter.backward(queue, x, dy, kept, dx.as_ref()).map(Some),
            _ => [None, None],
        };
        (dx, [d_weight, d_bias, d_down, d_up])
    }
}

/// The bfloat16 form of a matrix.
pub(super) fn narrowed(queue: &mut Queue, value: &CubeTensor) -> CubeTensor {
    if value.dtype == DType::BF16 {
        return value.clone();
    }
    let shape = matrix(value);
    let narrow = empty(value, shape, DType::BF16);
    let count = shape[0] * shape[1];
    queue.add([value, &narrow], move |engine, [from, to]| {
        let grid = (count.div_ceil(8 * 256) as u32, 1, 1);
        engine.launch(Source::Layer, "to_bf16", grid, 256, 0, &[Arg::Address(from), Arg::Address(to), Arg::Long(count as i64)])
    });
    narrow
}

/// `dy w`: the gradient of the input; added to `to`, where it is given.
fn of_input(queue: &mut Queue, dy: &CubeTensor, weight: &CubeTensor, to: Option<&CubeTensor>) -> CubeTensor {
    let ([n, o], [_, i]) = (matrix(dy), matrix(weight));
    let dx = to.cloned().unwrap_or_else(|| empty(dy, [n, i], DType::BF16));
    let product = Product::of_input(n, i, o).added(to.is_some());
    queue.add([dy, weight, &dx], move |engine, [dy, w, dx]| engine.multiply(product, dy, w, dx));
    dx
}

/// `dyᵀ x`: the gradient of the weights, 32-bit.
fn of_weight(queue: &mut Queue, dy: &CubeTensor, x: &CubeTensor) -> CubeTensor {
    let ([n, o], [_, i]) = (matrix(dy), matrix(x));
    let dw = empty(dy, [o, i], DType::F32);
    let product = Product::of_weight(n, i, o);
    queue.add([dy, x, &dw], move |engine, [dy, x, dw]| engine.multiply(product, dy, x, dw));
    dw
}

/// The sum of the rows of `dy`, 32-bit `[1, O]`.
fn of_bias(queue: &mut Queue, dy: &CubeTensor) -> CubeTensor {
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
