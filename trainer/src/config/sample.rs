//! `[train.sample]`.

use serde::{Deserialize, Serialize};

use super::{at_least_one, refuse, within};
use crate::error::Result;

/// Text that the model writes, at the end of training and on the way there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SampleConfig {
    /// Beginnings to continue.
    pub prompts: Vec<String>,
    /// The prompts are what a user says: they are written out with the chat template, and answered. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub chat: bool,
    /// Steps between samples; 0: only at the end. Default 0.
    #[serde(default)]
    pub every: u64,
    /// Tokens written after each. Default 64.
    #[serde(default = "tokens")]
    pub tokens: u32,
    /// 0 takes the likeliest token, 1 draws as the model says, more is wilder. Default 0.8.
    #[serde(default = "temperature")]
    pub temperature: f64,
    /// Draws among this many likeliest tokens; 0: among all. Default 50.
    #[serde(default = "top_k")]
    pub top_k: u32,
}

fn tokens() -> u32 {
    64
}
fn temperature() -> f64 {
    0.8
}
fn top_k() -> u32 {
    50
}

impl Default for SampleConfig {
    /// Without prompts, which a recipe must give.
    fn default() -> Self {
        Self { prompts: Vec::new(), chat: false, every: 0, tokens: tokens(), temperature: temperature(), top_k: top_k() }
    }
}

impl SampleConfig {
    pub(super) fn validate(&self) -> Result<()> {
        if self.prompts.is_empty() || self.prompts.iter().any(String::is_empty) {
            return refuse("sample.prompts", "empty or has an empty text; a sample continues a beginning");
        }
        at_least_one("sample.tokens", self.tokens.into())?;
        within("sample.temperature", self.temperature, self.temperature >= 0.0, "0 or more")
    }
}
