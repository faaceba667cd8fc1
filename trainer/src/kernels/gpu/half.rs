//! The two halves of a decoder layer, each one operation: one piece of work forward, one backward. The
//! host then hands over a hundred pieces a step instead of a thousand, the residual stream is added to
//! inside a matrix product, and a half can forget everything but its input and compute it again.

use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;

use super::attention::{self, Places};
use super::engine::Queue;
use super::linear::{Projection, Ready};
use super::tape::{Input, matrix, record, records, reshaped};
use super::{norm, swiglu};
use crate::model::inputs::Spans;

/// The parameters of the attention half.
pub(crate) struct AttentionHalf {
    pub(crate) norm: Tensor<2>,
    /// Query, key, value and output.
    pub(crate) projections: [Projection; 4],
    /// Norms of each head of queries and keys.
    pub(crate) head_norms: Option<[Tensor<2>; 2]>,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) epsilon: f64,
}

/// What the attention half computes with, beside its input.
struct Attend {
    norm: CubeTensor,
    /// Query, key, value and output.
    projections: [Ready; 4],
    head_norms: Option<[CubeTensor; 2]>,
    heads: usize,
    kv_heads: usize,
    epsilon: f64,
    places: Places,
}

/// What it keeps for the backward pass.
struct Attended {
    normed: CubeTensor,
    scales: CubeTensor,
    /// Queries and keys before their norm, where there is one, with the scales of its rows.
    heads: Option<[(CubeTensor, CubeTensor); 2]>,
    attention: attention::Saved,
    /// What the adapters of the projections keep.
    inner: [Option<CubeTensor>; 4],
}

/// The inputs of the attention half: the residual stream, the norm, four of each projection, the norms of heads.
const ATTENTION: usize = 2 + 4 * 4 + 2;
/// The inputs of the feed-forward half: the residual stream, the norm, four of each projection.
const FEED_FORWARD: usize = 2 + 3 * 4;

/// What is wanted of a projection's input and of its own four.
fn wants(input: bool, wanted: &[bool], index: usize) -> [bool; 5] {
    let own = |at: usize| wanted.get(2 + 4 * index + at).copied().unwrap_or(false);
    [input, own(0), own(1), own(2), own(3)]
}

impl Attend {
    fn forward(&self, queue: &mut Queue, x: &CubeTensor) -> (CubeTensor, Attended) {
        let [query, key, value, output] = &self.projections;
        let (normed, scales) = norm::forward(queue, x, &self.norm, self.epsilon);
        let [(q, inner_q), (k, inner_k), (v, inner_v)] = [query, key, value].map(|projection| projection.forward(queue, &normed, None));
        let (q, k, heads) = match &self.head_norms {
            None => (q, k, None),
            Some([norm_q, norm_k]) => {
                let (normed_q, kept_q) = self.norm_heads(queue, q, norm_q, self.heads);
                let (normed_k, kept_k) = self.norm_heads(queue, k, norm_k, self.kv_heads);
                (normed_q, normed_k, Some([kept_q, kept_k]))
            }
        };
        let attention = attention::forward(queue, &q, &k, v, self.heads, self.kv_heads, &self.places);
        let (y, inner_o) = output.forward(queue, &attention.out, Some(x));
        (y, Attended { normed, scales, heads, attention, inner: [inner_q, inner_k, inner_v, inner_o] })
    }

    fn norm_heads(&self, queue: &mut Queue, x: CubeTensor, weight: &CubeTensor, heads: usize) -> (CubeTensor, (CubeTensor, CubeTensor)) {
        let [n, width] = matrix(&x);
        let x = reshaped(x, [n * heads, width / heads]);
        let (y, scales) = norm::forward(queue, &x, weight, self.epsilon);
        (reshaped(y, [n, width]), (x, scales))
    }

