//! A whole run, as the README tells it.

use serde_json::Value;

use crate::corpus::Corpus;
use crate::malmoi::{all_lines, call, curve, done};

#[test]
fn raw_text_to_a_trained_model_a_report_and_a_clean_audit() {
    let corpus = Corpus::new();
    let outcome = done(corpus.path(), &["run", "recipe.toml"]);
    let run = corpus.out("run");
    assert_eq!(outcome.stdout.trim(), run.join("report.html").to_str().unwrap());
    for file in ["recipe.toml", "recipe.lock", "plan.json", "mixture.json", "manifest.json", "stats.json", "metrics.jsonl", "report.html"] {
        assert!(run.join(file).exists(), "{file} is missing");
    }
    let loss: Vec<f64> = curve(&run).iter().filter(|line| line["reason"] == "step").map(|line| line["loss"].as_f64().unwrap()).collect();
    assert_eq!(loss.len(), 16);
    assert!(loss[15] < loss[0] - 0.3, "the model learned nothing: {loss:?}");
    let audit = done(corpus.path(), &["audit", "out/run", "--deep"]);
    assert!(audit.stdout.contains(" 0 faults"), "{}", audit.stdout);

    // A second run has nothing to do and says so.
    let again = done(corpus.path(), &["run", "recipe.toml"]);
    for stage in ["clean: current", "dedup: current", "tokenize: current", "train: current"] {
        assert!(again.stderr.contains(stage), "{stage} not in {}", again.stderr);
    }
}

#[test]
fn planted_documents_meet_their_fate_and_explain_says_why() {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    let run = corpus.out("run");
    let duplicates = all_lines(&run.join("duplicates"));
    let of = |id: &str| {
        duplicates
            .iter()
            .find(|line| line["id"] == id)
            .map(|line| (line["kind"].as_str().unwrap().to_owned(), line["of"].as_str().unwrap().to_owned()))
    };
    assert_eq!(of("ko-exact"), Some(("exact".into(), "ko-5".into())));
    assert_eq!(of("en-exact"), Some(("exact".into(), "en-3".into())));
    // The longer of two near duplicates stays.
    assert_eq!(of("ko-6").map(|(_, of)| of), Some("ko-near".into()));
    let rejects = all_lines(&run.join("rejects"));
    let rule = |id: &str| rejects.iter().find(|line| line["id"] == id).map(|line| line["reason"]["rule"].as_str().unwrap().to_owned());
    assert!(rule("ko-short").unwrap().starts_with("length"), "{rejects:?}");
    assert!(rule("ko-chinese").unwrap().starts_with("language"));
    assert!(rule("en-repeats").unwrap().starts_with("repetition"));
    assert_eq!(rejects.iter().filter(|line| line["reason"]["rule"] == "unreadable").count(), 1);

    let why = done(corpus.path(), &["explain", "--doc", "ko-exact", "--run", "out/run"]).stdout;
    assert!(why.contains("duplicate (exact, similarity 1.000) of ko-5 (part ko-00000, row 5), which stays\n"), "{why}");
    assert!(why.contains("  stays      ko-5 of 2 documents: "), "{why}");
    let why = done(corpus.path(), &["explain", "--doc", "ko-5", "--run", "out/run"]).stdout;
    assert!(why.contains("  stays      for 2 documents, itself included\n  duplicate  exact 1.000 ko-exact (part ko-00000, row "), "{why}");
    assert!(why.contains("  chars                              571\n"), "{why}");
    let why = done(corpus.path(), &["explain", "--doc", "ko-short", "--run", "out/run"]).stdout;
    assert!(why.contains("dropped by length"), "{why}");
    assert_eq!(call(corpus.path(), &["explain", "--doc", "nobody", "--run", "out/run"]).code, 2);
}

#[test]
fn explain_tells_of_every_document_with_the_id() {
    let corpus = Corpus::new();
    let path = corpus.path().join("data/ko.jsonl");
    let twice = std::fs::read_to_string(&path).unwrap() + &crate::corpus::jsonl("ko-1", &crate::corpus::korean(500));
    std::fs::write(&path, twice + &crate::corpus::jsonl("ko-1", "짧다") + &crate::corpus::jsonl("ko-1", "더 짧다")).unwrap();
    done(corpus.path(), &["build", "recipe.toml"]);
    let why = done(corpus.path(), &["explain", "--doc", "ko-1", "--run", "out/run"]).stdout;
    assert_eq!((why.matches("ko-1: kept").count(), why.matches("ko-1: dropped by length").count()), (2, 2), "{why}");
    assert!(["row 1\n", "row 124\n", "row 125\n", "row 126\n"].iter().all(|row| why.contains(row)), "{why}");
}

#[test]
fn a_changed_filter_redoes_what_depends_on_it_and_nothing_else() {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    let before = std::fs::metadata(corpus.out("run").join("documents/ko-00000.jsonl.zst")).unwrap().modified().unwrap();
    let plan = done(corpus.path(), &["plan", "recipe.toml", "--set", "filters.3.gopher-repetition.only-buckets=[\"code\"]"]).stdout;
    let state = |name: &str| plan.lines().find(|line| line.contains(name)).unwrap().to_owned();
    assert!(
        state("ko-00000").contains("current") && state("en-00000").contains("to do") && state("rust-00000").contains("to do"),
        "{plan}"
    );
    done(corpus.path(), &["build", "recipe.toml", "--set", "filters.3.gopher-repetition.only-buckets=[\"code\"]"]);
    assert_eq!(std::fs::metadata(corpus.out("run").join("documents/ko-00000.jsonl.zst")).unwrap().modified().unwrap(), before);
}

