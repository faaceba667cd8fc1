//! Text from a model, one token at a time.

use shards::Batch;

use crate::error::{Error, Result};
use crate::kernels::check;
use crate::model::{Inputs, Model};
use crate::rng::Rng;

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Tokens to write at most.
    pub tokens: u32,
    /// 0 takes the likeliest token, 1 draws as the model says.
    pub temperature: f64,
    /// Draws among this many likeliest tokens; 0: among all.
    pub top_k: u32,
    /// Longest context in tokens; earlier ones are forgotten. At least 1.
    pub context: u32,
    /// An id that ends the text; it is not in the result.
    pub end: Option<u32>,
    /// Draws ids below this one alone: rows after a tokenizer's ids are padding. None: any.
    pub ids: Option<u32>,
    /// Seed of the draws.
    pub seed: u64,
}

/// Continues `prompt` and gives the new ids. The whole context goes through the model for each
/// token: good for samples, too slow for more.
pub fn generate(model: &Model, prompt: &[u32], sampling: &Sampling) -> Result<Vec<u32>> {
    if prompt.is_empty() {
        return Err(Error::Batch("a prompt without tokens".to_owned()));
    }
    let model = model.frozen();
    let mut rng = Rng::new(sampling.seed, "generate");
    let mut ids = prompt.to_vec();
    for _ in 0..sampling.tokens {
        let context = &ids[ids.len().saturating_sub(sampling.context.max(1) as usize)..];
        let x_nh = model.forward(&Inputs::new(&model, &one_row(context))?);
        let logits = model.logits(x_nh.narrow(0, context.len() - 1, 1));
        let logits = logits.try_into_vec_as::<f32>().map_err(Error::backend("read logits"))?;
        check("read logits")?;
        let known = sampling.ids.map_or(logits.len(), |ids| logits.len().min(ids as usize));
        let id = draw(&logits[..known], sampling.temperature, sampling.top_k as usize, &mut rng);
        if Some(id) == sampling.end {
            break;
        }
        ids.push(id);
    }
    Ok(ids.split_off(prompt.len()))
}

/// A batch of one row that is all one document. Nothing counts as a target.
fn one_row(ids: &[u32]) -> Batch {
    Batch {
        rows: 1,
        seq_len: ids.len(),
        inputs: ids.to_vec(),
        targets: ids.to_vec(),
        positions: (0..ids.len() as u32).collect(),
        documents: vec![0; ids.len()],
        mask: vec![false; ids.len()],
        buckets: vec![0],
    }
}

/// One id. Logits that are not numbers are never drawn.
fn draw(logits: &[f32], temperature: f64, top_k: usize, rng: &mut Rng) -> u32 {
    // Likeliest first; of equal ones the lower id.
    let mut order: Vec<usize> = (0..logits.len()).filter(|&id| !logits[id].is_nan()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    order.truncate(if temperature <= 0.0 {
        1
    } else if top_k == 0 {
        order.len()
    } else {
        top_k
    });
    let Some(&first) = order.first() else { return 0 };
    let highest = f64::from(logits[first]);
    let weight = |id: usize| ((f64::from(logits[id]) - highest) / temperature).exp();
    if order.len() == 1 {
        return first as u32;
    }
    let mut left = rng.uniform() * order.iter().map(|&id| weight(id)).sum::<f64>();
    for &id in &order {
        left -= weight(id);
        if left < 0.0 {
            return id as u32;
        }
    }
    first as u32 // rounding has left a crumb
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelConfig;
    use burn::tensor::Device;

    #[test]
    fn draws_as_the_logits_say() {
        let logits = [0.0, f32::NAN, 2f32.ln(), 0.0, f32::NEG_INFINITY]; // 1 : 2 : 1
        let mut rng = Rng::new(3, "test");
        assert_eq!(draw(&logits, 0.0, 0, &mut rng), 2);
        let mut counts = [0; 5];
        for _ in 0..8000 {
            counts[draw(&logits, 1.0, 0, &mut rng) as usize] += 1;
        }
        // Expected 2000, 4000, 2000; the standard deviation is at most 45.
        assert!((1800..2200).contains(&counts[0]) && (3800..4200).contains(&counts[2]), "{counts:?}");
        assert_eq!(counts[1] + counts[4], 0);
        assert!((0..1000).all(|_| draw(&logits, 1.0, 2, &mut rng) != 3), "of equal ones the lower id is in");
        let cold = (0..1000).filter(|_| draw(&logits, 0.1, 0, &mut rng) == 2).count();
        assert!(cold > 980, "2^10 to 1 for each of the two others: {cold}");
    }

    #[test]
    fn forgets_what_is_before_the_context() {
        let config = ModelConfig { hidden: 16, layers: 1, heads: 2, kv_heads: 1, intermediate: 24, ..Default::default() };
        let model = config.init(&Device::flex(), 50, 1).unwrap();
        let sampling = Sampling { tokens: 5, temperature: 1.0, top_k: 0, context: 3, end: None, ids: None, seed: 9 };
        let text = generate(&model, &[1, 2, 3, 4], &sampling).unwrap();
        assert_eq!(text.len(), 5);
        assert_eq!(text, generate(&model, &[9, 2, 3, 4], &sampling).unwrap());
        assert_ne!(text, generate(&model, &[1, 2, 3, 4], &Sampling { seed: 10, ..sampling }).unwrap());
        let end = Some(text[2]);
        assert_eq!(
            generate(&model, &[1, 2, 3, 4], &Sampling { end, ..sampling }).unwrap().len(),
            text.iter().position(|&id| Some(id) == end).unwrap()
        );
        let few = generate(&model, &[1, 2, 3], &Sampling { ids: Some(2), tokens: 20, ..sampling }).unwrap();
        assert!(few.iter().all(|&id| id < 2) && few.contains(&0) && few.contains(&1), "{few:?}");
        assert!(generate(&model, &[], &sampling).is_err());
        assert!(generate(&model, &[50], &sampling).is_err());
    }
}
