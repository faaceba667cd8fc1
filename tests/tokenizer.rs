//! `malmoi tokenizer`: train, extend and report, as a user meets them.

use serde_json::Value;

use crate::corpus::{Corpus, RECIPE, english, korean};
use crate::malmoi::{call, done};

/// Two files of text: 60 documents of each language, and one record that is none.
fn texts() -> Corpus {
    let corpus = Corpus::new();
    let lines = |text: &dyn Fn(u64) -> String| (0..60).map(|n| format!("{}\n", serde_json::json!({ "text": text(n) }))).collect::<String>();
    std::fs::write(corpus.path().join("k.jsonl"), lines(&korean) + "{\"text\": 3}\n").unwrap();
    std::fs::write(corpus.path().join("e.jsonl"), lines(&english)).unwrap();
    corpus
}

fn objects(stdout: &str, reason: &str) -> Vec<Value> {
    let all = stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|object| object["reason"] == reason).collect()
}

#[test]
fn trains_extends_and_compares() {
    let corpus = texts();
    let folder = corpus.path();
    let trained = done(folder, &["tokenizer", "train", "e.jsonl", "-o", "made/base.json", "--vocab-size", "400"]);
    assert_eq!(trained.stdout, "made/base.json: 400 tokens, ends documents with <|endoftext|>\n");

    let arguments =
        ["tokenizer", "extend", "made/base.json", "ko=k.jsonl", "-o", "more.json", "--tokens", "100", "--rows", "410", "--held-out", "0.2"];
    let extended = done(folder, &arguments);
    assert!(extended.stdout.contains("more.json: 100 new tokens, ids 400 to 499"), "{}", extended.stdout);
    assert!(extended.stdout.contains("embedding: 512 rows, from 410; 10 new ids are in rows that were padding"), "{}", extended.stdout);
    assert!(extended.stderr.contains("1 records could not be read"), "{}", extended.stderr);
    let json = done(folder, &[&arguments[..], &["--json"]].concat()).stdout;
    assert_eq!(objects(&json, "extended")[0]["rows"], 512);
    let rates: Vec<f64> = objects(&json, "bucket").iter().map(|row| row["characters-per-token"].as_f64().unwrap()).collect();
    assert!(rates.len() == 2 && rates[1] > 1.5 * rates[0], "{rates:?}");
    let held: Vec<u64> = objects(&json, "bucket").iter().map(|row| row["documents"].as_u64().unwrap()).collect();
    assert!(held[0] == held[1] && (3..25).contains(&held[0]), "{held:?}");

    let report = ["tokenizer", "report", "ko=k.jsonl", "en=e.jsonl", "-t", "made/base.json", "-t", "long=more.json"];
    let table = done(folder, &report).stdout;
    assert!(table.starts_with("bucket     tokenizer"), "{table}");
    assert_eq!(table.lines().filter(|line| line.starts_with("ko ") || line.starts_with("en ")).count(), 4, "{table}");
    let json = done(folder, &[&report[..], &["--json"]].concat()).stdout;
    let rows = objects(&json, "bucket");
    let of = |bucket: &str, tokenizer: &str| rows.iter().find(|row| row["bucket"] == bucket && row["tokenizer"] == tokenizer).unwrap();
    let characters: usize = (0..60).map(|n| korean(n).chars().count()).sum();
    let words: usize = (0..60).map(|n| korean(n).split_whitespace().count()).sum();
    assert_eq!(
        (of("ko", "base")["characters"].as_u64(), of("ko", "base")["words"].as_u64()),
        (Some(characters as u64), Some(words as u64))
    );
    assert_eq!(of("en", "base")["tokens"], of("en", "long")["tokens"]);
    // A tokenizer that saw no Hangul spells it in bytes.
    let spelled: usize = (0..60).map(|n| korean(n).bytes().filter(|byte| !byte.is_ascii()).count()).sum();
    let (share, tokens) = (of("ko", "base")["partial-character-share"].as_f64().unwrap(), of("ko", "base")["tokens"].as_u64().unwrap());
    assert_eq!((share * tokens as f64).round() as usize, spelled);
    assert!(of("ko", "long")["partial-character-share"].as_f64().unwrap() < share);
    let vocabularies = objects(&json, "tokenizer");
    assert_eq!(vocabularies[0]["hangul-tokens"], 0);
    assert!(vocabularies[1]["hangul-syllables"].as_u64() > Some(5));
}

