//! What a user meets when something is wrong: one clear error, or a counted quarantine.

use std::io::Write;

use crate::corpus::{Corpus, RECIPE, jsonl, korean};
use crate::malmoi::{Outcome, all_lines, call, done, files};

fn with(from: &str, to: &str) -> Outcome {
    assert!(RECIPE.contains(from), "the recipe has no {from:?}");
    let corpus = Corpus::new();
    corpus.recipe("wrong.toml", &RECIPE.replacen(from, to, 1));
    let outcome = call(corpus.path(), &["run", "wrong.toml"]);
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
    assert!(!corpus.path().join("out").exists(), "a refused recipe must not leave a folder: {to}");
    outcome
}

#[test]
fn an_unknown_key_is_shown_with_a_caret_and_the_valid_keys() {
    let error = with("min-confidence = 0.5", "min-confidense = 0.5").stderr;
    let line = RECIPE.lines().position(|line| line.contains("min-confidence")).unwrap() + 1;
    let column = RECIPE.lines().nth(line - 1).unwrap().find("min-confidence").unwrap() + 1;
    assert!(
        error.starts_with(&format!("error: wrong.toml:{line}:{column}: unknown key `min-confidense` in filter `language`\n")),
        "{error}"
    );
    assert!(error.contains("^^^^^^^^^^^^^^\n") && error.contains("expected one of") && error.contains("`min-confidence`"), "{error}");
    assert!(error.ends_with("hint: `malmoi explain language` lists the options\n"), "{error}");
}

#[test]
fn every_other_mistake_in_a_recipe_names_its_line() {
    for (from, to, expected) in [
        ("seed = 3", "sed = 3", "unknown key `sed`"),
        ("seed = 3", "seed = \"three\"", "invalid type"),
        ("seed = 3", "seed = ", "wrong.toml:2:"),
        ("length = { min-chars", "lenght = { min-chars", "unknown name `lenght`"),
        ("korean = 0.42", "korean = 0.52", "1.1"),
        ("code = 0.07", "cobol = 0.07", "bucket `cobol`, which no source fills"),
        ("name = \"en\"", "name = \"ko\"", "two sources are named `ko`"),
        ("held-out = 0.05", "held-out = 5", "from 0 to 0.5"),
        ("except-buckets = [\"code\"]", "except-buckets = [\"cod\"]", "cod"),
        ("vocab-size = 600", "vocab-size = 3", "vocab-size"),
        ("vocab-size = 600", "vocab-size = 600, shares = { cobol = 1 }", "bucket `cobol`, which no source fills"),
        ("hidden = 32", "hidden = 33", "hidden"),
        ("objective = \"cpt\"", "objective = \"ppo\"", "ppo"),
        ("files = \"data/ko.jsonl\"", "files = \"data/none.jsonl\"", "none.jsonl"),
        ("files = \"data/ko.jsonl\"", "files = \"${MALMOI_NOT_SET}/a\"", "MALMOI_NOT_SET"),
        ("preset = \"gopher\"", "preset = \"gofer\"", "gofer"),
    ] {
        let error = with(from, to).stderr;
        assert!(error.starts_with("error: ") && error.contains(expected), "{to:?} gave\n{error}");
        assert!(!error.contains("panicked"), "{error}");
    }
}

#[test]
fn overrides_are_checked_like_the_file() {
    let corpus = Corpus::new();
    for (set, expected) in [("train.tokenz=5", "tokenz"), ("novalue", "section.key=value"), ("train.tokens=\"many\"", "train.tokens")] {
        let outcome = call(corpus.path(), &["plan", "recipe.toml", "--set", set]);
        assert_eq!(outcome.code, 2);
        assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
    }
}

#[test]
fn a_missing_recipe_a_wrong_device_and_a_wrong_flag_could_not_run() {
    let corpus = Corpus::new();
    assert_eq!(call(corpus.path(), &["run", "nowhere.toml"]).code, 2);
    let device = call(corpus.path(), &["run", "recipe.toml", "--device", "tpu"]);
    assert_eq!(device.code, 2);
    assert!(device.stderr.contains("tpu"), "{}", device.stderr);
    assert_eq!(call(corpus.path(), &["run", "recipe.toml", "--fast"]).code, 2);
    assert_eq!(call(corpus.path(), &["audit", "data"]).code, 2);
}

#[test]
fn a_mixture_that_cannot_be_met_is_refused_with_what_is_missing() {
    let corpus = Corpus::new();
    let outcome = call(corpus.path(), &["run", "recipe.toml", "--set", "train.tokens=100000000"]);
    assert_eq!(outcome.code, 2);
    assert!(
        outcome.stderr.contains("korean") && outcome.stderr.contains("epochs") && outcome.stderr.contains("hint:"),
        "{}",
        outcome.stderr
    );
    let reduced = done(corpus.path(), &["build", "recipe.toml", "--set", "train.tokens=100000000", "--set", "mixture.on-shortage=reduce"]);
    assert!(reduced.stderr.contains("repeats"), "{}", reduced.stderr);
}

