//! Instruction data from a file to a trained model: what is learned, what is left out, and that a run
//! that was killed ends like one that was not.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::malmoi::{Outcome, all_lines, call, command, curve, done, outputs};

const RECIPE: &str = r#"output = "out/run"
seed = 3
held-out = 0.1

[[sources]]
name = "talk"
bucket = "chat"
files = "data/talk.jsonl"
format = "jsonl"
chat = { messages = "messages" }

[[sources]]
name = "alpaca"
bucket = "instruct"
files = "data/alpaca.jsonl"
format = "jsonl"
chat = { instruction = "instruction", input = "input", output = "output" }

[[filters]]
normalize = {}
[[filters]]
pii = {}

[tokenizer]
train = { vocab-size = 420, special-tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] }

[chat]
template = "chatml"

[mixture]
chat = 0.5
instruct = 0.5

[train]
objective = "sft"
epochs = 2
sequence-length = 160
batch = 4
learning-rate = 3e-3
eval-every = 4
checkpoint-every = 3
model = { hidden = 32, layers = 2, heads = 4, kv-heads = 2, intermediate = 64 }
"#;

fn corpus() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    let mut talk = String::new();
    for n in 0..60 {
        let (a, b) = (n * 7 % 50, n * 13 % 40);
        let messages = json!([
            { "role": "user", "content": format!("{a} 더하기 {b}은?") },
            { "role": "assistant", "content": format!("{}입니다.", a + b) },
            { "role": "user", "content": "확실해요?" },
            { "role": "assistant", "content": format!("네, {a}+{b}={}입니다.", a + b) },
        ]);
        let _ = writeln!(talk, "{}", json!({ "id": format!("talk-{n}"), "messages": messages }));
    }
    let say = |id: &str, messages: Value| format!("{}\n", json!({ "id": id, "messages": messages }));
    talk += &say("talk-robot", json!([{ "role": "robot", "content": "삐" }, { "role": "assistant", "content": "네" }]));
    talk += &say("talk-silent", json!([{ "role": "user", "content": "왜?" }, { "role": "assistant", "content": " " }]));
    talk += &say("talk-long", json!([{ "role": "user", "content": "길게" }, { "role": "assistant", "content": "가나다라 ".repeat(200) }]));
    talk += &say(
        "talk-mail",
        json!([{ "role": "user", "content": "메일 주소는?" }, { "role": "assistant", "content": "kim@company.co.kr 입니다" }]),
    );
    talk += &say("talk-forged", json!([{ "role": "user", "content": "끝" }, { "role": "assistant", "content": "<|im_end|> 라고 씁니다" }]));
    fs::write(folder.path().join("data/talk.jsonl"), talk).unwrap();
    let mut alpaca = String::new();
    for n in 0..50 {
        let input = if n % 2 == 0 { format!("{n}, {}", n * 3 % 17) } else { String::new() };
        let line = json!({ "id": format!("alpaca-{n}"), "instruction": format!("{n}번째 문제: 큰 수를 고르세요."), "input": input, "output": format!("{}", n.max(n * 3 % 17)) });
        let _ = writeln!(alpaca, "{line}");
    }
    fs::write(folder.path().join("data/alpaca.jsonl"), alpaca).unwrap();
    recipe(&folder, "recipe.toml", RECIPE);
    folder
}

fn recipe(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).unwrap();
}

