//! What an answer is worth.

mod config;
mod model;

use std::collections::BTreeMap;

pub use config::{
    AnswerReward, ExactReward, FormatReward, KoreanReward, LengthReward, ModelReward, RegexReward, RepetitionReward, RewardConfig,
};
pub use model::RewardModel;

use super::advantage::mean;
use crate::error::{Error, Result};

/// An answer to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// What was asked, as the template wrote it.
    pub prompt: &'a str,
    /// What the model answered, without what ends it.
    pub response: &'a str,
    /// The answer that stands in the data.
    pub reference: &'a str,
    /// Whether the model ended its answer, and was not cut off.
    pub ended: bool,
    /// The prompt's tokens.
    pub prompt_ids: &'a [u32],
    /// The answer's tokens, and after an answer that ended as that of the data what the template writes after it.
    pub response_ids: &'a [u32],
}

/// Something that says what answers are worth: a rule, a model, or what a user of the crate writes.
///
/// ```
/// use trainer::{Result, Reward, Sample};
///
/// struct Polite;
///
/// impl Reward for Polite {
///     fn name(&self) -> &str {
///         "polite"
///     }
///     fn score(&self, samples: &[Sample]) -> Result<Vec<f64>> {
///         Ok(samples.iter().map(|sample| f64::from(u8::from(sample.response.ends_with("요.")))).collect())
///     }
/// }
/// ```
pub trait Reward: Sync {
    /// What it is called in metrics.
    fn name(&self) -> &str;

    /// A number for each sample; the higher, the better. The same for the same samples, whatever else is judged.
    fn score(&self, samples: &[Sample]) -> Result<Vec<f64>>;
}

/// Rewards with their weights.
#[derive(Default)]
pub struct Rewards {
    parts: Vec<(f64, Box<dyn Reward>)>,
}

impl std::fmt::Debug for Rewards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.parts.iter().map(|(weight, reward)| (reward.name(), weight))).finish()
    }
}

/// What the answers of a step are worth.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scored {
    /// The weighted sum of each sample.
    pub(crate) total: Vec<f64>,
    /// The mean of each part by its name, without its weight.
    pub(crate) parts: BTreeMap<String, f64>,
}

impl Rewards {
    /// Adds one. Its name must be free.
    pub fn add(&mut self, weight: f64, reward: Box<dyn Reward>) -> Result<()> {
        if self.parts.iter().any(|(_, other)| other.name() == reward.name()) {
            let detail = format!("named `{}` twice; give one of them another `name`", reward.name());
            return Err(Error::Setting { option: "reward".into(), detail });
        }
        self.parts.push((weight, reward));
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(crate) fn score(&self, samples: &[Sample]) -> Result<Scored> {
        let mut scored = Scored { total: vec![0.0; samples.len()], ..Scored::default() };
        for (weight, reward) in &self.parts {
            let refuse = |what: String| Err(Error::Reward { name: reward.name().to_owned(), detail: what });
            let values = reward.score(samples)?;
            if values.len() != samples.len() {
                return refuse(format!("gave {} numbers for {} answers", values.len(), samples.len()));
            }
            if let Some((at, value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
                return refuse(format!("gave {value} for the answer {:?}", samples[at].response));
            }
            scored.total.iter_mut().zip(&values).for_each(|(total, value)| *total += weight * value);
            scored.parts.insert(reward.name().to_owned(), mean(&values));
        }
        Ok(scored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Constant(&'static str, Vec<f64>);

    impl Reward for Constant {
        fn name(&self) -> &str {
            self.0
        }
        fn score(&self, _: &[Sample]) -> Result<Vec<f64>> {
            Ok(self.1.clone())
        }
    }

    fn rewards(parts: &[(f64, &'static str, &[f64])]) -> Rewards {
        let mut rewards = Rewards::default();
        parts.iter().for_each(|(weight, name, values)| rewards.add(*weight, Box::new(Constant(name, values.to_vec()))).unwrap());
        rewards
    }

    const SAMPLE: Sample<'static> = Sample { prompt: "", response: "네", reference: "", ended: true, prompt_ids: &[], response_ids: &[] };

    #[test]
    fn rewards_are_mixed_by_weight() {
        let found = rewards(&[(2.0, "a", &[1.0, 0.0]), (-0.5, "b", &[3.0, 4.0])]).score(&[SAMPLE; 2]).unwrap();
        assert_eq!(found.total, [0.5, -2.0]);
        assert_eq!(found.parts, [("a".to_owned(), 0.5), ("b".to_owned(), 3.5)].into());
    }

    #[test]
    fn what_is_no_reward_is_refused() {
        let error = |values: &[f64]| rewards(&[(1.0, "a", values)]).score(&[SAMPLE; 2]).unwrap_err().to_string();
        assert_eq!(error(&[1.0]), "reward `a` gave 1 numbers for 2 answers");
        assert_eq!(error(&[1.0, f64::NAN]), "reward `a` gave NaN for the answer \"네\"");
        let mut twice = rewards(&[(1.0, "a", &[])]);
        assert!(twice.add(1.0, Box::new(Constant("a", Vec::new()))).unwrap_err().to_string().contains("named `a` twice"));
    }
}
