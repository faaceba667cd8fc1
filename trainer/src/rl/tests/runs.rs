//! Whole trainings on small shards: what is rewarded is learned, and goes on where it stopped.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use shards::{
    Manifest, MixtureConfig, MixturePlan, Packed, ShardEntry, ShardMeta, ShardWriter, Split, StreamConfig, TokenStream, TokenizedDocument,
    Tokenizer,
};
use tempfile::TempDir;

use super::super::*;
use crate::checkpoint::Checkpoint;
use crate::config::{ObjectiveKind, ScheduleKind, TrainConfig};
use crate::device::DeviceSpec;
use crate::error::Result;
use crate::event::Event;
use crate::lora::LoraConfig;
use crate::metrics::METRICS_FILE;
use crate::model::ModelConfig;
use crate::trainer::{CHECKPOINTS_FOLDER, Run, Trainer};

const PROMPTS: u64 = 22;
const SEQUENCE: u32 = 24;
/// What ends a text of the byte tokenizer.
const END: u32 = 256;

/// The share of small letters among the bytes of an answer.
struct Letters;

impl Reward for Letters {
    fn name(&self) -> &str {
        "letters"
    }
    fn score(&self, samples: &[Sample]) -> Result<Vec<f64>> {
        let share = |sample: &Sample| {
            let letters = sample.response_ids.iter().filter(|&&id| (97..123).contains(&id)).count();
            letters as f64 / sample.response_ids.len() as f64
        };
        Ok(samples.iter().map(share).collect())
    }
}

struct Folder {
    dir: TempDir,
    tokenizer: Tokenizer,
    manifest: Manifest,
    rewards: Rewards,
}

impl Folder {
    /// Questions of one to four letters, and one that is too long to be answered.
    fn new() -> Self {
        let (dir, tokenizer) = (tempfile::tempdir().unwrap(), Tokenizer::bytes());
        let mut writer =
            ShardWriter::create(dir.path().join("a.shard"), ShardMeta { loss: true, ..ShardMeta::new("a", &tokenizer) }).unwrap();
        for number in 0..PROMPTS {
            let length = if number == 5 { 20 } else { 1 + number as usize % 4 };
            let text = "q".repeat(length) + "a";
            let tokens = tokenizer.encode(&text).unwrap();
            let document = TokenizedDocument {
                id: &number.to_string(),
                source: "s",
                text_bytes: text.len() as u64,
                tokens: &tokens,
                content_hash: None,
            };
            let answer = length as u32..length as u32 + 2;
            writer.push_with_loss(document, &Vec::from([answer])).unwrap();
        }
        let manifest = Manifest::new(&tokenizer, vec![ShardEntry::new("a.shard".to_owned(), Split::Train, &writer.finish().unwrap())]);
        let mut rewards = Rewards::default();
        rewards.add(1.0, Box::new(Letters)).unwrap();
        Self { dir, tokenizer, manifest, rewards }
    }

    fn stream(&self, config: &TrainConfig) -> TokenStream {
        let packed = Packed::of(self.dir.path(), &self.manifest, "a", SEQUENCE, true).unwrap();
        let mixture = MixtureConfig { ratios: [("a".into(), 1.0)].into(), max_epochs: 1000.0, ..Default::default() };
        let plan =
            MixturePlan::with_packed(&mixture, &self.manifest.available(), &[("a".to_owned(), packed)].into(), config.tokens, SEQUENCE)
                .unwrap();
        let shape = StreamConfig { seq_len: SEQUENCE, batch: config.batch, seed: 11 };
        TokenStream::with_manifest(self.dir.path(), &self.manifest, &plan, shape).unwrap()
    }

    /// Opens and runs; stops in the middle when `stop` says so. The last steps come first to those who look for an error.
    fn train(&self, config: &TrainConfig, stop: impl Fn(&Event) -> bool) -> (Result<()>, Vec<Event>) {
        let stream = self.stream(config);
        let run = Run {
            folder: self.dir.path(),
            config,
            tokenizer: &self.tokenizer,
            manifest: &self.manifest,
            stream: &stream,
            device: DeviceSpec::Cpu,
            seed: 11,
            fingerprint: "this".to_owned(),
            feedback: Some(Feedback { rewards: &self.rewards, ends: &[END] }),
            lineage: Vec::new(),
            chat: None,
        };
        let mut trainer = match Trainer::open(run) {
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

    fn curve(&self) -> Vec<Value> {
        let curve = std::fs::read_to_string(self.dir.path().join(METRICS_FILE)).unwrap();
        let lines = curve.lines().map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let timed = |key: &str| key == "seconds" || key == "tokens-per-second" || key.starts_with("speed/");
            let object = line.as_object_mut().unwrap();
            object.retain(|key, _| !timed(key));
            if let Some(metrics) = object.get_mut("metrics").and_then(Value::as_object_mut) {
                metrics.retain(|key, _| !timed(key));
            }
            line
        });
        lines.collect()
    }