fn json_of(path: PathBuf) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn conversations_become_a_model_and_the_ledger_holds() {
    let folder = corpus();
    let run = folder.path().join("out/run");
    let ran = done(folder.path(), &["run", "recipe.toml"]);
    assert!(ran.stderr.contains("2 unreadable rows are quarantined"), "{}", ran.stderr);
    assert!(ran.stderr.contains("bucket `chat`: 1 of its conversations") && ran.stderr.contains("left out, not cut"), "{}", ran.stderr);
    assert!(ran.stderr.contains("held-out loss chat "), "{}", ran.stderr);
    let causes: Vec<String> = all_lines(&run.join("rejects")).iter().map(|line| line["why"].to_string()).collect();
    assert!(causes[0].contains("messages[0].role") && causes[0].contains("robot"), "{causes:?}");
    assert!(causes[1].contains("messages[1].content") && causes[1].contains("nothing is said"), "{causes:?}");

    // Filters reach into messages; text and messages say the same.
    let documents = all_lines(&run.join("documents"));
    let mail = documents.iter().find(|document| document["id"] == "talk-mail").unwrap();
    assert!(!mail.to_string().contains("company"), "{mail}");
    assert_eq!(mail["text"], format!("{}\n\n{}", mail["turns"][0]["text"].as_str().unwrap(), mail["turns"][1]["text"].as_str().unwrap()));

    let audit = done(folder.path(), &["audit", "out/run", "--deep"]);
    assert!(audit.stdout.contains(" 0 faults"), "{}", audit.stdout);
    let mixture = json_of(run.join("mixture.json"));
    assert_eq!(mixture["buckets"][0]["packed"]["too-long-documents"], 1);
    // Two epochs of the scarcer bucket, and rows that are nearly full.
    let epochs: Vec<f64> = mixture["buckets"].as_array().unwrap().iter().map(|bucket| bucket["epochs"].as_f64().unwrap()).collect();
    assert!(epochs.contains(&2.0), "{epochs:?}");
    let curve = curve(&run);
    let steps: Vec<&Value> = curve.iter().filter(|line| line["reason"] == "step").collect();
    assert!(steps.iter().all(|step| step["trained"].as_u64() < step["masked"].as_u64()), "questions are not learned");
    let losses: Vec<f64> =
        curve.iter().filter(|line| line["reason"] == "eval").map(|line| line["buckets"][0]["loss"].as_f64().unwrap()).collect();
    assert!(losses.len() >= 2 && losses[losses.len() - 1] < losses[0], "{losses:?}");

    let inspected = done(folder.path(), &["inspect", "out/run/shards/chat/talk-00000.shard", "-n", "1"]);
    assert!(inspected.stdout.contains("learned: "), "{}", inspected.stdout);

    // A model is served with the template it was trained with, and stops where it learned to.
    done(folder.path(), &["export", "out/run", "model"]);
    let model = folder.path().join("model");
    let kept = json_of(run.join("tokenizer/chat.json"));
    assert_eq!(fs::read_to_string(model.join("chat_template.jinja")).unwrap(), kept["template"].as_str().unwrap());
    let tokenizer = json_of(model.join("tokenizer.json"));
    let id =
        |name: &str| tokenizer["added_tokens"].as_array().unwrap().iter().find(|token| token["content"] == name).unwrap()["id"].clone();
    let ends = json_of(model.join("generation_config.json"))["eos_token_id"].clone();
    assert_eq!(ends, json!([id("<|endoftext|>"), id("<|im_end|>")]));

    // Another template gives other tokens, and only these are made again.
    let again = done(folder.path(), &["run", "recipe.toml", "--set", "chat.template=alpaca-ko"]);
    assert!(again.stderr.contains("clean: current"), "{}", again.stderr);
    assert!(again.stderr.contains("tokenize: 2 done"), "{}", again.stderr);
    // A template that was changed behind a run's back is found out.
    let mut changed = json_of(run.join("tokenizer/chat.json"));
    changed["template"] =
        json!(changed["template"].as_str().unwrap().replace("message.content + eos_token", "eos_token + message.content + eos_token"));
    fs::write(run.join("tokenizer/chat.json"), changed.to_string()).unwrap();
    let found = call(folder.path(), &["audit", "out/run", "--deep"]);
    assert!(found.code == 1 && found.stdout.contains("encodes to other tokens"), "{}", found.stdout);
}

#[test]
fn threads_parts_and_a_kill_change_nothing() {
    let folder = corpus();
    done(folder.path(), &["run", "recipe.toml", "--jobs", "1"]);
    let unbroken = folder.path().join("out/run");
    let parts = ["run", "recipe.toml", "--set", "part-bytes=3000", "--set", "output=out/parts"];
    let broken = folder.path().join("out/parts");
    for sign in ["tokenizer/chat.json", "checkpoints/step-000003"] {
        let mut child = command(folder.path(), &parts).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        while !broken.join(sign).exists() && child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(120), "the run never got to {sign}");
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    done(folder.path(), &parts);
    let audit = done(folder.path(), &["audit", "out/parts", "--deep"]);
    assert!(audit.stdout.contains(" 0 faults"), "{}", audit.stdout);
    // Another cut into parts gives the same documents, tokens and curve.
    assert_eq!(curve(&unbroken), curve(&broken));
    assert_eq!(fs::read(unbroken.join("mixture.json")).unwrap(), fs::read(broken.join("mixture.json")).unwrap());
    let weights = |run: &Path| {
        let mut steps: Vec<PathBuf> = fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path()).collect();
        steps.sort();
        fs::read(steps.pop().unwrap().join("model.safetensors")).unwrap()
    };
    assert!(weights(&unbroken) == weights(&broken));
    // The same cut gives the same bytes.
    done(folder.path(), &["build", "recipe.toml", "--set", "part-bytes=3000", "--set", "output=out/again", "--jobs", "2"]);
    assert!(outputs(&folder.path().join("out/again")) == outputs(&broken));
}

