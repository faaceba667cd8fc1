//! Adapters: trained on an exported model, merged, written for PEFT, and gone on from.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::corpus::{Corpus, RECIPE};
use crate::malmoi::{call, curve, done, files};

const SHAPE: &str = "model = { hidden = 32, layers = 2, heads = 4, kv-heads = 2, intermediate = 64 }";

/// A run in `out/NAME` that trains adapters beside the model in the folder `model`.
fn recipe(name: &str, lora: &str) -> String {
    RECIPE
        .replace("out/run", &format!("out/{name}"))
        .replace("train = { model = \"bpe\", vocab-size = 600 }", "load = \"model/tokenizer.json\"")
        .replace(SHAPE, &format!("init = \"model\"\nlora = {{ {lora} }}"))
}

/// A corpus with a trained model in the folder `model`.
fn trained() -> Corpus {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml"]);
    done(corpus.path(), &["export", "out/run", "model", "--dtype", "f32"]);
    corpus
}

fn losses(run: &Path) -> Vec<f64> {
    curve(run).iter().filter(|line| line["reason"] == "step").map(|line| line["loss"].as_f64().unwrap()).collect()
}

/// What `export` says of each base that it compared.
fn merges(stdout: &str) -> Vec<Value> {
    let lines = stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["reason"] == "merge").collect()
}

