//! Tokens drawn, trained and masked, counted from the document borders without reading a token.

use std::ops::Range;

use rayon::prelude::*;

use super::TokenStream;
use crate::error::{Error, Result};

/// Counts over some steps. `drawn = trainable + masked` always holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Targets in all rows, padding included.
    pub drawn: u64,
    /// Targets that count in the loss.
    pub trainable: u64,
    /// Targets that do not: first tokens of documents, padding, and what the shards mask.
    pub masked: u64,
    /// The part of `masked` that is padding: no token of the shards stands there.
    pub padding: u64,
    /// The same by bucket; rows of padding belong to none.
    pub buckets: Vec<BucketAccount>,
}

/// Counts of one bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketAccount {
    /// The bucket's name.
    pub bucket: String,
    /// Windows drawn.
    pub windows: u64,
    /// Tokens drawn, padding not included.
    pub tokens: u64,
    /// Of these, tokens of copies: see [`crate::Rehydrate`].
    pub copied: u64,
    /// Targets that count in the loss.
    pub trainable: u64,
}

impl TokenStream {
    /// Counts what all ranks together draw in `steps`; [`TokenStream::steps`] is the end of all.
    pub fn account(&self, steps: Range<u64>) -> Result<Account> {
        if steps.start > steps.end || steps.end > self.steps() {
            return Err(Error::Stream(format!("steps {}..{} of {}", steps.start, steps.end, self.steps())));
        }
        let batch = u64::from(self.config.batch);
        let rows = steps.start * batch..(steps.end * batch).min(self.windows);
        let empty = || vec![BucketAccount::default(); self.buckets.len()];
        let add = |mut sums: Vec<BucketAccount>, row: u64| -> Result<_> {
            if let Some((bucket, window)) = self.window(row) {
                sums[bucket].merge(&self.sequences[bucket].count(window, self.config.seq_len)?);
            }
            Ok(sums)
        };
        let sums = (rows.start.min(rows.end)..rows.end).into_par_iter().try_fold(empty, add).try_reduce(empty, |mut a, b| {
            a.iter_mut().zip(&b).for_each(|(a, b)| a.merge(b));
            Ok(a)
        })?;
        let drawn = (steps.end - steps.start) * batch * u64::from(self.config.seq_len);
        let tokens: u64 = sums.iter().map(|sum| sum.tokens).sum();
        let trainable: u64 = sums.iter().map(|sum| sum.trainable).sum();
        Ok(Account {
            drawn,
            trainable,
            masked: drawn - trainable,
            padding: drawn - tokens,
            buckets: self.buckets.iter().zip(sums).map(|(bucket, sum)| BucketAccount { bucket: bucket.clone(), ..sum }).collect(),
        })
    }
}

impl BucketAccount {
    fn merge(&mut self, other: &Self) {
        self.windows += other.windows;
        self.tokens += other.tokens;
        self.copied += other.copied;
        self.trainable += other.trainable;
    }
}
