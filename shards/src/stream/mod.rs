//! What a training step sees: a pure function of manifest, plan, seed, step and world.

mod account;
mod batch;
mod example;
mod held_out;
mod interleave;
mod judged;
mod order;
mod packing;
mod permutation;
mod schedule;
mod sequence;
mod window;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::Path;

pub use account::{Account, BucketAccount};
pub use batch::{Answer, Batch, Judgement, PADDING_ROW, World};
pub use example::Example;
pub use held_out::HeldOut;
pub use order::{DrawnDocument, DrawnWindow, OrderRow};
pub use packing::Packed;

use crate::error::{Error, Result};
use crate::judged::JudgedCounts;
use crate::manifest::{Manifest, Split};
use crate::mixture::MixturePlan;
use permutation::Permutation;
use schedule::Schedule;
use sequence::Sequence;

/// Largest batch in tokens: what one call of [`TokenStream::at`] may allocate for.
const MAX_BATCH_TOKENS: u64 = 1 << 30;

/// The shape of a step and the seed of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamConfig {
    /// Targets per row; the plan's.
    pub seq_len: u32,
    /// Rows of one step over all ranks.
    pub batch: u32,
    /// Seed of the order.
    pub seed: u64,
}

/// Random access to the steps of a run. Holds no position: a resumed run asks for its next step.
///
/// The shards of a bucket, in manifest order and those that are repeated once more after all, are one long token
/// sequence, cut into windows of `seq_len` targets, or, where the plan says so, its documents are packed whole into rows of that
/// length. Windows are drawn in a keyed order that changes every epoch, a short last one
/// at the end of it, and buckets are interleaved so that every short stretch of the run has the
/// plan's ratios, those of its stage where the plan has stages.
#[derive(Debug)]
pub struct TokenStream {
    config: StreamConfig,
    sequences: Vec<Sequence>,
    buckets: Vec<String>,
    schedule: Schedule,
    windows: u64,
    eos: u32,
}

impl Packed {
    /// What packing the train documents of `bucket` into rows of `seq_len` gives, where each is `alone` in one
    /// or shares it; paths are relative to `run`.
    pub fn of(run: impl AsRef<Path>, manifest: &Manifest, bucket: &str, seq_len: u32, alone: bool) -> Result<Self> {
        manifest.check(run.as_ref())?;
        let sequence = Sequence::new(run.as_ref(), manifest, bucket, Split::Train).packed(seq_len, alone)?;
        Ok(sequence.packed_rows().unwrap_or_default())
    }
}

impl TokenStream {
    /// The stream of these shards, whose paths are relative to `run`. Shards are opened, and
    /// compared with the manifest, when they are first drawn from.
    pub fn with_manifest(run: impl AsRef<Path>, manifest: &Manifest, plan: &MixturePlan, config: StreamConfig) -> Result<Self> {
        manifest.check(run.as_ref())?;
        plan.check().map_err(|detail| Error::Stream(format!("mixture plan: {detail}")))?;
        let setting = |option, detail| Err(Error::Setting { option, detail });
        if plan.seq_len != config.seq_len {
            let detail = format!("{}, the mixture was planned for {}", config.seq_len, plan.seq_len);
            return setting("seq-len", detail);
        }
        let tokens = u64::from(config.batch) * u64::from(config.seq_len);
        if tokens == 0 || tokens > MAX_BATCH_TOKENS {
            let detail = format!("{tokens} tokens a step, not 1 to {MAX_BATCH_TOKENS}");
            return setting("batch", detail);
        }
        let mut sequences = Vec::new();
        for entry in &plan.buckets {
            let name = &entry.bucket;
            let sequence = Sequence::new(run.as_ref(), manifest, name, Split::Train);
            if sequence.tokens() != entry.available_tokens {
                return Err(Error::Stream(format!(
                    "the mixture was planned for {} tokens of `{name}`, the manifest has {}",
                    entry.available_tokens,
                    sequence.tokens()
                )));
            }
            if sequence.copies() != entry.copied_tokens {
                return Err(Error::Stream(format!(
                    "the mixture was planned with {} tokens of `{name}` as copies, the manifest has {}",
                    entry.copied_tokens,
                    sequence.copies()
                )));
            }
            let sequence = match entry.packed {
                None => sequence,
                Some(packed) => {
                    let sequence = sequence.packed(config.seq_len, packed.alone)?;
                    if sequence.packed_rows() != Some(packed) {
                        return Err(Error::Stream(format!("the documents of `{name}` pack into other rows than was planned")));
                    }
                    sequence
                }
            };
            sequences.push(sequence);
        }
        Ok(Self {
            config,
            sequences,
            buckets: plan.buckets.iter().map(|entry| entry.bucket.clone()).collect(),
            schedule: Schedule::new(plan, config.seed),
            windows: plan.windows,
            eos: manifest.tokenizer.eos,
        })
    }

