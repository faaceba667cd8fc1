//! The output matrix and cross entropy, without the logits of a whole batch.

use std::sync::Mutex;

use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::tensor::CubeTensor;

use super::engine::{Arg, Queue};
use super::gemm::Product;
use super::linear::narrowed;
use super::source::Source;
use super::tape::{Input, empty, integers, matrix, record, tensor};

/// Logits in memory at a time: 2^29 numbers, a gigabyte.
const LOGITS: usize = 1 << 29;
const THREADS: u32 = 512;

/// The buffers of a piecewise pass over the rows.
struct Pass {
    losses: CubeTensor,
    /// The gradients of states and output matrix, where asked for.
    gradients: [Option<CubeTensor>; 2],
}

/// Sum over the rows that count of the cross entropy of `x wᵀ`, `[1]`: `x` bfloat16 `[N, H]`, `w`
/// 32-bit or bfloat16 `[V, H]`, H a multiple of 8. The gradients, with that of `z_loss` × ln²Z in them, are computed
/// at once, piece by piece, and multiplied by the loss's own gradient later.
pub(crate) fn linear_cross_entropy(x: Tensor<2>, w: Tensor<2>, targets: Tensor<1, Int>, mask: Tensor<1>, z_loss: f64) -> Tensor<1> {
    let inputs = [x, w].map(Input::of);
    let [x, w] = inputs.each_ref().map(|input| input.data.clone());
    let wanted = inputs.each_ref().map(Input::is_recorded);
    let mut queue = Queue::default();
    let Pass { losses, gradients } = pass(&mut queue, [&x, &w], &integers(targets), &Input::of(mask).data, wanted, z_loss);
    let count = matrix(&x)[0];
    let sum = empty(&x, [1], DType::F32);
    queue.add([&losses, &sum], move |engine, at| {
        let [losses, sum] = at.map(Arg::Address);
        engine.launch(Source::Loss, "sum_all", (1, 1, 1), 1024, 0, &[losses, sum, Arg::Int(count as i32)])
    });
    queue.submit();
    let gradients = Mutex::new(gradients);
    record(inputs, sum, move |factor, _| {
        // Scaled in place: a graph is gone through once.
        let found = std::mem::take(&mut *gradients.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        let mut queue = Queue::default();
        if let Some(dx) = &found[0] {
            let chunks = matrix(dx).iter().product::<usize>() / 8;
            queue.add([dx, &factor], move |engine, at| {
                let [dx, factor] = at.map(Arg::Address);
                let grid = (chunks.div_ceil(256) as u32, 1, 1);
                engine.launch(Source::Loss, "scale_bf16", grid, 256, 0, &[dx, factor, Arg::Long(chunks as i64)])
            });
        }
        if let Some(dw) = &found[1] {
            let numbers = matrix(dw).iter().product::<usize>();
            queue.add([dw, &factor], move |engine, at| {
                let [dw, factor] = at.map(Arg::Address);
                let grid = (numbers.div_ceil(256) as u32, 1, 1);
                engine.launch(Source::Loss, "scale_f32", grid, 256, 0, &[dw, factor, Arg::Long(numbers as i64)])
            });
        }
        queue.submit();
        found
    })
}

/// The logarithm of the target's probability in every row, `[N]`, of `x` in bfloat16 or 32 bits. The gradients are
/// computed in the backward pass, where what multiplies each row is known.
pub(crate) fn token_log_probs(x: Tensor<2>, w: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let [plain_x, plain_w] = [&x, &w].map(|tensor| tensor.clone().inner());
    let losses: Tensor<1> = crate::kernels::token_losses(plain_x.clone(), plain_w.clone(), targets.clone());
    let output = Input::of(losses.neg()).data;
    let inputs = [x, w].map(Input::of);
    record(inputs, output, move |weights, wanted| {
        let weights = tensor::<1>(weights);
        if plain_x.dtype() != DType::BF16 {
            let found = crate::kernels::token_log_prob_gradients([&plain_x, &plain_w], &targets, weights, wanted);
            return found.map(|gradient| gradient.map(|gradient| Input::of(gradient).data));
        }
        // Of a loss the gradient falls where that of a log-probability rises.
        let [x, w] = [&plain_x, &plain_w].map(|tensor| Input::of(tensor.clone()).data);
        let mut queue = Queue::default();
        let Pass { gradients, .. } = pass(&mut queue, [&x, &w], &integers(targets.clone()), &Input::of(weights.neg()).data, wanted, 0.0);
        queue.submit();
        gradients
    })
}

/// The cross entropy of every row, `[N, 1]`, outside of any graph.
pub(crate) fn token_losses(x: Tensor<2>, w: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<2> {
    let [x, w] = [x, w].map(|x| Input::of(x).data);
    let mask = Tensor::<1>::ones([matrix(&x)[0]], &tensor::<2>(x.clone()).device());
    let mut queue = Queue::default();
    let losses = pass(&mut queue, [&x, &w], &integers(targets), &Input::of(mask).data, [false; 2], 0.0).losses;
    queue.submit();
    tensor(losses)
}

/// The entropy of the distribution after every row of `x` in bfloat16, `[N]`, outside of any graph.
///
/// The cross entropy of a target is the logarithm of the divisor less the target's logit; its gradient times the row is the
/// mean logit less the target's. The difference of both is the entropy, whatever the target is.
pub(crate) fn token_entropies(x: Tensor<2>, w: Tensor<2>) -> Tensor<1> {
    let [rows, _] = x.dims();
    let plain_x = x.inner();
    let device = plain_x.device();
    let (targets, mask) = (Tensor::<1, Int>::zeros([rows], &device), Tensor::<1>::ones([rows], &device));
    let [x, w] = [plain_x.clone(), w.inner()].map(|x| Input::of(x).data);
    let mut queue = Queue::default();
    let Pass { losses, gradients } = pass(&mut queue, [&x, &w], &integers(targets), &Input::of(mask).data, [true, false], 0.0);
    queue.submit();
    let [dx, _] = gradients;
    let losses = tensor::<2>(losses);
    let apart = dx.map(|dx| (tensor::<2>(dx).cast(DType::F32) * plain_x.cast(DType::F32)).sum_dim(1));
    apart.map_or(losses.clone(), |apart| losses - apart).squeeze_dim(1)
}

/// Losses of all rows, and the gradients that are wanted.
fn pass(queue: &mut Queue, [x, w]: [&CubeTensor; 2], targets: &CubeTensor, mask: &CubeTensor, wanted: [bool; 2], z_loss: f64) -> Pass {
    let ([n, h], [v, _]) = (matrix(x), matrix(w));
    let stride = v.next_multiple_of(8);
    let step = (LOGITS / stride).clamp(1, n);
    let narrow = narrowed(queue, w);
    let logits = empty(x, [step, stride], DType::BF16);
    let losses = empty(x, [n, 1], DType::F32);
    let gradients = [wanted[0].then(|| empty(x, [n, h], DType::BF16)), wanted[1].then(|| empty(x, [v, h], DType::F32))];
    let z_loss = z_loss as f32;
    let mut buffers = vec![x.clone(), narrow, targets.clone(), mask.clone(), logits, losses.clone()];
    buffers.extend(gradients.iter().flatten().cloned());
    queue.add_all(buffers, move |engine, at| {
        for from in (0..n).step_by(step) {
            let rows = step.min(n - from);
            let (rows_of_x, word) = ((from * h * 2) as u64, (from * 4) as u64);
            let product = Product { out_stride: stride, ..Product::forward(rows, h, v) };
            engine.multiply(product, at[0] + rows_of_x, at[1], at[4])?;
            let [logits, targets, mask, losses] = [at[4], at[2] + word, at[3] + word, at[5] + word].map(Arg::Address);
            let args = [logits, targets, mask, losses, Arg::Int(v as i32), Arg::Int(stride as i32), Arg::Float(z_loss)];
            engine.launch(Source::Loss, "cross_entropy", (rows as u32, 1, 1), THREADS, 0, &args)?;
            let mut rest = at[6..].iter();
            if let (true, Some(dx)) = (wanted[0], rest.next()) {
                let product = Product { left_stride: stride, ..Product::of_input(rows, h, v) };
                engine.multiply(product, at[4], at[1], dx + rows_of_x)?;
            }
            if let (true, Some(dw)) = (wanted[1], rest.next()) {
                let product = Product { left_stride: stride, add: from > 0, ..Product::of_weight(rows, h, v) };
                engine.multiply(product, at[4], at[0] + rows_of_x, *dw)?;
            }
        }
        Ok(())
    });
    Pass { losses, gradients }
}
