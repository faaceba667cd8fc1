//! A batch as the model takes it: ids, rotary tables and attention mask on the device.

use std::sync::{Arc, OnceLock};

use burn::tensor::{Device, Int, Tensor, TensorData};
use shards::Batch;

use super::Model;
#[cfg(feature = "cuda")]
use super::Precision;
use super::rope::Rope;
use crate::error::{Error, Result};
use crate::kernels::Noise;

/// Added to the score of a pair that must not attend; finite, so that no row can become NaN.
pub(crate) const NEVER: f32 = -1e30;

/// What the forward pass reads of a batch.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Rows, B.
    pub(crate) rows: usize,
    /// Positions per row, T.
    pub(crate) seq_len: usize,
    /// Input ids, `[N]`.
    pub(crate) ids_n: Tensor<1, Int>,
    /// Cosines of the rotary angles, `[B, T, 1, 2, D / 2]`: the same for both halves of a head.
    pub(crate) cos: Tensor<5>,
    /// Sines, negative in the first half.
    pub(crate) sin: Tensor<5>,
    /// Numbers of documents, `[B, T]`.
    documents_bt: Tensor<2, Int>,
    /// What [`Inputs::mask_btt`] gives, once it was asked for.
    mask_btt: OnceLock<Tensor<3>>,
    /// First position within the row of the document of each cell, `[N]`; none where one lies in several runs of its row.
    pub(crate) first: Option<Arc<[u32]>>,
    /// The same for a card's attention, where the mask is not made.
    #[cfg(feature = "cuda")]
    pub(crate) spans: Option<Spans>,
    /// Where the dropout of adapters takes its random numbers from.
    pub(crate) noise: Option<Noise>,
}

/// Documents and positions as a card's attention takes them.
#[cfg(feature = "cuda")]
#[derive(Clone, Debug)]
pub(crate) struct Spans {
    /// Rows, B.
    pub(crate) rows: usize,
    /// Positions per row, T.
    pub(crate) length: usize,
    /// First position within the row of the document of each cell, `[N]`.
    pub(crate) first_n: Tensor<1, Int>,
    /// Last position within the row of the document of each cell, `[N]`.
    pub(crate) last_n: Tensor<1, Int>,
    /// Cosines, `[N, D]`.
    pub(crate) cos_nd: Tensor<2>,
    /// Sines, negative in the first half.
    pub(crate) sin_nd: Tensor<2>,
    /// Whether layers keep nothing but their inputs.
    pub(crate) recompute: bool,
}

#[cfg(feature = "cuda")]
impl Spans {
    /// Of a batch whose rows consist of one document after the other.
    fn new(batch: &Batch, model: &Model, cos_nd: Tensor<2>, sin_nd: Tensor<2>) -> Result<Self> {
        let (mut first, mut last) = (Vec::with_capacity(batch.documents.len()), Vec::with_capacity(batch.documents.len()));
        for row in batch.documents.chunks_exact(batch.seq_len) {
            if !row.is_sorted() {
                return Err(Error::Batch("document numbers fall within a row".to_owned()));
            }
            for run in row.chunk_by(|a, b| a == b) {
                let start = (first.len() % batch.seq_len) as u32;
                first.extend(std::iter::repeat_n(start, run.len()));
                last.extend(std::iter::repeat_n(start + run.len() as u32 - 1, run.len()));
            }
        }
        let cells = [batch.documents.len()];
        let [first_n, last_n] = [first, last].map(|span| integers(&span, cells, &model.device()));
        Ok(Self { rows: batch.rows, length: batch.seq_len, first_n, last_n, cos_nd, sin_nd, recompute: model.recompute })
    }
}

impl Inputs {
    /// Moves a batch to the model's device. Its arrays must have the size they say, and ids must be
    /// in the model's vocabulary.
    pub fn new(model: &Model, batch: &Batch) -> Result<Self> {
        check(batch, model.vocab_size())?;
        let device = model.device();
        let config = model.config();
        let [rows, seq_len] = [batch.rows, batch.seq_len];
        let positions_n = integers(&batch.positions, [rows * seq_len], &device);
        let (cos_td, sin_td) = angles(&batch.positions, &Rope::of(config), &device);
        let [cos_nd, sin_nd] = [cos_td, sin_td].map(|table| table.select(0, positions_n.clone()));
        let shape = [rows, seq_len, 1, 2, config.head_size() / 2];
        Ok(Self {
            rows,
            seq_len,
            ids_n: integers(&batch.inputs, [rows * seq_len], &device),
            #[cfg(feature = "cuda")]
            spans: (model.precision() == Precision::Bf16).then(|| Spans::new(batch, model, cos_nd.clone(), sin_nd.clone())).transpose()?,
            noise: model.noise.map(|seed| Noise::new(batch, seed, &device)),
            cos: cos_nd.reshape(shape),
            sin: sin_nd.reshape(shape),
            documents_bt: integers(&batch.documents, [rows, seq_len], &device),
            mask_btt: OnceLock::new(),
            first: first(batch),
        })
    }
}

