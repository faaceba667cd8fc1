//! The gradient norm and AdamW, each parameter in one pass.

use burn::tensor::{DType, Tensor};
use burn_cubecl::tensor::CubeTensor;

use super::engine::{Arg, Queue};
use super::source::Source;
use super::tape::{Input, empty, tensor};
use crate::optimizer::Rates;

/// Blocks that one tensor's squares are added up in: enough to fill a card with a large one.
const PARTS: usize = 512;

fn parts_of(count: usize) -> usize {
    count.div_ceil(1 << 14).clamp(1, PARTS)
}

/// The norm of all gradients together and what they are to be multiplied by so that it is at most
/// `longest` (0: no limit): `[2]`.
pub(crate) fn clip(gradients: &[Tensor<2>], longest: f64) -> Option<Tensor<1>> {
    let gradients: Vec<CubeTensor> = gradients.iter().map(|gradient| Input::of(gradient.clone()).data).collect();
    let first = gradients.first()?;
    let counts: Vec<usize> = gradients.iter().map(|gradient| gradient.meta.shape().num_elements()).collect();
    let all = counts.iter().map(|&count| parts_of(count)).sum::<usize>();
    let (parts, norm) = (empty(first, [all], DType::F32), empty(first, [2], DType::F32));
    let mut buffers = vec![parts, norm.clone()];
    buffers.extend(gradients);
    let mut queue = Queue::default();
    queue.add_all(buffers, move |engine, at| {
        let mut part = at[0];
        for (index, &count) in counts.iter().enumerate() {
            let args = [Arg::Address(at[2 + index]), Arg::Address(part), Arg::Long(count as i64)];
            engine.launch(Source::Optimizer, "sum_squares", (parts_of(count) as u32, 1, 1), 512, 0, &args)?;
            part += (parts_of(count) * size_of::<f32>()) as u64;
        }
        let args = [Arg::Address(at[0]), Arg::Address(at[1]), Arg::Int(all as i32), Arg::Float(longest as f32)];
        engine.launch(Source::Optimizer, "norm_of_parts", (1, 1, 1), 1024, 0, &args)
    });
    queue.submit();
    Some(tensor(norm))
}

/// One parameter with its moments and its gradient; all 32-bit and of one shape. Values and moments
/// are changed in place.
pub(crate) struct Slot {
    pub(crate) value: Tensor<2>,
    pub(crate) mean: Tensor<2>,
    pub(crate) square: Tensor<2>,
    pub(crate) gradient: Tensor<2>,
    pub(crate) rates: Rates,
}

/// Moves all parameters by one step. `norm` is what [`clip`] gave. Gives the tensors that were
/// changed, value, mean and square of each slot.
pub(crate) fn adamw(slots: Vec<Slot>, norm: &Tensor<1>) -> Vec<[Tensor<2>; 3]> {
    let norm = Input::of(norm.clone()).data;
    let mut rates = Vec::with_capacity(slots.len());
    let mut data = Vec::with_capacity(slots.len() * 4);
    for slot in slots {
        rates.push((slot.rates, slot.value.shape().num_elements()));
        data.extend([slot.value, slot.mean, slot.square, slot.gradient].map(|x| Input::of(x).data));
    }
    let buffers = [&[norm], &data[..]].concat();
    let mut queue = Queue::default();
    queue.add_all(buffers, move |engine, at| {
        for (index, (rates, count)) in rates.iter().enumerate() {
            let mut args: Vec<Arg> = at[1 + index * 4..5 + index * 4].iter().copied().map(Arg::Address).collect();
            args.extend([Arg::Address(at[0]), Arg::Long(*count as i64)]);
            let Rates { beta1, beta2, epsilon, rate, root, kept } = *rates;
            args.extend([beta1, beta2, 1.0 - beta1, 1.0 - beta2, epsilon, rate, root, kept].map(|rate| Arg::Float(rate as f32)));
            engine.launch(Source::Optimizer, "adamw", (count.div_ceil(4 * 256) as u32, 1, 1), 256, 0, &args)?;
        }
        Ok(())
    });
    queue.submit();
    data.chunks_exact(4).map(|slot| [0, 1, 2].map(|index| tensor(slot[index].clone()))).collect()
}
