//! `data order`, `shards export`, `shards import` and `[[imports]]`, as a user meets them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::corpus::{Corpus, RECIPE};
use crate::malmoi::{all_lines, call, curve, done, files};

fn objects(stdout: &str, reason: &str) -> Vec<Value> {
    let all = stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|object| object["reason"] == reason).collect()
}

#[test]
fn the_order_of_a_step_is_what_it_trains_on() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml"]);
    let known: BTreeSet<String> =
        all_lines(&corpus.out("run/documents")).iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect();
    let steps: Vec<Value> = curve(&corpus.out("run")).into_iter().filter(|line| line["reason"] == "step").collect();
    for step in [1, 9, 16] {
        let rows = objects(&done(corpus.path(), &["data", "order", "out/run", "--step", &step.to_string(), "--json"]).stdout, "row");
        assert_eq!(rows.iter().map(|row| row["row"].as_u64().unwrap()).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
        let documents: Vec<&Value> = rows.iter().flat_map(|row| row["documents"].as_array().unwrap()).collect();
        assert!(documents.iter().all(|document| known.contains(document["id"].as_str().unwrap())));
        let trained: u64 = documents.iter().map(|document| document["trained"].as_u64().unwrap()).sum();
        assert_eq!(Some(trained), steps[step - 1]["trained"].as_u64(), "step {step}");
    }
    let text = done(corpus.path(), &["data", "order", "out/run", "--step", "1"]).stdout;
    assert!(text.starts_with("step 1 of 16: 8 rows of 64 tokens\nrow 0  "), "{text}");
    for (step, message) in [("17", "has no step 17: its training has 16 steps"), ("0", "--step")] {
        let outcome = call(corpus.path(), &["data", "order", "out/run", "--step", step]);
        assert!(outcome.code == 2 && outcome.stderr.contains(message), "{}", outcome.stderr);
    }
    assert!(call(corpus.path(), &["data", "order", "data", "--step", "1"]).stderr.contains("is no run folder"));
}

/// The token files of a folder that an import names.
fn tokens(folder: &Path, ending: &str) -> Vec<String> {
    let all = files(folder, &|name| name.ends_with(ending) && !name.ends_with(".label_mask.npy"));
    all.into_keys().map(|name| folder.join(name).to_str().unwrap().to_owned()).collect()
}

/// Every token sequence of a run's shards with the id of its document, without the file's own name.
fn documents(run: &Path) -> BTreeMap<Vec<u32>, u64> {
    let manifest = shards::Manifest::load(run.join("manifest.json")).unwrap();
    let mut found = BTreeMap::new();
    for shard in &manifest.shards {
        let reader = manifest.open_shard(run, shard).unwrap();
        for document in reader.documents() {
            let mut ids = Vec::new();
            reader.tokens(document.unwrap().tokens, &mut ids).unwrap();
            *found.entry(ids).or_default() += 1;
        }
    }
    found
}

