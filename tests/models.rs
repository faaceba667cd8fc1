//! Models out of a run and into another one.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::corpus::{Corpus, RECIPE};
use crate::malmoi::{call, curve, done};

/// A run that goes on from the exported model: its tokenizer is the exported one.
fn second(init: &str) -> String {
    let shape = "model = { hidden = 32, layers = 2, heads = 4, kv-heads = 2, intermediate = 64 }";
    assert!(RECIPE.contains(shape));
    RECIPE
        .replace("out/run", "out/second")
        .replace("train = { model = \"bpe\", vocab-size = 600 }", &format!("load = \"{init}/tokenizer.json\""))
        .replace(shape, &format!("init = \"{init}\""))
}

fn losses(run: &Path) -> Vec<f64> {
    curve(run).iter().filter(|line| line["reason"] == "step").map(|line| line["loss"].as_f64().unwrap()).collect()
}

#[test]
fn a_trained_model_is_exported_and_trained_on() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml"]);
    let exported = done(corpus.path(), &["export", "out/run", "model", "--dtype", "f32", "--file-bytes", "60000"]);
    assert_eq!(exported.stdout.trim(), "model");
    let folder = corpus.path().join("model");
    let json = |name: &str| serde_json::from_slice::<Value>(&fs::read(folder.join(name)).unwrap()).unwrap();
    let config = json("config.json");
    assert_eq!(
        (&config["model_type"], &config["vocab_size"], &config["max_position_embeddings"]),
        (&"qwen2".into(), &600.into(), &64.into())
    );
    assert_eq!(config["eos_token_id"], json("generation_config.json")["eos_token_id"]);
    assert_eq!(json("tokenizer_config.json")["eos_token"], "<|endoftext|>");
    assert!(json("model.safetensors.index.json")["weight_map"]["model.norm.weight"].is_string());
    assert_eq!(fs::read(folder.join("tokenizer.json")).unwrap(), fs::read(corpus.out("run").join("tokenizer/tokenizer.json")).unwrap());

    // Nothing is overwritten, and what is not there is said.
    assert!(call(corpus.path(), &["export", "out/run", "model"]).stderr.contains("is there already"));
    assert!(call(corpus.path(), &["export", "out/run", "x", "--step", "3"]).stderr.contains("no such checkpoint"));
    assert!(call(corpus.path(), &["export", "out/run", "x", "--dtype", "int8"]).stderr.contains("not bf16, f16 or f32"));
    assert!(call(corpus.path(), &["export", "data", "x"]).stderr.contains("config.json"));
    assert_eq!(call(corpus.path(), &["export", "model", "x", "--step", "3"]).code, 2);
    // A folder converts to a folder with the same numbers.
    done(corpus.path(), &["export", "model", "again", "--dtype", "f32"]);
    done(corpus.path(), &["export", "again", "back", "--dtype", "f32", "--file-bytes", "60000"]);
    let shard = |name: &str| fs::read(corpus.path().join(name).join("model-00001-of-00003.safetensors")).unwrap();
    assert_eq!(shard("back"), shard("model"));

    corpus.recipe("second.toml", &second("model"));
    let plan = done(corpus.path(), &["plan", "second.toml"]).stdout;
    assert!(plan.contains("next-token objective from") && plan.contains("2 layers of 32 with 4/2 heads"), "{plan}");
    done(corpus.path(), &["run", "second.toml"]);
    let (first, second_losses) = (losses(&corpus.out("run")), losses(&corpus.out("second")));
    // It begins about where the first run ended, far from where that began.
    assert!((second_losses[0] - first[15]).abs() < 0.3, "{first:?} {second_losses:?}");
    assert!(second_losses[0] < first[0] - 0.3 && second_losses[15] < second_losses[0], "{second_losses:?}");
    let audit = done(corpus.path(), &["audit", "out/second"]);
    assert!(audit.stdout.contains(" 0 faults"), "{}", audit.stdout);

    // The same weights from another place are the same run; other weights are not.
    fs::rename(&folder, corpus.path().join("moved")).unwrap();
    corpus.recipe("second.toml", &second("moved").replace("load = \"moved/", "load = \"model/"));
    fs::create_dir(&folder).unwrap();
    fs::copy(corpus.path().join("moved/tokenizer.json"), folder.join("tokenizer.json")).unwrap();
    assert!(done(corpus.path(), &["run", "second.toml"]).stderr.contains("train: current"));
    fs::remove_dir_all(corpus.path().join("moved")).unwrap();
    done(corpus.path(), &["export", "out/second", "moved", "--step", "12"]);
    let again = done(corpus.path(), &["run", "second.toml"]).stderr;
    assert!(again.contains("recipe or its data changed") && !again.contains("train: current"), "{again}");
    // Reading a run needs only its folder.
    fs::remove_dir_all(corpus.path().join("moved")).unwrap();
    done(corpus.path(), &["audit", "out/second"]);
    done(corpus.path(), &["report", "out/second"]);
    let lost = call(corpus.path(), &["run", "second.toml"]);
    assert!(lost.code == 2 && lost.stderr.contains("train.init: cannot open"), "{}", lost.stderr);
}

