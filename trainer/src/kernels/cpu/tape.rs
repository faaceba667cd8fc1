//! Between Burn's tensors and slices of numbers, and how an operation is recorded for the backward pass.

use std::fmt;
use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, AutodiffBackend, BackendTypes, Flex};
use burn::tensor::{DType, Tensor, TensorData};

/// The backend with automatic differentiation.
type Tracked = Autodiff<Flex>;
type Node = <Tracked as BackendTypes>::FloatTensorPrimitive;

/// 32-bit floats of the processor, outside of any graph.
pub(super) type Array = <Flex as BackendTypes>::FloatTensorPrimitive;

/// A tensor that goes into an operation.
pub(super) struct Input {
    /// Its numbers, contiguous.
    pub(super) data: Array,
    /// Its place in the graph; none where nothing is recorded.
    node: Option<Node>,
}

impl Input {
    /// Of 32-bit floats on the processor; none of anything else.
    pub(super) fn of<const D: usize>(x: &Tensor<D>) -> Option<Self> {
        let (data, node) = match x.clone().try_into_primitive::<Tracked>() {
            Ok(node) => (node.primitive().clone(), Some(node)),
            Err(_) => (x.clone().try_into_primitive::<Flex>().ok()?, None),
        };
        (data.dtype() == DType::F32).then(|| Self { data: data.to_contiguous(), node })
    }

    /// Something that no gradient is wanted of, to stand for an input that is not there.
    pub(super) fn constant(&self) -> Self {
        Self { data: self.data.clone(), node: None }
    }

    /// The numbers, row after row.
    pub(super) fn values(&self) -> &[f32] {
        values(&self.data)
    }
}

/// The numbers of an array that is contiguous.
pub(super) fn values(x: &Array) -> &[f32] {
    x.layout().contiguous_offsets().map_or(&[], |(start, end)| &x.storage::<f32>()[start..end])
}

/// The same to be changed; what shares them keeps its own.
pub(super) fn values_mut(x: &mut Array) -> &mut [f32] {
    match x.layout().contiguous_offsets() {
        Some((start, end)) => &mut x.storage_mut::<f32>()[start..end],
        None => &mut [],
    }
}

/// Numbers as an array.
pub(super) fn array<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Array {
    Array::from_data(TensorData::new(values, shape))
}

/// An array as a tensor outside of any graph.
pub(super) fn tensor<const D: usize>(x: Array) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(x)
}

/// A tensor outside of any graph as a contiguous array; none of what is not on the processor.
pub(super) fn plain<const D: usize>(x: Tensor<D>) -> Option<Array> {
    x.try_into_primitive::<Flex>().ok().filter(|x| x.dtype() == DType::F32).map(|x| x.to_contiguous())
}

type Pull<const N: usize> = Arc<dyn Fn(Array, [bool; N]) -> [Option<Array>; N] + Send + Sync>;

/// From the gradient of an operation's output to those of its inputs.
#[derive(Clone)]
struct Saved<const N: usize>(Pull<N>);

impl<const N: usize> fmt::Debug for Saved<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("operation of the processor")
    }
}

#[derive(Debug)]
struct Step;

impl<const N: usize> Backward<Flex, N> for Step {
    type State = Saved<N>;

    fn backward(self, ops: Ops<Saved<N>, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = (ops.state.0)(grad, wanted);
        for (parent, grad) in ops.parents.into_iter().zip(found) {
            if let (Some(parent), Some(grad)) = (parent, grad) {
                grads.register::<Flex>(parent.id, grad);
            }
        }
    }
}

/// The output as a tensor. Where an input is part of a graph, so is the output: `pull` then gives the
/// gradients of the inputs that are asked for.
pub(super) fn record<const N: usize, const D: usize>(
    inputs: [Input; N],
    output: Array,
    pull: impl Fn(Array, [bool; N]) -> [Option<Array>; N] + Send + Sync + 'static,
) -> Tensor<D> {
    if inputs.iter().all(|input| input.node.is_none()) {
        return tensor(output);
    }
    let nodes = inputs.map(|input| input.node.unwrap_or_else(|| Tracked::from_inner(input.data)));
    let guards = nodes.each_ref().map(Node::node);
    let node = match Step.prepare::<NoCheckpointing>(guards).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish(Saved(Arc::new(pull)), output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    };
    Tensor::from_primitive::<Tracked>(node)
}
