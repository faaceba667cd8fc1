//! One step's tokens as the trainer takes them: flat row-major arrays.

use std::ops::Range;

/// In [`Batch::buckets`]: the row is padding after the last window of the run.
pub const PADDING_ROW: u32 = u32::MAX;

/// Which part of a step this process computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct World {
    /// This process, from 0.
    pub rank: u32,
    /// Number of processes; divides the batch.
    pub size: u32,
}

impl World {
    /// The only process.
    pub const ONE: World = World { rank: 0, size: 1 };
}

/// What someone said of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Judgement {
    /// The better one of two answers to the same prompt; the other one comes next.
    Chosen,
    /// The worse one of two, right after the better one.
    Rejected,
    /// Good by itself.
    Desirable,
    /// Bad by itself.
    Undesirable,
}

/// A prompt and an answer to it, a sequence that nothing else of the batch attends to. Which of its targets
/// are the answer is what [`Batch::mask`] says.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its number among the answers of the step, from 0; the same however the step is split.
    pub number: u32,
    /// The cells of the batch that it fills, as inputs; its last token is the input of the last one.
    pub cells: Range<usize>,
    /// What was said of it.
    pub judgement: Judgement,
    /// By how much the better answer is better, where that is known, else 0.
    pub margin: f32,
}

/// `rows × seq_len` tokens. Position `j` of a row predicts `targets[j]` from `inputs[..=j]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Number of rows, B.
    pub rows: usize,
    /// Positions per row, T.
    pub seq_len: usize,
    /// Input ids, `[B × T]`.
    pub inputs: Vec<u32>,
    /// Ids to predict, `[B × T]`; target `j` follows input `j` in the token sequence.
    pub targets: Vec<u32>,
    /// Position of the input in its document, from the start of the row or of the document,
    /// whichever is later: every document of a row starts at 0. `[B × T]`.
    pub positions: Vec<u32>,
    /// Number of the input's document inside the row, from 0; inputs of different numbers must not
    /// attend to each other. Padding has a number of its own. `[B × T]`.
    pub documents: Vec<u32>,
    /// Whether the target counts in the loss: false across document borders, in padding, and
    /// where the shard says so. `[B × T]`.
    pub mask: Vec<bool>,
    /// Bucket of each row as an index into the stream's buckets, or [`PADDING_ROW`]. `[B]`.
    pub buckets: Vec<u32>,
    /// The judged answers of preference data, in the order of their cells; none in other batches.
    pub answers: Vec<Answer>,
}

impl Batch {
    /// Rows of nothing but padding.
    pub(crate) fn new(rows: u64, seq_len: u32, eos: u32) -> Self {
        let (rows, seq_len) = (rows as usize, seq_len as usize);
        let size = rows * seq_len;
        Self {
            rows,
            seq_len,
            inputs: vec![eos; size],
            targets: vec![eos; size],
            positions: (0..rows).flat_map(|_| 0..seq_len as u32).collect(),
            documents: vec![0; size],
            mask: vec![false; size],
            buckets: vec![PADDING_ROW; rows],
            answers: Vec::new(),
        }
    }

    /// Targets that count in the loss.
    pub fn trainable(&self) -> u64 {
        self.mask.iter().filter(|&&counts| counts).count() as u64
    }
}
