//! Whole runs on small shards: learning, stopping, going on, refusing.

#[cfg(feature = "cuda")]
mod card;
mod evaluations;
mod going_on;
mod numbers;
mod preference;
mod splits;

use std::sync::atomic::{AtomicBool, Ordering};

use shards::{MixtureConfig, MixturePlan, ShardEntry, ShardMeta, ShardWriter, Split, StreamConfig, TokenizedDocument};
use tempfile::TempDir;

use super::*;
use crate::config::SampleConfig;
use crate::event::{EvalEvent, Event, StepEvent};
use crate::lora::{Full, LoraConfig};
use crate::metrics::METRICS_FILE;
use crate::model::ModelConfig;

const SEED: u64 = 11;
const TOKENS: u64 = 3_000;

/// What the documents of each bucket repeat.
const TEXTS: [(&str, &str); 2] = [("korean", "가나다라마바사 "), ("code", "fn f(x: u8) -> u8 { x }\n")];

/// A run folder with shards of two buckets, each with a held-out part.
struct Folder {
    dir: TempDir,
    tokenizer: Tokenizer,
    manifest: Manifest,
    device: DeviceSpec,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tokenizer = Tokenizer::bytes();
        let mut shards = Vec::new();
        for (bucket, text) in TEXTS {
            for (split, documents) in [(Split::Train, 40), (Split::HeldOut, 3)] {
                let name = format!("{bucket}-{split:?}.shard");
                let mut writer = ShardWriter::create(dir.path().join(&name), ShardMeta::new(bucket, &tokenizer)).unwrap();
                for number in 0..documents {
                    let text = text.repeat(1 + number % 4);
                    let tokens = tokenizer.encode(&text).unwrap();
                    writer
                        .push(TokenizedDocument {
                            id: &number.to_string(),
                            source: "test",
                            text_bytes: text.len() as u64,
                            tokens: &tokens,
                            content_hash: None,
                        })
                        .unwrap();
                }
                shards.push(ShardEntry::new(name, split, &writer.finish().unwrap()));
            }
        }
        let manifest = Manifest::new(&tokenizer, shards);
        Self { dir, tokenizer, manifest, device: DeviceSpec::Cpu }
    }

    fn stream(&self, config: &TrainConfig) -> TokenStream {
        let mixture =
            MixtureConfig { ratios: [("korean".into(), 0.5), ("code".into(), 0.5)].into(), max_epochs: 1000.0, ..Default::default() };
        let plan = MixturePlan::new(&mixture, &self.manifest.available(), config.tokens, config.sequence_length).unwrap();
        let shape = StreamConfig { seq_len: config.sequence_length, batch: config.batch, seed: SEED };
        TokenStream::with_manifest(self.dir.path(), &self.manifest, &plan, shape).unwrap()
    }

    fn run<'a>(&'a self, config: &'a TrainConfig, stream: &'a TokenStream) -> Run<'a> {
        Run {
            folder: self.dir.path(),
            config,
            tokenizer: &self.tokenizer,
            manifest: &self.manifest,
            stream,
            chat: None,
            device: self.device,
            seed: SEED,
            fingerprint: "this".to_owned(),
            lineage: Vec::new(),
            feedback: None,
        }
    }

    /// Opens and runs; stops in the middle when `stop` says so.
    fn train(&self, config: &TrainConfig, stop: impl Fn(&Event) -> bool) -> (Result<()>, Vec<Event>) {
        let stream = self.stream(config);
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

    fn checkpoints(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path().join(CHECKPOINTS_FOLDER)).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// All bytes that the recipe decides: the last checkpoint's files, and the curve without clock.
    fn result(&self) -> (Vec<Vec<u8>>, Vec<serde_json::Value>) {
        let last = Checkpoint::latest(&self.dir.path().join(CHECKPOINTS_FOLDER)).unwrap().unwrap();
        let files = ["model.safetensors", "optimizer.safetensors", "state.json"].map(|file| std::fs::read(last.join(file)).unwrap());
        let curve = std::fs::read_to_string(self.dir.path().join(METRICS_FILE)).unwrap();
        let lines = curve.lines().map(|line| {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            let object = line.as_object_mut().unwrap();
            object.retain(|key, _| key != "seconds" && key != "tokens-per-second");
            line
        });
        (files.to_vec(), lines.collect())
    }
}

