//! What is generated, against transformers and against the model's own forward pass.

use std::path::Path;

use burn::tensor::Device;
use serde::Deserialize;
use shards::Batch;

use super::*;
use crate::load::Pretrained;
use crate::load::tests::{fixture, logits};
use crate::model::ModelConfig;
use crate::rng::Rng;

const VOCAB: usize = 40;

#[derive(Deserialize)]
struct Generation {
    models: std::collections::BTreeMap<String, Vec<Continuation>>,
}

/// What transformers makes of a prompt; see `testdata/make_generation.py`.
#[derive(Deserialize)]
struct Continuation {
    prompt: Vec<u32>,
    ids: Vec<u32>,
    log_probs: Vec<f32>,
}

fn expected() -> Generation {
    serde_json::from_slice(&std::fs::read(fixture("generation.json")).unwrap()).unwrap()
}

fn load(name: &str) -> Model {
    Pretrained::open(&fixture(name)).unwrap().model(&Device::flex()).unwrap()
}

/// Large random weights, so that nothing is almost even.
fn random() -> Model {
    let config = ModelConfig { hidden: 16, layers: 2, heads: 4, kv_heads: 2, intermediate: 24, ..ModelConfig::default() };
    let mut model = config.init(&Device::flex(), VOCAB, 1).unwrap();
    for parameter in model.parameters_mut() {
        let values = Rng::new(5, parameter.name()).normal(parameter.len(), 0.5);
        parameter.fill(values);
    }
    model
}

fn prompt(length: usize) -> Vec<u32> {
    (0..length as u32).map(|i| (i * i * 7 + i + length as u32) % VOCAB as u32).collect()
}

/// Requests of many lengths: prompts that go through the model in one piece and in several, alone and
/// with others.
fn requests(sampling: Sampling) -> Vec<Request> {
    let lengths = [1, 40, 3, 33, 32, 90, 2, 150, 17, 64, 5, 31];
    let request =
        |(id, &length): (u64, &usize)| Request { id, prompt: prompt(length), tokens: 3 + 5 * (id as u32 % 4), sampling, ends: Vec::new() };
    (0..).zip(&lengths).map(request).collect()
}

fn generate(model: &Model, config: GenerateConfig, requests: impl IntoIterator<Item = Request>) -> Vec<Completion> {
    let mut generator = Generator::new(model, config).unwrap();
    requests.into_iter().for_each(|request| generator.push(request).unwrap());
    let completions = generator.run().unwrap();
    assert_eq!(generator.cache.take(generator.cache.blocks() * crate::model::BLOCK).map(|slots| slots.is_empty()), Some(false));
    completions
}

#[test]
fn greedy_continuations_are_those_of_transformers() {
    for (name, continuations) in expected().models {
        let model = load(&name);
        let request = |(id, c): (u64, &Continuation)| Request {
            id,
            prompt: c.prompt.clone(),
            tokens: c.ids.len() as u32,
            sampling: Sampling::greedy(),
            ends: Vec::new(),
        };
        // The prompt of 38 tokens in one piece, and in pieces.
        for prefill in [512, 5] {
            let config = GenerateConfig { prefill, ..GenerateConfig::default() };
            let found = generate(&model, config, (0..).zip(&continuations).map(request));
            assert_eq!(found.len(), continuations.len());
            for (found, expected) in found.iter().zip(&continuations) {
                assert_eq!(found.ids, expected.ids, "{name}");
                assert_eq!(found.finish, FinishReason::Length);
                for (a, b) in found.log_probs.iter().zip(&expected.log_probs) {
                    assert!((a - b).abs() < 1e-4, "{name}: {a} {b}");
                }
            }
        }
        let pairs: Vec<(&[u32], &[u32])> = continuations.iter().map(|c| (&c.prompt[..], &c.ids[..])).collect();
        for (score, c) in score(&model, &pairs, |_| ()).unwrap().iter().zip(&continuations) {
            let expected: f64 = c.log_probs.iter().map(|&p| f64::from(p)).sum();
            assert!(score.greedy && (score.log_likelihood - expected).abs() < 1e-3, "{name}: {score:?} {expected}");
        }
    }
}

