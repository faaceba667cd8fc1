//! Objectives of judged answers against TRL; see `testdata/make_preference.py`. And what must hold whatever the numbers.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use serde::Deserialize;
use shards::{Answer, Judgement};

use super::*;
use crate::config::{DpoConfig, DpoLoss, KtoConfig, OrpoConfig, PairwiseConfig, TrainConfig};
use crate::device::DeviceSpec;
use crate::evaluate::preference::Judged;
use crate::gradients::Gradients;
use crate::load::Pretrained;
use crate::load::tests::fixture;
use crate::micro_batch::split;
use crate::model::{Model, ScalarHead};
use crate::optimizer::AdamW;
use crate::ranks::{Made, Ranks, Update};

#[derive(Deserialize)]
struct Expected {
    loss: f64,
    grad_norm: f64,
    gradients: BTreeMap<String, Vec<f32>>,
    #[serde(default)]
    rewards: Vec<f32>,
    #[serde(default)]
    kl: f64,
}

#[derive(Deserialize)]
struct Fixture {
    pairs: Vec<[Vec<u32>; 3]>,
    good: Vec<bool>,
    #[serde(flatten)]
    cases: BTreeMap<String, Expected>,
}

fn read_fixture() -> Fixture {
    serde_json::from_slice(&std::fs::read(fixture("preference.json")).unwrap()).unwrap()
}

/// Prompt and answer of each sequence, and what was said of the answer: two or three in a row, so that rows have padding.
fn batch(sequences: &[(&[u32], &[u32], Judgement, f32)], per_row: usize) -> Batch {
    let length = |sequences: &[(&[u32], &[u32], Judgement, f32)]| sequences.iter().map(|(p, a, ..)| p.len() + a.len()).sum::<usize>();
    let seq_len = sequences.chunks(per_row).map(length).max().unwrap() + 2;
    let rows = sequences.len().div_ceil(per_row);
    let size = rows * seq_len;
    let mut batch = Batch {
        rows,
        seq_len,
        inputs: vec![0; size],
        targets: vec![0; size],
        positions: vec![0; size],
        documents: vec![u32::MAX >> 2; size],
        mask: vec![false; size],
        buckets: vec![0; rows],
        answers: Vec::new(),
    };
    let mut number = 0;
    for (row, sequences) in sequences.chunks(per_row).enumerate() {
        let mut place = row * seq_len;
        for (document, (prompt, answer, judgement, margin)) in sequences.iter().enumerate() {
            let tokens = [*prompt, *answer].concat();
            let cells = place..place + tokens.len();
            for (at, cell) in cells.clone().enumerate() {
                batch.inputs[cell] = tokens[at];
                (batch.positions[cell], batch.documents[cell]) = (at as u32, document as u32);
                if let Some(next) = tokens.get(at + 1) {
                    (batch.targets[cell], batch.mask[cell]) = (*next, at + 1 >= prompt.len());
                }
            }
            batch.answers.push(Answer { number, cells: cells.clone(), judgement: *judgement, margin: *margin });
            (place, number) = (cells.end, number + 1);
        }
    }
    batch
}

impl Fixture {
    fn batch(&self, margins: [f32; 3]) -> Batch {
        let pairs = self.pairs.iter().zip(margins);
        let sequences = pairs.flat_map(|([prompt, chosen, rejected], margin)| {
            [(&prompt[..], &chosen[..], Judgement::Chosen, margin), (&prompt[..], &rejected[..], Judgement::Rejected, margin)]
        });
        batch(&sequences.collect::<Vec<_>>(), 2)
    }

    /// The same answers, each judged by itself.
    fn singles(&self) -> Batch {
        let answers = self.pairs.iter().flat_map(|[prompt, chosen, rejected]| [(prompt, chosen), (prompt, rejected)]);
        let judgement = |good| if good { Judgement::Desirable } else { Judgement::Undesirable };
        let sequences = answers.zip(&self.good).map(|((prompt, answer), good)| (&prompt[..], &answer[..], judgement(*good), 0.0));
        batch(&sequences.collect::<Vec<_>>(), 2)
    }
}

