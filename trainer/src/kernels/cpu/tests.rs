//! The processor's operations against the plain ones: values and gradients, and the same bits on any number of threads.

use burn::tensor::{Device, Tensor, TensorData};
use shards::Batch;

use super::matmul::{Matrix, multiply};
use crate::kernels::{attention, linear, loss, norm, swiglu};
use crate::model::{Inputs, Model, ModelConfig};
use crate::optimizer::Rates;
use crate::rng::Rng;

fn random(name: &str, shape: [usize; 2], deviation: f64) -> Tensor<2> {
    let values = Rng::new(1, name).normal(shape[0] * shape[1], deviation);
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.try_into_vec_as::<f32>().unwrap()
}

type Operation<'a> = &'a (dyn Fn(&[Tensor<2>]) -> Tensor<2> + Sync);

/// The output and the gradient of each input under random weights of the output.
fn measure(inputs: &[Tensor<2>], operation: Operation) -> Vec<Vec<f32>> {
    let leaves: Vec<Tensor<2>> = inputs.iter().map(|x| x.clone().autodiff().require_grad()).collect();
    let y = operation(&leaves);
    let weights = random("weights", y.dims(), 1.0);
    let mut found = (y.clone() * weights).sum().backward();
    let gradients = leaves.iter().map(|leaf| values(leaf.grad_remove(&mut found).unwrap()));
    std::iter::once(values(y.inner())).chain(gradients).collect()
}

fn close(found: &[Vec<f32>], expected: &[Vec<f32>], what: &str) {
    assert_eq!(found.len(), expected.len());
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let scale = expected.iter().fold(0f32, |most, x| most.max(x.abs())).max(0.1);
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() <= 2e-5 * scale, "{what}, {at}: {a} {b}");
        }
    }
}

/// Against the plain form, and without one bit of difference between numbers of threads.
fn check(what: &str, inputs: &[Tensor<2>], operation: Operation, plain: Operation) {
    let found = measure(inputs, operation);
    close(&found, &measure(inputs, plain), what);
    assert_eq!(values(operation(inputs)), found[0], "{what}: without a graph");
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let again = pool.install(|| measure(inputs, operation));
        let bits = |x: &[Vec<f32>]| x.iter().flatten().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&again), bits(&found), "{what}: {threads} threads");
    }
}

/// Against sums in 64 bits, where a matrix lies as it is or exchanged, in whole tiles and in parts of them.
#[test]
fn products_of_matrices() {
    for [m, k, n] in [[1, 1, 1], [3, 5, 7], [70, 300, 45], [13, 1, 33], [130, 600, 64], [5, 0, 3], [2, 1 << 15, 70]] {
        let (a, b) = (values(random("a", [m, k], 1.0)), values(random("b", [k, n], 1.0)));
        let exchanged = |x: &[f32], [rows, columns]: [usize; 2]| -> Vec<f32> {
            (0..columns).flat_map(|column| (0..rows).map(move |row| x[row * columns + column])).collect()
        };
        let (a_t, b_t) = (exchanged(&a, [m, k]), exchanged(&b, [k, n]));
        let product = |i: usize, j: usize| (0..k).map(|p| f64::from(a[i * k + p]) * f64::from(b[p * n + j])).sum::<f64>();
        let expected: Vec<f64> = (0..m * n).map(|at| product(at / n, at % n)).collect();
        let mut first: Option<Vec<f32>> = None;
        for a in [Matrix::new(&a, [m, k]), Matrix::new(&a_t, [k, m]).transposed()] {
            for b in [Matrix::new(&b, [k, n]), Matrix::new(&b_t, [n, k]).transposed()] {
                for threads in [1, 3] {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    let (mut c, mut sum) = (vec![7.0; m * n], vec![0.5; m * n]);
                    pool.install(|| multiply(a, b, &mut c, false));
                    pool.install(|| multiply(a, b, &mut sum, true));
                    for ((c, sum), expected) in c.iter().zip(&sum).zip(&expected) {
                        let error = 1e-6 * (k as f64).sqrt().max(1.0) * 4.0;
                        assert!((f64::from(*c) - expected).abs() <= error && (f64::from(*sum) - 0.5 - expected).abs() <= error);
                    }
                    assert_eq!(first.get_or_insert_with(|| c.clone()), &c, "{m} {k} {n}: {threads} threads");
                }
            }
        }
    }
}