fn config() -> TrainConfig {
    TrainConfig {
        tokens: Some(TOKENS),
        sequence_length: 24,
        batch: 6,
        micro_batch: Some(4),
        learning_rate: 1e-2,
        warmup_steps: Some(3),
        eval_every: 8,
        eval_tokens: 100,
        checkpoint_every: 5,
        log_every: 3,
        model: ModelConfig { hidden: 16, layers: 2, heads: 2, kv_heads: 1, intermediate: 32, ..Default::default() },
        ..Default::default()
    }
}

fn step_of(event: &Event) -> Option<u64> {
    match event {
        Event::Step(step) => Some(step.step),
        _ => None,
    }
}

#[test]
fn learns_a_pattern_and_tells_about_it() {
    let folder = Folder::new();
    let sample = SampleConfig { prompts: vec!["fn f(".to_owned()], tokens: 12, temperature: 0.0, top_k: 0, ..Default::default() };
    let config = TrainConfig { tokens: Some(30_000), sample: Some(sample), log_every: 1, ..config() };
    let (result, events) = folder.train(&config, |_| false);
    result.unwrap();
    let stream = folder.stream(&config);
    let steps: Vec<&StepEvent> = events.iter().filter_map(|event| if let Event::Step(step) = event { Some(step) } else { None }).collect();
    assert_eq!(steps.len() as u64, stream.steps());
    assert!(steps.iter().enumerate().all(|(i, step)| step.step == i as u64 + 1));
    let (first, last) = (steps[0], steps[steps.len() - 1]);
    assert!((first.loss - 257f64.ln()).abs() < 0.3 && last.loss < 0.3, "{} {}", first.loss, last.loss);
    assert!((last.learning_rate - 1e-3).abs() < 1e-12);

    // The curve's counts are the stream's.
    let account = stream.account(0..stream.steps()).unwrap();
    assert_eq!(steps.iter().map(|step| step.drawn).sum::<u64>(), account.drawn);
    assert_eq!(steps.iter().map(|step| step.trained).sum::<u64>(), account.trainable);
    assert_eq!(steps.iter().map(|step| step.masked).sum::<u64>(), account.masked);
    assert_eq!(last.tokens, account.drawn);

    let evals: Vec<&EvalEvent> = events.iter().filter_map(|event| if let Event::Eval(eval) = event { Some(eval) } else { None }).collect();
    let buckets: Vec<&str> = evals[0].buckets.iter().map(|bucket| bucket.bucket.as_str()).collect();
    assert_eq!(buckets, stream.buckets());
    for (before, after) in evals[0].buckets.iter().zip(&evals[evals.len() - 1].buckets) {
        assert!(after.bits_per_byte < 0.5 && after.bits_per_byte < before.bits_per_byte / 2.0, "{before:?} {after:?}");
    }
    let [.., Event::Sample(sample), Event::Rows(rows)] = &events[..] else { panic!("no sample and rows at the end") };
    assert_eq!((sample.text.as_str(), sample.step), ("x: u8) -> u8", stream.steps()));

    // Every byte of the texts was drawn, and the end token; nothing else.
    let mut bytes: Vec<u8> = TEXTS.iter().flat_map(|(_, text)| text.bytes()).collect();
    bytes.sort_unstable();
    bytes.dedup();
    assert_eq!((rows.ids, rows.padding, rows.untrained), (257, 0, 256 - bytes.len() as u64));
    assert_eq!(rows.never_input, rows.untrained + 1, "the end token is no input of its own document");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let folder = Folder::new();
    let config = config();
    let stream = folder.stream(&config);
    let refused = |run: Run<'_>| Trainer::new(run).err().unwrap().to_string();
    let longer = TrainConfig { sequence_length: 25, ..config.clone() };
    assert_eq!(refused(folder.run(&longer, &stream)), "`sequence-length` is 25, but the stream was opened with 24");
    let larger = TrainConfig { batch: 7, ..config.clone() };
    assert_eq!(refused(folder.run(&larger, &stream)), "`batch` is 7, but the stream was opened with 6");
    let mut manifest = folder.manifest.clone();
    manifest.tokenizer.fingerprint = Digest([1; 32]);
    let other = Run { manifest: &manifest, ..folder.run(&config, &stream) };
    assert!(refused(other).contains("another tokenizer"));
}