    fn backward(
        &self,
        queue: &mut Queue,
        x: &CubeTensor,
        dy: &CubeTensor,
        kept: &Attended,
        wanted: &[bool; ATTENTION],
    ) -> [Option<CubeTensor>; ATTENTION] {
        let [projections @ .., output] = &self.projections;
        let mut found = [const { None }; ATTENTION];
        let (d_attended, own) = output.backward(queue, &kept.attention.out, dy, kept.inner[3].as_ref(), None, wants(true, wanted, 3));
        place(&mut found, 3, own);
        let Some(d_attended) = d_attended else { return found };
        let [mut d_q, mut d_k, d_v] = kept.attention.backward(queue, &d_attended, &self.places);
        if let (Some(norms), Some(heads)) = (&self.head_norms, &kept.heads) {
            for (index, d) in [&mut d_q, &mut d_k].into_iter().enumerate() {
                let shape = matrix(d);
                let (before, scales) = &heads[index];
                let d_heads = reshaped(d.clone(), matrix(before));
                let (dx, dw) = norm::backward(queue, before, &norms[index], scales, &d_heads, None);
                *d = reshaped(dx, shape);
                found[ATTENTION - 2 + index] = Some(dw);
            }
        }
        // Nothing before this half is trained: the first half of a model with adapters.
        let further = wanted[0] || wanted[1];
        let mut d_normed = None;
        for (index, (d, projection)) in [&d_q, &d_k, &d_v].into_iter().zip(projections).enumerate() {
            let wants = wants(further, wanted, index);
            let (dx, own) = projection.backward(queue, &kept.normed, d, kept.inner[index].as_ref(), d_normed.as_ref(), wants);
            d_normed = dx;
            place(&mut found, index, own);
        }
        if let Some(d_normed) = d_normed {
            let (dx, d_norm) = norm::backward(queue, x, &self.norm, &kept.scales, &d_normed, Some(dy));
            (found[0], found[1]) = (Some(dx), Some(d_norm));
        }
        found
    }
}

/// Puts the gradients of a projection where they belong.
fn place<const N: usize>(found: &mut [Option<CubeTensor>; N], index: usize, own: [Option<CubeTensor>; 4]) {
    for (to, own) in found.iter_mut().skip(2 + 4 * index).zip(own) {
        *to = own;
    }
}

/// `x + attention(norm(x))`. Where layers recompute, nothing but `x` is kept for the backward pass.
pub(crate) fn attention_half(x: Tensor<2>, half: AttentionHalf, spans: &Spans) -> Tensor<2> {
    let AttentionHalf { norm, projections, head_norms, heads, kv_heads, epsilon } = half;
    let [x, norm] = [x, norm].map(Input::of);
    let head_norms = head_norms.map(|norms| norms.map(Input::of));

    let mut queue = Queue::default();
    let [q, k, v, o] = projections.map(|projection| projection.ready(&mut queue, &x));
    let attend = Attend {
        norm: norm.data.clone(),
        projections: [q.0, k.0, v.0, o.0],
        head_norms: head_norms.as_ref().map(|norms| norms.each_ref().map(|norm| norm.data.clone())),
        heads,
        kv_heads,
        epsilon,
        places: Places::of(spans),
    };
    let (y, kept) = attend.forward(&mut queue, &x.data);
    queue.submit();

    let [n_q, n_k] = head_norms.unwrap_or_else(|| [x.constant(), x.constant()]);
    let data = x.data.clone();
    let ([q0, q1, q2, q3], [k0, k1, k2, k3], [v0, v1, v2, v3], [o0, o1, o2, o3]) = (q.1, k.1, v.1, o.1);
    let inputs = [x, norm, q0, q1, q2, q3, k0, k1, k2, k3, v0, v1, v2, v3, o0, o1, o2, o3, n_q, n_k];
    let kept = (!spans.recompute && records(&inputs)).then_some(kept);
    record(inputs, y, move |dy, wanted| {
        let mut queue = Queue::default();
        let again;
        let kept = match &kept {
            Some(kept) => kept,
            None => {
                again = attend.forward(&mut queue, &data).1;
                &again
            }
        };
        let gradients = attend.backward(&mut queue, &data, &dy, kept, &wanted);
        queue.submit();
        gradients
    })
}

/// The parameters of the feed-forward half.
pub(crate) struct FeedForwardHalf {
    pub(crate) norm: Tensor<2>,
    /// Gate, up and down.
    pub(crate) projections: [Projection; 3],
    pub(crate) epsilon: f64,
}

struct FeedForward {
    norm: CubeTensor,
    /// Gate, up and down.
    projections: [Ready; 3],
    epsilon: f64,
    /// Whether the widest activation is kept. The gradient of a whole matrix is formed from it; an adapter's
    /// is too, but there memory is what counts, and it is made once more from the two that it came from.
    keep_gated: bool,
}

