//! Which rows of the vocabulary's tables training has reached.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use shards::{Batch, TokenStream, Tokenizer, World};

use crate::error::Result;

/// Ids that are named as examples.
const EXAMPLES: usize = 20;

/// For each id, whether a step has drawn it: as an input that a counted target follows in the same
/// document, and as a counted target itself.
///
/// A row whose id was neither has learned nothing from text. It may have moved: as an answer that was
/// never right it is pushed away from every text, and weight decay shortens it.
#[derive(Clone, Debug)]
pub(crate) struct TrainedRows {
    inputs: Vec<bool>,
    targets: Vec<bool>,
}

/// Rows of the vocabulary that no text of the training has reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RowsEvent {
    /// Ids of the tokenizer.
    pub ids: u64,
    /// Rows of the tables after these: padding, which no text can reach.
    pub padding: u64,
    /// Ids that were no input of a counted target.
    pub never_input: u64,
    /// Ids that were no counted target.
    pub never_target: u64,
    /// Ids that were neither.
    pub untrained: u64,
    /// The first of these that are more than a part of a character.
    pub examples: Vec<UntrainedId>,
    /// Ids that the model training started from did not have; none where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<NewRows>,
}

/// What became of the ids that a model was extended by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NewRows {
    /// Ids that are new.
    pub ids: u64,
    /// Those that have learned nothing from text: none has reached them, or their rows are frozen.
    pub untrained: u64,
    /// Those of them that text has reached in vain: the tables that it would have moved are frozen.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub frozen: u64,
    /// The first untrained ones that are more than a part of a character.
    pub examples: Vec<UntrainedId>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Which tables of the vocabulary a training moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    /// The embedding.
    pub(crate) inputs: bool,
    /// The output matrix; the embedding, where they are tied.
    pub(crate) targets: bool,
}

/// An id and its token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UntrainedId {
    /// The id.
    pub id: u32,
    /// Its text, as the tokenizer writes it.
    pub text: String,
}

impl TrainedRows {
    /// Of tables of so many rows; none has been reached.
    pub(crate) fn new(rows: usize) -> Self {
        Self { inputs: vec![false; rows], targets: vec![false; rows] }
    }

    /// Adds a step that was made.
    pub(crate) fn add(&mut self, batch: &Batch) {
        let width = batch.seq_len.max(1);
        for row in 0..batch.rows {
            let mut document = None;
            let mut counts = false; // whether a counted target comes at this place of the document or later
            for cell in (row * width..(row + 1) * width).rev() {
                if document != Some(batch.documents[cell]) {
                    (document, counts) = (Some(batch.documents[cell]), false);
                }
                if batch.mask[cell] {
                    counts = true;
                    mark(&mut self.targets, batch.targets[cell]);
                }
                if counts {
                    mark(&mut self.inputs, batch.inputs[cell]);
                }
            }
        }
    }

    /// Adds steps that were made before, by reading them once more.
    pub(crate) fn add_steps(&mut self, stream: &TokenStream, steps: Range<u64>) -> Result<()> {
        for step in steps {
            self.add(&stream.at(step, World::ONE)?);
        }
        Ok(())
    }

    /// What no step has reached. `new` has the ids that are new, in ascending order, `moved` the tables that
    /// steps have changed.
    pub(crate) fn summary(&self, tokenizer: &Tokenizer, new: Option<&[u32]>, moved: Moved) -> RowsEvent {
        let ids = tokenizer.vocab_size();
        let known = |table: &[bool], id: u32| table.get(id as usize).is_some_and(|seen| *seen);
        let missing = |table: &[bool]| (0..ids).filter(|id| !known(table, *id)).count() as u64;
        let untrained = |id: &u32| !known(&self.inputs, *id) && !known(&self.targets, *id);
        let learned = |id: &u32| moved.inputs && known(&self.inputs, *id) || moved.targets && known(&self.targets, *id);
        // Parts of a character say nothing to a reader.
        let named = |ids: &mut dyn Iterator<Item = u32>| {
            let text = |id| tokenizer.token_text(id).unwrap_or_default();
            ids.filter(|id| !tokenizer.is_partial(*id)).take(EXAMPLES).map(|id| UntrainedId { id, text: text(id) }).collect::<Vec<_>>()
        };
        let of_new = |new: &[u32]| NewRows {
            ids: new.len() as u64,
            untrained: new.iter().filter(|id| !learned(id)).count() as u64,
            frozen: new.iter().filter(|id| !learned(id) && !untrained(id)).count() as u64,
            examples: named(&mut new.iter().copied().filter(|id| !learned(id))),
        };
        RowsEvent {
            ids: ids.into(),
            padding: (self.inputs.len() as u64).saturating_sub(ids.into()),
            never_input: missing(&self.inputs),
            never_target: missing(&self.targets),
            untrained: (0..ids).filter(untrained).count() as u64,
            examples: named(&mut (0..ids).filter(untrained)),
            new: new.map(of_new),
        }
    }
}

fn mark(table: &mut [bool], id: u32) {
    if let Some(seen) = table.get_mut(id as usize) {
        *seen = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row of two documents, `a b c` and `d e`, and one of padding. The second target of the first
    /// document does not count, nor does that of the second one, as in a prompt.
    #[test]
    fn what_counts_by_hand() {
        let batch = Batch {
            rows: 2,
            seq_len: 4,
            inputs: vec![10, 11, 12, 13, 9, 9, 9, 9],
            targets: vec![11, 12, 13, 14, 9, 9, 9, 9],
            positions: vec![0, 1, 2, 0, 0, 1, 2, 3],
            documents: vec![0, 0, 0, 1, 0, 0, 0, 0],
            mask: vec![true, false, false, false, false, false, false, false],
            buckets: vec![0, u32::MAX],
            answers: Vec::new(),
        };
        let mut rows = TrainedRows::new(300);
        rows.add(&batch);
        let seen = |table: &[bool]| (0..300u32).filter(|id| table[*id as usize]).collect::<Vec<_>>();
        // 11 is the target of 10; as an input it leads to nothing that counts.
        assert_eq!((seen(&rows.inputs), seen(&rows.targets)), (vec![10], vec![11]));
        let later = Batch { mask: vec![false, true, false, true, false, false, false, false], ..batch };
        rows.add(&later);
        assert_eq!((seen(&rows.inputs), seen(&rows.targets)), (vec![10, 11, 13], vec![11, 12, 14]));

        let tokenizer = Tokenizer::bytes(); // 257 ids
        let summary = rows.summary(&tokenizer, Some(&[12, 13, 100]), Moved { inputs: true, targets: true });
        assert_eq!((summary.ids, summary.padding, summary.never_input, summary.never_target), (257, 43, 254, 254));
        assert_eq!((summary.untrained, summary.examples.len(), summary.examples[0].id), (252, 20, 0));
        let new = summary.new.unwrap();
        assert_eq!((new.ids, new.untrained, new.frozen, new.examples.len(), new.examples[0].id), (3, 1, 0, 1, 100));
        // 12 was a target alone and 13 an input alone: each in vain where its table is frozen.
        for (inputs, targets, untrained, frozen) in [(true, false, 2, 1), (false, true, 2, 1), (false, false, 3, 2)] {
            let new = rows.summary(&tokenizer, Some(&[12, 13, 100]), Moved { inputs, targets }).new.unwrap();
            assert_eq!((new.untrained, new.frozen), (untrained, frozen), "{inputs} {targets}");
        }
    }
}