#[test]
fn trains_on_what_a_run_kept_and_takes_every_option() {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    let arguments = [
        "tokenizer",
        "train",
        "out/run",
        "-o",
        "t.json",
        "--set",
        "tokenizer.train.vocab-size=300",
        "--set",
        "tokenizer.train.pattern=llama3",
    ];
    done(corpus.path(), &arguments);
    let file = std::fs::read_to_string(corpus.path().join("t.json")).unwrap();
    assert!(file.contains("{1,3}"));
    let json = done(corpus.path(), &["tokenizer", "report", "out/run", "-t", "t.json", "--json"]).stdout;
    let buckets: Vec<Value> = objects(&json, "bucket").iter().map(|row| row["bucket"].clone()).collect();
    assert_eq!(buckets, ["korean", "english", "code"]);
    let used: u64 = objects(&json, "bucket").iter().map(|row| row["documents"].as_u64().unwrap()).sum();
    let manifest: Value = serde_json::from_str(&std::fs::read_to_string(corpus.path().join("out/run/manifest.json")).unwrap()).unwrap();
    let kept: u64 = manifest["shards"].as_array().unwrap().iter().map(|shard| shard["documents"].as_u64().unwrap()).sum();
    assert_eq!(used, kept);
}

#[test]
fn buckets_get_their_shares() {
    let corpus = texts();
    let train = |korean: &str, english: &str| {
        let sets = [format!("tokenizer.train.shares.ko={korean}"), format!("tokenizer.train.shares.en={english}")];
        let files = ["tokenizer", "train", "ko=k.jsonl", "en=e.jsonl", "-o", "t.json", "--vocab-size", "457", "--json"];
        done(corpus.path(), &[&files[..], &["--set", &sets[0], "--set", &sets[1]]].concat());
        let json = done(corpus.path(), &["tokenizer", "report", "k.jsonl", "-t", "t.json", "--json"]).stdout;
        objects(&json, "bucket")[0]["characters-per-token"].as_f64().unwrap()
    };
    let (little, much) = (train("0.1", "0.9"), train("0.9", "0.1"));
    assert!(much > 1.5 * little, "{little} {much}");
}

#[test]
fn mistakes_are_named() {
    let corpus = texts();
    fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["tokenizer", "train", "e.jsonl", "-o", "t.json"], more].concat()
    }
    let cases: [(&[&str], &str); 11] = [
        (&train(&["--vocab-size", "20"]), "vocab-size"),
        (&train(&["--set", "tokenizer.train.vocab=3"]), "unknown field `vocab`"),
        (&train(&["--set", "tokenizer.bytes=true"]), "exactly one"),
        (&train(&["--set", "tokenizer.train.shares.ko=1.0"]), "bucket `e` has no share"),
        (&["tokenizer", "train", "none.jsonl", "-o", "t.json"], "none.jsonl"),
        (&["tokenizer", "train", "e.jsonl", "-o", "t"], "t: the name says no format"),
        (&["tokenizer", "train", "e.jsonl", "-o", "t.tiktoken"], "name it .json"),
        (&["tokenizer", "train", "e.jsonl", "-o", "t.model", "--set", "tokenizer.sentencepiece.preset=none"], "unknown variant `none`"),
        (&["tokenizer", "extend", "e.jsonl", "k.jsonl", "-o", "t.json"], "tokenizer"),
        (&["tokenizer", "extend", "e.jsonl", "k.jsonl", "-o", "t.json", "--held-out", "2"], "0.5"),
        (&["tokenizer", "report", "k.jsonl", "-t", "a=none.json"], "none.json"),
    ];
    for (arguments, expected) in cases {
        let outcome = call(corpus.path(), arguments);
        assert!(
            outcome.code == 2 && outcome.stderr.starts_with("error: ") && outcome.stderr.contains(expected),
            "{arguments:?}: {}",
            outcome.stderr
        );
        assert_eq!(outcome.stdout, "");
        assert!(["t.json", "t", "t.model", "t.tiktoken"].iter().all(|name| !corpus.path().join(name).exists()));
    }
}