#[test]
fn stage_by_stage_gives_what_a_run_gives() {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    let whole = crate::malmoi::outputs(&corpus.out("run"));
    let set = ["--set", "output=out/stages"];
    for part in ["2", "0", "1"] {
        done(corpus.path(), &[["stage", "clean", "recipe.toml", "--part", part].as_slice(), &set].concat());
    }
    for stage in ["dedup", "tokenizer"] {
        done(corpus.path(), &[["stage", stage, "recipe.toml"].as_slice(), &set].concat());
    }
    for part in ["1", "2", "0"] {
        done(corpus.path(), &[["stage", "tokenize", "recipe.toml", "--part", part].as_slice(), &set].concat());
    }
    done(corpus.path(), &[["stage", "mix", "recipe.toml"].as_slice(), &set].concat());
    let staged = crate::malmoi::outputs(&corpus.out("stages"));
    assert_eq!(whole.keys().collect::<Vec<_>>(), staged.keys().collect::<Vec<_>>());
    for (name, bytes) in &whole {
        assert!(staged[name] == *bytes, "{name} differs");
    }
}

/// A stage does not take what another recipe left for its input, and changes nothing when it refuses.
#[test]
fn a_stage_refuses_inputs_that_are_not_of_its_recipe() {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    let run = corpus.out("run");
    let recipe = std::fs::read(run.join("recipe.toml")).unwrap();
    let other = ["recipe.toml", "--set", "filters.1.length.min-chars=560"];
    let refused = |stage: &str, why: &str, hint: &str| {
        let outcome = call(corpus.path(), &[["stage", stage].as_slice(), &other].concat());
        assert!(outcome.code == 2 && outcome.stderr.contains(why) && outcome.stderr.contains(hint), "{stage}: {}", outcome.stderr);
    };
    for stage in ["dedup", "tokenizer", "tokenize"] {
        refused(stage, "is not cleaned yet by this recipe", "malmoi stage clean");
    }
    refused("import", "there is no tokenizer of this recipe", "malmoi stage tokenizer");
    refused("mix", "dedup is not done yet by this recipe", "malmoi plan");
    assert_eq!(std::fs::read(run.join("recipe.toml")).unwrap(), recipe);
    done(corpus.path(), &[["stage", "clean"].as_slice(), &other].concat());
    for stage in ["tokenizer", "tokenize"] {
        refused(stage, "are not deduplicated yet by this recipe", "malmoi stage dedup");
    }
    done(corpus.path(), &[["stage", "dedup"].as_slice(), &other].concat());
    refused("tokenize", "there is no tokenizer of this recipe", "malmoi stage tokenizer");
    done(corpus.path(), &[["stage", "tokenizer"].as_slice(), &other].concat());
    refused("mix", "tokenize ko-00000 is not done yet", "malmoi plan");
    // The run that follows makes the rest, and what it makes is sound.
    done(corpus.path(), &[["build"].as_slice(), &other].concat());
    done(corpus.path(), &["audit", "out/run", "--deep"]);
    assert!(done(corpus.path(), &["build", "recipe.toml"]).stderr.contains("tokenize: 3 done"));
}

#[test]
fn json_lines_have_a_reason_and_a_version() {
    let corpus = Corpus::new();
    let outcome = done(corpus.path(), &["build", "recipe.toml", "--json"]);
    let reasons: Vec<String> = outcome
        .stdout
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["version"], 1);
            line["reason"].as_str().unwrap().to_owned()
        })
        .collect();
    for reason in ["clean", "dedup", "tokenize", "mix", "done"] {
        assert!(reasons.iter().any(|found| found == reason), "{reason} not in {reasons:?}");
    }
}

#[test]
fn init_writes_a_recipe_that_loads_once_its_files_exist() {
    let corpus = Corpus::new();
    done(corpus.path(), &["init", "new.toml"]);
    let failed = call(corpus.path(), &["plan", "new.toml"]);
    assert_eq!(failed.code, 2);
    assert!(failed.stderr.contains("ko-web"), "{}", failed.stderr);
    let mut arguments = vec!["plan", "new.toml"];
    for set in ["sources.0.files=data/ko.jsonl", "sources.1.files=data/en.jsonl", "sources.1.format=jsonl", "sources.2.files=data/code"] {
        arguments.extend(["--set", set]);
    }
    let plan = done(corpus.path(), &arguments);
    assert!(plan.stdout.contains("ko-web-00000"), "{}", plan.stdout);
    // Never over an existing file.
    assert_eq!(call(corpus.path(), &["init", "new.toml"]).code, 2);
}

#[test]
fn doctor_and_explain_answer_without_a_recipe() {
    let folder = tempfile::tempdir().unwrap();
    assert!(done(folder.path(), &["doctor"]).stdout.contains("cores"));
    let filters = done(folder.path(), &["explain"]).stdout;
    for name in ["normalize", "language", "gopher-quality", "dedup"] {
        assert!(filters.contains(name), "{filters}");
        assert!(done(folder.path(), &["explain", name]).stdout.len() > 400);
    }
    let wrong = call(folder.path(), &["explain", "gofer"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("hint: the filters are"), "{}", wrong.stderr);
}
