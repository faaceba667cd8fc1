//! Both dialects of config.json, and what is refused in them.

use serde_json::{Value, json};

use super::*;
use crate::load::hf_config::{HfConfig, parse};

fn read(value: &Value) -> Result<HfConfig> {
    parse(Path::new("config.json"), value.to_string().as_bytes())
}

fn config(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name).join("config.json")).unwrap()).unwrap()
}

#[test]
fn both_dialects_say_the_same() {
    for name in FAMILIES {
        let [new, old] = ["config.json", "config.v4.json"].map(|file| {
            let path = fixture(name).join(file);
            parse(&path, &std::fs::read(&path).unwrap()).unwrap()
        });
        assert_eq!(new, old, "{name}");
    }
    assert_eq!(read(&config("qwen2")).unwrap().eos, [3, 5]);
    let qwen3 = read(&config("qwen3")).unwrap().model;
    assert_eq!((qwen3.head_size, qwen3.qk_norm, qwen3.qkv_bias, qwen3.max_positions), (Some(6), true, false, Some(64)));
}

#[test]
fn defaults_are_those_of_the_config_classes() {
    let mut llama = config("llama");
    for key in ["num_key_value_heads", "head_dim", "rope_parameters", "tie_word_embeddings", "rms_norm_eps"] {
        llama.as_object_mut().unwrap().remove(key);
    }
    let model = read(&llama).unwrap().model;
    assert_eq!((model.kv_heads, model.head_size(), model.rope_theta, model.rope_scaling), (2, 8, 10_000.0, None));
    assert_eq!((model.tied_embeddings, model.norm_epsilon), (false, 1e-6));
    let mut qwen3 = config("qwen3");
    qwen3.as_object_mut().unwrap().remove("head_dim");
    assert_eq!(read(&qwen3).unwrap().model.head_size, Some(128));
}

