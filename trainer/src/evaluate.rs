//! Held-out loss in bits per byte, so that vocabularies can be compared.

pub(crate) mod preference;

use std::f64::consts::LN_2;

use serde::{Deserialize, Serialize};
use shards::{HeldOut, Tokenizer};

use crate::error::{Error, Result};
use crate::kernels::{check, token_losses};
use crate::model::{Inputs, Model, inputs};

/// The loss on one bucket's held-out text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BucketLoss {
    /// The bucket's name.
    pub bucket: String,
    /// Targets measured: all but the first token of each document.
    pub tokens: u64,
    /// UTF-8 bytes of text that the measured targets stand for, rounded; see `bits_per_byte`.
    pub bytes: u64,
    /// Nats per target.
    pub loss: f64,
    /// Bits per token of text, divided by the bytes per token of all held-out text of the bucket.
    ///
    /// Every token that is not an end token is text, unknown ones too, and bytes are those of the
    /// documents, not of the ids: a tokenizer that drops or changes characters gains nothing by it.
    /// Of conversations only answers are measured, and markup is among their tokens: there bytes are
    /// those that the measured ids stand for, and special tokens are no text.
    pub bits_per_byte: f64,
}

/// Measures about `max_tokens` targets in windows spread evenly over the held-out text, `rows` of
/// them at a time. None when there is no text to measure. The tokenizer is that of the shards.
pub fn evaluate(
    model: &Model,
    held_out: &HeldOut,
    tokenizer: &Tokenizer,
    bucket: &str,
    rows: u32,
    max_tokens: u64,
) -> Result<Option<BucketLoss>> {
    let model = model.frozen();
    let of_answers = held_out.packed_rows().is_some();
    let (mut sums, mut answer_bytes) = (Sums::default(), 0);
    for batch in held_out.batches(rows, max_tokens.div_ceil(u64::from(held_out.seq_len()))) {
        let batch = batch?;
        let inputs = Inputs::new(&model, &batch)?;
        let targets_n = inputs::integers(&batch.targets, [batch.targets.len()], &model.device());
        let losses = token_losses(model.forward(&inputs), model.head(), targets_n);
        let losses = losses.try_into_vec_as::<f32>().map_err(Error::backend("read held-out losses"))?;
        check("read held-out losses")?;
        let mut measured = Vec::new();
        for ((loss, target), _) in losses.iter().zip(&batch.targets).zip(&batch.mask).filter(|(_, counts)| **counts) {
            let is_text = *target != held_out.eos() && !(of_answers && tokenizer.is_special(*target));
            sums.add(f64::from(*loss), is_text);
            measured.push(*target);
        }
        if of_answers {
            answer_bytes += tokenizer.text_size(&measured)?.bytes;
        }
    }
    let bytes_per_token = if of_answers {
        answer_bytes as f64 / sums.text_tokens as f64
    } else {
        // Each document has one end token.
        held_out.text_bytes() as f64 / held_out.tokens().saturating_sub(held_out.documents()) as f64
    };
    Ok(sums.finish(bucket, bytes_per_token))
}

#[derive(Default)]
struct Sums {
    tokens: u64,
    nats: f64,
    /// Of the targets that are text.
    text_tokens: u64,
    text_nats: f64,
}

impl Sums {
    fn add(&mut self, nats: f64, is_text: bool) {
        self.tokens += 1;
        self.nats += nats;
        if is_text {
            self.text_tokens += 1;
            self.text_nats += nats;
        }
    }

