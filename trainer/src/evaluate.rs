//! Held-out loss in bits per byte, so that vocabularies can be compared.

use std::f64::consts::LN_2;

use serde::{Deserialize, Serialize};
use shards::HeldOut;

use crate::error::{Error, Result};
use crate::kernels::token_losses;
use crate::model::{Inputs, Model, inputs};

/// The loss on one bucket's held-out text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BucketLoss {
    /// The bucket's name.
    pub bucket: String,
    /// Targets measured: all but the first token of each document.
    pub tokens: u64,
    /// UTF-8 bytes that the measured targets stand for.
    pub bytes: u64,
    /// Nats per target.
    pub loss: f64,
    /// Bits to predict the targets that stand for text, divided by its bytes. End tokens, which
    /// stand for no byte, are in `loss` but not here.
    pub bits_per_byte: f64,
}

/// Measures up to about `max_tokens` targets, from the first held-out window on, `rows` windows at a
/// time. `token_bytes` is the tokenizer's table of bytes by id. None when there is no text to
/// measure.
pub fn evaluate(
    model: &Model,
    held_out: &HeldOut,
    bucket: &str,
    token_bytes: &[u32],
    rows: u32,
    max_tokens: u64,
) -> Result<Option<BucketLoss>> {
    let model = model.frozen();
    let mut sums = Sums::default();
    for batch in held_out.batches(rows) {
        if sums.tokens >= max_tokens {
            break;
        }
        let batch = batch?;
        let inputs = Inputs::new(&model, &batch)?;
        let targets_n = inputs::integers(&batch.targets, [batch.targets.len()], &model.device());
        let losses = token_losses(model.forward(&inputs), model.head(), targets_n);
        let losses = losses.try_into_vec_as::<f32>().map_err(Error::backend("read held-out losses"))?;
        for ((loss, target), _) in losses.iter().zip(&batch.targets).zip(&batch.mask).filter(|(_, counts)| **counts) {
            sums.add(f64::from(*loss), token_bytes.get(*target as usize).copied().unwrap_or(0));
        }
    }
    Ok(sums.finish(bucket))
}

#[derive(Default)]
struct Sums {
    tokens: u64,
    nats: f64,
    bytes: u64,
    /// Of the targets that stand for bytes.
    text_nats: f64,
}

impl Sums {
    fn add(&mut self, nats: f64, bytes: u32) {
        self.tokens += 1;
        self.nats += nats;
        if bytes > 0 {
            self.bytes += u64::from(bytes);
            self.text_nats += nats;
        }
    }

    fn finish(self, bucket: &str) -> Option<BucketLoss> {
        (self.bytes > 0).then(|| BucketLoss {
            bucket: bucket.to_owned(),
            tokens: self.tokens,
            bytes: self.bytes,
            loss: self.nats / self.tokens as f64,
            bits_per_byte: self.text_nats / LN_2 / self.bytes as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_per_byte_by_hand() {
        let mut sums = Sums::default();
        sums.add(3.0 * LN_2, 3); // one Hangul syllable at 3 bits
        sums.add(1.0 * LN_2, 1);
        sums.add(8.0 * LN_2, 0); // an end token
        let loss = sums.finish("korean").unwrap();
        assert_eq!((loss.tokens, loss.bytes), (3, 4));
        assert!((loss.bits_per_byte - 1.0).abs() < 1e-12);
        assert!((loss.loss - 4.0 * LN_2).abs() < 1e-12);
        assert!(Sums::default().finish("empty").is_none());
    }
}
