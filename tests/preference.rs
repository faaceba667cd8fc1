//! Preference data from a file to a trained model: what is read and refused, and that a run that was stopped goes on as it was.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::malmoi::{call, command, curve, done, outputs};

const RECIPE: &str = r#"output = "out/run"
seed = 3
held-out = 0.2

[[sources]]
name = "pairs"
bucket = "preference"
files = "data/pairs.jsonl"
format = "jsonl"
preference = { prompt = "prompt", chosen = "chosen", rejected = "rejected" }

[tokenizer]
train = { vocab-size = 400, special-tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] }

[chat]
template = "chatml"

[mixture]
preference = 1.0

[train]
objective = "dpo"
epochs = 3
sequence-length = 160
batch = 4
micro-batch = 2
learning-rate = 1e-3
eval-every = 4
checkpoint-every = 3
model = { hidden = 32, layers = 2, heads = 4, kv-heads = 2, intermediate = 64 }
"#;

/// Sums with a right and a wrong answer, and rows that are none.
fn corpus() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    let mut pairs = String::new();
    for n in 0..60 {
        let (a, b) = (n * 7 % 50, n * 13 % 40);
        let pair = json!({
            "id": format!("pair-{n}"), "prompt": format!("{a} 더하기 {b}은?"), "chosen": format!("{}입니다.", a + b), "rejected": "모르겠는데요.",
        });
        let _ = writeln!(pairs, "{pair}");
    }
    for (id, prompt, chosen, rejected) in [("same", "q", "a", "a"), ("empty", "q", "", "a"), ("silent", " ", "a", "b")] {
        let _ = writeln!(pairs, "{}", json!({ "id": id, "prompt": prompt, "chosen": chosen, "rejected": rejected }));
    }
    let _ = writeln!(pairs, "{}", json!({ "id": "long", "prompt": "길게", "chosen": "가나다라 ".repeat(200), "rejected": "짧게" }));
    fs::write(folder.path().join("data/pairs.jsonl"), pairs).unwrap();
    folder
}

fn write(folder: &Path, recipe: &str) {
    fs::write(folder.join("recipe.toml"), recipe).unwrap();
}

fn reward_recipe() -> String {
    RECIPE.replace("\"dpo\"", "\"reward\"").replace("[train]\n", "[train]\nreward-model = { center = 0.01 }\n")
}

#[test]
fn dpo_learns_which_answer_is_better_and_goes_on_where_it_stopped() {
    let whole = corpus();
    write(whole.path(), RECIPE);
    let run = done(whole.path(), &["run", "recipe.toml"]);
    assert!(run.stderr.contains("held-out loss preference"), "{}", run.stderr);
    let lines = curve(&whole.path().join("out/run"));
    let steps: Vec<&Value> = lines.iter().filter(|line| line["reason"] == "step").collect();
    assert!((steps[0]["loss"].as_f64().unwrap() - std::f64::consts::LN_2).abs() < 1e-5, "{}", steps[0]);
    let last = lines.iter().rev().find(|line| line["reason"] == "eval").unwrap();
    let scores = &last["preferences"][0];
    assert!(scores["pairs"]["accuracy"].as_f64().unwrap() > 0.9 && scores["loss"].as_f64().unwrap() < 0.6, "{scores}");
    assert!(steps[steps.len() - 1]["metrics"]["rewards/margin"].as_f64().unwrap() > 0.0);

    // Three rows are no pairs, one is too long for a row.
    assert!(run.stderr.contains("3 unreadable rows are quarantined"), "{}", run.stderr);
    assert!(run.stderr.contains("1 of its conversations"), "{}", run.stderr);
    let audit = done(whole.path(), &["audit", "out/run", "--deep"]);
    assert!(audit.stdout.contains(" 0 faults"), "{}", audit.stdout);
    let order = done(whole.path(), &["data", "order", "out/run", "--step", "1"]);
    assert!(order.stdout.contains("chosen up to token"), "{}", order.stdout);

    // Killed once a checkpoint is there, and run again.
    let arguments = ["run", "recipe.toml", "--set", "output=out/broken"];
    let broken = whole.path().join("out/broken");
    let mut child = command(whole.path(), &arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !broken.join("checkpoints/step-000003").exists() && child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(300), "the run never got to its first checkpoint");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    done(whole.path(), &arguments);
    assert_eq!(curve(&whole.path().join("out/run")), curve(&broken));
    assert!(outputs(&whole.path().join("out/run")) == outputs(&broken));
}

#[test]
fn a_reward_model_is_exported_for_transformers() {
    let folder = corpus();
    write(folder.path(), &reward_recipe());
    // Its parameters have one row of 32 numbers, and no output matrix.
    let untied = ["--set", "train.precision=bf16", "--set", "train.model.tied-embeddings=false"];
    let estimate = done(folder.path(), &[&["estimate", "recipe.toml"][..], &untied].concat());
    let layer = 32 * (2 * 32 + 2 * 16) + 32 + 2 * 16 + 3 * 32 * 64 + 2 * 32;
    assert!(
        estimate.stdout.contains(&format!("{},{:03} parameters", (400 * 32 + 2 * layer + 64) / 1000, (400 * 32 + 2 * layer + 64) % 1000)),
        "{}",
        estimate.stdout
    );
    done(folder.path(), &["run", "recipe.toml"]);
    done(folder.path(), &["export", "out/run", "reward"]);
    let config: Value = serde_json::from_str(&fs::read_to_string(folder.path().join("reward/config.json")).unwrap()).unwrap();
    assert_eq!((&config["architectures"], &config["id2label"]), (&json!(["Qwen2ForSequenceClassification"]), &json!({ "0": "LABEL_0" })));
    let deployed = call(folder.path(), &["deploy", "reward", "out/deployed", "--target", "vllm"]);
    assert!(deployed.code == 2 && deployed.stderr.contains("is a reward model"), "{}", deployed.stderr);
    let refused = call(folder.path(), &["generate", "reward", "안녕"]);
    assert!(refused.stderr.contains("reward model"), "{}", refused.stderr);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let folder = corpus();
    let refused = |recipe: &str| {
        write(folder.path(), recipe);
        let outcome = call(folder.path(), &["plan", "recipe.toml"]);
        assert_ne!(outcome.code, 0);
        outcome.stderr
    };
    assert!(refused(&RECIPE.replace("\"dpo\"", "\"sft\"")).contains("would learn from the rejected answers"));
    let plain =
        RECIPE.replace("preference = { prompt = \"prompt\", chosen = \"chosen\", rejected = \"rejected\" }", "text-field = \"prompt\"");
    assert!(
        refused(&plain.replace("[chat]\ntemplate = \"chatml\"\n", "")).contains("learns from judged answers, and source `pairs` has none")
    );
    assert!(refused(&RECIPE.replace("[train]\n", "[train]\nkto = {}\n")).contains("it is for `objective` = \"kto\""));
    assert!(refused(&RECIPE.replace("[train]\n", "[train]\nz-loss = 1e-4\n")).contains("z-loss"));
    assert!(refused(&reward_recipe().replace("center = 0.01", "margin = true")).contains("no source names a field with margins"));
    let single = RECIPE.replace("chosen = \"chosen\", rejected = \"rejected\"", "chosen = \"chosen\"");
    assert!(refused(&single).contains("`preference` needs"));
}
