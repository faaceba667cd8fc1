//! What the options of `[train]` do in a whole run.

use serde_json::Value;

use crate::corpus::{Corpus, RECIPE};
use crate::malmoi::{call, curve, done, files};

fn json(path: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_training_that_breaks_names_the_documents_of_its_step() {
    let corpus = Corpus::new();
    let wild = ["run", "recipe.toml", "--set", "train.learning-rate=1e30", "--set", "train.warmup-steps=0", "--set", "train.clip-norm=0.0"];
    let failed = call(corpus.path(), &wild);
    assert_eq!(failed.code, 1, "{}", failed.stderr);
    let list = corpus.out("run").join("non-finite.jsonl");
    assert!(failed.stderr.contains("; its batch has `") && failed.stderr.contains(list.to_str().unwrap()), "{}", failed.stderr);
    let lines: Vec<Value> = std::fs::read_to_string(&list).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() >= 8, "a document at least for each of eight rows: {lines:?}");
    assert!(lines.iter().all(|line| ["korean", "english", "code"].contains(&line["bucket"].as_str().unwrap())));
    // What it lists can be looked up.
    let id = lines[0]["id"].as_str().unwrap();
    assert!(done(corpus.path(), &["explain", "--doc", id, "--run", "out/run"]).stdout.contains(id));
    // A training that goes well leaves no such list.
    done(corpus.path(), &["run", "recipe.toml"]);
    assert!(!list.exists());
}

#[test]
fn what_training_did_is_in_its_facts_and_in_the_report() {
    let corpus = Corpus::new();
    let sets = [
        "train.learning-rate=1e-9",
        "train.eval-every=2",
        "train.keep-best=true",
        "train.early-stop={ patience = 2, min-delta = 0.1 }",
        "train.tensorboard=true",
        "train.sample={ prompts = [\"할머니\", \"The\"], every = 2, tokens = 4 }",
    ];
    let arguments: Vec<&str> = ["run", "recipe.toml"].into_iter().chain(sets.iter().flat_map(|set| ["--set", *set])).collect();
    let outcome = done(corpus.path(), &arguments);
    assert!(outcome.stderr.contains("ends early at step 6: 2 evaluations without progress"), "{}", outcome.stderr);
    let run = corpus.out("run");
    assert_eq!(curve(&run).iter().filter(|line| line["reason"] == "step").count(), 6);
    let facts = json(&run.join("training.json"));
    assert_eq!(facts["stopped"], 6);
    let best = facts["best"]["step"].as_u64().unwrap();
    assert!(run.join(format!("checkpoints/step-{best:06}/state.json")).exists());
    let rows = &facts["rows"];
    let [ids, untrained] = ["ids", "untrained"].map(|key| rows[key].as_u64().unwrap());
    assert!(ids == 600 && (1..ids).contains(&untrained), "{rows}");
    let samples = std::fs::read_to_string(run.join("samples.jsonl")).unwrap();
    let steps: Vec<u64> = samples.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [2, 2, 4, 4, 6, 6]);
    assert_eq!(std::fs::read_dir(run.join("tensorboard")).unwrap().count(), 1);
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    for part in ["Training ended early at step 6", "Gradient norm", "Tokens never trained", "On the way there", "Best evaluation"] {
        assert!(page.contains(part), "{part}");
    }
    // Nothing is left to do, and the ledger of what was trained still balances.
    assert!(done(corpus.path(), &arguments).stderr.contains("train: current"));
    done(corpus.path(), &["audit", "out/run"]);
}

/// A recipe that comes back finds its training as it was, whatever one that broke before its first checkpoint left in its place.
#[test]
fn a_recipe_that_comes_back_finds_its_training() {
    let corpus = Corpus::new();
    let first = ["run", "recipe.toml", "--set", "train.tensorboard=true"];
    let wild = ["--set", "train.learning-rate=1e30", "--set", "train.warmup-steps=0", "--set", "train.clip-norm=0.0"];
    done(corpus.path(), &first);
    let run = corpus.out("run");
    let left = |name: &str| files(&run.join(name), &|_| true);
    let [checkpoints, events] = ["checkpoints", "tensorboard"].map(left);
    let broken = call(corpus.path(), &[&first[..], &wild].concat());
    assert!(broken.code == 1 && broken.stderr.contains("changed since the last training"), "{}", broken.stderr);
    assert!(run.join("tensorboard").exists() && !run.join("checkpoints").exists());
    done(corpus.path(), &first);
    assert!(left("checkpoints") == checkpoints);
    // Whoever opens it again begins a file of events; those of the broken training are gone.
    let kept = left("tensorboard");
    assert!(kept.len() == events.len() + 1 && events.iter().all(|(name, bytes)| kept.get(name) == Some(bytes)), "{:?}", kept.keys());

    // The same after a kill in the middle of setting it aside: the checkpoints are still where they belong.
    let state = json(&run.join("checkpoints/step-000016/state.json"));
    let short: String = state["fingerprint"].as_str().unwrap().chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let curve = std::fs::read(run.join("metrics.jsonl")).unwrap();
    std::fs::rename(run.join("metrics.jsonl"), run.join(format!("metrics.{short}.jsonl"))).unwrap();
    done(corpus.path(), &first);
    assert_eq!(std::fs::read(run.join("metrics.jsonl")).unwrap(), curve);
}

