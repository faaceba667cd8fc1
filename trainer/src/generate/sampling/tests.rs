//! What is drawn, against the processors of transformers and against counts.

use serde::Deserialize;

use super::*;
use crate::load::tests::fixture;
use crate::rng::Rng;

#[derive(Deserialize)]
struct Samplers {
    samplers: Vec<Case>,
}

/// See `testdata/make_generation.py`.
#[derive(Deserialize)]
struct Case {
    logits: Vec<f32>,
    before: Vec<u32>,
    options: Options,
    probabilities: Vec<f64>,
}

#[derive(Deserialize)]
struct Options {
    repetition_penalty: f64,
    temperature: f64,
    top_k: u32,
    top_p: f64,
    min_p: f64,
}

#[test]
fn probabilities_are_those_of_transformers() {
    let Samplers { samplers } = serde_json::from_slice(&std::fs::read(fixture("generation.json")).unwrap()).unwrap();
    assert_eq!(samplers.len(), 11);
    for (at, case) in samplers.into_iter().enumerate() {
        let Options { repetition_penalty, temperature, top_k, top_p, min_p } = case.options;
        let sampling = Sampling { repetition_penalty, temperature, top_k, top_p, min_p };
        sampling.check().unwrap();
        let candidates = sampling.candidates(&case.logits, &case.before.into_iter().collect());
        let sum: f64 = candidates.iter().map(|&(_, weight)| weight).sum();
        let mut found = vec![0.0; case.logits.len()];
        candidates.iter().for_each(|&(id, weight)| found[id as usize] = weight / sum);
        for (id, (found, expected)) in found.iter().zip(&case.probabilities).enumerate() {
            assert!((found - expected).abs() < 1e-6, "case {at}, id {id}: {found} {expected}");
        }
    }
}

#[test]
fn draws_as_the_weights_say() {
    let logits = [0.0, f32::NEG_INFINITY, 2f32.ln(), 0.0]; // 1 : 2 : 1
    let mut rng = Rng::new(3, "test");
    let none = BTreeSet::new();
    let mut counts = [0; 4];
    for _ in 0..8000 {
        let (id, log_prob) = Sampling::default().draw(&logits, &none, || rng.uniform()).unwrap();
        counts[id as usize] += 1;
        let expected: f32 = if id == 2 { 0.5 } else { 0.25 };
        assert!((log_prob - expected.ln()).abs() < 1e-6);
    }
    // Expected 2000, 4000, 2000; the standard deviation is at most 45.
    assert!((1800..2200).contains(&counts[0]) && (3800..4200).contains(&counts[2]) && counts[1] == 0, "{counts:?}");
    let mut draw = |sampling: Sampling| sampling.draw(&logits, &none, || rng.uniform()).unwrap().0;
    assert!((0..1000).all(|_| draw(Sampling { top_k: 2, ..Sampling::default() }) != 3), "of equal ones the lower id is in");
    let cold = (0..1000).filter(|_| draw(Sampling { temperature: 0.1, ..Sampling::default() }) == 2).count();
    assert!(cold > 980, "2^10 to 1 for each of the two others: {cold}");
}

#[test]
fn the_likeliest_needs_no_draw() {
    let never = || unreachable!("there is no choice");
    let none = BTreeSet::new();
    let (id, log_prob) = Sampling::greedy().draw(&[1.0, 3.0, 3.0], &none, never).unwrap();
    assert_eq!(id, 1);
    assert!((f64::from(log_prob) - (3.0 - (1f64.exp() + 2.0 * 3f64.exp()).ln())).abs() < 1e-6);
    assert_eq!(Sampling { top_k: 1, ..Sampling::default() }.draw(&[1.0, 3.0], &none, never).unwrap().0, 1);
    // What was there before is made less likely.
    let seen = BTreeSet::from([1, 900]);
    let sampling = Sampling { repetition_penalty: 4.0, ..Sampling::greedy() };
    assert_eq!(sampling.draw(&[1.0, 3.0], &seen, never).unwrap().0, 0);
    assert_eq!(sampling.draw(&[-1.0, -0.5], &seen, never).unwrap().0, 0);
}

#[test]
fn logits_that_are_no_numbers_are_refused() {
    let none = BTreeSet::new();
    for logits in [[f32::NAN, 1.0], [f32::INFINITY, 1.0], [f32::NEG_INFINITY; 2]] {
        assert_eq!(Sampling::default().draw(&logits, &none, || 0.5), None);
    }
    assert_eq!(Sampling::default().draw(&[], &none, || 0.5), None);
}
