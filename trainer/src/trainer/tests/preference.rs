//! Whole runs on judged answers: learned, stopped and continued, split in another way.

use shards::{Judged, Packed};

use super::*;
use crate::config::{DpoConfig, EarlyStop, KtoConfig};

/// A run folder with pairs: the better answer repeats the prompt's letter, the worse one its successor.
fn folder() -> Folder {
    let dir = tempfile::tempdir().unwrap();
    let tokenizer = Tokenizer::bytes();
    let mut shards = Vec::new();
    for (split, documents) in [(Split::Train, 40u32), (Split::HeldOut, 8)] {
        let name = format!("pairs-{split:?}.shard");
        let meta = ShardMeta { loss: true, judged: true, ..ShardMeta::new("pairs", &tokenizer) };
        let mut writer = ShardWriter::create(dir.path().join(&name), meta).unwrap();
        for number in 0..documents {
            let letter = 97 + number % 20;
            let prompt = [letter, 63];
            let [better, worse] = [letter, letter + 1].map(|answer| vec![answer; 1 + (number % 3) as usize]);
            let tokens = [&prompt[..], &better, &[tokenizer.eos()], &prompt, &worse].concat();
            let split = (prompt.len() + better.len() + 1) as u32;
            let spans = [2..split, split + 2..tokens.len() as u32 + 1];
            let document = TokenizedDocument {
                id: &number.to_string(),
                source: "test",
                text_bytes: tokens.len() as u64,
                tokens: &tokens,
                content_hash: None,
            };
            writer.push_judged(document, &spans, Judged::Pair { split, margin: 0.0 }).unwrap();
        }
        shards.push(ShardEntry::new(name, split, &writer.finish().unwrap()));
    }
    let manifest = Manifest::new(&tokenizer, shards);
    Folder { dir, tokenizer, manifest, device: DeviceSpec::Cpu }
}

fn config(objective: ObjectiveKind) -> TrainConfig {
    TrainConfig { objective, learning_rate: 3e-3, eval_every: 4, tokens: Some(2_000), ..super::config() }
}

impl Folder {
    fn train_pairs(&self, config: &TrainConfig, stop: impl Fn(&Event) -> bool) -> (Result<()>, Vec<Event>) {
        let packed = Packed::of(self.dir.path(), &self.manifest, "pairs", config.sequence_length, false).unwrap();
        let mixture = MixtureConfig { ratios: [("pairs".into(), 1.0)].into(), max_epochs: 1000.0, ..Default::default() };
        let packed = [("pairs".to_owned(), packed)].into();
        let plan = MixturePlan::with_packed(&mixture, &self.manifest.available(), &packed, config.tokens, config.sequence_length).unwrap();
        let shape = StreamConfig { seq_len: config.sequence_length, batch: config.batch, seed: SEED };
        let stream = TokenStream::with_manifest(self.dir.path(), &self.manifest, &plan, shape).unwrap();
        let mut trainer = match Trainer::open(self.run(config, &stream)) {
            Ok(trainer) => trainer,
            Err(error) => return (Err(error), Vec::new()),
        };
        let cancel = AtomicBool::new(false);
        let mut events = Vec::new();
        let result = trainer.run(&cancel, &mut |event| {
            cancel.fetch_or(stop(&event), Ordering::Relaxed);
            events.push(event);
        });
        (result, events)
    }
}

fn steps(events: &[Event]) -> Vec<&StepEvent> {
    events.iter().filter_map(|event| if let Event::Step(step) = event { Some(step) } else { None }).collect()
}

const ALL: [ObjectiveKind; 4] = [ObjectiveKind::Dpo, ObjectiveKind::Orpo, ObjectiveKind::Kto, ObjectiveKind::Reward];

/// To the bit: the reference of a run that goes on is what the run began with, not its checkpoint.
#[test]
fn a_stopped_run_goes_on_as_it_was() {
    let lora = LoraConfig { rank: 4, full: vec![Full::Norms], ..LoraConfig::default() };
    for (objective, lora) in ALL.map(|objective| (objective, None)).into_iter().chain([(ObjectiveKind::Dpo, Some(lora))]) {
        let config = TrainConfig { lora, ..config(objective) };
        let whole = folder();
        whole.train_pairs(&config, |_| false).0.unwrap();
        let parts = folder();
        let (result, _) = parts.train_pairs(&config, |event| step_of(event) == Some(7));
        assert!(matches!(result, Err(Error::Interrupted)), "{objective:?}: {result:?}");
        parts.train_pairs(&config, |_| false).0.unwrap();
        assert_eq!(parts.result(), whole.result(), "{objective:?}");
    }
}

