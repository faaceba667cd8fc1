//! Steps on a card against the same steps without a decoder, and against the processor.
//!
//! `make gpu-test` runs these where there is a card; elsewhere they say that they were skipped.

#![allow(clippy::print_stderr)]

use std::collections::BTreeSet;

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::generate::{Completion, GenerateConfig, Generator, Request, Sampling, score};
use crate::kernels::gpu::{self, Drawn};
use crate::model::ModelConfig;
use crate::rng::Rng;
use crate::{Base, DeviceSpec, LoraConfig, Model, Precision};

const VOCAB: usize = 300;

fn card() -> Option<Device> {
    let card = DeviceSpec::Cuda(0).open();
    if let Err(error) = &card {
        eprintln!("skipped: {error}");
    }
    card.ok()
}

/// Shapes of Qwen2 (biases), Qwen3 (norms of heads, heads wider than the hidden size), Llama with an output matrix of its own,
/// and one with seven query heads to a head of keys.
fn shapes() -> [(&'static str, ModelConfig); 4] {
    let qwen2 = ModelConfig { hidden: 256, layers: 3, heads: 4, kv_heads: 2, intermediate: 192, ..ModelConfig::default() };
    let qwen3 = ModelConfig { hidden: 160, head_size: Some(64), qkv_bias: false, qk_norm: true, ..qwen2.clone() };
    let llama = ModelConfig { hidden: 256, heads: 2, kv_heads: 1, qkv_bias: false, tied_embeddings: false, ..qwen2.clone() };
    let seven = ModelConfig { hidden: 448, heads: 7, kv_heads: 1, ..qwen2.clone() };
    [("qwen2", qwen2), ("qwen3", qwen3), ("llama", llama), ("seven", seven)]
}

/// Weights that make something of the text before, the same on every device.
fn filled(mut model: Model, deviation: f64) -> Model {
    for parameter in model.parameters_mut() {
        let noise = Rng::new(8, parameter.name()).normal(parameter.len(), deviation);
        let values = parameter.to_vec().unwrap().iter().zip(noise).map(|(value, noise)| value + noise).collect();
        parameter.fill(values);
    }
    model
}

/// More sequences than a step has room for, of many lengths: alone, few and many at a time, prompts in pieces and beside others.
fn requests(sampling: Sampling) -> Vec<Request> {
    let prompt = |length: u64, id: u64| (0..length).map(|at| ((at * at * 7 + at + id * 31) % VOCAB as u64) as u32).collect();
    let lengths = [1, 40, 3, 33, 32, 90, 2, 150, 17, 64, 5, 31, 7, 7, 7, 120, 300, 8, 9, 10];
    (0..)
        .zip(lengths)
        .map(|(id, length)| Request { id, prompt: prompt(length, id), tokens: 6 + 5 * (id as u32 % 4), sampling, ends: Vec::new() })
        .collect()
}

fn run(model: &Model, batch: usize, with_decoder: bool, sampling: Sampling) -> Vec<Completion> {
    let config = GenerateConfig { batch, context: 400, prefill: 100, seed: 5, ..GenerateConfig::default() };
    let mut generator = Generator::new(model, config.clone()).unwrap();
    assert!(generator.decoder.is_some(), "a decoder takes this model");
    if !with_decoder {
        generator.decoder = None;
        generator.cache = crate::model::KvCache::new(&generator.model, config.blocks(model).unwrap());
    }
    requests(sampling).into_iter().for_each(|request| generator.push(request).unwrap());
    generator.run().unwrap()
}

/// The largest and the mean difference between log-probabilities that were said of drawn tokens and those of a model, and which
/// share of the tokens is its likeliest.
fn apart(completions: &[Completion], model: &Model) -> (f64, f64, f64) {
    let requests = requests(Sampling::greedy());
    let mut pairs = Vec::new();
    for (completion, request) in completions.iter().zip(&requests) {
        for at in 0..completion.ids.len() {
            pairs.push(([&request.prompt[..], &completion.ids[..at]].concat(), vec![completion.ids[at]]));
        }
    }
    let views: Vec<(&[u32], &[u32])> = pairs.iter().map(|(a, b)| (&a[..], &b[..])).collect();
    let scores = score(model, &views, |_| ()).unwrap();
    let said = completions.iter().flat_map(|completion| &completion.log_probs);
    let gaps: Vec<f64> = scores.iter().zip(said).map(|(score, said)| (score.log_likelihood - f64::from(*said)).abs()).collect();
    let likeliest = scores.iter().filter(|score| score.greedy).count() as f64 / scores.len() as f64;
    (gaps.iter().copied().fold(0.0, f64::max), gaps.iter().sum::<f64>() / gaps.len() as f64, likeliest)
}

fn compare(what: &str, on_card: &Model, on_cpu: &Model) {
    for batch in [1, 3, 20] {
        let greedy = run(on_card, batch, true, Sampling::greedy());
        let (most, mean, likeliest) = apart(&greedy, on_cpu);
        eprintln!(
            "{what}, {batch} at a time: log-probabilities differ by {most:.4} at most, {mean:.4} in the mean; {likeliest:.4} are the likeliest"
        );
        // Logits of some units are steps of 2^-7 or so apart.
        assert!(most < 0.15 && mean < 0.02 && likeliest > 0.95, "{what}, {batch} at a time: {most} {mean} {likeliest}");
        let drawn = run(on_card, batch, true, Sampling::default());
        assert_eq!(drawn, run(on_card, batch, true, Sampling::default()), "{what}: the same bytes every time");
        // Without a decoder most of the tokens are the same; where two were almost even, everything after differs.
        let plain = run(on_card, batch, false, Sampling::greedy());
        let same = plain.iter().zip(&greedy).filter(|(a, b)| a.ids == b.ids).count();
        assert!(same * 10 >= plain.len() * 7, "{what}, {batch} at a time: {same} of {} as without a decoder", plain.len());
    }
    let (most, mean, _) = apart(&run(on_card, 7, true, Sampling::default()), on_cpu);
    assert!(most < 0.15 && mean < 0.02, "{what}, drawn: {most} {mean}");
    assert!(gpu::fault().is_none(), "{:?}", gpu::fault());
}

#[test]
fn gpu_decoding_is_that_of_the_processor() {
    let Some(card) = card() else { return };
    for (name, config) in shapes() {
        let make = |device: &Device, precision| filled(config.init(device, VOCAB, 5).unwrap(), 0.05).with_precision(precision).unwrap();
        compare(name, &make(&card, Precision::Bf16), &make(&Device::flex(), Precision::F32));
    }
}

#[test]
fn gpu_decoding_with_adapters_is_that_of_the_processor() {
    let Some(card) = card() else { return };
    for ((name, config), base) in shapes().into_iter().zip([Base::Nf4, Base::Bf16, Base::Nf4, Base::F32]) {
        let lora = LoraConfig { rank: 8, alpha: Some(8.0), base: Some(base), ..LoraConfig::default() };
        let make = |device: &Device, precision| filled(config.init_lora(device, VOCAB, 5, &lora, precision).unwrap(), 0.05);
        compare(&format!("{name}, adapters over {base:?}"), &make(&card, Precision::Bf16), &make(&Device::flex(), Precision::F32));
    }
}

/// What has no kernels takes the other way, and a penalty for repetition the host's.
#[test]
fn gpu_decoding_of_what_a_decoder_does_not_know() {
    let Some(card) = card() else { return };
    let [(_, config), ..] = shapes();
    let lora = LoraConfig { rank: 8, dora: true, base: Some(Base::Bf16), ..LoraConfig::default() };
    let model = filled(config.init_lora(&card, VOCAB, 5, &lora, Precision::Bf16).unwrap(), 0.05);
    let mut generator = Generator::new(&model, GenerateConfig { context: 400, ..GenerateConfig::default() }).unwrap();
    assert!(generator.decoder.is_none());
    requests(Sampling::default()).into_iter().for_each(|request| generator.push(request).unwrap());
    assert_eq!(generator.run().unwrap().len(), 20);
    let model = filled(config.init(&card, VOCAB, 5).unwrap(), 0.05).with_precision(Precision::Bf16).unwrap();
    let sampling = Sampling { repetition_penalty: 1e6, ..Sampling::greedy() };
    for (completion, request) in run(&model, 7, true, sampling).iter().zip(requests(sampling)) {
        if request.prompt.len() > 100 {
            continue; // hardly an id is left that is not in it
        }
        let mut ids = completion.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), completion.ids.len(), "nothing comes twice: {:?}", completion.ids);
    }
}

