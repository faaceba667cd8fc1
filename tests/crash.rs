//! A process that dies anywhere, or has no room to write, leaves a folder that the same command finishes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::corpus::{Corpus, RECIPE};
use crate::malmoi::{Outcome, call, command, done, outcome};
use crate::resume::assert_same_run;

/// Every stage, and every step of the deduplication.
fn corpus() -> Corpus {
    let corpus = Corpus::new();
    let dedup = "[dedup]\nlines = { max-documents = 5 }\nsubstrings = { min-words = 20 }\n";
    corpus.recipe("recipe.toml", &RECIPE.replacen("[dedup]\n", dedup, 1));
    corpus
}

const PARTS: [&str; 2] = ["--set", "part-bytes=9000"];

/// How far a run is: the files in its folder, temporary ones included, and the steps of its curve.
fn progress(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let of = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.map(|entry| entry.path()).unwrap_or_default();
        match path.is_dir() {
            true => progress(&path),
            false if path.ends_with("metrics.jsonl") => std::fs::read_to_string(&path).map_or(1, |text| text.lines().count()),
            false => 1,
        }
    };
    entries.map(of).sum()
}

/// Kills a run at `points` places that a seed chose, one in each stretch of its progress, and now and then
/// its continuation too; all end as the unbroken run did.
fn killed_at(points: usize, mut seed: u64) {
    let corpus = corpus();
    done(corpus.path(), &[["run", "recipe.toml", "--set", "output=out/unbroken"].as_slice(), &PARTS].concat());
    let whole = progress(&corpus.out("unbroken"));
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut killed = 0;
    for point in 0..points {
        let output = format!("output=out/broken-{point}");
        let broken = corpus.out(&format!("broken-{point}"));
        let arguments = [["run", "recipe.toml", "--set", &output].as_slice(), &PARTS].concat();
        let mut at = (point * whole + random(whole)) / points;
        for _ in 0..1 + random(2) {
            let mut child = command(corpus.path(), &arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            while progress(&broken) < at && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            // Not always just after a file has appeared.
            std::thread::sleep(Duration::from_micros(random(20_000) as u64));
            let _ = child.kill();
            killed += usize::from(child.wait().unwrap().code().is_none());
            at += random(whole - at.min(whole - 1));
        }
        done(corpus.path(), &arguments);
        assert_same_run(&corpus.out("unbroken"), &broken);
        let audit = call(corpus.path(), &["audit", &format!("out/broken-{point}")]);
        assert!(audit.code == 0 && audit.stdout.contains(" 0 faults"), "point {point}: {}", audit.stdout);
        std::fs::remove_dir_all(&broken).unwrap();
    }
    assert!(killed * 2 >= points, "{killed} of {points} runs were still running when they were to be killed");
}

#[test]
fn killed_at_some_places_it_ends_with_the_same_bytes() {
    killed_at(4, 1);
}

#[test]
#[ignore = "minutes: `make verify-resume`"]
fn killed_at_twenty_places_it_ends_with_the_same_bytes() {
    killed_at(20, 2);
}

/// Calls malmoi from a shell that has done something before.
fn shell(folder: &Path, script: &str, arguments: &[&str]) -> Outcome {
    let mut shell = Command::new("sh");
    shell.current_dir(folder).args(["-c", script, "sh", env!("CARGO_BIN_EXE_malmoi")]).args(arguments).arg("--no-progress");
    outcome(shell.output().unwrap())
}

fn is_one_clear_error(outcome: &Outcome, says: &str) {
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    let errors: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(errors.len() == 1 && errors[0].contains(says) && errors[0].contains("out/"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
}

#[test]
fn a_file_that_may_not_grow_is_one_error_and_the_run_goes_on_later() {
    let corpus = corpus();
    done(corpus.path(), &["run", "recipe.toml", "--set", "output=out/unbroken"]);
    let arguments = ["run", "recipe.toml", "--set", "output=out/broken"];
    // Blocks of 512 bytes. Each gets further than the one before; the last lets a checkpoint begin.
    for blocks in [1, 8, 40, 100] {
        let full = shell(corpus.path(), &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""), &arguments);
        is_one_clear_error(&full, "File too large");
    }
    done(corpus.path(), &arguments);
    assert_same_run(&corpus.out("unbroken"), &corpus.out("broken"));
}

#[test]
#[allow(clippy::print_stdout)] // a test that cannot run says so
fn a_full_disk_is_one_error_and_the_run_goes_on_when_there_is_room() {
    let corpus = corpus();
    done(corpus.path(), &["run", "recipe.toml", "--set", "output=out/unbroken"]);
    // A file system of its own, in a namespace of its own; it is gone when the shell ends.
    let script = r#"
        set -u
        mkdir -p disk kept
        exec unshare --user --map-root-user --mount sh -c '
            mount -t tmpfs -o size=160k tmpfs disk || exit 77
            "$@" 2>kept/full; echo $? >kept/code
            for size in 400k 900k; do mount -o remount,size=$size disk && "$@" 2>>kept/full; done
            mount -o remount,size=100m disk || exit 77
            "$@" || exit 1
            cp -r disk/out kept/
        ' sh "$@"
    "#;
    let arguments = ["run", "recipe.toml", "--set", "output=disk/out"];
    let outcome = shell(corpus.path(), script, &arguments);
    if outcome.stderr.contains("unshare") || outcome.code == 77 {
        println!("skipped: no file system can be mounted here ({})", outcome.stderr.trim());
        return;
    }
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let read = |name: &str| std::fs::read_to_string(corpus.path().join("kept").join(name)).unwrap();
    assert_eq!(read("code").trim(), "2");
    let said = read("full");
    assert!(said.contains("error: cannot ") && said.contains("No space left on device") && !said.contains("panicked"), "{said}");
    assert_same_run(&corpus.out("unbroken"), &corpus.path().join("kept/out"));
}
