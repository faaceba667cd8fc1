//! One window of a sequence as a row of a batch, and how much of it counts.

use std::ops::Range;

use super::batch::Batch;
use super::sequence::{Piece, Sequence};
use crate::error::Result;

impl Sequence {
    /// Targets of window `index`: tokens `index × seq_len ..`, fewer at the end of the sequence.
    pub(crate) fn targets(&self, index: u64, seq_len: u64) -> Range<u64> {
        let start = (index * seq_len).min(self.tokens());
        start..start.saturating_add(seq_len).min(self.tokens())
    }

    /// Writes window `index` into `row`. The input of target `t` is token `t - 1`; the first token
    /// of the sequence has none before it, so its input stays the end token of an empty batch.
    pub(crate) fn fill(&self, index: u64, row: usize, batch: &mut Batch) -> Result<()> {
        let targets = self.targets(index, batch.seq_len as u64);
        let length = (targets.end - targets.start) as usize;
        // Read from the first input on; `lead` is 1 where there is no such token.
        let from = targets.start.saturating_sub(1);
        let lead = usize::from(targets.start == 0);
        let mut ids = Vec::with_capacity(length + 1);
        self.read(from..targets.end, &mut ids)?;
        let pieces = self.pieces(from..targets.end)?;

        let base = row * batch.seq_len;
        batch.targets[base..base + length].copy_from_slice(&ids[1 - lead..]);
        let inputs = length - lead;
        batch.inputs[base + lead..base + length].copy_from_slice(&ids[..inputs]);

        // Of every token in from..end: number of its document in the row, place in it.
        let mut number = lead as u32;
        for piece in &pieces {
            let first = (piece.range.start - from) as usize;
            let last = (piece.range.end - from) as usize;
            for token in first..last {
                let place = base + token + lead; // as an input
                if token + lead < length {
                    batch.documents[place] = number;
                    batch.positions[place] = (token - first) as u32;
                }
            }
            for counted in counted(piece) {
                // As targets: token t is target t - targets.start.
                let start = counted.start.max(targets.start) - targets.start;
                let end = counted.end.max(targets.start) - targets.start;
                batch.mask[base + start as usize..base + end as usize].fill(true);
            }
            number += 1;
        }
        for (place, padding) in (base + length..base + batch.seq_len).enumerate() {
            batch.documents[padding] = number;
            batch.positions[padding] = place as u32;
        }
        Ok(())
    }

    /// Targets of window `index` that count in the loss, and all its targets.
    pub(crate) fn count(&self, index: u64, seq_len: u32) -> Result<(u64, u64)> {
        let targets = self.targets(index, u64::from(seq_len));
        let all = targets.end - targets.start;
        let pieces = self.pieces(targets)?;
        let counts = pieces.iter().flat_map(counted);
        Ok((counts.map(|range| range.end - range.start).sum(), all))
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