#[test]
fn how_often_is_looked_does_not_change_the_run() {
    let config = config();
    let results =
        [config.clone(), TrainConfig { log_every: 1, ..config.clone() }, TrainConfig { log_every: 1000, checkpoint_every: 0, ..config }]
            .map(|config| {
                let folder = Folder::new();
                folder.train(&config, |_| false).0.unwrap();
                folder.result()
            });
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

#[test]
fn a_finished_run_has_nothing_left_to_do() {
    let folder = Folder::new();
    let config = config();
    folder.train(&config, |_| false).0.unwrap();
    let result = folder.result();
    let (again, events) = folder.train(&config, |_| false);
    again.unwrap();
    assert!(matches!(events[..], [Event::Rows(_)]), "{events:?}");
    assert_eq!(folder.result(), result);
}

#[test]
fn checkpoints_of_another_run_are_refused() {
    let folder = Folder::new();
    let config = config();
    folder.train(&config, |event| step_of(event) == Some(3)).0.unwrap_err();
    let stream = folder.stream(&config);
    let refused = |run: Run<'_>| Trainer::open(run).err().unwrap().to_string();
    let other = Run { fingerprint: "other".to_owned(), ..folder.run(&config, &stream) };
    assert!(refused(other).contains("belongs to another run: its recipe, data or tokenizer had fingerprint this, now it is other"));
    let wider = TrainConfig { model: ModelConfig { hidden: 32, ..config.model.clone() }, ..config.clone() };
    assert!(refused(folder.run(&wider, &stream)).contains("its model is not that of this run"));
    let shorter = TrainConfig { tokens: Some(200), ..config.clone() };
    let stream = folder.stream(&shorter);
    assert!(refused(folder.run(&shorter, &stream)).contains("`warmup-steps` is 3, but the run has 2 steps"));
    let shorter = TrainConfig { warmup_steps: None, ..shorter };
    assert!(refused(folder.run(&shorter, &stream)).contains("step 3 of 2"));
    let begun = Trainer::new(folder.run(&config, &stream)).err().unwrap().to_string();
    assert!(begun.ends_with("step-000003: is there already: continue from it, or remove the folder"), "{begun}");
}

#[test]
fn a_loss_that_is_no_number_ends_the_run() {
    let folder = Folder::new();
    let config = TrainConfig { learning_rate: 1e30, warmup_steps: Some(0), clip_norm: 0.0, ..config() };
    let (result, events) = folder.train(&config, |_| false);
    let Err(error @ Error::NonFinite { .. }) = result else { panic!("{result:?}") };
    let message = error.to_string();
    let Error::NonFinite { step, rows, .. } = error else { panic!("{message}") };
    assert!((2..=5).contains(&step), "{step}");
    assert_eq!(rows, folder.stream(&config).order(step - 1).unwrap());
    let first = rows[0].drawn.as_ref().unwrap();
    let expected = format!("; its batch has `{}` of test ({})", first.documents[0].id, first.bucket);
    assert!(message.contains(&expected), "{message}");
    let told: Vec<u64> = events.iter().filter_map(step_of).collect();
    assert_eq!(told, (1..step).collect::<Vec<_>>(), "steps before it are told");
    let saved = folder.dir.path().join(CHECKPOINTS_FOLDER);
    assert!(Checkpoint::latest(&saved).unwrap().is_none(), "broken weights are never saved");
}

/// Large enough that the backend splits its work among threads.
#[test]
fn threads_do_not_change_a_bit() {
    let folder = Folder::new();
    let model =
        ModelConfig { hidden: 192, layers: 1, heads: 6, kv_heads: 2, intermediate: 512, tied_embeddings: false, ..Default::default() };
    let config =
        TrainConfig { tokens: Some(2 * 8 * 128), sequence_length: 128, batch: 8, warmup_steps: Some(0), model, ..Default::default() };
    let stream = folder.stream(&config);
    let weights = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut trainer = Trainer::new(folder.run(&config, &stream)).unwrap();
            while trainer.step_number() < trainer.steps() {
                trainer.step().unwrap();
            }
            let weights = trainer.model().parameters().iter().flat_map(|p| p.to_vec().unwrap()).map(f32::to_bits).collect::<Vec<_>>();
            blake3::hash(&weights.iter().flat_map(|bits| bits.to_le_bytes()).collect::<Vec<u8>>())
        })
    };
    let one = weights(1);
    for threads in [1, 2, 3, 5] {
        assert_eq!(weights(threads), one, "{threads} threads");
    }
}
