//! The held-out shards of a bucket in their own order, for evaluation.

use std::ops::Range;
use std::path::Path;

use super::MAX_BATCH_TOKENS;
use super::batch::Batch;
use super::packing::Packed;
use super::sequence::Sequence;
use crate::error::{Error, Result};
use crate::judged::JudgedCounts;
use crate::manifest::{Manifest, Split};

/// Windows of a bucket's held-out tokens in their order. Row bucket numbers are all 0.
#[derive(Debug)]
pub struct HeldOut {
    pub(super) sequence: Sequence,
    pub(super) seq_len: u32,
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

    /// The same with documents packed whole into rows; those that are longer than a row are not measured.
    pub fn packed(self) -> Result<Self> {
        Ok(Self { sequence: self.sequence.packed(self.seq_len, false)?, ..self })
    }

    /// What packing gave; none where documents are cut into windows.
    pub fn packed_rows(&self) -> Option<Packed> {
        self.sequence.packed_rows()
    }

    /// Judged answers; none where there are other documents.
    pub fn judged(&self) -> Option<JudgedCounts> {
        self.sequence.judged()
    }

    /// Checks every byte of its shards against their checksums.
    pub fn verify(&self) -> Result<()> {
        self.sequence.verify()
    }

    /// Targets per window.
    pub fn seq_len(&self) -> u32 {
        self.seq_len
    }

    /// The id that ends a document.
    pub fn eos(&self) -> u32 {
        self.eos
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

    /// Up to `most` windows, spread evenly over all of them, in batches of `rows`.
    pub fn batches(&self, rows: u32, most: u64) -> impl Iterator<Item = Result<Batch>> {
        let count = self.windows().min(most);
        let rows = u64::from(rows.max(1));
        (0..count).step_by(rows as usize).map(move |first| self.batch(first..count.min(first + rows), count))
    }

    /// Windows `chosen` of the `count` that are spread over all.
    fn batch(&self, chosen: Range<u64>, count: u64) -> Result<Batch> {
        let rows = chosen.end - chosen.start;
        if rows * u64::from(self.seq_len) > MAX_BATCH_TOKENS {
            return Err(Error::Setting {
                option: "batch",
                detail: format!("{rows} rows of {}, at most {MAX_BATCH_TOKENS} tokens", self.seq_len),
            });
        }
        let mut batch = Batch::new(rows, self.seq_len, self.eos);
        for (row, number) in chosen.enumerate() {
            let window = u128::from(number) * u128::from(self.windows()) / u128::from(count);
            self.sequence.fill(window as u64, row, &mut batch)?;
            batch.buckets[row] = 0;
        }
        Ok(batch)
    }
}
