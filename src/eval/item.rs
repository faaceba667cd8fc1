//! One question to a model, and what became of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::form::Example;
use super::instructions::Instruction;

/// One question.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Its name within its set.
    pub(super) id: String,
    /// The part of the set that it is counted in; empty where the set has none.
    pub(super) subject: String,
    /// What the model reads, without examples.
    pub(super) prompt: String,
    /// Texts of the file by which the question is found in other texts.
    pub(super) searched: Vec<String>,
    pub(super) ask: Ask,
    pub(super) gold: Gold,
}

/// What is asked of the model.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    /// How likely each of these is after the prompt.
    Choose(Vec<String>),
    /// A text of at most so many tokens, up to any of the stops.
    Write { tokens: u32, stops: Vec<String> },
}

/// What is right.
#[derive(Clone, Debug)]
pub(super) enum Gold {
    /// One of the choices, counted from 0.
    Choice(usize),
    /// One of so many letters from A, to be found in a text.
    Letter { right: usize, letters: usize },
    /// A number that the choices, 0 and up, estimate by their probabilities.
    Degree(f64),
    /// Any of these texts.
    Texts(Vec<String>),
    /// A number or formula.
    Formula(String),
    /// What a rule checks.
    Instructions(Vec<Instruction>),
}

/// What the model gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// Log-likelihood of each choice, in nats.
    LogLikelihoods(Vec<f64>),
    /// A text and why it ended: `end`, `stop` or `length`.
    Text { text: String, finish: String },
}

/// A line of the outputs that are kept: one item with its answer and scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Record {
    pub(super) id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) subject: String,
    /// What the model read, with its examples and without what did not fit into its context.
    pub(super) prompt: String,
    /// Tokens of its beginning that did not fit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) cut: usize,
    pub(super) answer: Answer,
    /// What the answer means, in the terms of `gold`.
    pub(super) prediction: Value,
    pub(super) gold: Value,
    /// Names and values of the item's own scores, such as `accuracy`: 1.
    pub(super) scores: BTreeMap<String, f64>,
    /// Of instructions: name, strict, loose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) instructions: Vec<(String, bool, bool)>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Item {
    /// The item as an example, with its right answer. None where the set has no single right answer.
    pub(super) fn example(&self) -> Option<Example> {
        let answer = match (&self.gold, &self.ask) {
            (Gold::Choice(right), Ask::Choose(choices)) => choices.get(*right)?.clone(),
            (Gold::Letter { right, .. }, _) => format!(" {}", letter(*right)),
            (Gold::Degree(degree), Ask::Choose(choices)) => choices.get(degree.round() as usize)?.clone(),
            (Gold::Texts(texts), _) => format!(" {}", texts.first()?),
            (Gold::Formula(formula), _) => format!(" $\\boxed{{{formula}}}$."),
            _ => return None,
        };
        Some(Example { question: self.prompt.clone(), answer })
    }
}

/// Six decimals: so short a number is read back as it was written, and outputs that were kept are those of one go.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// 0 → A.
pub(super) fn letter(at: usize) -> char {
    char::from(b'A' + at.min(25) as u8)
}
