//! A step in pieces that fit the device.

use shards::{Answer, Batch};

/// The rows of a step, up to `rows` at a time. Pieces without a target that counts are left out:
/// they add nothing.
pub(crate) fn split(batch: &Batch, rows: usize) -> impl Iterator<Item = Batch> {
    let rows = rows.max(1);
    let pieces = (0..batch.rows).step_by(rows).map(move |first| {
        let last = batch.rows.min(first + rows);
        let cells = first * batch.seq_len..last * batch.seq_len;
        // An answer lies in one row.
        let here = batch.answers.iter().filter(|answer| cells.contains(&answer.cells.start));
        let moved = |answer: &Answer| {
            let cells = answer.cells.start - cells.start..answer.cells.end - cells.start;
            Answer { cells, ..answer.clone() }
        };
        Batch {
            rows: last - first,
            seq_len: batch.seq_len,
            inputs: batch.inputs[cells.clone()].to_vec(),
            targets: batch.targets[cells.clone()].to_vec(),
            positions: batch.positions[cells.clone()].to_vec(),
            documents: batch.documents[cells.clone()].to_vec(),
            mask: batch.mask[cells.clone()].to_vec(),
            buckets: batch.buckets[first..last].to_vec(),
            answers: here.map(moved).collect(),
        }
    });
    pieces.filter(|piece| piece.trainable() > 0)
}
