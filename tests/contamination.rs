//! Evaluation sets, classifiers and language models, from files to the report.

use serde_json::{Value, json};

use crate::corpus::{Corpus, english, jsonl, korean};
use crate::malmoi::{all_lines, call, done, outputs};

const RECIPE: &str = r#"output = "out/run"
held-out = 0
part-bytes = 9000
[[sources]]
name = "ko"
bucket = "korean"
files = "data/web.jsonl"
format = "jsonl"
[[filters]]
normalize = { form = "nfc" }
[[filters]]
decontaminate = { files = [{ path = "eval/*.jsonl", name = "quiz", fields = ["question", "choices"] }, "eval/text.csv"] }
[tokenizer]
bytes = true
"#;

const QUESTIONS: [&str; 3] = [
    "다음 중 강가의 갈대가 가을에 고개를 숙이는 까닭으로 가장 알맞은 것을 고르시오",
    "Which of the following instruments was first described by the sailor who wrote the harbour chronicle?",
    "바닷물이 짠 까닭은 무엇인가",
];

fn corpus() -> Corpus {
    let corpus = Corpus::new();
    let eval = corpus.path().join("eval");
    std::fs::create_dir_all(&eval).unwrap();
    let items: String = QUESTIONS
        .iter()
        .enumerate()
        .map(|(at, question)| format!("{}\n", json!({ "id": at, "question": question, "choices": ["가", "나"] })))
        .collect();
    std::fs::write(eval.join("items.jsonl"), items).unwrap();
    std::fs::write(eval.join("text.csv"), format!("text\n\"{}\"\n", "표에서 온 문항은 쉼표를 지니고 있어도, 글로 읽혀야만 한다")).unwrap();
    let mut web: String = (0..60).map(|at| jsonl(&format!("ko-{at}"), &korean(at))).collect();
    web.push_str(&jsonl("planted", &format!("{}\n기출 — {}?\n{}", korean(100), QUESTIONS[0].replace(' ', ""), korean(101))));
    web.push_str(&jsonl("planted-too", &format!("{} {}", QUESTIONS[0], QUESTIONS[1].to_uppercase())));
    web.push_str(&jsonl("from-csv", &format!("{} 표에서 온 문항은 쉼표를 지니고 있어도 글로 읽혀야만 한다.", korean(102))));
    web.push_str(&jsonl("near", "강가의 갈대는 가을에 고개를 숙인다. 바닷물은 짜다."));
    std::fs::write(corpus.path().join("data/web.jsonl"), web).unwrap();
    corpus.recipe("recipe.toml", RECIPE);
    corpus
}

fn stats(corpus: &Corpus, run: &str) -> Value {
    serde_json::from_slice(&std::fs::read(corpus.out(run).join("stats.json")).unwrap()).unwrap()
}

#[test]
fn items_are_found_dropped_and_reported() {
    let corpus = corpus();
    done(corpus.path(), &["build", "recipe.toml", "--jobs", "1"]);
    let mut dropped: Vec<String> =
        all_lines(&corpus.out("run").join("rejects")).iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect();
    dropped.sort();
    assert_eq!(dropped, ["from-csv", "planted", "planted-too"]);
    let sets = stats(&corpus, "run")["contamination"].clone();
    assert_eq!(
        sets,
        json!([
            { "set": "quiz", "items": 3, "searchable": 2, "documents": 2, "found": { "quiz:0": 2, "quiz:1": 1 } },
            { "set": "text", "items": 1, "searchable": 1, "documents": 1, "found": { "text:text.csv#0": 1 } },
        ])
    );
    let why = done(corpus.path(), &["explain", "--doc", "planted", "--run", "out/run"]).stdout;
    assert!(why.contains("dropped by decontaminate/overlap 1 > 0.5 (quiz:0 question: 다음중강가의"), "{why}");
    assert!(why.contains("holds 100.0% of quiz:0 question"), "{why}");
    assert!(std::fs::read_to_string(corpus.out("run").join("report.html")).unwrap().contains("quiz:0"));
    let sample = done(corpus.path(), &["sample", "out/run", "--reason", "decontaminate"]).stdout;
    assert!(sample.contains("3 of 3 documents"), "{sample}");
    assert!(done(corpus.path(), &["audit", "out/run", "--deep"]).stdout.contains(" 0 faults"));
    let whatif = done(corpus.path(), &["whatif", "out/run", "decontaminate.max-overlap=1"]).stdout;
    assert!(whatif.contains("+3"), "{whatif}");

    // Threads decide nothing; a changed item does.
    done(corpus.path(), &["build", "recipe.toml", "--jobs", "4", "--set", "output=out/four"]);
    assert!(outputs(&corpus.out("run")) == outputs(&corpus.out("four")));
    std::fs::write(corpus.path().join("eval/text.csv"), "text\n\"아무 데도 없는 문항이 이제는 이 자리에 놓여 있다\"\n").unwrap();
    let again = done(corpus.path(), &["build", "recipe.toml"]);
    assert!(!again.stderr.contains("clean: current"), "{}", again.stderr);
    assert_eq!(all_lines(&corpus.out("run").join("rejects")).len(), 2);
}

