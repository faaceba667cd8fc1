//! What decoding on the CPU computes, against the plain operations.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use super::*;
use crate::kernels::attention::attend as plain;
use crate::model::inputs::NEVER;
use crate::rng::Rng;

fn random(name: &str, shape: [usize; 2]) -> Tensor<2> {
    let values = Rng::new(3, name).normal(shape[0] * shape[1], 1.0);
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn values(x: Tensor<2>) -> Vec<f32> {
    x.try_into_vec_as::<f32>().unwrap()
}

#[test]
fn products_are_those_of_the_backend() {
    for (n, i, o) in [(1, 5, 3), (1, 64, 200), (3, 100, 70), (4, 33, 129), (7, 16, 1), (32, 320, 65)] {
        let (x, weight, bias) = (random("x", [n, i]), random("weight", [o, i]), random("bias", [1, o]));
        let found = values(linear(&x, &weight, Some(&bias)).unwrap());
        let expected = values(x.clone().matmul(weight.clone().transpose()) + bias.clone());
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-4, "{n} {i} {o}: {a} {b}");
        }
        // Each row has the same bits alone.
        for row in 0..n {
            let alone = values(linear(&x.clone().narrow(0, row, 1), &weight, Some(&bias)).unwrap());
            assert_eq!(alone, found[row * o..][..o]);
        }
    }
}

#[test]
fn recorded_tensors_are_left_to_the_backend() {
    let x = random("x", [2, 8]);
    assert!(takes(&x));
    assert!(!takes(&x.clone().autodiff()));
    assert!(!takes(&x.clone().transpose()));
    assert!(linear(&x.clone().autodiff(), &x.autodiff(), None).is_none());
}

/// Two sequences of 3 and 5 positions, scattered over a pool; the second has two new tokens.
#[test]
fn attention_is_that_of_the_plain_form() {
    let (heads, kv_heads, d) = (6, 2, 20);
    let [keys, values_pw] = ["keys", "values"].map(|name| random(name, [12, kv_heads * d]));
    let q = random("q", [3, heads * d]);
    let (one, two): (Slots, Slots) = (Arc::from([7, 2, 9]), Arc::from([0, 11, 4, 5, 1]));
    let rows = [(one.clone(), 3), (two.clone(), 4), (two.clone(), 5)];
    let found = values(attention(&q, &keys, &values_pw, heads, kv_heads, &rows));
    for (at, (slots, reach)) in rows.iter().enumerate() {
        let s = slots.len();
        let index = crate::model::inputs::integers(slots, [s], &Device::flex());
        let pool = |pool: &Tensor<2>| pool.clone().select(0, index.clone()).reshape([1, s, kv_heads, d]);
        let mask: Vec<f32> = (0..s).map(|key| if key < *reach { 0.0 } else { NEVER }).collect();
        let mask = Tensor::from_data(TensorData::new(mask, [1, 1, s]), &Device::flex());
        let q = q.clone().narrow(0, at, 1).reshape([1, 1, heads, d]);
        let expected = values(plain(q, pool(&keys), pool(&values_pw), mask));
        for (a, b) in found[at * heads * d..].iter().zip(&expected) {
            assert!((a - b).abs() < 1e-5, "{at}: {a} {b}");
        }
    }
}
