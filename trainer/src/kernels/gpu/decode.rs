//! Steps of decoding on a card, each of which costs the host one launch.
//!
//! Everything that a step touches has a place of its own for as long as the [`Decoder`] lives: the weights in bfloat16,
//! the cache, activations, logits and what is drawn from them. What is new of each sequence is written to one small
//! buffer, and the kernels read from it where keys and values are (Kwon et al. 2023). So the kernels of a step with
//! so many rows are always the same ones; the second time they are recorded as a CUDA graph, and started as one from then on.

mod few;
mod pack;
mod program;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::Cube;
use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::tensor::CubeTensor;

use super::engine::{Engine, Queue, Work};
use super::graph::Recorded;
use super::linear::Projection;
use super::tape::tensor;
use crate::error::{Error, Result};
use crate::kernels::check;
use program::{Program, Rows};

/// A layer as the model has it.
pub(crate) struct LayerParts {
    pub(crate) attention_norm: Tensor<2>,
    /// Query, key, value and output.
    pub(crate) attention: [Projection; 4],
    /// Norms of each head of queries and keys.
    pub(crate) head_norms: Option<[Tensor<2>; 2]>,
    pub(crate) mlp_norm: Tensor<2>,
    /// Gate, up and down.
    pub(crate) mlp: [Projection; 3],
    /// The cache, `[P, K × D]` in bfloat16.
    pub(crate) keys: Tensor<2>,
    pub(crate) values: Tensor<2>,
}

/// A model as it is now, with its cache.
pub(crate) struct Parts {
    /// `[V, H]`.
    pub(crate) embedding: Tensor<2>,
    pub(crate) layers: Vec<LayerParts>,
    pub(crate) norm: Tensor<2>,
    /// `[V, H]`, where it is not the embedding.
    pub(crate) head: Option<Tensor<2>>,
    /// Rotary tables of all positions that come, `[P, D]`.
    pub(crate) turns: [Tensor<2>; 2],
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_size: usize,
    pub(crate) epsilon: f64,
}

/// How much a step can be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// New tokens.
    pub(crate) rows: usize,
    /// Sequences.
    pub(crate) sequences: usize,
    /// Blocks of a sequence.
    pub(crate) blocks: usize,
    /// Ids that can be drawn are below this one.
    pub(crate) ids: usize,
}

/// What is new of one sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fresh<'a> {
    pub(crate) ids: &'a [u32],
    /// Tokens before them, which are in the cache.
    pub(crate) past: usize,
    /// Slots of its positions, whole blocks of [`BLOCK`](crate::model::BLOCK) one after the other.
    pub(crate) slots: &'a [u32],
    /// How the token after them is drawn; none where more of the prompt comes.
    pub(crate) choice: Option<Choice>,
}

/// How a token is drawn; see [`Sampling`](crate::Sampling).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Choice {
    pub(crate) temperature: f64,
    pub(crate) top_p: f64,
    pub(crate) min_p: f64,
    /// From 0 to below 1.
    pub(crate) uniform: f64,
    pub(crate) top_k: u32,
}

/// What was drawn after a sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Drawn {
    /// The token, and the logarithm of the probability that the model gave it.
    Token(u32, f32),
    /// Nothing: a logit is not a number or infinitely high, or all are infinitely low.
    NotFinite,
    /// Nothing yet: the card cannot tell, the host has to.
    Unknown,
}

/// Words of a [`Choice`] in the step's buffer.
const CHOICE: usize = 10;
/// Words before the rows.
const HEADER: usize = 4;

/// A model's weights and cache on a card, and all that decoding needs beside them.
pub(crate) struct Decoder {
    program: Arc<Program>,
    buffers: Vec<CubeTensor>,
    recordings: Arc<Mutex<BTreeMap<Rows, Recording>>>,
}

/// The kernels of steps of one size.
struct Recording {
    /// Where the buffers were.
    addresses: Vec<u64>,
    recorded: Option<Recorded>,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a decoder on a card")
    }
}

impl Decoder {
    /// None where the model has what steps have no kernels for: biases elsewhere than beside queries, keys and values. The weights are those of now.
    pub(crate) fn new(parts: Parts, limits: Limits) -> Option<Self> {
        let (program, buffers) = pack::pack(parts, limits)?;
        Some(Self { program: Arc::new(program), buffers, recordings: Arc::default() })
    }

