//! Answers of the model as it is now, and batches of them.

use shards::{Batch, Tokenizer};

use super::config::RolloutConfig;
use super::prompt::{Prompt, without_end};
use super::reward::Sample;
use crate::config::refuse;
use crate::error::{Error, Result};
use crate::generate::{FinishReason, GenerateConfig, Generator, Request};
use crate::model::Model;
use crate::rng::Rng;

/// What the model said to a prompt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// Which prompt it answers.
    pub(crate) prompt: usize,
    /// Its tokens, the one that ended it among them; at least one.
    pub(crate) ids: Vec<u32>,
    /// What the generator says that they were worth: natural logarithms of probabilities, before temperature and cuts.
    pub(crate) log_probs: Vec<f32>,
    /// Whether it came to an end, and was not cut off.
    pub(crate) ended: bool,
    /// What it says, without what ends it.
    pub(crate) text: String,
    /// `ids`, and after an answer that ended as that of the data what the template writes there.
    whole: Vec<u32>,
}

/// The prompts of a step and the answers to them, those to one prompt together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rollout {
    pub(crate) prompts: Vec<Prompt>,
    pub(crate) answers: Vec<Answer>,
}

/// How answers are drawn, beside what the recipe says of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawing<'a> {
    pub(crate) config: &'a RolloutConfig,
    /// Answers to each prompt.
    pub(crate) group: u32,
    /// Tokens of prompt and answer together, at most.
    pub(crate) context: usize,
    pub(crate) ends: &'a [u32],
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) seed: u64,
}

impl Rollout {
    /// Answers of this model. They follow from the seed, and from each prompt and its place, not from what else is answered.
    pub(crate) fn draw(model: &Model, prompts: Vec<Prompt>, drawing: &Drawing) -> Result<Self> {
        let Drawing { config, group, context, ends, tokenizer, seed } = *drawing;
        let options = GenerateConfig {
            batch: config.parallel as usize,
            context,
            cache_bytes: config.cache_bytes,
            ids: Some(tokenizer.vocab_size()),
            seed,
            ..GenerateConfig::default()
        };
        let group = u64::from(group.max(1));
        let mut generator = Generator::new(model, options)?;
        if generator.longest() < context {
            let detail = format!("too small: {} tokens of a sequence have room, not `sequence-length` = {context}", generator.longest());
            return refuse("rollout.cache-bytes", detail);
        }
        for prompt in &prompts {
            for number in 0..group {
                generator.push(Request {
                    id: prompt.place * group + number,
                    prompt: prompt.ids.clone(),
                    tokens: config.max_new_tokens,
                    sampling: config.sampling(),
                    ends: ends.to_vec(),
                })?;
            }
        }
        let mut answers = Vec::with_capacity(prompts.len() * group as usize);
        // Completions come in the order of their ids, and prompts in that of their places.
        for (at, completion) in generator.run()?.into_iter().enumerate() {
            let prompt = at / group as usize;
            let ended = completion.finish == FinishReason::End;
            let text = tokenizer.decode(without_end(&completion.ids, ends))?;
            // What follows one end does not follow another: after the end of all text there is nothing.
            let Prompt { end, tail, .. } = &prompts[prompt];
            let tail = if ended && completion.ids.last() == end.as_ref() { &tail[..] } else { &[] };
            let whole = [&completion.ids[..], tail].concat();
            answers.push(Answer { prompt, ids: completion.ids, log_probs: completion.log_probs, ended, text, whole });
        }
        Ok(Self { prompts, answers })
    }

    /// What rewards look at.
    pub(crate) fn samples(&self) -> Vec<Sample<'_>> {
        let samples = self.answers.iter().map(|answer| {
            let prompt = &self.prompts[answer.prompt];
            Sample {
                prompt: &prompt.text,
                response: &answer.text,
                reference: &prompt.reference,
                ended: answer.ended,
                prompt_ids: &prompt.ids,
                response_ids: &answer.whole,
            }
        });
        samples.collect()
    }

    /// Tokens of prompt and answer together.
    pub(crate) fn length(&self, answer: usize) -> usize {
        let answer = &self.answers[answer];
        self.prompts[answer.prompt].ids.len() + answer.ids.len()
    }

    /// A batch of these answers, each in a row of its own whose [`Batch::buckets`] is the answer's number; the
    /// tokens of answers count. `padding` fills rows up.
    pub(crate) fn batch(&self, answers: &[usize], padding: u32) -> Batch {
        let rows = answers.iter().map(|&at| {
            let answer = &self.answers[at];
            (at as u32, &self.prompts[answer.prompt].ids[..], &answer.ids[..])
        });
        batch(rows.collect(), padding)
    }
}

/// Rows of a number, a beginning, and what follows and counts.
pub(super) fn batch(rows: Vec<(u32, &[u32], &[u32])>, padding: u32) -> Batch {
    // Every token but the last is an input.
    let seq_len = rows.iter().map(|(_, before, after)| (before.len() + after.len()).saturating_sub(1)).max().unwrap_or(0).max(1);
    let cells = rows.len() * seq_len;
    let mut batch = Batch {
        rows: rows.len(),
        seq_len,
        inputs: vec![padding; cells],
        targets: vec![padding; cells],
        positions: (0..seq_len as u32).cycle().take(cells).collect(),
        documents: vec![1; cells],
        mask: vec![false; cells],
        buckets: rows.iter().map(|(number, ..)| *number).collect(),
        answers: Vec::new(),
    };
    for (row, (_, before, after)) in rows.into_iter().enumerate() {
        let ids = [before, after].concat();
        let (start, length) = (row * seq_len, ids.len().saturating_sub(1));
        batch.inputs[start..start + length].copy_from_slice(&ids[..length]);
        batch.targets[start..start + length].copy_from_slice(&ids[1..]);
        batch.documents[start..start + length].fill(0);
        for (place, padding) in (start + length..start + seq_len).enumerate() {
            batch.positions[padding] = place as u32;
        }
        batch.mask[start + before.len().saturating_sub(1)..start + length].fill(true);
    }
    batch
}

/// The answers of one pass over a rollout in an order of its own, `size` of them at a time; the answers to a
/// prompt, `group` of them, stay together. One piece that holds all keeps the rollout's order.
pub(crate) fn pieces(answers: usize, group: usize, size: usize, seed: u64, name: &str) -> Vec<Vec<usize>> {
    let (group, size) = (group.max(1), size.max(1));
    let mut prompts: Vec<usize> = (0..answers / group).collect();
    if size * group < answers {
        let mut rng = Rng::new(seed, name);
        for last in (1..prompts.len()).rev() {
            let other = (rng.uniform() * (last + 1) as f64) as usize;
            prompts.swap(last, other.min(last));
        }
    }
    prompts.chunks(size).map(|prompts| prompts.iter().flat_map(|prompt| prompt * group..(prompt + 1) * group).collect()).collect()
}

/// The seed of what is drawn in a step.
pub(crate) fn seed_of(seed: u64, step: u64) -> u64 {
    Rng::new(seed, &format!("rollout of step {step}")).next()
}

/// That there are ids that end an answer, and that the tokenizer has them.
pub(crate) fn check_ends(ends: &[u32], tokenizer: &Tokenizer) -> Result<()> {
    match ends.iter().find(|&&id| id >= tokenizer.vocab_size()) {
        Some(id) => Err(Error::Batch(format!("token {id} is to end answers, but the tokenizer has {} ids", tokenizer.vocab_size()))),
        None if ends.is_empty() => Err(Error::Batch("no token ends an answer".to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
