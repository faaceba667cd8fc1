//! Feedback and synthetic data, from files to what the data stage reads.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::malmoi::{all_lines, call, done, files};

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const RECIPE: &str = r#"output = "out/run"
held-out = 0
[[sources]]
name = "feedback"
bucket = "chat"
files = "FILE"
format = "jsonl"
chat = { messages = "messages" }
KEEP
[tokenizer]
bytes = true
[chat]
template = "chatml"
"#;

#[test]
fn feedback_becomes_data_that_the_data_stage_reads() {
    let folder = TempDir::new().unwrap();
    let history = json!([{ "role": "user", "content": "안녕?" }, { "role": "assistant", "content": "안녕하세요." }]);
    let records = [
        json!({ "prompt": "수도는?", "response": "부산", "rating": 1, "correction": "서울" }),
        json!({ "prompt": "수도는?", "response": "서울", "rating": "up" }),
        json!({ "prompt": "수도는?", "response": "대구", "rating": false }),
        json!({ "prompt": "바다는?", "response": "짜다", "rating": 5, "history": history, "system": "짧게", "user": "누구" }),
        json!({ "prompt": "바다는?", "response": "달다", "rating": 2, "history": history, "system": "짧게" }),
        json!({ "prompt": "바다는?", "response": "달다", "rating": 2, "history": history, "system": "짧게" }),
        json!({ "prompt": "바다는?", "response": "쓰다", "rating": 2 }),
        json!({ "prompt": "그저 그런", "response": "말", "rating": 3 }),
    ];
    fs::write(folder.path().join("good.jsonl"), records.map(|record| format!("{record}\n")).concat()).unwrap();
    let first = done(folder.path(), &["feedback", "good.jsonl", "--out", "made"]);
    let made = folder.path().join("made");
    let counts = json!({ "records": 8, "unreadable": 0, "without-opinion": 1, "repeated": 2, "contradicted": 0, "bad-without-better": 1,
                         "after-unrated": 1, "prompts": 3, "sft": 1, "preference": 3 });
    assert_eq!(serde_json::from_slice::<Value>(&fs::read(made.join("summary.json")).unwrap()).unwrap(), counts, "{}", first.stderr);
    let pairs: Vec<[Value; 3]> =
        lines(&made.join("preference.jsonl")).iter().map(|pair| ["prompt", "chosen", "rejected"].map(|key| pair[key].clone())).collect();
    let turns = json!([{ "role": "system", "content": "짧게" }, history[0], history[1], { "role": "user", "content": "바다는?" }]);
    let expected = [
        [json!("수도는?"), json!("서울"), json!("부산")],
        [json!("수도는?"), json!("서울"), json!("대구")],
        [turns, json!("짜다"), json!("달다")],
    ];
    assert_eq!(pairs, expected);
    // The answer of the history, which nobody rated, is in no example.
    assert!(!fs::read_to_string(made.join("sft.jsonl")).unwrap().contains("안녕하세요."));
    // The same files give the same bytes.
    let before = files(&made, &|_| true);
    done(folder.path(), &["feedback", "good.jsonl", "--out", "made"]);
    assert_eq!(files(&made, &|_| true), before);
    // Examples are conversations of the data stage.
    fs::write(folder.path().join("recipe.toml"), RECIPE.replace("FILE", "made/sft.jsonl").replace("KEEP", "")).unwrap();
    done(folder.path(), &["build", "recipe.toml"]);
    let kept = all_lines(&folder.path().join("out/run/documents"));
    assert_eq!(kept.len(), 1);
    assert!(kept.iter().any(|document| document["text"].as_str().unwrap().contains("서울")), "{kept:?}");

    // What cannot be read is counted and named, and the rest is made.
    fs::write(folder.path().join("bad.jsonl"), "{\"prompt\": \"p\"}\n{\"prompt\": \"p\", \"response\": \"r\", \"rating\": 9}\nnothing\n{\"prompt\": \"p\", \"response\": \"r\", \"rating\": 5}\n").unwrap();
    let bad = call(folder.path(), &["feedback", "bad.jsonl", "--out", "other"]);
    assert!(bad.code == 1 && bad.stderr.contains("3 of 4 records could not be read"), "{}", bad.stderr);
    assert!(bad.stderr.contains("record 1: it has no `response`") && bad.stderr.contains("none of 1 to 5"), "{}", bad.stderr);
    assert_eq!(lines(&folder.path().join("other/sft.jsonl")).len(), 1);
    let limits = call(folder.path(), &["feedback", "good.jsonl", "--out", "x", "--good", "2", "--bad", "3"]);
    assert!(limits.code == 2 && limits.stderr.contains("no limits of ratings"), "{}", limits.stderr);
    assert_eq!(call(folder.path(), &["feedback", "nowhere.jsonl", "--out", "x"]).code, 2);
}

