//! Attention on Hopper's own instructions: `cuda/hopper/`.

use super::super::boxes::boxes;
use super::super::engine::{Arg, Engine, Work};
use super::super::source::Source;
use super::{Buffers, Shape};

/// Positions of a warpgroup.
const OWN: usize = 64;
/// Keys that the forward kernel takes at a time.
const KEYS: usize = 128;
/// Queries or keys that the backward kernels take at a time.
const STREAM: usize = 64;
/// Warpgroups of a block of the backward kernels: more would have too few registers.
const WARPGROUPS_BACK: usize = 2;
/// Places for tiles in the ring of the backward kernels.
const RING_BACK: usize = 4;

/// Warpgroups of a block of the forward kernel, and places in its ring: what registers and shared memory allow.
fn forward_form(head: usize) -> (usize, usize) {
    if head == 64 { (3, 3) } else { (2, 2) }
}

/// A warpgroup of threads for each that computes, and one for what copies.
fn threads(warpgroups: usize) -> u32 {
    (warpgroups as u32 + 1) * 128
}

/// What the kernels' text is compiled with.
pub(in super::super) fn defines(head: usize) -> Vec<String> {
    let (warpgroups, ring) = forward_form(head);
    let all = [
        ("HEAD", head),
        ("WARPGROUPS", warpgroups),
        ("KEYS", KEYS),
        ("RING", ring),
        ("WARPGROUPS_BACK", WARPGROUPS_BACK),
        ("STREAM", STREAM),
        ("RING_BACK", RING_BACK),
    ];
    all.into_iter().map(|(name, value)| format!("-D{name}={value}")).collect()
}

impl Shape {
    fn hopper_source(self) -> Source {
        Source::HopperAttention { head: self.head }
    }

    /// The maps of queries, keys and values.
    fn maps(self, [q, k, v]: [u64; 3]) -> Result<[Arg; 3], String> {
        let kv_heads = self.heads / self.groups;
        Ok([self.map(q, self.heads)?, self.map(k, kv_heads)?, self.map(v, kv_heads)?])
    }

    fn map(self, address: u64, heads: usize) -> Result<Arg, String> {
        boxes(address, [self.rows, self.length, heads * self.head])
    }
}

/// Takes q, k, v, first, out and lse; writes the last two.
pub(super) fn forward(engine: &mut Engine, shape: Shape, [q, k, v, first, out, lse]: [u64; 6]) -> Work {
    let (warpgroups, ring) = forward_form(shape.head);
    let args = [&shape.maps([q, k, v])?[..], &[first, out, lse].map(Arg::Address), &shape.tail()].concat();
    let shared = shape.tile(warpgroups * OWN) + 2 * ring as u32 * shape.tile(KEYS);
    let grid = shape.grid(warpgroups * OWN);
    engine.launch(shape.hopper_source(), "attention_forward", grid, threads(warpgroups), shared, &args)
}

/// Writes delta, the gradients of q and the parts of those of k and v.
pub(super) fn backward(engine: &mut Engine, shape: Shape, at: Buffers) -> Work {
    let [q, k, v, out, d_out, lse, delta, first, last, d_q, part_k, part_v, ..] = at;
    let [q, k, v] = shape.maps([q, k, v])?;
    let maps = [q, k, v, shape.map(d_out, shape.heads)?];
    let own = WARPGROUPS_BACK * OWN;
    let shared = 2 * shape.tile(own) + 2 * RING_BACK as u32 * shape.tile(STREAM);
    let mut launch = |name, buffers: &[u64]| {
        let buffers: Vec<_> = buffers.iter().copied().map(Arg::Address).collect();
        let args = [&maps[..], &buffers[..], &shape.tail()].concat();
        engine.launch(shape.hopper_source(), name, shape.grid(own), threads(WARPGROUPS_BACK), shared, &args)
    };
    launch("attention_backward_q", &[out, lse, delta, first, d_q])?;
    launch("attention_backward_kv", &[lse, delta, last, part_k, part_v])
}
