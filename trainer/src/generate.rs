//! Continuations of many prompts at a time, with a cache of keys and values.
//!
//! A [`Generator`] holds sequences of any length. Every [`Generator::step`] takes what is new of each through
//! the model - a prompt, or a piece of a long one, or the token drawn last - and draws a token for
//! each that is through. A finished sequence leaves, and the next one that waits takes its place
//! (Yu et al. 2022). Nothing is padded: the rows of a step are the new tokens alone.

#[cfg(feature = "cuda")]
mod card;
mod config;
mod sampling;
mod score;
mod sequence;
mod text;

use std::collections::{BTreeSet, VecDeque};

use burn::tensor::Tensor;
use rayon::prelude::*;

pub use config::GenerateConfig;
pub use sampling::Sampling;
pub use score::{Score, score};
pub use sequence::{Completion, FinishReason, Request, Token};
pub use text::{Piece, TextStream};

use crate::error::{Error, Result};
use crate::kernels::check;
use crate::kernels::cpu::decode;
use crate::model::{KvCache, Model, Span, Step, inputs};
use sequence::Sequence;

/// Rows whose logits are computed and read together on a card: 156 MB of a vocabulary of 152,000.
const LOGIT_ROWS: usize = 256;

/// Continues sequences with one model.
///
/// What a sequence becomes follows from the model, its request, the seed and the options alone: on the
/// CPU, to the last bit, not from what else is generated at the same time or in which order it was pushed.
/// On a card, the products' rounding depends on their size; draws that were almost even may differ.
///
/// ```
/// # use trainer::{DeviceSpec, GenerateConfig, Generator, ModelConfig, Request};
/// # fn main() -> trainer::Result<()> {
/// let config = ModelConfig { hidden: 32, layers: 1, heads: 2, kv_heads: 1, intermediate: 64, ..ModelConfig::default() };
/// let model = config.init(&DeviceSpec::Cpu.open()?, 256, 7)?;
/// let mut generator = Generator::new(&model, GenerateConfig::default())?;
/// for id in 0..3 {
///     generator.push(Request { id, prompt: vec![1, 2, 3], tokens: 5, ..Request::default() })?;
/// }
/// let completions = generator.run()?;
/// assert!(completions.iter().all(|completion| completion.ids.len() == 5 && completion.log_probs.len() == 5));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Generator {
    model: Model,
    config: GenerateConfig,
    cache: KvCache,
    /// Whether the CPU's kernels for few rows are used.
    paged: bool,
    /// What makes the steps on a card.
    #[cfg(feature = "cuda")]
    decoder: Option<crate::kernels::gpu::Decoder>,
    waiting: VecDeque<Sequence>,
    live: Vec<Sequence>,
    ids: BTreeSet<u64>,
}

impl Generator {
    /// Shares the model's weights as they are now: after they have changed, make a new one.
    pub fn new(model: &Model, config: GenerateConfig) -> Result<Self> {
        config.validate()?;
        model.check_text()?;
        let model = model.frozen();
        #[cfg_attr(not(feature = "cuda"), allow(unused_mut))]
        let mut cache = KvCache::new(&model, config.blocks(&model)?);
        let paged = model.on_cpu();
        #[cfg(feature = "cuda")]
        let decoder = card::decoder(&model, &mut cache, &config);
        Ok(Self {
            model,
            config,
            cache,
            paged,
            #[cfg(feature = "cuda")]
            decoder,
            waiting: VecDeque::new(),
            live: Vec::new(),
            ids: BTreeSet::new(),
        })
    }

    /// Tokens, prompt and continuation together, that a sequence can have.
    pub fn longest(&self) -> usize {
        self.config.context.min(self.cache.blocks() * crate::model::BLOCK)
    }

    /// Adds a sequence; it begins at the next step at which there is room for it.
    pub fn push(&mut self, request: Request) -> Result<()> {
        request.check(self.model.vocab_size(), self.longest())?;
        if !self.ids.insert(request.id) {
            return Err(Error::Request { id: request.id, detail: "another request has this id".to_owned() });
        }
        let length = self.longest().min(request.prompt.len() + request.tokens as usize);
        self.waiting.push_back(Sequence::new(request, length));
        Ok(())
    }

    /// Sequences that are not finished.
    pub fn pending(&self) -> usize {
        self.waiting.len() + self.live.len()
    }

    /// Ends a sequence because of what it has become; none where no such sequence is being generated.
    pub fn stop(&mut self, id: u64) -> Option<Completion> {
        let at = self.live.iter().position(|sequence| sequence.request.id == id)?;
        let sequence = self.live.remove(at);
        Some(self.leave(sequence, FinishReason::Stop))
    }

    /// Takes what is new through the model. Gives the tokens drawn, in the order in which their
    /// sequences began, and the sequences that ended by them.
    pub fn step(&mut self) -> Result<(Vec<Token>, Vec<Completion>)> {
        self.admit();
        #[cfg(feature = "cuda")]
        if let Some(decoder) = self.decoder.take() {
            let made = self.step_on_card(&decoder);
            self.decoder = Some(decoder);
            return made;
        }
        let mut rows = Vec::new();
        let mut hidden = Vec::new();
        for group in self.groups() {
            let (ready, x_nh) = self.forward(&group);
            for &at in &group {
                let sequence = &mut self.live[at];
                sequence.done = sequence.chunk(self.config.prefill).end;
            }
            if !ready.is_empty() {
                rows.extend(ready);
                hidden.push(x_nh);
            }
        }
        if rows.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let logits = self.logits(Tensor::cat(hidden, 0))?;
        let vocab = self.model.vocab_size();
        let known = self.config.ids.map_or(vocab, |ids| vocab.min(ids as usize));
        let seed = self.config.seed;
        let mut drawn: Vec<(usize, u32, f32)> = rows
            .par_iter()
            .zip(logits.par_chunks_exact(vocab))
            .map(|(&at, logits)| {
                let (id, log_prob) = self.live[at].draw(&logits[..known], seed)?;
                Ok((at, id, log_prob))
            })
            .collect::<Result<_>>()?;
        drawn.sort_unstable_by_key(|&(at, ..)| at);
        Ok(self.append(drawn))
    }