#[test]
fn norms() {
    for (n, h) in [(1, 1), (3, 5), (200, 48), (70, 33)] {
        let inputs = [random("x", [n, h], 3.0), random("w", [1, h], 1.0)];
        let [fast, plain] = [norm::rms_norm, norm::plain].map(|norm| move |x: &[Tensor<2>]| norm(x[0].clone(), x[1].clone(), 1e-3));
        check("norm", &inputs, &fast, &plain);
    }
}

#[test]
fn gated_activations() {
    for (n, i) in [(1, 3), (130, 257)] {
        let inputs = [random("gate", [n, i], 8.0), random("up", [n, i], 2.0)];
        let [fast, plain] = [swiglu::swiglu, swiglu::plain].map(|swiglu| move |x: &[Tensor<2>]| swiglu(x[0].clone(), x[1].clone()));
        check("swiglu", &inputs, &fast, &plain);
    }
}

#[test]
fn projections() {
    for (n, i, o) in [(1, 4, 3), (40, 17, 29), (600, 64, 130)] {
        let inputs = [random("x", [n, i], 1.0), random("w", [o, i], 1.0), random("bias", [1, o], 1.0)];
        let [fast, plain] =
            [linear::linear, linear::plain].map(|linear| move |x: &[Tensor<2>]| linear(x[0].clone(), x[1].clone(), x.get(2).cloned()));
        check("linear", &inputs[..2], &fast, &plain);
        check("linear with a bias", &inputs, &fast, &plain);
    }
}

/// Rows with documents of these lengths, in a model that knows nothing else.
fn inputs(model: &Model, rows: &[&[usize]]) -> Inputs {
    let seq_len: usize = rows[0].iter().sum();
    let cells = rows.len() * seq_len;
    let of_each = |f: &dyn Fn(usize, usize) -> usize| {
        let row =
            |row: &&[usize]| row.iter().enumerate().flat_map(|(at, &length)| (0..length).map(move |place| (at, place))).collect::<Vec<_>>();
        rows.iter().flat_map(row).map(|(document, place)| f(document, place) as u32).collect::<Vec<u32>>()
    };
    let batch = Batch {
        rows: rows.len(),
        seq_len,
        inputs: vec![0; cells],
        targets: vec![0; cells],
        positions: of_each(&|_, place| place),
        documents: of_each(&|document, _| document),
        mask: vec![true; cells],
        buckets: vec![0; rows.len()],
        answers: Vec::new(),
    };
    Inputs::new(model, &batch).unwrap()
}

#[test]
fn attention_over_documents() {
    let long: Vec<usize> = vec![1, 40, 2, 57];
    let shapes: [(usize, usize, usize, &[&[usize]]); 5] = [
        (1, 1, 2, &[&[1]]),
        (6, 2, 4, &[&[3, 4], &[7, 0], &[1, 6]]),
        (4, 4, 32, &[&[100], &long]),
        (4, 1, 18, &[&[33, 67], &long, &[99, 1]]),
        (2, 1, 64, &[&[16, 16, 32, 64]]),
    ];
    for (heads, kv_heads, d, rows) in shapes {
        let config = ModelConfig { hidden: heads * d, layers: 1, heads, kv_heads, intermediate: 1, rope_theta: 50.0, ..Default::default() };
        let inputs = inputs(&config.init(&Device::flex(), 2, 1).unwrap(), rows);
        let n = rows.len() * rows[0].iter().sum::<usize>();
        let tensors = [("q", heads), ("k", kv_heads), ("v", kv_heads)].map(|(name, heads)| random(name, [n, heads * d], 1.5));
        let fast = |x: &[Tensor<2>]| attention::attention(x[0].clone(), x[1].clone(), x[2].clone(), heads, kv_heads, &inputs);
        let plain = |x: &[Tensor<2>]| attention::plain([x[0].clone(), x[1].clone(), x[2].clone()], heads, kv_heads, &inputs);
        check("attention", &tensors, &fast, &plain);
    }
}

