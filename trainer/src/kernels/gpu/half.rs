//! The two halves of a decoder layer, each one operation: one piece of work forward, one backward. The
//! host then hands over a hundred pieces a step instead of a thousand, the residual stream is added to
//! inside a matrix product, and a half can forget everything but its input and compute it again.

use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;

use super::attention::{self, Places};
use super::engine::Queue;
use super::linear::{self, Projection};
use super::tape::{Input, matrix, record, records, reshaped};
use super::{norm, swiglu};
use crate::model::inputs::Spans;

/// The parameters of the attention half.
pub(crate) struct AttentionHalf {
    pub(crate) norm: Tensor<2>,
    /// Query, key, value: weight and bias.
    pub(crate) projections: [(Tensor<2>, Option<Tensor<2>>); 3],
    pub(crate) output: Tensor<2>,
    /// Norms of each head of queries and keys.
    pub(crate) head_norms: Option<[Tensor<2>; 2]>,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) epsilon: f64,
}

/// What the attention half computes with, beside its input.
struct Attend {
    norm: CubeTensor,
    /// Query, key and value in bfloat16, then the output's.
    weights: [CubeTensor; 4],
    biases: [Option<CubeTensor>; 3],
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
}

impl Attend {
    fn forward(&self, queue: &mut Queue, x: &CubeTensor) -> (CubeTensor, Attended) {
        let (normed, scales) = norm::forward(queue, x, &self.norm, self.epsilon);
        let [q, k, v] = [0, 1, 2].map(|at| linear::forward(queue, &normed, &self.weights[at], self.biases[at].as_ref(), None));
        let (q, k, heads) = match &self.head_norms {
            None => (q, k, None),
            Some([norm_q, norm_k]) => {
                let (normed_q, kept_q) = self.norm_heads(queue, q, norm_q, self.heads);
                let (normed_k, kept_k) = self.norm_heads(queue, k, norm_k, self.kv_heads);
                (normed_q, normed_k, Some([kept_q, kept_k]))
            }
        };
        let attention = attention::forward(queue, &q, &k, v, self.heads, self.kv_heads, &self.places);
        let y = linear::forward(queue, &attention.out, &self.weights[3], None, Some(x));
        (y, Attended { normed, scales, heads, attention })
    }

    fn norm_heads(&self, queue: &mut Queue, x: CubeTensor, weight: &CubeTensor, heads: usize) -> (CubeTensor, (CubeTensor, CubeTensor)) {
        let [n, width] = matrix(&x);
        let x = reshaped(x, [n * heads, width / heads]);
        let (y, scales) = norm::forward(queue, &x, weight, self.epsilon);
        (reshaped(y, [n, width]), (x, scales))
    }

    /// The gradients of input, norm, the three projections' weights and biases, output, head norms.
    fn backward(
        &self,
        queue: &mut Queue,
        x: &CubeTensor,
        dy: &CubeTensor,
        kept: &Attended,
        wanted: &[bool; 11],
    ) -> [Option<CubeTensor>; 11] {
        let d_attended = linear::of_input(queue, dy, &self.weights[3], None);
        let d_output = wanted[8].then(|| linear::of_weight(queue, dy, &kept.attention.out));
        let [mut d_q, mut d_k, d_v] = kept.attention.backward(queue, &d_attended, &self.places);
        let mut d_head_norms = [None, None];
        if let (Some(norms), Some(heads)) = (&self.head_norms, &kept.heads) {
            for (index, d) in [&mut d_q, &mut d_k].into_iter().enumerate() {
                let shape = matrix(d);
                let (before, scales) = &heads[index];
                let d_heads = reshaped(d.clone(), matrix(before));
                let (dx, dw) = norm::backward(queue, before, &norms[index], scales, &d_heads, None);
                *d = reshaped(dx, shape);
                d_head_norms[index] = Some(dw);
            }
        }
        let each = [&d_q, &d_k, &d_v];
        let mut d_normed = None;
        for (d, weight) in each.into_iter().zip(&self.weights) {
            d_normed = Some(linear::of_input(queue, d, weight, d_normed.as_ref()));
        }
        let [w_q, w_k, w_v] = [0, 1, 2].map(|at| wanted[2 + at].then(|| linear::of_weight(queue, each[at], &kept.normed)));
        let [b_q, b_k, b_v] = [0, 1, 2].map(|at| wanted[5 + at].then(|| linear::of_bias(queue, each[at])));
        let (dx, d_norm) = match d_normed {
            Some(d_normed) => {
                let (dx, d_norm) = norm::backward(queue, x, &self.norm, &kept.scales, &d_normed, Some(dy));
                (Some(dx), Some(d_norm))
            }
            None => (None, None),
        };
        let [n_q, n_k] = d_head_norms;
        [dx, d_norm, w_q, w_k, w_v, b_q, b_k, b_v, d_output, n_q, n_k]
    }
}