fn model(scale: f32) -> Model {
    let mut model = Pretrained::open(&fixture("qwen2")).unwrap().model(&Device::flex()).unwrap();
    for parameter in model.parameters_mut() {
        let values = parameter.to_vec().unwrap().iter().map(|value| value * scale).collect();
        parameter.fill(values);
    }
    model
}

fn replica(model: Model, reference: Option<Model>) -> Replica {
    let optimizer = AdamW::new(&TrainConfig::default(), &model, 0);
    Replica { model, optimizer, reference }
}

fn tiny() -> Replica {
    replica(model(1.0), Some(model(0.9).frozen()))
}

/// Loss, gradient norm and gradients, with the step's batch at once and row by row.
fn compare(name: &str, objective: &dyn Objective, replica: &Replica, batch: &Batch, expected: &Expected) {
    for rows in [100, 1] {
        let own = objective.of_step(replica, batch, rows).unwrap();
        let objective = own.as_deref().unwrap_or(objective);
        let units = objective.units(batch);
        let mut gradients = Gradients::new(&replica.model);
        let mut tally = Tally::new(objective.metrics(), &Device::flex());
        for piece in split(batch, rows) {
            let Loss { sum, metrics, .. } = objective.loss(replica, &piece).unwrap();
            gradients.add(&replica.model, sum, units).unwrap();
            tally.add(metrics).unwrap();
        }
        let loss = read(gradients.loss(), "test").unwrap() / units as f64;
        assert!((loss - expected.loss).abs() <= 1e-5, "{name}, {rows} rows: {loss} {}", expected.loss);
        let norm = read(gradients.norm(), "test").unwrap();
        assert!((norm / expected.grad_norm - 1.0).abs() <= 1e-4, "{name}, {rows} rows: {norm} {}", expected.grad_norm);
        for (at, parameter) in replica.model.parameters().iter().enumerate() {
            let Some(expected) = expected.gradients.get(parameter.name()) else { continue };
            let found = gradients.get(at).unwrap().try_into_vec_as::<f32>().unwrap();
            let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
            for (a, b) in found.iter().zip(expected) {
                assert!((a - b).abs() <= 1e-4 * largest.max(1e-3), "{name}, {}: {a} {b}", parameter.name());
            }
        }
        assert!(tally.read().unwrap().values().all(|value| value.is_finite()));
    }
}

#[test]
fn dpo_is_that_of_trl() {
    let fixture = read_fixture();
    let batch = fixture.batch([0.0; 3]);
    let config = DpoConfig { beta: 0.3, ..DpoConfig::default() };
    for (name, config) in [
        ("dpo", config.clone()),
        ("ipo", DpoConfig { loss: DpoLoss::Ipo, ..config.clone() }),
        ("smoothed", DpoConfig { label_smoothing: 0.2, ..config.clone() }),
        ("reference_free", DpoConfig { reference_free: true, ..config.clone() }),
    ] {
        compare(name, &Dpo(config), &tiny(), &batch, &fixture.cases[name]);
    }
    let same = replica(model(1.0), Some(model(1.0).frozen()));
    compare("start", &Dpo(config), &same, &batch, &fixture.cases["start"]);
}

#[test]
fn orpo_has_the_odds_of_trl() {
    let fixture = read_fixture();
    let orpo = Orpo(OrpoConfig { beta: 0.3 });
    compare("orpo", &orpo, &replica(model(1.0), None), &fixture.batch([0.0; 3]), &fixture.cases["orpo"]);
}

