//! [`crate::kernels::recomputed`] on a card, for activations that are not bfloat16: halves of layers do it themselves.

use burn::tensor::Tensor;

use super::tape::{Input, record, tensor};
use crate::kernels::recompute::{MOST, Work, gradients};

/// Of tensors that [`super::on_card`] is true for.
pub(crate) fn recomputed(x: &Tensor<2>, parameters: &[Tensor<2>], work: Work) -> Tensor<2> {
    let all: Vec<Input> = std::iter::once(x).chain(parameters).cloned().map(Input::of).collect();
    let inner: Vec<Tensor<2>> = all.iter().map(|input| tensor(input.data.clone())).collect();
    let y = Input::of(work(inner[0].clone(), &inner[1..])).data;
    let none = all[0].constant();
    let mut all = all.into_iter();
    let inputs: [Input; MOST] = std::array::from_fn(|_| all.next().unwrap_or_else(|| none.constant()));
    record(inputs, y, move |dy, wanted| {
        let mut found = gradients(&inner, &wanted[..inner.len()], tensor(dy), &work).into_iter();
        std::array::from_fn(|_| found.next().flatten().map(|gradient| Input::of(gradient).data))
    })
}
