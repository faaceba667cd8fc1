//! What a server keeps in the memory of each card.

use serde::Serialize;

use super::subject::Subject;
use crate::cli::Server;

/// Bytes of a key or value.
const ELEMENT: u64 = 2;
/// Share of a card that is used.
pub(super) const UTILIZATION: f64 = 0.9;
/// Tokens that vLLM computes at a time.
pub(super) const BATCHED_TOKENS: u64 = 8_192;
/// Texts at a time whose next tokens vLLM draws, its default.
const SEQUENCES: u64 = 256;
/// A driver's context, graphs and libraries.
const FIXED: u64 = 1_500_000_000;

/// Bytes on one card.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Memory {
    /// The card's share of the weights.
    pub(super) weights: u64,
    /// What is computed with, estimated: inputs and outputs of one layer, probabilities of next tokens, the driver.
    pub(super) working: u64,
    /// Keys and values of one token.
    pub(super) per_token: u64,
}

impl Memory {
    /// Of a model on this many cards; 0 is the memory of the machine.
    pub(super) fn of(subject: &Subject, server: Server, cards: u32) -> Self {
        let config = &subject.config;
        let cards = u64::from(cards.max(1));
        let wide = config.hidden as u64 * 4 + config.intermediate as u64 * 3;
        match server {
            Server::Vllm => Self {
                weights: served_bytes(subject).div_ceil(cards),
                working: FIXED + BATCHED_TOKENS * wide * ELEMENT + SEQUENCES * subject.vocab as u64 * 4,
                // Keys of a head are not divided.
                per_token: 2 * config.layers as u64 * (config.kv_heads as u64).div_ceil(cards) * config.head_size() as u64 * ELEMENT,
            },
            // Layers are dealt to cards, and their keys with them.
            Server::LlamaCpp => Self {
                weights: subject.bytes.div_ceil(cards),
                working: FIXED + 512 * wide * 4 + 512 * subject.vocab as u64 * 4,
                per_token: 2 * (config.layers as u64).div_ceil(cards) * (config.kv_heads * config.head_size()) as u64 * ELEMENT,
            },
        }
    }

    /// Tokens whose keys and values fit beside the rest.
    pub(super) fn tokens(&self, card: u64) -> u64 {
        let usable = (card as f64 * UTILIZATION) as u64;
        usable.saturating_sub(self.weights + self.working) / self.per_token.max(1)
    }
}

/// 32-bit floats are served in 16 bits.
fn served_bytes(subject: &Subject) -> u64 {
    if subject.stored == "F32" { subject.bytes / 2 } else { subject.bytes }
}
