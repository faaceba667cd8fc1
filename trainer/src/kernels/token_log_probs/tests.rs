//! Against automatic differentiation of the formula, and by hand.

use burn::tensor::{Device, TensorData, activation};

use super::*;
use crate::rng::Rng;

const ROWS: usize = 7;
const WIDTH: usize = 5;
const VOCAB: usize = 11;

fn random(name: &str, shape: [usize; 2], deviation: f64) -> Tensor<2> {
    let values = Rng::new(1, name).normal(shape[0] * shape[1], deviation);
    Tensor::<2>::from_data(TensorData::new(values, shape), &Device::flex())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.inner().try_into_vec_as::<f32>().unwrap()
}

fn close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a} {b}");
    }
}

fn targets() -> Tensor<1, Int> {
    let ids: Vec<i32> = (0..ROWS as i32).map(|row| row * 5 % VOCAB as i32).collect();
    Tensor::from_data(TensorData::new(ids, [ROWS]), &Device::flex())
}

fn plain(x: Tensor<2>, w: Tensor<2>) -> Tensor<1> {
    activation::log_softmax(x.matmul(w.transpose()), 1).gather(1, targets().unsqueeze_dim::<2>(1)).squeeze_dim(1)
}

/// Log-probabilities and gradients of a function of them that is not their sum.
fn measure(train: [bool; 2], log_probs: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<1>) -> Vec<Vec<f32>> {
    let graph = |tensor: Tensor<2>, train| if train { tensor.autodiff().require_grad() } else { tensor };
    let (x, w) = (graph(random("x", [ROWS, WIDTH], 1.0), train[0]), graph(random("w", [VOCAB, WIDTH], 1.0), train[1]));
    let log_probs = log_probs(x.clone(), w.clone());
    let loss = (log_probs.clone() * 0.1).exp().sum() + (log_probs.clone() * log_probs.clone()).sum() * 0.01;
    let grads = loss.backward();
    let grad = |tensor: Tensor<2>, train| if train { values(tensor.grad(&grads).unwrap()) } else { Vec::new() };
    vec![values(log_probs), grad(x, train[0]), grad(w, train[1])]
}

#[test]
fn gradients_are_those_of_the_formula() {
    for train in [[true, true], [true, false], [false, true]] {
        let found = measure(train, |x, w| token_log_probs(x, w, targets()));
        let expected = measure(train, plain);
        found.iter().zip(&expected).for_each(|(found, expected)| close(found, expected));
    }
}

#[test]
fn pieces_give_the_gradients_of_the_whole() {
    let (x, w) = (random("x", [ROWS, WIDTH], 1.0), random("w", [VOCAB, WIDTH], 1.0));
    let weights = random("weights", [1, ROWS], 1.0).squeeze_dim::<1>(0);
    let [expected_x, expected_w] = {
        let (x, w) = (x.clone().autodiff().require_grad(), w.clone().autodiff().require_grad());
        let grads = (plain(x.clone(), w.clone()) * weights.clone()).sum().backward();
        [x, w].map(|tensor| values(tensor.grad(&grads).unwrap()))
    };
    for step in [1, 3, 7, 100] {
        let [dx, dw] = in_pieces([&x, &w], &targets(), weights.clone(), [true, true], step);
        close(&values(dx.unwrap()), &expected_x);
        close(&values(dw.unwrap()), &expected_w);
    }
}

#[test]
fn without_a_graph_there_are_numbers_alone() {
    let (x, w) = (random("x", [ROWS, WIDTH], 1.0), random("w", [VOCAB, WIDTH], 1.0));
    let found = token_log_probs(x.clone(), w.clone(), targets());
    assert!(!found.device().is_autodiff());
    close(&values(found), &values(plain(x, w)));
}

#[test]
fn entropies_by_hand() {
    let device = Device::flex();
    // Even over 4 ids: ln 4. Of logits ln 3 and 0: probabilities 3/4 and 1/4.
    let even = token_entropies(Tensor::from_floats([[1.0]], &device), Tensor::from_floats([[7.0], [7.0], [7.0], [7.0]], &device));
    close(&values(even), &[4f32.ln()]);
    let two = token_entropies(Tensor::from_floats([[1.0]], &device), Tensor::from_floats([[3f32.ln()], [0.0]], &device));
    close(&values(two), &[-(0.75 * 0.75f32.ln() + 0.25 * 0.25f32.ln())]);
    let sharp = token_entropies(Tensor::from_floats([[1000.0]], &device), Tensor::from_floats([[1.0], [-1.0]], &device));
    close(&values(sharp), &[0.0]);
}
