//! Work that keeps nothing but its inputs and is done once more in the backward pass.

use std::sync::Arc;

use burn::tensor::Tensor;

/// Inputs of such work at most: a layer's input, its norms, four tensors and a length of seven matrices.
pub(super) const MOST: usize = 1 + 4 + 7 * 5;

/// Work on a tensor and parameters: a function of their numbers alone.
pub(crate) type Work = Arc<dyn Fn(Tensor<2>, &[Tensor<2>]) -> Tensor<2> + Send + Sync>;

/// `work(x, parameters)`, of which nothing but `x` and `parameters` is kept for the backward pass.
pub(crate) fn recomputed(x: Tensor<2>, parameters: Vec<Tensor<2>>, work: Work) -> Tensor<2> {
    debug_assert!(parameters.len() < MOST);
    #[cfg(feature = "cuda")]
    if super::gpu::on_card(&x) {
        return super::gpu::recomputed(&x, &parameters, work);
    }
    super::cpu::recomputed(&x, &parameters, work.clone()).unwrap_or_else(|| work(x, &parameters))
}

/// The gradients of the inputs that are wanted: x, then the parameters. Inputs and `dy` are of no graph.
pub(super) fn gradients(inputs: &[Tensor<2>], wanted: &[bool], dy: Tensor<2>, work: &Work) -> Vec<Option<Tensor<2>>> {
    let leaf = |(x, wanted): (&Tensor<2>, &bool)| if *wanted { x.clone().autodiff().require_grad() } else { x.clone() };
    let leaves: Vec<Tensor<2>> = inputs.iter().zip(wanted).map(leaf).collect();
    let Some((x, parameters)) = leaves.split_first() else { return Vec::new() };
    // The gradient of this sum by the work's output is dy, to the bit.
    let mut found = (work(x.clone(), parameters) * dy).sum().backward();
    leaves.iter().zip(wanted).map(|(leaf, wanted)| wanted.then(|| leaf.grad_remove(&mut found)).flatten()).collect()
}
