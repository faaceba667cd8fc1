//! Every operation of the card against the plain one on the processor, forward and backward. Inputs
//! are bfloat16 numbers, so that only the card's own rounding differs: 2^-9 for each result.
//!
//! `make gpu-test` runs these where there is a card; elsewhere they say that they were skipped.

#![allow(clippy::print_stderr)]

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use shards::Batch;

use crate::kernels;
use crate::model::{Inputs, Precision};
use crate::rng::Rng;
use crate::{AdamW, Base, Cpt, DeviceSpec, Full, Gradients, LoraConfig, Model, ModelConfig, Target, TrainConfig};

mod few_bits;
mod sums;

/// Largest relative error: a few roundings to 8 bits.
const CLOSE: f64 = 1e-2;

fn card() -> Option<Device> {
    let card = DeviceSpec::Cuda(0).open();
    if let Err(error) = &card {
        eprintln!("skipped: {error}");
    }
    card.ok()
}

/// Random numbers that bfloat16 has.
fn random(name: &str, shape: [usize; 2]) -> TensorData {
    let values = Rng::new(1, name).normal(shape[0] * shape[1], 1.0);
    let values: Vec<f32> = values.into_iter().map(|value| f32::from_bits(value.to_bits() & 0xffff_0000)).collect();
    TensorData::new(values, shape)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let tensor = if tensor.device().is_autodiff() { tensor.inner() } else { tensor };
    tensor.cast(DType::F32).try_into_vec_as::<f32>().unwrap()
}

fn assert_close(what: &str, found: &[f32], expected: &[f32], most: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    let error = difference / norm(&mut expected.iter().map(|value| f64::from(*value))).max(1e-30);
    assert!(error <= most, "{what}: relative error {error:.2e}");
}

/// Runs `op` on both devices with the same activations and parameters, and compares the output and
/// all gradients under the same random weights of the output.
fn compare(
    what: &str,
    activations: &[TensorData],
    parameters: &[TensorData],
    op: impl Fn(&Device, Vec<Tensor<2>>, Vec<Tensor<2>>) -> Tensor<2>,
) {
    let Some(card) = card() else { return };
    let [expected, found] = [(Device::flex(), false), (card, true)].map(|(device, narrow)| {
        let make = |data: &TensorData, dtype: DType| Tensor::<2>::from_data(data.clone(), &device).cast(dtype).autodiff().require_grad();
        let dtype = if narrow { DType::BF16 } else { DType::F32 };
        let xs: Vec<_> = activations.iter().map(|data| make(data, dtype)).collect();
        let ws: Vec<_> = parameters.iter().map(|data| make(data, DType::F32)).collect();
        let y = op(&device, xs.clone(), ws.clone());
        let weights = Tensor::<2>::from_data(random("weights", y.dims()), &device).autodiff();
        let grads = (y.clone().cast(DType::F32) * weights).sum().backward();
        let gradients = xs.into_iter().chain(ws).map(|x| values(x.grad(&grads).unwrap()));
        std::iter::once(values(y)).chain(gradients).collect::<Vec<_>>()
    });
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_close(&format!("{what}, result {index}"), found, expected, CLOSE);
    }
    assert!(super::fault().is_none(), "{:?}", super::fault());
}

#[test]
fn gpu_linear() {
    let (x, w, b) = (random("x", [70, 40]), random("w", [24, 40]), random("b", [1, 24]));
    compare("linear", std::slice::from_ref(&x), std::slice::from_ref(&w), |_, x, w| kernels::linear(x[0].clone(), w[0].clone(), None));
    compare("linear with bias", &[x], &[w, b], |_, x, w| kernels::linear(x[0].clone(), w[0].clone(), Some(w[1].clone())));
}

#[test]
fn gpu_rms_norm() {
    for (rows, width) in [(1, 136), (70, 136), (1000, 136), (9, 8192), (5, 24_576)] {
        compare("norm", &[random("x", [rows, width])], &[random("w", [1, width])], |_, x, w| {
            kernels::rms_norm(x[0].clone(), w[0].clone(), 1e-6)
        });
    }
}

