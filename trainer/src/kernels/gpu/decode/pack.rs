//! From a model to the buffers of a decoder.

use burn::tensor::{DType, Tensor};
use burn_cubecl::tensor::CubeTensor;

use super::program::{Layer, LowRank, Matrix, Packed, Place, Program, Weights, group, parts, rounded};
use super::{CHOICE, HEADER, LayerParts, Limits, Parts};
use crate::kernels::gpu::engine::{Arg, Queue};
use crate::kernels::gpu::linear::{Projection, Weight, narrowed};
use crate::kernels::gpu::source::Source;
use crate::kernels::gpu::tape::{Input, contiguous, empty, matrix};

/// The buffers so far, and the work that fills them.
struct Packing {
    buffers: Vec<CubeTensor>,
    queue: Queue,
}

/// The program of a model, and its buffers; none where it has what there are no kernels for.
pub(super) fn pack(model: Parts, limits: Limits) -> Option<(Program, Vec<CubeTensor>)> {
    let Parts { embedding, layers, norm, head, turns, heads, kv_heads, head_size, epsilon } = model;
    let biased = |layer: &LayerParts| layer.attention[3].bias.is_some() || layer.mlp.iter().any(|projection| projection.bias.is_some());
    if layers.iter().any(biased) {
        return None;
    }
    let beside = Input::of(embedding.clone()).data;
    let mut packing = Packing { buffers: Vec::new(), queue: Queue::default() };
    let [vocab, hidden] = matrix(&beside);
    let embedding = packing.narrow(beside.clone());
    let head = head.map_or(embedding, |head| packing.narrow(Input::of(head).data));
    let layers: Vec<Layer> = layers.into_iter().map(|layer| packing.layer(layer)).collect::<Option<_>>()?;
    let matrices = || layers.iter().flat_map(|layer| [&layer.qkv, &layer.output, &layer.gate_up, &layer.down]);
    let intermediate = layers.first().map_or(8, |layer| layer.down.input);
    let rank = matrices().flat_map(|matrix| &matrix.adapters).map(|adapter| adapter.rank).max().unwrap_or(0);
    let is_whole = |matrix: &&Matrix| matches!(matrix.weight, Weights::Whole(_));
    let packed = matrices().filter(|matrix| !is_whole(matrix)).map(|matrix| matrix.input * matrix.output).max().unwrap_or(0);
    let is_plain = packed == 0 && rank == 0;
    let room = rounded(limits.rows).next_multiple_of(4);
    let most = rounded(limits.sequences);
    let (width, groups) = (heads * head_size, heads / group(heads, kv_heads));
    let mut rows = |width: usize, dtype: DType| packing.add(empty(&beside, [room, width.max(8)], dtype));
    let program = Program {
        hidden,
        heads,
        kv_heads,
        head_size,
        intermediate,
        vocab,
        known: limits.ids.min(vocab),
        epsilon: epsilon as f32,
        room,
        most,
        x: rows(hidden, DType::BF16),
        normed: rows(hidden, DType::BF16),
        qkv: rows(width + 2 * kv_heads * head_size, DType::BF16),
        queries: rows(width, DType::F32),
        attended: rows(width, DType::BF16),
        both: rows(2 * intermediate, DType::BF16),
        gated: rows(intermediate, DType::BF16),
        inner: rows(rank, DType::BF16),
        tickets: packing.zeros(&beside, room * groups),
        words: packing.add(empty(&beside, [1, HEADER + 4 * room + CHOICE * most + limits.sequences * limits.blocks], DType::I32)),
        parts: packing.add(empty(&beside, [1, parts(heads, kv_heads, head_size)], DType::F32)),
        logits: packing.add(empty(&beside, [most, vocab.next_multiple_of(8)], DType::BF16)),
        drawn: packing.add(empty(&beside, [most, 4], DType::I32)),
        turns: turns.map(|table| packing.keep(table)),
        whole: packing.add(empty(&beside, [1, packed.max(8)], DType::BF16)),
        is_plain,
        embedding,
        layers,
        norm: packing.keep(norm),
        head,
    };
    let Packing { buffers, queue } = packing;
    queue.submit();
    Some((program, buffers))
}

