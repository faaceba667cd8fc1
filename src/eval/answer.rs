//! Questions through the model: log-likelihoods of choices, or texts.
//!
//! The answers depend on the model and the question alone, not on what was answered before: likelihoods are
//! computed in chunks that the whole set decides, and a chunk of which one record is missing is computed whole.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use trainer::{FinishReason, GenerateConfig, Generator, Piece, Request, Sampling, TextStream};

use super::form::Form;
use super::item::{Answer, Ask, Item, rounded};
use super::judge::judge;
use super::store::Store;
use crate::error::{Error, Result};
use crate::model::Opened;
use crate::report::{Ui, Unit};

/// Questions whose likelihoods are computed, and kept, at a time, at most.
const CHUNK: usize = 16;
/// Their tokens, at most, unless one alone has more: what is lost when the program is stopped.
const CHUNK_TOKENS: u64 = 8_192;
/// Longest context that is taken where the model names none.
const CONTEXT: usize = 32_768;

/// Questions with what the model reads of each.
pub(super) struct Questions<'a> {
    pub(super) items: &'a [Item],
    /// Examples and prompt, of each item.
    pub(super) prompts: &'a [String],
    pub(super) form: &'a Form<'a>,
    /// Texts generated at a time.
    pub(super) batch: u32,
}

/// Answers what the store has not, longest prompts first. Gives how many were answered.
pub(super) fn answer(name: &str, questions: &Questions<'_>, store: &mut Store, cancel: &AtomicBool, ui: &Ui) -> Result<usize> {
    let (items, prompts) = (questions.items, questions.prompts);
    let missing: Vec<bool> = items.iter().zip(prompts).map(|(item, prompt)| store.get(item, prompt).is_none()).collect();
    let count = missing.iter().filter(|missing| **missing).count();
    if count == 0 {
        return Ok(0);
    }
    let length = |prompt: &String| questions.form.ids(prompt).map(|ids| ids.len());
    let lengths: Vec<usize> = prompts.par_iter().map(length).collect::<Result<_>>()?;
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|&at| (std::cmp::Reverse(lengths[at]), at));
    let asked = |at: &usize| matches!(items[*at].ask, Ask::Choose(_));
    let (choices, texts): (Vec<usize>, Vec<usize>) = order.into_iter().partition(asked);
    let work = Work { questions, missing: &missing, lengths: &lengths, cancel };
    if choices.iter().any(|&at| missing[at]) {
        work.choose(name, &choices, store, ui)?;
    }
    if texts.iter().any(|&at| missing[at]) {
        work.write(name, &texts, store, ui)?;
    }
    Ok(count)
}

struct Work<'a> {
    questions: &'a Questions<'a>,
    missing: &'a [bool],
    lengths: &'a [usize],
    cancel: &'a AtomicBool,
}

/// A prompt in tokens, with each of its choices.
struct Encoded {
    pairs: Vec<(Vec<u32>, Vec<u32>)>,
    cut: usize,
}

