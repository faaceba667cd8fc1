//! Sums and counts: what splitting a step must not change.

use burn::tensor::Device;

use super::*;
use crate::config::TrainConfig;
use crate::device::DeviceSpec;
use crate::gradients::Gradients;
use crate::micro_batch::split;
use crate::model::{Model, ModelConfig};
use crate::optimizer::AdamW;
use crate::ranks::{Ranks, Update};

fn model() -> Model {
    let config = ModelConfig { hidden: 16, layers: 2, heads: 4, kv_heads: 2, intermediate: 24, ..Default::default() };
    config.init(&Device::flex(), 32, 3).unwrap()
}

/// Five rows with very different numbers of targets that count; the fourth has none.
fn batch() -> Batch {
    let (rows, seq_len) = (5, 6);
    let cells = rows * seq_len;
    Batch {
        rows,
        seq_len,
        inputs: (0..cells as u32).map(|i| i * 7 % 32).collect(),
        targets: (0..cells as u32).map(|i| i * 11 % 32).collect(),
        positions: (0..cells as u32).map(|i| i % 6).collect(),
        documents: vec![0; cells],
        mask: (0..cells).map(|i| [true, i % 6 == 2, true, false, i % 2 == 0][i / 6]).collect(),
        buckets: vec![0; rows],
        answers: Vec::new(),
    }
}

/// Mean loss, gradient norm and all gradients of a step split into pieces of `rows`.
fn step(rows: usize) -> (f64, f64, Vec<f32>) {
    let model = model();
    let batch = batch();
    let mut gradients = Gradients::new(&model);
    for piece in split(&batch, rows) {
        gradients.add(&model, Cpt::default().of(&model, &piece).unwrap().sum, batch.trainable()).unwrap();
    }
    let loss = read(gradients.loss(), "test").unwrap() / batch.trainable() as f64;
    let norm = read(gradients.norm(), "test").unwrap();
    let values = (0..model.parameters().len()).flat_map(|i| gradients.get(i).unwrap().try_into_vec_as::<f32>().unwrap());
    (loss, norm, values.collect())
}

#[test]
fn the_split_into_micro_batches_changes_nothing() {
    let (loss, norm, gradients) = step(5);
    for rows in [1, 2, 3, 4, 100] {
        let (other_loss, other_norm, other) = step(rows);
        assert!((loss - other_loss).abs() <= 1e-6 * loss, "{rows}: {loss} {other_loss}");
        assert!((norm - other_norm).abs() <= 1e-6 * norm, "{rows}: {norm} {other_norm}");
        let far = gradients.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far <= 1e-6, "{rows}: {far}");
    }
}

/// Counts and sums of a batch, whose gradient is that of `Cpt`.
struct Counted;

impl Objective for Counted {
    fn units(&self, batch: &Batch) -> u64 {
        batch.rows as u64
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["ids/mean", "ids/none", "rows"]
    }

    fn loss(&self, replica: &Replica, batch: &Batch) -> Result<Loss> {
        let device = replica.model.device();
        let metric = |sum: f64, count| Metric { sum: Tensor::full([1], sum, &device), count };
        let ids = batch.inputs.iter().map(|id| f64::from(*id)).sum();
        let metrics = vec![metric(ids, batch.inputs.len() as u64), metric(0.0, 0), metric(2.0, 1)];
        Ok(Loss { units: self.units(batch), metrics, ..Cpt::default().of(&replica.model, batch)? })
    }
}

/// Rows without targets are no pieces, so the mean is over the other four. What nothing was counted of is not told.
#[test]
fn numbers_beside_the_loss_are_means_of_the_step() {
    for rows in [1, 2, 5] {
        let mut ranks = Ranks::open(DeviceSpec::Cpu, |_| {
            let model = model();
            let optimizer = AdamW::new(&TrainConfig::default(), &model, 0);
            Ok(Replica::new(model, optimizer))
        })
        .unwrap();
        let mut batch = batch();
        batch.mask.fill(true);
        let update = Update { micro_batch: rows, learning_rate: 1e-3, clip_norm: 1.0, noise: 0 };
        let made = ranks.step(&Counted, &batch, &update).unwrap();
        let mean = batch.inputs.iter().sum::<u32>() as f64 / 30.0;
        assert_eq!(made.units, 5);
        assert_eq!(made.metrics.read().unwrap(), [("ids/mean".to_owned(), mean), ("rows".to_owned(), 2.0)].into());
    }
    let mut tally = Tally::new(Counted.metrics(), &Device::flex());
    assert!(tally.add(Vec::new()).unwrap_err().to_string().contains("0 numbers beside the loss, its objective names 3"));
}

#[test]
fn pieces_without_targets_are_left_out() {
    let counts: Vec<u64> = split(&batch(), 1).map(|piece| piece.trainable()).collect();
    assert_eq!(counts, [6, 1, 6, 3]);
    let rows: Vec<usize> = split(&batch(), 2).map(|piece| piece.rows).collect();
    assert_eq!(rows, [2, 2, 1]);
}

#[test]
fn what_is_masked_does_not_count() {
    let model = model();
    let all = batch();
    let changed = Batch {
        targets: all.targets.iter().zip(&all.mask).map(|(&id, &counts)| if counts { id } else { 31 - id }).collect(),
        ..all.clone()
    };
    let mean = |batch: &Batch| Cpt::default().of(&model, batch).unwrap().mean().unwrap();
    assert_eq!(mean(&all), mean(&changed));
    let none = Batch { mask: vec![false; 30], ..all };
    assert_eq!(Cpt::default().of(&model, &none).unwrap().units, 0);
    assert_eq!(mean(&none), 0.0);
}
