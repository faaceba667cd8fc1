//! The model against another one: the same formulas in 64-bit floats and plain loops.

use std::collections::BTreeMap;

use burn::tensor::Device;
use shards::Batch;

use super::*;
use crate::objective::Cpt;
use crate::rng::Rng;

const VOCAB: usize = 13;

fn config(tied: bool, bias: bool) -> ModelConfig {
    ModelConfig {
        hidden: 12,
        layers: 2,
        heads: 6,
        kv_heads: 2,
        intermediate: 10,
        rope_theta: 50.0,
        norm_epsilon: 1e-3,
        tied_embeddings: tied,
        qkv_bias: bias,
        ..ModelConfig::default()
    }
}

/// Large random weights, so that attention is far from even and every part matters.
fn model(config: &ModelConfig) -> Model {
    let mut model = config.init(&Device::flex(), VOCAB, 1).unwrap();
    for parameter in model.parameters_mut() {
        let values = Rng::new(5, parameter.name()).normal(parameter.len(), 0.5);
        parameter.fill(values);
    }
    model
}

/// Two rows: documents of 3 and 4 tokens, and one that begins in the middle; some targets masked.
fn batch() -> Batch {
    let ids = |seed: u32| (0..14u32).map(|i| (i * 5 + seed + i * i) % VOCAB as u32).collect::<Vec<_>>();
    Batch {
        rows: 2,
        seq_len: 7,
        inputs: ids(1),
        targets: ids(4),
        positions: vec![0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6],
        documents: vec![0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
        mask: [true, true, false, true, true, true, true].repeat(2),
        buckets: vec![0, 0],
        answers: Vec::new(),
    }
}

type Weights = BTreeMap<String, Vec<f64>>;

fn weights(model: &Model) -> Weights {
    let to_f64 = |p: &&Parameter| (p.name().to_owned(), p.to_vec().unwrap().into_iter().map(f64::from).collect());
    model.parameters().iter().map(to_f64).collect()
}

fn linear(w: &Weights, name: &str, x: &[f64]) -> Vec<f64> {
    let matrix = &w[&format!("{name}.weight")];
    let mut y: Vec<f64> = matrix.chunks(x.len()).map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum()).collect();
    if let Some(bias) = w.get(&format!("{name}.bias")) {
        y.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
    }
    y
}

fn norm(w: &Weights, name: &str, x: &[f64], epsilon: f64) -> Vec<f64> {
    let root = (x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64 + epsilon).sqrt();
    x.iter().zip(&w[&format!("{name}.weight")]).map(|(x, w)| x / root * w).collect()
}

/// Complex multiplication of the pairs (i, i + d / 2) of every head.
fn turn(x: &mut [f64], head_size: usize, position: u32, theta: f64) {
    for head in x.chunks_mut(head_size) {
        for i in 0..head_size / 2 {
            let angle = f64::from(position) / theta.powf(i as f64 / (head_size / 2) as f64);
            let (re, im) = (head[i], head[i + head_size / 2]);
            head[i] = re * angle.cos() - im * angle.sin();
            head[i + head_size / 2] = im * angle.cos() + re * angle.sin();
        }
    }
}

