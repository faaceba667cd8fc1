//! Defaults, keys, ranges, identity.

use super::*;
use crate::load::tests::fixture;

fn parse(text: &str) -> std::result::Result<TrainConfig, toml::de::Error> {
    toml::from_str(text)
}

#[test]
fn what_is_left_out_is_the_default() {
    assert_eq!(parse("objective = 'cpt'").unwrap(), TrainConfig::default());
    TrainConfig::default().validate().unwrap();
    let written = toml::to_string(&TrainConfig::default()).unwrap();
    assert_eq!(parse(&written).unwrap(), TrainConfig::default());
}

#[test]
fn keys_are_checked() {
    assert_eq!(parse("objective = 'sft'").unwrap().objective, ObjectiveKind::Sft);
    assert!(parse("objective = 'rlhf'").is_err());
    assert!(parse("objective = 'cpt'\nlearning_rate = 1").is_err());
    assert!(parse("objective = 'cpt'\nmodel = { width = 3 }").is_err());
    assert!(parse("objective = 'cpt'\nsample = { prompts = ['a'], top-p = 1 }").is_err());
}

#[test]
fn what_only_looks_is_not_part_of_the_identity() {
    let config = parse("objective = 'cpt'\nbatch = 4").unwrap();
    let looks = "log-every = 7\neval-every = 3\ncheckpoint-every = 0\nkeep-checkpoints = 9\nmicro-batch = 2\ntensorboard = true\nactivation-checkpointing = true\nkeep-best = true\nbest-by = 'code'\nearly-stop = { patience = 2 }\nsample = { prompts = ['a'] }";
    let looked = parse(&format!("objective = 'cpt'\nbatch = 4\n{looks}")).unwrap();
    assert_ne!(looked, config);
    assert_eq!(looked.identity(), config);
    assert_ne!(looked.identity(), TrainConfig::default());
    // Evaluations that are compared are of the same text.
    assert_ne!(parse("objective = 'cpt'\nbatch = 4\neval-tokens = 77").unwrap().identity(), config);
    let drawn = |rollout: &str| parse(&format!("objective = 'grpo'\n{rollout}")).unwrap().identity();
    for same in ["rollout = {}", "rollout = { shown = 9, parallel = 3, cache-bytes = 4096 }"] {
        assert_eq!(drawn(same), drawn(""), "{same}");
    }
    assert_ne!(drawn("rollout = { top-k = 3 }"), drawn(""));
}

#[test]
fn values_are_checked() {
    let refused = |change: &str| {
        let config = parse(&format!("objective = 'cpt'\n{change}")).unwrap();
        config.validate().unwrap_err().to_string()
    };
    assert_eq!(refused("batch = 4\nmicro-batch = 5"), "`micro-batch` is 5, not 1 to `batch` = 4");
    assert_eq!(refused("learning-rate = 0.0"), "`learning-rate` is 0, not above 0");
    assert_eq!(refused("learning-rate = nan"), "`learning-rate` is NaN, not above 0");
    assert_eq!(refused("min-learning-rate = 1.0"), "`min-learning-rate` is 1, not 0 to `learning-rate`");
    assert_eq!(refused("beta2 = 1.0"), "`beta2` is 1, not 0 to below 1");
    assert_eq!(refused("log-every = 0"), "`log-every` is 0, at least 1");
    assert!(refused("batch = 4294967295\nsequence-length = 4294967295").contains("tokens a step"));
    // 1 × (4 + 1) × 30000² × 4 bytes.
    assert_eq!(
        refused("micro-batch = 1\nsequence-length = 30000"),
        "`sequence-length` is 30000: with `micro-batch` = 1 and `model.heads` = 4 the attention scores of one layer take 18000000000 bytes, at most 8589934592; with `precision` = \"bf16\", on an NVIDIA card, there are none"
    );
    assert!(refused("batch = 1048576\nmicro-batch = 1048576").contains("`micro-batch` = 1048576"));
    assert!(refused("sample = { prompts = [''] }").starts_with("`sample.prompts` is empty"));
    assert!(refused("model = { heads = 3 }").contains("`model.heads`"));
    assert_eq!(refused("embedding-learning-rate = 0.0"), "`embedding-learning-rate` is 0, not above 0");
    assert!(refused("head-learning-rate = 1e-4").contains("the output matrix is the embedding"));
    let reward = parse("objective = 'reward'\nhead-learning-rate = 1e-4\nmodel = { tied-embeddings = false }").unwrap();
    assert!(reward.validate().unwrap_err().to_string().contains("a reward model has no output matrix"));
    assert_eq!(
        refused("schedule = 'linear'\ndecay-fraction = 0.1"),
        "`decay-fraction` is set, but it is for `schedule` = \"wsd\", not \"linear\""
    );
    assert_eq!(refused("schedule = 'wsd'\ndecay-fraction = 1.5"), "`decay-fraction` is 1.5, not 0 to 1");
    assert_eq!(refused("z-loss = -1.0"), "`z-loss` is -1, not 0 or more");
    assert!(refused("keep-best = true").contains("set `eval-every`"));
    assert!(refused("eval-every = 5\nearly-stop = { patience = 0 }").contains("`early-stop.patience` is 0"));
    assert!(refused("best-by = 'korean'").contains("neither"));
    assert!(refused("epochs = 2\ntokens = 5").contains("given beside `tokens`"));
    assert!(refused("preset = 'seed-cpt'").contains("`preset` is seed-cpt"));
}