#[test]
fn yarn_takes_its_attention_factor_from_either_key() {
    let with = |extra: Value| {
        let mut yarn = config("yarn");
        yarn["rope_parameters"].as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        match read(&yarn).unwrap().model.rope_scaling {
            Some(RopeScaling::Yarn { attention_factor, beta_fast, .. }) => (attention_factor, beta_fast),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with(json!({ "attention_factor": 1.5, "beta_fast": 16 })), (Some(1.5), 16.0));
    assert_eq!(with(json!({ "attention_factor": null })), (None, 32.0));
    // (0.1 × 2 ln 4 + 1) / (0.1 ln 4 + 1)
    let (found, _) = with(json!({ "mscale": 2.0, "mscale_all_dim": 1.0 }));
    assert!((found.unwrap() - 1.277_258_872 / 1.138_629_436).abs() < 1e-9);
}

#[test]
fn what_would_change_the_numbers_is_refused_by_name() {
    let refused = |name: &str, key: &str, value: Value| {
        let mut config = config(name);
        config[key] = value;
        let error = read(&config).unwrap_err().to_string();
        assert!(error.starts_with("config.json: "), "{error}");
        error
    };
    for (name, key, value) in [
        ("llama", "attention_bias", json!(true)),
        ("llama", "mlp_bias", json!(true)),
        ("llama", "sliding_window", json!(8)),
        ("llama", "quantization_config", json!({ "quant_method": "bitsandbytes" })),
        ("llama", "quantization_config", json!({ "quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "fp4" })),
        ("llama", "quantization_config", json!({ "quant_method": "awq", "bits": 4 })),
        ("llama", "quantization_config", json!({ "quant_method": "compressed-tensors", "format": "float-quantized" })),
        ("llama", "quantization_config", json!("nf4")),
        ("llama", "auto_map", json!({ "AutoModel": "model.Own" })),
        ("llama", "partial_rotary_factor", json!(0.5)),
        ("llama", "num_local_experts", json!(8)),
        ("qwen2", "layer_types", json!(["full_attention", "sliding_attention"])),
        ("qwen2", "attention_dropout", json!(0.1)),
        ("qwen3", "attention_bias", json!(true)),
        ("qwen3", "hidden_act", json!("gelu")),
        ("qwen3", "model_type", json!("qwen3_moe")),
        ("qwen3", "architectures", json!(["Qwen3ForSequenceClassification"])),
        ("qwen3", "hidden_size", json!(-1)),
        ("qwen3", "hidden_size", json!(null)),
        ("qwen3", "num_hidden_layers", json!(1e300)),
        ("qwen3", "tie_word_embeddings", json!("yes")),
        ("qwen3", "eos_token_id", json!([1, "a"])),
        ("yarn", "rope_theta", json!(5e5)),
        ("yarn", "rope_scaling", json!({ "rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 16 })),
    ] {
        assert!(refused(name, key, value).contains(&format!("`{key}` is ")), "{key}");
    }
    let rope = |value: Value| refused("llama", "rope_parameters", value);
    assert!(rope(json!({ "rope_type": "dynamic", "factor": 2.0 })).contains("`rope_parameters.rope_type` is \"dynamic\""));
    assert!(rope(json!({ "rope_type": "llama3", "factor": 2.0 })).contains("`rope_parameters.low_freq_factor` is missing"));
    assert!(rope(json!({ "full_attention": { "rope_type": "default" } })).contains("`rope_parameters.full_attention`"));
    assert!(rope(json!({ "rope_type": "default", "mrope_section": [1, 2] })).contains("`rope_parameters.mrope_section`"));
    assert!(rope(json!(3)).contains("not a table"));
    let huge = refused("qwen2", "num_hidden_layers", json!(1u64 << 40));
    assert!(huge.contains("`model.layers` is 1099511627776"), "{huge}");
    assert!(refused("qwen2", "vocab_size", json!(u64::MAX)).contains("a vocabulary of 18446744073709551615"));
    let windows = |window: Value, from: Value| {
        let mut config = config("qwen2");
        config["use_sliding_window"] = json!(true);
        (config["sliding_window"], config["max_window_layers"], config["layer_types"]) = (window, from, Value::Null);
        read(&config)
    };
    assert!(windows(json!(8), json!(1)).unwrap_err().to_string().contains("`sliding_window` is 8 and in use"));
    assert!(windows(json!(8), json!(2)).is_ok() && windows(json!(null), json!(0)).is_ok());
}

/// The configs of published models, as their authors wrote them; the counts are those of the
/// checkpoints on their model cards.
#[test]
fn configs_of_published_models_are_read() {
    let qwen2 = json!({
        "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151_643, "eos_token_id": 151_643,
        "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02, "intermediate_size": 4864,
        "max_position_embeddings": 32768, "max_window_layers": 24, "model_type": "qwen2", "num_attention_heads": 14,
        "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-6, "rope_theta": 1_000_000.0,
        "sliding_window": 32768, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.40.1",
        "use_cache": true, "use_mrope": false, "use_sliding_window": false, "vocab_size": 151_936,
    });
    let llama = json!({
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 128_000,
        "eos_token_id": [128_001, 128_008, 128_009], "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048,
        "initializer_range": 0.02, "intermediate_size": 8192, "max_position_embeddings": 131_072, "mlp_bias": false,
        "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8,
        "pretraining_tp": 1, "rms_norm_eps": 1e-5, "rope_scaling": {
            "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192,
            "rope_type": "llama3",
        },
        "rope_theta": 500_000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "use_cache": true, "vocab_size": 128_256,
    });
    let qwen3 = json!({
        "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151_643,
        "eos_token_id": 151_645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024, "initializer_range": 0.02,
        "intermediate_size": 3072, "max_position_embeddings": 40960, "max_window_layers": 28, "model_type": "qwen3",
        "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8, "rms_norm_eps": 1e-6,
        "rope_scaling": null, "rope_theta": 1_000_000, "sliding_window": null, "tie_word_embeddings": true,
        "torch_dtype": "bfloat16", "use_cache": true, "use_sliding_window": false, "vocab_size": 151_936,
    });
    for (config, parameters) in [(qwen2, 494_032_768), (llama, 1_235_814_400), (qwen3, 596_049_920)] {
        let read = read(&config).unwrap();
        assert_eq!(read.model.num_params(read.vocab).unwrap(), parameters);
        assert_eq!(read.model.head_size(), config["head_dim"].as_u64().unwrap_or(64) as usize);
    }
}
