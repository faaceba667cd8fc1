//! One row of a batch: a window of a sequence, or the documents packed into it, and how much of it counts.

use std::ops::Range;

use super::account::BucketAccount;
use super::batch::Batch;
use super::sequence::{Piece, Sequence};
use crate::error::Result;

impl Sequence {
    /// Parts of the sequence whose tokens are the targets of row `index`: one window, shorter at the
    /// end of the sequence, or whole documents.
    pub(crate) fn targets(&self, index: u64, seq_len: u64) -> Result<Vec<Range<u64>>> {
        if let Some(packing) = self.packing() {
            return packing.row(index).iter().map(|&document| self.document(document.into())).collect();
        }
        let start = (index * seq_len).min(self.tokens());
        let window = start..start.saturating_add(seq_len).min(self.tokens());
        Ok(Vec::from([window]))
    }

    /// Writes row `index` into `row`. The input of a target is the token before it; the first token of
    /// the sequence, and of a packed row, has none, so its input stays the end token of an empty batch.
    pub(crate) fn fill(&self, index: u64, row: usize, batch: &mut Batch) -> Result<()> {
        if self.judged().is_some() {
            return self.fill_judged(index, row, batch);
        }
        let mut parts = self.targets(index, batch.seq_len as u64)?;
        let length = parts.iter().map(|part| part.end - part.start).sum::<u64>() as usize;
        // Read from the first input on; `lead` is 1 where there is no such token.
        let lead = match parts.first_mut() {
            Some(first) if self.packing().is_none() && first.start > 0 => {
                first.start -= 1;
                0
            }
            _ => 1,
        };
        let base = row * batch.seq_len;
        let mut ids = Vec::with_capacity(length + 1);
        // Of every token: number of its document in the row, place in it.
        let mut number = lead as u32;
        for part in parts {
            // From a place in the sequence to one in `ids`.
            let here = |place: u64, read: usize| (place - part.start) as usize + read;
            let read = ids.len();
            self.read(part.clone(), &mut ids)?;
            for piece in self.pieces(part.clone())? {
                let first = here(piece.range.start, read);
                for token in first..here(piece.range.end, read) {
                    let place = base + token + lead; // as an input
                    if token + lead < length {
                        batch.documents[place] = number;
                        batch.positions[place] = (token - first) as u32;
                    }
                }
                for counted in counted(&piece) {
                    // As targets, of which the first token is none where it is there as an input alone.
                    let start = here(counted.start, read).max(1 - lead);
                    let end = here(counted.end, read).max(start);
                    batch.mask[base + start + lead - 1..base + end + lead - 1].fill(true);
                }
                number += 1;
            }
        }
        batch.targets[base..base + length].copy_from_slice(&ids[1 - lead..]);
        let inputs = length.saturating_sub(lead);
        batch.inputs[base + lead..base + lead + inputs].copy_from_slice(&ids[..inputs]);
        for (place, padding) in (base + length..base + batch.seq_len).enumerate() {
            batch.documents[padding] = number;
            batch.positions[padding] = place as u32;
        }
        Ok(())
    }

    /// The targets of row `index`, without the bucket's name.
    pub(crate) fn count(&self, index: u64, seq_len: u32) -> Result<BucketAccount> {
        let mut count = BucketAccount { windows: 1, ..BucketAccount::default() };
        let copies = self.tokens() - self.copies();
        for part in self.targets(index, u64::from(seq_len))? {
            count.tokens += part.end - part.start;
            count.copied += part.end.saturating_sub(part.start.max(copies));
            let pieces = self.pieces(part)?;
            count.trainable += pieces.iter().flat_map(counted).map(|range| range.end - range.start).sum::<u64>();
        }
        Ok(count)
    }
}

/// Tokens of a piece that count as targets. The first token of a document never does: its input
/// belongs to another document.
pub(crate) fn counted(piece: &Piece) -> Vec<Range<u64>> {
    let whole = piece.range.start.max(piece.start + 1)..piece.range.end;
    let spans = match &piece.spans {
        None => vec![whole],
        Some(spans) => {
            let cut = |span: &Range<u64>| span.start.max(whole.start)..span.end;
            spans.iter().map(cut).collect()
        }
    };
    spans.into_iter().filter(|span| span.start < span.end).collect()
}
