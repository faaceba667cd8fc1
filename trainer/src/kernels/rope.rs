//! Rotary positions.

use burn::tensor::Tensor;

/// Turns element pairs of every head by its position's angles (Su et al. 2021). Pairs are `i` and
/// `i + D / 2`, as in Hugging Face's Llama; so the halves of a head change places and are added with
/// the sine, whose sign for the first half is in the table. Tables are `[B, T, 1, 2, D / 2]`.
pub(crate) fn rotate(x_btqd: Tensor<4>, cos: &Tensor<5>, sin: &Tensor<5>) -> Tensor<4> {
    let shape @ [b, t, q, d] = x_btqd.dims();
    let x: Tensor<5> = x_btqd.reshape([b, t, q, 2, d / 2]);
    let turned = x.clone() * cos.clone() + x.flip([3]) * sin.clone();
    turned.reshape(shape)
}
