//! How much is generated at a time, and in how much memory.

use crate::config::{at_least_one, refuse};
use crate::error::Result;
use crate::model::{BLOCK, KvCache, Model};

/// Most blocks of a cache: their slots are counted in 32 bits.
const MAX_BLOCKS: u64 = 1 << 26;

/// Options of a [`Generator`](super::Generator). None of them but `ids` and `seed` changes what is generated.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateConfig {
    /// Sequences that are generated at a time, at most. Default 16.
    pub batch: usize,
    /// Longest sequence in tokens, prompt and continuation together. Default 2048.
    pub context: usize,
    /// Memory for keys and values. A sequence takes its room when it begins, prompt and most tokens
    /// together. Default: as much as `batch` sequences of `context` tokens need, at most 1 GiB.
    pub cache_bytes: Option<u64>,
    /// Tokens of a prompt that go through the model at a time. Default 512.
    pub prefill: usize,
    /// Draws ids below this one alone: rows after a tokenizer's ids are padding. Default: any.
    pub ids: Option<u32>,
    /// Seed of the draws. Default 0.
    pub seed: u64,
}

impl Default for GenerateConfig {
    fn default() -> Self {
        Self { batch: 16, context: 2048, cache_bytes: None, prefill: 512, ids: None, seed: 0 }
    }
}

impl GenerateConfig {
    pub(super) fn validate(&self) -> Result<()> {
        at_least_one("batch", self.batch as u64)?;
        at_least_one("prefill", self.prefill as u64)?;
        at_least_one("ids", self.ids.unwrap_or(1).into())?;
        if !(2..=1 << 24).contains(&self.context) {
            return refuse("context", format!("{}, not 2 to 2^24", self.context));
        }
        Ok(())
    }

    /// Blocks of the cache.
    pub(super) fn blocks(&self, model: &Model) -> Result<usize> {
        let block = KvCache::block_bytes(model.config(), model.precision());
        let useful = (KvCache::blocks_for(self.context) as u64).saturating_mul(self.batch as u64).min(MAX_BLOCKS);
        let blocks = useful.min(self.cache_bytes.unwrap_or(1 << 30) / block);
        if blocks == 0 {
            return refuse(
                "cache-bytes",
                format!("{}, less than the {block} that {BLOCK} tokens take", self.cache_bytes.unwrap_or(1 << 30)),
            );
        }
        Ok(blocks as usize)
    }
}
