//! Between Burn's tensors and buffers on the card, and how an operation is recorded for the
//! backward pass.

use std::fmt;
use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, AutodiffBackend, Cube};
use burn::tensor::{DType, Int, Shape, Tensor};
use burn_cubecl::tensor::CubeTensor;

use super::sums;

/// The backend with automatic differentiation.
type Tracked = Autodiff<Cube>;
pub(super) type Node = <Tracked as burn::backend::BackendTypes>::FloatTensorPrimitive;

/// A tensor's place in the graph of automatic differentiation, where it has one.
pub(super) fn node<const D: usize>(x: Tensor<D>) -> Option<Node> {
    x.try_into_primitive::<Tracked>().ok()
}

/// A tensor that goes into an operation.
#[derive(Clone)]
pub(super) struct Input {
    /// Its buffer, contiguous.
    pub(super) data: CubeTensor,
    /// Its place in the graph; none where nothing is recorded.
    node: Option<Node>,
}

/// Whether a tensor lies on an NVIDIA card.
pub(crate) fn on_card<const D: usize>(x: &Tensor<D>) -> bool {
    let x = x.clone();
    let x = if x.device().is_autodiff() { x.inner() } else { x };
    x.try_into_primitive::<Cube>().is_ok_and(|x| matches!(x.device, cubecl::device::Device::Cuda(_)))
}

/// Whether a tensor lies on an NVIDIA card that has bfloat16 on its tensor cores.
pub(crate) fn on_bf16_card<const D: usize>(x: Tensor<D>) -> bool {
    match x.try_into_primitive::<Cube>().map(|x| x.device) {
        Ok(cubecl::device::Device::Cuda(card)) => super::engine::capability(card.index).is_some_and(|major| major >= 8),
        _ => false,
    }
}

impl Input {
    /// Something that no gradient is wanted of, to stand for a parameter that is not there.
    pub(super) fn constant(&self) -> Self {
        Self { data: self.data.clone(), node: None }
    }

    /// Whether a gradient of it is wanted.
    pub(super) fn is_recorded(&self) -> bool {
        self.node.is_some()
    }

    /// Of a tensor that [`on_card`] is true for.
    pub(super) fn of<const D: usize>(x: Tensor<D>) -> Self {
        match x.clone().try_into_primitive::<Tracked>() {
            Ok(node) => Self { data: contiguous(node.primitive().clone()), node: Some(node) },
            Err(_) => Self { data: contiguous(plain(x)), node: None },
        }
    }
}

/// The buffer of a tensor without automatic differentiation.
fn plain<const D: usize>(x: Tensor<D>) -> CubeTensor {
    match x.try_into_primitive::<Cube>() {
        Ok(x) => x,
        Err(error) => unreachable!("a tensor of another backend came to an operation of the card: {error:?}"),
    }
}

/// The buffer of 32-bit integers.
pub(super) fn integers<const D: usize>(x: Tensor<D, Int>) -> CubeTensor {
    match x.cast(DType::I32).try_into_primitive::<Cube>() {
        Ok(x) => contiguous(x),
        Err(error) => unreachable!("integers of another backend came to an operation of the card: {error:?}"),
    }
}

/// Rows next to each other: cubecl pads them where it likes.
pub(super) fn contiguous(x: CubeTensor) -> CubeTensor {
    burn_cubecl::kernel::into_contiguous(x)
}

/// A new buffer beside another, its content undefined.
pub(super) fn empty<const D: usize>(beside: &CubeTensor, shape: [usize; D], dtype: DType) -> CubeTensor {
    let shape = Shape::from(shape);
    burn_cubecl::ops::numeric::empty_device_contiguous_dtype(beside.client.clone(), beside.device.clone(), shape, dtype)
}

/// Rows and columns of a matrix.
pub(super) fn matrix(x: &CubeTensor) -> [usize; 2] {
    let shape = x.meta.shape();
    [shape[0], shape[1]]
}

/// The same numbers, contiguous, as another matrix.
pub(super) fn reshaped(x: CubeTensor, shape: [usize; 2]) -> CubeTensor {
    CubeTensor::new_contiguous(x.client, x.device, Shape::from(shape), x.handle, x.dtype)
}

/// A buffer as a tensor outside of any graph.
pub(super) fn tensor<const D: usize>(x: CubeTensor) -> Tensor<D> {
    Tensor::from_primitive::<Cube>(x)
}

type Pull<const N: usize> = Arc<dyn Fn(CubeTensor, [bool; N]) -> [Option<CubeTensor>; N] + Send + Sync>;

/// From the gradient of an operation's output to those of its inputs.
#[derive(Clone)]
struct Saved<const N: usize>(Pull<N>);

impl<const N: usize> fmt::Debug for Saved<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("operation of the card")
    }
}

#[derive(Debug)]
struct Step;

impl<const N: usize> Backward<Cube, N> for Step {
    type State = Saved<N>;

    fn backward(self, ops: Ops<Saved<N>, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = contiguous(grads.consume::<Cube>(&ops.node));
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = (ops.state.0)(grad, wanted);
        for (parent, grad) in ops.parents.into_iter().zip(found) {
            if let (Some(parent), Some(grad)) = (parent, grad) {
                grads.register::<Cube>(parent.id, grad);
                sums::arrived(parent.id, grads);
            }
        }
    }
}

/// Whether a backward pass can come: some input is part of a graph.
pub(super) fn records<const N: usize>(inputs: &[Input; N]) -> bool {
    inputs.iter().any(|input| input.node.is_some())
}

/// The output as a tensor. Where an input is part of a graph, so is the output: `pull` then gives the
/// gradients of the inputs that are asked for.
pub(super) fn record<const N: usize, const D: usize>(
    inputs: [Input; N],
    output: CubeTensor,
    pull: impl Fn(CubeTensor, [bool; N]) -> [Option<CubeTensor>; N] + Send + Sync + 'static,
) -> Tensor<D> {
    if !records(&inputs) {
        return tensor(output);
    }
    let nodes = inputs.map(|input| input.node.unwrap_or_else(|| Tracked::from_inner(input.data)));
    nodes.iter().for_each(|node| sums::used(node.id()));
    let guards = nodes.each_ref().map(Node::node);
    let node = match Step.prepare::<NoCheckpointing>(guards).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish(Saved(Arc::new(pull)), output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    };
    Tensor::from_primitive::<Tracked>(node)
}
