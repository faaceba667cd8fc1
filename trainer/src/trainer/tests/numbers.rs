//! Moments of 8 bits and weights of 16 are part of what a checkpoint must bring back exactly.

use super::*;
use crate::config::{OptimizerStates, WeightNumbers};

#[test]
fn runs_in_few_bits_learn_and_go_on_exactly() {
    let model = ModelConfig { hidden: 64, layers: 1, heads: 2, kv_heads: 1, intermediate: 96, ..Default::default() };
    let full = TrainConfig { model, learning_rate: 3e-3, eval_tokens: 0, eval_every: 0, ..config() };
    let few = TrainConfig { optimizer_states: OptimizerStates::EightBit, weights: WeightNumbers::Bf16, ..full.clone() };
    let last = |folder: &Folder| folder.result().1.iter().rev().find_map(|line| line["loss"].as_f64()).unwrap();

    let (whole, plain) = (Folder::new(), Folder::new());
    whole.train(&few, |_| false).0.unwrap();
    plain.train(&full, |_| false).0.unwrap();
    let (found, expected) = (last(&whole), last(&plain));
    assert!(found < 4.0 && (found - expected).abs() < 0.1 * expected, "{found} {expected}");

    let broken = Folder::new();
    let (result, _) = broken.train(&few, |event| step_of(event) == Some(9));
    assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
    broken.train(&few, |_| false).0.unwrap();
    assert_eq!(broken.result(), whole.result());
    // Codes take a quarter of the place, and 32-bit moments are another run.
    let size = |folder: &Folder| folder.result().0[1].len();
    assert!(size(&whole) < size(&plain), "{} {}", size(&whole), size(&plain));
    assert_ne!(few.identity(), full.identity());
}
