//! What the forward pass of training makes of answers, before anything is learned from them.

use burn::tensor::{Int, Tensor};
use shards::Batch;

use super::rollout::Rollout;
use crate::error::{Error, Result};
use crate::kernels::{check, token_entropies};
use crate::model::{Inputs, Model, inputs};

/// The targets of a batch that count.
#[derive(Debug)]
pub(super) struct Counted {
    /// The cells that foretell them, `[R]`.
    pub(super) cells_r: Tensor<1, Int>,
    /// The targets, `[R]`.
    pub(super) targets_r: Tensor<1, Int>,
}

impl Counted {
    /// Those of a batch, on the model's device.
    pub(super) fn of(model: &Model, batch: &Batch) -> Self {
        let counted = batch.mask.iter().zip(&batch.targets).zip(0..).filter(|((counts, _), _)| **counts);
        let (cells, targets): (Vec<u32>, Vec<u32>) = counted.map(|((_, &target), cell)| (cell, target)).unzip();
        let on_device = |values: Vec<u32>| inputs::integers(&values, [values.len()], &model.device());
        Self { cells_r: on_device(cells), targets_r: on_device(targets) }
    }

    /// The hidden states that foretell them, `[R, H]`.
    pub(super) fn states(&self, model: &Model, batch: &Batch) -> Result<Tensor<2>> {
        Ok(model.forward(&Inputs::new(model, batch)?).select(0, self.cells_r.clone()))
    }
}

/// States whose logits are those of the model divided by the temperature that tokens were drawn at, as TRL has it: the
/// policy that is improved is the one that drew, before top-p and top-k.
pub(super) fn tempered(x_rh: Tensor<2>, temperature: f64) -> Tensor<2> {
    if temperature == 1.0 { x_rh } else { x_rh.div_scalar(temperature) }
}

/// Of each answer of a rollout, a number for each of its tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Measured {
    /// Natural logarithms of probabilities.
    pub(crate) log_probs: Vec<Vec<f32>>,
    /// Entropies of what the tokens were drawn from, in nats.
    pub(crate) entropies: Vec<Vec<f32>>,
    /// What the value head expects before each token; nothing where the model has none.
    pub(crate) values: Vec<Vec<f32>>,
    /// Natural logarithms of the reference's probabilities; nothing where there is none.
    pub(crate) reference: Vec<Vec<f32>>,
}

impl Measured {
    /// Measures the answers of a rollout that were drawn at a temperature, `rows` at a time in their order: the pieces of an
    /// update of all of them.
    pub(crate) fn of(
        model: &Model,
        reference: Option<&Model>,
        rollout: &Rollout,
        temperature: f64,
        rows: usize,
        padding: u32,
    ) -> Result<Self> {
        let model = model.frozen();
        let mut measured = Self::default();
        let all: Vec<usize> = (0..rollout.answers.len()).collect();
        for answers in all.chunks(rows.max(1)) {
            let batch = rollout.batch(answers, padding);
            let counted = Counted::of(&model, &batch);
            let x_rh = counted.states(&model, &batch)?;
            let lengths = || answers.iter().map(|&at| rollout.answers[at].ids.len());
            if model.config().scalar_head.is_some() {
                measured.values.extend(split(model.scalar(x_rh.clone())?, lengths())?);
            }
            let x_rh = tempered(x_rh, temperature);
            let log_probs_r = model.log_probs(x_rh.clone(), counted.targets_r.clone());
            measured.log_probs.extend(split(log_probs_r, lengths())?);
            measured.entropies.extend(split(token_entropies(x_rh, model.head()), lengths())?);
            if let Some(reference) = reference {
                let x_rh = tempered(counted.states(reference, &batch)?, temperature);
                measured.reference.extend(split(reference.log_probs(x_rh, counted.targets_r.clone()), lengths())?);
            }
        }
        Ok(measured)
    }
}

/// Numbers from the device, so many for each answer.
fn split(values_r: Tensor<1>, lengths: impl Iterator<Item = usize>) -> Result<Vec<Vec<f32>>> {
    let operation = "read what tokens are worth";
    let values = values_r.inner().try_into_vec_as::<f32>().map_err(Error::backend(operation))?;
    check(operation)?;
    let mut rest = &values[..];
    let mut answers = Vec::new();
    for length in lengths {
        let (own, others) = rest
            .split_at_checked(length)
            .ok_or_else(|| Error::Backend { operation, detail: format!("{} numbers are fewer than the tokens", values.len()) })?;
        answers.push(own.to_vec());
        rest = others;
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, activation::log_softmax};

    use super::*;
    use crate::model::ModelConfig;

    #[test]
    fn temperature_divides_logits() {
        let config = ModelConfig { hidden: 16, layers: 1, heads: 2, kv_heads: 1, intermediate: 24, ..ModelConfig::default() };
        let model = config.init(&Device::flex(), 40, 3).unwrap().frozen();
        let x = Tensor::<2>::from_data([[0.5; 16], [-1.0; 16]], &model.device());
        let targets: Tensor<1, Int> = Tensor::from_ints([7, 31], &model.device());
        for temperature in [1.0, 0.7, 1.5] {
            let found = model.log_probs(tempered(x.clone(), temperature), targets.clone()).try_into_vec_as::<f32>().unwrap();
            let expected = log_softmax(model.logits(x.clone()) / temperature, 1).gather(1, targets.clone().unsqueeze_dim(1));
            for (found, expected) in found.iter().zip(expected.try_into_vec_as::<f32>().unwrap()) {
                assert!((found - expected).abs() < 1e-5, "{temperature}: {found} {expected}");
            }
        }
    }
}