impl Inputs {
    /// 0 where query and key are of one document and the key is not later, else [`NEVER`]: `[B, T, T]`. The kernels of
    /// attention do without it.
    pub(crate) fn mask_btt(&self) -> Tensor<3> {
        self.mask_btt.get_or_init(|| mask(self.documents_bt.clone())).clone()
    }
}

/// First position within its row of the document of each cell; none where a document has several runs of cells in one row.
fn first(batch: &Batch) -> Option<Arc<[u32]>> {
    let mut first = Vec::with_capacity(batch.documents.len());
    for row in batch.documents.chunks_exact(batch.seq_len) {
        if !row.is_sorted() {
            return None;
        }
        for run in row.chunk_by(|a, b| a == b) {
            first.extend(std::iter::repeat_n((first.len() % batch.seq_len) as u32, run.len()));
        }
    }
    Some(first.into())
}

/// Panics of a backend are no error messages: what could cause one is checked here.
fn check(batch: &Batch, vocab: usize) -> Result<()> {
    let size = batch.rows.checked_mul(batch.seq_len).filter(|&size| size > 0);
    let lengths = [&batch.inputs, &batch.targets, &batch.positions, &batch.documents].map(Vec::len);
    if Some(batch.mask.len()) != size || lengths.iter().any(|&length| Some(length) != size) {
        let detail = format!("{} rows of {} with arrays of {lengths:?} and {}", batch.rows, batch.seq_len, batch.mask.len());
        return Err(Error::Batch(detail));
    }
    if let Some(id) = batch.inputs.iter().chain(&batch.targets).find(|&&id| id as usize >= vocab) {
        return Err(Error::Batch(format!("token {id}, but the model knows {vocab} ids")));
    }
    if let Some(position) = batch.positions.iter().find(|&&position| position as usize >= batch.seq_len) {
        return Err(Error::Batch(format!("position {position} in a row of {}", batch.seq_len)));
    }
    Ok(())
}

/// Ids as an integer tensor. All that comes here is below 2^31: checked ids, or places in a batch.
pub(crate) fn integers<const D: usize>(values: &[u32], shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    let values: Vec<i32> = values.iter().map(|&value| value as i32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Tables of cosines and signed sines for every position up to the largest, `[P, D]`. Pair `i` of a
/// head is its elements `i` and `i + D / 2`.
fn angles(positions: &[u32], rope: &Rope, device: &Device) -> (Tensor<2>, Tensor<2>) {
    let count = positions.iter().max().map_or(0, |&most| most + 1);
    turns(0..count, rope, device)
}

/// Cosines and signed sines of these positions, `[N, D]`.
pub(super) fn turns(positions: impl ExactSizeIterator<Item = u32>, rope: &Rope, device: &Device) -> (Tensor<2>, Tensor<2>) {
    let count = positions.len();
    let head_size = 2 * rope.frequencies.len();
    let mut cos = Vec::with_capacity(count * head_size);
    let mut sin = Vec::with_capacity(count * head_size);
    for position in positions {
        for sign in [-1.0, 1.0] {
            for frequency in &rope.frequencies {
                let angle = f64::from(position) * frequency;
                cos.push((rope.attention_factor * angle.cos()) as f32);
                sin.push((rope.attention_factor * sign * angle.sin()) as f32);
            }
        }
    }
    let table = |values| Tensor::from_data(TensorData::new(values, [count, head_size]), device);
    (table(cos), table(sin))
}

/// The block-diagonal causal mask of a batch: `[B, T]` document numbers to `[B, T, T]`.
fn mask(documents_bt: Tensor<2, Int>) -> Tensor<3> {
    let [rows, seq_len] = documents_bt.dims();
    let device = documents_bt.device();
    let shape = [rows, seq_len, seq_len];
    let queries = documents_bt.clone().unsqueeze_dim::<3>(2).expand(shape);
    let keys = documents_bt.unsqueeze_dim::<3>(1).expand(shape);
    let later = Tensor::<2>::full([seq_len, seq_len], NEVER, &device).triu(1).unsqueeze_dim::<3>(0);
    Tensor::zeros(shape, &device).mask_fill(queries.not_equal(keys), NEVER) + later
}
