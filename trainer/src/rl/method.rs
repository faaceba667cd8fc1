//! What tells GRPO from PPO: how rewards become advantages, and how an update weighs tokens.

use std::sync::Mutex;

use super::advantage::{generalized, mean, of_groups, of_tokens, whiten};
use super::config::{GrpoConfig, GrpoLoss, PpoConfig};
use super::measure::Measured;
use super::policy::{Limits, Policy, Trajectory, ValueTerm};
use crate::config::{ObjectiveKind, TrainConfig, refuse};
use crate::error::Result;

/// Updates end when the policy has moved this many times `target-kl`.
const EARLY_STOP: f64 = 1.5;

/// One of the two.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Method {
    /// Answers to a prompt are compared with each other.
    Grpo(GrpoConfig),
    /// Answers are compared with what a value head expected.
    Ppo(PpoConfig),
}

/// What is to be learned from the answers of a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Lesson {
    pub(crate) trajectories: Vec<Trajectory>,
    /// Share of groups whose rewards are all the same.
    pub(crate) flat: Option<f64>,
}

impl Method {
    /// That of a recipe; none where its objective is another one.
    pub(crate) fn of(config: &TrainConfig) -> Option<Self> {
        match config.objective {
            ObjectiveKind::Grpo => Some(Self::Grpo(config.grpo.clone().unwrap_or_default())),
            ObjectiveKind::Ppo => Some(Self::Ppo(config.ppo.clone().unwrap_or_default())),
            _ => None,
        }
    }

    pub(crate) fn validate(&self, config: &TrainConfig) -> Result<()> {
        match self {
            Self::Grpo(grpo) => grpo.validate(config.batch)?,
            Self::Ppo(ppo) => ppo.validate(config.batch)?,
        }
        if config.z_loss > 0.0 {
            return refuse("z-loss", "set, which is for objectives that learn the next token");
        }
        for (option, given) in [("keep-best", config.keep_best), ("early-stop", config.early_stop.is_some())] {
            if given {
                return refuse(option, "set, which goes by held-out text; what is learned here is a reward");
            }
        }
        if config.lora.as_ref().is_some_and(|lora| lora.dropout > 0.0) {
            return refuse("lora.dropout", "above 0: what is left out by chance would count as a change of the policy; leave it out");
        }
        Ok(())
    }

    /// Answers to each prompt.
    pub(crate) fn group(&self) -> u32 {
        match self {
            Self::Grpo(grpo) => grpo.group,
            Self::Ppo(_) => 1,
        }
    }

    /// How often the answers of a step are gone through.
    pub(crate) fn epochs(&self) -> u32 {
        match self {
            Self::Grpo(grpo) => grpo.epochs,
            Self::Ppo(ppo) => ppo.epochs,
        }
    }

    /// Prompts of an update.
    pub(crate) fn mini_batch(&self, batch: u32) -> u32 {
        match self {
            Self::Grpo(grpo) => grpo.mini_batch,
            Self::Ppo(ppo) => ppo.mini_batch,
        }
        .unwrap_or(batch)
    }

    /// Most updates of a step.
    pub(crate) fn updates(&self, batch: u32) -> u64 {
        u64::from(self.epochs()) * u64::from(batch.div_ceil(self.mini_batch(batch).max(1)))
    }

    /// Whether the policy is compared with what it was when training began.
    pub(crate) fn has_reference(&self) -> bool {
        match self {
            Self::Grpo(grpo) => grpo.beta > 0.0,
            Self::Ppo(_) => true,
        }
    }

    /// The coefficient of the divergence in the reward that training begins with; none where no reward has it.
    pub(crate) fn coefficient(&self) -> Option<f64> {
        match self {
            Self::Grpo(_) => None,
            Self::Ppo(ppo) => Some(ppo.kl.coefficient),
        }
    }

    /// The same after a step.
    pub(crate) fn next_coefficient(&self, coefficient: f64, divergence: f64, answers: usize) -> f64 {
        match self {
            Self::Grpo(_) => coefficient,
            Self::Ppo(ppo) => ppo.kl.next(coefficient, divergence, answers),
        }
    }

