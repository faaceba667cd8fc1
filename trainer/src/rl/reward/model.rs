//! What a reward model says.

use std::path::Path;

use shards::Tokenizer;

use super::{Reward, Sample};
use crate::config::refuse;
use crate::device::DeviceSpec;
use crate::error::{Error, Result};
use crate::kernels::check;
use crate::load::Pretrained;
use crate::model::{Model, Precision, ScalarHead};
use crate::rl::measure::Counted;
use crate::rl::rollout::batch;

/// Cells of a batch, padding counted; a single text may have more.
const CELLS: usize = 4096;

/// A decoder whose scalar head gives a number for the last token of prompt and answer.
#[derive(Debug)]
pub struct RewardModel {
    name: String,
    model: Model,
}

impl RewardModel {
    /// Opens a Hugging Face folder with `score.weight`, as the `reward` objective leaves one.
    ///
    /// # Errors
    /// A model without such a head, or of another tokenizer: what it reads are the run's tokens.
    pub fn open(name: &str, path: &Path, tokenizer: &Tokenizer, device: DeviceSpec) -> Result<Self> {
        let weights = Self::weights(path)?;
        let (rows, ids) = (weights.vocab_size(), tokenizer.vocab_size() as usize);
        if rows < ids {
            return Err(Error::invalid(path, format!("knows {rows} ids, the run's tokenizer has {ids}: it was trained with another one")));
        }
        if !weights.new_ids(tokenizer)?.is_empty() {
            return Err(Error::invalid(path, "was trained with another tokenizer"));
        }
        let device = device.open()?;
        let model = weights.model(&device)?;
        let precision = Precision::best(model.config(), &device);
        Ok(Self { name: name.to_owned(), model: model.with_precision(precision)?.frozen() })
    }

    /// The weights of such a folder. Reads headers only.
    ///
    /// # Errors
    /// A model without such a head.
    pub fn weights(path: &Path) -> Result<Pretrained> {
        let weights = Pretrained::open(path)?;
        if weights.config().scalar_head != Some(ScalarHead::Score) {
            return Err(Error::invalid(path, "is no reward model: it has no `score.weight`"));
        }
        Ok(weights)
    }

    /// The scores of texts of about one length.
    fn measure(&self, texts: &[(usize, Vec<u32>)]) -> Result<Vec<f64>> {
        // Every token is read; what would come after the last one is what counts.
        let rows = texts.iter().map(|(at, ids)| (*at as u32, &ids[..], &[0][..])).collect();
        let batch = batch(rows, 0);
        let scores_b = self.model.scalar(Counted::of(&self.model, &batch).states(&self.model, &batch)?)?;
        let operation = "read scores";
        let scores = scores_b.inner().try_into_vec_as::<f32>().map_err(Error::backend(operation))?;
        check(operation)?;
        Ok(scores.into_iter().map(f64::from).collect())
    }
}

impl Reward for RewardModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn score(&self, samples: &[Sample]) -> Result<Vec<f64>> {
        let mut texts: Vec<(usize, Vec<u32>)> =
            samples.iter().map(|sample| [sample.prompt_ids, sample.response_ids].concat()).enumerate().collect();
        if texts.iter().any(|(_, ids)| ids.is_empty()) {
            return refuse("reward", "of kind `model`, and a text has no tokens");
        }
        texts.sort_by_key(|(_, ids)| ids.len());
        let mut scores = vec![0.0; samples.len()];
        let mut left = &texts[..];
        while !left.is_empty() {
            let count = left.iter().zip(1..).take_while(|((_, ids), rows)| *rows == 1 || rows * ids.len() <= CELLS).count();
            let (now, later) = left.split_at(count);
            for ((at, _), score) in now.iter().zip(self.measure(now)?) {
                scores[*at] = score;
            }
            left = later;
        }
        Ok(scores)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use shards::Batch;

    use super::*;
    use crate::load::tests::fixture;
    use crate::model::{Inputs, ModelConfig};

    fn model(head: Option<ScalarHead>) -> Model {
        let config =
            ModelConfig { hidden: 16, layers: 2, heads: 2, kv_heads: 1, intermediate: 24, scalar_head: head, ..Default::default() };
        config.init(&Device::flex(), 257, 3).unwrap()
    }

    /// Against the head's number for the last token of each text by itself, without padding.
    #[test]
    fn a_score_is_that_of_the_last_token() {
        let model = model(Some(ScalarHead::Score));
        let texts: Vec<(Vec<u32>, Vec<u32>)> = (0..7).map(|at| ((0..3 + at).collect(), (40..42 + 9 * at % 13).collect())).collect();
        let sample = |(prompt_ids, response_ids): &'static (Vec<u32>, Vec<u32>)| Sample {
            prompt: "",
            response: "",
            reference: "",
            ended: true,
            prompt_ids,
            response_ids,
        };
        let texts: &'static [_] = texts.leak();
        let samples: Vec<Sample> = texts.iter().map(sample).collect();
        let reward = RewardModel { name: "model".to_owned(), model: model.frozen() };
        let found = reward.score(&samples).unwrap();
        for (sample, found) in samples.iter().zip(&found) {
            let ids = [sample.prompt_ids, sample.response_ids].concat();
            let length = ids.len();
            let batch = Batch {
                rows: 1,
                seq_len: length,
                targets: ids.clone(),
                inputs: ids,
                positions: (0..length as u32).collect(),
                documents: vec![0; length],
                mask: vec![false; length],
                buckets: vec![0],
                answers: Vec::new(),
            };
            let x_nh = model.forward(&Inputs::new(&model, &batch).unwrap());
            let scores = model.scalar(x_nh).unwrap().inner().try_into_vec_as::<f32>().unwrap();
            assert!((f64::from(scores[length - 1]) - found).abs() < 1e-6, "{found} {scores:?}");
            assert!((reward.score(&[*sample]).unwrap()[0] - found).abs() < 1e-6);
        }
        assert!(found.windows(2).any(|pair| (pair[0] - pair[1]).abs() > 1e-4), "{found:?}");
        let empty = Sample { prompt_ids: &[], response_ids: &[], ..samples[0] };
        assert!(reward.score(&[empty]).unwrap_err().to_string().contains("has no tokens"));
    }

    #[test]
    fn a_model_without_scores_is_refused() {
        let error = RewardModel::open("model", &fixture("qwen2"), &Tokenizer::bytes(), DeviceSpec::Cpu).unwrap_err().to_string();
        assert!(error.contains("is no reward model"), "{error}");
        let reward = RewardModel { name: "model".to_owned(), model: model(None) };
        let sample = Sample { prompt: "", response: "", reference: "", ended: true, prompt_ids: &[1], response_ids: &[2] };
        assert!(reward.score(&[sample]).is_err());
    }
}