/// The same draws from the same logits as on the processor, of any sampling.
#[test]
fn gpu_draws_are_those_of_the_processor() {
    let Some(card) = card() else { return };
    let sampling = |temperature, top_p, min_p, top_k| Sampling { repetition_penalty: 1.0, temperature, top_k, top_p, min_p };
    let samplings = [
        Sampling::greedy(),
        Sampling::default(),
        sampling(0.7, 0.9, 0.0, 0),
        sampling(1.0, 1.0, 0.0, 50),
        sampling(1.3, 0.8, 0.05, 7),
        sampling(1.0, 1.0, 0.1, 0),
        sampling(2.0, 0.3, 0.0, 0),
        sampling(1.0, 1e-9, 0.0, 0),
        sampling(1.0, 1.0, 1.0, 0),
        sampling(0.01, 0.9, 0.0, 0),
        sampling(1.0, 0.999, 0.0, 2000),
        sampling(5.0, 1.0, 0.0, 1),
    ];
    let rows = 5 * samplings.len();
    for (width, known) in [(40, 33), (1008, 1003), (151_936, 151_665)] {
        for deviation in [0.05, 3.0, 12.0] {
            let mut logits = Rng::new(1, &format!("{width} {deviation}")).normal(rows * width, deviation);
            logits.iter_mut().for_each(|logit| *logit = f32::from_bits(logit.to_bits() & 0xffff_0000));
            logits[..width / 2].fill(f32::NEG_INFINITY);
            logits[width + 3] = f32::NAN;
            logits[2 * width + 5] = f32::INFINITY;
            logits[3 * width..4 * width].fill(f32::NEG_INFINITY);
            logits[4 * width..5 * width].fill(1.5);
            // What is not known must not be drawn.
            logits.chunks_exact_mut(width).for_each(|row| row[known..].fill(f32::INFINITY));
            let mut rng = Rng::new(2, "draws");
            let asked: Vec<(Sampling, f64)> = (0..rows).map(|row| (samplings[row / 5], rng.uniform())).collect();
            let choices: Vec<_> = asked
                .iter()
                .map(|(sampling, uniform)| {
                    let Sampling { temperature, top_k, top_p, min_p, .. } = *sampling;
                    gpu::Choice { temperature, top_p, min_p, uniform: *uniform, top_k }
                })
                .collect();
            let tensor = Tensor::<2>::from_data(TensorData::new(logits.clone(), [rows, width]), &card).cast(DType::BF16);
            let found = gpu::draw(tensor, &choices, known).unwrap();
            for (row, (found, (sampling, uniform))) in found.into_iter().zip(asked).enumerate() {
                let own = &logits[row * width..row * width + known];
                let expected = sampling.draw(own, &BTreeSet::new(), || uniform);
                let same = own.iter().filter(|logit| logit.to_bits() == own[0].to_bits()).count();
                match (found, expected) {
                    (Drawn::Token(id, log_prob), Some((expected, expected_log_prob))) => {
                        assert_eq!(id, expected, "{known} ids, row {row}, {sampling:?}");
                        assert!((log_prob - expected_log_prob).abs() < 1e-5, "{known} ids, row {row}, {sampling:?}: {log_prob}");
                    }
                    (Drawn::NotFinite, None) => {}
                    (Drawn::Unknown, _) if same > 65_535 => {}
                    (found, expected) => panic!("{known} ids, row {row}, {sampling:?}: {found:?}, not {expected:?}"),
                }
            }
        }
    }
}
