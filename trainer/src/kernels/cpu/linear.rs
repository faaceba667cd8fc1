//! Projections.

use burn::tensor::Tensor;

use super::matmul::{Matrix, multiply};
use super::tape::{Array, Input, array, record, values};

/// `x wᵀ + bias` as [`crate::kernels::linear`]; none where a tensor is not one for it.
pub(in crate::kernels) fn linear(x_ni: &Tensor<2>, weight_oi: &Tensor<2>, bias_1o: Option<&Tensor<2>>) -> Option<Tensor<2>> {
    let ([n, i], [o, _]) = (x_ni.dims(), weight_oi.dims());
    let (x, weight) = (Input::of(x_ni)?, Input::of(weight_oi)?);
    let bias = bias_1o.map(|bias| Input::of(bias).ok_or(())).transpose().ok()?;
    let mut y = bias.as_ref().map_or_else(|| vec![0.0; n * o], |bias| bias.values().repeat(n));
    let weight_io = Matrix::new(weight.values(), [o, i]).transposed();
    multiply(Matrix::new(x.values(), [n, i]), weight_io, &mut y, bias.is_some());
    let (y, x_data, w_data) = (array(y, [n, o]), x.data.clone(), weight.data.clone());
    let Some(bias) = bias else {
        return Some(record([x, weight], y, move |dy, wanted| backward([&x_data, &w_data], &dy, [n, i, o], wanted)));
    };
    Some(record([x, weight, bias], y, move |dy, [to_x, to_w, to_bias]| {
        let [dx, dw] = backward([&x_data, &w_data], &dy, [n, i, o], [to_x, to_w]);
        [dx, dw, to_bias.then(|| column_sums(&dy, o))]
    }))
}

/// dx = dy W, dW = dyᵀ x.
fn backward([x, weight]: [&Array; 2], dy: &Array, [n, i, o]: [usize; 3], [to_x, to_w]: [bool; 2]) -> [Option<Array>; 2] {
    let dy = Matrix::new(values(dy), [n, o]);
    let dx = to_x.then(|| product(dy, Matrix::new(values(weight), [o, i]), [n, i]));
    [dx, to_w.then(|| product(dy.transposed(), Matrix::new(values(x), [n, i]), [o, i]))]
}

fn product(a: Matrix, b: Matrix, shape: [usize; 2]) -> Array {
    let mut c = vec![0.0; shape[0] * shape[1]];
    multiply(a, b, &mut c, false);
    array(c, shape)
}

/// Row after row.
fn column_sums(dy: &Array, width: usize) -> Array {
    let mut sums = vec![0.0; width];
    for dy in values(dy).chunks_exact(width.max(1)) {
        sums.iter_mut().zip(dy).for_each(|(sum, dy)| *sum += dy);
    }
    array(sums, [1, width])
}