/// `x + attention(norm(x))`. Where layers recompute, nothing but `x` is kept for the backward pass.
pub(crate) fn attention_half(x: Tensor<2>, half: AttentionHalf, spans: &Spans) -> Tensor<2> {
    let AttentionHalf { norm, projections, output, head_norms, heads, kv_heads, epsilon } = half;
    let x = Input::of(x);
    let norm = Input::of(norm);
    let [query, key, value] = projections.map(|(weight, bias)| Projection::of(weight, bias));
    let output = Projection::of(output, None);
    let head_norms = head_norms.map(|norms| norms.map(Input::of));

    let mut queue = Queue::default();
    let attend = Attend {
        norm: norm.data.clone(),
        weights: [&query, &key, &value, &output].map(|projection| projection.narrowed(&mut queue)),
        biases: [&query, &key, &value].map(|projection| projection.bias().cloned()),
        head_norms: head_norms.as_ref().map(|norms| norms.each_ref().map(|norm| norm.data.clone())),
        heads,
        kv_heads,
        epsilon,
        places: Places::of(spans),
    };
    let (y, kept) = attend.forward(&mut queue, &x.data);
    queue.submit();

    let [[w_q, b_q], [w_k, b_k], [w_v, b_v]] = [query, key, value].map(|projection| projection.inputs(&x));
    let [w_o, _] = output.inputs(&x);
    let [n_q, n_k] = head_norms.unwrap_or_else(|| [x.constant(), x.constant()]);
    let data = x.data.clone();
    let inputs = [x, norm, w_q, w_k, w_v, b_q, b_k, b_v, w_o, n_q, n_k];
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
    pub(crate) gate: Tensor<2>,
    pub(crate) up: Tensor<2>,
    pub(crate) down: Tensor<2>,
    pub(crate) epsilon: f64,
}

struct FeedForward {
    norm: CubeTensor,
    /// Gate, up and down in bfloat16.
    weights: [CubeTensor; 3],
    epsilon: f64,
}

struct Fed {
    normed: CubeTensor,
    scales: CubeTensor,
    gate: CubeTensor,
    up: CubeTensor,
    gated: CubeTensor,
}

impl FeedForward {
    fn forward(&self, queue: &mut Queue, x: &CubeTensor) -> (CubeTensor, Fed) {
        let (normed, scales) = norm::forward(queue, x, &self.norm, self.epsilon);
        let [gate, up] = [0, 1].map(|at| linear::forward(queue, &normed, &self.weights[at], None, None));
        let gated = swiglu::forward(queue, &gate, &up);
        let y = linear::forward(queue, &gated, &self.weights[2], None, Some(x));
        (y, Fed { normed, scales, gate, up, gated })
    }

    /// The gradients of input, norm, gate, up and down.
    fn backward(&self, queue: &mut Queue, x: &CubeTensor, dy: &CubeTensor, kept: &Fed, wanted: &[bool; 5]) -> [Option<CubeTensor>; 5] {
        let d_gated = linear::of_input(queue, dy, &self.weights[2], None);
        let d_down = wanted[4].then(|| linear::of_weight(queue, dy, &kept.gated));
        let [d_gate, d_up] = swiglu::backward(queue, &kept.gate, &kept.up, &d_gated);
        let d_normed = linear::of_input(queue, &d_gate, &self.weights[0], None);
        let d_normed = linear::of_input(queue, &d_up, &self.weights[1], Some(&d_normed));
        let w_gate = wanted[2].then(|| linear::of_weight(queue, &d_gate, &kept.normed));
        let w_up = wanted[3].then(|| linear::of_weight(queue, &d_up, &kept.normed));
        let (dx, d_norm) = norm::backward(queue, x, &self.norm, &kept.scales, &d_normed, Some(dy));
        [Some(dx), Some(d_norm), w_gate, w_up, d_down]
    }
}

/// `x + down(silu(gate(norm(x))) × up(norm(x)))`. With `recompute`, nothing but `x` is kept for the
/// backward pass.
pub(crate) fn feed_forward_half(x: Tensor<2>, half: FeedForwardHalf, recompute: bool) -> Tensor<2> {
    let FeedForwardHalf { norm, gate, up, down, epsilon } = half;
    let [x, norm] = [x, norm].map(Input::of);
    let projections = [gate, up, down].map(|weight| Projection::of(weight, None));

    let mut queue = Queue::default();
    let weights = projections.each_ref().map(|projection| projection.narrowed(&mut queue));
    let feed = FeedForward { norm: norm.data.clone(), weights, epsilon };
    let (y, kept) = feed.forward(&mut queue, &x.data);
    queue.submit();

    let [[gate, _], [up, _], [down, _]] = projections.map(|projection| projection.inputs(&x));
    let data = x.data.clone();
    let inputs = [x, norm, gate, up, down];
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