impl Packing {
    fn add(&mut self, buffer: CubeTensor) -> Place {
        self.buffers.push(contiguous(buffer));
        self.buffers.len() - 1
    }

    /// As it is.
    fn keep(&mut self, tensor: Tensor<2>) -> Place {
        self.add(Input::of(tensor).data)
    }

    /// In bfloat16.
    fn narrow(&mut self, value: CubeTensor) -> Place {
        let narrow = narrowed(&mut self.queue, &value);
        self.add(narrow)
    }

    fn zeros(&mut self, beside: &CubeTensor, count: usize) -> Place {
        let buffer = empty(beside, [1, count], DType::I32);
        self.queue.add([&buffer], move |engine, [at]| engine.zero(at, count * 4));
        self.add(buffer)
    }

    fn layer(&mut self, layer: LayerParts) -> Option<Layer> {
        let LayerParts {
            attention_norm,
            attention: [query, key, value, output],
            head_norms,
            mlp_norm,
            mlp: [gate, up, down],
            keys,
            values,
        } = layer;
        let biases = [&query, &key, &value].map(|projection| projection.bias.clone());
        let bias = match biases {
            [Some(q), Some(k), Some(v)] => Some(self.keep(Tensor::cat(vec![q, k, v], 1))),
            [None, None, None] => None,
            _ => return None,
        };
        Some(Layer {
            attention_norm: self.keep(attention_norm),
            qkv: self.matrix([query, key, value])?,
            bias,
            head_norms: head_norms.map(|norms| norms.map(|norm| self.keep(norm))),
            keys: self.keep(keys),
            values: self.keep(values),
            output: self.matrix([output])?,
            mlp_norm: self.keep(mlp_norm),
            gate_up: self.matrix([gate, up])?,
            down: self.matrix([down])?,
        })
    }

    /// Projections of one input as one matrix, their rows one after the other.
    fn matrix<const N: usize>(&mut self, projections: [Projection; N]) -> Option<Matrix> {
        let (mut whole, mut packed, mut adapters, mut output, mut input) = (Vec::new(), Vec::new(), Vec::new(), 0, 0);
        for Projection { weight, adapter, .. } in projections {
            let own;
            match weight {
                Weight::Whole { value, .. } => {
                    let weight = Input::of(*value).data;
                    [own, input] = matrix(&weight);
                    whole.push(weight);
                }
                Weight::Nf4(weight) => {
                    [own, input] = weight.shape();
                    let parts = weight.parts().map(|part| self.add(part));
                    packed.push(Packed { parts, offset: weight.offset(), first: output * input, count: own * input });
                }
            }
            if let Some(adapter) = adapter {
                let (rank, scale) = (adapter.down.dims()[0], adapter.scale as f32);
                let [down, up] = [adapter.down, adapter.up].map(|part| self.narrow(Input::of(part).data));
                adapters.push(LowRank { down, up, rank, first: output, output: own, scale });
            }
            output += own;
        }
        let weight = match (&whole[..], packed.len()) {
            ([], _) => Weights::Nf4(packed),
            ([weight], 0) => Weights::Whole(self.narrow(weight.clone())),
            (weights, 0) => Weights::Whole(self.together(weights, [output, input])),
            _ => return None,
        };
        Some(Matrix { weight, input, output, adapters })
    }

    /// Matrices of one width in bfloat16, one under the other.
    fn together(&mut self, weights: &[CubeTensor], shape: [usize; 2]) -> Place {
        let whole = empty(&weights[0], shape, DType::BF16);
        let mut first = 0;
        for weight in weights {
            let (count, wide) = (matrix(weight).iter().product::<usize>(), weight.dtype != DType::BF16);
            self.queue.add([weight, &whole], move |engine, [from, to]| {
                let to = to + 2 * first as u64;
                match wide {
                    true => {
                        let args = [Arg::Address(from), Arg::Address(to), Arg::Long(count as i64)];
                        engine.launch(Source::Layer, "to_bf16", (count.div_ceil(8 * 256) as u32, 1, 1), 256, 0, &args)
                    }
                    false => engine.copy(from, to, 2 * count),
                }
            });
            first += count;
        }
        self.add(whole)
    }
}