/// The forms that other programs run, with what is known of the model beside it.
#[test]
fn quantized_forms_tell_what_they_are() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml"]);
    let read = |name: &str| fs::read(corpus.path().join(name)).unwrap();
    let exported = |target: &str, format: &str| done(corpus.path(), &["export", "out/run", target, "--format", format, "--name", "tiny"]);

    // A file alone, or a folder with the file and its card. Rows of 32 numbers are no blocks of 256.
    let alone = exported("tiny.gguf", "gguf-q4_k_m");
    assert!(alone.stderr.contains("11 F32") && alone.stderr.contains("Q5_0"), "{}", alone.stderr);
    exported("folder", "gguf-q4_k_m");
    assert_eq!(read("folder/tiny-Q4_K_M.gguf"), read("tiny.gguf"));
    let info: Value = serde_json::from_slice(&read("folder/model_info.json")).unwrap();
    let stage = &info["training_stages"][0];
    assert_eq!((&info["model_name"], &info["architecture"], &info["format"]), (&"tiny".into(), &"qwen2".into(), &"gguf-q4_k_m".into()));
    assert_eq!((&stage["objective"], &stage["step"], &stage["planned_steps"]), (&"cpt".into(), &16.into(), &16.into()));
    assert_eq!(stage["tokens"].as_u64().unwrap(), stage["tokens_in_loss"].as_u64().unwrap() + stage["tokens_masked"].as_u64().unwrap());
    assert!(stage["last_loss"].as_f64().unwrap() > 0.0 && info["trainable_parameters"] == info["parameters"]);
    let card = String::from_utf8(read("folder/README.md")).unwrap();
    for part in ["# tiny", "## Training", "| steps | 16 |", "## Sources", "## Mixture", "licence", "random weights"] {
        assert!(card.contains(part), "{part}: {card}");
    }

    // The same numbers in 32 bits, there and back; and in four.
    exported("f32.gguf", "gguf-f32");
    done(corpus.path(), &["export", "f32.gguf", "back", "--dtype", "f32"]);
    done(corpus.path(), &["export", "out/run", "model", "--dtype", "f32"]);
    assert_eq!(read("back/model.safetensors"), read("model/model.safetensors"));
    exported("nf4", "hf-nf4");
    let config: Value = serde_json::from_slice(&read("nf4/config.json")).unwrap();
    assert_eq!(config["quantization_config"]["quant_method"], "bitsandbytes");
    exported("int4", "hf-w4a16");
    let config: Value = serde_json::from_slice(&read("int4/config.json")).unwrap();
    assert_eq!(config["quantization_config"]["config_groups"]["group_0"]["weights"]["group_size"], 32);
    // A model in files keeps its card.
    done(corpus.path(), &["export", "model", "again"]);
    assert_eq!(read("again/README.md"), read("model/README.md"));

    let refused = |arguments: &[&str]| {
        let outcome = call(corpus.path(), arguments);
        assert_eq!(outcome.code, 2, "{}", outcome.stderr);
        outcome.stderr
    };
    assert!(refused(&["export", "out/run", "x.gguf"]).contains("gguf-q4_k_m"));
    assert!(refused(&["export", "out/run", "x.gguf", "--format", "gguf-f16", "--dtype", "f32"]).contains("--dtype is for hf formats"));
    assert!(refused(&["export", "out/run", "tiny.gguf", "--format", "gguf-f16"]).contains("is there already"));
    fs::remove_file(corpus.path().join("model/tokenizer.json")).unwrap();
    assert!(refused(&["export", "model", "x.gguf", "--format", "gguf-f16"]).contains("no tokenizer.json"));
    assert!(!corpus.path().join("x.gguf").exists());
}

/// More rows than ids: padding stays, is never drawn, and is there again after a restart.
#[test]
fn padding_rows_are_kept() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml"]);
    done(corpus.path(), &["export", "out/run", "bare"]);
    fs::remove_file(corpus.path().join("bare/tokenizer.json")).unwrap();
    let bytes = second("bare")
        .replace("load = \"bare/tokenizer.json\"", "bytes = true")
        .replace("tokens = 8 }", "tokens = 8, temperature = 9.0, top-k = 0 }");
    corpus.recipe("bytes.toml", &bytes);
    done(corpus.path(), &["run", "bytes.toml"]);
    let run = corpus.out("second");
    let last = run.join("checkpoints/step-000016/model.safetensors");
    let unbroken = fs::read(&last).unwrap();
    fs::remove_dir_all(last.parent().unwrap()).unwrap();
    let again = done(corpus.path(), &["run", "bytes.toml"]).stderr;
    assert!(again.contains("continuing at step 12"), "{again}");
    assert_eq!(fs::read(&last).unwrap(), unbroken);
    done(corpus.path(), &["export", "out/second", "padded"]);
    let config: Value = serde_json::from_slice(&fs::read(corpus.path().join("padded/config.json")).unwrap()).unwrap();
    assert_eq!(config["vocab_size"], 600);
}

