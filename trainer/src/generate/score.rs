//! How likely given continuations are.

use burn::tensor::{Int, Tensor, activation};
use shards::Batch;

use crate::error::{Error, Result};
use crate::kernels::check;
use crate::model::{Inputs, Model, inputs};

/// Cells of a batch, padding counted.
const CELLS: usize = 4096;
/// Numbers of an attention mask.
const MASK: usize = 1 << 22;
/// Logits held at a time.
const LOGITS: usize = 1 << 22;

/// What a model makes of a continuation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Natural logarithm of the probability of the continuation after its context.
    pub log_likelihood: f64,
    /// Whether each of its tokens is the likeliest one at its place.
    pub greedy: bool,
}

/// Scores of continuations after their contexts, in the order of `pairs`; neither is empty. Pairs of
/// about one length go through the model together; those whose tokens are the same but for the last,
/// such as answers of one letter to one question, share a row. `done` hears how many pairs are scored.
pub fn score(model: &Model, pairs: &[(&[u32], &[u32])], mut done: impl FnMut(usize)) -> Result<Vec<Score>> {
    model.check_text()?;
    let model = model.frozen();
    for (at, (context, continuation)) in pairs.iter().enumerate() {
        if context.is_empty() || continuation.is_empty() {
            return Err(Error::Request { id: at as u64, detail: "a context or a continuation without tokens".to_owned() });
        }
    }
    let mut rows: Vec<Row> = pairs.iter().enumerate().map(|(at, pair)| Row::new(at, pair)).collect();
    rows.sort_by(|a, b| (a.inputs.len(), &a.inputs).cmp(&(b.inputs.len(), &b.inputs)));
    let mut scores = vec![Score { log_likelihood: 0.0, greedy: true }; pairs.len()];
    let mut left = &rows[..];
    let mut finished = 0;
    while !left.is_empty() {
        let count = batch(left);
        let (now, later) = left.split_at(count);
        measure(&model, now, &mut scores)?;
        finished += count;
        done(finished);
        left = later;
    }
    Ok(scores)
}

/// One pair.
struct Row {
    pair: usize,
    /// All tokens but the last.
    inputs: Vec<u32>,
    /// The continuation: targets of the last inputs.
    targets: Vec<u32>,
}

impl Row {
    fn new(pair: usize, (context, continuation): &(&[u32], &[u32])) -> Self {
        let mut inputs = [*context, *continuation].concat();
        inputs.pop();
        Self { pair, inputs, targets: continuation.to_vec() }
    }
}

/// How many of the rows, which are sorted, are taken together; at least one.
fn batch(rows: &[Row]) -> usize {
    let mut distinct = 0;
    let fits = |(at, row): &(usize, &Row)| {
        distinct += usize::from(*at == 0 || rows[at - 1].inputs != row.inputs);
        let length = row.inputs.len();
        *at == 0 || (distinct * length <= CELLS && distinct * length * length <= MASK)
    };
    rows.iter().enumerate().take_while(fits).count()
}

fn measure(model: &Model, rows: &[Row], scores: &mut [Score]) -> Result<()> {
    let length = rows.last().map_or(0, |row| row.inputs.len());
    let mut ids = Vec::new();
    // Of each target: its pair, the cell that foretells it, itself.
    let mut wanted: Vec<(usize, u32, u32)> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if at == 0 || rows[at - 1].inputs != row.inputs {
            ids.extend_from_slice(&row.inputs);
            // What comes after the end is seen by nothing before it.
            ids.resize(ids.len().next_multiple_of(length), 0);
        }
        let end = ids.len() - length + row.inputs.len();
        let first = end - row.targets.len();
        wanted.extend(row.targets.iter().enumerate().map(|(i, &target)| (row.pair, (first + i) as u32, target)));
    }
    let vocab = model.vocab_size();
    if let Some((.., id)) = wanted.iter().find(|(.., id)| *id as usize >= vocab) {
        return Err(Error::Batch(format!("token {id}, but the model knows {vocab} ids")));
    }
    let cells = ids.len();
    let batch = Batch {
        rows: cells / length,
        seq_len: length,
        targets: vec![0; cells],
        positions: (0..length as u32).cycle().take(cells).collect(),
        documents: vec![0; cells],
        mask: vec![false; cells],
        buckets: vec![0; cells / length],
        answers: Vec::new(),
        inputs: ids,
    };
    let x_nh = model.forward(&Inputs::new(model, &batch)?);
    for wanted in wanted.chunks((LOGITS / vocab).max(1)) {
        let device = model.device();
        let places: Vec<u32> = wanted.iter().map(|&(_, cell, _)| cell).collect();
        let targets: Vec<u32> = wanted.iter().map(|&(.., target)| target).collect();
        let logits_cv = model.logits(x_nh.clone().select(0, inputs::integers(&places, [places.len()], &device)));
        let likeliest = logits_cv.clone().argmax(1);
        let targets_c1: Tensor<2, Int> = inputs::integers(&targets, [targets.len(), 1], &device);
        let log_probs = activation::log_softmax(logits_cv, 1).gather(1, targets_c1);
        let likeliest = likeliest.try_into_vec_as::<i32>().map_err(Error::backend("read the likeliest tokens"))?;
        let log_probs = log_probs.try_into_vec_as::<f32>().map_err(Error::backend("read log-likelihoods"))?;
        check("read log-likelihoods")?;
        for ((&(pair, _, target), likeliest), log_prob) in wanted.iter().zip(likeliest).zip(log_probs) {
            let score = &mut scores[pair];
            score.log_likelihood += f64::from(log_prob);
            score.greedy &= i64::from(likeliest) == i64::from(target);
        }
    }
    Ok(())
}