/// What a card does: keys and values copied from the cache, attention in the plain form.
#[test]
fn the_plain_form_gives_the_same() {
    let model = random();
    let with = |paged: bool| {
        let mut generator = Generator::new(&model, GenerateConfig { prefill: 24, ..GenerateConfig::default() }).unwrap();
        assert!(generator.paged);
        generator.paged = paged;
        requests(Sampling::default()).into_iter().for_each(|request| generator.push(request).unwrap());
        generator.run().unwrap()
    };
    for (a, b) in with(true).iter().zip(with(false)) {
        assert_eq!(a.ids, b.ids);
        assert!(a.log_probs.iter().zip(&b.log_probs).all(|(a, b)| (a - b).abs() < 1e-4), "{a:?} {b:?}");
    }
}

#[test]
fn a_sequence_does_not_depend_on_its_company() {
    let model = random();
    let sampling = Sampling { temperature: 1.1, repetition_penalty: 1.1, ..Sampling::default() };
    let config = GenerateConfig { prefill: 64, ..GenerateConfig::default() };
    let together = generate(&model, config.clone(), requests(sampling));
    assert!(together.iter().all(|completion| completion.finish == FinishReason::Length));
    let bits = |completion: &Completion| completion.log_probs.iter().map(|p| p.to_bits()).collect::<Vec<_>>();
    // In another order, few at a time, and with little room.
    let mut backwards = requests(sampling);
    backwards.reverse();
    let crowded =
        GenerateConfig { batch: 3, cache_bytes: Some(12 * KvCache::block_bytes(model.config(), model.precision())), ..config.clone() };
    for other in [
        generate(&model, config.clone(), backwards),
        generate(&model, crowded, requests(sampling)),
        requests(sampling).into_iter().flat_map(|request| generate(&model, config.clone(), [request])).collect(),
    ] {
        for (a, b) in together.iter().zip(&other) {
            assert_eq!((&a.ids, bits(a)), (&b.ids, bits(b)));
        }
    }
    // On another number of threads too.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| generate(&model, config.clone(), requests(sampling))), together);
    // Another seed or another id is another draw.
    let other = generate(&model, GenerateConfig { seed: 1, ..config.clone() }, requests(sampling));
    assert!(together.iter().zip(&other).any(|(a, b)| a.ids != b.ids));
    let mut same = requests(sampling);
    same.iter_mut().for_each(|request| (request.prompt, request.tokens) = (prompt(9), 12));
    let same = generate(&model, config, same);
    assert!(same.windows(2).all(|pair| pair[0].ids != pair[1].ids));
}

/// Log-probabilities against a forward pass over the finished sequence, as training makes it.
#[test]
fn log_probabilities_are_those_of_the_forward_pass() {
    let model = random();
    let requests = requests(Sampling { temperature: 1.4, top_k: 9, ..Sampling::default() });
    for (completion, request) in generate(&model, GenerateConfig::default(), requests.clone()).iter().zip(requests) {
        let ids = [&request.prompt[..], &completion.ids].concat();
        let length = ids.len();
        let batch = Batch {
            rows: 1,
            seq_len: length,
            inputs: ids.clone(),
            targets: ids.clone(),
            positions: (0..length as u32).collect(),
            documents: vec![0; length],
            mask: vec![false; length],
            buckets: vec![0],
            answers: Vec::new(),
        };
        let logits = logits(&model, &batch);
        for (at, (id, log_prob)) in (request.prompt.len()..).zip(completion.ids.iter().zip(&completion.log_probs)) {
            let row = &logits[(at - 1) * VOCAB..at * VOCAB];
            let expected = f64::from(row[*id as usize]) - row.iter().map(|&l| f64::from(l).exp()).sum::<f64>().ln();
            assert!((f64::from(*log_prob) - expected).abs() < 1e-4, "{log_prob} {expected}");
        }
    }
}