    /// Names that [`Batch::buckets`] counts by.
    pub fn buckets(&self) -> &[String] {
        &self.buckets
    }

    /// Whether the documents of a bucket are packed whole.
    pub fn packs(&self, bucket: &str) -> bool {
        self.buckets.iter().zip(&self.sequences).any(|(name, sequence)| name == bucket && sequence.packing().is_some())
    }

    /// Judged answers of a bucket; none where it has other documents.
    pub fn judged(&self, bucket: &str) -> Option<JudgedCounts> {
        self.buckets.iter().zip(&self.sequences).find(|(name, _)| *name == bucket).and_then(|(_, sequence)| sequence.judged())
    }

    /// The shape and seed it was opened with.
    pub fn config(&self) -> StreamConfig {
        self.config
    }

    /// Steps until every planned window is drawn; the last step is filled up with padding rows.
    pub fn steps(&self) -> u64 {
        self.windows.div_ceil(u64::from(self.config.batch))
    }

    /// The rows of `step` that rank `world.rank` of `world.size` computes. The ranks' rows, put
    /// together in rank order, are the step's rows whatever the size.
    pub fn at(&self, step: u64, world: World) -> Result<Batch> {
        let rows = self.rows(step, world)?;
        let mut batch = Batch::new(rows.end - rows.start, self.config.seq_len, self.eos);
        for (row, number) in rows.enumerate() {
            if let Some((bucket, window)) = self.window(number) {
                self.sequences[bucket].fill(window, row, &mut batch)?;
                batch.buckets[row] = bucket as u32;
            }
        }
        Ok(batch)
    }

    fn rows(&self, step: u64, world: World) -> Result<Range<u64>> {
        if step >= self.steps() {
            return Err(Error::Stream(format!("step {step} of {}", self.steps())));
        }
        let (rank, size) = (u64::from(world.rank), u64::from(world.size));
        let batch = u64::from(self.config.batch);
        if rank >= size || batch % size != 0 {
            return Err(Error::Stream(format!("rank {rank} of {size} with {batch} rows a step (ranks must share them evenly)")));
        }
        let start = step * batch + rank * (batch / size);
        Ok(start..start + batch / size)
    }

    /// Bucket and window of a row of the run; none in the padding after the last.
    fn window(&self, row: u64) -> Option<(usize, u64)> {
        self.draw(row).map(|draw| (draw.bucket, draw.window))
    }

    /// The same with the epoch of the bucket.
    fn draw(&self, row: u64) -> Option<Draw> {
        let (bucket, draw) = self.schedule.draw(row)?;
        let sequence = &self.sequences[bucket];
        let (all, full) = (sequence.windows(self.config.seq_len), sequence.shuffled(self.config.seq_len));
        let (epoch, index) = (draw / all, draw % all);
        if index == full {
            return Some(Draw { bucket, epoch, window: index }); // the short one
        }
        let order = Permutation::new(full, self.config.seed, "epoch", &[self.buckets[bucket].as_bytes(), &epoch.to_le_bytes()]);
        Some(Draw { bucket, epoch, window: order.at(index) })
    }
}

/// What a row of the run draws.
struct Draw {
    bucket: usize,
    epoch: u64,
    window: u64,
}
