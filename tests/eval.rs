//! Evaluation: the numbers of lm-eval, a rerun, a kill, gates, and what is wrong with files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::corpus::Corpus;
use crate::malmoi::{call, curve, done};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/eval").join(name)
}

fn model() -> String {
    fixture("model").display().to_string()
}

fn task(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

fn expected() -> Value {
    serde_json::from_slice(&fs::read(fixture("expected.json")).unwrap()).unwrap()
}

/// The file of outputs with this name, in the one model's folder.
fn outputs(folder: &Path, name: &str) -> PathBuf {
    let found = fs::read_dir(folder.join("eval")).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir());
    found.unwrap().join(name)
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn likelihoods_and_accuracy_are_those_of_lm_eval() {
    let folder = TempDir::new().unwrap();
    for shots in ["0", "2"] {
        let json = done(folder.path(), &["eval", &model(), "--task", &task("kmmlu", &fixture("")), "--shots", shots, "--json"]);
        let events: Vec<Value> = json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let summary = events.iter().find(|event| event["reason"] == "task").unwrap();
        assert_eq!((&summary["items"], &summary["chance"]), (&json!(24), &json!(0.25)));
        let records = lines(&outputs(folder.path(), &format!("kmmlu.{shots}-shot.likelihood.jsonl")));
        let mut accuracies = Vec::new();
        for (subject, group) in [("arithmetic", 0), ("words", 1)] {
            let expected = &expected()["shots"][shots][subject];
            let ours = records.iter().filter(|record| record["id"].as_str().unwrap().starts_with(subject));
            let theirs = expected["log-likelihoods"].as_array().unwrap();
            assert_eq!(ours.clone().count(), theirs.len());
            for (ours, theirs) in ours.zip(theirs) {
                let ours = ours["answer"]["log-likelihoods"].as_array().unwrap();
                for (a, b) in ours.iter().zip(theirs.as_array().unwrap()) {
                    assert!((a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-4, "{subject} {shots}: {a} {b}");
                }
            }
            let accuracy = summary["groups"][group]["metrics"][0]["value"].as_f64().unwrap();
            assert!((accuracy - expected["accuracy"].as_f64().unwrap()).abs() < 1e-12);
            accuracies.push(accuracy);
        }
        let mean = |name: &str| summary[name][0]["value"].as_f64().unwrap();
        assert!((mean("macro-means") - (accuracies[0] + accuracies[1]) / 2.0).abs() < 1e-12);
        assert!((mean("metrics") - (13.0 * accuracies[0] + 11.0 * accuracies[1]) / 24.0).abs() < 1e-12);
    }
}

#[test]
fn what_is_answered_is_not_asked_again_and_a_kill_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let arguments = ["eval", &model(), "--task", &task("kmmlu", &fixture("")), "--jobs", "1"];
    let first = done(folder.path(), &arguments);
    assert!(first.stdout.contains("accuracy, mean of 2 subjects") && first.stdout.contains("(wilson)"), "{}", first.stdout);
    let path = outputs(folder.path(), "kmmlu.0-shot.likelihood.jsonl");
    let whole = fs::read(&path).unwrap();
    let again = done(folder.path(), &arguments);
    assert!(again.stderr.contains("24 of 24 items were answered before"), "{}", again.stderr);
    assert_eq!(again.stdout, first.stdout);
    // Killed in the middle of a line.
    fs::remove_file(&path).unwrap();
    fs::write(path.with_extension("jsonl.partial"), &whole[..whole.len() / 3]).unwrap();
    let continued = done(folder.path(), &["eval", &model(), "--task", &task("kmmlu", &fixture("")), "--jobs", "2"]);
    assert!(continued.stderr.contains(" of 24 items were answered before"), "{}", continued.stderr);
    assert_eq!(fs::read(&path).unwrap(), whole);
    assert_eq!(lines(&folder.path().join("eval/history.jsonl")).len(), 1, "the same numbers are no news");
    // Fewer questions are among those that were answered.
    let few = done(folder.path(), &["eval", &model(), "--task", &task("kmmlu", &fixture("words-test.csv")), "--limit", "3"]);
    assert!(few.stderr.contains("3 of 3 items were answered before") && few.stdout.contains("3 items"), "{}", few.stdout);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 24);
}