#[test]
fn end_ids_and_the_caller_end_a_sequence() {
    let model = random();
    let whole = generate(&model, GenerateConfig::default(), [Request { prompt: prompt(4), tokens: 12, ..Request::default() }]);
    let ids = whole[0].ids.clone();
    let end = ids[7];
    let first = ids.iter().position(|&id| id == end).unwrap();
    let request = Request { prompt: prompt(4), tokens: 12, ends: vec![end, 1000], ..Request::default() };
    let ended = generate(&model, GenerateConfig::default(), [request.clone()]);
    assert_eq!((&ended[0].ids[..], ended[0].finish), (&ids[..=first], FinishReason::End));

    let mut generator = Generator::new(&model, GenerateConfig::default()).unwrap();
    generator.push(Request { ends: Vec::new(), ..request.clone() }).unwrap();
    assert!(generator.stop(0).is_none(), "it has not begun");
    let (tokens, completions) = generator.step().unwrap();
    assert_eq!((tokens.len(), tokens[0].id, completions.len()), (1, ids[0], 0));
    generator.step().unwrap();
    let stopped = generator.stop(0).unwrap();
    assert_eq!((&stopped.ids[..], stopped.finish, generator.pending()), (&ids[..2], FinishReason::Stop, 0));
    assert_eq!(generator.step().unwrap(), (Vec::new(), Vec::new()));
    // Its id is free again.
    generator.push(request).unwrap();
}

#[test]
fn the_context_and_the_known_ids_are_kept() {
    let model = random();
    let config = GenerateConfig { context: 20, ids: Some(3), ..GenerateConfig::default() };
    let found = generate(&model, config, [Request { prompt: prompt(9), tokens: 50, ..Request::default() }]);
    assert_eq!((found[0].ids.len(), found[0].finish), (11, FinishReason::Length));
    assert!(found[0].ids.iter().all(|&id| id < 3));
}

#[test]
fn what_does_not_fit_is_refused() {
    let model = random();
    let good = Request { id: 7, prompt: prompt(4), tokens: 3, ..Request::default() };
    let mut generator = Generator::new(&model, GenerateConfig { context: 30, ..GenerateConfig::default() }).unwrap();
    generator.push(good.clone()).unwrap();
    let mut refused = |request: Request| generator.push(request).unwrap_err().to_string();
    assert_eq!(refused(good.clone()), "request 7: another request has this id");
    let good = Request { id: 8, ..good };
    assert!(refused(Request { prompt: Vec::new(), ..good.clone() }).contains("without tokens"));
    assert!(refused(Request { prompt: vec![40], ..good.clone() }).contains("token 40, but the model knows 40 ids"));
    assert!(refused(Request { prompt: prompt(30), ..good.clone() }).contains("a prompt of 30 tokens; with 30"));
    assert!(refused(Request { tokens: 0, ..good.clone() }).contains("no tokens"));
    let sampling = |sampling| Request { sampling, ..good.clone() };
    assert!(refused(sampling(Sampling { top_p: 0.0, ..Sampling::default() })).contains("`top-p` is 0"));
    assert!(refused(sampling(Sampling { temperature: f64::NAN, ..Sampling::default() })).contains("`temperature` is NaN"));
    assert!(refused(sampling(Sampling { min_p: 1.1, ..Sampling::default() })).contains("`min-p` is 1.1"));
    assert!(refused(sampling(Sampling { repetition_penalty: 0.0, ..Sampling::default() })).contains("`repetition-penalty` is 0"));
    assert_eq!(generator.run().unwrap().len(), 1);

    let config = |config| Generator::new(&model, config).unwrap_err().to_string();
    assert!(config(GenerateConfig { batch: 0, ..Default::default() }).contains("`batch` is 0"));
    assert!(config(GenerateConfig { context: 1, ..Default::default() }).contains("`context` is 1"));
    assert!(config(GenerateConfig { cache_bytes: Some(100), ..Default::default() }).contains("`cache-bytes` is 100"));
    // Room for one block: the longest sequence has its 16 tokens.
    let block = KvCache::block_bytes(model.config(), model.precision());
    let mut small = Generator::new(&model, GenerateConfig { cache_bytes: Some(block), ..Default::default() }).unwrap();
    assert_eq!(small.longest(), 16);
    for id in 0..3 {
        small.push(Request { id, prompt: prompt(4), tokens: 30, ..Request::default() }).unwrap();
    }
    assert!(small.run().unwrap().iter().all(|completion| completion.ids.len() == 12));
}

