//! The kernels of a step.

use super::few::Few;
use super::{CHOICE, Choice, Fresh, HEADER};
use crate::kernels::gpu::engine::{Arg, Engine, Work};
use crate::kernels::gpu::gemm::Product;
use crate::kernels::gpu::nf4;
use crate::kernels::gpu::source::Source;
use crate::model::BLOCK;

/// Which of the decoder's buffers.
pub(super) type Place = usize;

/// Blocks that attention is spread over where there are few rows: four for each of an H100's multiprocessors.
const ATTENTION_BLOCKS: usize = 528;
/// Most parts of a sequence.
const MOST_SPLITS: usize = 32;
/// Bytes of shared memory that drawing takes: a count of 16 bits for each bfloat16 number.
const DRAW_SHARED: u32 = 128 << 10;

/// Rows of a step that its kernels are started with: those in use and some more, so that there are few sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rows {
    /// New tokens.
    pub(super) all: usize,
    /// Those after which something is drawn.
    pub(super) ready: usize,
}

impl Rows {
    pub(super) fn holding(all: usize, ready: usize) -> Self {
        Self { all: rounded(all), ready: rounded(ready) }
    }
}

/// At most an eighth more, from 32 on.
pub(super) fn rounded(rows: usize) -> usize {
    match rows {
        0..=2 => rows,
        3..=4 => 4,
        5..=64 => rows.next_multiple_of(8),
        _ => rows.next_multiple_of(rows.next_power_of_two() / 16),
    }
}

/// A matrix with what stands beside it.
pub(super) struct Matrix {
    pub(super) weight: Weights,
    pub(super) input: usize,
    pub(super) output: usize,
    pub(super) adapters: Vec<LowRank>,
}

/// A matrix as it lies.
pub(super) enum Weights {
    /// In bfloat16.
    Whole(Place),
    /// In four bits, some rows after the other; made whole where it is used.
    Nf4(Vec<Packed>),
}

/// Rows of a matrix in four bits.
pub(super) struct Packed {
    pub(super) parts: [Place; 4],
    pub(super) offset: f32,
    /// Numbers before them in the matrix, and of them.
    pub(super) first: usize,
    pub(super) count: usize,
}

/// An adapter of some columns of a matrix's output.
pub(super) struct LowRank {
    pub(super) down: Place,
    pub(super) up: Place,
    pub(super) rank: usize,
    pub(super) first: usize,
    pub(super) output: usize,
    pub(super) scale: f32,
}

pub(super) struct Layer {
    pub(super) attention_norm: Place,
    /// Query, key and value, one after the other.
    pub(super) qkv: Matrix,
    pub(super) bias: Option<Place>,
    pub(super) head_norms: Option<[Place; 2]>,
    pub(super) keys: Place,
    pub(super) values: Place,
    pub(super) output: Matrix,
    pub(super) mlp_norm: Place,
    /// Gate and up, one after the other.
    pub(super) gate_up: Matrix,
    pub(super) down: Matrix,
}

/// Which kernels run on which buffers. The places of activations have `room` rows each.
pub(super) struct Program {
    pub(super) hidden: usize,
    pub(super) heads: usize,
    pub(super) kv_heads: usize,
    pub(super) head_size: usize,
    pub(super) intermediate: usize,
    pub(super) vocab: usize,
    /// Ids that can be drawn.
    pub(super) known: usize,
    pub(super) epsilon: f32,
    /// Most rows, a multiple of 4, and most of them that are ready.
    pub(super) room: usize,
    pub(super) most: usize,
    pub(super) words: Place,
    /// The residual stream, bfloat16 `[room, H]`.
    pub(super) x: Place,
    pub(super) normed: Place,
    pub(super) qkv: Place,
    /// Turned queries in 32 bits, `[room, Q × D]`.
    pub(super) queries: Place,
    pub(super) attended: Place,
    /// Gate and up, `[room, 2 I]`, and what they become, `[room, I]`.
    pub(super) both: Place,
    pub(super) gated: Place,
    /// Inside of adapters.
    pub(super) inner: Place,
    /// Parts of attention, and how many of a row are there.
    pub(super) parts: Place,
    pub(super) tickets: Place,
    /// Logits `[most, V]`, rows of a multiple of 8.
    pub(super) logits: Place,
    pub(super) drawn: Place,
    pub(super) turns: [Place; 2],
    pub(super) embedding: Place,
    pub(super) layers: Vec<Layer>,
    pub(super) norm: Place,
    pub(super) head: Place,
    /// Where a matrix in four bits is made whole.
    pub(super) whole: Place,
    /// Whether there are only whole matrices, without adapters.
    pub(super) is_plain: bool,
}