#[test]
fn weights_that_do_not_fit_are_refused_before_anything_is_done() {
    let corpus = Corpus::new();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("trainer/testdata/qwen2");
    let init = fixture.to_str().unwrap();
    let refused = |train: &str| {
        corpus.recipe("wrong.toml", &RECIPE.replace("model = { hidden = 32", &format!("{train}\nmodel = {{ hidden = 32")));
        let outcome = call(corpus.path(), &["run", "wrong.toml"]);
        assert_eq!(outcome.code, 2, "{}", outcome.stderr);
        outcome.stderr
    };
    assert!(refused(&format!("init = \"{init}\"")).contains("`model.heads` is 4, but 2 in the model of `init`; leave it out"));
    assert!(refused("init = \"data\"").contains("train.init: "));
    assert!(refused("init = \"nowhere.gguf\"").contains("nowhere.gguf"));
    assert!(!corpus.path().join("out").exists());
    // 40 rows, 600 ids, and no tokenizer to make rows by.
    let shape = "model = { hidden = 32, layers = 2, heads = 4, kv-heads = 2, intermediate = 64 }";
    corpus.recipe("few.toml", &RECIPE.replace(shape, &format!("init = \"{init}\"")));
    let error = call(corpus.path(), &["run", "few.toml"]).stderr;
    assert!(error.contains("has 40 rows, the tokenizer 600 ids"), "{error}");
}

/// A GGUF file knows what its ids mean: another tokenizer is refused, its own and one that goes on from it are not.
#[test]
fn a_gguf_file_is_trained_with_its_own_ids() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml"]);
    done(corpus.path(), &["export", "out/run", "model.gguf", "--format", "gguf-f32"]);
    let own = corpus.out("run").join("tokenizer/tokenizer.json");
    let recipe = |tokenizer: &str| second("model.gguf").replace("load = \"model.gguf/tokenizer.json\"", tokenizer);
    corpus.recipe("second.toml", &recipe("bytes = true"));
    let refused = call(corpus.path(), &["run", "second.toml"]);
    assert!(refused.code == 2 && refused.stderr.contains("they do not belong together"), "{}", refused.stderr);

    corpus.recipe("second.toml", &recipe(&format!("load = \"{}\"", own.display())));
    let ran = done(corpus.path(), &["run", "second.toml"]).stderr;
    assert!(!ran.contains("cannot be read"), "{ran}");
    let (first, then) = (losses(&corpus.out("run")), losses(&corpus.out("second")));
    assert!((then[0] - first[15]).abs() < 0.3, "{first:?} {then:?}");

    // A token more: beside adapters its row is frozen, which is said before and after.
    let mut file: Value = serde_json::from_slice(&fs::read(&own).unwrap()).unwrap();
    let more = serde_json::json!({
        "id": 600, "content": "할머니", "special": false, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
    });
    file["added_tokens"].as_array_mut().unwrap().push(more);
    fs::write(corpus.path().join("grown.json"), file.to_string()).unwrap();
    let grown = |full: &str| {
        let lora = format!("init = \"model.gguf\"\nlora = {{ rank = 4{full} }}");
        recipe("load = \"grown.json\"").replace("init = \"model.gguf\"", &lora)
    };
    corpus.recipe("grown.toml", &grown(""));
    let ran = done(corpus.path(), &["run", "grown.toml"]).stderr;
    assert!(
        ran.contains("1 tokens are new to the model of `init`") && ran.contains("put \"embed-tokens\" into `train.lora.full`"),
        "{ran}"
    );
    assert!(ran.contains("1 of 1 new tokens have learned nothing from text, 1 of them because their rows are frozen"), "{ran}");
    corpus.recipe("grown.toml", &grown(", full = [\"embed-tokens\"]"));
    let ran = done(corpus.path(), &["run", "grown.toml"]).stderr;
    assert!(!ran.contains("are frozen") && !ran.contains("learned nothing"), "{ran}");
}

/// What a device cannot do is said before any other stage, and shards alone need none of it.
#[test]
fn what_the_device_cannot_do_is_refused_before_anything_is_done() {
    let corpus = Corpus::new();
    let refused = call(corpus.path(), &["run", "recipe.toml", "--set", "train.precision=\"bf16\""]);
    assert!(refused.code == 2 && refused.stderr.contains("train: `precision` is bf16"), "{}", refused.stderr);
    assert!(!corpus.out("run").join("documents").exists());
    done(corpus.path(), &["build", "recipe.toml", "--set", "train.precision=\"bf16\""]);
}
