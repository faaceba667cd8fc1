//! Rows of judged answers: prompt and answer are the inputs, whole, so that the last token too has a state.

use super::batch::{Answer, Batch, Judgement};
use super::sequence::Sequence;
use crate::error::Result;
use crate::judged::Judged;

impl Sequence {
    /// Writes the packed row `index` of judged answers into `row`. Other than in rows of plain text the first token of a row is an
    /// input, and the target of a cell is the next token of its own sequence; the last cell of a sequence has none.
    pub(super) fn fill_judged(&self, index: u64, row: usize, batch: &mut Batch) -> Result<()> {
        let base = row * batch.seq_len;
        let (mut place, mut number) = (base, 0);
        let mut ids = Vec::new();
        for &document in self.packing().map_or(&[][..], |packing| packing.row(index)) {
            let (range, judged) = (self.document(document.into())?, self.judged_document(document.into())?);
            let Some(judged) = judged else { continue };
            ids.clear();
            self.read(range.clone(), &mut ids)?;
            let spans: Vec<_> = self.pieces(range.clone())?.into_iter().flat_map(|piece| piece.spans.unwrap_or_default()).collect();
            for (order, sequence) in judged.sequences(ids.len() as u64).enumerate() {
                let tokens = &ids[sequence.start as usize..sequence.end as usize];
                let cells = place..place + tokens.len();
                batch.inputs[cells.clone()].copy_from_slice(tokens);
                batch.targets[cells.start..cells.end - 1].copy_from_slice(&tokens[1..]);
                batch.documents[cells.clone()].fill(number);
                for (cell, position) in cells.clone().zip(0..) {
                    batch.positions[cell] = position;
                    let target = range.start + sequence.start + u64::from(position) + 1;
                    batch.mask[cell] = cell + 1 < cells.end && spans.iter().any(|span| span.contains(&target));
                }
                let (judgement, margin) = match judged {
                    Judged::Pair { margin, .. } if order == 0 => (Judgement::Chosen, margin),
                    Judged::Pair { margin, .. } => (Judgement::Rejected, margin),
                    Judged::Desirable => (Judgement::Desirable, 0.0),
                    Judged::Undesirable => (Judgement::Undesirable, 0.0),
                };
                batch.answers.push(Answer { number: batch.answers.len() as u32, cells, judgement, margin });
                place += tokens.len();
                number += 1;
            }
        }
        for (position, padding) in (place..base + batch.seq_len).enumerate() {
            batch.documents[padding] = number;
            batch.positions[padding] = position as u32;
        }
        Ok(())
    }
}