/// The vocabulary is so large that the rows are several pieces.
#[test]
fn cross_entropy() {
    for (n, h, v, z) in [(7, 5, 11, 0.0), (7, 5, 11, 0.3), (100, 3, 5000, 1e-3)] {
        let inputs = [random("x", [n, h], 1.5), random("w", [v, h], 1.5)];
        let targets = Tensor::<1, burn::tensor::Int>::from_ints(
            TensorData::new((0..n).map(|at| (at * 7919 % v) as i32).collect::<Vec<_>>(), [n]),
            &Device::flex(),
        );
        let mask = Tensor::<1>::from_data(
            TensorData::new((0..n).map(|at| f32::from(u8::from(at % 3 != 1))).collect::<Vec<_>>(), [n]),
            &Device::flex(),
        );
        let row = |x: Tensor<1>| x.unsqueeze_dim::<2>(0);
        let fast = |x: &[Tensor<2>]| row(loss::linear_cross_entropy(x[0].clone(), x[1].clone(), targets.clone(), mask.clone(), z));
        let step = 5;
        let plain = |x: &[Tensor<2>]| row(loss::in_pieces(x[0].clone(), x[1].clone(), targets.clone(), mask.clone(), z, step));
        check("cross entropy", &inputs, &fast, &plain);
        let [x, w] = &inputs;
        let losses = values(loss::token_losses(x.clone(), w.clone(), targets.clone()));
        close(&[losses], &[values(loss::plain_losses(x.clone(), w.clone(), targets.clone()))], "losses of tokens");
    }
}

/// The gradient of states over a large vocabulary, whose rows are several pieces, against the formula in 64 bits.
#[test]
fn cross_entropy_over_a_large_vocabulary() {
    let (n, h, v) = (40, 3, 1 << 15);
    let (x, w) = (random("x", [n, h], 1.5), random("w", [v, h], 1.5));
    let targets: Vec<i32> = (0..n).map(|at| (at * 7919 % v) as i32).collect();
    let leaf = x.clone().autodiff().require_grad();
    let int = Tensor::<1, burn::tensor::Int>::from_ints(TensorData::new(targets.clone(), [n]), &Device::flex());
    let loss = loss::linear_cross_entropy(leaf.clone(), w.clone(), int, Tensor::ones([n], &Device::flex()), 0.0);
    let (sum, found) = (f64::from(loss.clone().inner().into_scalar::<f32>()), values(leaf.grad_remove(&mut loss.backward()).unwrap()));
    let wide = |x: Tensor<2>| values(x).into_iter().map(f64::from).collect::<Vec<f64>>();
    let (x, w) = (wide(x), wide(w));
    let mut expected_sum = 0.0;
    for ((x, target), found) in x.chunks(h).zip(&targets).zip(found.chunks(h)) {
        let logits: Vec<f64> = w.chunks(h).map(|w| w.iter().zip(x).map(|(w, x)| w * x).sum()).collect();
        let z: f64 = logits.iter().map(|logit| logit.exp()).sum();
        expected_sum += z.ln() - logits[*target as usize];
        for (at, found) in found.iter().enumerate() {
            let mean: f64 = w.chunks(h).zip(&logits).map(|(w, logit)| w[at] * logit.exp() / z).sum();
            let expected = mean - w[*target as usize * h + at];
            assert!((f64::from(*found) - expected).abs() < 2e-5, "{found} {expected}");
        }
    }
    assert!((sum / expected_sum - 1.0).abs() < 1e-6, "{sum} {expected_sum}");
}

/// The same formulas by Burn's tensors give the same bits.
#[test]
fn steps_of_the_optimizer() {
    let shape = [37, 1000];
    let [value, mean, gradient] = ["value", "mean", "gradient"].map(|name| random(name, shape, 1.0));
    let square = random("square", shape, 1.0).abs();
    let rates = Rates { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, rate: 3e-3, root: 1.7, kept: 0.999 };
    let shared = value.clone();
    let found = super::adamw([value.clone(), mean.clone(), square.clone()], gradient.clone(), &rates).unwrap().map(values);
    let mean = mean * 0.9 + gradient.clone() * (1.0 - 0.9);
    let square = square * 0.95 + gradient.clone() * gradient.clone() * (1.0 - 0.95);
    let moved = value * 0.999 - mean.clone() * 3e-3 / (square.clone().sqrt() * 1.7 + 1e-8);
    assert_eq!(found, [moved, mean, square].map(values));
    assert_eq!(values(shared), values(random("value", shape, 1.0)), "what shares the numbers keeps its own");

    let squares: f64 = values(gradient.clone()).iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    assert!((super::square_sum(gradient.clone()).unwrap() / squares - 1.0).abs() < 1e-6);
    assert_eq!(values(super::sum(gradient.clone(), gradient.clone()).unwrap()), values(super::scale(gradient, 2.0).unwrap()));
}