struct Fed {
    normed: CubeTensor,
    scales: CubeTensor,
    gate: CubeTensor,
    up: CubeTensor,
    gated: Option<CubeTensor>,
    /// What the adapters of the projections keep.
    inner: [Option<CubeTensor>; 3],
}

impl FeedForward {
    fn forward(&self, queue: &mut Queue, x: &CubeTensor) -> (CubeTensor, Fed) {
        let [gate, up, down] = &self.projections;
        let (normed, scales) = norm::forward(queue, x, &self.norm, self.epsilon);
        let [(gate, inner_gate), (up, inner_up)] = [gate, up].map(|projection| projection.forward(queue, &normed, None));
        let gated = swiglu::forward(queue, &gate, &up);
        let (y, inner_down) = down.forward(queue, &gated, Some(x));
        let gated = self.keep_gated.then_some(gated);
        (y, Fed { normed, scales, gate, up, gated, inner: [inner_gate, inner_up, inner_down] })
    }

    fn backward(
        &self,
        queue: &mut Queue,
        x: &CubeTensor,
        dy: &CubeTensor,
        kept: &Fed,
        wanted: &[bool; FEED_FORWARD],
    ) -> [Option<CubeTensor>; FEED_FORWARD] {
        let [gate, up, down] = &self.projections;
        let mut found = [const { None }; FEED_FORWARD];
        let [inner_gate, inner_up, inner_down] = kept.inner.each_ref().map(Option::as_ref);
        let again;
        let gated = match &kept.gated {
            Some(gated) => gated,
            None => {
                again = swiglu::forward(queue, &kept.gate, &kept.up);
                &again
            }
        };
        let (d_gated, own) = down.backward(queue, gated, dy, inner_down, None, wants(true, wanted, 2));
        place(&mut found, 2, own);
        let Some(d_gated) = d_gated else { return found };
        let [d_gate, d_up] = swiglu::backward(queue, &kept.gate, &kept.up, &d_gated);
        let (d_normed, own) = gate.backward(queue, &kept.normed, &d_gate, inner_gate, None, wants(true, wanted, 0));
        place(&mut found, 0, own);
        let (d_normed, own) = up.backward(queue, &kept.normed, &d_up, inner_up, d_normed.as_ref(), wants(true, wanted, 1));
        place(&mut found, 1, own);
        if let Some(d_normed) = d_normed {
            let (dx, d_norm) = norm::backward(queue, x, &self.norm, &kept.scales, &d_normed, Some(dy));
            (found[0], found[1]) = (Some(dx), Some(d_norm));
        }
        found
    }
}

/// `x + down(silu(gate(norm(x))) × up(norm(x)))`. With `recompute`, nothing but `x` is kept for the
/// backward pass.
pub(crate) fn feed_forward_half(x: Tensor<2>, half: FeedForwardHalf, recompute: bool) -> Tensor<2> {
    let FeedForwardHalf { norm, projections, epsilon } = half;
    let [x, norm] = [x, norm].map(Input::of);

    let mut queue = Queue::default();
    let [gate, up, down] = projections.map(|projection| projection.ready(&mut queue, &x));
    let keep_gated = down.1[0].is_recorded();
    let feed = FeedForward { norm: norm.data.clone(), projections: [gate.0, up.0, down.0], epsilon, keep_gated };
    let (y, kept) = feed.forward(&mut queue, &x.data);
    queue.submit();

    let data = x.data.clone();
    let ([g0, g1, g2, g3], [u0, u1, u2, u3], [d0, d1, d2, d3]) = (gate.1, up.1, down.1);
    let inputs = [x, norm, g0, g1, g2, g3, u0, u1, u2, u3, d0, d1, d2, d3];
    let kept = (!recompute && records(&inputs)).then_some(kept);
    record(inputs, y, move |dy, wanted| {
        let mut queue = Queue::default();
        let again;
        let kept = match &kept {
            Some(kept) => kept,
            None => {
                again = feed.forward(&mut queue, &data).1;
                &again
            }
        };
        let gradients = feed.backward(&mut queue, &data, &dy, kept, &wanted);
        queue.submit();
        gradients
    })
}
