//! `[[train.reward]]`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::{refuse, within};
use crate::error::Result;

/// One entry of `[[train.reward]]`; `kind` says which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RewardConfig {
    /// Whether the final answer is that of the data.
    Answer(AnswerReward),
    /// Whether the whole answer is that of the data.
    Exact(ExactReward),
    /// Whether a pattern is found in the answer.
    Regex(RegexReward),
    /// How much of the answer is Korean.
    Korean(KoreanReward),
    /// Whether the answer has a form.
    Format(FormatReward),
    /// Whether the answer is neither too short nor too long.
    Length(LengthReward),
    /// How much the answer says again.
    Repetition(RepetitionReward),
    /// What a reward model says.
    Model(ModelReward),
}

fn weight() -> f64 {
    1.0
}

macro_rules! options {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $name {
            /// What it is called in metrics. Default: its kind.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub name: Option<String>,
            /// What it is multiplied by. Default 1.
            #[serde(default = "weight")]
            pub weight: f64,
            $($(#[$field_doc])* pub $field: $type,)*
        }
    };
}

options! {
    /// 1 where the final answer is that of the data, else 0. The final answer is what the last `\boxed{}` holds, else
    /// what stands between `$`, after the last `=`, or the last number; numbers and formulas are compared in one spelling.
    AnswerReward {}
}
options! {
    /// 1 where the answer is that of the data but for case, punctuation and white space, else 0.
    ExactReward {}
}
options! {
    /// 1 where the pattern is found, else 0.
    RegexReward {
        /// The pattern, in the syntax of Rust's `regex`.
        pattern: String,
    }
}
options! {
    /// The share of Hangul among the answer's letters, as a share of `target`, at most 1; 0 without letters.
    KoreanReward {
        /// The share that is wanted, above 0, at most 1. Default 1.
        #[serde(default = "weight")]
        target: f64,
    }
}
options! {
    /// 1 where the answer has the form, else 0. One of the two is given.
    FormatReward {
        /// The answer consists of these parts in this order, `<think>..</think><answer>..</answer>` for `["think", "answer"]`,
        /// with white space between them and none of them empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<String>,
        /// The answer is JSON.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        json: bool,
    }
}
options! {
    /// 1 where the answer has `min` to `max` characters; less in proportion where it is shorter, or longer, up to
    /// twice `max`.
    LengthReward {
        /// Least characters. Default 0.
        #[serde(default)]
        min: u64,
        /// Most characters. Default: any number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<u64>,
    }
}
options! {
    /// Minus the share of runs of `words` words that were said before, 0 to -1.
    RepetitionReward {
        /// Words of a run. Default 3.
        #[serde(default = "words")]
        words: u32,
    }
}
options! {
    /// The score of a reward model: a decoder with a scalar head, `score.weight`, as the `reward` objective trains one.
    ModelReward {
        /// A Hugging Face folder. Its tokenizer must be the run's.
        path: PathBuf,
    }
}

fn words() -> u32 {
    3
}

impl RewardConfig {
    /// The kind, as recipes name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Answer(_) => "answer",
            Self::Exact(_) => "exact",
            Self::Regex(_) => "regex",
            Self::Korean(_) => "korean",
            Self::Format(_) => "format",
            Self::Length(_) => "length",
            Self::Repetition(_) => "repetition",
            Self::Model(_) => "model",
        }
    }

    /// What it is called in metrics.
    pub fn name(&self) -> &str {
        self.common().0.unwrap_or_else(|| self.kind())
    }

    /// What it is multiplied by.
    pub fn weight(&self) -> f64 {
        self.common().1
    }

    /// The folder of a reward model.
    pub fn path(&self) -> Option<&Path> {
        if let Self::Model(model) = self { Some(&model.path) } else { None }
    }

    /// The same, to be resolved.
    pub fn path_mut(&mut self) -> Option<&mut PathBuf> {
        if let Self::Model(model) = self { Some(&mut model.path) } else { None }
    }

    fn common(&self) -> (Option<&str>, f64) {
        macro_rules! common {
            ($($kind:ident),*) => {
                match self { $(Self::$kind(reward) => (reward.name.as_deref(), reward.weight),)* }
            };
        }
        common!(Answer, Exact, Regex, Korean, Format, Length, Repetition, Model)
    }

    pub(crate) fn validate(&self) -> Result<()> {
        within("reward", self.weight(), self.weight() != 0.0, "a `weight` that is not 0")?;
        let name = self.name();
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_') {
            return refuse("reward", format!("named {name:?}; letters, digits, `-` and `_` make a name"));
        }
        match self {
            Self::Korean(korean) => {
                within("reward", korean.target, korean.target > 0.0 && korean.target <= 1.0, "a `target` above 0, at most 1")
            }
            Self::Format(format) if format.tags.is_empty() != format.json => {
                refuse("reward", "of kind `format`, which wants either `tags` or `json`")
            }
            Self::Length(length) if length.min == 0 && length.max.is_none() => refuse("reward", "of kind `length` without `min` and `max`"),
            Self::Length(length) if length.max.is_some_and(|max| max == 0 || max < length.min) => {
                refuse("reward", "of kind `length` with a `max` that is 0 or below `min`")
            }
            Self::Repetition(repetition) if repetition.words == 0 => refuse("reward", "of kind `repetition` with `words` = 0"),
            _ => Ok(()),
        }
    }
}
