//! The held-out shards of a bucket in their own order, for evaluation.

use std::path::Path;

use super::MAX_BATCH_TOKENS;
use super::batch::Batch;
use super::sequence::Sequence;
use crate::error::{Error, Result};
use crate::manifest::{Manifest, Split};

/// Windows of a bucket's held-out tokens, first to last. Row bucket numbers are all 0.
#[derive(Debug)]
pub struct HeldOut {
    sequence: Sequence,
    seq_len: u32,
    eos: u32,
    documents: u64,
    text_bytes: u64,
}

impl HeldOut {
    /// The held-out part of `bucket`; paths are relative to `run`.
    pub fn new(run: impl AsRef<Path>, manifest: &Manifest, bucket: &str, seq_len: u32) -> Result<Self> {
        if seq_len == 0 {
            return Err(Error::Setting { option: "seq-len", detail: "0, at least 1".to_owned() });
        }
        manifest.check(run.as_ref())?;
        let shards = || manifest.shards_of(bucket, Split::HeldOut);
        Ok(Self {
            sequence: Sequence::new(run.as_ref(), manifest, bucket, Split::HeldOut),
            seq_len,
            eos: manifest.tokenizer.eos,
            documents: shards().map(|shard| shard.documents).sum(),
            text_bytes: shards().map(|shard| shard.text_bytes).sum(),
        })
    }

    /// Number of windows; 0 when nothing of the bucket is held out.
    pub fn windows(&self) -> u64 {
        self.sequence.windows(self.seq_len)
    }

    /// Held-out tokens, end tokens included.
    pub fn tokens(&self) -> u64 {
        self.sequence.tokens()
    }

    /// Held-out documents.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// UTF-8 bytes of the held-out texts.
    pub fn text_bytes(&self) -> u64 {
        self.text_bytes
    }

    /// Up to `rows` windows from window `first` on; fewer rows at the end, none past it.
    pub fn batch(&self, first: u64, rows: u32) -> Result<Batch> {
        if u64::from(rows) * u64::from(self.seq_len) > MAX_BATCH_TOKENS {
            return Err(Error::Setting {
                option: "batch",
                detail: format!("{rows} rows of {}, at most {MAX_BATCH_TOKENS} tokens", self.seq_len),
            });
        }
        let rows = self.windows().saturating_sub(first).min(u64::from(rows));
        let mut batch = Batch::new(rows, self.seq_len, self.eos);
        for row in 0..rows as usize {
            self.sequence.fill(first + row as u64, row, &mut batch)?;
            batch.buckets[row] = 0;
        }
        Ok(batch)
    }

    /// All windows in batches of `rows`.
    pub fn batches(&self, rows: u32) -> impl Iterator<Item = Result<Batch>> {
        let rows = rows.max(1);
        (0..self.windows()).step_by(rows as usize).map(move |first| self.batch(first, rows))
    }
}