/// Of a file that cannot be read the reason is told, and of a comparison on nothing that there is none.
#[test]
fn nothing_to_read_is_told() {
    let corpus = texts();
    std::fs::write(corpus.path().join("bad.jsonl"), "{\"text\": 3}\n").unwrap();
    let refused = call(corpus.path(), &["tokenizer", "train", "bad.jsonl", "-o", "t.json"]);
    assert!(
        refused.code == 2 && refused.stderr.contains("1 records could not be read and are left out; the first: "),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("there is no text to train on"), "{}", refused.stderr);
    std::fs::write(corpus.path().join("one.jsonl"), format!("{}\n", serde_json::json!({ "text": korean(1) }))).unwrap();
    done(corpus.path(), &["tokenizer", "train", "e.jsonl", "-o", "base.json", "--vocab-size", "300"]);
    let extend = ["tokenizer", "extend", "base.json", "one.jsonl", "-o", "more.json", "--tokens", "5", "--held-out", "0.000001"];
    let extended = done(corpus.path(), &extend);
    assert!(
        extended.stderr.contains("no text was held out, so nothing is measured") && !extended.stdout.contains("chars/token"),
        "{}",
        extended.stderr
    );
}

/// What no token stands for is counted wherever the tokenizer is used, and warned of.
#[test]
fn lost_text_is_told() {
    let corpus = texts();
    let folder = corpus.path();
    let train = |more: &[&str]| done(folder, &[&["tokenizer", "train", "e.jsonl", "-o", "e.model", "--vocab-size", "320"], more].concat());
    train(&[]);
    let report = ["tokenizer", "report", "k.jsonl", "e.jsonl", "-t", "e.model", "--json"];
    let rows = objects(&done(folder, &report).stdout, "bucket");
    assert!(rows.iter().all(|row| row["lost-bytes"] == 0 && row["unknown-tokens"] == 0), "{rows:?}");
    // The guide's settings: of Korean nothing is left but digits and full stops.
    train(&["--set", "tokenizer.sentencepiece.preset=seed"]);
    let rows = objects(&done(folder, &report).stdout, "bucket");
    let hangul: usize =
        (0..60).map(|n| korean(n).chars().filter(|c| !c.is_whitespace() && !c.is_ascii()).map(char::len_utf8).sum::<usize>()).sum();
    assert_eq!((rows[0]["lost-bytes"].as_u64(), rows[1]["lost-bytes"].as_u64()), (Some(hangul as u64), Some(0)));
    assert!(rows[0]["unknown-tokens"].as_u64() > Some(1000) && rows[0]["lost-share"].as_f64() > Some(0.5), "{rows:?}");
    let drawn = done(folder, &[&report[..6], &["--chart", "made/chart.svg"]].concat());
    assert!(drawn.stdout.contains("lost %") && drawn.stderr.contains("made/chart.svg"), "{}", drawn.stdout);
    let chart = std::fs::read_to_string(folder.join("made/chart.svg")).unwrap();
    assert!(
        chart.starts_with("<svg ") && chart.matches("class=\"bar").count() == 2 && chart.matches("% of the text lost").count() == 1,
        "{chart}"
    );

    let load = format!("tokenizer={{load=\"{}\"}}", folder.join("e.model").display());
    let build = ["build", "recipe.toml", "--set", &load];
    for _ in 0..2 {
        let built = done(folder, &build).stderr;
        assert!(
            built.contains("warning: bucket `korean`: the tokenizer cannot write ") && !built.contains("bucket `english`: the tok"),
            "{built}"
        );
    }
    let audit = done(folder, &["audit", "out/run", "--deep"]).stdout;
    assert!(audit.contains("lost         the tokenizer cannot write") && audit.contains(" 0 faults"), "{audit}");
    let page = std::fs::read_to_string(corpus.out("run").join("report.html")).unwrap();
    assert!(page.contains("the tokenizer cannot write"), "the report does not say what was lost");
    // The audit holds the count against the texts.
    let file = corpus.out("run").join("shards/korean/ko-00000.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("\"unknown-tokens\": ", "\"unknown-tokens\": 1", 1)).unwrap();
    let audit = call(folder, &["audit", "out/run", "--deep"]);
    assert!(audit.code == 1 && audit.stdout.contains("text that the tokenizer cannot write"), "{}", audit.stdout);
}