impl Work<'_> {
    fn stopped(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) { Err(Error::interrupted()) } else { Ok(()) }
    }

    /// The questions in pieces. They follow from the whole list: answers do not depend on what was missing.
    fn chunks<'b>(&self, order: &'b [usize]) -> Vec<&'b [usize]> {
        let mut chunks = Vec::new();
        let mut rest = order;
        while !rest.is_empty() {
            let mut tokens = 0;
            let fits = |at: &&usize| {
                tokens += self.lengths[**at] as u64;
                tokens <= CHUNK_TOKENS
            };
            let count = rest.iter().take(CHUNK).take_while(fits).count().max(1);
            let (chunk, later) = rest.split_at(count);
            chunks.push(chunk);
            rest = later;
        }
        chunks
    }

    fn context(&self) -> usize {
        self.questions.form.opened.model.config().max_positions.map_or(CONTEXT, |most| most as usize)
    }

    fn choose(&self, name: &str, order: &[usize], store: &mut Store, ui: &Ui) -> Result<()> {
        let tokens = |chunk: &[usize]| chunk.iter().map(|&at| self.lengths[at] as u64).sum::<u64>();
        let progress = ui.progress(name, Unit::Tokens, tokens(order));
        let wanted = |chunk: &&[usize]| chunk.iter().any(|&at| self.missing[at]);
        let chunks = self.chunks(order);
        let done: u64 = chunks.iter().filter(|chunk| !wanted(chunk)).map(|chunk| tokens(chunk)).sum();
        progress.set_before(done);
        for chunk in chunks.into_iter().filter(wanted) {
            self.stopped()?;
            let encoded: Vec<Encoded> = chunk.iter().map(|&at| self.encode(at)).collect::<Result<_>>()?;
            let pairs: Vec<(&[u32], &[u32])> =
                encoded.iter().flat_map(|encoded| encoded.pairs.iter().map(|(context, choice)| (&context[..], &choice[..]))).collect();
            let mut scores = trainer::score(&self.questions.form.opened.model, &pairs, |_| ()).map_err(Error::bad_result)?.into_iter();
            let mut records = Vec::new();
            for (&at, encoded) in chunk.iter().zip(&encoded) {
                let values: Vec<f64> = scores.by_ref().take(encoded.pairs.len()).map(|score| rounded(score.log_likelihood)).collect();
                let item = &self.questions.items[at];
                if values.iter().any(|value| !value.is_finite()) {
                    return Err(Error::bad_result(format!("{name}: the model gives no finite likelihood for {}", item.id)));
                }
                if self.missing[at] {
                    records.push(judge(item, self.questions.prompts[at].clone(), encoded.cut, Answer::LogLikelihoods(values)));
                }
            }
            store.add(records)?;
            progress.add(tokens(chunk));
        }
        Ok(())
    }

    /// As lm-eval does it: context and choice are encoded together, and the choice is what is beyond the context's
    /// own length. A prompt that is too long loses its beginning.
    fn encode(&self, at: usize) -> Result<Encoded> {
        let form = self.questions.form;
        let item = &self.questions.items[at];
        let prompt = &self.questions.prompts[at];
        let Ask::Choose(choices) = &item.ask else { return Ok(Encoded { pairs: Vec::new(), cut: 0 }) };
        let mut cut = 0;
        let mut pairs = Vec::new();
        for choice in choices {
            let (context, whole) = form.with_choice(prompt, choice);
            let (context, whole) = (form.ids(context)?, form.ids(&whole)?);
            let Some(choice_ids) = whole.get(context.len()..).filter(|ids| !ids.is_empty()) else {
                return Err(Error::new(format!("{}: the tokenizer gives `{choice}` no token of its own after its prompt", item.id)));
            };
            let room = (self.context() + 1).saturating_sub(choice_ids.len()).max(1);
            let over = context.len().saturating_sub(room);
            cut = cut.max(over);
            pairs.push((context[over..].to_vec(), choice_ids.to_vec()));
        }
        Ok(Encoded { pairs, cut })
    }

    fn write(&self, name: &str, order: &[usize], store: &mut Store, ui: &Ui) -> Result<()> {
        let Questions { items, prompts, form, batch } = *self.questions;
        let Opened { model, tokenizer, .. } = form.opened;
        let ends = form.ends()?;
        let progress = ui.progress(name, Unit::Items, order.len() as u64);
        let mut left = order.iter().copied().filter(|&at| self.missing[at]).peekable();
        progress.set_before(order.iter().filter(|&&at| !self.missing[at]).count() as u64);
        let config = GenerateConfig {
            batch: batch as usize,
            context: self.context().clamp(2, CONTEXT),
            ids: Some(tokenizer.vocab_size()),
            ..GenerateConfig::default()
        };
        let mut generator = Generator::new(model, config).map_err(Error::new)?;
        let mut texts = BTreeMap::new();
        while left.peek().is_some() || generator.pending() > 0 {
            self.stopped()?;
            while generator.pending() < 2 * batch as usize
                && let Some(at) = left.next()
            {
                let Ask::Write { tokens, stops } = &items[at].ask else { continue };
                let mut prompt = form.ids(&prompts[at])?;
                // Half of what fits is left to the answer at least, or as much as it may have.
                let longest = generator.longest();
                let cut = prompt.len().saturating_sub(longest - (*tokens as usize).min(longest / 2));
                prompt.drain(..cut);
                let stream = TextStream::new(tokenizer, &prompt, stops);
                let request = Request { id: at as u64, prompt, tokens: *tokens, sampling: Sampling::greedy(), ends: ends.clone() };
                generator.push(request).map_err(Error::new)?;
                texts.insert(at as u64, (stream, cut));
            }
            let (tokens, mut finished) = generator.step().map_err(Error::bad_result)?;
            for token in tokens.iter().filter(|token| token.finish != Some(FinishReason::End)) {
                let Some((stream, _)) = texts.get_mut(&token.request) else { continue };
                let Piece { stopped, .. } = stream.push(token.id).map_err(Error::new)?;
                if stopped && token.finish.is_none() {
                    finished.extend(generator.stop(token.request));
                }
            }
            let mut records = Vec::new();
            for completion in finished {
                let Some((mut stream, cut)) = texts.remove(&completion.id) else { continue };
                stream.finish().map_err(Error::new)?;
                let finish = match completion.finish {
                    _ if stream.stopped() => "stop",
                    FinishReason::End => "end",
                    FinishReason::Stop => "stop",
                    FinishReason::Length => "length",
                };
                let at = completion.id as usize;
                let answer = Answer::Text { text: stream.text().to_owned(), finish: finish.to_owned() };
                records.push(judge(&items[at], prompts[at].clone(), cut, answer));
            }
            progress.add(records.len() as u64);
            if !records.is_empty() {
                store.add(records)?;
            }
        }
        Ok(())
    }
}
