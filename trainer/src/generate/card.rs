//! Steps that a card's [`Decoder`](gpu::Decoder) makes.

use super::{Completion, GenerateConfig, Generator, Token};
use crate::error::Result;
use crate::kernels::gpu::{self, Drawn, Fresh};
use crate::model::{BLOCK, KvCache, Model};

/// What makes a generator's steps on a card; none where the model goes through them as through any other forward pass.
pub(super) fn decoder(model: &Model, cache: &mut KvCache, config: &GenerateConfig) -> Option<gpu::Decoder> {
    let longest = config.context.min(cache.blocks() * BLOCK);
    let limits = gpu::Limits {
        rows: config.prefill.max(config.batch).min(longest.saturating_mul(config.batch)),
        sequences: config.batch,
        blocks: KvCache::blocks_for(longest),
        ids: config.ids.map_or(model.vocab_size(), |ids| ids as usize),
    };
    model.decoder(cache, limits)
}

impl Generator {
    /// [`Generator::step`] with this decoder.
    pub(super) fn step_on_card(&mut self, decoder: &gpu::Decoder) -> Result<(Vec<Token>, Vec<Completion>)> {
        let group = self.groups().into_iter().next().unwrap_or_default();
        let mut fresh = Vec::with_capacity(group.len());
        let mut ready = Vec::with_capacity(group.len());
        for &at in &group {
            let sequence = &self.live[at];
            let chunk = sequence.chunk(self.config.prefill);
            let choice = (chunk.end == sequence.ids.len()).then(|| sequence.choice(self.config.seed));
            ready.extend(choice.map(|_| at));
            fresh.push(Fresh { past: chunk.start, ids: &sequence.ids[chunk], slots: &sequence.slots, choice });
        }
        let found = decoder.step(&fresh)?;
        let known = self.config.ids.map_or(usize::MAX, |ids| ids as usize);
        let mut drawn = Vec::with_capacity(ready.len());
        for (place, (&at, found)) in ready.iter().zip(found).enumerate() {
            let sequence = &self.live[at];
            let (id, log_prob) = match found {
                Drawn::Token(id, log_prob) if !sequence.request.sampling.looks_back() => (id, log_prob),
                Drawn::NotFinite => return Err(sequence.not_finite()),
                Drawn::Token(..) | Drawn::Unknown => {
                    let logits = decoder.logits(place)?;
                    sequence.draw(&logits[..known.min(logits.len())], self.config.seed)?
                }
            };
            drawn.push((at, id, log_prob));
        }
        for at in group {
            let sequence = &mut self.live[at];
            sequence.done = sequence.chunk(self.config.prefill).end;
        }
        drawn.sort_unstable_by_key(|&(at, ..)| at);
        Ok(self.append(drawn))
    }
}

#[cfg(test)]
mod tests;