/// Query heads that a block of attention takes: as many as share a head of keys, or a divisor of that.
pub(super) fn group(heads: usize, kv_heads: usize) -> usize {
    let shared = heads / kv_heads;
    (1..=8).rev().find(|group| shared.is_multiple_of(*group)).unwrap_or(1)
}

/// Parts of each sequence.
fn splits(rows: usize, groups: usize) -> usize {
    (ATTENTION_BLOCKS / (rows * groups).max(1)).clamp(1, MOST_SPLITS)
}

/// Numbers of the parts of attention at most.
pub(super) fn parts(heads: usize, kv_heads: usize, head_size: usize) -> usize {
    // With more than one part, there are no more blocks than are wanted.
    ATTENTION_BLOCKS * group(heads, kv_heads) * (head_size + 2)
}

impl Program {
    /// What is new, as the kernels read it: see `cuda/decode/step.cuh`.
    pub(super) fn words(&self, fresh: &[Fresh<'_>], rows: usize, ready: usize) -> Vec<i32> {
        let stride = fresh.iter().map(|fresh| (fresh.past + fresh.ids.len()).div_ceil(BLOCK)).max().unwrap_or(0);
        let tables = HEADER + 4 * self.room + CHOICE * self.most;
        let mut words = vec![0i32; tables + fresh.len() * stride];
        let int = |n: usize| n as i32; // rows, positions and blocks are below 2^31
        words[..3].copy_from_slice(&[int(rows), int(ready), int(stride)]);
        let (mut row, mut drawn) = (0, 0);
        for (sequence, fresh) in fresh.iter().enumerate() {
            for (at, &id) in fresh.ids.iter().enumerate() {
                for (column, word) in [id.cast_signed(), int(fresh.past + at), int(sequence)].into_iter().enumerate() {
                    words[HEADER + column * self.room + row] = word;
                }
                row += 1;
            }
            if let Some(choice) = &fresh.choice {
                words[HEADER + 3 * self.room + drawn] = int(row) - 1;
                let at = HEADER + 4 * self.room + CHOICE * drawn;
                words[at..at + CHOICE].copy_from_slice(&choice.words());
                drawn += 1;
            }
            let blocks = fresh.slots[..fresh.past + fresh.ids.len()].iter().step_by(BLOCK);
            let table = &mut words[tables + sequence * stride..];
            table.iter_mut().zip(blocks).for_each(|(word, &slot)| *word = (slot / BLOCK as u32).cast_signed());
        }
        words
    }

    /// All kernels of a step.
    pub(super) fn run(&self, engine: &mut Engine, at: &[u64], rows: Rows) -> Work {
        let Self { hidden, .. } = *self;
        let step = [Arg::Address(at[self.words]), Arg::Int(self.room as i32), Arg::Int(self.most as i32)];
        let [x, table] = [self.x, self.embedding].map(|place| Arg::Address(at[place]));
        let args = [&step[..], &[table, x, Arg::Int(hidden as i32)]].concat();
        engine.launch(self.layer_source(), "embed_rows", (rows.all as u32, 1, 1), threads(hidden), 0, &args)?;
        let few = self.is_plain && [hidden, self.intermediate, self.width()].iter().all(|&width| Few::takes(rows.all, width));
        for layer in &self.layers {
            match few {
                true => self.layer_of_few(engine, at, &step, layer, rows.all)?,
                false => self.layer(engine, at, &step, layer, rows.all)?,
            }
        }
        if rows.ready == 0 {
            return Ok(());
        }
        self.norm(engine, at, &step, self.norm, rows.ready, true)?;
        if rows.ready <= 2 && Few::takes(rows.ready, hidden) && self.vocab.is_multiple_of(8) {
            let few = Few { rows: rows.ready, input: hidden, output: self.vocab, gated: false, epsilon: self.epsilon };
            few.run(engine, at[self.head], at[self.normed], 0, 0, at[self.logits])?;
        } else {
            let product = Product { out_stride: self.stride(), ..Product::forward(rows.ready, hidden, self.vocab) };
            engine.multiply(product, at[self.normed], at[self.head], at[self.logits])?;
        }
        let at = [self.words, self.logits, self.drawn].map(|place| at[place]);
        draw(engine, at, [self.room, self.most], self.stride(), self.known, rows.ready)
    }

    fn layer(&self, engine: &mut Engine, at: &[u64], step: &[Arg; 3], layer: &Layer, rows: usize) -> Work {
        self.norm(engine, at, step, layer.attention_norm, rows, false)?;
        self.project(engine, at, &layer.qkv, rows, [self.normed, self.qkv], false)?;
        self.attend(engine, at, step, layer, rows)?;
        self.project(engine, at, &layer.output, rows, [self.attended, self.x], true)?;
        self.norm(engine, at, step, layer.mlp_norm, rows, false)?;
        self.project(engine, at, &layer.gate_up, rows, [self.normed, self.both], false)?;
        let chunks = rows * self.intermediate / 8;
        let [both, gated] = [self.both, self.gated].map(|place| Arg::Address(at[place]));
        let args = [both, gated, Arg::Long(chunks as i64), Arg::Int(self.intermediate as i32)];
        engine.launch_early(self.layer_source(), "gate_rows", (chunks.div_ceil(256) as u32, 1, 1), 256, 0, &args)?;
        self.project(engine, at, &layer.down, rows, [self.gated, self.x], true)
    }

    /// The matrix of a projection, in bfloat16.
    fn weight(&self, engine: &mut Engine, at: &[u64], matrix: &Matrix) -> Result<u64, String> {
        match &matrix.weight {
            Weights::Whole(place) => Ok(at[*place]),
            Weights::Nf4(rows) => {
                for Packed { parts, offset, first, count } in rows {
                    nf4::unpack(engine, parts.map(|part| at[part]), *offset, at[self.whole] + 2 * *first as u64, *count)?;
                }
                Ok(at[self.whole])
            }
        }
    }

    /// The same in fewer kernels.
    fn layer_of_few(&self, engine: &mut Engine, at: &[u64], step: &[Arg; 3], layer: &Layer, rows: usize) -> Work {
        let of = |matrix: &Matrix| Few { rows, input: matrix.input, output: matrix.output, gated: false, epsilon: self.epsilon };
        let x = at[self.x];
        let [qkv, output, gate_up, down] = [&layer.qkv, &layer.output, &layer.gate_up, &layer.down];
        let mut weights = [0; 4];
        for (weight, matrix) in weights.iter_mut().zip([qkv, output, gate_up, down]) {
            *weight = self.weight(engine, at, matrix)?;
        }
        of(qkv).run(engine, weights[0], x, at[layer.attention_norm], 0, at[self.qkv])?;
        self.attend(engine, at, step, layer, rows)?;
        of(output).run(engine, weights[1], at[self.attended], 0, x, x)?;
        let gated = Few { gated: true, output: self.intermediate, ..of(gate_up) };
        gated.run(engine, weights[2], x, at[layer.mlp_norm], 0, at[self.gated])?;
        of(down).run(engine, weights[3], at[self.gated], 0, x, x)
    }

    /// The norm of `x`, or of its rows that are ready.
    fn norm(&self, engine: &mut Engine, at: &[u64], step: &[Arg; 3], weight: Place, rows: usize, picks: bool) -> Work {
        let [x, weight, y] = [self.x, weight, self.normed].map(|place| Arg::Address(at[place]));
        let rest = [Arg::Int(self.hidden as i32), Arg::Float(self.epsilon), Arg::Int(i32::from(picks))];
        let args = [&step[..], &[x, weight, y], &rest].concat();
        engine.launch_early(self.layer_source(), "norm_rows", (rows as u32, 1, 1), threads(self.hidden), 0, &args)
    }

    /// A product with its adapters; added to what was there, where `add` says so.
    fn project(&self, engine: &mut Engine, at: &[u64], matrix: &Matrix, rows: usize, [from, to]: [Place; 2], add: bool) -> Work {
        let product = Product::forward(rows, matrix.input, matrix.output).added(add);
        let weight = self.weight(engine, at, matrix)?;
        engine.multiply(product, at[from], weight, at[to])?;
        for adapter in &matrix.adapters {
            let inner = Product::forward(rows, matrix.input, adapter.rank);
            engine.multiply(inner, at[from], at[adapter.down], at[self.inner])?;
            let outer = Product { out_stride: matrix.output, ..Product::forward(rows, adapter.rank, adapter.output).added(true) };
            let to = at[to] + 2 * adapter.first as u64;
            engine.multiply_and_add(outer, adapter.scale, at[self.inner], at[adapter.up], to, to)?;
        }
        Ok(())
    }

    /// From projections to what attention gives; keys and values go to the cache.
    fn attend(&self, engine: &mut Engine, at: &[u64], step: &[Arg; 3], layer: &Layer, rows: usize) -> Work {
        let Self { heads, kv_heads, head_size, .. } = *self;
        let address = |place: Place| Arg::Address(at[place]);
        let either = |place: Option<Place>| Arg::Address(place.map_or(0, |place| at[place]));
        let [norm_q, norm_k] = [0, 1].map(|which| either(layer.head_norms.map(|norms| norms[which])));
        let sizes = [heads, kv_heads].map(|n| Arg::Int(n as i32));
        let tensors = [address(self.qkv), either(layer.bias), norm_q, norm_k, address(self.turns[0]), address(self.turns[1])];
        let outputs = [self.queries, layer.keys, layer.values].map(address);
        let args = [&step[..], &tensors, &outputs, &sizes, &[Arg::Float(self.epsilon)]].concat();
        engine.launch_early(self.layer_source(), "turn_rows", (rows as u32, 1, 1), 512, 0, &args)?;

        let group = group(heads, kv_heads);
        let groups = heads / group;
        let tensors = [self.queries, layer.keys, layer.values, self.attended, self.parts, self.tickets].map(address);
        let scale = Arg::Float((head_size as f32).sqrt().recip());
        let args = [&step[..], &tensors, &sizes, &[scale]].concat();
        let grid = (rows as u32, groups as u32, splits(rows, groups) as u32);
        engine.launch_early(Source::DecodeAttention { head: head_size, group }, "attend", grid, 128, 0, &args)
    }

    fn layer_source(&self) -> Source {
        Source::DecodeLayer { head: self.head_size }
    }

    /// Numbers of all query heads together.
    fn width(&self) -> usize {
        self.heads * self.head_size
    }

    /// Numbers from row to row of the logits.
    pub(super) fn stride(&self) -> usize {
        self.vocab.next_multiple_of(8)
    }
}

/// Draws from rows of logits: see `cuda/decode/draw.cu`.
pub(super) fn draw(engine: &mut Engine, at: [u64; 3], limits: [usize; 2], stride: usize, known: usize, rows: usize) -> Work {
    let [words, logits, drawn] = at.map(Arg::Address);
    let [room, most, known] = [limits[0], limits[1], known].map(|n| Arg::Int(n as i32));
    let args = [words, room, most, logits, Arg::Long(stride as i64), known, drawn];
    engine.launch_early(Source::Draw, "draw", (rows as u32, 1, 1), 1024, DRAW_SHARED, &args)
}

impl Choice {
    /// As `cuda/decode/step.cuh` has it.
    pub(super) fn words(&self) -> [i32; CHOICE] {
        let doubles = [self.temperature, self.top_p, self.min_p, self.uniform].map(f64::to_le_bytes);
        let [t, p, m, u] = doubles.map(|[a, b, c, d, e, f, g, h]| [i32::from_le_bytes([a, b, c, d]), i32::from_le_bytes([e, f, g, h])]);
        [t[0], t[1], p[0], p[1], m[0], m[1], u[0], u[1], self.top_k.min(i32::MAX as u32).cast_signed(), 0]
    }
}

/// Threads of a block for rows of this width.
fn threads(width: usize) -> u32 {
    (width.div_ceil(8).next_multiple_of(32) as u32).min(1024)
}
