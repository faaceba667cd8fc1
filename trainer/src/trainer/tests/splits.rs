//! How a step is split into micro-batches is no part of what is learned.

use super::*;

fn losses_and_norms(events: &[Event]) -> Vec<(f64, f64)> {
    let steps = events.iter().filter_map(|event| if let Event::Step(step) = event { Some(step) } else { None });
    steps.map(|step| (step.loss, step.grad_norm)).collect()
}

fn assert_same_curve(found: &[(f64, f64)], expected: &[(f64, f64)], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (step, (found, expected)) in found.iter().zip(expected).enumerate() {
        let far = ((found.0 - expected.0) / expected.0).abs().max(((found.1 - expected.1) / expected.1).abs());
        assert!(far <= 1e-5, "{what}, step {step}: {found:?} {expected:?}");
    }
}

/// Six sequences of a step at once, in 2 + 2 + 2, 4 + 2, 5 + 1 and one by one. The rate is that of a
/// calm training: a wild one would blow up the last digits of any two computations.
#[test]
fn every_split_gives_the_same_losses_and_norms() {
    let split = |micro_batch| TrainConfig { micro_batch: Some(micro_batch), learning_rate: 1e-3, ..config() };
    let curve = |config: &TrainConfig| {
        let (result, events) = Folder::new().train(config, |_| false);
        result.unwrap();
        losses_and_norms(&events)
    };
    let expected = curve(&split(6));
    assert!(expected.len() >= 20 && expected[expected.len() - 1].0 < expected[0].0);
    for micro_batch in [1, 2, 4, 5] {
        assert_eq!(split(micro_batch).identity(), split(6).identity());
        assert_same_curve(&curve(&split(micro_batch)), &expected, &format!("micro-batches of {micro_batch}"));
    }

    // Begun in one split, interrupted twice, each time continued in another.
    let broken = Folder::new();
    let mut found = Vec::new();
    for (micro_batch, stop) in [(6, 7), (2, 13), (1, u64::MAX)] {
        let (result, events) = broken.train(&split(micro_batch), |event| step_of(event) == Some(stop));
        assert!(matches!(result, Ok(()) | Err(Error::Interrupted)), "{result:?}");
        found.extend(losses_and_norms(&events));
    }
    assert_same_curve(&found, &expected, "resumed in another split");
}
