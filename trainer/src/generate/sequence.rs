//! One prompt and what has become of it.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Serialize;

use super::Sampling;
use crate::error::{Error, Result};
#[cfg(feature = "cuda")]
use crate::kernels::gpu::Choice;
use crate::model::Slots;
use crate::rng::Rng;

/// What is to be continued, and how.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Request {
    /// Names the sequence; its draws follow from this and the seed.
    pub id: u64,
    /// Ids of the beginning; at least one.
    pub prompt: Vec<u32>,
    /// New tokens at most.
    pub tokens: u32,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Ids that end the sequence. They are part of what was drawn.
    pub ends: Vec<u32>,
}

/// A token that was drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token {
    /// Whose it is.
    pub request: u64,
    /// The token.
    pub id: u32,
    /// Natural logarithm of the probability that the model gave it, before penalty, temperature and cuts.
    pub log_prob: f32,
    /// Why the sequence ends with it, if it does.
    pub finish: Option<FinishReason>,
}

/// Why a sequence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FinishReason {
    /// One of the request's end ids was drawn.
    End,
    /// It has as many tokens as it may have.
    Length,
    /// [`Generator::stop`](super::Generator::stop) was called.
    Stop,
}

/// A finished sequence.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Completion {
    /// The request's.
    pub id: u64,
    /// The new tokens, an end id among them.
    pub ids: Vec<u32>,
    /// Of each of them, as in [`Token::log_prob`].
    pub log_probs: Vec<f32>,
    /// Why it ended.
    pub finish: FinishReason,
}

impl Request {
    pub(super) fn check(&self, vocab: usize, longest: usize) -> Result<()> {
        let refuse = |detail: String| Err(Error::Request { id: self.id, detail });
        if self.prompt.is_empty() {
            return refuse("a prompt without tokens".to_owned());
        }
        if self.tokens == 0 {
            return refuse("no tokens are asked for".to_owned());
        }
        if self.prompt.len() >= longest {
            return refuse(format!("a prompt of {} tokens; with {longest} for a sequence, none is left to be drawn", self.prompt.len()));
        }
        if let Some(id) = self.prompt.iter().find(|&&id| id as usize >= vocab) {
            return refuse(format!("token {id}, but the model knows {vocab} ids"));
        }
        self.sampling.check()
    }
}

/// A sequence that is not finished.
#[derive(Debug)]
pub(super) struct Sequence {
    pub(super) request: Request,
    /// Tokens it has at most.
    pub(super) length: usize,
    /// Prompt and drawn tokens.
    pub(super) ids: Vec<u32>,
    /// How many of them are in the cache.
    pub(super) done: usize,
    pub(super) slots: Slots,
    log_probs: Vec<f32>,
    /// The ids in it, where the sampling asks.
    seen: BTreeSet<u32>,
}

impl Sequence {
    pub(super) fn new(request: Request, length: usize) -> Self {
        let seen = if request.sampling.looks_back() { request.prompt.iter().copied().collect() } else { BTreeSet::new() };
        Self { length, ids: request.prompt.clone(), done: 0, slots: Slots::default(), log_probs: Vec::new(), seen, request }
    }

    /// The tokens that go through the model next. Pieces of a prompt begin at multiples of `prefill`,
    /// whenever they are taken.
    pub(super) fn chunk(&self, prefill: usize) -> Range<usize> {
        self.done..self.ids.len().min((self.done / prefill + 1) * prefill)
    }

    /// Draws the next token from the logits of the last one.
    pub(super) fn draw(&self, logits: &[f32], seed: u64) -> Result<(u32, f32)> {
        self.request.sampling.draw(logits, &self.seen, || self.uniform(seed)).ok_or_else(|| self.not_finite())
    }

    /// The same for a card, which draws the same from the same logits. It knows of no penalty.
    #[cfg(feature = "cuda")]
    pub(super) fn choice(&self, seed: u64) -> Choice {
        let Sampling { temperature, top_p, min_p, top_k, .. } = self.request.sampling;
        let uniform = if temperature > 0.0 { self.uniform(seed) } else { 0.0 };
        Choice { temperature, top_p, min_p, uniform, top_k }
    }

    /// What the next draw is made by.
    fn uniform(&self, seed: u64) -> f64 {
        Rng::new(seed, &format!("generate {} {}", self.request.id, self.ids.len())).uniform()
    }

    /// That there is nothing to be drawn from.
    pub(super) fn not_finite(&self) -> Error {
        let detail = format!("the model's logits after {} tokens are not finite numbers", self.ids.len());
        Error::Request { id: self.request.id, detail }
    }

    pub(super) fn push(&mut self, id: u32, log_prob: f32) {
        self.ids.push(id);
        self.log_probs.push(log_prob);
        if self.request.sampling.looks_back() {
            self.seen.insert(id);
        }
    }

    /// Why it ends with its last token, if it does.
    pub(super) fn reason(&self) -> Option<FinishReason> {
        let ended = self.ids.last().is_some_and(|id| self.request.ends.contains(id));
        let full = (self.ids.len() >= self.length).then_some(FinishReason::Length);
        if ended { Some(FinishReason::End) } else { full }
    }

    pub(super) fn complete(mut self, finish: FinishReason) -> Completion {
        Completion { id: self.request.id, ids: self.ids.split_off(self.request.prompt.len()), log_probs: self.log_probs, finish }
    }
}
