//! From rewards to advantages: how much better a token was than what was expected. Plain arithmetic in 64 bits.

use serde::{Deserialize, Serialize};

/// What differences from a group's mean are divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// The standard deviation of the group (Shao et al. 2024).
    #[default]
    Group,
    /// The standard deviation of all answers of the step (Hu et al. 2025).
    Batch,
    /// Nothing: easy and hard prompts, whose rewards vary little, weigh no more than others (Liu et al. 2025).
    None,
}

/// Added to a standard deviation before something is divided by it, as TRL does.
const GROUP_EPSILON: f64 = 1e-4;
/// Added to a variance before its root divides.
const WHITEN_EPSILON: f64 = 1e-8;

/// The advantage of every answer over the others to its prompt; the answers of a prompt stand together, `group` of
/// them. Also the number of groups whose rewards are all the same, from which nothing is learned.
pub(crate) fn of_groups(rewards: &[f64], group: usize, scale: Scale) -> (Vec<f64>, u64) {
    let whole = deviation(rewards, mean(rewards));
    let mut flat = 0;
    let mut advantages = Vec::with_capacity(rewards.len());
    for rewards in rewards.chunks(group.max(1)) {
        let mean = mean(rewards);
        let own = deviation(rewards, mean);
        // A mean of equal numbers may be off by a rounding.
        let same = rewards.iter().all(|reward| *reward == rewards[0]);
        flat += u64::from(same);
        let divisor = match scale {
            Scale::Group => own + GROUP_EPSILON,
            Scale::Batch => whole + GROUP_EPSILON,
            Scale::None => 1.0,
        };
        advantages.extend(rewards.iter().map(|reward| if same { 0.0 } else { (reward - mean) / divisor }));
    }
    (advantages, flat)
}

/// Rewards of the tokens of an answer: what straying from the reference costs, and at the last token the answer's score.
/// `-coefficient × (log p - log p of the reference)` is an estimate of the divergence (Ziegler et al. 2019).
pub(crate) fn of_tokens(score: f64, log_probs: &[f64], reference: &[f64], coefficient: f64) -> Vec<f64> {
    let mut rewards: Vec<f64> = log_probs.iter().zip(reference).map(|(own, other)| -coefficient * (own - other)).collect();
    if let Some(last) = rewards.last_mut() {
        *last += score;
    }
    rewards
}

/// Generalized advantage estimation (Schulman et al. 2016) over one answer, which ends the episode: advantages, and the
/// returns that values are to become.
pub(crate) fn generalized(rewards: &[f64], values: &[f64], gamma: f64, lambda: f64) -> (Vec<f64>, Vec<f64>) {
    let mut advantages = vec![0.0; rewards.len()];
    let (mut next_value, mut next_advantage) = (0.0, 0.0);
    for at in (0..rewards.len()).rev() {
        let delta = rewards[at] + gamma * next_value - values[at];
        next_advantage = delta + gamma * lambda * next_advantage;
        next_value = values[at];
        advantages[at] = next_advantage;
    }
    let returns = advantages.iter().zip(values).map(|(advantage, value)| advantage + value).collect();
    (advantages, returns)
}

/// Moves and scales all tokens of all answers to a mean of 0 and a variance of 1. One token alone becomes 0. With
/// `keep_mean` they are scaled and the mean stays, as rewards are whitened.
pub(crate) fn whiten(answers: &mut [Vec<f64>], keep_mean: bool) {
    let all: Vec<f64> = answers.iter().flatten().copied().collect();
    let mean = mean(&all);
    let variance = deviation(&all, mean).powi(2);
    let factor = 1.0 / (variance + WHITEN_EPSILON).sqrt();
    for value in answers.iter_mut().flatten() {
        *value = if variance == 0.0 { 0.0 } else { (*value - mean) * factor } + if keep_mean { mean } else { 0.0 };
    }
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// The standard deviation of a sample; 0 of a single number.
pub(crate) fn deviation(values: &[f64], mean: f64) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt()
}

#[cfg(test)]
mod tests;
