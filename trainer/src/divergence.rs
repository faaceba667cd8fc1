//! How far apart two models of the same vocabulary are on a text.
//!
//! One after the other is in memory: of the first, hidden states and the output matrix are kept, from which its
//! probabilities follow again.

use burn::tensor::{Tensor, activation};
use serde::Serialize;
use shards::Batch;

use crate::error::{Error, Result};
use crate::kernels::{check, linear};
use crate::model::{Inputs, Model};

/// Numbers of logits held at a time.
const CHUNK: usize = 1 << 22;

/// What a model says of a text.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// Hidden states before the output matrix, `[N, H]` of each batch.
    hidden: Vec<Tensor<2>>,
    /// `[V, H]`.
    head: Tensor<2>,
    /// Targets of each batch, and whether they count.
    targets: Vec<(Vec<u32>, Vec<bool>)>,
}

/// How far the second of two models is from the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Divergence {
    /// Targets compared at.
    pub tokens: u64,
    /// Mean Kullback-Leibler divergence KL(first ‖ second) of the next token, nats.
    pub kl: f64,
    /// The largest one of a single token.
    pub largest_kl: f64,
    /// Perplexity by the first.
    pub perplexity_before: f64,
    /// Perplexity by the second.
    pub perplexity_after: f64,
}

impl Outputs {
    /// What this model says of these batches. The model is not needed any more then.
    pub fn of(model: &Model, batches: &[Batch]) -> Result<Self> {
        let model = model.frozen();
        let hidden = batches.iter().map(|batch| Ok(model.forward(&Inputs::new(&model, batch)?))).collect::<Result<_>>()?;
        check("compute hidden states")?;
        let targets = batches.iter().map(|batch| (batch.targets.clone(), batch.mask.clone())).collect();
        Ok(Self { hidden, head: model.head(), targets })
    }

    /// How far `after` is from this; both are of the same batches.
    pub fn divergence(&self, after: &Self) -> Result<Divergence> {
        let rows = [&self.head, &after.head].map(|head| head.dims()[0]);
        if rows[0] != rows[1] || self.targets != after.targets {
            return Err(Error::Batch(format!("compared are models of {} and {} ids, or other batches", rows[0], rows[1])));
        }
        let step = (CHUNK / rows[0]).clamp(1, 1024);
        let (mut tokens, mut kl, mut largest_kl, mut losses) = (0u64, 0.0, 0.0f64, [0.0; 2]);
        for ((before_nh, after_nh), (targets, mask)) in self.hidden.iter().zip(&after.hidden).zip(&self.targets) {
            for start in (0..targets.len()).step_by(step) {
                let count = step.min(targets.len() - start);
                let logs = |x_nh: &Tensor<2>, head: &Tensor<2>| {
                    let logits_cv = linear(x_nh.clone().narrow(0, start, count), head.clone(), None);
                    activation::log_softmax(logits_cv.cast(burn::tensor::DType::F32), 1)
                };
                let (before_cv, after_cv) = (logs(before_nh, &self.head), logs(after_nh, &after.head));
                let kl_c1 = (before_cv.clone().exp() * (before_cv.clone() - after_cv.clone())).sum_dim(1);
                let kls = read(kl_c1)?;
                let of_targets = [read(before_cv)?, read(after_cv)?];
                for (row, found) in kls.into_iter().enumerate().filter(|(row, _)| mask[start + row]) {
                    tokens += 1;
                    kl += f64::from(found);
                    largest_kl = largest_kl.max(f64::from(found));
                    let at = row * rows[0] + targets[start + row] as usize;
                    losses.iter_mut().zip(&of_targets).for_each(|(sum, logs)| *sum -= f64::from(logs[at]));
                }
            }
        }
        if tokens == 0 {
            return Err(Error::Batch("no target to compare two models at".to_owned()));
        }
        let [perplexity_before, perplexity_after] = losses.map(|sum| (sum / tokens as f64).exp());
        Ok(Divergence { tokens, kl: kl / tokens as f64, largest_kl, perplexity_before, perplexity_after })
    }
}

fn read(values: Tensor<2>) -> Result<Vec<f32>> {
    values.try_into_vec_as::<f32>().map_err(Error::backend("read probabilities"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// Two ids, probabilities 1/2 and 1/2 against 1/4 and 3/4: KL = ½ ln 2 + ½ ln ⅔.
    #[test]
    fn by_hand() {
        let device = Device::flex();
        let head = Tensor::from_floats([[0.0], [1.0]], &device);
        let of = |logit: f32, mask: Vec<bool>| Outputs {
            hidden: vec![Tensor::from_floats([[logit], [0.0]], &device)],
            head: head.clone(),
            targets: vec![(vec![1, 0], mask)],
        };
        let mask = vec![true, false];
        let (before, after) = (of(0.0, mask.clone()), of(3f32.ln(), mask.clone()));
        let found = before.divergence(&after).unwrap();
        let expected = 0.5 * 2f64.ln() + 0.5 * (2f64 / 3.0).ln();
        assert!((found.kl - expected).abs() < 1e-6 && (found.largest_kl - expected).abs() < 1e-6, "{found:?}");
        assert!((found.perplexity_before - 2.0).abs() < 1e-6 && (found.perplexity_after - 4.0 / 3.0).abs() < 1e-6, "{found:?}");
        assert_eq!(found.tokens, 1);
        // The second row is the same in both.
        let both = of(0.0, vec![true; 2]).divergence(&of(3f32.ln(), vec![true; 2])).unwrap();
        assert!((both.kl - expected / 2.0).abs() < 1e-6 && both.tokens == 2, "{both:?}");
        assert_eq!(before.divergence(&before).unwrap().kl, 0.0);
        assert!(before.divergence(&of(0.0, vec![true; 2])).is_err());
        assert!(of(0.0, vec![false; 2]).divergence(&of(0.0, vec![false; 2])).is_err());
    }
}
