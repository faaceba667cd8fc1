//! Attention on any card from compute capability 8.0 on: `cuda/attention.cu`.

use super::super::engine::{Arg, Engine, Work};
use super::super::source::Source;
use super::{Buffers, Shape};

/// Keys or queries taken at a time, as in the kernels' text.
const KEYS: usize = 64;
const STREAM: usize = 32;
const THREADS: u32 = 128;

impl Shape {
    fn source(self) -> Source {
        Source::Attention { head: self.head }
    }

    /// Positions of a block.
    fn own(self) -> usize {
        if self.head == 64 { 128 } else { 64 }
    }

    /// Keys taken at a time by the kernel for queries' gradients.
    fn keys_back(self) -> usize {
        if self.head == 64 { 32 } else { 64 }
    }
}

/// Takes q, k, v, first, out and lse; writes the last two.
pub(super) fn forward(engine: &mut Engine, shape: Shape, at: [u64; 6]) -> Work {
    let args = [&at.map(Arg::Address)[..], &shape.tail()].concat();
    let shared = shape.tile(shape.own()) + 4 * shape.tile(KEYS);
    engine.launch(shape.source(), "attention_forward", shape.grid(shape.own()), THREADS, shared, &args)
}

/// Writes delta, the gradients of q and the parts of those of k and v.
pub(super) fn backward(engine: &mut Engine, shape: Shape, at: Buffers) -> Work {
    let (heads, cells) = (shape.heads, shape.cells());
    let [q, k, v, out, d_out, lse, delta, first, last, d_q, part_k, part_v, ..] = at.map(Arg::Address);
    let grid = ((cells * heads).div_ceil(8) as u32, 1, 1);
    engine.launch(shape.source(), "attention_delta", grid, 256, 0, &[out, d_out, delta, Arg::Int(cells as i32), Arg::Int(heads as i32)])?;

    let args = [&[q, k, v, d_out, lse, delta, first, last, part_k, part_v][..], &shape.tail()].concat();
    let shared = 2 * shape.tile(shape.own()) + 4 * shape.tile(STREAM);
    engine.launch(shape.source(), "attention_backward_kv", shape.grid(shape.own()), THREADS, shared, &args)?;

    let args = [&[q, k, v, d_out, lse, delta, first, d_q][..], &shape.tail()].concat();
    let shared = 2 * shape.tile(shape.own()) + 4 * shape.tile(shape.keys_back());
    engine.launch(shape.source(), "attention_backward_q", shape.grid(shape.own()), THREADS, shared, &args)
}