#[test]
fn gpu_swiglu() {
    let inputs = [random("gate", [33, 40]), random("up", [33, 40])];
    compare("swiglu", &inputs, &[], |_, x, _| kernels::swiglu(x[0].clone(), x[1].clone()));
}

#[test]
fn gpu_embedding() {
    compare("embedding", &[], &[random("table", [9, 40])], |device, _, w| {
        let ids = Tensor::<1, Int>::from_ints([3, 0, 3, 8, 3, 1], device);
        let precision = if super::on_card(&w[0]) { Precision::Bf16 } else { Precision::F32 };
        kernels::embed(w[0].clone(), ids, precision)
    });
}

#[test]
fn gpu_cross_entropy() {
    let (rows, vocab) = (50, 1003);
    // States that give logits of a trained model's size: those of some tens are coarse in bfloat16.
    let x = random("x", [rows, 64]).iter::<f32>().map(|value| value / 4.0).collect::<Vec<_>>();
    let x = TensorData::new(x, [rows, 64]);
    for z_loss in [0.0, 0.1] {
        compare(&format!("cross entropy, z-loss {z_loss}"), std::slice::from_ref(&x), &[random("w", [vocab, 64])], |device, x, w| {
            let targets: Vec<i32> = (0..rows as i32).map(|row| row * 977 % vocab as i32).collect();
            let mask: Vec<f32> = (0..rows).map(|row| f32::from(u8::from(row % 3 != 1))).collect();
            let targets = Tensor::from_data(TensorData::new(targets, [rows]), device);
            let mask = Tensor::from_data(TensorData::new(mask, [rows]), device);
            kernels::linear_cross_entropy(x[0].clone(), w[0].clone(), targets, mask, z_loss).unsqueeze_dim(0)
        });
    }
}

#[test]
fn gpu_token_log_probs() {
    let (rows, vocab) = (50, 1003);
    let x = random("x", [rows, 64]).iter::<f32>().map(|value| value / 4.0).collect::<Vec<_>>();
    let x = TensorData::new(x, [rows, 64]);
    compare("log-probabilities of tokens", std::slice::from_ref(&x), &[random("w", [vocab, 64])], |device, x, w| {
        let targets: Vec<i32> = (0..rows as i32).map(|row| row * 977 % vocab as i32).collect();
        kernels::token_log_probs(x[0].clone(), w[0].clone(), Tensor::from_data(TensorData::new(targets, [rows]), device)).unsqueeze_dim(0)
    });
}

#[test]
fn gpu_token_entropies() {
    let Some(card) = card() else { return };
    let entropies = |device: &Device, dtype: DType| -> Vec<f32> {
        let [x, w] = [("x", 50), ("w", 1003)].map(|(name, rows)| Tensor::<2>::from_data(random(name, [rows, 64]), device));
        values(kernels::token_entropies(x.div_scalar(4.0).cast(dtype).autodiff(), w.autodiff()))
    };
    let (found, expected) = (entropies(&card, DType::BF16), entropies(&Device::flex(), DType::F32));
    for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!((found - expected).abs() < 0.03, "row {row}: {found}, on the processor {expected}");
    }
}

/// Rows of documents: two of the first, one, and so on; the last row is all one.
fn batch(rows: usize, seq_len: usize, vocab: u32) -> Batch {
    let cells = rows * seq_len;
    let mut documents: Vec<u32> =
        (0..cells).map(|cell| if cell / seq_len + 1 == rows { 0 } else { (cell % seq_len) as u32 / 37 }).collect();
    documents[1] = 0;
    let mut positions = vec![0; cells];
    for cell in 1..cells {
        let same = cell % seq_len != 0 && documents[cell] == documents[cell - 1];
        positions[cell] = if same { positions[cell - 1] + 1 } else { 0 };
    }
    let ids = |factor: u32| (0..cells as u32).map(|cell| cell.wrapping_mul(factor) / 7 % vocab).collect();
    let mask = (0..cells).map(|cell| cell % 5 != 3).collect();
    Batch {
        rows,
        seq_len,
        inputs: ids(2_654_435_761),
        targets: ids(40_503),
        positions,
        documents,
        mask,
        buckets: vec![0; rows],
        answers: Vec::new(),
    }
}