#[test]
fn exported_shards_are_imported_again() {
    let corpus = Corpus::new();
    done(corpus.path(), &["build", "recipe.toml"]);
    let (run, folder) = (corpus.out("run"), corpus.path());
    let original = documents(&run);
    let text_bytes = |run: &Path| -> u64 {
        shards::Manifest::load(run.join("manifest.json")).unwrap().shards.iter().map(|shard| shard.text_bytes).sum()
    };
    for (layout, ending) in [("megatron", ".bin"), ("datatrove", ".ds"), ("olmo", ".npy"), ("llm-c", ".bin"), ("malmoi", ".shard")] {
        let out = corpus.out(layout);
        let exported = done(folder, &["shards", "export", "out/run", &format!("out/{layout}"), "--to", layout]);
        let written: Vec<PathBuf> = exported.stdout.lines().map(PathBuf::from).collect();
        assert!(written.iter().all(|file| folder.join(file).exists()), "{written:?}");
        // Again: the same bytes, and never beside those of an earlier export.
        let before = files(&out, &|_| true);
        let refused = call(folder, &["shards", "export", "out/run", &format!("out/{layout}"), "--to", "llm-c"]);
        assert!(refused.code == 2 && refused.stderr.contains("is not empty"), "{}", refused.stderr);
        assert_eq!(files(&out, &|_| true), before);
        done(folder, &["shards", "export", "out/run", &format!("out/{layout}-again"), "--to", layout, "--jobs", "1"]);
        assert_eq!(files(&corpus.out(&format!("{layout}-again")), &|_| true), before);

        let imported = format!("out/{layout}-run");
        let named = tokens(&out, ending);
        let mut arguments = vec!["shards", "import"];
        arguments.extend(named.iter().map(String::as_str));
        arguments.extend([imported.as_str(), "--tokenizer", "out/run/tokenizer/tokenizer.json", "--bucket", "all"]);
        done(folder, &arguments);
        let imported_run = folder.join(&imported);
        assert_eq!(documents(&imported_run), original, "{layout}");
        assert_eq!(text_bytes(&imported_run), text_bytes(&run), "{layout}");
        let audit = done(folder, &["audit", &imported, "--deep"]);
        assert!(audit.stdout.contains("imported") && audit.stdout.contains(" 0 faults"), "{}", audit.stdout);
        // A second time there is nothing to do; another command's files are not mixed in.
        assert!(done(folder, &arguments).stderr.contains("import: current"));
        let other = [&arguments[..arguments.len() - 1], &["other"]].concat();
        let outcome = call(folder, &other);
        assert!(outcome.code == 2 && outcome.stderr.contains("is the folder of another run"), "{}", outcome.stderr);
    }
    // What differs from the files is found.
    let file = &tokens(&corpus.out("datatrove"), ".ds")[0];
    let mut bytes = std::fs::read(file).unwrap();
    bytes[0] ^= 1;
    std::fs::write(file, bytes).unwrap();
    let audit = call(folder, &["audit", "out/datatrove-run", "--deep"]);
    assert!(audit.code == 1 && audit.stdout.contains("is not as in") && audit.stdout.contains("1 faults"), "{}", audit.stdout);
}

#[test]
fn a_recipe_trains_on_imports_beside_sources() {
    let corpus = Corpus::new();
    let folder = corpus.path();
    done(folder, &["build", "recipe.toml"]);
    done(folder, &["shards", "export", "out/run", "out/meg", "--to", "megatron"]);
    let named = tokens(&corpus.out("meg/english"), ".bin");
    let imports = format!("[[imports]]\nname = \"foreign\"\nbucket = \"english\"\nfiles = {named:?}\n\n[[filters]]");
    let recipe = RECIPE
        .replace("out/run", "out/mixed")
        .replacen("[[sources]]\nname = \"en\"\nbucket = \"english\"\nfiles = \"data/en.jsonl\"\nformat = \"jsonl\"\n", "", 1)
        .replacen("[[filters]]", &imports, 1)
        .replace("train = { model = \"bpe\", vocab-size = 600 }", "load = \"out/run/tokenizer/tokenizer.json\"\neos = \"<|endoftext|>\"");
    corpus.recipe("mixed.toml", &recipe);
    let plan = done(folder, &["plan", "mixed.toml"]).stdout;
    assert!(plan.contains("import foreign-00000 → english") && plan.contains("to do"), "{plan}");
    done(folder, &["run", "mixed.toml"]);
    let audit = done(folder, &["audit", "out/mixed", "--deep"]);
    assert!(audit.stdout.contains(" 0 faults"), "{}", audit.stdout);
    let card = done(folder, &["card", "out/mixed"]).stdout;
    assert!(card.contains("foreign-00000"), "{card}");
    let again = done(folder, &["run", "mixed.toml"]).stderr;
    assert!(again.contains("import: current") && again.contains("train: current"), "{again}");
    // Another file in its place is imported again.
    let english = std::fs::read(&named[0]).unwrap();
    std::fs::write(&named[0], &english).unwrap();
    let outcome = done(folder, &["build", "mixed.toml"]);
    assert!(outcome.stderr.contains("import: 1 done"), "{}", outcome.stderr);
}