    fn finish(self, bucket: &str, bytes_per_token: f64) -> Option<BucketLoss> {
        let bytes = self.text_tokens as f64 * bytes_per_token;
        (bytes > 0.0).then(|| BucketLoss {
            bucket: bucket.to_owned(),
            tokens: self.tokens,
            bytes: bytes.round() as u64,
            loss: self.nats / self.tokens as f64,
            bits_per_byte: self.text_nats / LN_2 / bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelConfig;
    use burn::tensor::Device;
    use shards::{Manifest, ShardEntry, ShardMeta, ShardWriter, Split, TokenizedDocument, Tokenizer};

    #[test]
    fn bits_per_byte_by_hand() {
        let mut sums = Sums::default();
        sums.add(3.0 * LN_2, true);
        sums.add(1.0 * LN_2, true);
        sums.add(8.0 * LN_2, false); // an end token
        let loss = sums.finish("korean", 2.0).unwrap();
        assert_eq!((loss.tokens, loss.bytes), (3, 4));
        assert!((loss.bits_per_byte - 1.0).abs() < 1e-12);
        assert!((loss.loss - 4.0 * LN_2).abs() < 1e-12);
        assert!(Sums::default().finish("empty", f64::NAN).is_none());
    }

    /// A model of zeros gives each of its 257 ids the same probability: 8.005625 bits a token.
    fn zeros() -> Model {
        let config = ModelConfig { hidden: 4, layers: 1, heads: 1, kv_heads: 1, intermediate: 2, ..ModelConfig::default() };
        let device = Device::flex();
        let zeros = &mut |wanted: crate::model::Wanted| {
            let count = wanted.shape.iter().product();
            Ok(wanted.filled(vec![0.0; count], &device))
        };
        Model::build(&config, 257, None, zeros).unwrap()
    }

    /// Half of the tokens are an unknown one, and the text has three bytes for each token, whatever the ids.
    #[test]
    fn unknown_tokens_and_lost_bytes_are_paid_for() {
        let folder = tempfile::tempdir().unwrap();
        let tokenizer = Tokenizer::bytes();
        let mut writer = ShardWriter::create(folder.path().join("a"), ShardMeta::new("a", &tokenizer)).unwrap();
        for id in ["1", "2", "3", "4"] {
            writer.push(TokenizedDocument { id, source: "s", text_bytes: 30, tokens: &[0, 7].repeat(5), content_hash: None }).unwrap();
        }
        let manifest = Manifest::new(&tokenizer, vec![ShardEntry::new("a", Split::HeldOut, &writer.finish().unwrap())]);
        let held_out = HeldOut::new(folder.path(), &manifest, "a", 11).unwrap();
        let model = zeros();
        // Every window is a document of 11 tokens: its first is no target, its last is the end token.
        for (max_tokens, windows) in [(1, 1), (22, 2), (23, 3), (1000, 4)] {
            let loss = evaluate(&model, &held_out, &tokenizer, "a", 3, max_tokens).unwrap().unwrap();
            assert_eq!((loss.tokens, loss.bytes), (windows * 10, windows * 27));
            assert!((loss.loss - 257f64.ln()).abs() < 1e-5);
            assert!((loss.bits_per_byte - 257f64.log2() / 3.0).abs() < 1e-5, "{loss:?}");
        }
        assert_eq!(evaluate(&model, &held_out, &tokenizer, "a", 3, 0).unwrap(), None);
    }

    /// Of a conversation the answer alone counts, by the bytes of its own ids; what ends it is no text.
    #[test]
    fn answers_are_measured_by_their_own_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let tokenizer = Tokenizer::bytes();
        let meta = ShardMeta { loss: true, ..ShardMeta::new("a", &tokenizer) };
        let mut writer = ShardWriter::create(folder.path().join("a"), meta).unwrap();
        for id in ["1", "2", "3"] {
            // Six tokens of question and markup, three of the answer, and a special one that ends it.
            let tokens = [&[7; 6][..], &[8; 3], &[256]].concat();
            writer
                .push_with_loss(TokenizedDocument { id, source: "s", text_bytes: 5, content_hash: None, tokens: &tokens }, &[6..9, 9..10])
                .unwrap();
        }
        let manifest = Manifest::new(&tokenizer, vec![ShardEntry::new("a", Split::HeldOut, &writer.finish().unwrap())]);
        let held_out = HeldOut::new(folder.path(), &manifest, "a", 24).unwrap().packed().unwrap();
        let loss = evaluate(&zeros(), &held_out, &tokenizer, "a", 2, 1000).unwrap().unwrap();
        assert_eq!((loss.tokens, loss.bytes), (12, 9));
        assert!((loss.bits_per_byte - 257f64.log2()).abs() < 1e-5, "{loss:?}");
    }
}