#[test]
fn texts_are_written_and_checked() {
    let folder = TempDir::new().unwrap();
    let set = folder.path().join("own.jsonl");
    let prompts = [
        json!({ "prompt": "쉼표 없이 써라.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}] }),
        json!({ "instruction": "목록을 써라.", "instruction_id_list": ["detectable_format:number_bullet_lists", "punctuation:no_comma"],
                "kwargs": [{ "num_bullets": 40 }, {}] }),
        json!({ "prompt": "아무 말", "instruction_id_list": ["length_constraints:number_words"], "kwargs": [{}] }),
    ];
    let text: Vec<String> = prompts.iter().chain(&prompts[..1]).map(|line| format!("{line}\n")).collect();
    fs::write(&set, text.concat()).unwrap();
    let problems = folder.path().join("problems.csv");
    fs::write(&problems, "question,answer\n1 더하기 1은?,2\n").unwrap();
    let (set, problems) = (task("kite", &set), task("arithmetic", &problems));
    let arguments = ["eval", &model(), "--task", &set, "--task", &problems, "--tokens", "12", "--json"];
    let outcome = done(folder.path(), &arguments);
    assert!(outcome.stderr.contains("1 questions stand in the files more than once"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("1 instructions cannot be checked") && outcome.stderr.contains("no `num_words`"), "{}", outcome.stderr);
    let records = lines(&outputs(folder.path(), "kite.0-shot.generate-12.jsonl"));
    assert_eq!(records.len(), 3);
    assert_eq!(records[1]["instructions"][0], json!(["detectable_format:number_bullet_lists", false, false]));
    assert_eq!(records[2]["scores"].get("prompt-strict"), None, "nothing of it can be checked");
    // The same in other company.
    let path = outputs(folder.path(), "kite.0-shot.generate-12.jsonl");
    let whole = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    done(folder.path(), &["eval", &model(), "--task", &set, "--tokens", "12", "--batch", "1"]);
    assert_eq!(fs::read(&path).unwrap(), whole);
    // A letter can be written too.
    let kmmlu = task("kmmlu", &fixture("words-test.csv"));
    done(folder.path(), &["eval", &model(), "--task", &kmmlu, "--generate", "--tokens", "4", "--limit", "2"]);
    let written = lines(&outputs(folder.path(), "kmmlu.0-shot.generate-4.jsonl"));
    assert!(written.len() == 2 && written[0]["answer"]["text"]["text"].is_string() && written[0]["gold"] == "B", "{}", written[0]);
}

/// The run's own evaluation at its last step measured the same text.
#[test]
fn held_out_text_of_a_run() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml"]);
    let outcome = done(corpus.path(), &["eval", "out/run", "--held-out", "--json"]);
    let evals: Vec<Value> = curve(&corpus.out("run")).into_iter().filter(|line| line["reason"] == "eval").collect();
    let theirs = evals.last().unwrap()["buckets"].as_array().unwrap();
    let events = outcome.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ours: Vec<Value> = events.filter(|event| event["reason"] == "held-out").collect();
    assert_eq!((ours.len(), theirs.len()), (3, 3), "{ours:?} {theirs:?}");
    for ours in ours {
        let theirs = theirs.iter().find(|theirs| theirs["bucket"] == ours["bucket"]).unwrap();
        assert_eq!(ours["tokens"], theirs["tokens"]);
        let bits = |loss: &Value| loss["bits-per-byte"].as_f64().unwrap();
        assert!((bits(&ours) - bits(theirs)).abs() < 1e-4, "{ours} {theirs}");
    }
    // Another checkpoint is another model, and is set beside the first.
    let earlier = done(corpus.path(), &["eval", "out/run", "--step", "12", "--held-out"]);
    assert!(earlier.stdout.contains(" from "), "{}", earlier.stdout);
    assert_eq!(lines(&corpus.path().join("eval/history.jsonl")).len(), 2);
    let folder = call(corpus.path(), &["eval", &model(), "--held-out"]);
    assert!(folder.code == 2 && folder.stderr.contains("--held-out is for run folders"), "{}", folder.stderr);
}

#[test]
fn gates_decide_the_exit_code() {
    let folder = TempDir::new().unwrap();
    let kmmlu = task("kmmlu", &fixture(""));
    let gate = |text: &str| {
        fs::write(folder.path().join("gates.toml"), text).unwrap();
        call(folder.path(), &["eval", &model(), "--task", &kmmlu, "--gate", "gates.toml"])
    };
    let passed = gate("[accuracy]\nmetric = \"kmmlu/accuracy/macro\"\nmin = 0.05\n");
    assert!(passed.code == 0 && passed.stdout.contains("gate: pass  accuracy"), "{}", passed.stderr);
    let failed = gate("[accuracy]\nmetric = \"korean/accuracy\"\nmin = 0.85\n[safety]\nmetric = \"safety/clean\"\nmin = 0.95\n");
    assert_eq!(failed.code, 1, "{}", failed.stderr);
    assert!(failed.stdout.contains("FAIL  safety: safety/clean not measured") && failed.stderr.contains("2 of 2 gates failed"));
    let wrong = gate("[accuracy]\nmetrik = \"x\"\n");
    assert!(wrong.code == 2 && wrong.stderr.contains("gates.toml") && wrong.stderr.contains("metrik"), "{}", wrong.stderr);
}

#[test]
fn what_is_wrong_is_said_before_the_model_is_opened() {
    let folder = TempDir::new().unwrap();
    let refused = |arguments: &[&str]| {
        let outcome = call(folder.path(), &[&["eval", "no-model"], arguments].concat());
        assert_eq!(outcome.code, 2, "{}", outcome.stderr);
        assert!(!folder.path().join("eval").exists());
        outcome.stderr
    };
    let missing = refused(&["--task", "click=nowhere"]);
    assert!(
        missing.contains("click: nowhere is not there") && missing.contains("{ id, paragraph, question, choices, answer }"),
        "{missing}"
    );
    assert!(refused(&["--task", "mmlu=x"]).contains("tasks are kmmlu, click, ifeval, kite"));
    assert!(refused(&["--task", "kmmlu"]).contains("TASK=FILE"));
    assert!(refused(&[]).contains("nothing to evaluate"));
    fs::write(folder.path().join("a-test.csv"), "question,answer,A,B,C,D,Category\n무엇?,5,a,b,c,d,Words\n").unwrap();
    let wrong = refused(&["--task", "kmmlu=a-test.csv"]);
    assert!(wrong.contains("a-test.csv, record 1: the answer is `5`, not 1, 2, 3 or 4"), "{wrong}");
    fs::write(folder.path().join("a-test.csv"), "question,answer\n무엇?,1\n").unwrap();
    assert!(refused(&["--task", "kmmlu=a-test.csv"]).contains("no column `"));
    fs::write(folder.path().join("a.json"), "[{\"id\": \"x\", \"question\": \"?\", \"choices\": [\"a\", \"b\"], \"answer\": \"c\"}]")
        .unwrap();
    assert!(refused(&["--task", "click=a.json"]).contains("the answer `c` is none of its choices"));
    assert!(refused(&["--task", "klue-nli=a.json"]).contains("missing field"));
    assert!(refused(&["--task", "click=a.json", "--shots", "2"]).contains("none of its choices"));
    assert!(refused(&["--task", "klue-sts=a.json", "--generate"]).contains("--generate is for"));
    fs::write(folder.path().join("b.jsonl"), "{\"prompt\": \"x\", \"instruction_id_list\": [\"a\"], \"kwargs\": []}\n").unwrap();
    assert!(refused(&["--task", "ifeval=b.jsonl"]).contains("1 instructions with 0 options"));
    let few = refused(&["--task", &task("kmmlu", &fixture("words-test.csv")), "--shots", "9"]);
    assert!(few.contains("has 5 examples, not 9"), "{few}");
    let model = refused(&["--task", &task("kmmlu", &fixture("words-test.csv"))]);
    assert!(model.contains("no-model"), "{model}");
}