fn reference_loss(c: &ModelConfig, w: &Weights, batch: &Batch) -> f64 {
    let d = c.head_size();
    let cells = batch.rows * batch.seq_len;
    let embedding: Vec<&[f64]> = w["model.embed_tokens.weight"].chunks(c.hidden).collect();
    let mut x: Vec<Vec<f64>> = batch.inputs.iter().map(|&id| embedding[id as usize].to_vec()).collect();
    for layer in 0..c.layers {
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        let y: Vec<_> = x.iter().map(|x| norm(w, &name("input_layernorm"), x, c.norm_epsilon)).collect();
        let project = |part: &str| y.iter().map(|y| linear(w, &name(part), y)).collect::<Vec<_>>();
        let (mut q, mut k, v) = (project("self_attn.q_proj"), project("self_attn.k_proj"), project("self_attn.v_proj"));
        for cell in 0..cells {
            turn(&mut q[cell], d, batch.positions[cell], c.rope_theta);
            turn(&mut k[cell], d, batch.positions[cell], c.rope_theta);
        }
        for cell in 0..cells {
            let first = cell / batch.seq_len * batch.seq_len;
            let seen: Vec<usize> = (first..=cell).filter(|&other| batch.documents[other] == batch.documents[cell]).collect();
            let mut mixed = Vec::new();
            for head in 0..c.heads {
                let at = head / (c.heads / c.kv_heads) * d;
                let query = &q[cell][head * d..][..d];
                let score = |&key: &usize| query.iter().zip(&k[key][at..]).map(|(a, b)| a * b).sum::<f64>() / (d as f64).sqrt();
                let weights: Vec<f64> = seen.iter().map(|key| score(key).exp()).collect();
                let total: f64 = weights.iter().sum();
                mixed.extend((0..d).map(|i| seen.iter().zip(&weights).map(|(&key, weight)| weight / total * v[key][at + i]).sum::<f64>()));
            }
            let added = linear(w, &name("self_attn.o_proj"), &mixed);
            x[cell].iter_mut().zip(added).for_each(|(x, added)| *x += added);
        }
        for x in &mut x {
            let y = norm(w, &name("post_attention_layernorm"), x, c.norm_epsilon);
            let gate = linear(w, &name("mlp.gate_proj"), &y);
            let inner: Vec<f64> = gate.iter().zip(linear(w, &name("mlp.up_proj"), &y)).map(|(g, u)| g / (1.0 + (-g).exp()) * u).collect();
            let added = linear(w, &name("mlp.down_proj"), &inner);
            x.iter_mut().zip(added).for_each(|(x, added)| *x += added);
        }
    }
    let head = if c.tied_embeddings { "model.embed_tokens" } else { "lm_head" };
    let losses = (0..cells).filter(|&cell| batch.mask[cell]).map(|cell| {
        let logits = linear(w, head, &norm(w, "model.norm", &x[cell], c.norm_epsilon));
        logits.iter().map(|logit| logit.exp()).sum::<f64>().ln() - logits[batch.targets[cell] as usize]
    });
    losses.sum()
}

#[test]
fn loss_is_that_of_the_reference() {
    for (tied, bias) in [(true, true), (false, false)] {
        let config = config(tied, bias);
        let model = model(&config);
        let expected = reference_loss(&config, &weights(&model), &batch());
        let loss = Cpt::default().of(&model, &batch()).unwrap();
        assert_eq!(loss.units, 12);
        let found = f64::from(loss.sum.inner().into_scalar::<f32>());
        assert!((found - expected).abs() < 1e-5 * expected, "{found} {expected}");
    }
}

/// Every parameter's gradient along a random direction, against the difference of two losses.
#[test]
fn gradients_are_those_of_the_reference() {
    let config = config(true, true);
    let model = model(&config);
    let grads = Cpt::default().of(&model, &batch()).unwrap().sum.backward();
    let weights = weights(&model);
    for parameter in model.parameters() {
        let name = parameter.name();
        let gradient = parameter.value().grad(&grads).unwrap().try_into_vec_as::<f32>().unwrap();
        let direction = Rng::new(8, name).normal(parameter.len(), 1.0);
        let found: f64 = gradient.iter().zip(&direction).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
        let moved = |by: f64| {
            let mut weights = weights.clone();
            let values = weights.get_mut(name).unwrap();
            values.iter_mut().zip(&direction).for_each(|(value, d)| *value += by * f64::from(*d));
            reference_loss(&config, &weights, &batch())
        };
        let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!((found - expected).abs() < 1e-4 * expected.abs().max(1.0), "{name}: {found} {expected}");
    }
}