/// "확실해요?" stands in nearly all of them, and is a message.
#[test]
fn conversations_lose_no_lines() {
    let folder = corpus();
    recipe(&folder, "lines.toml", &RECIPE.replace("[tokenizer]", "[dedup]\nlines = { max-documents = 2, min-chars = 2 }\n\n[tokenizer]"));
    done(folder.path(), &["build", "lines.toml"]);
    let lines = folder.path().join("out/run/lines");
    assert!(lines.is_dir() && all_lines(&lines).is_empty());
    let audit = done(folder.path(), &["audit", "out/run", "--deep"]);
    assert!(audit.stdout.contains(" 0 faults"), "{}", audit.stdout);
}

/// A loss mask leaves the run and comes back; where it cannot go, or is missing, that is an error.
#[test]
fn loss_masks_are_exported_and_imported() {
    let folder = corpus();
    done(folder.path(), &["build", "recipe.toml"]);
    let refused = call(folder.path(), &["shards", "export", "out/run", "megatron", "--to", "megatron"]);
    assert!(
        refused.code == 2 && refused.stderr.contains("cannot say which tokens count") && refused.stderr.contains("olmo"),
        "{}",
        refused.stderr
    );
    assert!(!folder.path().join("megatron").exists());
    done(folder.path(), &["shards", "export", "out/run", "ds", "--to", "datatrove"]);
    let start = RECIPE.find("[[sources]]").unwrap();
    let end = RECIPE.find("[train]").unwrap();
    let imports = "[[imports]]\nname = \"talk\"\nbucket = \"chat\"\nfiles = [\"ds/chat/talk-00000.ds\"]\n\n\
                   [tokenizer]\nload = \"out/run/tokenizer/tokenizer.json\"\neos = \"<|endoftext|>\"\n\n[mixture]\nchat = 1.0\n\n";
    recipe(&folder, "import.toml", &format!("{}{imports}{}", RECIPE[..start].replace("out/run", "out/imported"), &RECIPE[end..]));
    done(folder.path(), &["run", "import.toml"]);
    let audit = done(folder.path(), &["audit", "out/imported", "--deep"]);
    assert!(audit.stdout.contains(" 0 faults"), "{}", audit.stdout);
    let run = folder.path().join("out/imported");
    assert!(json_of(run.join("mixture.json"))["buckets"][0]["packed"].is_object(), "conversations are kept whole");
    let current = done(folder.path(), &["stage", "import", "import.toml"]);
    assert!(current.stderr.contains("import: current"), "{}", current.stderr);
    // Without its mask there is nothing that says what to learn.
    fs::remove_file(folder.path().join("ds/chat/talk-00000.ds.loss")).unwrap();
    let refused = call(folder.path(), &["run", "import.toml"]);
    assert!(refused.code == 2 && refused.stderr.contains("no import has a loss mask"), "{}", refused.stderr);
    let audit = call(folder.path(), &["audit", "out/imported"]);
    assert!(audit.code == 1 && audit.stdout.contains("has loss spans"), "{}", audit.stdout);
}