/// Also of KTO, whose distance from the reference is one of a whole step.
#[test]
fn every_split_of_a_step_gives_the_same_curve() {
    for objective in ALL {
        let curve = |micro_batch| {
            let config = TrainConfig { micro_batch: Some(micro_batch), learning_rate: 1e-3, ..config(objective) };
            let (result, events) = folder().train_pairs(&config, |_| false);
            result.unwrap();
            steps(&events).iter().map(|step| (step.loss, step.grad_norm, step.metrics.clone())).collect::<Vec<_>>()
        };
        let expected = curve(6);
        for micro_batch in [1, 4] {
            for (step, (found, expected)) in curve(micro_batch).iter().zip(&expected).enumerate() {
                let what = format!("{objective:?}, {micro_batch} rows, step {step}: {found:?} {expected:?}");
                assert!((found.0 - expected.0).abs() <= 2e-5 * expected.0.abs().max(1.0), "{what}");
                assert!((found.1 - expected.1).abs() <= 1e-4 * expected.1.abs().max(0.1), "{what}");
                assert!(found.2.iter().zip(&expected.2).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() <= 1e-3), "{what}");
            }
        }
    }
}

#[test]
fn judged_answers_are_learned_and_measured() {
    for objective in ALL {
        let config = TrainConfig { keep_best: true, ..config(objective) };
        let (result, events) = folder().train_pairs(&config, |_| false);
        result.unwrap();
        let evals: Vec<&EvalEvent> =
            events.iter().filter_map(|event| if let Event::Eval(eval) = event { Some(eval) } else { None }).collect();
        let [first, last] = [evals[0], evals[evals.len() - 1]].map(|eval| &eval.preferences[0]);
        assert!(evals[0].buckets.is_empty() && last.loss < first.loss, "{objective:?}: {first:?} {last:?}");
        let pairs = last.pairs.as_ref().unwrap();
        assert_eq!((pairs.pairs, last.answers), (8, 16));
        // What ORPO learns at first is the chosen answers themselves.
        let told_apart = objective == ObjectiveKind::Orpo || (pairs.accuracy > 0.5 && pairs.margin > 0.0);
        assert!(told_apart, "{objective:?}: {pairs:?}");
        assert!(steps(&events).iter().all(|step| step.bits_per_token.is_none() && !step.metrics.is_empty()));
    }
    // The first step of DPO: nothing is better than before.
    let (_, events) = folder().train_pairs(&config(ObjectiveKind::Dpo), |_| false);
    let first = steps(&events)[0];
    assert!((first.loss - std::f64::consts::LN_2).abs() <= 1e-6 && first.metrics["rewards/margin"].abs() <= 1e-6, "{first:?}");
}

/// The held-out loss decides when to stop: at a rate that breaks the model it does not get better.
#[test]
fn held_out_answers_end_a_training() {
    let early_stop = Some(EarlyStop { patience: 2, min_delta: 10.0 });
    let (result, events) = folder().train_pairs(&TrainConfig { early_stop, ..config(ObjectiveKind::Reward) }, |_| false);
    result.unwrap();
    assert!(matches!(events.iter().find(|event| matches!(event, Event::Stopped(_))), Some(Event::Stopped(stop)) if stop.step == 12));
}

#[test]
fn data_and_options_must_be_those_of_the_objective() {
    let refused = |config: &TrainConfig| folder().train_pairs(config, |_| false).0.unwrap_err().to_string();
    let error = refused(&config(ObjectiveKind::Sft));
    assert!(error.contains("would learn from the rejected answers of bucket `pairs`"), "{error}");
    let (result, _) = Folder::new().train(&TrainConfig { objective: ObjectiveKind::Dpo, ..super::config() }, |_| false);
    let error = result.unwrap_err().to_string();
    assert!(error.contains("has no judged answers"), "{error}");
    for (option, config) in [
        ("`kto`", TrainConfig { kto: Some(KtoConfig::default()), ..config(ObjectiveKind::Dpo) }),
        ("`z-loss`", TrainConfig { z_loss: 1e-4, ..config(ObjectiveKind::Orpo) }),
        ("`dpo.beta`", TrainConfig { dpo: Some(DpoConfig { beta: 0.0, ..DpoConfig::default() }), ..config(ObjectiveKind::Dpo) }),
        (
            "`dpo.label-smoothing`",
            TrainConfig { dpo: Some(DpoConfig { label_smoothing: 0.5, ..DpoConfig::default() }), ..config(ObjectiveKind::Dpo) },
        ),
    ] {
        let error = refused(&config);
        assert!(error.contains(option), "{error}");
    }
}