    /// Takes what is new of some sequences through the model, at most as much as the limits say. Gives what was drawn after those
    /// that have a [`Choice`], in their order; without any, the card's work is not waited for.
    pub(crate) fn step(&self, fresh: &[Fresh<'_>]) -> Result<Vec<Drawn>> {
        let count = fresh.iter().map(|fresh| fresh.ids.len()).sum();
        let ready = fresh.iter().filter(|fresh| fresh.choice.is_some()).count();
        let decodes = ready == count;
        let rows = Rows::holding(count, ready);
        self.submit(self.program.words(fresh, count, ready), rows, decodes);
        if ready == 0 {
            return Ok(Vec::new());
        }
        read(self.buffers[self.program.drawn].clone(), ready)
    }

    /// The logits of the last step after one of the sequences that had a choice.
    pub(crate) fn logits(&self, ready: usize) -> Result<Vec<f32>> {
        let operation = "read logits";
        let logits = tensor::<2>(self.buffers[self.program.logits].clone()).narrow(0, ready, 1);
        let mut logits = logits.cast(DType::F32).try_into_vec_as::<f32>().map_err(Error::backend(operation))?;
        check(operation)?;
        logits.truncate(self.program.vocab);
        Ok(logits)
    }

    /// Sends a step to the card.
    fn submit(&self, words: Vec<i32>, rows: Rows, decodes: bool) {
        let (program, recordings) = (self.program.clone(), self.recordings.clone());
        let mut queue = Queue::default();
        queue.add_all(self.buffers.clone(), move |engine, at| {
            engine.upload(at[program.words], &words)?;
            if !decodes || engine.is_profiled() {
                return program.run(engine, at, rows); // sizes that hardly come twice
            }
            replay(engine, at, &program, &mut recordings.lock().unwrap_or_else(PoisonError::into_inner), rows)
        });
        queue.submit_now();
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // Graphs are freed where the context is current.
        let recordings = std::mem::take(&mut self.recordings);
        let mut queue = Queue::default();
        queue.add_all(self.buffers.drain(..).take(1).collect(), move |_, _| {
            drop(recordings);
            Ok(())
        });
        queue.submit_now();
    }
}

/// What was drawn after the first rows.
fn read(drawn: CubeTensor, rows: usize) -> Result<Vec<Drawn>> {
    let operation = "read what was drawn";
    let drawn = Tensor::<2, Int>::from_primitive::<Cube>(drawn);
    let drawn = drawn.try_into_vec_as::<i32>().map_err(Error::backend(operation))?;
    check(operation)?;
    let drawn = drawn.chunks_exact(4).take(rows).map(|words| match words[2] {
        0 => Drawn::Token(words[0].cast_unsigned(), f32::from_bits(words[1].cast_unsigned())),
        1 => Drawn::NotFinite,
        _ => Drawn::Unknown,
    });
    Ok(drawn.collect())
}

/// Draws after rows of logits, bfloat16 `[N, V]`, V a multiple of 8, among the first `known` ids.
#[cfg(test)]
pub(crate) fn draw(logits: Tensor<2>, choices: &[Choice], known: usize) -> Result<Vec<Drawn>> {
    let ([rows, stride], device) = (logits.dims(), logits.device());
    let room = rows.next_multiple_of(4);
    let mut words = vec![0i32; HEADER + 4 * room];
    words[1] = rows as i32;
    words.extend(choices.iter().flat_map(Choice::words));
    let count = words.len();
    let words = Tensor::<1, Int>::from_data(burn::tensor::TensorData::new(words, [count]), &device);
    let [words, logits] = [super::tape::integers(words), super::tape::Input::of(logits).data];
    let drawn = super::tape::empty(&logits, [rows, 4], DType::I32);
    let mut queue = Queue::default();
    queue.add([&words, &logits, &drawn], move |engine, [words, logits, drawn]| {
        program::draw(engine, [words, logits, drawn], [room, rows], stride, known, rows)
    });
    queue.submit();
    read(drawn, rows)
}

/// Starts a step's kernels as one, once they have run one by one: by then all are compiled, and products are planned.
fn replay(engine: &mut Engine, at: &[u64], program: &Program, recordings: &mut BTreeMap<Rows, Recording>, rows: Rows) -> Work {
    // cubecl may move buffers.
    match recordings.get_mut(&rows).filter(|recording| recording.addresses == at) {
        None => {
            program.run(engine, at, rows)?;
            recordings.insert(rows, Recording { addresses: at.to_vec(), recorded: None });
            Ok(())
        }
        Some(recording) => {
            let recorded = match recording.recorded.take() {
                Some(recorded) => recorded,
                None => engine.record(|engine| program.run(engine, at, rows))?,
            };
            engine.replay(recording.recorded.insert(recorded))
        }
    }
}
