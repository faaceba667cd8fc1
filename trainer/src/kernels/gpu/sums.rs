//! Gradients that are added up over the cards of a group while the backward pass goes on.
//!
//! Operations of the card are counted in the forward pass by the parameters that they use. Each gives its parameters a
//! gradient in the backward pass; with the last of them a parameter's gradient is final, and when those of a bucket are,
//! the sum begins (Li et al. 2020, section 3.2). It works in place, on gradients that were taken out of the pass: one that
//! comes later, from an operation that was not counted, is found there and not lost.

use std::cell::RefCell;
use std::collections::BTreeMap;

use burn::backend::Cube;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::grads::Gradients;
use burn::tensor::{Device, Tensor};

use super::engine::fail;
use super::group::{add_up, settle};
use super::tape::{Node, matrix, node, tensor};
use crate::buckets::{Buckets, Progress};

thread_local! {
    static USES: RefCell<Option<Uses>> = const { RefCell::new(None) };
    static SUMS: RefCell<Option<Sums>> = const { RefCell::new(None) };
}

/// How often each parameter was used on this thread.
struct Uses {
    places: BTreeMap<NodeId, usize>,
    counts: Vec<u32>,
}

/// Counts how often operations of the card in `forward` use each of these parameters.
pub(crate) fn counted<T>(parameters: Vec<Tensor<2>>, forward: impl FnOnce() -> T) -> (T, Vec<u32>) {
    let nodes: Vec<Node> = parameters.into_iter().filter_map(node).collect();
    let counts = vec![0; nodes.len()];
    USES.set(Some(Uses { places: places(&nodes), counts }));
    let result = forward();
    (result, USES.take().map(|uses| uses.counts).unwrap_or_default())
}

/// Notes that an operation uses something.
pub(super) fn used(id: NodeId) {
    USES.with_borrow_mut(|uses| {
        if let Some(Uses { places, counts }) = uses
            && let Some(count) = places.get(&id).and_then(|&index| counts.get_mut(index))
        {
            *count += 1;
        }
    });
}

/// Notes that an operation gave something a gradient.
pub(super) fn arrived(id: NodeId, gradients: &mut Gradients) {
    SUMS.with_borrow_mut(|sums| {
        if let Some(sums) = sums {
            sums.arrived(id, gradients);
        }
    });
}

fn places(nodes: &[Node]) -> BTreeMap<NodeId, usize> {
    nodes.iter().enumerate().map(|(index, node)| (node.id(), index)).collect()
}

/// The gradients of one card in the last backward pass of a step.
pub(crate) struct Sums {
    device: Device,
    nodes: Vec<Node>,
    places: BTreeMap<NodeId, usize>,
    progress: Progress,
    /// What earlier passes gave; then with what this one gives; then sums.
    values: Vec<Option<Tensor<2>>>,
}

impl Sums {
    /// Of these parameters, which a pass comes to as often as `uses` says, after passes that gave `before`.
    pub(crate) fn new(
        parameters: Vec<Tensor<2>>,
        before: Vec<Option<Tensor<2>>>,
        buckets: Buckets,
        uses: Vec<u32>,
        device: Device,
    ) -> Self {
        let nodes: Vec<Node> = parameters.into_iter().filter_map(node).collect();
        let progress = Progress::new(buckets, uses);
        Self { device, places: places(&nodes), nodes, progress, values: before }
    }

    /// Does `backward`, in which sums begin.
    pub(crate) fn during<T>(self, backward: impl FnOnce() -> T) -> (T, Self) {
        SUMS.set(Some(self));
        let result = backward();
        match SUMS.take() {
            Some(sums) => (result, sums),
            None => unreachable!("nothing else takes what was put there"),
        }
    }

    fn arrived(&mut self, id: NodeId, gradients: &mut Gradients) {
        let Some(&index) = self.places.get(&id) else { return };
        if !self.progress.arrives(index) {
            return;
        }
        let Some(gradient) = self.nodes.get(index).and_then(|node| gradients.remove::<Cube>(node)) else {
            return fail("a gradient is not where it was put".to_owned());
        };
        self.put(index, tensor(gradient));
        while let Some(bucket) = self.progress.due() {
            self.begin(&bucket);
        }
    }

    /// Whether the gradient of a parameter was taken out of the pass.
    pub(crate) fn has_taken(&self, index: usize) -> bool {
        self.progress.is_final(index)
    }

    /// Whether no bucket is left to begin with.
    #[cfg(test)]
    pub(super) fn has_begun_all(&self) -> bool {
        self.progress.is_over()
    }

    /// Adds the gradient of a parameter that was not taken out of the pass.
    pub(crate) fn put(&mut self, index: usize, gradient: Tensor<2>) {
        if let Some(value) = self.values.get_mut(index) {
            *value = Some(match value.take() {
                Some(before) => before + gradient,
                None => gradient,
            });
        }
    }

    /// Begins to add up some gradients; a card without a micro-batch has none and adds zeros.
    fn begin(&mut self, indices: &[usize]) {
        let sums = add_up(self.take(indices));
        self.set(indices, sums);
    }

    fn take(&mut self, indices: &[usize]) -> Vec<Tensor<2>> {
        let zeros = |index: usize| {
            let shape = self.nodes.get(index).map_or([0; 2], |node| matrix(node.primitive()));
            Tensor::zeros(shape, &self.device)
        };
        let taken: Vec<_> = indices.iter().map(|&index| (index, self.values.get_mut(index).and_then(Option::take))).collect();
        taken.into_iter().map(|(index, value)| value.unwrap_or_else(|| zeros(index))).collect()
    }

    fn set(&mut self, indices: &[usize], sums: Vec<Tensor<2>>) {
        for (&index, sum) in indices.iter().zip(sums) {
            if let Some(value) = self.values.get_mut(index) {
                *value = Some(sum);
            }
        }
    }

    /// Adds up what is left, and other numbers of the cards. Gives the sums of all parameters, and of those numbers.
    pub(crate) fn finish(mut self, beside: Vec<Tensor<2>>) -> (Vec<Option<Tensor<2>>>, Vec<Tensor<2>>) {
        while let Some(bucket) = self.progress.rest() {
            self.begin(&bucket);
        }
        let rest: Vec<usize> = (0..self.values.len()).filter(|&index| !self.progress.holds(index)).collect();
        let mut last = self.take(&rest);
        last.extend(beside);
        let mut sums = add_up(last);
        if let Some(sum) = sums.first() {
            settle(sum);
        }
        let beside = sums.split_off(rest.len());
        self.set(&rest, sums);
        (self.values, beside)
    }
}