fn model(head: usize, device: &Device) -> Model {
    let config = ModelConfig { hidden: 4 * head, layers: 2, heads: 4, kv_heads: 2, intermediate: 3 * head, ..ModelConfig::default() };
    config.init(device, 300, 5).unwrap()
}

/// Attention of two rows on both devices. Rows begin and end within tiles of all kinds, and documents do.
fn compare_attention(head: usize, seq_len: usize) {
    let cells = 2 * seq_len;
    let inputs = [random("q", [cells, 4 * head]), random("k", [cells, 2 * head]), random("v", [cells, 2 * head])];
    compare(&format!("attention {head} {seq_len}"), &inputs, &[], |device, x, _| {
        let model = model(head, device);
        let model = if super::on_card(&x[0]) { model.with_precision(Precision::Bf16).unwrap() } else { model };
        let inputs = Inputs::new(&model, &batch(2, seq_len, 300)).unwrap();
        // Of one position only the values matter: a term of the others keeps their gradients there.
        let rest = (x[0].clone().sum_dim(1) + x[1].clone().sum_dim(1)) * 0.5;
        kernels::attention(x[0].clone(), x[1].clone(), x[2].clone(), 4, 2, &inputs) + rest
    });
}

#[test]
fn gpu_attention() {
    for (head, seq_len) in [(64, 150), (128, 150), (64, 64), (128, 1), (64, 1), (64, 705), (128, 705)] {
        compare_attention(head, seq_len);
    }
}

/// The kernels of all cards where the card has instructions of its own for them.
#[test]
fn gpu_attention_anywhere() {
    let Some(card) = card() else { return };
    values(kernels::linear(Tensor::zeros([8, 8], (&card, DType::BF16)), Tensor::zeros([8, 8], &card), None)); // opens the card
    super::engine::without_hopper(|| {
        for (head, seq_len) in [(64, 150), (128, 150), (64, 64), (128, 1), (64, 705), (128, 705)] {
            compare_attention(head, seq_len);
        }
    });
}

/// A tile that is read before it has arrived gives other numbers now and then.
#[test]
fn gpu_attention_gives_the_same_bytes_every_time() {
    let Some(card) = card() else { return };
    for head in [64, 128] {
        let (rows, seq_len) = (3, 700);
        let model = model(head, &card).with_precision(Precision::Bf16).unwrap();
        let inputs = Inputs::new(&model, &batch(rows, seq_len, 300)).unwrap();
        let make = |name: &str, heads: usize| Tensor::<2>::from_data(random(name, [rows * seq_len, heads * head]), &card).cast(DType::BF16);
        let xs = [make("q", 4), make("k", 2), make("v", 2)].map(|x| x.autodiff().require_grad());
        let weights = make("weights", 4).autodiff();
        let run = || {
            let [q, k, v] = xs.clone();
            let y = kernels::attention(q, k, v, 4, 2, &inputs);
            let grads = (y.clone() * weights.clone()).sum().backward();
            let gradients = xs.each_ref().map(|x| values(x.grad(&grads).unwrap()));
            (values(y), gradients)
        };
        let first = run();
        for round in 0..50 {
            assert!(run() == first, "heads of {head}, round {round}");
        }
    }
    assert!(super::fault().is_none(), "{:?}", super::fault());
}

