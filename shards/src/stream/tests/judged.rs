//! Rows of judged answers.

use super::*;
use crate::judged::{Judged, JudgedCounts};
use crate::stream::batch::Judgement;

/// Tokens of prompt, better answer and worse answer; of no worse one, an answer by itself.
type Lengths = (u32, u32, u32);

/// A run of one bucket whose tokens are all different but the end tokens and the prompts of pairs.
fn run_judged(folder: &Path, documents: &[Lengths], cut: usize) -> Manifest {
    let mut next = 1;
    let mut shards = Vec::new();
    for (part, documents) in documents.chunks(cut).enumerate() {
        let name = format!("{part}.shard");
        let meta = ShardMeta {
            bucket: "a".to_owned(),
            tokenizer: [1; 32],
            vocab_size: 10_000_000,
            eos: EOS,
            loss: true,
            judged: true,
            compression: Compression::None,
        };
        let mut writer = ShardWriter::create(folder.join(&name), meta).unwrap();
        for (number, &(prompt, better, worse)) in documents.iter().enumerate() {
            let mut take = |count: u32| -> Vec<u32> {
                next += count;
                (next - count..next).collect()
            };
            let question = take(prompt);
            let mut tokens = [question.clone(), take(better)].concat();
            let end = prompt + better + 1;
            let mut spans: Vec<_> = std::iter::once(prompt..end).collect();
            let judged = match worse {
                0 if number % 2 == 0 => Judged::Desirable,
                0 => Judged::Undesirable,
                worse => {
                    tokens.push(EOS);
                    tokens.extend([question, take(worse)].concat());
                    spans.push(end + prompt..end + prompt + worse + 1);
                    Judged::Pair { split: end, margin: 0.5 }
                }
            };
            let document = TokenizedDocument { id: "d", source: "s", text_bytes: 1, tokens: &tokens, content_hash: None };
            writer.push_judged(document, &spans, judged).unwrap();
        }
        shards.push(ShardEntry::new(name, Split::Train, &writer.finish().unwrap()));
    }
    let mut manifest = Manifest::new(&Tokenizer::bytes(), shards);
    manifest.tokenizer.fingerprint = [1; 32].into();
    manifest.tokenizer.vocab_size = 10_000_000;
    manifest.tokenizer.eos = EOS;
    manifest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn answers_are_whole_and_alone_and_pairs_share_a_row(
        documents in proptest::collection::vec((1u32..6, 1u32..6, 0u32..6), 1..30), seq_len in 8u32..48, cut in 1usize..8, seed: u64,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let manifest = run_judged(folder.path(), &documents, cut);
        let packed = Packed::of(folder.path(), &manifest, "a", seq_len, false).unwrap();
        prop_assume!(packed.rows > 0);
        let config = MixtureConfig { ratios: [("a".to_owned(), 1.0)].into(), ..MixtureConfig::default() };
        let plan =
            MixturePlan::with_packed(&config, &manifest.available(), &[("a".to_owned(), packed)].into(), None, seq_len).unwrap();
        let stream = TokenStream::with_manifest(folder.path(), &manifest, &plan, StreamConfig { seq_len, batch: 3, seed }).unwrap();
        let pairs = documents.iter().filter(|document| document.2 > 0).count() as u64;
        let counts = stream.judged("a").unwrap();
        prop_assert_eq!((counts.pairs, counts.desirable + counts.undesirable), (pairs, documents.len() as u64 - pairs));

        let length = |(prompt, better, worse): &Lengths| prompt + better + 1 + if *worse > 0 { prompt + worse + 1 } else { 0 };
        let drawn: Vec<&Lengths> = documents.iter().filter(|document| length(document) <= seq_len).collect();
        let (mut answers, mut trained) = (0, 0);
        for (step, batch) in (0..).zip(steps(&stream, 1)) {
            prop_assert_eq!(stream.account(step..step + 1).unwrap().trainable, batch.trainable());
            trained += batch.trainable();
            let mut seen = vec![false; batch.inputs.len()];
            for (number, answer) in batch.answers.iter().enumerate() {
                let cells = answer.cells.clone();
                prop_assert_eq!(answer.number as usize, number);
                prop_assert_eq!(cells.start / batch.seq_len, (cells.end - 1) / batch.seq_len);
                prop_assert_eq!(batch.inputs[cells.end - 1], EOS);
                for (position, cell) in cells.clone().enumerate() {
                    prop_assert!(!std::mem::replace(&mut seen[cell], true), "cells of two answers");
                    prop_assert_eq!(batch.positions[cell] as usize, position);
                    prop_assert_eq!(batch.documents[cell], batch.documents[cells.start]);
                    prop_assert!(cell + 1 == cells.end || batch.targets[cell] == batch.inputs[cell + 1]);
                }
                // The answer is the end of its sequence.
                let marks = &batch.mask[cells.clone()];
                let first = marks.iter().position(|counts| *counts).unwrap();
                prop_assert!(marks[first..marks.len() - 1].iter().all(|counts| *counts) && !marks[marks.len() - 1]);
                if answer.judgement == Judgement::Chosen {
                    let other = &batch.answers[number + 1];
                    prop_assert_eq!((other.judgement, other.margin), (Judgement::Rejected, 0.5));
                    prop_assert_eq!(other.cells.start, cells.end);
                    prop_assert_ne!(batch.documents[cells.start], batch.documents[other.cells.start]);
                    let prompt = first + 1;
                    prop_assert_eq!(&batch.inputs[cells.clone()][..prompt], &batch.inputs[other.cells.clone()][..prompt]);
                }
                answers += 1;
            }
            // What is in no answer is padding, and attends to none.
            for (cell, seen) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
                prop_assert!(!batch.mask[cell] && !seen);
                let row = cell / batch.seq_len;
                let numbers = batch.answers.iter().filter(|answer| answer.cells.start / batch.seq_len == row);
                prop_assert!(numbers.map(|answer| batch.documents[answer.cells.start]).all(|number| number != batch.documents[cell]));
            }
        }
        prop_assert_eq!(answers, drawn.iter().map(|document| if document.2 > 0 { 2 } else { 1 }).sum::<usize>());
        let spans = drawn.iter().map(|(_, better, worse)| better + 1 + if *worse > 0 { worse + 1 } else { 0 });
        prop_assert_eq!(trained, u64::from(spans.sum::<u32>()));
    }
}

#[test]
fn a_bucket_is_judged_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let judged = run_judged(folder.path(), &[(2, 2, 2)], 1);
    let plain = run(folder.path(), &[("a", vec![plain(3)])], 1, true);
    let mut both = judged.clone();
    both.shards.extend(plain.shards);
    let error = Packed::of(folder.path(), &both, "a", 20, false).unwrap_err().to_string();
    assert!(error.contains("judged answers and other conversations"), "{error}");
    assert_eq!(JudgedCounts::default().pairs, 0);
}
