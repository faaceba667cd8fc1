//! Reinforcement learning: a run that is rewarded for right answers, killed, audited and reported; and what is refused.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::malmoi::{call, command, done};

/// `recipes/grpo-demo.toml` with its data, in a folder of its own.
fn demo() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    fs::create_dir(folder.path().join("recipes")).unwrap();
    for file in ["grpo-demo.toml", "parity.jsonl"] {
        fs::copy(recipes.join(file), folder.path().join("recipes").join(file)).unwrap();
    }
    folder
}

/// The lines of a curve without what the clock says.
fn curve(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let timed = |key: &str| key == "seconds" || key == "tokens-per-second" || key.starts_with("speed/");
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().retain(|key, _| !timed(key));
        if let Some(metrics) = line["metrics"].as_object_mut() {
            metrics.retain(|key, _| !timed(key));
        }
        line
    });
    lines.collect()
}

fn metric(curve: &[Value], name: &str) -> Vec<f64> {
    curve.iter().filter_map(|line| line["metrics"][name].as_f64()).collect()
}

/// From random weights and rewards alone to right answers.
#[test]
fn the_demo_learns_to_answer() {
    let folder = demo();
    let ran = done(folder.path(), &["run", "recipes/grpo-demo.toml"]);
    let run = folder.path().join("out/grpo-demo");
    assert!(ran.stderr.contains("reward") && ran.stderr.contains("answer: step"), "{}", ran.stderr);
    let curve = curve(&run);
    let right = metric(&curve, "rewards/exact");
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    // To say always the same would be right half of the time.
    let best = right.windows(20).map(mean).fold(0.0, f64::max);
    assert!(mean(&right[..5]) < 0.05 && best > 0.9, "{right:?}");
    let audit = done(folder.path(), &["audit", "out/grpo-demo", "--deep"]);
    assert!(audit.stdout.contains(" 0 faults"), "{}", audit.stdout);

    // What it answers is kept, shown, and what the model says when asked.
    let answers = fs::read_to_string(run.join("answers.jsonl")).unwrap();
    let last: Value = serde_json::from_str(answers.lines().next_back().unwrap()).unwrap();
    assert!(["네", "아니요"].contains(&last["reference"].as_str().unwrap()), "{last}");
    assert!(last["reward"].as_f64().is_some() && last["prompt"].as_str().unwrap().contains("짝수인가요?"), "{last}");
    let report = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("rewards") && report.contains("ratio") && report.contains("reward 1.2"), "curves and answers");
    let prompt = "<|im_start|>user\n128은 짝수인가요?<|im_end|>\n<|im_start|>assistant\n";
    let said = done(folder.path(), &["generate", "out/grpo-demo", prompt, "--temperature", "0", "--tokens", "1"]);
    assert!(said.stdout.contains('네') || said.stdout.contains("아니요"), "{}", said.stdout);
}

/// Killed while answers are drawn or learned from, a run goes on as if nothing had been.
#[test]
fn a_kill_changes_nothing() {
    for objective in ["grpo", "ppo"] {
        let folder = demo();
        let ppo = "train.ppo={ mini-batch = 4, epochs = 2, kl = { horizon = 100 } }";
        let set = [
            "train.epochs=1",
            "train.batch=8",
            "train.micro-batch=4",
            "train.rollout={ max-new-tokens = 4 }",
            "train.checkpoint-every=2",
            "train.eval-every=5",
            "train.model={ hidden = 32, layers = 1, heads = 2, kv-heads = 1, intermediate = 64 }",
        ];
        let mut text = fs::read_to_string(folder.path().join("recipes/grpo-demo.toml")).unwrap();
        if objective == "ppo" {
            text = text.replace("objective = \"grpo\"", "objective = \"ppo\"").replace("grpo = { group = 8 }", "");
        }
        fs::write(folder.path().join("recipes/small.toml"), text).unwrap();
        let mut arguments = vec!["run", "recipes/small.toml"];
        set.iter().chain((objective == "ppo").then_some(&ppo)).for_each(|set| arguments.extend(["--set", set]));
        let whole = [&arguments[..], &["--set", "output=../out/whole"]].concat();
        done(folder.path(), &whole);
        let broken = [&arguments[..], &["--set", "output=../out/broken"]].concat();
        let run = folder.path().join("out/broken");
        for sign in ["checkpoints/step-000002", "checkpoints/step-000006"] {
            let mut child = command(folder.path(), &broken).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let start = Instant::now();
            while !run.join(sign).exists() && child.try_wait().unwrap().is_none() {
                assert!(start.elapsed() < Duration::from_secs(120), "the run never got to {sign}");
                std::thread::sleep(Duration::from_millis(2));
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        done(folder.path(), &broken);
        let whole = folder.path().join("out/whole");
        assert_eq!(curve(&whole), curve(&run));
        let last = |run: &Path| {
            let mut steps: Vec<_> = fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path()).collect();
            steps.sort();
            ["model.safetensors", "optimizer.safetensors"].map(|file| fs::read(steps[steps.len() - 1].join(file)).unwrap())
        };
        assert!(last(&whole) == last(&run));
        assert_eq!(fs::read(whole.join("answers.jsonl")).unwrap(), fs::read(run.join("answers.jsonl")).unwrap());
        // A value head stays in the run.
        done(folder.path(), &["generate", "out/broken", "12는", "--tokens", "2"]);
        done(folder.path(), &["export", "out/broken", "model"]);
        let exported = fs::read(folder.path().join("model/model.safetensors")).unwrap();
        assert!(!exported.windows(12).any(|name| name == b"value.weight"));
        let audit = done(folder.path(), &["audit", "out/broken", "--deep"]);
        assert!(audit.stdout.contains(" 0 faults"), "{}", audit.stdout);
    }
}

#[test]
fn what_cannot_be_rewarded_is_an_error_with_its_place() {
    let folder = demo();
    let text = fs::read_to_string(folder.path().join("recipes/grpo-demo.toml")).unwrap();
    let rewards = text.find("# To say one").unwrap();
    for (from, to, expected) in [
        ("^(네|아니요)", "^(네|아니요", "unclosed group"),
        ("kind = \"exact\"", "kind = \"exakt\"", "exakt"),
        ("kind = \"exact\"", "kind = \"model\"\npath = \"nowhere\"", "nowhere"),
        ("name = \"word\"", "name = \"exact\"", "two rewards are named `exact`"),
        (&text[rewards..], "", "`reward` is empty"),
        ("objective = \"grpo\"", "objective = \"sft\"", "which `objective` has no use for"),
        ("grpo = { group = 8 }", "grpo = { group = 1 }", "`grpo.group` is 1"),
        ("max-new-tokens = 1", "max-new-tokens = 48", "leaves no room for prompts"),
        ("chat = { instruction = \"instruction\", output = \"output\" }\n", "", "conversations"),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(folder.path().join("recipes/wrong.toml"), text.replacen(from, to, 1)).unwrap();
        let outcome = call(folder.path(), &["run", "recipes/wrong.toml"]);
        assert!(outcome.code == 2 && outcome.stderr.contains(expected), "{to:?} gave {}\n{}", outcome.code, outcome.stderr);
    }
    // What an estimate does not know, it says.
    let estimate = done(folder.path(), &["estimate", "recipes/grpo-demo.toml", "--set", "train.precision=bf16"]);
    assert!(estimate.stderr.contains("draws answers") && estimate.stdout.contains("time        unknown"), "{}", estimate.stdout);
}
