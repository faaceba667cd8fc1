//! A real model, where it is there: SmolLM2-135M-Instruct as a Q4_1 GGUF file, against the answers of a
//! plain numpy forward pass over the same file.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use serde::Deserialize;
use shards::Tokenizer;

use super::*;
use crate::generate::{GenerateConfig, Generator, Request, Sampling, score};

#[derive(Deserialize)]
struct Reference {
    prompts: Vec<Prompt>,
}

#[derive(Deserialize)]
struct Prompt {
    prompt: String,
    input_ids: Vec<u32>,
    greedy_ids: Vec<u32>,
    prompt_token_logprobs: Vec<f64>,
    last_top10: Vec<(u32, f64)>,
}

#[test]
fn smollm2_gives_the_reference_log_probabilities_and_text() {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/models/smollm2_135m_reference.json");
    let model = std::env::var_os("MALMOI_SMOLLM2_GGUF").map(PathBuf::from);
    let (true, Some(path)) = (reference.exists(), model) else {
        eprintln!("skipped: no ../shared, or MALMOI_SMOLLM2_GGUF does not name the model's file");
        return;
    };
    let Reference { prompts } = serde_json::from_slice(&std::fs::read(reference).unwrap()).unwrap();
    let tokenizer = Tokenizer::load(&path, None).unwrap();
    assert_eq!(tokenizer.eos_token(), "<|im_end|>");
    for prompt in &prompts {
        assert_eq!(tokenizer.encode(&prompt.prompt).unwrap(), prompt.input_ids);
    }
    let model = load(&path).frozen();
    let vocab = model.vocab_size();
    for prompt in &prompts {
        let ids = &prompt.input_ids;
        let batch = Batch {
            rows: 1,
            seq_len: ids.len(),
            inputs: ids.clone(),
            targets: ids.clone(),
            positions: (0..ids.len() as u32).collect(),
            documents: vec![0; ids.len()],
            mask: vec![false; ids.len()],
            buckets: vec![0],
            answers: Vec::new(),
        };
        let logits = logits(&model, &batch);
        let rows: Vec<&[f32]> = logits.chunks(vocab).collect();
        for ((row, next), expected) in rows.iter().zip(&ids[1..]).zip(&prompt.prompt_token_logprobs) {
            let sum: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
            let found = f64::from(row[*next as usize]) - sum.ln();
            assert!((found - expected).abs() < 2e-3, "{found} {expected}");
        }
        for (id, expected) in &prompt.last_top10 {
            let found = f64::from(rows[ids.len() - 1][*id as usize]);
            assert!((found - expected).abs() < 2e-3, "{id}: {found} {expected}");
        }
    }
    // All three at a time; then their log-likelihoods in one call.
    let mut generator = Generator::new(&model, GenerateConfig::default()).unwrap();
    for (id, prompt) in (0..).zip(&prompts) {
        let tokens = prompt.greedy_ids.len() as u32;
        generator.push(Request { id, prompt: prompt.input_ids.clone(), tokens, sampling: Sampling::greedy(), ends: Vec::new() }).unwrap();
    }
    for (completion, prompt) in generator.run().unwrap().iter().zip(&prompts) {
        assert_eq!(completion.ids, prompt.greedy_ids);
    }
    let pairs: Vec<(&[u32], &[u32])> = prompts.iter().map(|prompt| prompt.input_ids.split_at(1)).collect();
    for (score, prompt) in score(&model, &pairs, |_| ()).unwrap().iter().zip(&prompts) {
        let expected: f64 = prompt.prompt_token_logprobs.iter().sum();
        assert!((score.log_likelihood - expected).abs() < 2e-2, "{score:?} {expected}");
        assert!(!score.greedy);
    }
    let pairs: Vec<(&[u32], &[u32])> = prompts.iter().map(|prompt| (&prompt.input_ids[..], &prompt.greedy_ids[..])).collect();
    assert!(score(&model, &pairs, |_| ()).unwrap().iter().all(|score| score.greedy));
}