#[test]
fn converts_what_keeps_its_ids_and_refuses_the_rest() {
    let corpus = texts();
    let folder = corpus.path();
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("shards/testdata/vocabularies");
    let fixture = |name: &str| data.join(name).to_str().unwrap().to_owned();
    let (ranks, tekken, gguf) = (fixture("small.tiktoken"), fixture("tekken.json"), fixture("llama.gguf"));
    let special = ["--pattern", "llama3", "--special", "<|endoftext|>=425"];
    let converted = done(folder, &[&["tokenizer", "convert", &ranks, "new/a.json"], &special[..]].concat());
    assert_eq!(converted.stdout, "new/a.json: 426 ids, ends documents with <|endoftext|>, encoded by malmoi\n");
    let back = done(folder, &["tokenizer", "convert", "new/a.json", "back.tiktoken"]);
    assert!(back.stderr.contains("what it cannot hold: the splitting pattern"), "{}", back.stderr);
    assert_eq!(std::fs::read(folder.join("back.tiktoken")).unwrap(), std::fs::read(&ranks).unwrap());
    done(folder, &["tokenizer", "convert", &tekken, "tekken-hf.json"]);
    done(folder, &["tokenizer", "convert", &gguf, "llama.model"]);
    let report = done(folder, &["tokenizer", "report", "k.jsonl", "-t", "tekken-hf.json", "-t", &tekken, "-t", "llama.model", "--json"]);
    let rows = objects(&report.stdout, "bucket");
    assert!(rows.len() == 3 && rows[0]["tokens"] == rows[1]["tokens"], "{rows:?}");

    done(folder, &["tokenizer", "train", "e.jsonl", "-o", "own.json", "--vocab-size", "300"]);
    for (arguments, message) in [
        (vec!["own.json", "x.tiktoken"], "ranks would not give the same ids: id 0 is no token"),
        (vec!["llama.model", "x.json"], "is a SentencePiece model"),
        (vec!["llama.model", "x.tiktoken"], "not a byte-level BPE"),
        (vec!["own.json", "x.model"], "is a byte-level BPE"),
        (vec!["own.json", "x.txt"], "the name says no format"),
        (vec![&ranks, "x.json"], "--pattern"),
        (vec![&ranks, "x.json", "--pattern", "gpt9"], "--pattern gpt9"),
        (vec![&ranks, "x.json", "--pattern", "gpt2", "--special", "a"], "not TOKEN=ID"),
        (vec!["own.json", "x.json", "--pattern", "gpt2"], "has its own pattern"),
    ] {
        let outcome = call(folder, &[&["tokenizer", "convert"], &arguments[..]].concat());
        assert!(outcome.code == 2 && outcome.stderr.contains(message), "{arguments:?}: {}", outcome.stderr);
        assert!(!folder.join("x.json").exists() && !folder.join("x.tiktoken").exists());
    }
}

/// A GGUF file says which token ends a text, and the tokenizer.json made of it does not.
#[test]
fn a_run_remembers_the_end_token_of_a_gguf_file() {
    let corpus = Corpus::new();
    let mut gguf = std::fs::read("shards/testdata/vocabularies/gpt2.gguf").unwrap();
    let key = b"tokenizer.ggml.eos_token_id\x04\0\0\0";
    let at = gguf.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    // `<|im_end|>` stands after `<|endoftext|>`, which is the usual one.
    gguf[at] += 1;
    std::fs::write(corpus.path().join("other.gguf"), gguf).unwrap();
    let recipe = RECIPE.replace("train = { model = \"bpe\", vocab-size = 600 }", "load = \"other.gguf\"");
    corpus.recipe("recipe.toml", &recipe);
    done(corpus.path(), &["run", "recipe.toml"]);
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(corpus.out("run").join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["tokenizer"]["eos-token"], "<|im_end|>");
    let audit = done(corpus.path(), &["audit", "out/run", "--deep"]);
    assert!(audit.stdout.contains(" 0 faults"), "{}", audit.stdout);
    done(corpus.path(), &["generate", "out/run", "a", "--tokens", "2"]);
}
