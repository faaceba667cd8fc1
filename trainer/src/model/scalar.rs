//! A head that gives one number for each token.

use serde::{Deserialize, Serialize};

/// What a model has beside the layers to give a number for each token: a matrix of one row, `[1, H]`, without bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScalarHead {
    /// A reward, in place of the output matrix: the model writes no text. Its file is that of Hugging Face's
    /// `...ForSequenceClassification` with one label. Begins with small random numbers.
    Score,
    /// What is still to come, beside the output matrix, for reinforcement learning. Begins with zeros. It is no part of
    /// an exported model.
    Value,
}

impl ScalarHead {
    /// The name of its tensor in files.
    pub fn tensor(self) -> &'static str {
        match self {
            Self::Score => "score.weight",
            Self::Value => "value.weight",
        }
    }
}