#[test]
fn kto_is_that_of_trl() {
    let fixture = read_fixture();
    let config = KtoConfig { beta: 0.3, desirable_weight: 1.5, undesirable_weight: 0.75 };
    let expected = &fixture.cases["kto"];
    let batch = fixture.singles();
    compare("kto", &Kto::new(config.clone()), &tiny(), &batch, expected);
    let metrics = Kto::new(config).loss(&tiny(), &batch).unwrap().metrics;
    let kl = read(metrics[2].sum.clone(), "test").unwrap() / 6.0;
    assert!((kl - expected.kl).abs() <= 1e-5, "{kl} {}", expected.kl);
}

/// TRL takes a pair apart, and puts all chosen answers before all rejected ones.
#[test]
fn kto_of_pairs_is_that_of_trl() {
    let fixture = read_fixture();
    let kto = Kto::new(KtoConfig { beta: 0.3, desirable_weight: 1.5, undesirable_weight: 0.75 });
    let (batch, expected) = (fixture.batch([0.0; 3]), &fixture.cases["kto_pairs"]);
    // The other way round, so that z is not 0.
    let replica = replica(model(0.9), Some(model(1.0).frozen()));
    compare("kto_pairs", &kto, &replica, &batch, expected);
    let metrics = kto.loss(&replica, &batch).unwrap().metrics;
    let kl = read(metrics[2].sum.clone(), "test").unwrap() / 6.0;
    assert!((kl - expected.kl).abs() <= 1e-5 && kl > 0.0, "{kl} {}", expected.kl);
}

/// What must be known of a whole step is so in evaluations too.
#[test]
fn held_out_losses_do_not_depend_on_what_fits_the_device() {
    let (replica, batch) = (replica(model(0.9), Some(model(1.0).frozen())), read_fixture().batch([0.0; 3]));
    let losses = [1, 2, 100].map(|rows| {
        let mut judged = Judged::default();
        assert!(judged.add(&Kto::default(), &replica, &batch, rows).unwrap());
        (judged.loss, judged.units)
    });
    let (whole, units) = losses[2];
    assert!(losses.iter().all(|(loss, count)| (loss - whole).abs() <= 1e-5 && *count == units && units == 6.0), "{losses:?}");
}

#[test]
fn rewards_are_those_of_transformers_and_their_loss_that_of_trl() {
    let fixture = read_fixture();
    let pretrained = Pretrained::open(&crate::load::tests::fixture("qwen2")).unwrap();
    let mut model = pretrained.with_scalar_head(Some(ScalarHead::Score), 1).unwrap().model(&Device::flex()).unwrap();
    model.parameters_mut().pop().unwrap().fill((0..16).map(|at| -0.5 + at as f32 / 15.0).collect());
    let replica = replica(model, None);
    let batch = fixture.batch([0.5, 0.0, 1.25]);
    for (name, config) in [("reward", PairwiseConfig::default()), ("reward_margin", PairwiseConfig { margin: true, center: 0.05 })] {
        compare(name, &Pairwise(config), &replica, &batch, &fixture.cases[name]);
    }
    let rewards = Pairwise::default().judge(&replica, &batch).unwrap().rewards_a.try_into_vec_as::<f32>().unwrap();
    // There the chosen ones come first.
    let expected = &fixture.cases["reward"].rewards;
    for (at, reward) in rewards.iter().enumerate() {
        assert!((reward - expected[at / 2 + at % 2 * 3]).abs() <= 1e-5, "{rewards:?} {expected:?}");
    }
}

