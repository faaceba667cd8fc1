//! The documents of a step as they are, for whoever learns from more than their next tokens.

use std::ops::Range;

use super::batch::World;
use super::sequence::Sequence;
use super::{HeldOut, TokenStream};
use crate::error::{Error, Result};

/// A whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Its bucket, as an index into the stream's buckets; 0 of held-out ones.
    pub bucket: u32,
    /// Its tokens, the end token last.
    pub tokens: Vec<u32>,
    /// Parts of `tokens` that count in a loss, in order: of a conversation, the assistant's answers.
    pub learned: Vec<Range<usize>>,
}

impl TokenStream {
    /// The documents that `step` draws, in the order of its rows. The last step of a run may have fewer than
    /// others. An error where a bucket is cut into windows, which hold parts of documents.
    pub fn examples(&self, step: u64) -> Result<Vec<Example>> {
        let mut examples = Vec::new();
        for number in self.rows(step, World::ONE)? {
            if let Some((bucket, row)) = self.window(number) {
                examples.extend(self.sequences[bucket].examples(row, self.config.seq_len, bucket as u32)?);
            }
        }
        Ok(examples)
    }
}

impl HeldOut {
    /// The documents of up to `most` rows, spread evenly over all of them.
    pub fn examples(&self, most: u64) -> Result<Vec<Example>> {
        let (count, windows) = (self.windows().min(most), u128::from(self.windows()));
        let mut examples = Vec::new();
        for number in 0..count {
            let row = u128::from(number) * windows / u128::from(count);
            examples.extend(self.sequence.examples(row as u64, self.seq_len, 0)?);
        }
        Ok(examples)
    }
}

impl Sequence {
    /// The documents of a packed row.
    fn examples(&self, row: u64, seq_len: u32, bucket: u32) -> Result<Vec<Example>> {
        if self.packing().is_none() {
            return Err(Error::Stream("whole documents are asked for, but the bucket is cut into windows".to_owned()));
        }
        let documents = self.targets(row, u64::from(seq_len))?;
        documents.into_iter().map(|document| self.example(&document, bucket)).collect()
    }

    fn example(&self, document: &Range<u64>, bucket: u32) -> Result<Example> {
        let mut tokens = Vec::with_capacity((document.end - document.start) as usize);
        self.read(document.clone(), &mut tokens)?;
        let here = |place: u64| (place - document.start) as usize;
        let mut learned = Vec::new();
        for piece in self.pieces(document.clone())? {
            let spans = piece.spans.unwrap_or_else(|| Vec::from([piece.range]));
            learned.extend(spans.into_iter().map(|span| here(span.start)..here(span.end)));
        }
        Ok(Example { bucket, tokens, learned })
    }
}
