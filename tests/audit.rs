//! The audit of runs that were changed behind the program's back, and of sound ones that look odd.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::corpus::{Corpus, RECIPE};
use crate::malmoi::{call, done};

/// A file of a run as it was, to be put back.
struct Before {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Before {
    fn of(path: PathBuf) -> Self {
        let bytes = fs::read(&path).unwrap();
        Self { path, bytes }
    }

    fn restore(self) {
        fs::write(self.path, self.bytes).unwrap();
    }
}

fn replaced(path: &Path, from: &str, to: &str) {
    let bytes = fs::read(path).unwrap();
    let packed = path.extension().is_some_and(|extension| extension == "zst");
    let text = String::from_utf8(if packed { zstd::decode_all(bytes.as_slice()).unwrap() } else { bytes }).unwrap();
    assert!(text.contains(from), "{from} is not in {}: {text:.2000}", path.display());
    let text = text.replacen(from, to, 1).into_bytes();
    fs::write(path, if packed { zstd::encode_all(text.as_slice(), 3).unwrap() } else { text }).unwrap();
}

fn flipped(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// The file of a folder that holds this text.
fn holding(run: &Path, folder: &str, text: &str) -> String {
    let files = fs::read_dir(run.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let holds = |path: &PathBuf| String::from_utf8(zstd::decode_all(fs::read(path).unwrap().as_slice()).unwrap()).unwrap().contains(text);
    let mut found = files.filter(|path| path.extension().is_some_and(|extension| extension == "zst")).filter(holds);
    format!("{folder}/{}", found.next().unwrap().file_name().unwrap().to_str().unwrap())
}

/// A run of several parts, with a checkpoint before the last one.
fn corpus() -> Corpus {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml", "--set", "part-bytes=60000"]);
    done(corpus.path(), &["audit", "out/run", "--deep"]);
    corpus
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn no_change_of_a_run_escapes_the_audit() {
    let corpus = corpus();
    let run = corpus.out("run");
    let found = |what: &str, told: &str| {
        let outcome = call(corpus.path(), &["audit", "out/run"]);
        assert!(outcome.code == 1 && outcome.stdout.contains(told), "{what}: {}{}", outcome.stdout, outcome.stderr);
    };
    let weights = "checkpoints/step-000012/model.safetensors";
    let (rejects, duplicates) = (holding(&run, "rejects", "ko-short"), holding(&run, "duplicates", "\"ko-exact\""));
    let changes: [(&str, &str, &str, &str); 11] = [
        ("recipe.toml", "min-chars = 40", "min-chars = 41", "clean ko-00000: was not made by this recipe"),
        ("recipe.toml", "held-out = 0.05", "held-out = 0.06", "tokenize ko-00000: was not made by this recipe"),
        ("recipe.toml", "learning-rate = 0.003", "learning-rate = 0.004", "train: was not made by this recipe"),
        ("inputs.json", "\"len\": ", "\"len\": 1", "was not made by this recipe"),
        ("training.json", "\"steps\": 16", "\"steps\": 17", "training.json"),
        (&rejects, "짧다", "길다", &rejects),
        (&rejects, "\"value\":2.0", "\"value\":3.0", ".parquet: row "),
        ("documents/ko-00000.jsonl.zst", r#"\"chars\":"#, r#"\"chars\":1"#, "stats/ko-00000.parquet: row 0 is not as"),
        (&duplicates, "\"similarity\":1.0", "\"similarity\":0.9", &duplicates),
        (&duplicates, "\"of\":\"ko-5\"", "\"of\":\"ko-7\"", "named otherwise by the duplicates"),
        ("duplicates/summary.json", "\"documents\": ", "\"documents\": 1", "duplicates/summary.json: "),
    ];
    for (file, from, to, told) in changes {
        let before = Before::of(run.join(file));
        replaced(&before.path, from, to);
        found(&format!("{file}: {from}"), told);
        before.restore();
    }
    for (file, told) in [
        ("recipe.lock", "recipe.lock does not say that it was finished"),
        ("metrics.jsonl", "training has begun, but metrics.jsonl is not there"),
        ("inputs.json", "inputs.json"),
    ] {
        let before = Before::of(run.join(file));
        fs::remove_file(&before.path).unwrap();
        found(file, told);
        before.restore();
    }
    let before = Before::of(run.join("recipe.lock"));
    fs::write(&before.path, "").unwrap();
    found("recipe.lock emptied", "clean ko-00000: recipe.lock does not say that it was finished");
    before.restore();
    let before = Before::of(run.join(weights));
    flipped(&before.path, before.bytes.len() - 1);
    found(weights, "step-000012");
    before.restore();
    let before = Before::of(run.join("signatures/en-00000.sig"));
    fs::write(&before.path, &before.bytes[..before.bytes.len() - 8]).unwrap();
    found("a short signature file", "signatures/en-00000.sig: has ");
    before.restore();
    let tables = ["stats/ko-00000.parquet", "stats/ko-00001.parquet"].map(|file| Before::of(run.join(file)));
    fs::write(&tables[0].path, &tables[1].bytes).unwrap();
    fs::write(&tables[1].path, &tables[0].bytes).unwrap();
    found("two tables", "stats/ko-00000.parquet: ");
    tables.into_iter().for_each(Before::restore);
    copy(&run.join("checkpoints/step-000016"), &run.join("checkpoints/step-000099"));
    found("a checkpoint of nobody", "step-000099: holds step 16");
    fs::remove_dir_all(run.join("checkpoints/step-000099")).unwrap();
    fs::copy(run.join("shards/code/rust-00000.shard"), run.join("shards/code/rust-00077.shard")).unwrap();
    found("a shard of nobody", "shards/code/rust-00077.shard: no unit of the run left this file");
    fs::remove_file(run.join("shards/code/rust-00077.shard")).unwrap();
    done(corpus.path(), &["audit", "out/run"]);
}

/// As a run of an older program: there, what is said has to be found out from the files themselves.
#[test]
fn a_deep_audit_needs_no_hashes_in_the_journal() {
    let corpus = corpus();
    let run = corpus.out("run");
    let journal = fs::read_to_string(run.join("recipe.lock")).unwrap();
    let without = journal.lines().filter(|line| !line.is_empty()).map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        assert!(line.as_object_mut().unwrap().remove("sums").is_some_and(|sums| !sums.as_object().unwrap().is_empty()), "{line}");
        format!("{line}\n")
    });
    fs::write(run.join("recipe.lock"), without.collect::<String>()).unwrap();
    done(corpus.path(), &["audit", "out/run", "--deep"]);
    let audited = |what: &str, told: &str| {
        let outcome = call(corpus.path(), &["audit", "out/run", "--deep"]);
        assert!(outcome.code == 1 && outcome.stdout.contains(told), "{what}: {}{}", outcome.stdout, outcome.stderr);
    };
    // Not the length of the packed file tells it: it is entered into the journal as it is.
    let as_left = |path: &Path, before: usize| {
        let now = fs::metadata(path).unwrap().len();
        let name = path.strip_prefix(&run).unwrap().to_str().unwrap();
        let text = fs::read_to_string(run.join("recipe.lock")).unwrap();
        fs::write(run.join("recipe.lock"), text.replace(&format!("[\"{name}\",{before}]"), &format!("[\"{name}\",{now}]"))).unwrap();
    };
    let (rejects, duplicates) = (holding(&run, "rejects", "ko-short"), holding(&run, "duplicates", "\"ko-exact\""));
    let (of_rejects, of_duplicates) = (format!("{rejects}: line "), format!("{duplicates}: line "));
    let changes = [
        (rejects.as_str(), "짧다", "길다", of_rejects.as_str()),
        ("documents/ko-00000.jsonl.zst", "이야기", "이야귀", "documents/ko-00000.jsonl.zst: line "),
        (&duplicates, "\"similarity\":1.0", "\"similarity\":0.9", &of_duplicates),
        ("duplicates/summary.json", "\"documents\": ", "\"documents\": 1", "duplicates/summary.json: a value"),
        ("stats/en-00000.json", "\"broken\": 0", "\"broken\": 1", "stats/en-00000.json: a value"),
    ];
    for (file, from, to, told) in changes {
        let (before, journal) = (Before::of(run.join(file)), Before::of(run.join("recipe.lock")));
        replaced(&before.path, from, to);
        as_left(&before.path, before.bytes.len());
        audited(&format!("{file}: {from}"), told);
        before.restore();
        journal.restore();
    }
    let before = Before::of(run.join("signatures/en-00000.sig"));
    flipped(&before.path, before.bytes.len() / 2);
    audited("a signature", "signatures/en-00000.sig: a byte");
    before.restore();
    // A plan by hand is a fault, and no panic.
    let before = Before::of(run.join("plan.json"));
    replaced(&before.path, "\"source\": 0", "\"source\": 99");
    audited("plan.json", "are not of one run");
    before.restore();
    done(corpus.path(), &["audit", "out/run", "--deep"]);
}

#[test]
fn a_bucket_that_gives_nothing_and_one_that_got_another_name_are_no_faults() {
    let corpus = Corpus::new();
    let ratios = "mixture={ korean = 1.0, english = 0.0, code = 0.0, max-epochs = 20.0 }";
    done(corpus.path(), &["run", "recipe.toml", "--set", ratios]);
    done(corpus.path(), &["audit", "out/run"]);
    corpus.recipe("renamed.toml", &RECIPE.replace("korean", "hangul"));
    done(corpus.path(), &["run", "renamed.toml"]);
    assert!(corpus.out("run/shards/hangul/ko-00000.shard").exists() && !corpus.out("run/shards/korean/ko-00000.shard").exists());
    done(corpus.path(), &["audit", "out/run"]);
    // The input may change afterwards, or go; what it was is on record.
    fs::remove_file(corpus.path().join("data/en.jsonl")).unwrap();
    done(corpus.path(), &["audit", "out/run"]);
    let gone = call(corpus.path(), &["audit", "out/run", "--deep"]);
    assert!(gone.code == 1 && gone.stdout.contains("en-00000: cannot be read and filtered again"), "{}", gone.stdout);
}