#[test]
fn a_model_that_is_broken_is_an_error() {
    let mut model = random();
    let norm = model.parameters_mut().into_iter().find(|p| p.name() == "model.norm.weight").unwrap();
    norm.fill(vec![f32::NAN; 16]);
    let mut generator = Generator::new(&model, GenerateConfig::default()).unwrap();
    generator.push(Request { prompt: prompt(4), tokens: 3, ..Request::default() }).unwrap();
    assert!(generator.run().unwrap_err().to_string().contains("not finite numbers"));
}

/// Rows of many lengths and shared beginnings, against one at a time; and what is refused.
#[test]
fn scores_do_not_depend_on_the_batch() {
    let model = random();
    let (contexts, answers) = ([prompt(3), prompt(60), prompt(11)], [vec![1], vec![2], vec![1, 2], vec![30, 4, 5]]);
    let pairs: Vec<(&[u32], &[u32])> = contexts.iter().flat_map(|c| answers.iter().map(move |a| (&c[..], &a[..]))).collect();
    let mut heard = Vec::new();
    let together = score(&model, &pairs, |count| heard.push(count)).unwrap();
    assert_eq!(heard.last(), Some(&12));
    for (pair, score) in pairs.iter().zip(&together) {
        let alone = super::score(&model, &[*pair], |_| ()).unwrap()[0];
        assert!((alone.log_likelihood - score.log_likelihood).abs() < 1e-4 && alone.greedy == score.greedy, "{alone:?} {score:?}");
    }
    // The chance of all answers of one token is 1.
    let all: Vec<[u32; 1]> = (0..VOCAB as u32).map(|id| [id]).collect();
    let pairs: Vec<(&[u32], &[u32])> = all.iter().map(|id| (&contexts[0][..], &id[..])).collect();
    let scores = score(&model, &pairs, |_| ()).unwrap();
    assert!((scores.iter().map(|score| score.log_likelihood.exp()).sum::<f64>() - 1.0).abs() < 1e-5);
    assert_eq!(scores.iter().filter(|score| score.greedy).count(), 1);
    let refused = |pair: (&[u32], &[u32])| score(&model, &[pair], |_| ()).unwrap_err().to_string();
    assert!(refused((&[], &[1])).contains("without tokens") && refused((&[1], &[])).contains("without tokens"));
    assert!(refused((&[1], &[40])).contains("token 40") && refused((&[40], &[1])).contains("token 40"));
}

#[test]
fn the_fixture_is_of_the_models_that_are_there() {
    assert_eq!(expected().models.keys().filter(|name| Path::new(&fixture(name)).is_dir()).count(), 5);
}

/// On a card, in 32-bit floats and in bfloat16, over prompts of one piece and of several. One id alone can be
/// drawn, so that all see the same tokens.
#[cfg(feature = "cuda")]
#[test]
#[allow(clippy::print_stderr, reason = "a skipped test says so")]
fn gpu_log_probabilities_are_near_those_of_the_cpu() {
    use crate::device::DeviceSpec;
    use crate::model::Precision;

    let card = match DeviceSpec::Cuda(0).open() {
        Ok(card) => card,
        Err(error) => return eprintln!("skipped: {error}"),
    };
    let config = ModelConfig { hidden: 128, layers: 2, heads: 2, kv_heads: 1, intermediate: 256, ..ModelConfig::default() };
    let log_probs = |device: &Device, precision| -> Vec<f32> {
        let mut model = config.init(device, VOCAB, 1).unwrap();
        for parameter in model.parameters_mut() {
            let values = Rng::new(5, parameter.name()).normal(parameter.len(), 0.1);
            parameter.fill(values);
        }
        let model = model.with_precision(precision).unwrap();
        let config = GenerateConfig { prefill: 64, ids: Some(1), ..GenerateConfig::default() };
        generate(&model, config, requests(Sampling::default())).into_iter().flat_map(|completion| completion.log_probs).collect()
    };
    let expected = log_probs(&Device::flex(), Precision::F32);
    for (precision, most) in [(Precision::F32, 1e-2), (Precision::Bf16, 0.15)] {
        let found = log_probs(&card, precision);
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() < most, "{precision}: {a} {b}");
        }
    }
}
