use super::*;
use crate::rl::tests::{Rows, expected, far};

fn flat(rows: &Rows) -> Vec<f64> {
    rows.concat()
}

#[test]
fn rewards_advantages_and_returns_are_those_of_trl() {
    let ppo = expected().ppo;
    for case in ppo.cases {
        let rows = ppo.scores.iter().zip(ppo.log_probs.iter().zip(&ppo.reference));
        let mut rewards: Rows = rows.map(|(score, (own, other))| of_tokens(*score, own, other, case.coefficient)).collect();
        assert!(far(flat(&rewards), flat(&case.rewards)) < 1e-12);
        if case.whiten_rewards {
            whiten(&mut rewards, true);
        }
        let estimate = rewards.iter().zip(&ppo.values).map(|(rewards, values)| generalized(rewards, values, case.gamma, case.lambda));
        let (mut advantages, returns): (Rows, Rows) = estimate.unzip();
        whiten(&mut advantages, false);
        assert!(far(flat(&returns), flat(&case.returns)) < 1e-9, "{}", far(flat(&returns), flat(&case.returns)));
        assert!(far(flat(&advantages), flat(&case.advantages)) < 1e-9);
    }
}

#[test]
fn advantages_of_groups_are_those_of_trl() {
    let grpo = expected().grpo;
    for (scale, expected) in
        [(Scale::None, grpo.advantages.none), (Scale::Group, grpo.advantages.group), (Scale::Batch, grpo.advantages.batch)]
    {
        let (found, same) = of_groups(&grpo.rewards, grpo.group, scale);
        assert!(far(found, expected) < 1e-6, "{scale:?}"); // of which one is computed in 32 bits
        assert_eq!(same, 1);
    }
}

#[test]
fn a_coefficient_follows_as_that_of_trl() {
    let kl = crate::rl::KlConfig { coefficient: 0.2, adaptive: true, target: 6.0, horizon: 100.0 };
    let mut coefficient = kl.coefficient;
    for (divergence, expected) in expected().ppo.controller {
        coefficient = kl.next(coefficient, divergence, 16);
        assert!((coefficient - expected).abs() < 1e-12);
    }
}

/// Where there is too little to compare with, nothing is learned, and nothing breaks.
#[test]
fn little_is_no_trouble() {
    assert_eq!(of_groups(&[], 4, Scale::Group), (Vec::new(), 0));
    assert_eq!(of_groups(&[3.0], 4, Scale::Batch), (vec![0.0], 1));
    // Their mean is not exactly 0.1.
    assert_eq!(of_groups(&[0.1; 3], 3, Scale::Group), (vec![0.0; 3], 1));
    assert_eq!(generalized(&[], &[], 1.0, 0.95), (Vec::new(), Vec::new()));
    assert_eq!(generalized(&[2.0], &[0.5], 1.0, 0.95), (vec![1.5], vec![2.0]));
    let mut one = vec![vec![5.0], Vec::new()];
    whiten(&mut one, false);
    assert_eq!(one, [vec![0.0], vec![]]);
    let mut none: Vec<Vec<f64>> = Vec::new();
    whiten(&mut none, false);
    assert_eq!(of_tokens(1.0, &[], &[], 0.2), [0.0; 0]);
}
