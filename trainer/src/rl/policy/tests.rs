use burn::tensor::Device;

use super::*;
use crate::rl::config::{GrpoConfig, GrpoLoss, PpoConfig};
use crate::rl::method::Method;
use crate::rl::rollout;
use crate::rl::tests::{Rows, expected, far, narrow};

/// Answers of these lengths, each to one token.
fn batch(lengths: &[usize], chosen: &[usize]) -> Batch {
    let ids: Vec<Vec<u32>> = lengths.iter().map(|&length| (1..).take(length).collect()).collect();
    rollout::batch(chosen.iter().map(|&at| (at as u32, &[0][..], &ids[at][..])).collect(), 0)
}

/// Numbers of the chosen answers as one tensor that has a gradient.
fn tensor(rows: &Rows, chosen: &[usize]) -> Tensor<1> {
    let values: Vec<f32> = chosen.iter().flat_map(|&at| narrow(rows)[at].clone()).collect();
    Tensor::from_floats(&values[..], &Device::flex()).autodiff().require_grad()
}

fn values(tensor: Tensor<1>) -> Vec<f64> {
    tensor.try_into_vec_as::<f32>().unwrap().into_iter().map(f64::from).collect()
}

#[test]
fn losses_and_gradients_of_grpo_are_those_of_trl() {
    let grpo = expected().grpo;
    let lengths: Vec<usize> = grpo.old.iter().map(Vec::len).collect();
    let all: Vec<usize> = (0..lengths.len()).collect();
    let trajectories: Vec<Trajectory> = (narrow(&grpo.old).into_iter().zip(narrow(&grpo.reference)).zip(&grpo.loss_advantages))
        .map(|((log_probs, reference), advantage)| Trajectory {
            advantages: vec![*advantage as f32; log_probs.len()],
            log_probs,
            reference,
            ..Trajectory::default()
        })
        .collect();
    for case in grpo.cases {
        let loss = match case.loss.as_str() {
            "dapo" => GrpoLoss::Dapo,
            "grpo" => GrpoLoss::Grpo,
            _ => GrpoLoss::DrGrpo,
        };
        let method =
            Method::Grpo(GrpoConfig { loss, beta: case.beta, clip_low: case.low, clip_high: Some(case.high), ..Default::default() });
        let weights = method.weights(&lengths, &all, case.longest);
        let policy = method.policy(&trajectories, &weights);
        let new = tensor(&case.new, &all);
        let sum = policy.of(&batch(&lengths, &all), &Device::flex(), new.clone(), None).unwrap();
        let grads = sum.clone().backward();
        assert!(far(values(sum.inner()), [case.value]) < 1e-6, "{}", case.loss);
        assert!(far(values(new.grad(&grads).unwrap()), case.d_new.concat()) < 1e-6, "{}", case.loss);
        let sums = policy.sums().unwrap();
        let fraction = sums.clipped / sums.tokens;
        assert!((fraction - case.clip_fraction).abs() < 1e-6, "{fraction} {}", case.clip_fraction);

        // The same in pieces.
        let policy = method.policy(&trajectories, &weights);
        let pieces = [&[0, 3][..], &[5], &[1, 2, 4]].map(|chosen| {
            values(policy.of(&batch(&lengths, chosen), &Device::flex(), tensor(&case.new, chosen), None).unwrap().inner())[0]
        });
        assert!((pieces.iter().sum::<f64>() - case.value).abs() < 1e-6);
        let again = policy.sums().unwrap();
        assert_eq!((again.clipped, again.tokens, again.most), (sums.clipped, sums.tokens, sums.most));
    }
}

#[test]
fn losses_and_gradients_of_ppo_are_those_of_trl() {
    let ppo = expected().ppo;
    let lengths: Vec<usize> = ppo.values.iter().map(Vec::len).collect();
    let all: Vec<usize> = (0..lengths.len()).collect();
    for case in ppo.cases {
        let numbers = [&ppo.log_probs, &case.advantages, &ppo.values, &case.returns].map(narrow);
        let trajectories: Vec<Trajectory> = (all.iter())
            .map(|&at| {
                let [log_probs, advantages, values, returns] = numbers.each_ref().map(|numbers| numbers[at].clone());
                Trajectory { log_probs, advantages, values, returns, reference: Vec::new() }
            })
            .collect();
        let method = Method::Ppo(PpoConfig::default());
        let weights = method.weights(&lengths, &all, 16);
        let policy = method.policy(&trajectories, &weights);
        let (new, new_values) = (tensor(&case.new_log_probs, &all), tensor(&case.new_values, &all));
        let sum = policy.of(&batch(&lengths, &all), &Device::flex(), new.clone(), Some(new_values.clone())).unwrap();
        let grads = sum.clone().backward();
        assert!(far(values(sum.inner()), [case.policy + 0.1 * case.value]) < 1e-6);
        assert!(far(values(new.grad(&grads).unwrap()), case.d_log_probs.concat()) < 1e-6);
        assert!(far(values(new_values.grad(&grads).unwrap()), case.d_values.concat()) < 1e-6);
        let sums = policy.sums().unwrap();
        let found = [sums.policy, sums.value, sums.clipped / sums.tokens, sums.clipped_values / sums.tokens, sums.fallen / sums.tokens];
        assert!(far(found, [case.policy, case.value, case.clip_fraction, case.value_clip_fraction, case.moved]) < 1e-6);
        assert!(policy.permits().unwrap());
    }
}

/// An update that would go on from too far away is not made.
#[test]
fn limits_hold_an_update_back() {
    let old = Trajectory {
        log_probs: vec![-1.0; 2],
        advantages: vec![1.0; 2],
        values: vec![0.0; 2],
        returns: vec![0.0; 2],
        ..Default::default()
    };
    let permitted = |target_kl, ratio_threshold, log_prob: f64| {
        let method = Method::Ppo(PpoConfig { target_kl, ratio_threshold, ..PpoConfig::default() });
        let (trajectories, weights) = ([old.clone()], [0.5]);
        let policy = method.policy(&trajectories, &weights);
        let new = tensor(&vec![vec![log_prob; 2]], &[0]);
        policy.of(&batch(&[2], &[0]), &Device::flex(), new, Some(tensor(&vec![vec![0.0; 2]], &[0]))).unwrap();
        policy.permits().unwrap()
    };
    // Fallen by 0.15 is 1.5 times 0.1.
    assert!(permitted(Some(0.1), 10.0, -1.149) && !permitted(Some(0.1), 10.0, -1.151) && permitted(None, 10.0, -9.0));
    // Ten times as likely.
    assert!(permitted(None, 10.0, -1.0 + 2.302) && !permitted(None, 10.0, -1.0 + 2.303));
}

#[test]
fn what_is_not_there_is_an_error() {
    let method = Method::Grpo(GrpoConfig { beta: 0.1, ..GrpoConfig::default() });
    let trajectories = [Trajectory { log_probs: vec![-1.0; 2], advantages: vec![1.0; 2], ..Trajectory::default() }];
    let policy = method.policy(&trajectories, &[0.5]);
    let log_probs = || tensor(&vec![vec![-1.0; 2]; 2], &[0]);
    let error = policy.of(&batch(&[2], &[0]), &Device::flex(), log_probs(), None).unwrap_err().to_string();
    assert!(error.contains("answer 0 has no number for its token 0"), "{error}");
    let error = policy.of(&batch(&[2, 2], &[1]), &Device::flex(), log_probs(), None).unwrap_err().to_string();
    assert!(error.contains("answer 1 of 1"), "{error}");
}
