//! Rotary positions.

use burn::tensor::Tensor;

use crate::model::Inputs;

/// Turns element pairs of every head by its position's angles (Su et al. 2021). Pairs are `i` and
/// `i + D / 2`, as in Hugging Face's Llama; so the halves of a head change places and are added with
/// the sine, whose sign for the first half is in the table.
pub(crate) fn rotate(x_btqd: Tensor<4>, inputs: &Inputs) -> Tensor<4> {
    let shape @ [b, t, q, d] = x_btqd.dims();
    let x: Tensor<5> = x_btqd.reshape([b, t, q, 2, d / 2]);
    let turned = x.clone() * inputs.cos.clone() + x.flip([3]) * inputs.sin.clone();
    turned.reshape(shape)
}