/// Beside adapters a table is frozen unless `lora.full` has it; a learning rate of its own would be ignored.
#[test]
fn rates_of_frozen_tables_are_refused() {
    let checked = |text: &str| parse(&format!("objective = 'cpt'\nmodel = {{ tied-embeddings = false }}\n{text}")).unwrap().validate();
    for (rates, said) in [
        ("embedding-learning-rate = 1e-4\nlora = {}", "`embedding-learning-rate` is set, but beside adapters that table is frozen"),
        ("head-learning-rate = 1e-4\nlora = { full = ['embed-tokens'] }", "put \"lm-head\" into `lora.full`"),
    ] {
        let error = checked(rates).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    checked("embedding-learning-rate = 1e-4\nhead-learning-rate = 1e-4\nlora = { full = ['embed-tokens', 'lm-head'] }").unwrap();
    let error = checked("activation-checkpointing = true\nlora = { dora = true }").unwrap_err().to_string();
    assert!(error.contains("DoRA"), "{error}");
}

#[test]
fn what_the_processor_cannot_do_is_refused() {
    use crate::device::DeviceSpec;
    let checked = |text: &str| parse(&format!("objective = 'cpt'\n{text}")).unwrap().check_device(DeviceSpec::Cpu);
    let error = checked("precision = 'bf16'").unwrap_err().to_string();
    assert!(error.starts_with("`precision` is bf16"), "{error}");
    checked("activation-checkpointing = true").unwrap();
    checked("optimizer-states = '8-bit'\nweights = 'bf16'\nlora = { rank = 3 }").unwrap();
    for (precision, rank, fits) in [(Precision::Bf16, 12, false), (Precision::Bf16, 16, true), (Precision::F32, 12, true)] {
        assert_eq!(precision.check_rank(rank).is_ok(), fits, "{precision} {rank}");
    }
}

/// Every key of a preset is a key of `[train]` with a value that passes.
#[test]
fn presets_are_configs() {
    for preset in Preset::ALL {
        let objective = match preset {
            Preset::SeedPpo => "objective = 'ppo'\nreward = [{ kind = 'exact' }]",
            Preset::SeedCpt | Preset::SeedSft => "objective = 'cpt'",
        };
        let config = parse(&format!("{objective}\n{}", preset.settings())).unwrap();
        config.validate().unwrap();
        assert_eq!(serde_json::to_value(preset).unwrap(), preset.name());
        assert!(!preset.notes().is_empty());
    }
    let cpt = parse(&format!("objective = 'cpt'\n{}", Preset::SeedCpt.settings())).unwrap();
    assert_eq!((cpt.learning_rate, cpt.epochs, cpt.batch / cpt.micro_batch(), cpt.sequence_length), (1e-5, Some(2.0), 32, 4096));
}

/// What the recipe has itself of the model's shape must be that of `init`, also where it is the default elsewhere.
#[test]
fn what_is_given_of_the_model_must_be_that_of_init() {
    let init = Pretrained::open(&fixture("qwen2")).unwrap();
    let shape = init.config().clone();
    let taken = |given: serde_json::Value| {
        let mut config = TrainConfig { init: Some("qwen2".into()), ..TrainConfig::default() };
        config.take_shape(&init, given.as_object().unwrap()).map(|()| config.model).map_err(|error| error.to_string())
    };
    assert_ne!(shape.hidden, ModelConfig::default().hidden);
    for same in [
        serde_json::json!({}),
        serde_json::json!({ "hidden": shape.hidden, "rope-theta": shape.rope_theta }),
        serde_json::json!({ "head-size": shape.head_size() }),
        serde_json::to_value(&shape).unwrap(),
    ] {
        assert_eq!(taken(same).unwrap(), shape);
    }
    let said = format!("`model.hidden` is 256, but {} in the model of `init`; leave it out", shape.hidden);
    assert_eq!(taken(serde_json::json!({ "hidden": 256, "layers": shape.layers })).unwrap_err(), said);
    let wider = taken(serde_json::json!({ "head-size": shape.head_size() + 2 })).unwrap_err();
    assert_eq!(
        wider,
        format!("`model.head-size` is {}, but {} in the model of `init`; leave it out", shape.head_size() + 2, shape.head_size())
    );
}

/// Beside adapters tables alone are kept in fewer bits.
#[test]
fn weights_in_sixteen_bits_need_a_table_that_is_trained() {
    let init = Pretrained::open(&fixture("llama")).unwrap();
    let taken = |lora: &str| {
        let mut config = parse(&format!("objective = 'cpt'\nweights = 'bf16'\ninit = 'llama'\nlora = {{ rank = 4, {lora} }}")).unwrap();
        config.take_shape(&init, &Given::new()).map_err(|error| error.to_string())
    };
    for nothing in ["", "full = ['norms']"] {
        let error = taken(nothing).unwrap_err();
        assert!(error.starts_with("`weights` is bf16, but adapters and norms are kept in 32 bits"), "{error}");
    }
    taken("full = ['embed-tokens']").unwrap();
    taken("full = ['lm-head']").unwrap();
}

/// As `objective/dpo.rs` and `objective/kto.rs` have it.
#[test]
fn objectives_look_at_what_they_do_not_learn_from() {
    let looks = |text: &str| parse(text).unwrap().looks();
    assert_eq!(looks("objective = 'dpo'"), Looks { model: 0, reference: 1 });
    assert_eq!(looks("objective = 'dpo'\ndpo = { reference-free = true }"), Looks::default());
    assert_eq!(looks("objective = 'kto'"), Looks { model: 1, reference: 2 });
    for none in ["cpt", "sft", "orpo", "reward"] {
        assert_eq!(looks(&format!("objective = '{none}'")), Looks::default());
    }
}