#[test]
fn items_are_cut_out_and_their_bytes_accounted_for() {
    let corpus = corpus();
    done(corpus.path(), &["build", "recipe.toml", "--set", "filters.1.decontaminate.action=\"remove-span\""]);
    let documents = all_lines(&corpus.out("run").join("documents"));
    let planted = documents.iter().find(|line| line["id"] == "planted").unwrap();
    let text = planted["text"].as_str().unwrap();
    assert!(!text.contains("강가의갈대가") && text.contains("기출 —") && text.len() > 1000, "{text}");
    assert_eq!(planted["findings"][0]["item"], "quiz:0");
    assert_eq!(planted["metrics"]["decontaminate-items"], 1.0);
    // Nothing of it is left.
    assert!(documents.iter().all(|line| line["id"] != "planted-too"));
    assert!(done(corpus.path(), &["audit", "out/run"]).stdout.contains(" 0 faults"));
}

#[test]
fn a_missing_set_is_named_before_any_work() {
    let corpus = corpus();
    let outcome = call(corpus.path(), &["build", "recipe.toml", "--set", "filters.1.decontaminate.files=[\"eval/none.jsonl\"]"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("eval/none.jsonl") && outcome.stderr.contains("decontaminate"), "{}", outcome.stderr);
}

#[test]
fn a_classifier_is_trained_and_used() {
    let corpus = Corpus::new();
    let write = |name: &str, text: fn(u64) -> String| {
        let lines: String = (0..200).map(|at| jsonl(&format!("{name}-{at}"), &text(at))).collect();
        std::fs::write(corpus.path().join(name), lines).unwrap();
    };
    write("good.jsonl", korean);
    write("bad.jsonl", english);
    let train = |out: &str, jobs: &str| {
        let arguments =
            ["filters", "train", "--positive", "good.jsonl", "--negative", "bad.jsonl", "--bits", "14", "--jobs", jobs, "--out", out];
        done(corpus.path(), &arguments).stdout
    };
    let told = train("one.bin", "1");
    assert!(told.contains("AUC 1.0000") && told.contains("0.5        1.0000     1.0000"), "{told}");
    assert_eq!(train("four.bin", "4").replace("four", "one"), told);
    let file = |name: &str| std::fs::read(corpus.path().join(name)).unwrap();
    assert!(file("one.bin") == file("four.bin"));
    corpus.recipe(
        "recipe.toml",
        "output = 'out/run'\n[[sources]]\nname = 'all'\nbucket = 'web'\nfiles = ['data/ko.jsonl', 'data/en.jsonl']\nformat = 'jsonl'\n\
         [[filters]]\nclassifier = { model = 'one.bin' }\n[tokenizer]\nbytes = true\n",
    );
    done(corpus.path(), &["build", "recipe.toml"]);
    let rejects = all_lines(&corpus.out("run").join("rejects"));
    let english =
        rejects.iter().filter(|line| line["reason"]["rule"] == "classifier/score" && line["id"].as_str().unwrap().starts_with("en-"));
    assert_eq!(english.count(), 122);
    assert!(
        all_lines(&corpus.out("run").join("documents")).iter().all(|line| line["metrics"]["classifier-score"].as_f64().unwrap() >= 0.5)
    );
    let outcome = call(corpus.path(), &["build", "recipe.toml", "--set", "filters.0.classifier.model=\"recipe.toml\""]);
    assert!(outcome.code == 2 && outcome.stderr.contains("no model"), "{}", outcome.stderr);
    let outcome = call(corpus.path(), &["filters", "train", "--positive", "good.jsonl", "--negative", "none.jsonl", "--out", "x.bin"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("none.jsonl"), "{}", outcome.stderr);
}

#[test]
fn a_language_model_is_trained_and_used() {
    let corpus = Corpus::new();
    let lines: String = (0..400).map(|at| jsonl(&format!("good-{at}"), &korean(at))).collect();
    std::fs::write(corpus.path().join("good.jsonl"), lines).unwrap();
    let train_in = |memory: &str, out: &str, jobs: &str, chars: &str| {
        let arguments = ["filters", "train-lm", "good.jsonl", "--order", "4", "--chars", chars, "--jobs", jobs, "--out", out];
        done(corpus.path(), &[&arguments[..], &["--memory", memory]].concat()).stdout
    };
    let train = |out: &str, jobs: &str, chars: &str| train_in("1GiB", out, jobs, chars);
    let told = train("one.lm", "1", "1000000");
    assert!(told.contains("runs of 1 to 4 characters: ") && told.contains("share of texts below  perplexity"), "{told}");
    assert_eq!(train("four.lm", "4", "1000000").replace("four", "one"), told);
    let file = |name: &str| std::fs::read(corpus.path().join(name)).unwrap();
    assert!(file("one.lm") == file("four.lm"));
    assert_eq!(train_in("64 kB", "little.lm", "1", "1000000").replace("little", "one"), told);
    assert!(file("one.lm") == file("little.lm"));
    let files = std::fs::read_dir(corpus.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!files.into_iter().any(|name| name.contains("keys-") || name.contains("counts-")));
    // Fewer characters: fewer texts, chosen by their hash.
    train("less.lm", "2", "5000");
    assert!(file("less.lm").len() < file("one.lm").len());
    corpus.recipe(
        "recipe.toml",
        "output = 'out/run'\n[[sources]]\nname = 'all'\nbucket = 'web'\nfiles = ['data/ko.jsonl', 'data/en.jsonl']\nformat = 'jsonl'\n\
         [[filters]]\nperplexity = { model = 'one.lm', max = 100 }\n[tokenizer]\nbytes = true\n",
    );
    done(corpus.path(), &["build", "recipe.toml"]);
    let rejects = all_lines(&corpus.out("run").join("rejects"));
    let of = |language: &str| {
        let named = |line: &&Value| line["reason"]["rule"] == "perplexity/perplexity" && line["id"].as_str().unwrap().starts_with(language);
        rejects.iter().filter(named).count()
    };
    // The Korean ones are a text of two syllables and one in Chinese.
    assert_eq!((of("en-"), of("ko-")), (122, 2));
    // Other limits are asked of the stored metric.
    let asked = done(corpus.path(), &["whatif", "out/run", "perplexity.max=1e9"]).stdout;
    assert!(asked.contains("124"), "{asked}");
    let outcome = call(corpus.path(), &["build", "recipe.toml", "--set", "filters.0.perplexity.model=\"recipe.toml\""]);
    assert!(outcome.code == 2 && outcome.stderr.contains("no model"), "{}", outcome.stderr);
    let outcome = call(corpus.path(), &["filters", "train-lm", "good.jsonl", "--order", "6", "--out", "x.lm"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("order of 6"), "{}", outcome.stderr);
    let outcome = call(corpus.path(), &["filters", "train-lm", "none.jsonl", "--out", "x.lm"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("none.jsonl"), "{}", outcome.stderr);
}
