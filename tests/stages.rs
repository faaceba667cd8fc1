//! A recipe of several stages: pretraining on text, answers, a reward model, reinforcement learning, each from what was left before.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use crate::corpus::Corpus;
use crate::malmoi::{call, curve, done};

const RECIPE: &str = r#"output = "out/all"
seed = 3
held-out = 0.05

[train]
sequence-length = 64
batch = 4
learning-rate = 3e-3

[[stages]]
name = "cpt"
tokenizer = { train = { vocab-size = 420, special-tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] } }
mixture = { korean = 1 }
[[stages.sources]]
name = "ko"
bucket = "korean"
files = "data/ko.jsonl"
format = "jsonl"
[stages.train]
objective = "cpt"
tokens = 4_096
keep-best = true
eval-every = 4
model = { hidden = 32, layers = 2, heads = 4, kv-heads = 2, intermediate = 64 }

[[stages]]
name = "sft"
tokenizer = { load = "stage:cpt/tokenizer.json" }
chat = { template = "chatml" }
mixture = { chat = 1 }
[[stages.sources]]
name = "talk"
bucket = "chat"
files = "data/talk.jsonl"
format = "jsonl"
chat = { messages = "messages" }
[stages.train]
objective = "sft"
epochs = 2
sequence-length = 96
init = "stage:cpt"
"#;

/// What comes after these two; the common tokenizer is that of the first.
const LATER: &str = r#"
[[stages]]
name = "reward"
tokenizer = { load = "stage:cpt/tokenizer.json" }
chat = { template = "chatml" }
mixture = { pairs = 1 }
[[stages.sources]]
name = "pairs"
bucket = "pairs"
files = "data/pairs.jsonl"
format = "jsonl"
preference = { prompt = "prompt", chosen = "chosen", rejected = "rejected" }
[stages.train]
objective = "reward"
epochs = 1
sequence-length = 160
init = "stage:sft"
lora = { rank = 4 }

[[stages]]
name = "ppo"
tokenizer = { load = "stage:cpt/tokenizer.json" }
chat = { template = "chatml" }
mixture = { talk = 1 }
[[stages.sources]]
name = "talk"
bucket = "talk"
files = "data/talk.jsonl"
format = "jsonl"
chat = { messages = "messages" }
[stages.train]
objective = "ppo"
epochs = 1
sequence-length = 96
init = "stage:sft"
lora = { rank = 4 }
rollout = { max-new-tokens = 8 }
[[stages.train.reward]]
kind = "model"
path = "stage:reward"
[[stages.train.reward]]
kind = "korean"
weight = 0.2
"#;

/// Forty short conversations, and as many pairs.
fn corpus() -> Corpus {
    let corpus = Corpus::new();
    let (mut talk, mut pairs) = (String::new(), String::new());
    for n in 0..40 {
        let (question, answer) = (format!("{n} 더하기 1은?"), format!("{}입니다.", n + 1));
        let messages = json!([{ "role": "user", "content": question }, { "role": "assistant", "content": answer }]);
        let _ = writeln!(talk, "{}", json!({ "id": format!("talk-{n}"), "messages": messages }));
        let _ = writeln!(pairs, "{}", json!({ "id": format!("pair-{n}"), "prompt": question, "chosen": answer, "rejected": "몰라." }));
    }
    fs::write(corpus.path().join("data/talk.jsonl"), talk).unwrap();
    fs::write(corpus.path().join("data/pairs.jsonl"), pairs).unwrap();
    corpus
}

/// Pretraining, answers, a reward model beside adapters, and answers that it judges.
#[test]
fn from_text_to_reinforcement_learning_in_one_recipe() {
    let corpus = corpus();
    corpus.recipe("all.toml", &format!("{RECIPE}{LATER}"));
    done(corpus.path(), &["run", "all.toml"]);
    let read = |path: &str| -> Value { serde_json::from_slice(&fs::read(corpus.path().join(path)).unwrap()).unwrap() };
    let uses: BTreeSet<String> = serde_json::from_value(read("out/all/lineage.json")[3]["uses"].clone()).unwrap();
    assert_eq!(uses, ["cpt", "sft", "reward"].map(str::to_owned).into());
    assert_eq!(read("out/all/reward/model/config.json")["architectures"][0], "Qwen2ForSequenceClassification");
    assert_eq!(read("out/all/ppo/model/config.json")["architectures"][0], "Qwen2ForCausalLM");
    let stages = read("out/all/ppo/model/model_info.json")["training_stages"].clone();
    let objectives: Vec<&str> = stages.as_array().unwrap().iter().map(|stage| stage["objective"].as_str().unwrap()).collect();
    assert_eq!(objectives, ["cpt", "sft", "ppo"]);
    for stage in ["reward", "ppo"] {
        let audit = done(corpus.path(), &["audit", &format!("out/all/{stage}"), "--deep"]);
        assert!(audit.stdout.contains(" 0 faults"), "{}", audit.stdout);
    }
    let curve = fs::read_to_string(corpus.path().join("out/all/ppo/metrics.jsonl")).unwrap();
    assert!(curve.contains("\"rewards/model\"") && curve.contains("\"rewards/korean\""), "{curve}");
    done(corpus.path(), &["generate", "out/all/ppo/model", "3 더하기 1은?", "--tokens", "4"]);
    let again = done(corpus.path(), &["run", "all.toml"]).stderr;
    assert_eq!(again.matches("train: current").count(), 4, "{again}");
}