/// What is most often got wrong, at the very first step: no answer is better than before, and the loss is ln 2.
#[test]
fn dpo_begins_at_ln_2_without_a_margin() {
    let fixture = read_fixture();
    let mut ranks = Ranks::open(DeviceSpec::Cpu, |_| {
        let model = model(1.0);
        let reference = model.reference(false);
        Ok(replica(model, Some(reference)))
    })
    .unwrap();
    let batch = fixture.batch([0.0; 3]);
    let update = Update { micro_batch: 2, learning_rate: 1e-2, clip_norm: 1.0, noise: 0 };
    let objective = Dpo::default();
    let mut losses = Vec::new();
    for _ in 0..20 {
        let Made { loss, units, metrics, .. } = ranks.step(&objective, &batch, &update).unwrap();
        losses.push((read(loss, "test").unwrap() / units as f64, metrics.read().unwrap()));
    }
    let (first, metrics) = &losses[0];
    assert!((first - std::f64::consts::LN_2).abs() <= 1e-6, "{first}");
    assert!(metrics["rewards/margin"].abs() <= 1e-5 && metrics["log-probs/chosen"] < 0.0, "{metrics:?}");
    let (last, metrics) = &losses[19];
    assert!(last < first && metrics["rewards/margin"] > 0.1 && metrics["accuracy"] == 1.0, "{last} {metrics:?}");
}

/// ln σ and ln(1 - e^x) where the plain formulas fail.
#[test]
fn logarithms_at_their_ends() {
    let device = Device::flex();
    let x = Tensor::<1>::from_floats([0.0, 100.0, -100.0, 1.0], &device).autodiff().require_grad();
    let y = answers::log_sigmoid(x.clone());
    let grads = y.clone().sum().backward();
    let values = y.inner().try_into_vec_as::<f32>().unwrap();
    let slopes = x.grad(&grads).unwrap().try_into_vec_as::<f32>().unwrap();
    for (found, expected) in values.iter().zip([-std::f32::consts::LN_2, 0.0, -100.0, -0.313_261_7]) {
        assert!((found - expected).abs() <= 1e-6, "{values:?}");
    }
    for (found, expected) in slopes.iter().zip([0.5, 0.0, 1.0, 0.268_941_42]) {
        assert!((found - expected).abs() <= 1e-6, "{slopes:?}");
    }
    // By Python's math.expm1, and d/dx ln(1 - e^x) = -e^x / (1 - e^x).
    let points = [(-1e-4f32, -9.210_39), (-0.5, -0.932_752_1), (-0.7, -0.686_341), (-3.0, -0.051_069_2), (-40.0, 0.0)];
    let x = Tensor::<1>::from_floats(points.map(|point| point.0), &device).autodiff().require_grad();
    let y = orpo::log1mexp(x.clone());
    let grads = y.clone().sum().backward();
    let (values, slopes) = (y.inner().try_into_vec_as::<f32>().unwrap(), x.grad(&grads).unwrap().try_into_vec_as::<f32>().unwrap());
    for ((found, slope), (x, expected)) in values.iter().zip(slopes).zip(points) {
        assert!((found - expected).abs() <= 2e-6 * expected.abs().max(1.0), "{x}: {found} {expected}");
        let exact = f64::from(x).exp() / f64::from(x).exp_m1();
        assert!((f64::from(slope) - exact).abs() <= 2e-5 * exact.abs().max(1e-3), "{x}: {slope} {exact}");
    }
}

#[test]
fn what_an_objective_cannot_learn_from_is_an_error() {
    let fixture = read_fixture();
    let (replica, singles) = (tiny(), fixture.singles());
    let refused = |objective: &dyn Objective, batch: &Batch| objective.loss(&replica, batch).unwrap_err().to_string();
    assert!(refused(&Dpo::default(), &singles).contains("no pairs"));
    assert!(refused(&Orpo::default(), &Batch { answers: Vec::new(), ..singles.clone() }).contains("no judged answers"));
    let mut pairs = fixture.batch([0.0; 3]);
    pairs.mask.fill(false);
    assert!(refused(&Dpo::default(), &pairs).contains("answer 0 of a step has no token that counts"));
    let without = Replica { reference: None, ..replica.clone() };
    let error = Dpo::default().loss(&without, &fixture.batch([0.0; 3])).unwrap_err().to_string();
    assert!(error.contains("compares with a reference"), "{error}");
    assert!(refused(&Pairwise::default(), &fixture.batch([0.0; 3])).contains("has no head"));
}
