//! From logits to a token.

use std::collections::BTreeSet;

use crate::config::within;
use crate::error::Result;

/// How a token is drawn. What is asked for happens in the order of the fields, as in Hugging Face's
/// `generate`: each cut is made among what the cut before has left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides positive logits of ids that are in the sequence already, and multiplies negative ones
    /// (Keskar et al. 2019). 1 changes nothing.
    pub repetition_penalty: f64,
    /// 0 takes the likeliest token, 1 draws as the model says, more is wilder.
    pub temperature: f64,
    /// Draws among this many likeliest tokens; 0: among all.
    pub top_k: u32,
    /// Draws among the fewest likeliest tokens that have this probability together (Holtzman et al. 2020).
    /// 1: among all.
    pub top_p: f64,
    /// Draws among tokens that are at least this share as likely as the likeliest (Nguyen et al. 2024).
    /// 0: among all.
    pub min_p: f64,
}

impl Default for Sampling {
    /// As the model says.
    fn default() -> Self {
        Self { repetition_penalty: 1.0, temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0 }
    }
}

impl Sampling {
    /// Always the likeliest token.
    pub fn greedy() -> Self {
        Self { temperature: 0.0, ..Self::default() }
    }

    /// Checks every value against its range.
    pub fn check(&self) -> Result<()> {
        within("repetition-penalty", self.repetition_penalty, self.repetition_penalty > 0.0, "above 0")?;
        within("temperature", self.temperature, self.temperature >= 0.0, "0 or more")?;
        within("top-p", self.top_p, self.top_p > 0.0 && self.top_p <= 1.0, "above 0, at most 1")?;
        within("min-p", self.min_p, (0.0..=1.0).contains(&self.min_p), "0 to 1")
    }

    /// Whether it asks which ids are in the sequence.
    pub(super) fn looks_back(&self) -> bool {
        self.repetition_penalty != 1.0
    }

    /// A token, and the logarithm of the probability that the model gave it. `uniform` gives a number from 0
    /// to below 1, and is asked where there is a choice. None where a logit is not a number or
    /// infinitely high, or all are infinitely low.
    pub(super) fn draw(&self, logits: &[f32], seen: &BTreeSet<u32>, uniform: impl FnOnce() -> f64) -> Option<(u32, f32)> {
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if !highest.is_finite() || logits.iter().any(|logit| logit.is_nan()) {
            return None;
        }
        let total: f64 = logits.iter().map(|logit| f64::from(logit - highest).exp()).sum();
        let candidates = self.candidates(logits, seen);
        let id = choose(&candidates, uniform);
        Some((id, (f64::from(logits[id as usize] - highest) - total.ln()) as f32))
    }

    /// What can be drawn, with weights that are probabilities but for a factor; never nothing.
    fn candidates(&self, logits: &[f32], seen: &BTreeSet<u32>) -> Vec<(u32, f64)> {
        let mut scores: Vec<(u32, f64)> = (0..).zip(logits.iter().map(|&logit| f64::from(logit))).collect();
        for &id in seen {
            if let Some((_, score)) = scores.get_mut(id as usize).filter(|_| self.looks_back()) {
                *score = if *score < 0.0 { *score * self.repetition_penalty } else { *score / self.repetition_penalty };
            }
        }
        if self.temperature <= 0.0 {
            return scores.into_iter().min_by(likelier).into_iter().collect();
        }
        if self.top_k > 0 {
            first(&mut scores, self.top_k as usize);
        }
        let highest = scores.iter().map(|&(_, score)| score).fold(f64::NEG_INFINITY, f64::max);
        scores.iter_mut().for_each(|(_, score)| *score = ((*score - highest) / self.temperature).exp());
        if self.top_p < 1.0 {
            nucleus(&mut scores, self.top_p);
        }
        // The likeliest has the weight 1.
        scores.retain(|&(_, weight)| weight >= self.min_p);
        scores
    }
}

/// Likeliest first; of equal ones the lower id.
fn likelier(a: &(u32, f64), b: &(u32, f64)) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// Leaves the `count` likeliest, in order.
fn first(scores: &mut Vec<(u32, f64)>, count: usize) {
    if count < scores.len() {
        scores.select_nth_unstable_by(count, likelier);
        scores.truncate(count);
    }
    scores.sort_unstable_by(likelier);
}

/// Leaves the fewest likeliest that make up this share. They are few as a rule, so that not all are put
/// in order.
fn nucleus(weights: &mut Vec<(u32, f64)>, share: f64) {
    let wanted = share * weights.iter().map(|&(_, weight)| weight).sum::<f64>();
    let mut size = 64;
    loop {
        let sorted = size.min(weights.len());
        if sorted < weights.len() {
            weights.select_nth_unstable_by(sorted, likelier);
        }
        weights[..sorted].sort_unstable_by(likelier);
        let mut sum = 0.0;
        let end = weights[..sorted].iter().position(|&(_, weight)| {
            sum += weight;
            sum >= wanted
        });
        match end {
            Some(end) => return weights.truncate(end + 1),
            None if sorted == weights.len() => return,
            None => size *= 8,
        }
    }
}

/// One of the candidates, drawn by their weights.
fn choose(candidates: &[(u32, f64)], uniform: impl FnOnce() -> f64) -> u32 {
    let likeliest = candidates.iter().min_by(|a, b| likelier(a, b)).map_or(0, |&(id, _)| id);
    if candidates.len() == 1 {
        return likeliest;
    }
    let mut left = uniform() * candidates.iter().map(|&(_, weight)| weight).sum::<f64>();
    for &(id, weight) in candidates {
        left -= weight;
        if left < 0.0 {
            return id;
        }
    }
    likeliest // rounding has left a crumb
}

#[cfg(test)]
mod tests;