#[test]
fn preview_shows_what_is_learned() {
    let folder = corpus();
    recipe(
        &folder,
        "bytes.toml",
        &RECIPE.replace(
            "train = { vocab-size = 420, special-tokens = [\"<|endoftext|>\", \"<|im_start|>\", \"<|im_end|>\"] }",
            "bytes = true",
        ),
    );
    let refused = call(folder.path(), &["preview", "recipe.toml"]);
    assert!(refused.code == 2 && refused.stderr.contains("`malmoi build` makes it"), "{}", refused.stderr);
    let arguments = ["preview", "bytes.toml", "--source", "alpaca", "--rows", "1", "--set", "chat.template=alpaca-ko"];
    let shown = done(folder.path(), &arguments);
    assert_eq!(
        shown.stdout,
        "alpaca-0  92 tokens, 2 learned\n### 지시사항:\n0번째 문제: 큰 수를 고르세요.\n\n### 입력:\n0, 0\n\n### 응답:\n[[0<|endoftext|>]]\n\n"
    );
    let rows = |outcome: Outcome| -> Vec<Value> { outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    let example =
        rows(done(folder.path(), &[&arguments[..], &["--json"]].concat())).into_iter().find(|row| row["reason"] == "example").unwrap();
    assert_eq!(example["tokens"].as_array().unwrap().len(), 92);
    assert_eq!(example["learned"].as_array().unwrap().iter().filter(|learned| **learned == json!(true)).count(), 2);
    let table = done(folder.path(), &[&arguments[..], &["--tokens"]].concat()).stdout;
    assert!(table.contains("    90       48 + \"0\"\n    91      256 + \"<|endoftext|>\"\n"), "{table}");
    let long = done(folder.path(), &["preview", "bytes.toml", "--source", "talk", "--rows", "99"]);
    assert!(long.stdout.contains("TOO LONG") && long.stderr.contains("messages[0].role"), "{}", long.stderr);
}

#[test]
fn what_cannot_be_learned_from_is_an_error_with_its_row() {
    let folder = corpus();
    fs::write(folder.path().join("mute.jinja"), "{% for m in messages %}{% generation %}{% endgeneration %}{{ m.content }}{% endfor %}")
        .unwrap();
    let refused = |from: &str, to: &str| {
        assert!(RECIPE.contains(from), "{from}");
        recipe(&folder, "wrong.toml", &RECIPE.replace(from, to));
        let outcome = call(folder.path(), &["run", "wrong.toml"]);
        assert_eq!(outcome.code, 2, "{}", outcome.stderr);
        outcome.stderr
    };
    let masked = refused("template = \"chatml\"", "template = \"mute.jinja\"");
    assert!(masked.contains("row 0, document `") && masked.contains("nothing of this conversation would be learned"), "{masked}");
    for (from, to, expected) in [
        ("template = \"chatml\"", "template = \"vicuna\"", "alpaca-ko, chatml, gemma, llama3, qwen2.5"),
        ("[chat]\ntemplate = \"chatml\"", "", "set `chat.template` to one of"),
        ("template = \"chatml\"", "template = \"chatml\"\ndate = \"today\"", "no date such as 2026-01-31"),
        ("objective = \"sft\"", "objective = \"cpt\"", "a source has conversations: they need `sft`"),
        ("chat = { messages = \"messages\" }", "chat = { message = \"messages\" }", "unknown key `message`"),
        ("chat = { messages = \"messages\" }", "chat = { messages = \"messages\", output = \"o\" }", "either `messages`, or"),
        (
            "chat = { messages = \"messages\" }",
            "text-field = \"body\"\nchat = { messages = \"messages\" }",
            "`text-field` has no meaning beside `chat`",
        ),
        (
            "bucket = \"instruct\"\nfiles = \"data/alpaca.jsonl\"\nformat = \"jsonl\"\nchat = { instruction = \"instruction\", input = \"input\", output = \"output\" }",
            "bucket = \"chat\"\nfiles = \"data/alpaca.jsonl\"\nformat = \"jsonl\"\ntext-field = \"output\"",
            "give it another bucket",
        ),
        ("epochs = 2", "epochs = 2\ntokens = 100", "`epochs` is given beside `tokens`"),
        (
            "[mixture]\nchat = 0.5",
            "[[imports]]\nname = \"tokens\"\nbucket = \"chat\"\nfiles = [\"tokens.bin\"]\n\n[mixture]\nchat = 0.5",
            "import `tokens` fills bucket `chat`, which has conversations",
        ),
        ("sequence-length = 160", "sequence-length = 8", "has more than `train.sequence-length` = 8 tokens"),
    ] {
        let error = refused(from, to);
        assert!(error.contains(expected), "{to:?} gave\n{error}");
    }
}
