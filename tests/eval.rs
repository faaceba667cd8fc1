//! Evaluation: the numbers of lm-eval, a rerun, a kill, gates, and what is wrong with files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::corpus::{Corpus, jsonl, korean};
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

/// A copy of the model with the chat template; and a tokenizer that puts a token before a text, if wanted.
fn variant(folder: &Path, name: &str, template: bool, start: bool) {
    let copy = folder.join(name);
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(fixture("model")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    let mut config: Value = serde_json::from_slice(&fs::read(copy.join("tokenizer_config.json")).unwrap()).unwrap();
    if template {
        fs::copy(fixture("chat.jinja"), copy.join("chat_template.jinja")).unwrap();
    }
    if start {
        config["bos_token"] = json!("<|endoftext|>");
        fs::write(copy.join("tokenizer_config.json"), config.to_string()).unwrap();
        let mut tokenizer: Value = serde_json::from_slice(&fs::read(copy.join("tokenizer.json")).unwrap()).unwrap();
        let token = json!({ "id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"] });
        tokenizer["post_processor"] = json!({
            "type": "TemplateProcessing", "pair": [], "special_tokens": { "<|endoftext|>": token },
            "single": [{ "SpecialToken": { "id": "<|endoftext|>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
        });
        fs::write(copy.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    }
}

#[test]
fn conversations_are_those_of_lm_eval() {
    let folder = TempDir::new().unwrap();
    variant(folder.path(), "chat", true, false);
    variant(folder.path(), "start", false, true);
    variant(folder.path(), "both", true, true);
    let cases: [(&str, &str, &str, &[&str]); 5] = [
        ("turns", "chat", "kmmlu.2-shot.likelihood.chat", &["--shots", "2", "--chat-template"]),
        ("one-turn", "chat", "kmmlu.2-shot.likelihood.chat-one-turn", &["--shots", "2", "--chat-template", "--one-turn"]),
        ("system", "chat", "kmmlu.1-shot.likelihood.chat", &["--shots", "1", "--chat-template", "--system", "질문에 답한다."]),
        ("start", "start", "kmmlu.0-shot.likelihood", &[]),
        ("start-turns", "both", "kmmlu.1-shot.likelihood.chat", &["--shots", "1", "--chat-template"]),
    ];
    for (case, model, file, options) in cases {
        let kmmlu = task("kmmlu", &fixture(""));
        let out = folder.path().join(format!("out-{case}"));
        let arguments = [&["eval", model, "--task", &kmmlu, "--out", out.to_str().unwrap()], options].concat();
        done(folder.path(), &arguments);
        let found = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
        let records = lines(&found.join(format!("{file}.jsonl")));
        for subject in ["arithmetic", "words"] {
            let expected = &expected()["chats"][case][subject];
            let ours: Vec<&Value> = records.iter().filter(|record| record["id"].as_str().unwrap().starts_with(subject)).collect();
            let theirs = expected["log-likelihoods"].as_array().unwrap();
            assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.iter().zip(theirs) {
                let values = ours["answer"]["log-likelihoods"].as_array().unwrap();
                for (a, b) in values.iter().zip(theirs.as_array().unwrap()) {
                    assert!((a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-4, "{case} {subject}: {a} {b} {}", ours["prompt"]);
                }
            }
            let accuracy = ours.iter().map(|record| record["scores"]["accuracy"].as_f64().unwrap()).sum::<f64>() / ours.len() as f64;
            assert!((accuracy - expected["accuracy"].as_f64().unwrap()).abs() < 1e-12, "{case} {subject}");
        }
    }
    let kmmlu = task("kmmlu", &fixture("words-test.csv"));
    let none = call(folder.path(), &["eval", "start", "--task", &kmmlu, "--chat-template"]);
    assert!(none.code == 2 && none.stderr.contains("comes without a chat template") && none.stderr.contains("chatml"), "{}", none.stderr);
    done(
        folder.path(),
        &["eval", "start", "--task", &kmmlu, "--chat-template=chat/chat_template.jinja", "--generate", "--tokens", "2", "--limit", "1"],
    );
    assert!(call(folder.path(), &["eval", "chat", "--task", &kmmlu, "--one-turn"]).stderr.contains("--chat-template"));
}

#[test]
fn ids_of_prompts_are_those_of_transformers() {
    let folder = TempDir::new().unwrap();
    variant(folder.path(), "both", true, true);
    let ids = |text: &str| serde_json::from_str::<Value>(text.lines().next().unwrap()).unwrap()["prompt-ids"].clone();
    let generate = |arguments: &[&str]| done(folder.path(), &[&["generate", "both", "--tokens", "1", "--json"], arguments].concat()).stdout;
    let chats = &expected()["chats"];
    // Of a text, with what its tokenizer puts first; of a conversation, with what the template writes.
    assert_eq!(ids(&generate(&[chats["text"]["text"].as_str().unwrap()])), chats["text"]["ids"]);
    let conversations = chats["ids"].as_array().unwrap();
    let file: String = conversations.iter().map(|case| format!("{}\n", json!({ "messages": case["messages"] }))).collect();
    fs::write(folder.path().join("talk.jsonl"), file).unwrap();
    let all = generate(&["--chat", "--prompts", "talk.jsonl"]);
    let found: Vec<Value> = all.lines().map(ids).collect();
    assert_eq!(found, conversations.iter().map(|case| case["ids"].clone()).collect::<Vec<_>>());
    // A question of its own, with and without a system; and by another template.
    let said = conversations[0]["messages"][0]["content"].as_str().unwrap();
    assert_eq!(ids(&generate(&["--chat", said])), conversations[0]["ids"]);
    let [system, user] = [0, 1].map(|at| conversations[1]["messages"][at]["content"].as_str().unwrap());
    assert_eq!(ids(&generate(&["--chat", "--system", system, user])), conversations[1]["ids"]);
    assert_ne!(ids(&generate(&["--chat", "--template", "alpaca-ko", said])), conversations[0]["ids"]);

    let refused = |arguments: &[&str]| {
        let outcome = call(folder.path(), &[&["generate", "both", "--tokens", "1"], arguments].concat());
        assert_ne!(outcome.code, 0);
        outcome.stderr
    };
    assert!(
        refused(&["--prompts", "talk.jsonl"]).contains("add --chat")
            || refused(&["--prompts", "talk.jsonl"]).contains("want a chat template")
    );
    assert!(refused(&["--chat", "--template", "nothing", "x"]).contains("a template is one of"));
    assert!(refused(&["--template", "chatml", "x"]).contains("--chat"));
    fs::write(
        folder.path().join("bad.jsonl"),
        "{\"messages\": [{\"role\": \"assistant\", \"content\": \"x\"}]}\n{\"prompt\": \"a\", \"messages\": []}\n{}\n",
    )
    .unwrap();
    let bad = refused(&["--chat", "--prompts", "bad.jsonl"]);
    assert!(
        bad.contains("does not end with something to answer") && bad.contains("it has both") && bad.contains("line 3: missing field"),
        "{bad}"
    );
}

#[test]
fn questions_that_were_trained_on_are_named_beside_the_score() {
    let corpus = Corpus::new();
    let long = "다음 가운데 강가의 갈대가 늦은 가을에 고개를 숙이는 까닭으로 가장 알맞은 것을 하나만 고르시오";
    let other = "어느 마을의 사서가 낡은 사전에서 찾아낸 옛말 가운데 뜻이 다른 하나는 무엇인지 고르시오";
    let set = format!(
        "question,answer,A,B,C,D,Category\n{long},1,가,나,다,라,Words\n{other},2,가,나,다,라,Words\n짧은 물음?,3,가,나,다,라,Words\n"
    );
    fs::write(corpus.path().join("own-test.csv"), set).unwrap();
    let path = corpus.path().join("data/ko.jsonl");
    let planted = jsonl("planted", &format!("{}\n{}\n{}", korean(300), long.replace(' ', "  "), korean(301)));
    fs::write(&path, fs::read_to_string(&path).unwrap() + &planted).unwrap();
    done(corpus.path(), &["build", "recipe.toml"]);
    let kmmlu = task("kmmlu", &corpus.path().join("own-test.csv"));
    let arguments = ["eval", &model(), "--task", &kmmlu, "--contamination", "out/run"];
    let found = done(corpus.path(), &arguments);
    assert!(found.stdout.contains("contamination: 1 of 3 questions (2 are long enough to be found)"), "{}", found.stdout);
    assert!(
        found.stdout.contains("without them accuracy") && found.stderr.contains("own-test.csv#1 in document `planted`"),
        "{} {}",
        found.stdout,
        found.stderr
    );
    let json = done(corpus.path(), &[&arguments[..], &["--json"]].concat());
    let summary =
        json.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).find(|event| event["reason"] == "task").unwrap();
    let leak = &summary["contamination"]["leaks"][0];
    assert_eq!((&leak["document"], &leak["overlap"], &summary["contamination"]["searchable"]), (&json!("planted"), &json!(1.0), &json!(2)));
    // The others' accuracy is that of their own records.
    let records = lines(&outputs(corpus.path(), "kmmlu.0-shot.likelihood.jsonl"));
    let clean = records[1..].iter().map(|record| record["scores"]["accuracy"].as_f64().unwrap()).sum::<f64>() / 2.0;
    assert_eq!(summary["contamination"]["without"][0]["value"].as_f64().unwrap(), clean);
    // As a number, for gates.
    fs::write(corpus.path().join("gates.toml"), "[leaks]\nmetric = \"kmmlu/contaminated\"\nmax = 0.1\n").unwrap();
    assert_eq!(call(corpus.path(), &[&arguments[..], &["--gate", "gates.toml"]].concat()).code, 1);
    let nowhere = call(corpus.path(), &["eval", &model(), "--task", &kmmlu, "--contamination", "data"]);
    assert!(nowhere.code == 2 && nowhere.stderr.contains("there is no run"), "{}", nowhere.stderr);
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
    // What was asked is hashed: other questions are another line of the history, not to be compared with.
    let asked = |at: usize| lines(&folder.path().join("eval/history.jsonl"))[at]["setups"][0].as_str().unwrap().to_owned();
    let few = done(folder.path(), &["eval", &model(), "--task", &task("kmmlu", &fixture("words-test.csv")), "--limit", "3"]);
    assert!([0, 1].iter().all(|&at| asked(at).starts_with("kmmlu.0-shot.likelihood#")) && asked(0) != asked(1));
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