#[test]
fn bad_input_is_quarantined_and_counted_until_it_is_too_much() {
    let corpus = Corpus::new();
    let mut bad = jsonl("good", &korean(900)).into_bytes();
    bad.extend_from_slice(b"{\"id\": \"x\", \"text\": \"\xff\xfe\"}\n");
    bad.extend_from_slice(b"{\"id\": \"y\"}\n[1, 2]\n{\"id\": 3, \"text\": 4}\nnonsense\n");
    bad.extend_from_slice(jsonl("after", &korean(901)).as_bytes());
    std::fs::write(corpus.path().join("data/ko.jsonl"), bad).unwrap();
    let set = ["--set", "tokenizer={bytes=true}", "--set", "mixture.on-shortage=repeat"];
    let outcome = done(corpus.path(), &[["build", "recipe.toml"].as_slice(), &set].concat());
    assert!(outcome.stderr.contains("warning: 6 unreadable rows"), "{}", outcome.stderr);
    let rejects = all_lines(&corpus.out("run").join("rejects"));
    let unreadable: Vec<&str> =
        rejects.iter().filter(|line| line["reason"]["rule"] == "unreadable").filter_map(|line| line["why"].as_str()).collect();
    assert_eq!(unreadable.len(), 6);
    assert!(unreadable.iter().all(|message| message.contains("data/") && message.contains("byte")), "{unreadable:?}");
    let too_many = call(corpus.path(), &[["build", "recipe.toml", "--set", "max-bad-rows=5"].as_slice(), &set].concat());
    assert_eq!(too_many.code, 1);
    assert!(too_many.stderr.contains("more than `max-bad-rows` = 5"), "{}", too_many.stderr);
}

#[test]
fn a_truncated_archive_gives_its_good_records_and_one_quarantined_row() {
    let corpus = Corpus::new();
    let text: String = (0..200).map(|at| jsonl(&format!("k{at}"), &korean(at))).collect();
    let whole = zstd::encode_all(text.as_bytes(), 3).unwrap();
    std::fs::write(corpus.path().join("data/cut.jsonl.zst"), &whole[..whole.len() * 2 / 3]).unwrap();
    let outcome = done(corpus.path(), &["build", "recipe.toml", "--set", "sources.0.files=data/cut.jsonl.zst"]);
    assert!(outcome.stderr.contains("warning: 2 unreadable rows"), "one in en.jsonl, one here: {}", outcome.stderr);
    let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(corpus.out("run").join("stats/ko-00000.json")).unwrap()).unwrap();
    assert_eq!(stats["unreadable"], 1);
    assert!(stats["kept"]["documents"].as_u64().unwrap() > 50, "{stats}");
}

#[test]
fn one_line_of_a_gigabyte_is_quarantined_in_little_memory() {
    let corpus = Corpus::new();
    let path = corpus.path().join("data/long.jsonl");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    file.write_all(b"{\"id\": \"long\", \"text\": \"").unwrap();
    let block = vec![b'a'; 1 << 20];
    for _ in 0..1024 {
        file.write_all(&block).unwrap();
    }
    file.write_all(b"\"}\n").unwrap();
    for at in 0..30 {
        file.write_all(jsonl(&format!("k{at}"), &korean(at)).as_bytes()).unwrap();
    }
    drop(file);
    // 600 MB of address space beyond what the process starts with would not hold the line.
    let limited = std::process::Command::new("sh")
        .current_dir(corpus.path())
        .args(["-c", "ulimit -d 700000; exec \"$0\" stage clean recipe.toml --part 0 --jobs 1 --no-progress --set sources.0.files=data/long.jsonl --set part-bytes=4000000000", env!("CARGO_BIN_EXE_malmoi")])
        .output()
        .unwrap();
    assert!(limited.status.success(), "{}", String::from_utf8_lossy(&limited.stderr));
    let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(corpus.out("run").join("stats/ko-00000.json")).unwrap()).unwrap();
    assert_eq!((stats["unreadable"].as_u64(), stats["kept"]["documents"].as_u64()), (Some(1), Some(30)));
}

#[test]
fn one_wrong_byte_in_a_shard_stops_audit_and_training_with_file_and_offset() {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    let path = corpus.out("run").join("shards/english/en-00000.shard");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = 4096 + 1000;
    bytes[at] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    for command in [["audit", "out/run"], ["train", "recipe.toml"]] {
        let outcome = call(corpus.path(), &command);
        assert_eq!(outcome.code, 1, "{command:?}: {}", outcome.stderr);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(said.contains("en-00000.shard") && said.contains("byte 4096"), "{said}");
    }
    // Removing the file is the way out: only that part is encoded again.
    std::fs::remove_file(&path).unwrap();
    let again = done(corpus.path(), &["build", "recipe.toml"]);
    assert!(again.stderr.contains("tokenize: 1 done"), "{}", again.stderr);
    done(corpus.path(), &["audit", "out/run"]);
}

