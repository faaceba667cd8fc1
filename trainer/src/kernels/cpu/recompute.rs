//! [`crate::kernels::recomputed`] on the processor.

use burn::tensor::Tensor;

use super::decode;
use super::tape::{Input, plain, record, tensor};
use crate::kernels::recompute::{MOST, Work, gradients};

/// None where a tensor is not one for it, and where rows are so few that [`decode`] multiplies them outside of a graph: there is
/// little to be saved, and the last bits would be others.
pub(in crate::kernels) fn recomputed(x: &Tensor<2>, parameters: &[Tensor<2>], work: Work) -> Option<Tensor<2>> {
    if x.dims()[0] <= decode::FEW {
        return None;
    }
    let all: Vec<Input> = std::iter::once(x).chain(parameters).map(Input::of).collect::<Option<_>>()?;
    let inner: Vec<Tensor<2>> = all.iter().map(|input| tensor(input.data.clone())).collect();
    let y = plain(work(inner[0].clone(), &inner[1..]))?;
    let none = all[0].constant();
    let mut all = all.into_iter();
    let inputs: [Input; MOST] = std::array::from_fn(|_| all.next().unwrap_or_else(|| none.constant()));
    Some(record(inputs, y, move |dy, wanted| {
        let mut found = gradients(&inner, &wanted[..inner.len()], tensor(dy), &work).into_iter();
        std::array::from_fn(|_| found.next().flatten().and_then(plain))
    }))
}