#[test]
fn synthetic_data_is_the_same_after_a_kill_and_says_where_it_comes_from() {
    let folder = TempDir::new().unwrap();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/eval/model");
    let seeds: String = (0..6).map(|at| format!("{}\n", json!({ "id": format!("s{at}"), "text": format!("글 {at}") }))).collect();
    fs::write(folder.path().join("seeds.jsonl"), seeds).unwrap();
    let config = |name: &str, output: &str, more: &str| {
        let text = format!(
            "model = {:?}\noutput = {output:?}\nseed = 7\nbatch = 4\nchat = false\n[seeds]\nfile = \"seeds.jsonl\"\n{more}\n[sampling]\ntokens = 6\n\
             [[templates]]\nkind = \"qa-pairs\"\ncount = 2\nprompt = \"{{text}}\\n질문: 사과?\\n답: \"\n[[templates]]\nkind = \"conversations\"\n",
            model.display()
        );
        fs::write(folder.path().join(name), text).unwrap();
    };
    config("one.toml", "one", "");
    config("two.toml", "two", "");
    // A model without training gives no conversations; everything that it wrote is kept.
    let none = call(folder.path(), &["synthesize", "one.toml"]);
    assert!(none.code == 1 && none.stderr.contains("no text had the form"), "{}", none.stderr);
    let rejects = lines(&folder.path().join("one/rejects.jsonl"));
    assert_eq!(rejects.len(), 18);
    let provenance = &rejects[1]["provenance"];
    assert_eq!((&provenance["document"], &provenance["template"], &provenance["sample"]), (&json!("s0"), &json!("qa-pairs"), &json!(1)));
    assert!(provenance["model-blake3"].as_str().unwrap().len() == 64 && provenance["sampling"]["tokens"] == 6, "{provenance}");
    assert_ne!(rejects[0]["text"], rejects[1]["text"], "two samples of one document are two draws");

    // Killed in the middle of a line, and gone on with.
    let whole = fs::read(folder.path().join("one/generations.jsonl")).unwrap();
    let out = folder.path().join("two");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("generations.jsonl"), &whole[..whole.len() / 2]).unwrap();
    let again = call(folder.path(), &["synthesize", "two.toml", "--jobs", "1"]);
    assert!(!again.stderr.contains(", 0 of them made before"), "{}", again.stderr);
    assert_eq!(files(&out, &|_| true), files(&folder.path().join("one"), &|_| true));
    // Another configuration does not go on with it.
    config("two.toml", "two", "max-chars = 2");
    let other = call(folder.path(), &["synthesize", "two.toml"]);
    assert!(other.code == 2 && other.stderr.contains("another configuration"), "{}", other.stderr);

    // What a model that can do it would write: rows are read from what was generated, by the data stage too.
    let mut journal: Vec<Value> = lines(&folder.path().join("one/generations.jsonl"));
    journal[1]["text"] = json!("질문: 해는 어디서 뜨나요?\n답: 동쪽에서 뜹니다.\n질문: 달은?\n답: 밤에 뜹니다.\n질문: 남");
    journal[1]["finish"] = json!("length");
    journal[3]["text"] = json!("사용자: 안녕?\n도우미: 네, 안녕하세요.");
    journal[3]["finish"] = json!("end");
    let text: String = journal.iter().map(|line| format!("{line}\n")).collect();
    fs::write(folder.path().join("one/generations.jsonl"), text).unwrap();
    done(folder.path(), &["synthesize", "one.toml"]);
    let rows = lines(&folder.path().join("one/rows.jsonl"));
    let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["s0#qa-pairs-0-0.0", "s0#qa-pairs-0-0.1", "s0#conversations-1-0.0"]);
    assert_eq!(rows[1]["messages"], json!([{ "role": "user", "content": "달은?" }, { "role": "assistant", "content": "밤에 뜹니다." }]));
    fs::write(folder.path().join("recipe.toml"), RECIPE.replace("FILE", "one/rows.jsonl").replace("KEEP", "keep-meta = [\"provenance\"]"))
        .unwrap();
    done(folder.path(), &["build", "recipe.toml"]);
    let kept = all_lines(&folder.path().join("out/run/documents"));
    assert_eq!((kept.len(), &kept[0]["meta"]["provenance"]["document"]), (3, &json!("s0")), "{}", kept[0]);

    let refused = |text: &str| {
        fs::write(folder.path().join("bad.toml"), text).unwrap();
        let outcome = call(folder.path(), &["synthesize", "bad.toml"]);
        assert_eq!(outcome.code, 2, "{}", outcome.stderr);
        outcome.stderr
    };
    let base = "model = \"m\"\noutput = \"o\"\n[seeds]\nfile = \"seeds.jsonl\"\n";
    assert!(refused(&format!("{base}[[templates]]\nkind = \"poems\"\n")).contains("poems"));
    assert!(refused(&format!("{base}[[templates]]\nkind = \"qa-pairs\"\nprompt = \"x\"\n")).contains("{text}"));
    assert!(refused(&format!("{base}run = \"r\"\n[[templates]]\nkind = \"qa-pairs\"\n")).contains("one of `run` and `file`"));
    for (option, value) in [("temperature", "-1.0"), ("top-p", "0.0"), ("min-p", "2.0"), ("repetition-penalty", "0.0")] {
        let told = refused(&format!("{base}[sampling]\n{option} = {value}\n[[templates]]\nkind = \"qa-pairs\"\n"));
        assert!(told.contains(&format!("`sampling.{option}` is")), "{told}");
    }
    assert!(refused(&format!("unknown = 1\n{base}[[templates]]\nkind = \"qa-pairs\"\n")).contains("unknown"));
    // A text that is too long for the model is no text, and not the end.
    let config = format!(
        "model = {:?}\noutput = \"../long\"\nCHAT\n[seeds]\nfile = \"../long.jsonl\"\n[sampling]\ntokens = 4\n[[templates]]\nkind = \"qa-pairs\"\nprompt = \"{{text}}\"\n",
        model.display()
    );
    let long: String = [600, 1].map(|length| format!("{}\n", json!({ "text": "글".repeat(length) }))).concat();
    fs::write(folder.path().join("long.jsonl"), long).unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    let synthesize = |chat: &str| {
        fs::write(folder.path().join("sub/long.toml"), config.replace("CHAT", chat)).unwrap();
        call(folder.path(), &["synthesize", "sub/long.toml"])
    };
    assert_eq!(synthesize("chat = false").code, 1);
    let rejects = lines(&folder.path().join("long/rejects.jsonl"));
    let told = (&rejects[0]["why"], &rejects[0]["text"], rejects[1]["text"].is_string());
    assert_eq!(told, (&json!("the prompt is too long for the model"), &Value::Null, true));
    // All paths are relative to the file.
    let missing = synthesize("chat-template = \"own.jinja\"");
    assert!(missing.code == 2 && missing.stderr.contains("sub/own.jinja"), "{}", missing.stderr);
    // The recipe to start from is one.
    let recipe = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/synthesize.toml")).unwrap();
    assert!(refused(&recipe).contains("no run folder"));
}
