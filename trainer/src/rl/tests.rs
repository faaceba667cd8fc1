//! What TRL's own code gave on fixed tensors: see `testdata/make_rl.py`.

mod runs;

use serde::Deserialize;

use crate::load::tests::fixture;

#[derive(Deserialize)]
pub(super) struct Fixture {
    pub(super) ppo: Ppo,
    pub(super) grpo: Grpo,
}

/// Rows are answers, cut to their tokens.
pub(super) type Rows = Vec<Vec<f64>>;

#[derive(Deserialize)]
pub(super) struct Ppo {
    pub(super) log_probs: Rows,
    pub(super) reference: Rows,
    pub(super) values: Rows,
    pub(super) scores: Vec<f64>,
    pub(super) cases: Vec<PpoCase>,
    /// Divergences, and the coefficient after each.
    pub(super) controller: Vec<(f64, f64)>,
}

#[derive(Deserialize)]
pub(super) struct PpoCase {
    pub(super) coefficient: f64,
    pub(super) gamma: f64,
    pub(super) lambda: f64,
    pub(super) whiten_rewards: bool,
    pub(super) rewards: Rows,
    pub(super) advantages: Rows,
    pub(super) returns: Rows,
    pub(super) new_log_probs: Rows,
    pub(super) new_values: Rows,
    pub(super) policy: f64,
    pub(super) value: f64,
    pub(super) clip_fraction: f64,
    pub(super) value_clip_fraction: f64,
    pub(super) moved: f64,
    pub(super) d_log_probs: Rows,
    pub(super) d_values: Rows,
}

#[derive(Deserialize)]
pub(super) struct Grpo {
    pub(super) rewards: Vec<f64>,
    pub(super) group: usize,
    pub(super) old: Rows,
    pub(super) reference: Rows,
    pub(super) advantages: Advantages,
    pub(super) loss_advantages: Vec<f64>,
    pub(super) cases: Vec<GrpoCase>,
}

#[derive(Deserialize)]
pub(super) struct Advantages {
    pub(super) none: Vec<f64>,
    pub(super) group: Vec<f64>,
    pub(super) batch: Vec<f64>,
}

#[derive(Deserialize)]
pub(super) struct GrpoCase {
    pub(super) loss: String,
    pub(super) beta: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) longest: u32,
    pub(super) new: Rows,
    pub(super) value: f64,
    pub(super) clip_fraction: f64,
    pub(super) d_new: Rows,
}

pub(super) fn expected() -> Fixture {
    serde_json::from_slice(&std::fs::read(fixture("rl.json")).unwrap()).unwrap()
}

pub(super) fn narrow(rows: &Rows) -> Vec<Vec<f32>> {
    rows.iter().map(|row| row.iter().map(|&value| value as f32).collect()).collect()
}

/// The largest difference.
pub(super) fn far(found: impl IntoIterator<Item = f64>, expected: impl IntoIterator<Item = f64>) -> f64 {
    let (found, expected): (Vec<f64>, Vec<f64>) = (found.into_iter().collect(), expected.into_iter().collect());
    assert_eq!(found.len(), expected.len());
    found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, |most, far| if far > most || far.is_nan() { far } else { most })
}
