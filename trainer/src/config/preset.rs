//! Values by name: those of a guide that is often followed, to be compared with or to start from.

use serde::{Deserialize, Serialize};

/// A set of values for keys of `[train]` that the recipe leaves out.
///
/// They are the settings of the Korean guide to Unsloth and TRL that malmoi's defaults answer to,
/// as its programs would have run: what they leave out has the defaults of Hugging Face's
/// `TrainingArguments`. [`Preset::notes`] says where these are no good choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Continued pretraining.
    SeedCpt,
    /// Fine-tuning on instructions.
    SeedSft,
    /// Reinforcement learning with PPO.
    SeedPpo,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SeedCpt, Self::SeedSft, Self::SeedPpo];

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::SeedCpt => "seed-cpt",
            Self::SeedSft => "seed-sft",
            Self::SeedPpo => "seed-ppo",
        }
    }

    /// Keys and values, as they would stand under `[train]`.
    pub fn settings(self) -> &'static str {
        match self {
            Self::SeedCpt => include_str!("preset/seed-cpt.toml"),
            Self::SeedSft => include_str!("preset/seed-sft.toml"),
            Self::SeedPpo => include_str!("preset/seed-ppo.toml"),
        }
    }

    /// What is wrong with these values, and what malmoi does in their place; for people.
    pub fn notes(self) -> &'static [&'static str] {
        match self {
            Self::SeedCpt => &[
                "the guide trains adapters of rank 64 without the embedding: its new tokens are never learned, and 1e-5 with a scale of \
                 16/64 hardly moves them; here all weights are trained, for which 1e-5 is usual",
                "its `fp16` overflows with weights made for bfloat16, and is left out: `precision` is chosen by the device",
                "its warm-up of 1000 steps is longer than many runs: `warmup-steps` left out is one in fifty of all steps",
                "it never looks at held-out text: here every 500 steps, `eval-every`",
                "malmoi's own choice: `schedule` = \"cosine\" to a tenth, `weight-decay` = 0.1, `beta2` = 0.95",
            ],
            Self::SeedSft => &[
                "the guide asks for the best checkpoint without held-out text, which stops its program: here `eval-every` = 100",
                "its `fp16` overflows with weights made for bfloat16, and is left out: `precision` is chosen by the device",
                "it trains on the prompts too and does not use the model's chat template",
                "its 8-bit optimizer is for cards that are too small, and is left out: `optimizer-states` = \"8-bit\" turns it on",
            ],
            Self::SeedPpo => &[
                "the guide's reward model is random numbers: `[[train.reward]]` says what answers are worth",
                "its batch of 16 is taken 4 at a time and makes one update (`gradient_accumulation_steps` = 4), as here; set `ppo.mini-batch` = 4 \
                 for four updates of 4",
                "its last batch, when smaller than 16, stops its program; here it is a step like others",
                "top-p 0.9 draws from another distribution than the one that is improved, which is that at its temperature of 0.7; 1 is the policy itself",
                "its reference is in 4 bits beside a policy in 16, which counts as divergence; here it is the model that training began with",
            ],
        }
    }
}