/// Shapes of Qwen2 (biases), Qwen3 (norms of heads, heads wider than the hidden size) and Llama.
fn shapes() -> [ModelConfig; 3] {
    let qwen2 = ModelConfig { hidden: 256, layers: 2, heads: 4, kv_heads: 2, intermediate: 192, ..ModelConfig::default() };
    let qwen3 = ModelConfig { hidden: 160, head_size: Some(64), qkv_bias: false, qk_norm: true, ..qwen2.clone() };
    let llama = ModelConfig { hidden: 256, heads: 2, kv_heads: 1, qkv_bias: false, tied_embeddings: false, ..qwen2.clone() };
    [qwen2, qwen3, llama]
}

#[test]
fn gpu_model_gradients_are_those_of_the_processor() {
    let Some(card) = card() else { return };
    let batch = batch(3, 150, 300);
    for config in shapes() {
        let modes =
            [(Device::flex(), Precision::F32, false), (card.clone(), Precision::Bf16, false), (card.clone(), Precision::Bf16, true)];
        let [expected, found, again] = modes.map(|(device, precision, recompute)| {
            let model = config.init(&device, 300, 5).unwrap().with_precision(precision).unwrap().with_recompute(recompute);
            let mut gradients = Gradients::new(&model);
            gradients.add(&model, Cpt::default().of(&model, &batch).unwrap().sum, batch.trainable()).unwrap();
            let mut all = vec![values(gradients.loss())];
            all.extend((0..model.parameters().len()).map(|index| values(gradients.get(index).unwrap())));
            all.push(values(gradients.clip(0.0)));
            all
        });
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_close(&format!("{config:?}, number {index}: loss, gradients, norm"), found, expected, 3e-2);
        }
        // Only the embedding's gradient is added up in no fixed order.
        for (index, (found, again)) in found.iter().zip(&again).enumerate() {
            assert_close(&format!("{config:?}, number {index}, recomputed"), again, found, 1e-5);
        }
    }
    assert!(super::fault().is_none(), "{:?}", super::fault());
}

fn lora(base: Base) -> LoraConfig {
    LoraConfig { rank: 8, alpha: Some(8.0), base: Some(base), ..LoraConfig::default() }
}

/// Adapters that change something, the same on every device.
fn adapted(config: &ModelConfig, lora: &LoraConfig, device: &Device, precision: Precision) -> Model {
    let mut model = config.init_lora(device, 300, 5, lora, precision).unwrap();
    for parameter in model.parameters_mut() {
        let noise = Rng::new(8, parameter.name()).normal(parameter.len(), 0.05);
        let values = parameter.to_vec().unwrap().iter().zip(noise).map(|(value, noise)| value + noise).collect();
        parameter.fill(values);
    }
    model.set_noise(77);
    model
}

#[test]
fn gpu_adapters_are_those_of_the_processor() {
    let Some(card) = card() else { return };
    let batch = batch(3, 150, 300);
    let [qwen2, qwen3, llama] = shapes();
    let dropout = LoraConfig { dropout: 0.25, ..lora(Base::Bf16) };
    let dora = LoraConfig { dora: true, ..lora(Base::Bf16) };
    let some = LoraConfig { targets: vec![Target::QProj, Target::OProj, Target::DownProj], full: vec![Full::LmHead], ..lora(Base::F32) };
    let whole = LoraConfig { full: vec![Full::EmbedTokens, Full::Norms], ..lora(Base::Bf16) };
    let cases = [
        (&qwen2, lora(Base::Bf16)),
        (&qwen3, lora(Base::F32)),
        (&llama, lora(Base::Nf4)),
        (&qwen2, dropout.clone()),
        (&llama, dora),
        (&llama, some),
        (&qwen3, whole),
        (&qwen2, LoraConfig { dora: true, dropout: 0.25, ..lora(Base::Nf4) }),
    ]; // fmt: skip
    for (config, lora) in cases {
        let modes =
            [(Device::flex(), Precision::F32, false), (card.clone(), Precision::Bf16, false), (card.clone(), Precision::Bf16, true)];
        let [expected, found, again] = modes.map(|(device, precision, recompute)| {
            let model = adapted(config, &lora, &device, precision).with_recompute(recompute);
            let mut gradients = Gradients::new(&model);
            gradients.add(&model, Cpt::default().of(&model, &batch).unwrap().sum, batch.trainable()).unwrap();
            let mut all = vec![values(gradients.loss())];
            all.extend((0..model.parameters().len()).map(|index| values(gradients.get(index).unwrap())));
            all
        });
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_close(&format!("{lora:?}, number {index}: loss, gradients"), found, expected, 4e-2);
        }
        for (index, (found, again)) in found.iter().zip(&again).enumerate() {
            assert_close(&format!("{lora:?}, number {index}, recomputed"), again, found, 1e-3);
        }
    }
    assert!(super::fault().is_none(), "{:?}", super::fault());
}