#[test]
fn compressed_shards_train_the_same() {
    let corpus = Corpus::new();
    let folder = corpus.path();
    done(folder, &["run", "recipe.toml"]);
    corpus.recipe("zstd.toml", &format!("{}\n[shards]\ncompression = \"zstd\"\n", RECIPE.replace("out/run", "out/zstd")));
    done(folder, &["run", "zstd.toml"]);
    assert_eq!(curve(&corpus.out("zstd")), curve(&corpus.out("run")));
    assert_eq!(documents(&corpus.out("zstd")), documents(&corpus.out("run")));
    let audit = done(folder, &["audit", "out/zstd", "--deep"]);
    assert!(audit.stdout.contains(" 0 faults"), "{}", audit.stdout);
    let shards = |folder: &Path| files(folder, &|name| name.ends_with(".shard"));
    let (plain, packed) = (shards(&corpus.out("run/shards")), shards(&corpus.out("zstd/shards")));
    let name = plain.keys().find(|name| name.starts_with("korean") && !name.contains("held-out")).unwrap();
    let shown = done(folder, &["inspect", &format!("out/zstd/shards/{name}")]).stdout;
    assert!(shown.contains("in zstd") && shown.contains("checksums hold"), "{shown}");
    // Each profile is made of the other, byte for byte; the manifest goes with them.
    for (from, compression, expected) in [("run", "zstd", &packed), ("zstd", "none", &plain)] {
        let out = format!("out/{from}-as-{compression}");
        done(folder, &["shards", "export", &format!("out/{from}"), &out, "--to", "malmoi", "--compression", compression]);
        let written = shards(&folder.join(&out));
        assert!(written.iter().all(|(name, bytes)| expected[name] == *bytes), "{from}");
        let manifest = shards::Manifest::load(folder.join(&out).join("manifest.json")).unwrap();
        assert_eq!(manifest.shards.len(), written.len());
        manifest.verify(&folder.join(&out)).unwrap();
    }
    let refused = call(folder, &["shards", "export", "out/run", "out/x", "--to", "olmo", "--compression", "zstd"]);
    assert!(refused.code == 2 && refused.stderr.contains("--compression is for malmoi's own shards"), "{}", refused.stderr);
    // The shards of another tokenizer are no import.
    std::fs::write(folder.join("bytes.json"), "{\"malmoi-tokenizer\": \"bytes\", \"version\": 1}\n").unwrap();
    let file = format!("out/zstd/shards/{name}");
    let refused = call(folder, &["shards", "import", &file, "out/y", "--tokenizer", "bytes.json"]);
    assert!(refused.code == 2 && refused.stderr.contains("byte 96: the shard was made with another tokenizer"), "{}", refused.stderr);
    // A damaged block is named with its place, and nothing is trained.
    let path = corpus.out("zstd/shards").join(name);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096 + 20] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let refused = call(folder, &["run", "zstd.toml"]);
    assert!(
        refused.code != 0 && refused.stderr.contains("damaged at byte 4096: token block 0 differs from its checksum"),
        "{}",
        refused.stderr
    );
}

#[test]
fn mistakes_are_named() {
    let corpus = Corpus::new();
    let folder = corpus.path();
    std::fs::write(folder.join("x.bin"), [0; 2000]).unwrap();
    std::fs::write(folder.join("x.ds"), [1, 2, 3]).unwrap();
    std::fs::write(folder.join("bytes.json"), "{\"malmoi-tokenizer\": \"bytes\", \"version\": 1}\n").unwrap();
    fn import<'a>(file: &'a str, out: &'a str) -> Vec<&'a str> {
        vec!["shards", "import", file, out, "--tokenizer", "bytes.json"]
    }
    for (arguments, message) in [
        (import("none.bin", "a"), "cannot find"),
        (import("x.bin", "b"), "not a token file of llm.c"),
        (import("x.ds", "c"), "no multiple of the 2 of a token"),
        (import("recipe.toml", "d"), "says no layout"),
        (import("x.ds", "data"), "is neither empty nor a run folder"),
        (vec!["shards", "export", "data", "e", "--to", "olmo"], "has no manifest.json"),
        (vec!["shards", "export", "data", "e", "--to", "parquet"], "megatron"),
    ] {
        let outcome = call(folder, &arguments);
        assert!(outcome.code == 2 && outcome.stderr.contains(message), "{arguments:?}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "");
    }
    corpus.recipe("bad.toml", &format!("{RECIPE}\n[[imports]]\nname = \"ko\"\nbucket = \"korean\"\nfiles = [\"x.ds\"]\n"));
    let outcome = call(folder, &["plan", "bad.toml"]);
    assert!(outcome.stderr.contains("`ko` is the name of another source"), "{}", outcome.stderr);
}