    /// All bytes that the recipe decides.
    fn result(&self) -> (Vec<Vec<u8>>, Vec<Value>, String) {
        let last = Checkpoint::latest(&self.dir.path().join(CHECKPOINTS_FOLDER)).unwrap().unwrap();
        let files = ["model.safetensors", "optimizer.safetensors", "state.json"].map(|file| std::fs::read(last.join(file)).unwrap());
        let answers = std::fs::read_to_string(self.dir.path().join(crate::samples::ANSWERS_FILE)).unwrap();
        (files.to_vec(), self.curve(), answers)
    }

    fn metric(&self, name: &str) -> Vec<f64> {
        self.curve().iter().filter_map(|line| line["metrics"][name].as_f64()).collect()
    }
}

fn config(objective: ObjectiveKind, steps: u64) -> TrainConfig {
    let batch = 8;
    TrainConfig {
        objective,
        tokens: Some(steps * u64::from(batch) * u64::from(SEQUENCE)),
        sequence_length: SEQUENCE,
        batch,
        learning_rate: 1e-2,
        warmup_steps: Some(0),
        schedule: ScheduleKind::Constant,
        weight_decay: 0.0,
        checkpoint_every: 3,
        eval_tokens: 0,
        model: ModelConfig { hidden: 16, layers: 1, heads: 2, kv_heads: 1, intermediate: 24, ..Default::default() },
        rollout: Some(RolloutConfig { max_new_tokens: 8, ..Default::default() }),
        reward: vec![toml::from_str("kind = 'exact'").unwrap()], // what rewards are is the caller's
        grpo: (objective == ObjectiveKind::Grpo).then(|| GrpoConfig { epochs: 2, mini_batch: Some(4), ..Default::default() }),
        ppo: (objective == ObjectiveKind::Ppo).then(|| PpoConfig { mini_batch: Some(4), ..Default::default() }),
        ..Default::default()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn grpo_learns_what_is_rewarded() {
    let folder = Folder::new();
    folder.train(&config(ObjectiveKind::Grpo, 40), |_| false).0.unwrap();
    let rewards = folder.metric("reward/mean");
    assert_eq!(rewards.len(), 40);
    // 26 of 257 bytes are small letters.
    assert!((rewards[0] - 0.1).abs() < 0.06, "{rewards:?}");
    assert!(mean(&rewards[35..]) > 0.8, "{rewards:?}");
    assert_eq!(folder.metric("rewards/letters"), rewards);
    let entropies = folder.metric("entropy");
    assert!((entropies[0] - 257f64.ln()).abs() < 0.1 && entropies[39] < entropies[0] - 1.0, "{entropies:?}");
}

#[test]
fn ppo_learns_what_is_rewarded_and_stays_near_its_reference() {
    let folder = Folder::new();
    let mut config = config(ObjectiveKind::Ppo, 50);
    let kl = KlConfig { coefficient: 0.02, adaptive: true, target: 8.0, horizon: 200.0 };
    config.batch = 16;
    config.tokens = Some(50 * 16 * u64::from(SEQUENCE));
    config.ppo = Some(PpoConfig { mini_batch: Some(8), kl, target_kl: Some(0.1), ..Default::default() });
    folder.train(&config, |_| false).0.unwrap();
    let rewards = folder.metric("reward/mean");
    assert!(mean(&rewards[45..]) > 0.5 && mean(&rewards[..2]) < 0.2, "{rewards:?}");
    let divergences = folder.metric("kl/reference");
    assert_eq!(divergences[0], 0.0, "the reference is what training began with");
    assert!(divergences.iter().all(|nats| *nats < 25.0) && divergences[49] > 1.0, "{divergences:?}");
    let coefficients = folder.metric("kl-coefficient");
    assert!(
        (coefficients[0] - 0.02).abs() < 1e-8 && coefficients.iter().any(|coefficient| (*coefficient - 0.02).abs() > 1e-4),
        "{coefficients:?}"
    );
    let values = folder.metric("loss/value");
    assert!(values.iter().all(|value| value.is_finite()), "{values:?}");
}

/// Before the first update of a step, the policy is the one that drew: the ratio is 1 and nothing has moved.
#[test]
fn the_first_update_begins_where_answers_were_drawn() {
    for objective in [ObjectiveKind::Grpo, ObjectiveKind::Ppo] {
        let folder = Folder::new();
        let mut config = config(objective, 3);
        config.grpo = config.grpo.map(|grpo| GrpoConfig { epochs: 1, mini_batch: None, beta: 0.1, ..grpo });
        config.ppo = config.ppo.map(|ppo| PpoConfig { epochs: 1, mini_batch: None, ..ppo });
        folder.train(&config, |_| false).0.unwrap();
        for name in ["ratio/mean", "ratio/most"] {
            assert!(folder.metric(name).iter().all(|ratio| (ratio - 1.0).abs() <= 1e-6), "{:?}", folder.metric(name));
        }
        assert!(folder.metric("kl/step").iter().all(|moved| moved.abs() <= 1e-6), "{:?}", folder.metric("kl/step"));
        assert!(folder.metric("clip-fraction/policy").iter().all(|share| *share == 0.0));
        assert_eq!(folder.metric("kl/reference")[0], 0.0);
        // Generator and trainer see the same model.
        assert!(folder.metric("log-prob-gap/most").iter().all(|gap| *gap < 1e-4), "{:?}", folder.metric("log-prob-gap/most"));
    }
}

/// A kill anywhere in a step, between answers and updates too, leaves what the last checkpoint has.
#[test]
fn goes_on_bit_for_bit() {
    for objective in [ObjectiveKind::Grpo, ObjectiveKind::Ppo] {
        let whole = Folder::new();
        let config = config(objective, 8);
        whole.train(&config, |_| false).0.unwrap();
        let broken = Folder::new();
        let at = |step: u64| move |event: &Event| matches!(event, Event::Step(made) if made.step == step);
        assert!(broken.train(&config, at(2)).0.is_err());
        assert!(broken.train(&config, at(5)).0.is_err());
        // Another process begins a step and dies before it is done.
        let stream = broken.stream(&config);
        let mut trainer = Trainer::open(Run {
            folder: broken.dir.path(),
            config: &config,
            tokenizer: &broken.tokenizer,
            manifest: &broken.manifest,
            stream: &stream,
            device: DeviceSpec::Cpu,
            seed: 11,
            fingerprint: "this".to_owned(),
            feedback: Some(Feedback { rewards: &broken.rewards, ends: &[END] }),
            lineage: Vec::new(),
            chat: None,
        })
        .unwrap();
        trainer.step().unwrap();
        drop(trainer);
        broken.train(&config, |_| false).0.unwrap();
        let (whole, broken) = (whole.result(), broken.result());
        assert_eq!(whole.1, broken.1, "{objective:?}");
        assert_eq!(whole.2, broken.2, "{objective:?}");
        assert_eq!(String::from_utf8_lossy(&whole.0[2]), String::from_utf8_lossy(&broken.0[2]));
        assert!(whole.0 == broken.0, "{objective:?}");
    }
}

#[test]
fn micro_batches_change_nothing_but_roundings() {
    for objective in [ObjectiveKind::Grpo, ObjectiveKind::Ppo] {
        let curves = [1, 3, 8].map(|micro_batch| {
            let folder = Folder::new();
            folder.train(&TrainConfig { micro_batch: Some(micro_batch), ..config(objective, 2) }, |_| false).0.unwrap();
            (folder.metric("loss/policy"), folder.metric("reward/mean"), folder.curve()[1]["grad-norm"].as_f64().unwrap())
        });
        for other in &curves[1..] {
            assert_eq!(curves[0].1, other.1, "the same answers");
            let far = |a: f64, b: f64| (a - b).abs() > 1e-4 * a.abs().max(1.0);
            assert!(!curves[0].0.iter().zip(&other.0).any(|(a, b)| far(*a, *b)) && !far(curves[0].2, other.2), "{curves:?}");
        }
    }
}

/// 21 prompts with 8 a step: the last step has 5. One that is too long is counted.
#[test]
fn the_last_step_may_be_small_and_long_prompts_are_counted() {
    for objective in [ObjectiveKind::Grpo, ObjectiveKind::Ppo] {
        let folder = Folder::new();
        let config = TrainConfig { tokens: None, ..config(objective, 1) };
        folder.train(&config, |_| false).0.unwrap();
        let skipped = folder.metric("prompts/skipped");
        assert_eq!((skipped.len(), skipped.iter().sum::<f64>()), (3, 1.0));
        let curve = folder.curve();
        let counts = ["drawn", "trained", "masked"].map(|name| curve.iter().map(|line| line[name].as_u64().unwrap()).sum::<u64>());
        assert_eq!(counts, [3 * 8 * u64::from(SEQUENCE), 0, 3 * 8 * u64::from(SEQUENCE)]);
    }
}

/// Beside adapters no second model is needed: the reference is the model without them.
#[test]
fn adapters_are_held_to_the_model_without_them() {
    for objective in [ObjectiveKind::Grpo, ObjectiveKind::Ppo] {
        let mut config = config(objective, 6);
        config.lora = Some(LoraConfig { rank: 4, dropout: 0.0, ..LoraConfig::default() });
        config.grpo = config.grpo.map(|grpo| GrpoConfig { beta: 0.05, ..grpo });
        let whole = Folder::new();
        whole.train(&config, |_| false).0.unwrap();
        let divergences = whole.metric("kl/reference");
        assert!(divergences[0] == 0.0 && divergences[5] > 1e-3, "{divergences:?}");
        let broken = Folder::new();
        assert!(broken.train(&config, |event| matches!(event, Event::Step(made) if made.step == 4)).0.is_err());
        broken.train(&config, |_| false).0.unwrap();
        assert!(whole.result() == broken.result(), "{objective:?}");
    }
}

#[test]
fn memory_that_would_cut_answers_is_refused() {
    let folder = Folder::new();
    let mut config = config(ObjectiveKind::Grpo, 1);
    config.rollout = Some(RolloutConfig { max_new_tokens: 8, cache_bytes: Some(1100), ..Default::default() });
    let error = folder.train(&config, |_| false).0.unwrap_err().to_string();
    assert!(error.contains("`rollout.cache-bytes` is"), "{error}");
}

/// Answers that are nothing but their end, and such that never end.
#[test]
fn empty_and_endless_answers_are_learned_from() {
    for (ends, ended, length) in [((0..257).collect::<Vec<u32>>(), 1.0, 1.0), (vec![300], 0.0, 8.0)] {
        let folder = Folder::new();
        let mut config = config(ObjectiveKind::Ppo, 2);
        config.rollout = Some(RolloutConfig { max_new_tokens: 8, missing_end_penalty: 2.0, ..Default::default() });
        let stream = folder.stream(&config);
        let run = Run {
            folder: folder.dir.path(),
            config: &config,
            tokenizer: &folder.tokenizer,
            manifest: &folder.manifest,
            stream: &stream,
            device: DeviceSpec::Cpu,
            seed: 11,
            fingerprint: "this".to_owned(),
            feedback: Some(Feedback { rewards: &folder.rewards, ends: &ends }),
            lineage: Vec::new(),
            chat: None,
        };
        let opened = Trainer::open(run);
        if ended == 0.0 {
            // No such id.
            assert!(opened.err().unwrap().to_string().contains("token 300 is to end answers"));
            continue;
        }
        opened.unwrap().run(&AtomicBool::new(false), &mut |_| ()).unwrap();
        assert_eq!((folder.metric("answers/ended")[0], folder.metric("length/mean")[0]), (ended, length));
        assert!(folder.metric("ratio/most").iter().all(|ratio| ratio.is_finite()));
    }
    // With one end of 257, hardly an answer of 8 tokens ends.
    let folder = Folder::new();
    let mut config = config(ObjectiveKind::Grpo, 1);
    config.rollout = Some(RolloutConfig { max_new_tokens: 8, missing_end_penalty: 2.0, ..Default::default() });
    folder.train(&config, |_| false).0.unwrap();
    let [ended, reward, letters] = ["answers/ended", "reward/mean", "rewards/letters"].map(|name| folder.metric(name)[0]);
    assert!(ended < 0.3 && (letters - 2.0 * (1.0 - ended) - reward).abs() < 1e-12, "{ended} {reward} {letters}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = Folder::new();
    let refused = |change: fn(&mut TrainConfig)| {
        let mut config = config(ObjectiveKind::Grpo, 1);
        change(&mut config);
        config.validate().unwrap_err().to_string()
    };
    assert!(refused(|config| config.objective = ObjectiveKind::Sft).contains("`grpo` is set, which `objective` has no use for"));
    assert!(refused(|config| config.ppo = Some(PpoConfig::default())).contains("`ppo` is set"));
    assert!(refused(|config| config.reward.clear()).contains("`reward` is empty"));
    assert!(refused(|config| config.z_loss = 0.1).contains("`z-loss` is set"));
    assert!(refused(|config| config.grpo.as_mut().unwrap().group = 1).contains("`grpo.group` is 1"));
    assert!(refused(|config| config.grpo.as_mut().unwrap().mini_batch = Some(9)).contains("`grpo.mini-batch` is 9, not 1 to `batch` = 8"));
    assert!(refused(|config| config.rollout.as_mut().unwrap().max_new_tokens = 24).contains("leaves no room for prompts"));
    assert!(refused(|config| config.rollout.as_mut().unwrap().temperature = 0.0).contains("`rollout.temperature` is 0"));
    let two = TrainConfig { reward: vec![toml::from_str("kind = 'length'").unwrap()], ..config(ObjectiveKind::Grpo, 1) };
    assert!(two.validate().unwrap_err().to_string().contains("without `min` and `max`"));
    let nothing = Folder { rewards: Rewards::default(), ..folder };
    assert!(nothing.train(&config(ObjectiveKind::Grpo, 1), |_| false).0.unwrap_err().to_string().contains("`reward` is empty"));
}
