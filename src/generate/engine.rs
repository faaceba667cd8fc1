//! Prompts and continuations as texts, around the generator of ids.

use std::collections::BTreeMap;

use serde_json::Value;
use trainer::{Completion, FinishReason, GenerateConfig, Generator, Piece, Request, Sampling, TextStream};

use super::form::{Form, Prompt};
use crate::cli;
use crate::error::{Error, Result};

/// Longest context that is taken unasked.
const CONTEXT: u32 = 32_768;

/// A text to be continued.
pub(crate) struct Job {
    /// Its place among all; its draws follow from this.
    pub(crate) id: u64,
    /// What it is called in the output.
    pub(crate) name: Value,
    pub(crate) prompt: Prompt,
}

/// A finished continuation.
pub(crate) struct Continued {
    pub(crate) job: Job,
    pub(crate) text: String,
    /// Ids of its prompt.
    pub(crate) prompt: Vec<u32>,
    pub(crate) completion: Completion,
    /// Whether a stop string ended it.
    stopped: bool,
}

/// A prompt that leaves no room for a continuation.
pub(crate) struct TooLong {
    tokens: usize,
    longest: usize,
}

/// Tokens that went through.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) prompt: u64,
    pub(crate) drawn: u64,
}

/// Continues texts.
pub(crate) struct Engine<'a> {
    form: &'a Form<'a>,
    ends: Vec<u32>,
    arguments: &'a cli::Generate,
    generator: Generator,
    texts: BTreeMap<u64, (Job, Vec<u32>, TextStream<'a>)>,
    tally: Tally,
}

impl Continued {
    /// Why it ended.
    pub(crate) fn finish(&self) -> &'static str {
        match self.completion.finish {
            _ if self.stopped => "stop",
            FinishReason::End => "end",
            FinishReason::Length => "length",
            FinishReason::Stop => "stop",
        }
    }
}

impl<'a> Engine<'a> {
    pub(crate) fn new(form: &'a Form<'a>, arguments: &'a cli::Generate) -> Result<Self> {
        let opened = form.opened;
        let most = opened.model.config().max_positions.unwrap_or(CONTEXT).clamp(2, CONTEXT);
        let config = GenerateConfig {
            batch: if arguments.prompts.is_some() { arguments.batch } else { arguments.batch.min(arguments.samples) } as usize,
            context: arguments.context.unwrap_or(most) as usize,
            cache_bytes: arguments.cache_bytes,
            ids: Some(opened.tokenizer.vocab_size()),
            seed: arguments.seed,
            ..GenerateConfig::default()
        };
        let generator = Generator::new(&opened.model, config).map_err(Error::new)?;
        let ends = if arguments.ignore_end { Vec::new() } else { form.ends()? };
        Ok(Self { form, ends, arguments, generator, texts: BTreeMap::new(), tally: Tally::default() })
    }

    /// Adds a text; one that is too long is an error.
    pub(crate) fn push(&mut self, job: Job) -> Result<()> {
        match self.push_if_short(job)? {
            None => Ok(()),
            Some(TooLong { tokens, longest }) => {
                Err(Error::new(format!("a prompt of {tokens} tokens, but {longest} are the most for prompt and continuation"))
                    .hint("shorten it, or raise --context or --cache-bytes"))
            }
        }
    }

    /// Adds a text, unless it is too long.
    pub(crate) fn push_if_short(&mut self, job: Job) -> Result<Option<TooLong>> {
        let cli::SamplingArgs { temperature, top_k, top_p, min_p, repetition_penalty } = self.arguments.sampling;
        let prompt = self.form.ids(&job.prompt)?;
        let longest = self.generator.longest();
        if prompt.len() >= longest {
            return Ok(Some(TooLong { tokens: prompt.len(), longest }));
        }
        let text = TextStream::new(&self.form.opened.tokenizer, &prompt, &self.arguments.stop);
        self.tally.prompt += prompt.len() as u64;
        let request = Request {
            id: job.id,
            prompt: prompt.clone(),
            tokens: self.arguments.tokens,
            sampling: Sampling { repetition_penalty, temperature, top_k, top_p, min_p },
            ends: self.ends.clone(),
        };
        self.generator.push(request).map_err(|error| match error {
            trainer::Error::Setting { option, detail } => Error::new(format!("--{option} is {detail}")),
            error => Error::new(error),
        })?;
        self.texts.insert(job.id, (job, prompt, text));
        Ok(None)
    }

    /// Texts that are not finished.
    pub(crate) fn pending(&self) -> usize {
        self.generator.pending()
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// One step of all. `on` hears new text; gives what is finished.
    pub(crate) fn step(&mut self, on: &mut dyn FnMut(&str)) -> Result<Vec<Continued>> {
        let (tokens, mut completions) = self.generator.step().map_err(Error::bad_result)?;
        self.tally.drawn += tokens.len() as u64;
        for token in tokens.iter().filter(|token| token.finish != Some(FinishReason::End)) {
            let Some((.., text)) = self.texts.get_mut(&token.request) else { continue };
            let Piece { text, stopped } = text.push(token.id).map_err(Error::new)?;
            on(&text);
            if stopped && token.finish.is_none() {
                completions.extend(self.generator.stop(token.request));
            }
        }
        completions.into_iter().filter_map(|completion| self.finish(completion, on).transpose()).collect()
    }

    fn finish(&mut self, completion: Completion, on: &mut dyn FnMut(&str)) -> Result<Option<Continued>> {
        let Some((job, prompt, mut text)) = self.texts.remove(&completion.id) else { return Ok(None) };
        on(&text.finish().map_err(Error::new)?);
        Ok(Some(Continued { job, stopped: text.stopped(), text: text.text().to_owned(), prompt, completion }))
    }
}