/// A packed row is worth as much as its documents in rows of their own; without the document
/// numbers it is not.
#[test]
fn packed_documents_do_not_see_each_other() {
    let model = model(&config(true, true));
    let sum = |batch: &Batch| f64::from(Cpt::default().of(&model, batch).unwrap().sum.inner().into_scalar::<f32>());
    let packed = Batch {
        rows: 1,
        seq_len: 7,
        inputs: vec![1, 2, 3, 9, 8, 7, 6],
        targets: vec![2, 3, 9, 8, 7, 6, 5],
        positions: vec![0, 1, 2, 0, 1, 2, 3],
        documents: vec![0, 0, 0, 1, 1, 1, 1],
        mask: vec![true, true, false, true, true, true, true],
        buckets: vec![0],
        answers: Vec::new(),
    };
    let apart = Batch {
        rows: 2,
        seq_len: 4,
        inputs: vec![1, 2, 3, 0, 9, 8, 7, 6],
        targets: vec![2, 3, 9, 0, 8, 7, 6, 5],
        positions: vec![0, 1, 2, 0, 0, 1, 2, 3],
        documents: vec![0, 0, 0, 1, 0, 0, 0, 0],
        mask: vec![true, true, false, false, true, true, true, true],
        buckets: vec![0, 0],
        answers: Vec::new(),
    };
    assert!((sum(&packed) - sum(&apart)).abs() < 1e-5 * sum(&apart));
    let mixed = Batch { documents: vec![0; 7], ..packed.clone() };
    assert!((sum(&mixed) - sum(&apart)).abs() > 1e-2);
    let late = Batch { positions: (0..7).collect(), ..packed };
    assert!((sum(&late) - sum(&apart)).abs() < 1e-5 * sum(&apart), "only differences of positions matter");
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let model = model(&config(true, true));
    let refused = |batch: Batch| Cpt::default().of(&model, &batch).unwrap_err().to_string();
    assert!(refused(Batch { rows: 3, ..batch() }).contains("3 rows of 7"));
    assert!(refused(Batch { rows: usize::MAX, ..batch() }).contains("rows"));
    assert!(refused(Batch { rows: 0, seq_len: 0, ..batch() }).contains("0 rows"));
    assert!(refused(Batch { targets: vec![VOCAB as u32; 14], ..batch() }).contains("token 13"));
    assert!(refused(Batch { inputs: vec![u32::MAX; 14], ..batch() }).contains("token 4294967295"));
    assert!(refused(Batch { positions: vec![7; 14], ..batch() }).contains("position 7"));
}

#[test]
fn weights_depend_on_seed_and_shape_alone() {
    let config = config(false, true);
    let model = |seed| config.init(&Device::flex(), VOCAB, seed).unwrap();
    assert_eq!(weights(&model(1)), weights(&model(1)));
    assert_ne!(weights(&model(1)), weights(&model(2)));
    let [ours, counted] = [model(1).num_params(), config.num_params(VOCAB).unwrap()];
    assert_eq!(ours, counted);
    let names: Vec<String> = model(1).parameters().iter().map(|p| format!("{} {:?}", p.name(), p.shape())).collect();
    assert_eq!(names[0], "model.embed_tokens.weight [13, 12]");
    assert!(names.contains(&"model.layers.1.self_attn.k_proj.weight [4, 12]".to_owned()), "{names:?}");
    assert!(names.contains(&"model.layers.1.self_attn.k_proj.bias [4]".to_owned()));
    assert!(names.contains(&"model.layers.0.mlp.down_proj.weight [12, 10]".to_owned()));
    assert_eq!(names.last().unwrap(), "lm_head.weight [13, 12]");
}

#[test]
fn the_list_of_tensors_is_what_models_consist_of() {
    let qwen3 = ModelConfig { head_size: Some(8), qk_norm: true, ..config(false, false) };
    for config in [config(true, true), config(false, false), qwen3] {
        let model = config.init(&Device::flex(), VOCAB, 1).unwrap();
        let made: Vec<_> = model.parameters().iter().map(|p| (p.name().to_owned(), p.shape().to_vec())).collect();
        assert_eq!(made, config.tensors(VOCAB));
        assert_eq!(model.num_params(), config.num_params(VOCAB).unwrap());
    }
}