/// Every document is compared by the hash of its content, not one in many by its tokens.
#[test]
fn the_audit_compares_every_text_with_its_shard() {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    let path = corpus.out("run").join("documents/ko-00000.jsonl.zst");
    let before = std::fs::read(&path).unwrap();
    let text = String::from_utf8(zstd::decode_all(&before[..]).unwrap()).unwrap();
    for (number, line) in text.lines().enumerate().skip(1).step_by(40).take(3) {
        let changed = text.replace(line, &line.replacen("이야기", "이야귀", 1));
        assert_ne!(changed, text);
        std::fs::write(&path, zstd::encode_all(changed.as_bytes(), 3).unwrap()).unwrap();
        let audit = call(corpus.path(), &["audit", "out/run"]);
        assert!(audit.code == 1 && audit.stdout.contains("is not what its shard was made of"), "{number}: {}", audit.stdout);
    }
    std::fs::write(&path, before).unwrap();
    done(corpus.path(), &["audit", "out/run"]);
}

#[test]
fn a_folder_that_is_no_run_is_left_alone() {
    let corpus = Corpus::new();
    let before = std::fs::read(corpus.path().join("recipe.toml")).unwrap();
    let outcome = call(corpus.path(), &["run", "recipe.toml", "--set", "output=."]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("neither empty nor a run folder"), "{}", outcome.stderr);
    assert_eq!(std::fs::read(corpus.path().join("recipe.toml")).unwrap(), before);
}

#[test]
fn a_refused_training_leaves_the_run_as_it_was() {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    let before = files(&corpus.out("run"), &|name| name != "recipe.lock");
    let refused = call(corpus.path(), &["train", "recipe.toml", "--set", "part-bytes=9000"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("not current"), "{}", refused.stderr);
    assert!(files(&corpus.out("run"), &|name| name != "recipe.lock") == before, "the refused command changed the run");
    done(corpus.path(), &["audit", "out/run"]);
}

#[test]
fn an_unknown_metric_to_prefer_is_refused() {
    let error = with("exact = true", "exact = true\nprefer = \"mean-word-lenght\"").stderr;
    assert!(error.contains("mean-word-lenght") && error.contains("hint: the filters measure:"), "{error}");
}

/// Whatever is changed behind the program's back, the audit says so.
#[test]
fn the_audit_misses_no_change_of_a_file() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml"]);
    let run = corpus.out("run");
    done(corpus.path(), &["audit", "out/run"]);
    let cut_lines = |bytes: &[u8]| {
        bytes[..bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| bytes[..at].iter().rposition(|byte| *byte == b'\n').unwrap() + 1)]
            .to_vec()
    };
    let recoded = |bytes: &[u8], from: &str, to: &str| {
        let text = String::from_utf8(zstd::decode_all(bytes).unwrap()).unwrap();
        assert!(text.contains(from), "{from} is not there");
        zstd::encode_all(text.replacen(from, to, 1).as_bytes(), 3).unwrap()
    };
    let replaced = |bytes: &[u8], from: &str, to: &str| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.contains(from), "{from} is not there");
        text.replacen(from, to, 1).into_bytes()
    };
    type Change<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
    let last = std::fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).max();
    let weights = format!("checkpoints/{}/model.safetensors", last.unwrap());
    let changes: [(&str, Change<'_>); 8] = [
        ("metrics.jsonl", &cut_lines),
        ("mixture.json", &|bytes| replaced(bytes, "\"windows\": ", "\"windows\": 1")),
        ("manifest.json", &|bytes| replaced(bytes, "\"checksum\": \"", "\"checksum\": \"0")),
        ("documents/ko-00000.jsonl.zst", &|bytes| recoded(bytes, "이야기", "이야귀")),
        ("rejects/ko-00000.jsonl.zst", &|bytes| recoded(bytes, "\"row\":122", "\"row\":3")),
        ("duplicates/ko-00000.jsonl.zst", &|bytes| recoded(bytes, "\"of-row\":5,", "\"of-row\":120,")),
        ("stats/en-00000.json", &|bytes| replaced(bytes, "\"unreadable\": 1", "\"unreadable\": 0")),
        (&weights, &|bytes| [&bytes[..bytes.len() - 1], &[bytes[bytes.len() - 1] ^ 1]].concat()),
    ];
    for (name, change) in changes {
        let path = run.join(name);
        let before = std::fs::read(&path).unwrap();
        std::fs::write(&path, change(&before)).unwrap();
        let outcome = call(corpus.path(), &["audit", "out/run"]);
        assert_eq!(outcome.code, 1, "{name} was changed and the audit found nothing:\n{}", outcome.stdout);
        std::fs::write(&path, before).unwrap();
    }
    done(corpus.path(), &["audit", "out/run"]);
}