    /// What to learn from answers of these rewards.
    pub(crate) fn lesson(&self, rewards: &[f64], measured: Measured, coefficient: f64) -> Lesson {
        let Measured { log_probs, values, reference, .. } = measured;
        match self {
            Self::Grpo(grpo) => {
                let (advantages, flat) = of_groups(rewards, grpo.group as usize, grpo.scale);
                let groups = rewards.len().div_ceil(grpo.group as usize).max(1);
                let mut reference = reference.into_iter();
                let trajectory = |(log_probs, advantage): (Vec<f32>, f64)| Trajectory {
                    advantages: vec![advantage as f32; log_probs.len()],
                    reference: reference.next().unwrap_or_default(),
                    log_probs,
                    ..Trajectory::default()
                };
                let trajectories = log_probs.into_iter().zip(advantages).map(trajectory).collect();
                Lesson { trajectories, flat: Some(flat as f64 / groups as f64) }
            }
            Self::Ppo(ppo) => {
                let wide = |numbers: &[Vec<f32>]| -> Vec<Vec<f64>> {
                    numbers.iter().map(|numbers| numbers.iter().map(|&number| f64::from(number)).collect()).collect()
                };
                let narrow = |numbers: Vec<f64>| numbers.into_iter().map(|number| number as f32).collect::<Vec<f32>>();
                let own = wide(&log_probs).into_iter().zip(wide(&reference));
                let mut token_rewards: Vec<Vec<f64>> =
                    rewards.iter().zip(own).map(|(&score, (own, other))| of_tokens(score, &own, &other, coefficient)).collect();
                if ppo.whiten_rewards {
                    whiten(&mut token_rewards, true);
                }
                let expected = wide(&values);
                let estimate =
                    token_rewards.iter().zip(&expected).map(|(rewards, values)| generalized(rewards, values, ppo.gamma, ppo.lambda));
                let (mut advantages, returns): (Vec<_>, Vec<_>) = estimate.unzip();
                whiten(&mut advantages, false);
                let learned = log_probs.into_iter().zip(values).zip(advantages.into_iter().zip(returns));
                let trajectory = |((log_probs, values), (advantages, returns))| Trajectory {
                    log_probs,
                    advantages: narrow(advantages),
                    reference: Vec::new(),
                    values,
                    returns: narrow(returns),
                };
                Lesson { trajectories: learned.map(trajectory).collect(), flat: None }
            }
        }
    }

    /// The weight of a token of each answer in an update of `chosen` ones, which have so many tokens each; of others 0.
    pub(crate) fn weights(&self, lengths: &[usize], chosen: &[usize], longest: u32) -> Vec<f32> {
        let (answers, all) = (chosen.len() as f64, lengths.len() as f64);
        let tokens: usize = chosen.iter().map(|&at| lengths[at]).sum();
        let mut weights = vec![0.0; lengths.len()];
        for &at in chosen {
            let weight = match self {
                Self::Ppo(_) => 1.0 / tokens as f64,
                Self::Grpo(grpo) => match grpo.loss {
                    GrpoLoss::Grpo => 1.0 / (answers * lengths[at] as f64),
                    GrpoLoss::DrGrpo => 1.0 / (answers * f64::from(longest)),
                    // As many tokens as the mean update of the rollout has.
                    GrpoLoss::Dapo => all / (answers * lengths.iter().sum::<usize>() as f64),
                },
            };
            weights[at] = weight as f32;
        }
        weights
    }

    /// The loss of an update, of answers drawn at temperature 1.
    pub(crate) fn policy<'a>(&self, trajectories: &'a [Trajectory], weights: &'a [f32]) -> Policy<'a> {
        let pieces = Mutex::default();
        match self {
            Self::Grpo(grpo) => Policy {
                trajectories,
                weights,
                temperature: 1.0,
                clip: [grpo.clip_low, grpo.clip_high()],
                beta: grpo.beta,
                value: None,
                limits: None,
                pieces,
            },
            Self::Ppo(ppo) => Policy {
                trajectories,
                weights,
                temperature: 1.0,
                clip: [ppo.clip; 2],
                beta: 0.0,
                value: Some(ValueTerm { coefficient: ppo.value_coefficient, clip: ppo.clip_value }),
                limits: Some(Limits {
                    divergence: ppo.target_kl.map_or(f64::INFINITY, |target| EARLY_STOP * target),
                    ratio: ppo.ratio_threshold,
                }),
                pieces,
            },
        }
    }
}

/// How far answers are from the reference, in nats an answer, as their own tokens estimate it.
pub(crate) fn divergence(measured: &Measured) -> Option<f64> {
    let answers: Vec<f64> = (measured.log_probs.iter().zip(&measured.reference))
        .map(|(own, other)| own.iter().zip(other).map(|(own, other)| f64::from(*own) - f64::from(*other)).sum())
        .collect();
    (!answers.is_empty()).then(|| mean(&answers))
}