/// The tokenizer of bytes has no file to be loaded from: what a stage leaves must be the vocabulary that a later one has itself. What
/// both say of the model may stand above them.
#[test]
fn bytes_are_the_tokenizer_of_every_stage() {
    let corpus = Corpus::new();
    let (above, stages) = RECIPE.split_once("[[stages]]").unwrap();
    let first = format!("[[stages]]{stages}");
    let (first, _) = first.split_once("keep-best").unwrap();
    let shape = "model = { hidden = 32, layers = 2, heads = 4, kv-heads = 2, intermediate = 64 }\n";
    let above = format!("{above}{shape}[tokenizer]\nbytes = true\n\n");
    let tokenizer =
        "tokenizer = { train = { vocab-size = 420, special-tokens = [\"<|endoftext|>\", \"<|im_start|>\", \"<|im_end|>\"] } }\n";
    let first = first.replace(tokenizer, "").replace("4_096", "1_024");
    let second = format!("{}init = \"stage:cpt\"\n", first.replace("name = \"cpt\"", "name = \"more\""));
    corpus.recipe("bytes.toml", &format!("{above}{first}\n{second}"));
    done(corpus.path(), &["run", "bytes.toml"]);
    let losses: Vec<f64> = ["cpt", "more"]
        .iter()
        .flat_map(|stage| {
            let steps = curve(&corpus.out("all").join(stage)).into_iter().filter(|line| line["reason"] == "step");
            let losses: Vec<f64> = steps.map(|line| line["loss"].as_f64().unwrap()).collect();
            [losses[0], losses[losses.len() - 1]]
        })
        .collect();
    assert!(losses[2] < losses[0] - 0.2, "the second stage begins with random weights: {losses:?}");
    // From a GGUF file too.
    done(corpus.path(), &["export", "out/all/cpt", "cpt.gguf", "--format", "gguf-f32"]);
    corpus.recipe("bytes.toml", &format!("{above}{}", second.replace("stage:cpt", "cpt.gguf")));
    done(corpus.path(), &["run", "bytes.toml", "--set", "output=out/gguf"]);
}

#[test]
fn a_later_stage_starts_from_what_an_earlier_one_left() {
    let corpus = corpus();
    corpus.recipe("all.toml", RECIPE);

    let plan = done(corpus.path(), &["plan", "all.toml"]);
    assert!(plan.stderr.contains("stage sft: waits for the model of stage cpt"), "{}", plan.stderr);
    done(corpus.path(), &["run", "all.toml"]);
    let read = |path: &str| -> Value { serde_json::from_slice(&fs::read(corpus.path().join(path)).unwrap()).unwrap() };
    let lineage = read("out/all/lineage.json");
    assert_eq!((&lineage[0]["name"], &lineage[1]["name"], &lineage[1]["uses"][0]), (&"cpt".into(), &"sft".into(), &"cpt".into()));
    // Each model knows all that made it.
    let stages = read("out/all/sft/model/model_info.json")["training_stages"].clone();
    let objectives: Vec<&str> = stages.as_array().unwrap().iter().map(|stage| stage["objective"].as_str().unwrap()).collect();
    assert_eq!(objectives, ["cpt", "sft"]);
    assert_eq!(stages[0]["fingerprint"], lineage[0]["fingerprint"]);
    for stage in ["cpt", "sft"] {
        let audit = done(corpus.path(), &["audit", &format!("out/all/{stage}"), "--deep"]);
        assert!(audit.stdout.contains(" 0 faults"), "{}", audit.stdout);
    }

    // Nothing is done twice, and what an earlier stage changes is done again in later ones.
    let again = done(corpus.path(), &["run", "all.toml"]).stderr;
    assert_eq!((again.matches("train: current").count(), again.matches("model: current").count()), (2, 2), "{again}");
    let changed = done(corpus.path(), &["run", "all.toml", "--set", "stages.0.train.learning-rate=1e-3"]).stderr;
    assert!(!changed.contains("train: current") && changed.contains("stage sft, 2 of 2"), "{changed}");
    assert_ne!(read("out/all/lineage.json")[1]["fingerprint"], lineage[1]["fingerprint"]);

    let refused = call(corpus.path(), &["build", "all.toml"]);
    assert!(refused.code == 2 && refused.stderr.contains("has stages"), "{}", refused.stderr);
}