#[test]
fn scalar_heads_by_hand() {
    let device = Device::flex();
    let config = ModelConfig { hidden: 4, layers: 1, heads: 2, kv_heads: 1, intermediate: 6, tied_embeddings: false, ..Default::default() };
    let model = |head| config.with_scalar_head(Some(head)).init(&device, 9, 1).unwrap();
    let [mut reward, mut policy] = [ScalarHead::Score, ScalarHead::Value].map(model);
    for (model, names) in [(&reward, ["model.norm.weight", "score.weight"]), (&policy, ["lm_head.weight", "value.weight"])] {
        let tensors: Vec<(String, Vec<usize>)> =
            model.tensors().map(|tensor| (tensor.name().to_owned(), tensor.shape().to_vec())).collect();
        assert_eq!(tensors, model.config().tensors(9));
        assert_eq!(model.num_params(), model.config().num_params(9).unwrap());
        assert_eq!([&tensors[tensors.len() - 2].0, &tensors[tensors.len() - 1].0], names);
    }
    let values = |model: &Model| {
        let x = Tensor::from_floats([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, -1.0]], &device);
        model.scalar(x).unwrap().inner().try_into_vec_as::<f32>().unwrap()
    };
    assert_eq!(values(&policy), [0.0, 0.0]);
    for model in [&mut reward, &mut policy] {
        model.parameters_mut().pop().unwrap().fill(vec![1.0, -1.0, 0.5, 2.0]);
        assert_eq!(values(model), [8.5, -2.0]);
    }
    // A reward model is asked for no text, and others for no number.
    let refused = crate::Generator::new(&reward, crate::GenerateConfig::default()).unwrap_err().to_string();
    assert!(refused.contains("a reward model says how good a text is"), "{refused}");
    assert!(config.init(&device, 9, 1).unwrap().scalar(Tensor::zeros([1, 4], &device)).is_err());
}

/// Layers that are computed again have the same loss and gradients to the bit: with biases, norms of heads and adapters whose
/// noise must be the same again, and where a layer's input has no gradient.
#[test]
fn recomputed_layers_change_no_bit() {
    use crate::load::EMBEDDING;
    use crate::lora::LoraConfig;
    let Batch { rows, seq_len, inputs, targets, positions, documents, mask, buckets, answers } = batch();
    let batch = Batch {
        rows: 3 * rows, // more than decoding multiplies at a time
        seq_len,
        inputs: inputs.repeat(3),
        targets: targets.repeat(3),
        positions: positions.repeat(3),
        documents: documents.repeat(3),
        mask: mask.repeat(3),
        buckets: buckets.repeat(3),
        answers,
    };
    let whole = |qk_norm| ModelConfig { qk_norm, ..config(true, !qk_norm) };
    let plain = |qk_norm| model(&whole(qk_norm));
    let adapted = |dora| {
        let lora = LoraConfig { rank: 2, dropout: 0.3, dora, ..LoraConfig::default() };
        let mut model = config(false, true).init_lora(&Device::flex(), VOCAB, 1, &lora, Precision::F32).unwrap();
        for parameter in model.parameters_mut() {
            let values = Rng::new(5, parameter.name()).normal(parameter.len(), 0.5);
            parameter.fill(values);
        }
        model.set_noise(9);
        model
    };
    for (name, model) in [("plain", plain(false)), ("norms of heads", plain(true)), ("adapters", adapted(false)), ("DoRA", adapted(true))] {
        let measure = |model: &Model| {
            let loss = Cpt { z_loss: 1e-3 }.of(model, &batch).unwrap().sum;
            let mut found = loss.clone().backward();
            let gradient =
                |p: &&Parameter| (p.name().to_owned(), p.value().grad_remove(&mut found).unwrap().try_into_vec_as::<f32>().unwrap());
            let gradients: Vec<(String, Vec<f32>)> = model.parameters().iter().map(gradient).collect();
            (loss.inner().into_scalar::<f32>(), gradients)
        };
        let kept = measure(&model);
        assert!(kept.1.iter().any(|(name, _)| name == EMBEDDING) != name.starts_with(['a', 'D']));
        assert!(kept.1.iter().all(|(_, gradient)| gradient.iter().any(|x| *x != 0.0)), "{name}");
        assert_eq!(measure(&model.clone().with_recompute(true)), kept, "{name}");
    }
}
