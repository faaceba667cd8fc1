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
        let empty = || vec![(0u64, 0u64, 0u64); self.buckets.len()];
        let add = |mut sums: Vec<(u64, u64, u64)>, row: u64| -> Result<_> {
            if let Some((bucket, window)) = self.window(row) {
                let (trainable, tokens) = self.sequences[bucket].count(window, self.config.seq_len)?;
                let sum = &mut sums[bucket];
                *sum = (sum.0 + 1, sum.1 + tokens, sum.2 + trainable);
            }
            Ok(sums)
        };
        let sums = (rows.start.min(rows.end)..rows.end).into_par_iter().try_fold(empty, add).try_reduce(empty, |mut a, b| {
            for (a, b) in a.iter_mut().zip(b) {
                *a = (a.0 + b.0, a.1 + b.1, a.2 + b.2);
            }
            Ok(a)
        })?;
        let drawn = (steps.end - steps.start) * batch * u64::from(self.config.seq_len);
        let tokens: u64 = sums.iter().map(|sum| sum.1).sum();
        let trainable: u64 = sums.iter().map(|sum| sum.2).sum();
        let buckets = self.buckets.iter().zip(sums);
        Ok(Account {
            drawn,
            trainable,
            masked: drawn - trainable,
            padding: drawn - tokens,
            buckets: buckets
                .map(|(bucket, (windows, tokens, trainable))| BucketAccount { bucket: bucket.clone(), windows, tokens, trainable })
                .collect(),
        })
    }
}