#[test]
fn adapters_are_trained_merged_and_gone_on_from() {
    let corpus = trained();
    let (folder, bytes) = (corpus.path(), |file: &str| fs::read(corpus.path().join(file)).unwrap());
    corpus.recipe("lora.toml", &recipe("lora", "rank = 4, dropout = 0.1, full = [\"embed-tokens\"]"));
    let ran = done(folder, &["run", "lora.toml"]).stderr;
    // 600 rows of 32, and of two layers: q 64, k and v 48, o 64, gate and up 96, down 96 numbers for each of 4 ranks.
    let parameters = 600 * 32 + 2 * 4 * (64 + 48 + 48 + 64 + 96 + 96 + 96);
    assert!(ran.contains(&format!("{parameters} parameters")), "{ran}");
    let first = losses(&corpus.out("lora"));
    assert!(first[15] < first[0] - 0.05, "{first:?}");

    // Killed and run again, it ends in the same bytes.
    let last = corpus.out("lora").join("checkpoints/step-000016");
    let unbroken = fs::read(last.join("model.safetensors")).unwrap();
    fs::remove_dir_all(&last).unwrap();
    assert!(done(folder, &["run", "lora.toml"]).stderr.contains("continuing at step 12"));
    assert_eq!(fs::read(last.join("model.safetensors")).unwrap(), unbroken);

    // Merged: the same model, as the check says, and as a run from it shows.
    let exported = done(folder, &["export", "out/lora", "merged", "--dtype", "f32", "--json"]);
    let [merge] = &merges(&exported.stdout)[..] else { panic!("{}", exported.stdout) };
    let number = |name: &str| merge["divergence"][name].as_f64().unwrap();
    assert!(number("kl").abs() < 1e-6 && number("tokens") > 100.0, "{merge}");
    assert!((number("perplexity-before") - number("perplexity-after")).abs() < 1e-2, "{merge}");
    let info: Value = serde_json::from_slice(&bytes("merged/model_info.json")).unwrap();
    assert_eq!((info["trainable_parameters"].as_u64(), info["adapters"]["rank"].as_u64()), (Some(parameters), Some(4)));
    assert!(done(folder, &["export", "out/lora", "half"]).stderr.contains("merge: into the trained base"));
    done(folder, &["export", "merged", "again", "--dtype", "f32"]);
    assert_eq!(bytes("again/model.safetensors"), bytes("merged/model.safetensors"));
    done(folder, &["export", "out/lora", "merged.gguf", "--format", "gguf-f32"]);
    done(folder, &["export", "merged.gguf", "back", "--dtype", "f32"]);
    assert_eq!(bytes("back/model.safetensors"), bytes("merged/model.safetensors"));

    // Adapters alone, and put into the model again.
    done(folder, &["export", "out/lora", "peft", "--adapter", "--base-name", "some/model"]);
    let config: Value = serde_json::from_slice(&bytes("peft/adapter_config.json")).unwrap();
    assert_eq!((&config["r"], &config["lora_alpha"], &config["base_model_name_or_path"]), (&4.into(), &8.into(), &"some/model".into()));
    fs::write(folder.join("text.txt"), "할머니는 강가에서 오래된 사전을 읽었다. The gardener carried a row of lanterns.").unwrap();
    let put = done(folder, &["export", "model", "put", "--lora", "peft", "--dtype", "f32", "--check-text", "text.txt", "--json"]);
    assert_eq!(bytes("put/model.safetensors"), bytes("merged/model.safetensors"));
    assert!(merges(&put.stdout)[0]["divergence"]["kl"].as_f64().unwrap() < 1e-6, "{}", put.stdout);
    let write =
        |arguments: &[&str]| done(folder, &[&["generate"], arguments, &["할머니", "--temperature", "0", "--tokens", "12"]].concat()).stdout;
    let text = write(&["out/lora"]);
    assert!(!text.trim().is_empty());
    assert_eq!([write(&["merged"]), write(&["model", "--lora", "peft"])], [text.clone(), text]);
    let unchecked = done(folder, &["export", "model", "unchecked", "--lora", "peft"]);
    assert!(unchecked.stderr.contains("was not compared"), "{}", unchecked.stderr);

    // Gone on from: what they are comes from their folder.
    corpus.recipe("more.toml", &recipe("more", "init = \"peft\""));
    assert!(done(folder, &["plan", "more.toml"]).stdout.contains("adapters of rank 4"));
    done(folder, &["run", "more.toml"]);
    let second = losses(&corpus.out("more"));
    assert!(second[0] < first[0] - 0.03, "{first:?} {second:?}");
    done(folder, &["audit", "out/more"]);
    assert!(done(folder, &["run", "more.toml"]).stderr.contains("train: current"));
    for (lora, said) in [
        ("init = \"peft\", rank = 8", "`lora.rank` is 8, but 4 in the adapters of `lora.init`"),
        ("init = \"peft\", rank = 16", "`lora.rank` is 16, but 4 in the adapters of `lora.init`"),
        ("init = \"peft\", targets = [\"q-proj\"]", "`lora.targets` is [\"q-proj\"]"),
        ("init = \"model\"", "train.lora.init: "),
    ] {
        corpus.recipe("wrong.toml", &recipe("wrong", lora));
        let refused = call(folder, &["run", "wrong.toml"]);
        assert!(refused.code == 2 && refused.stderr.contains(said), "{}", refused.stderr);
    }
    // Other adapters are another run.
    done(folder, &["export", "out/more", "peft-2", "--adapter"]);
    corpus.recipe("more.toml", &recipe("more", "init = \"peft-2\""));
    assert!(done(folder, &["run", "more.toml"]).stderr.contains("changed since the last training"));

    // Another model in the place of the one that the adapters belong to.
    let mut other = bytes("model/model.safetensors");
    *other.last_mut().unwrap() ^= 1;
    fs::write(folder.join("model/model.safetensors"), other).unwrap();
    let refused = call(folder, &["export", "out/lora", "x"]);
    assert!(
        refused.code == 2 && refused.stderr.contains("is not the model any more that the adapters were trained on"),
        "{}",
        refused.stderr
    );
}

