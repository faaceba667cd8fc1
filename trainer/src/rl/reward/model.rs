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
        let weights = Pretrained::open(path)?;
        if weights.config().scalar_head != Some(ScalarHead::Score) {
            return Err(Error::invalid(path, "is no reward model: it has no `score.weight`"));
        }
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