#[test]
fn a_preset_fills_in_what_the_recipe_leaves_out() {
    let corpus = Corpus::new();
    let sets = ["train.preset=seed-cpt", "train.eval-every=8"];
    let arguments: Vec<&str> = ["plan", "recipe.toml"].into_iter().chain(sets.iter().flat_map(|set| ["--set", *set])).collect();
    let plan = done(corpus.path(), &arguments);
    assert!(plan.stderr.contains("warning: preset seed-cpt: ") && plan.stdout.contains("(linear)"), "{}{}", plan.stderr, plan.stdout);
    // The recipe's own tokens and rate stand; the place of a wrong name is shown.
    assert!(plan.stdout.contains("8192 tokens") && plan.stdout.contains("learning rate 3e-3"), "{}", plan.stdout);
    let text = crate::corpus::RECIPE.replace("objective = \"cpt\"", "objective = \"cpt\"\npreset = \"seed-rlhf\"");
    corpus.recipe("wrong.toml", &text);
    let wrong = call(corpus.path(), &["plan", "wrong.toml"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("wrong.toml:48:10") && wrong.stderr.contains("seed-cpt"), "{}", wrong.stderr);
}

/// A token that is added to a model's vocabulary and stands in no text stays what it began as, and that
/// is said: in the terminal, in the facts, in the report.
#[test]
fn new_tokens_that_no_text_has_are_a_warning() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml"]);
    done(corpus.path(), &["export", "out/run", "model", "--dtype", "f32"]);
    let mut tokenizer = json(&corpus.path().join("model/tokenizer.json"));
    for (id, content) in [(600, "할머니의"), (601, "<|never|>")] {
        tokenizer["added_tokens"].as_array_mut().unwrap().push(serde_json::json!({
            "id": id, "content": content, "special": id == 601, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        }));
    }
    std::fs::write(corpus.path().join("extended.json"), tokenizer.to_string()).unwrap();
    let shape = "model = { hidden = 32, layers = 2, heads = 4, kv-heads = 2, intermediate = 64 }";
    let text = crate::corpus::RECIPE
        .replace("train = { model = \"bpe\", vocab-size = 600 }", "load = \"extended.json\"")
        .replace(shape, "init = \"model\"\nembedding-learning-rate = 1e-3");
    corpus.recipe("extended.toml", &text);
    // What is estimated has a row for each of them.
    let estimate = done(corpus.path(), &["estimate", "extended.toml", "--set", "train.precision=bf16"]);
    assert!(estimate.stdout.contains(", 602 ids"), "{}", estimate.stdout);
    let outcome = done(corpus.path(), &["run", "extended.toml", "--set", "output=out/extended"]);
    let warning = "warning: 1 of 2 new tokens have learned nothing from text, training drew none with them";
    assert!(outcome.stderr.contains(warning) && outcome.stderr.contains("601 \"<|never|>\""), "{}", outcome.stderr);
    let new = &json(&corpus.out("extended").join("training.json"))["rows"]["new"];
    assert_eq!((&new["ids"], &new["untrained"], &new["examples"][0]["id"]), (&2.into(), &1.into(), &601.into()));
    let page = std::fs::read_to_string(corpus.out("extended").join("report.html")).unwrap();
    assert!(page.contains("1 of 2 new tokens have learned nothing from text"));
}

/// Half an epoch of the scarcest bucket is half the windows of a whole one.
#[test]
fn epochs_say_how_long_training_is() {
    let corpus = Corpus::new();
    let text = crate::corpus::RECIPE.replace("tokens = 8_192\n", "");
    let windows = |epochs: &str| {
        corpus.recipe("epochs.toml", &text.replace("[train]\n", &format!("[train]\n{epochs}")));
        done(corpus.path(), &["stage", "clean", "epochs.toml"]);
        for stage in ["dedup", "tokenizer", "tokenize", "mix"] {
            done(corpus.path(), &["stage", stage, "epochs.toml"]);
        }
        json(&corpus.out("run").join("mixture.json"))["windows"].as_u64().unwrap()
    };
    let once = windows("");
    assert_eq!([windows("epochs = 2\n"), windows("epochs = 0.5\n")], [2 * once, once.div_ceil(2)]);
}

/// A bucket whose share is less than a window is told, and hints say what helps.
#[test]
fn what_the_mixture_leaves_out_is_told() {
    let corpus = Corpus::new();
    let folder = corpus.path();
    let small = ["build", "recipe.toml", "--set", "mixture={korean=0.4999,english=0.5,code=0.0001,max-epochs=20}"];
    let told = done(folder, &small).stderr;
    assert!(told.contains("warning: bucket `code` gets none of the 128 windows of 64 tokens, so small is its share: its "), "{told}");
    let none = ["build", "recipe.toml", "--set", "mixture={korean=0.5,english=0.5,max-epochs=20}"];
    let told = done(folder, &none).stderr;
    assert!(told.contains("warning: bucket `code` has no ratio in the mixture: its "), "{told}");

    let ratios = "korean = 0.42\nenglish = 0.51\ncode = 0.07\nmax-epochs = 20\n";
    let stages = "stages = [{ until = 2_048, english = 1.0 }, { code = 1.0 }]\nmax-epochs = 0.1\n";
    assert!(RECIPE.contains(ratios) && RECIPE.contains("\ntokens = 8_192\n"));
    corpus.recipe("stages.toml", &RECIPE.replace(ratios, stages));
    let refused = call(folder, &["build", "stages.toml"]);
    assert!(
        refused.code != 0 && refused.stderr.contains("tokens, with a shorter last stage, keep ratios and epochs"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("hint: lower `train.tokens`") && !refused.stderr.contains("reduce"), "{}", refused.stderr);
    corpus.recipe("epochs.toml", &RECIPE.replace(ratios, stages).replace("\ntokens = 8_192\n", "\nepochs = 1.0\n"));
    let refused = call(folder, &["build", "epochs.toml"]);
    assert!(refused.stderr.contains("hint: `[[mixture.stages]]` follow one another by tokens: set `train.tokens`"), "{}", refused.stderr);
}
