//! `[[train.reward]]`: what answers are worth, by rules about their texts and by models.

mod rules;
#[cfg(test)]
mod tests;

use regex::RegexBuilder;
use trainer::{DeviceSpec, RewardConfig, RewardModel, Rewards, TrainConfig};

use crate::error::{Error, Result};
use rules::Rule;

/// Most memory that a pattern may compile to.
const MAX_PATTERN: usize = 1 << 20;

/// That the patterns of a recipe are patterns, and no two rewards have one name; with the number of the reward
/// that is wrong.
pub(crate) fn check(rewards: &[RewardConfig]) -> std::result::Result<(), (usize, String)> {
    for (number, reward) in rewards.iter().enumerate() {
        if rewards[..number].iter().any(|earlier| earlier.name() == reward.name()) {
            return Err((number, format!("two rewards are named `{}`: give one of them another `name`", reward.name())));
        }
        if let RewardConfig::Regex(config) = reward {
            pattern(&config.pattern).map_err(|detail| (number, detail))?;
        }
    }
    Ok(())
}

/// That the reward models of a recipe are there and are such. Reads headers only.
pub(crate) fn check_models(rewards: &[RewardConfig]) -> Result<()> {
    rewards.iter().filter_map(RewardConfig::path).try_for_each(|path| RewardModel::weights(path).map(drop).map_err(of_model))
}

fn of_model(error: trainer::Error) -> Error {
    Error::new(format!("train.reward: {error}")).hint("`path` is a folder that `malmoi export` made of a run with `objective = \"reward\"`")
}

/// The rewards of a recipe. Models are loaded.
pub(crate) fn rewards(config: &TrainConfig, tokenizer: &shards::Tokenizer, device: DeviceSpec) -> Result<Rewards> {
    let mut rewards = Rewards::default();
    for reward in &config.reward {
        let boxed: Box<dyn trainer::Reward> = match reward {
            RewardConfig::Model(model) => Box::new(RewardModel::open(reward.name(), &model.path, tokenizer, device).map_err(of_model)?),
            _ => Box::new(rule(reward)?),
        };
        rewards.add(reward.weight(), boxed).map_err(Error::new)?;
    }
    Ok(rewards)
}

fn rule(reward: &RewardConfig) -> Result<Rule> {
    let name = reward.name();
    Ok(match reward.clone() {
        RewardConfig::Answer(_) => Rule::new(name, |sample| share(rules::same_answer(sample.response, sample.reference))),
        RewardConfig::Exact(_) => Rule::new(name, |sample| share(rules::same_text(sample.response, sample.reference))),
        RewardConfig::Regex(config) => {
            let pattern = pattern(&config.pattern).map_err(|detail| Error::new(format!("train.reward: {detail}")))?;
            Rule::new(name, move |sample| share(pattern.is_match(sample.response)))
        }
        RewardConfig::Korean(config) => Rule::new(name, move |sample| (rules::korean(sample.response) / config.target).min(1.0)),
        RewardConfig::Format(config) if config.json => Rule::new(name, |sample| share(rules::is_json(sample.response))),
        RewardConfig::Format(config) => Rule::new(name, move |sample| share(rules::has_tags(sample.response, &config.tags))),
        RewardConfig::Length(config) => Rule::new(name, move |sample| rules::length(sample.response, config.min, config.max)),
        RewardConfig::Repetition(config) => Rule::new(name, move |sample| -rules::repeated(sample.response, config.words as usize)),
        RewardConfig::Model(_) => return Err(Error::new("a reward model is no rule")),
    })
}

fn pattern(text: &str) -> std::result::Result<regex::Regex, String> {
    let compiled = RegexBuilder::new(text).size_limit(MAX_PATTERN).build();
    // The library draws the pattern with a caret below; what is wrong stands in its last line.
    compiled.map_err(|error| {
        let detail = error.to_string();
        let what = detail.lines().next_back().unwrap_or_default().trim_start_matches("error: ").to_owned();
        format!("`pattern` {text:?}: {what}")
    })
}

fn share(is: bool) -> f64 {
    f64::from(u8::from(is))
}