    /// Steps until nothing is left; the completions in the order of their ids.
    pub fn run(&mut self) -> Result<Vec<Completion>> {
        let mut all = Vec::new();
        while self.pending() > 0 {
            all.extend(self.step()?.1);
        }
        all.sort_unstable_by_key(|completion| completion.id);
        Ok(all)
    }

    /// Sequences that wait get a place, first come first served.
    fn admit(&mut self) {
        while self.live.len() < self.config.batch {
            let Some(next) = self.waiting.front() else { return };
            let Some(slots) = self.cache.take(next.length) else { return };
            let Some(mut next) = self.waiting.pop_front() else { return };
            next.slots = slots;
            self.live.push(next);
        }
    }

    /// Sequences that go through the model together. A piece of a prompt comes with others of its kind:
    /// whether it is long enough for the backend's products decides it alone, never its company.
    fn groups(&self) -> Vec<Vec<usize>> {
        let rows = |at: &usize| self.live[*at].chunk(self.config.prefill).len();
        let few = |at: &usize| self.paged && rows(at) <= decode::FEW;
        let (mut short, mut long): (Vec<usize>, Vec<usize>) = (0..self.live.len()).partition(few);
        // Alike lengths next to each other are one product.
        short.sort_by_key(|&at| self.live[at].done);
        long.sort_by_key(|&at| self.live[at].done);
        let mut groups = Vec::new();
        // Long pieces beyond what a step takes wait for the next one.
        let budget = self.config.prefill.max(self.config.batch);
        groups.extend(cut(&long, budget, rows).into_iter().next());
        groups.extend(cut(&short, decode::FEW, rows));
        groups
    }

    /// Takes the next piece of each through the model: those whose prompt is through with it, and the
    /// last hidden state of each, `[R, H]`.
    fn forward(&mut self, group: &[usize]) -> (Vec<usize>, Tensor<2>) {
        let (mut ready, mut last, mut rows) = (Vec::new(), Vec::new(), 0);
        let mut spans = Vec::with_capacity(group.len());
        for &at in group {
            let sequence = &self.live[at];
            let chunk = sequence.chunk(self.config.prefill);
            rows += chunk.len();
            if chunk.end == sequence.ids.len() {
                ready.push(at);
                last.push(rows as u32 - 1);
            }
            spans.push(Span { past: chunk.start, ids: &sequence.ids[chunk], slots: sequence.slots.clone() });
        }
        let paged = self.paged && rows <= decode::FEW;
        let step = Step::new(&self.model, &spans, paged);
        let x_nh = self.model.extend(&step, &mut self.cache);
        let last = inputs::integers(&last, [last.len()], &self.model.device());
        let x_rh = if ready.is_empty() { x_nh } else { x_nh.select(0, last) };
        (ready, x_rh)
    }

    /// The logits of hidden states, row after row.
    fn logits(&self, x_rh: Tensor<2>) -> Result<Vec<f32>> {
        let rows = x_rh.dims()[0];
        let mut all = Vec::with_capacity(rows * self.model.vocab_size());
        // In groups, so that on the CPU each row's numbers are the same in any company.
        // Elsewhere every piece is waited for.
        let together = if self.paged { decode::FEW } else { LOGIT_ROWS };
        for first in (0..rows).step_by(together) {
            let logits = self.model.logits(x_rh.clone().narrow(0, first, together.min(rows - first)));
            all.extend(logits.try_into_vec_as::<f32>().map_err(Error::backend("read logits"))?);
        }
        check("read logits")?;
        Ok(all)
    }

    /// Adds drawn tokens to their sequences, and lets those go that end.
    fn append(&mut self, drawn: Vec<(usize, u32, f32)>) -> (Vec<Token>, Vec<Completion>) {
        let mut tokens = Vec::with_capacity(drawn.len());
        let mut ended = Vec::new();
        for (at, id, log_prob) in drawn {
            let sequence = &mut self.live[at];
            sequence.push(id, log_prob);
            let reason = sequence.reason();
            tokens.push(Token { request: sequence.request.id, id, log_prob, finish: reason });
            ended.extend(reason.map(|reason| (at, reason)));
        }
        let mut completions: Vec<Completion> = ended
            .into_iter()
            .rev()
            .map(|(at, reason)| {
                let sequence = self.live.remove(at);
                self.leave(sequence, reason)
            })
            .collect();
        completions.reverse();
        (tokens, completions)
    }

    fn leave(&mut self, sequence: Sequence, finish: FinishReason) -> Completion {
        self.cache.give_back(&sequence.slots);
        self.ids.remove(&sequence.request.id);
        sequence.complete(finish)
    }
}

/// Cuts a list into groups of at most `budget` rows each; a single one may have more.
fn cut(list: &[usize], budget: usize, rows: impl Fn(&usize) -> usize) -> Vec<Vec<usize>> {
    let mut groups: Vec<(usize, Vec<usize>)> = Vec::new();
    for at in list {
        let own = rows(at);
        match groups.last_mut() {
            Some((sum, group)) if *sum + own <= budget => {
                *sum += own;
                group.push(*at);
            }
            _ => groups.push((own, vec![*at])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

#[cfg(test)]
mod tests;
