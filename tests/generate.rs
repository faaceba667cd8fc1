//! Text from a trained model, and what is said of wrong input.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::corpus::Corpus;
use crate::malmoi::{call, command, done, outcome};

/// Lines of `--json` with a reason.
fn events(stdout: &str, reason: &str) -> Vec<Value> {
    let lines = stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["reason"] == reason).collect()
}

#[test]
fn a_trained_model_continues_prompts() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml"]);
    done(corpus.path(), &["export", "out/run", "model", "--dtype", "f32"]);
    let prompt = "옛날에 할머니";

    // The same draws from the run and from its export, on any number of threads.
    let one = done(corpus.path(), &["generate", "out/run", prompt, "--tokens", "24", "--seed", "5", "--jobs", "1"]);
    assert!(one.stderr.contains("generate: 24 tokens after ") && one.stderr.contains("tokens/s"), "{}", one.stderr);
    assert!(one.stdout.ends_with('\n') && one.stdout.trim().chars().count() > 3, "{:?}", one.stdout);
    let other = done(corpus.path(), &["generate", "model", prompt, "--tokens", "24", "--seed", "5"]);
    assert_eq!(other.stdout, one.stdout);
    assert_ne!(done(corpus.path(), &["generate", "model", prompt, "--tokens", "24", "--seed", "6"]).stdout, one.stdout);
    // From stdin, as one prompt.
    let mut child = command(corpus.path(), &["generate", "model", "--tokens", "24", "--seed", "5"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(prompt.as_bytes()).unwrap();
    assert_eq!(outcome(child.wait_with_output().unwrap()).stdout, one.stdout);

    // For machines: ids, their log-probabilities, and why it ended.
    let json = done(corpus.path(), &["generate", "model", prompt, "--tokens", "24", "--seed", "5", "--json"]);
    let facts = &events(&json.stdout, "completion")[0];
    assert_eq!(
        (&facts["text"], &facts["prompt"], &facts["finish"]),
        (&json!(one.stdout.trim_end_matches('\n')), &json!(prompt), &json!("length"))
    );
    let log_probs: Vec<f64> = facts["log-probs"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect();
    assert!(facts["ids"].as_array().unwrap().len() == 24 && log_probs.len() == 24 && log_probs.iter().all(|&p| p < 0.0));

    // A stop string that is in the text ends it there.
    let text = facts["text"].as_str().unwrap();
    let stop: String = text.chars().skip(2).take(2).collect();
    let stopped = done(corpus.path(), &["generate", "model", prompt, "--tokens", "24", "--seed", "5", "--json", "--stop", &stop]);
    let stopped = &events(&stopped.stdout, "completion")[0];
    assert_eq!((&stopped["text"], &stopped["finish"]), (&json!(text.split(&stop).next().unwrap()), &json!("stop")));
    let samples = done(corpus.path(), &["generate", "model", prompt, "--tokens", "4", "--samples", "3"]).stdout;
    assert_eq!(samples.lines().count(), 3);
}

#[test]
fn a_file_of_prompts_is_continued_in_its_order() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml"]);
    let mut lines: String =
        (0..9).map(|at| json!({ "id": format!("p{at}"), "prompt": "A sailor of ".repeat(1 + at % 4) }).to_string() + "\n").collect();
    lines.push_str("\n{\"prompt\": \"The miller\"}\n");
    fs::write(corpus.path().join("prompts.jsonl"), &lines).unwrap();
    let generate = |more: &[&str]| {
        let arguments = [&["generate", "out/run", "--prompts", "prompts.jsonl", "--tokens", "6"], more].concat();
        done(corpus.path(), &arguments).stdout
    };
    let all = generate(&[]);
    let ids: Vec<Value> = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect();
    let expected: Vec<Value> = (0..9).map(|at| json!(format!("p{at}"))).chain([json!(11)]).collect();
    assert_eq!(ids, expected);
    // In any company.
    assert_eq!(generate(&["--batch", "1"]), all);
    assert_eq!(generate(&["--batch", "3", "--jobs", "1"]), all);
    let json = generate(&["--json", "--samples", "2"]);
    assert_eq!(events(&json, "completion").len(), 20);
    assert_eq!(events(&json, "completion")[1]["id"], json!(["p0", 1]));

    // Bad lines are told of; the others are continued.
    let long = json!({ "prompt": "a ".repeat(300) });
    fs::write(corpus.path().join("prompts.jsonl"), format!("{{\"prompt\": 3}}\n{lines}{{\"prompt\": \"\"}}\n{long}\n")).unwrap();
    let bad = call(corpus.path(), &["generate", "out/run", "--prompts", "prompts.jsonl", "--tokens", "6", "--context", "64"]);
    assert_eq!((bad.code, bad.stdout.lines().count()), (1, 10), "{}", bad.stderr);
    for said in
        ["line 1: invalid type", "line 13: an empty prompt", "line 14: a prompt of ", "3 prompts of prompts.jsonl could not be continued"]
    {
        assert!(bad.stderr.contains(said), "{said}: {}", bad.stderr);
    }
}

#[test]
fn what_cannot_be_generated_is_refused() {
    let corpus = Corpus::new();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/trainer/testdata/");
    let model = format!("{fixture}qwen2");
    let gguf = format!("{fixture}llama.gguf");
    let refused = |arguments: &[&str], said: &str| {
        let outcome = call(corpus.path(), &[&["generate"], arguments].concat());
        assert_eq!(outcome.code, 2, "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    };
    refused(&["nowhere", "a"], "cannot open nowhere");
    refused(&["data", "a"], "config.json");
    refused(&[&model, "a"], "no tokenizer stands beside");
    refused(&[&gguf, "a"], "the GGUF file has no merges");
    refused(&[&model, "a", "--step", "3"], "--step is for run folders");
    refused(&[&model, "a", "--prompts", "p.jsonl"], "cannot be used with");
    refused(&[&model, "--prompts", "p.jsonl"], "cannot open p.jsonl");
    refused(&[&model, "a", "--tokenizer", "nowhere.json"], "nowhere.json");
    refused(&[&model, "a", "--device", "tpu"], "not one of cpu, cuda");
    refused(&["out/run", "a", "--set", "seed=2"], "--set seed=2: this command reads no recipe");
    done(corpus.path(), &["tokenizer", "train", "data/en.jsonl", "--out", "big.json", "--vocab-size", "300"]);
    refused(&[&model, "a", "--tokenizer", "big.json"], "the model has 40 rows, the tokenizer 300 ids");
}

/// A folder with the files of the made-up model, for tests to change.
fn copied(to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/eval/model")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn ids_of_the_generation_config_end_texts_of_an_export_too() {
    let folder = TempDir::new().unwrap();
    copied(&folder.path().join("model"));
    fs::write(folder.path().join("model/generation_config.json"), "{\"eos_token_id\": [7, 0]}").unwrap();
    done(folder.path(), &["export", "model", "other", "--dtype", "f32"]);
    for file in ["config.json", "generation_config.json"] {
        let written: Value = serde_json::from_slice(&fs::read(folder.path().join("other").join(file)).unwrap()).unwrap();
        assert_eq!(written["eos_token_id"], json!([0, 7]), "{file}");
    }
}

#[test]
fn a_template_that_is_missing_is_named_by_an_option_of_the_command() {
    let folder = TempDir::new().unwrap();
    copied(&folder.path().join("model"));
    let hint = |arguments: &[&str], option: &str| {
        let outcome = call(folder.path(), arguments);
        assert!(outcome.code == 2 && outcome.stderr.contains(&format!("name one with {option}: ")), "{}", outcome.stderr);
    };
    hint(&["generate", "model", "a", "--chat"], "--template");
    let problems = "arithmetic=problems.csv";
    fs::write(folder.path().join("problems.csv"), "question,answer\n1 더하기 1은?,2\n").unwrap();
    hint(&["eval", "model", "--task", problems, "--chat-template"], "--chat-template=TEMPLATE");
    let config = "model = \"model\"\noutput = \"o\"\n[seeds]\nfile = \"s.jsonl\"\n[[templates]]\nkind = \"qa-pairs\"\n";
    fs::write(folder.path().join("s.jsonl"), "{\"text\": \"글\"}\n").unwrap();
    fs::write(folder.path().join("synthesize.toml"), config).unwrap();
    hint(&["synthesize", "synthesize.toml"], "`chat-template`");
}
