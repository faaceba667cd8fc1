//! Interrupted or killed anywhere, the same command ends where an unbroken run ends.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::corpus::Corpus;
use crate::malmoi::{call, command, curve, done, outcome, outputs};

/// Starts a run and sends `signal` as soon as `reached` holds; gives the exit code, or None when
/// the signal ended the process.
fn interrupt(corpus: &Corpus, arguments: &[&str], signal: &str, reached: &dyn Fn() -> bool) -> Option<i32> {
    let mut child: Child = command(corpus.path(), arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !reached() && child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(120), "the run never got there");
        std::thread::sleep(Duration::from_millis(2));
    }
    let _ = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    child.wait().unwrap().code()
}

pub(crate) fn assert_same_run(left: &Path, right: &Path) {
    let (left_files, right_files) = (outputs(left), outputs(right));
    assert_eq!(left_files.keys().collect::<Vec<_>>(), right_files.keys().collect::<Vec<_>>());
    for (name, bytes) in &left_files {
        assert!(right_files[name] == *bytes, "{name} differs");
    }
    assert_eq!(curve(left), curve(right));
}

#[test]
fn killed_in_every_stage_and_continued_gives_the_same_bytes_and_curve() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml", "--set", "output=out/unbroken", "--set", "part-bytes=9000"]);
    let broken = corpus.out("broken");
    let arguments = ["run", "recipe.toml", "--set", "output=out/broken", "--set", "part-bytes=9000"];
    // The first file that each stage leaves; the process dies without a chance to clean up.
    for sign in [
        "stats/ko-00000.json",
        "duplicates/summary.json",
        "tokenizer/tokenizer.json",
        "shards/korean/ko-00000.json",
        "metrics.jsonl",
        "checkpoints/step-000004",
        "checkpoints/step-000012",
    ] {
        let code = interrupt(&corpus, &arguments, "-KILL", &|| broken.join(sign).exists());
        assert_eq!(code, None, "the run was over before it could be killed at {sign}");
    }
    done(corpus.path(), &arguments);
    assert_same_run(&corpus.out("unbroken"), &broken);
    assert!(call(corpus.path(), &["audit", "out/broken"]).code == 0);
}

#[test]
fn an_input_that_changes_during_a_run_stops_it() {
    let corpus = Corpus::new();
    let input = corpus.path().join("data/ko.jsonl");
    let lines: Vec<String> =
        (0..2000).map(|n| format!("{}\n", serde_json::json!({ "text": crate::corpus::korean(n).repeat(8) }))).collect();
    // A stage that was over before its input changed says nothing of it; another one is tried.
    let was_stopped = (0..20).any(|attempt| {
        std::fs::write(&input, lines.concat()).unwrap();
        let out = corpus.out(&format!("changed-{attempt}"));
        let output = format!("output=out/changed-{attempt}");
        let arguments = ["stage", "clean", "recipe.toml", "--set", &output];
        let mut child = command(corpus.path(), &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It is written when the identities of all files are known.
        while !out.join("plan.json").exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut file = std::fs::File::options().append(true).open(&input).unwrap();
        std::io::Write::write_all(&mut file, lines[0].as_bytes()).unwrap();
        let stopped = outcome(child.wait_with_output().unwrap());
        if stopped.code == 0 {
            return false;
        }
        assert!(stopped.code == 2 && stopped.stderr.contains("ko.jsonl changed during the run ("), "{}", stopped.stderr);
        assert!(stopped.stderr.contains("run the same command again"), "{}", stopped.stderr);
        done(corpus.path(), &arguments);
        let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(out.join("stats/ko-00000.json")).unwrap()).unwrap();
        assert_eq!(stats["input"]["documents"], 2001);
        true
    });
    assert!(was_stopped, "every stage was over before its input changed");
}

#[test]
fn signals_while_training_write_a_checkpoint_and_it_continues_exactly() {
    let corpus = Corpus::new();
    let longer = ["--set", "train.tokens=40960", "--set", "mixture.on-shortage=repeat", "--set", "train.checkpoint-every=1000"];
    done(corpus.path(), &[["run", "recipe.toml", "--set", "output=out/unbroken"].as_slice(), &longer].concat());
    // Ctrl-C, and what a cluster or a container sends before it kills.
    for signal in ["-INT", "-TERM"] {
        let output = format!("output=out/broken{signal}");
        let broken = corpus.out(&format!("broken{signal}"));
        let arguments = [["run", "recipe.toml", "--set", &output].as_slice(), &longer].concat();
        let metrics = broken.join("metrics.jsonl");
        let reached = || std::fs::read_to_string(&metrics).is_ok_and(|text| text.lines().count() > 5);
        let code = interrupt(&corpus, &arguments, signal, &reached);
        assert_eq!(code, Some(130), "an interrupted run ends with 130");
        let checkpoints = std::fs::read_dir(broken.join("checkpoints")).unwrap().count();
        assert_eq!(checkpoints, 1, "{signal} leaves a checkpoint although none was due");
        let rest = done(corpus.path(), &arguments);
        assert!(rest.stderr.contains("continuing at step"), "{}", rest.stderr);
        assert_same_run(&corpus.out("unbroken"), &broken);
    }
}

#[test]
fn two_runs_in_one_folder_are_refused() {
    let corpus = Corpus::new();
    let out = corpus.out("run");
    std::fs::create_dir_all(&out).unwrap();
    let guard = std::fs::File::create(out.join(".lock")).unwrap();
    guard.try_lock().unwrap();
    let refused = call(corpus.path(), &["run", "recipe.toml"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("another malmoi is running"), "{}", refused.stderr);
}

#[test]
fn a_recipe_that_comes_back_finds_its_training_again() {
    let corpus = Corpus::new();
    let other = ["run", "recipe.toml", "--set", "train.learning-rate=1e-3"];
    done(corpus.path(), &["run", "recipe.toml"]);
    let first = curve(&corpus.out("run"));
    for _ in 0..2 {
        let away = done(corpus.path(), &other);
        assert!(away.stderr.contains("the recipe or its data changed"), "{}", away.stderr);
        assert_ne!(curve(&corpus.out("run")), first);
        done(corpus.path(), &["run", "recipe.toml"]);
        assert_eq!(curve(&corpus.out("run")), first);
    }
    assert!(call(corpus.path(), &["audit", "out/run"]).code == 0);
}