#[test]
fn gpu_four_bits_are_those_of_the_codec() {
    let Some(card) = card() else { return };
    let shape = [136, 200];
    let numbers = Rng::new(1, "nf4").normal(shape[0] * shape[1], 0.1);
    let found = values(super::Nf4Matrix::new(&numbers, shape, &card).tensor());
    let mut expected = vec![0.0; numbers.len()];
    crate::quant::nf4::Nf4::quantize(&numbers).dequantize(0, &mut expected);
    let expected = values(Tensor::<2>::from_data(TensorData::new(expected, shape), &card).cast(DType::BF16));
    assert_eq!(found, expected);
}

/// The loss per token of twenty steps on the same batch.
fn curve(config: &TrainConfig, device: &Device, precision: Precision) -> Vec<f32> {
    let mut model = model(64, device).with_precision(precision).unwrap().kept_as(config.weights);
    let mut optimizer = AdamW::new(config, &model, 0);
    let step = |_| {
        let batch = batch(2, 80, 300);
        let mut gradients = Gradients::new(&model);
        gradients.add(&model, Cpt::default().of(&model, &batch).unwrap().sum, batch.trainable()).unwrap();
        gradients.clip(config.clip_norm);
        optimizer.step(&mut model, &gradients, 3e-4).unwrap();
        values(gradients.loss())[0] / batch.trainable() as f32
    };
    (0..20).map(step).collect()
}

#[test]
fn gpu_training_follows_the_processor() {
    let Some(card) = card() else { return };
    let config = TrainConfig { clip_norm: 0.5, ..TrainConfig::default() };
    let curves = [(Device::flex(), Precision::F32), (card, Precision::Bf16)].map(|(device, precision)| curve(&config, &device, precision));
    let [expected, found] = &curves;
    assert!(expected[19] < 0.7 * expected[0], "{expected:?}");
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= 0.01 * b, "{found:?}\n{expected:?}");
    }
}

/// Kernels of Burn and of ours in turn on buffers that are used again at once: what one writes the
/// other reads, hundreds of times without a pause.
#[test]
fn gpu_work_is_in_order() {
    let Some(card) = card() else { return };
    let size = 512;
    let ones: Vec<f32> = (0..size * size).map(|at| f32::from(u8::from(at / size == at % size))).collect();
    let identity = Tensor::<2>::from_data(TensorData::new(ones, [size, size]), &card);
    let mut sums = Vec::new();
    for round in 0..300 {
        let x = Tensor::<2>::full([size, size], (round % 64) as f32, &card).cast(DType::BF16);
        let y = kernels::linear(x, identity.clone(), None) + 1.0; // Burn adds
        let z = kernels::linear(y, identity.clone(), None);
        drop(Tensor::<2>::full([size, size], -7.0, &card)); // takes a buffer that was just left
        sums.push(z.cast(DType::F32).narrow(1, 0, 1).narrow(0, round % size, 1));
    }
    for (round, sum) in sums.into_iter().enumerate() {
        assert_eq!(values(sum), [(round % 64) as f32 + 1.0]);
    }
    assert!(super::fault().is_none(), "{:?}", super::fault());
}