/// A run that has imports alone has held-out text too.
#[test]
fn adapters_on_imports_are_compared_when_they_are_merged() {
    let corpus = trained();
    let folder = corpus.path();
    done(folder, &["shards", "export", "out/run", "out/exported", "--to", "megatron"]);
    let recipe = recipe("lora", "rank = 4");
    let (sources, rest) = (recipe.find("[[sources]]").unwrap(), recipe.find("[tokenizer]").unwrap());
    let names = ["korean", "english", "code"];
    let imports = names.map(|name| {
        let written = files(&corpus.out("exported").join(name), &|file| file.ends_with(".bin"));
        let written: Vec<String> = written.into_keys().map(|file| format!("out/exported/{name}/{file}")).collect();
        format!("[[imports]]\nname = \"{name}\"\nbucket = \"{name}\"\nfiles = {written:?}\n\n")
    });
    let recipe = format!("{}{}{}", &recipe[..sources], imports.concat(), &recipe[rest..]);
    corpus.recipe("imports.toml", &recipe.replace("model/tokenizer.json\"", "model/tokenizer.json\"\neos = \"<|endoftext|>\""));
    done(folder, &["run", "imports.toml", "--set", "held-out=0.2"]);
    let exported = done(folder, &["export", "out/lora", "merged", "--dtype", "f32", "--json"]);
    let [merge] = &merges(&exported.stdout)[..] else { panic!("{}", exported.stderr) };
    assert!(merge["text"] == "held-out text" && merge["divergence"]["tokens"].as_u64().unwrap() > 100, "{merge}");
}

#[test]
fn adapters_of_four_bits_are_compared_with_both_bases() {
    let corpus = trained();
    let folder = corpus.path();
    enlarge(&folder.join("model/model.safetensors"));
    corpus.recipe("nf4.toml", &recipe("nf4", "rank = 4, base = \"nf4\""));
    done(folder, &["run", "nf4.toml"]);
    let exported = done(folder, &["export", "out/nf4", "merged", "--dtype", "f32", "--json"]);
    let [trained, original] = &merges(&exported.stdout)[..] else { panic!("{}", exported.stdout) };
    assert_eq!((&trained["base"], &original["base"]), (&"trained".into(), &"original".into()));
    let kl = |merge: &Value| merge["divergence"]["kl"].as_f64().unwrap();
    assert!(kl(trained).abs() < 1e-3 && kl(original) > 0.01, "{}", exported.stdout);
    // Too far is refused, and nothing is left of it.
    let arguments = ["export", "out/nf4", "original", "--dtype", "f32", "--merge-base", "original"];
    let outcome = call(folder, &arguments);
    assert!(outcome.code == 1 && outcome.stderr.contains("it would be another model"), "{}", outcome.stderr);
    assert!(!folder.join("original").exists());
    assert!(done(folder, &[&arguments[..], &["--force"]].concat()).stderr.contains("nats a token from what was trained"));
}

/// Large weights, whose four bits are far from them.
fn enlarge(weights: &Path) {
    let mut bytes = fs::read(weights).unwrap();
    let header = 8 + usize::try_from(u64::from_le_bytes(*bytes.first_chunk().unwrap())).unwrap();
    for number in bytes[header..].as_chunks_mut().0 {
        *number = (4.0 * f32::from_le_bytes(*number)).to_le_bytes();
    }
    fs::write(weights, bytes).unwrap();
}

#[test]
fn what_has_no_adapters_says_so() {
    let corpus = trained();
    let refused = |arguments: &[&str], said: &str| {
        let outcome = call(corpus.path(), &[&["export"], arguments].concat());
        assert!(outcome.code == 2 && outcome.stderr.contains(said), "{}", outcome.stderr);
        assert!(!corpus.path().join("x").exists());
    };
    refused(&["out/run", "x", "--adapter"], "has no adapters");
    refused(&["model", "x", "--force"], "are for adapters");
    refused(&["model", "x", "--merge-base", "both"], "not trained or original");
    refused(&["model", "x", "--lora", "data"], "no folder of a PEFT adapter");
    refused(&["out/run", "x", "--lora", "data"], "is a run");
    corpus.recipe("bare.toml", &recipe("bare", "rank = 4").replace("init = \"model\"\n", ""));
    let outcome = call(corpus.path(), &["run", "bare.toml"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("`train.init` names none"), "{}", outcome.stderr);
}
